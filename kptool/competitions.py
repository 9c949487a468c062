"""Finding the competitions and recipes that come with kptool, or a user's own."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from kptool.config import Competition, Recipe, apply_set, parse, read_toml
from kptool.errors import UsageError, did_you_mean


@dataclass(frozen=True)
class Found:
    """A competition and the folder it was read from."""

    competition: Competition
    folder: Path

    @property
    def recipes(self) -> list[str]:
        """Names of the recipes that come with it."""
        return sorted(path.stem for path in (self.folder / "recipes").glob("*.toml"))


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

    Raises:
        UsageError: no such recipe, or a key or value that makes no sense.
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
        return parse(Recipe, apply_set({}, settings or []), "--set")  # an own folder need not write any
    table = {"name": file.stem} | read_toml(file)
    recipe = parse(Recipe, table, str(file))  # first alone, so that a message names the right place
    return parse(Recipe, apply_set(table, settings), "--set") if settings else recipe
