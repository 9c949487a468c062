"""Edits as TOML, both ways."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from kptool.config import Edit, parse, read_toml
from kptool.edits.checks import ACTIONS
from kptool.errors import UsageError, did_you_mean
from kptool.files import write_text


def read_edits(path: Path) -> list[Edit]:
    """Read `write_edits` back, or a file written by hand.

    Raises:
        UsageError: not a .toml file, no such file, or the first table that makes no sense, by its number from 1.
    """
    _refuse_other_files(path)
    if not path.is_file():
        raise UsageError(f"{path}: no such file", "data.edits names a .toml file beside the recipe")
    table = read_toml(path)
    for key in table:
        if key != "edit":
            raise UsageError(f"{path}: unknown key '{key}'", did_you_mean(key, ["edit"]))
    return parse_edits(table.get("edit", []), str(path))


def write_edits(path: Path, edits: Sequence[Edit]) -> None:
    """Write edits so that `read_edits` gives the same ones; raises UsageError for another suffix than .toml."""
    _refuse_other_files(path)
    write_text(path, edits_text(edits) if edits else "edit = []\n")


def edits_text(edits: Sequence[Edit], table: str = "edit") -> str:
    """Edits as TOML, each a [[table]], with nothing in it that a terminal would take for a command."""
    blocks = []
    for edit in edits:
        values = edit.model_dump(exclude_defaults=True)
        blocks.append("\n".join([f"[[{table}]]", *(f"{key} = {_toml(value)}" for key, value in values.items()), ""]))
    return "\n".join(blocks)


def parse_edits(tables: object, place: str) -> list[Edit]:
    """Edits from tables as TOML gives them; raises UsageError for the first that makes no sense."""
    if not isinstance(tables, list) or not all(isinstance(table, dict) for table in tables):
        raise UsageError(f"{place}: the edits are no list of tables", "write each as [[edit]] with image and action")
    edits = []
    for number, table in enumerate(tables, 1):
        at, action = f"{place}: edit {number}", table.get("action")
        if isinstance(action, str) and action not in ACTIONS:
            raise UsageError(f"{at}: action is {action!r}", did_you_mean(action, ACTIONS))
        edits.append(parse(Edit, table, at))
    return edits


def _refuse_other_files(path: Path) -> None:
    if path.suffix != ".toml":
        raise UsageError(f"{path} is no .toml file", "data.edits names a .toml file of [[edit]] tables")


def _toml(value: object) -> str:
    """A value on one line."""
    import tomli_w

    if isinstance(value, list):
        return f"[{', '.join(map(_toml, value))}]"
    if isinstance(value, float):
        return repr(float(value))  # numpy's own floats say in their repr that they are numpy's
    text = tomli_w.dumps({"v": value}).removeprefix("v = ").rstrip("\n")
    return "".join(c if c.isprintable() else f"\\U{ord(c):08X}" for c in text)
