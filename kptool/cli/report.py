"""`kptool report`: where a run stands, point by point, in the terminal or as a page."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NamedTuple

import typer

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
    pairs: Annotated[bool, typer.Option("--pairs", help="Of verification: only the hardest and surest pairs.")] = False,
    people: Annotated[bool, typer.Option("--people", help="Of verification: only who fails most.")] = False,
    html: Annotated[Path | None, typer.Option(metavar="FILE", help="Write a page with everything.")] = None,
    show: Annotated[bool, typer.Option("--open", help="Open the page in the browser.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of tables.")] = False,
) -> None:
    """Report a run's out-of-fold errors: score, baseline, schemes, points, kinds of faces, curves, worst faces.

    Of a run of verification: accuracy, ROC, score histograms, the hardest and surest pairs, people who fail most.
    Sections may be combined; the score, warnings and what to try always come first.

    Example: kptool report runs/demo/20260131-120000-default
    """
    from kptool.cli.report_parts import page_file
    from kptool.runs import open_run

    opened = open_run(run)  # before anything heavy is loaded
    page = page_file(opened, html, show)
    wanted = {
        "schemes": schemes, "folds": folds, "points": points, "faces": faces, "pairs": pairs, "people": people,
        "curves": curves,
    }  # fmt: skip
    sections = [name for name, asked in wanted.items() if asked]
    if opened.found.competition.task == "verification":
        from kptool.cli.report_pairs import report_pairs

        report_pairs(opened, sections, page, show, as_json)
    else:
        _report_points(opened, sections, page, show, as_json)


def _report_points(opened: Run, asked: list[str], page: Path | None, show: bool, as_json: bool) -> None:
    from kptool.cli.report_parts import frames_of, sections_of
    from kptool.cli.terminal import make_console
    from kptool.report import build, to_json
    from kptool.report.load import load
    from kptool.report.terminal import SECTIONS

    sections = sections_of(asked, SECTIONS, opened)
    console, outcome = make_console(stderr=as_json), load(opened)
    arrays, why = frames_of(opened, console, wanted="faces" in sections or page is not None)
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


def _render(console: Console, seen: Seen, sections: list[Section]) -> None:
    from kptool.report.half_blocks import NONE, can_show
    from kptool.report.pen import Pen
    from kptool.report.portraits import gallery
    from kptool.report.terminal import render

    pictures = "faces" in sections or (not sections and console.is_terminal and can_show(Pen(console)))
    shown = gallery(seen.report, seen.outcome, seen.arrays, seen.why) if pictures else NONE
    render(seen.report, console, sections, shown)


def _write_page(console: Console, seen: Seen, file: Path, show: bool) -> None:
    from kptool.cli.report_parts import say_page
    from kptool.cli.terminal import counting
    from kptool.page import write_page

    with counting(console, "writing the page") as tick:
        size = write_page(file, seen.run, seen.report, seen.outcome, seen.arrays, seen.why, tick)
    say_page(console, file, size, seen.why, show)
