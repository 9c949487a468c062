"""TOML in, unknown keys refused with "did you mean"."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path
from typing import Any, Final, TypeVar, cast

from pydantic import BaseModel, ValidationError

from kptool.config.recipe import Recipe
from kptool.errors import UsageError, did_you_mean

T = TypeVar("T", bound=BaseModel)
EDITS: Final = "data.edits"


def parse(kind: type[T], table: dict[str, Any], place: str) -> T:
    """Validate a table; `place` names the file or flag in the message.

    Raises:
        UsageError: the first wrong key or value, with the remedy.
    """
    try:
        return kind.model_validate(table)
    except ValidationError as error:
        first = error.errors()[0]
    key = ".".join(str(part) for part in first["loc"])
    if first["type"] == "extra_forbidden":
        remedy = did_you_mean(str(first["loc"][-1]), _keys(kind, first["loc"]))
        raise UsageError(f"{place}: unknown key '{key}'", remedy)
    if first["type"] == "missing":  # its input is the whole table
        raise UsageError(f"{place}: no key '{key}'", "it has no default")
    raise UsageError(f"{place}: {key} is {first['input']!r}", first["msg"][:1].lower() + first["msg"][1:])


def _keys(kind: type[BaseModel], location: tuple[int | str, ...]) -> list[str]:
    for part in location[:-1]:
        annotation = kind.model_fields[str(part)].annotation
        if not (isinstance(annotation, type) and issubclass(annotation, BaseModel)):
            break
        kind = annotation
    return list(kind.model_fields)


def read_toml(path: Path) -> dict[str, Any]:
    """A TOML file as a table; raises UsageError with the line that does not parse."""
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:  # a number of too many digits is a plain ValueError
        raise UsageError(f"{path}: {error}", "mend or name another file") from None


def apply_set(table: dict[str, Any], settings: list[str]) -> dict[str, Any]:
    """A copy of `table` with each ``section.key=value`` put in; values are TOML, a bare word is text."""
    table = cast(dict[str, Any], json.loads(json.dumps(table)))
    for setting in settings:
        key, equals, text = setting.partition("=")
        if not equals or not key.strip():
            raise UsageError(f"--set {setting}", "write it as section.key=value, as in --set train.epochs=30")
        try:
            value = tomllib.loads(f"value = {text}")["value"]
        except (ValueError, RecursionError):
            value = text
        *sections, last = key.strip().split(".")
        inner = table
        for section in sections:
            inner = inner.setdefault(section, {})
            if not isinstance(inner, dict):
                raise UsageError(f"--set {setting}: '{section}' is no section", "kptool show lists sections and keys")
        inner[last] = value
    return table


def flat(recipe: Recipe) -> dict[str, Any]:
    """The settings as {"train.epochs": 16, …}; label edits without their reasons, which decide nothing."""
    out: dict[str, Any] = {}
    for key, value in recipe.model_dump(exclude={"data": {"edits": {"__all__": {"reason"}}}}).items():
        out.update({f"{key}.{k}": v for k, v in value.items()} if isinstance(value, dict) else {key: value})
    out[EDITS] = sorted(out[EDITS], key=lambda edit: json.dumps(edit, sort_keys=True))
    return out


def differences(old: Recipe, new: Recipe) -> list[str]:
    """One line per setting that differs, as ``train.epochs: 16 -> 30`` or ``data.edits: 0 -> 37 edits``."""
    before, after = flat(old), flat(new)
    return [f"{key}: {_change(key, before[key], after[key])}" for key in before if before[key] != after[key]]


def _change(key: str, old: Any, new: Any) -> str:
    if key != EDITS:
        return f"{old!r} -> {new!r}"
    known = set(map(str, old))
    common = f", {sum(str(edit) in known for edit in new)} in common" if old and new else ""
    return f"{len(old)} -> {len(new)} edit{'s' * (len(new) != 1)}{common}"
