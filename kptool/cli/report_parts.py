"""What reports on points and on pairs share at the command line: sections, pictures, and where the page goes."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import typer

from kptool.errors import KptoolError, UsageError

if TYPE_CHECKING:
    from rich.console import Console

    from kptool.pixels import Arrays
    from kptool.runs import Run

Name = TypeVar("Name", bound=str)


def sections_of(asked: list[str], known: Sequence[Name], run: Run) -> list[Name]:
    """The sections asked for; raises UsageError for one that a report on such a run does not have."""
    task = run.found.competition.task
    for name in asked:
        if name not in known:
            raise UsageError(f"--{name} is no section of a report on {task}", f"it has --{', --'.join(known)}")
    return [name for name in known if name in asked]


def page_file(run: Run, html: Path | None, show: bool) -> Path | None:
    """Where the page goes; None where none is asked for."""
    file = run.path / "report.html" if html is None and show else html
    if file is not None and (file.is_dir() or file.suffix.lower() != ".html"):
        what = "is a folder" if file.is_dir() else "does not end in .html"
        raise UsageError(f"--html {file} {what}", "name a file such as report.html")
    if file is not None:  # told now, and not after the work
        parent = next(folder for folder in file.resolve().parents if folder.exists())
        if not parent.is_dir() or not os.access(parent, os.W_OK):
            raise UsageError(f"--html {file}: {parent} is no folder that can be written to", "name another place")
    return file


def frames_of(run: Run, console: Console, wanted: bool) -> tuple[Arrays | None, str]:
    """The run's frames; where they are not wanted, only those that the cache has, since photos take minutes."""
    from kptool.cli.terminal import counting
    from kptool.pictures import cached_frames, open_frames

    if not wanted:
        return cached_frames(run), ""
    try:
        with counting(console, "opening the pictures") as tick:
            return open_frames(run, tick), ""
    except KptoolError as error:
        return None, f"{error} (with the data back in its place they can be made again)"


def say_page(console: Console, file: Path, size: int, why: str, show: bool) -> None:
    """Say where a page of `size` bytes stands, and open it where that is asked for."""
    from rich.markup import escape

    without = f", without pictures: {why}" if why else ""
    console.print(f"{escape(str(file))}, {size / 1e6:.1f} MB{escape(without)}", soft_wrap=True)
    if show and typer.launch(file.resolve().as_uri()):
        console.print("no browser could be opened", soft_wrap=True)
