"""LFW's lists of pairs: pairsDevTrain.txt and pairsDevTest.txt (view 1), pairs.txt (view 2, folds of its own).

The first line holds the number of pairs of each kind; in pairs.txt the number of folds before it. Then, for each fold,
so many lines `name i j`, two pictures of one person, and as many `name1 i name2 j`. See the README of
http://vis-www.cs.umass.edu/lfw/.
"""

from __future__ import annotations

import re
from typing import Final, NamedTuple

from kptool.errors import DataError
from kptool.formats.lines import show

REMEDY: Final = "restore the list as LFW ships it"
MOST: Final = 1_000_000  # pairs of a kind: a larger number is a slip
KINDS: Final = {True: (3, "name i j"), False: (4, "name1 i name2 j")}


class Picture(NamedTuple):
    """A person's name and the number of the picture."""

    name: str
    number: int

    @property
    def id(self) -> str:
        """As LFW names the file: Aaron_Peirsol_0001."""
        return f"{self.name}_{self.number:04d}"


class Listed(NamedTuple):
    """One pair of a list: its pictures, the fold that the list gives it (None = none), and where it stands."""

    first: Picture
    second: Picture
    fold: int | None
    place: str

    @property
    def same(self) -> bool:
        """Whether both pictures show one person."""
        return self.first.name == self.second.name

    @property
    def id(self) -> str:
        """As messages and submissions call it: "Aaron_Peirsol 1 2", "AJ_Cook 1 Marsha_Thomason 1"."""
        own = "" if self.same else f"{self.second.name} "
        return f"{self.first.name} {self.first.number} {own}{self.second.number}"


class Head(NamedTuple):
    """What a list's first line announces; `given` = it has folds of its own."""

    folds: int
    each: int
    given: bool

    @property
    def pairs(self) -> int:
        """Of both kinds, in all folds."""
        return 2 * self.each * self.folds


def parse(text: str, name: str) -> list[Listed]:
    """The pairs of a list, in its order.

    Args:
        name: the file's, for messages.

    Raises:
        DataError: a malformed line, counts that do not agree with the first line, or a pair that stands there twice.
    """
    lines = [line.rstrip() for line in re.split("\r\n|\r|\n", text)]
    while lines and not lines[-1]:
        lines.pop()
    head = _head(lines[0] if lines else "", f"{name}:1")
    out: list[Listed] = []
    seen: dict[frozenset[Picture], str] = {}
    for row, line in enumerate(lines[1:]):
        place = f"{name}:{row + 2}"
        if row == head.pairs:
            raise DataError(f"{place}: {show(line)} follows the {head.pairs} pairs that line 1 announces", REMEDY)
        pair = _pair(line, row, head, place)
        other = seen.setdefault(frozenset(pair[:2]), place)
        if other != place:
            raise DataError(f"{place}: {pair.id} stands in {other} already", "take one of them out")
        out.append(pair)
    if len(out) < head.pairs:
        raise DataError(
            f"{name}:{len(lines)}: the list ends after {len(out)} pairs, but line 1 announces {head.pairs}", REMEDY
        )
    return out


def _head(line: str, place: str) -> Head:
    words = line.split()
    if len(words) not in (1, 2) or not all(re.fullmatch(r"[0-9]{1,7}", word) for word in words):
        raise DataError(f"{place}: {show(line)}, expected the number of pairs, or of folds and pairs", REMEDY)
    folds, each = (int(words[0]), int(words[1])) if len(words) == 2 else (1, int(words[0]))
    if not 0 < folds * each <= MOST:
        raise DataError(f"{place}: {show(line)} announces {2 * folds * each} pairs", REMEDY)
    return Head(folds, each, len(words) == 2)


def _pair(line: str, row: int, head: Head, place: str) -> Listed:
    same = row % (2 * head.each) < head.each
    words = line.split("\t") if "\t" in line else line.split()
    wanted, what = KINDS[same]
    if len(words) != wanted:
        where = " in each fold" if head.given else ""
        raise DataError(
            f"{place}: {len(words)} fields, expected the {wanted} of {what}: line 1 announces {head.each} pairs of one "
            f"person, then {head.each} of two people{where}",
            REMEDY,
        )
    first = _picture(words[0], words[1], place)
    second = _picture(words[0] if same else words[2], words[-1], place)
    if first == second:
        raise DataError(f"{place}: {first.id} is paired with itself", REMEDY)
    if not same and first.name == second.name:
        raise DataError(f"{place}: both pictures are of {first.name}, in the part of different people", REMEDY)
    return Listed(first, second, row // (2 * head.each) if head.given else None, place)


def _picture(name: str, number: str, place: str) -> Picture:
    name, number = name.strip(), number.strip()
    if not name or name in (".", "..") or set(name) & set("/\\:") or not name.isprintable():
        raise DataError(f"{place}: {show(name)} is no person's name", REMEDY)
    if not re.fullmatch(r"[0-9]{1,6}", number) or int(number) < 1:
        raise DataError(f"{place}: {show(number)} is no picture's number, expected 1, 2, ...", REMEDY)
    return Picture(name, int(number))
