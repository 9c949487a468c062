"""`kptool report`: where a run stands, point by point, in the terminal or as a page."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NamedTuple

import typer

from kptool.errors import KptoolError, UsageError

if TYPE_CHECKING:
    from rich.console import Console

    from kptool.pixels import Arrays
    from kptool.report import Outcome, Report
    from kptool.report.terminal import Section
    from kptool.runs import Run


def report(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="A run's folder, as kptool cv printed it.")],
    points: Annotated[bool, typer.Option("--points", help="Only the points, with the mean face.")] = False,
    faces: Annotated[bool, typer.Option("--faces", help="Only kinds of faces, and the worst and the best.")] = False,
    curves: Annotated[bool, typer.Option("--curves", help="Only error distributions and the training.")] = False,
    folds: Annotated[bool, typer.Option("--folds", help="Only the folds.")] = False,
    schemes: Annotated[bool, typer.Option("--schemes", help="Only the marking schemes.")] = False,
    html: Annotated[Path | None, typer.Option(metavar="FILE", help="Write a page with everything.")] = None,
    show: Annotated[bool, typer.Option("--open", help="Open the page in the browser.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of tables.")] = False,
) -> None:
    """Report a run's out-of-fold errors: score, baseline, schemes, points, kinds of faces, curves, worst faces.

    Sections may be combined; the score, warnings and what to try always come first.

    Example: kptool report runs/demo/20260131-120000-default
    """
    from kptool.runs import open_run

    opened = open_run(run)  # before anything heavy is loaded
    page = _page_file(opened, html, show)

    from kptool.cli.terminal import make_console
    from kptool.report import build, to_json
    from kptool.report.load import load

    asked: dict[Section, bool] = {
        "schemes": schemes, "folds": folds, "points": points, "faces": faces, "curves": curves,
    }  # fmt: skip
    sections = [name for name, wanted in asked.items() if wanted]
    console, outcome = make_console(stderr=as_json), load(opened)
    arrays, why = _frames(opened, console, wanted=faces or page is not None)
    if arrays is not None:
        from kptool.pictures import contrasts

        outcome = replace(outcome, contrast=contrasts(arrays))
    result = build(outcome)
    seen = Seen(opened, result, outcome, arrays, why)
    if page is not None:
        _write_page(console, seen, page, show)
    if as_json:
        typer.echo(json.dumps(to_json(result), indent=2, allow_nan=False))
    elif sections or page is None:
        _render(console, seen, sections)


class Seen(NamedTuple):
    """A run with its report, and its frames; `why` says why there are none where they were asked for."""

    run: Run
    report: Report
    outcome: Outcome
    arrays: Arrays | None
    why: str


def _page_file(run: Run, html: Path | None, show: bool) -> Path | None:
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


def _frames(run: Run, console: Console, wanted: bool) -> tuple[Arrays | None, str]:
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


def _render(console: Console, seen: Seen, sections: list[Section]) -> None:
    from kptool.report.half_blocks import NONE, can_show
    from kptool.report.pen import Pen
    from kptool.report.portraits import gallery
    from kptool.report.terminal import render

    pictures = "faces" in sections or (not sections and console.is_terminal and can_show(Pen(console)))
    shown = gallery(seen.report, seen.outcome, seen.arrays, seen.why) if pictures else NONE
    render(seen.report, console, sections, shown)


def _write_page(console: Console, seen: Seen, file: Path, show: bool) -> None:
    from rich.markup import escape

    from kptool.cli.terminal import counting
    from kptool.page import write_page

    with counting(console, "writing the page") as tick:
        size = write_page(file, seen.run, seen.report, seen.outcome, seen.arrays, seen.why, tick)
    without = f", without pictures: {seen.why}" if seen.why else ""
    console.print(f"{escape(str(file))}, {size / 1e6:.1f} MB{escape(without)}", soft_wrap=True)
    if show and typer.launch(file.resolve().as_uri()):
        console.print("no browser could be opened", soft_wrap=True)
