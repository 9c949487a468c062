"""The steps of a conversion: everything that can go wrong is looked for before the first byte is written."""

from __future__ import annotations

import filecmp
import shutil
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.markup import escape
from rich.progress import track

from kptool.annotations import Annotations, kept, lost
from kptool.errors import DataError, MissingFileError, UsageError
from kptool.files import write_atomic
from kptool.formats import table
from kptool.formats.table import AnnotationFormat


@dataclass(frozen=True)
class Wish:
    """What is to be read and written, and in which formats."""

    source: Path
    out: Path
    read: AnnotationFormat
    write: AnnotationFormat

    @property
    def root(self) -> Path:
        """The folder that the pictures' names are relative to once they are written."""
        return self.out if self.write.name in table.FOLDERS else self.out.parent

    def picture(self, file: str) -> Path:
        """Where OUT looks for a picture."""
        if self.write.name == "yolo":
            from kptool.formats.yolo import picture_name

            file = picture_name(file)
        return self.root / file


@dataclass(frozen=True)
class Side:
    """One side of a conversion: the counts of what was read or written. A face is a row, labelled or not."""

    path: str
    format: str
    faces: int
    pictures: int
    points: int
    labelled: int
    boxes: int


@dataclass(frozen=True)
class Done:
    """What a conversion did.

    Attributes:
        read: what was found.
        written: what is left of it.
        lost: a line for everything that is not.
        notes: lines about where the pictures are, and what the reader left out.
        copied: pictures that were copied.
    """

    read: Side
    written: Side
    lost: list[str]
    notes: list[str]
    copied: int


def plan(source: Path, out: Path, from_: str | None, to: str | None, force: bool) -> Wish:
    """Settle both formats, and see that OUT may be written.

    Raises:
        UsageError: an unknown format, OUT's ending that says none, OUT that exists, is IN, or is a folder where a file
            is to be written or the other way about.
        MissingFileError, DataError: IN is not there, or in no known format.
    """
    if to is None and (to := table.ENDINGS.get(out.suffix.lower())) is None:
        raise UsageError(f"{out}: its ending names no format", f"name one with --to: {', '.join(table.NAMES[:-1])}")
    write = table.get(to)
    if to == "images":
        raise UsageError("--to images: bare pictures hold no labels", f"choose from {', '.join(table.NAMES[:-1])}")
    read = table.get(from_ if from_ is not None else table.sniff(source))
    if not source.exists():
        raise MissingFileError(f"{source}: no such file or folder", "check the path")
    folder = to in table.FOLDERS
    if out.exists():
        if out.is_dir() != folder:
            kinds = ("a folder", "a file") if folder else ("a file", "a folder")
            raise UsageError(f"{out}: {to} is written as {kinds[0]}, and this is {kinds[1]}", "name another OUT")
        if out.samefile(source) and read.name not in table.FOLDERS:
            raise UsageError(f"{out}: IN and OUT are the same file", "name another OUT")
        if not force and not (folder and not any(out.iterdir())):
            raise UsageError(f"{out}: exists already", "name another OUT, or write over it with --force")
    return Wish(source, out, read, write)


def convert(console: Console, wish: Wish, copy: bool) -> Done:
    """Read, copy the pictures where asked, write. OUT is written last, and only if everything else went well.

    Raises:
        DataError: what the reader and the writer raise; nothing of IN fits the format; with `copy` a picture that is
            not there, or another file that stands in its place.
    """
    with console.status(f"reading {escape(wish.source.name)}"):
        found = wish.read.read(wish.source)
    rest = kept(found, wish.write.holds)
    if len(found) and not len(rest):
        reasons = lost(found, wish.write.holds, wish.write.name)
        raise DataError(f"{wish.source}: nothing of it can be written: {reasons[0]}", "choose another --to")
    notes = _remarks(wish)
    copied = _copy(console, rest, wish) if copy else 0
    with console.status(f"writing {escape(wish.out.name)}"):
        gone = wish.write.write(found, wish.out)
    if not copy:
        notes += _where(rest, wish)
    return Done(_side(wish.source, wish.read, found), _side(wish.out, wish.write, rest), gone, notes, copied)


def render(console: Console, done: Done) -> None:
    """Print what was done, a line a fact."""
    for verb, side in (("read", done.read), ("wrote", done.written)):
        counts = f"{_many(side.faces, 'face')} in {_many(side.pictures, 'picture')}, {_many(side.points, 'point')} each"
        more = f"{side.labelled} labelled, {_many(side.boxes, 'box', 'boxes')}"
        console.print(f"{verb} {escape(side.path)} ({side.format}): {counts}, {more}", soft_wrap=True)
    for line in done.lost:
        console.print(f"lost: {escape(line)}", soft_wrap=True)
    for line in done.notes:
        console.print(f"note: {escape(line)}", soft_wrap=True)
    if done.copied:
        console.print(f"copied {_many(done.copied, 'picture')}", soft_wrap=True)


def to_json(done: Done) -> dict[str, Any]:
    """The same as a table for JSON."""
    return asdict(done)


def _side(path: Path, format_: AnnotationFormat, a: Annotations) -> Side:
    boxes = int(np.isfinite(a.boxes).all(axis=1).sum())
    return Side(
        str(path), format_.name, len(a), len(set(a.files.tolist())), len(a.names), int(a.labelled.sum()), boxes
    )  # fmt: skip


def _remarks(wish: Wish) -> list[str]:
    if wish.read.name != "deeplabcut":
        return []
    from kptool.formats.deeplabcut import remarks

    return [f"{wish.source}: {line}" for line in remarks(wish.source)]


def _where(a: Annotations, wish: Wish) -> list[str]:
    """A line where the names that were written do not lead to the pictures."""
    files = sorted(set(a.files.tolist()))
    away = [file for file in files if not wish.picture(file).is_file()]
    if not away or not any((a.root / file).is_file() for file in away):  # they were not there before either
        return []
    count = f"{len(away)} of {_many(len(files), 'picture')} not there"
    where = f"{wish.out} looks for its pictures in {wish.root}, as {wish.picture(away[0])}"
    return [f"{where}: {count}; --copy puts them there"]


def _copy(console: Console, a: Annotations, wish: Wish) -> int:
    """Copy the pictures to where OUT looks for them; never over a different file. Returns how many were copied."""
    missing = []
    for file in sorted(set(a.files.tolist())):
        here, there = a.root / file, wish.picture(file)
        if not here.is_file():
            raise MissingFileError(f"{here}: no such picture", "put it there, or convert without --copy")
        if not there.exists():
            missing.append((here, there))
        elif not (here.samefile(there) or filecmp.cmp(here, there, shallow=False)):
            raise DataError(
                f"{there}: another file stands where {here} would be copied", "move it, or name another OUT"
            )
    for here, there in track(missing, "copying", console=console, disable=not console.is_terminal):
        write_atomic(there, partial(shutil.copyfile, here))
    return len(missing)


def _many(count: int, one: str, more: str = "") -> str:
    return f"{count} {one if count == 1 else more or one + 's'}"
