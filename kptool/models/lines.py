"""Lines of settings, as a recipe's `model.layers` holds them: a word, its settings in order, then others by name."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from kptool.errors import UsageError, did_you_mean

Pair = tuple[int, int]  # across, down


class Language(NamedTuple):
    """The words that lines may begin with.

    Attributes:
        thing: what a line is called in messages: "layer".
        placed: of each word, the settings that follow in order.
        named: of each word, those that may follow by name.
        forms: of each word, how it should be written; a word without settings needs none.
    """

    thing: str
    placed: Mapping[str, tuple[str, ...]]
    named: Mapping[str, tuple[str, ...]]
    forms: Mapping[str, str]


class Line(NamedTuple):
    """One line as read: its word, its settings as text by name, how messages call it, and how it should look."""

    word: str
    settings: dict[str, str]
    place: str
    form: str

    def whole(self, name: str) -> int:
        """A setting that is one whole number of 1 or more."""
        text = self.settings[name]
        if not re.fullmatch(r"[1-9]\d{0,6}", text, re.ASCII):
            raise UsageError(f"{self.place}: {name} is '{text}', expected a whole number of 1 or more", self.form)
        return int(text)

    def pair(self, name: str, default: Pair, least: int = 1) -> Pair:
        """A setting that is N or WxH."""
        text = self.settings.get(name)
        if text is None:
            return default
        found = re.fullmatch(r"(\d{1,4})(?:x(\d{1,4}))?", text, re.ASCII)
        values = (int(found[1]), int(found[2] or found[1])) if found else (-1, -1)
        if min(values) < least:
            more = ", or same" if name == "pad" else ""
            raise UsageError(
                f"{self.place}: {name} is '{text}', expected whole numbers of {least} or more, as 5 or 5x3{more}",
                self.form,
            )
        return values

    def pads(self, cells: Pair, kernel: Pair, stride: Pair) -> tuple[Pair, Pair]:
        """px put before (left, top) and after (right, bottom) an image of `cells`."""
        if self.settings.get("pad") != "same":
            pad = self.pair("pad", (0, 0), least=0)
            return pad, pad
        ways = zip(cells, kernel, stride, strict=True)
        across, down = (max(0, (math.ceil(n / s) - 1) * s + k - n) for n, k, s in ways)
        return (across // 2, down // 2), (across - across // 2, down - down // 2)

    def chance(self, name: str) -> float:
        """A setting from 0 to below 1."""
        text = self.settings[name]
        if not re.fullmatch(r"0|0?\.\d+", text, re.ASCII):
            raise UsageError(f"{self.place}: {name} is '{text}', expected a fraction below 1", self.form)
        return float(text)


def read_line(text: str, place: str, language: Language) -> Line:
    """One line taken apart; `place` begins its messages.

    Raises:
        UsageError: an unknown word, with the closest one, or settings that are missing, doubled or unknown.
    """
    word, *rest = text.split() or [""]
    if word not in language.placed:
        raise UsageError(f"{place}: no {language.thing} is called '{word}'", did_you_mean(word, language.placed))
    placed, named = language.placed[word], language.named.get(word, ())
    settings, more = dict(zip(placed, rest, strict=False)), rest[len(placed) :]
    line = Line(word, settings, place, language.forms.get(word, f"write '{word}' alone"))
    if len(settings) < len(placed):
        raise UsageError(f"{place}: {placed[len(settings)]} is missing", line.form)
    for name, value in zip(more[::2], [*more[1::2], None][: len(more[::2])], strict=True):
        if name not in named:
            raise UsageError(f"{place}: '{name}' is not understood", _remedy(name, named, line.form))
        if name in settings or value is None:
            raise UsageError(f"{place}: {name} {'has no value' if value is None else 'stands there twice'}", line.form)
        settings[name] = value
    return line


def _remedy(name: str, named: Sequence[str], form: str) -> str:
    close = did_you_mean(name, named) if named else ""
    return close if close.startswith("did") else form
