"""Finding the competitions and recipes that come with kptool, or a user's own."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kptool.config import Competition, Recipe, apply_set, parse, read_toml
from kptool.edits import check_edits, parse_edits, read_edits
from kptool.errors import DataError, UsageError, did_you_mean
from kptool.files import file_digest


@dataclass(frozen=True)
class Found:
    """A competition and the folder it was read from."""

    competition: Competition
    folder: Path

    @property
    def recipes(self) -> list[str]:
        """Names of the recipes that come with it."""
        files = (self.folder / "recipes").glob("*.toml")
        return sorted(path.stem for path in files if not _holds_edits(path))


def shipped() -> Path:
    """The folder of the competitions: inside the wheel, or at the top of a source checkout."""
    inside = Path(__file__).parent / "competitions"
    return inside if inside.is_dir() else Path(__file__).parent.parent / "competitions"


def names() -> list[str]:
    """Slugs of the competitions that come with kptool."""
    return sorted(path.parent.name for path in shipped().glob("*/competition.toml"))


def find(name: str) -> Found:
    """A competition by slug, or by the path of a folder that holds a competition.toml.

    Raises:
        UsageError: no such competition, with the closest name.
    """
    own = Path(name)
    folder = own if (own / "competition.toml").is_file() else shipped() / name
    if name not in names() and folder != own:
        raise UsageError(f"no competition is called '{name}'", did_you_mean(name, names()))
    file = folder / "competition.toml"
    return Found(parse(Competition, read_toml(file), str(file)), folder)


def read_recipe(found: Found, name: str = "default", settings: list[str] | None = None) -> Recipe:
    """A recipe by name or by the path of a TOML file, with ``--set`` changes put in.

    Where `data.edits` names a file, its edits are put into the recipe, and the file is not needed again. The path is
    relative to the recipe's own folder and stays in it; under ``--set`` it is the user's own, from the current folder.
    So is that of `data.soft`, which may also be absolute; the file's digest is put beside it.

    Raises:
        UsageError: no such recipe, file of edits or of soft labels, or a key or value that makes no sense.
        DataError: `data.soft` is another file than `data.soft_digest` says.
    """
    own = Path(name)
    file = own if own.suffix == ".toml" else found.folder / "recipes" / f"{name}.toml"
    if own.suffix != ".toml" and name not in found.recipes:
        if name != "default":
            known = sorted({*found.recipes, "default"})
            raise UsageError(
                f"{found.competition.slug} has no recipe called '{name}'",
                f"{did_you_mean(name, known)} (the path of a .toml file works too)",
            )
        return change_recipe(found, Recipe(), settings or [])  # an own folder need not write any
    table = _with_edits(found, {"name": file.stem} | read_toml(file), str(file), file.parent)
    table = _with_soft(table, str(file), file.parent)
    recipe = parse(Recipe, table, str(file))  # first alone, so that a message names the right place
    return change_recipe(found, recipe, settings) if settings else recipe


def change_recipe(found: Found, recipe: Recipe, settings: list[str]) -> Recipe:
    """A recipe with ``--set`` changes put in; raises UsageError as `read_recipe` does."""
    table = _with_edits(found, apply_set(recipe.model_dump(), settings), "--set", None)
    data = table["data"]
    if isinstance(data, dict) and data.get("soft") != recipe.data.soft:  # another file has another digest
        given = any(setting.partition("=")[0].strip() == "data.soft_digest" for setting in settings)
        table |= {"data": data if given else data | {"soft_digest": ""}}
    return parse(Recipe, _with_soft(table, "--set", None), "--set")


def _with_edits(found: Found, table: dict[str, Any], place: str, folder: Path | None) -> dict[str, Any]:
    """A recipe's table with the edits themselves, where it names their file or has them as tables.

    Args:
        folder: the recipe's, which a path must not leave; None = the user typed the path.
    """
    data = table.get("data")
    value = data.get("edits") if isinstance(data, dict) else None
    if not isinstance(data, dict) or not isinstance(value, str | list):  # nothing, or what `parse` refuses
        return table
    if isinstance(value, str):
        file = Path(value) if folder is None else folder / _inside(value, place, "data.edits")
        edits, at = read_edits(file), str(file)
    else:
        at = f"{place}: data.edits"
        edits = parse_edits(value, at)
    check_edits(edits, found.competition.schema_of_points, at)
    return table | {"data": data | {"edits": [edit.model_dump() for edit in edits]}}


def _with_soft(table: dict[str, Any], place: str, folder: Path | None) -> dict[str, Any]:
    """A recipe's table with the whole path and the digest of its soft labels; the arguments as of `_with_edits`."""
    data = table.get("data")
    if not isinstance(data, dict) or not isinstance(name := data.get("soft", ""), str):  # which `parse` refuses
        return table
    said = data.get("soft_digest", "")
    if not name:
        if said:
            raise UsageError(f"{place}: data.soft_digest without data.soft", "name the file in data.soft")
        return table
    file = Path(name) if folder is None or Path(name).is_absolute() else folder / _inside(name, place, "data.soft")
    if not file.is_file():
        raise UsageError(f"data.soft {file}: no such file", "put it back, or write it again with kptool relabel RUN")
    digest = file_digest(file)[:12]
    if said not in ("", digest):
        raise DataError(f"data.soft {file} is not the file that data.soft_digest names", "restore it, or relabel again")
    return table | {"data": data | {"soft": str(file.resolve()), "soft_digest": digest}}


def _holds_edits(path: Path) -> bool:
    """Whether a TOML file is not a recipe but label edits, which may stand beside one."""
    try:
        return re.search(rb"^(\[\[edit\]\]|edit\s*=)", path.read_bytes(), re.MULTILINE) is not None
    except OSError:  # told by name when it is asked for
        return False


def _inside(name: str, place: str, key: str) -> Path:
    """A path as text, refused where it could lead out of the folder that it is relative to."""
    path = Path(name)
    if path.anchor or ".." in path.parts or "\\" in name:
        raise UsageError(f"{place}: {key} {name!r} leaves the recipe's folder", "put the file beside the recipe")
    return path
