"""Text from files as a page may hold it: in HTML, in an SVG and inside a script element, always text."""

from __future__ import annotations

import json
import math

from markupsafe import Markup

from kptool.report.words import printable

_UNSAFE = {"<": "\\u003c", ">": "\\u003e", "&": "\\u0026", "\u2028": "\\u2028", "\u2029": "\\u2029"}


def spelt(words: str) -> str:
    """Words with what cannot be printed spelt out, but for newlines."""
    return printable(words, keep="\n")


def script_json(value: object) -> Markup:
    """Plain values as JSON that a script element may hold: nothing in it can end the element; NaN becomes null."""
    text = json.dumps(_plain(value), allow_nan=False, ensure_ascii=False, separators=(",", ":"))
    for character, escape in _UNSAFE.items():
        text = text.replace(character, escape)
    return Markup(text)


def _plain(value: object) -> object:
    if isinstance(value, str):
        return spelt(value)
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        return {_plain(key): _plain(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(inner) for inner in value]
    return value
