"""Finding the competitions and recipes that come with kptool, or a user's own."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kptool.config import Competition, Recipe, apply_set, parse, read_toml
from kptool.edits import check_edits, parse_edits, read_edits
from kptool.errors import UsageError, did_you_mean


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

    Raises:
        UsageError: no such recipe or file of edits, or a key or value that makes no sense.
    """
    own = Path(name)
    file = own if own.suffix == ".toml" else found.folder / "recipes" / f"{name}.toml"
    if own.suffix != ".toml" and name not in found.recipes:
        if name != "default":
            known = [*found.recipes, "default"]
            raise UsageError(
                f"{found.competition.slug} has no recipe called '{name}'",
                f"{did_you_mean(name, known)} (the path of a .toml file works too)",
            )
        return change_recipe(found, Recipe(), settings or [])  # an own folder need not write any
    table = _with_edits(found, {"name": file.stem} | read_toml(file), str(file), file.parent)
    recipe = parse(Recipe, table, str(file))  # first alone, so that a message names the right place
    return change_recipe(found, recipe, settings) if settings else recipe


def change_recipe(found: Found, recipe: Recipe, settings: list[str]) -> Recipe:
    """A recipe with ``--set`` changes put in; raises UsageError as `read_recipe` does."""
    return parse(Recipe, _with_edits(found, apply_set(recipe.model_dump(), settings), "--set", None), "--set")


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
        file = Path(value) if folder is None else folder / _inside(value, place)
        edits, at = read_edits(file), str(file)
    else:
        at = f"{place}: data.edits"
        edits = parse_edits(value, at)
    check_edits(edits, found.competition.schema_of_points, at)
    return table | {"data": data | {"edits": [edit.model_dump() for edit in edits]}}


def _holds_edits(path: Path) -> bool:
    """Whether a TOML file is not a recipe but label edits, which may stand beside one."""
    try:
        return re.search(rb"^(\[\[edit\]\]|edit\s*=)", path.read_bytes(), re.MULTILINE) is not None
    except OSError:  # told by name when it is asked for
        return False


def _inside(name: str, place: str) -> Path:
    """A path as text, refused where it could lead out of the folder that it is relative to."""
    path = Path(name)
    if path.anchor or ".." in path.parts or "\\" in name:
        raise UsageError(f"{place}: data.edits {name!r} leaves the recipe's folder", "put the file beside the recipe")
    return path
