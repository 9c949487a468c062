"""The steps of a check, and its findings on the terminal."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import groupby
from pathlib import Path
from typing import Final

from rich.console import Console
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from kptool.check import Facts, Finding, Item, Report, examine, look
from kptool.check.source import read_annotations, read_competition
from kptool.check.values import PointCount
from kptool.cli.terminal import counting

SHOWN: Final = 10  # items of a finding; all of them are in the JSON
ROWS_SHOWN: Final = 6  # of an item
DETAIL: Final = 160  # characters


def run(console: Console, path: Path, competition: str | None, format_: str | None) -> Report:
    """Read, open every picture, and look; progress goes to the console.

    Raises:
        KptoolError: see `read_competition` and `read_annotations`.
    """
    with _steps(console) as tell:
        tell(f"reading {path.name}")
        read = read_annotations(path, format_) if competition is None else read_competition(competition, path)
    parts = []
    for name, dataset in read.sets:
        with counting(console, f"opening {name} pictures") as tick:
            parts.append(look(name, dataset, tick))
    with _steps(console) as tell:
        return examine(parts, read.outside, read.notes, tell)


def render(console: Console, report: Report) -> None:
    """Print the facts of each part, then the findings."""
    console.print(_overview(report.facts))
    for facts in report.facts:
        if any(point.labelled for point in facts.per_point):
            console.print(_points(facts, facts.part if len(report.facts) > 1 else ""))
    for note in report.notes:
        console.print(f"note: {escape(note)}", soft_wrap=True)
    for finding in report.findings:
        _finding(console, finding)
    console.print(_verdict(report), soft_wrap=True)


@contextmanager
def _steps(console: Console) -> Iterator[Callable[[str], None]]:
    """Give a function to be told what is done: a spinner on a terminal, plain lines elsewhere."""
    if not console.is_terminal:
        yield lambda text: console.print(escape(text), soft_wrap=True)
        return
    with console.status("") as status:
        yield lambda text: status.update(escape(text))


def _overview(facts: tuple[Facts, ...]) -> Table:
    table = Table("", *(fact.part for fact in facts), box=None, pad_edge=False)
    lines: list[tuple[str, Callable[[Facts], str]]] = [
        ("rows", lambda f: str(f.rows)),
        ("pictures", lambda f: f"{f.pictures}, {f.distinct_pictures} distinct"),
        ("in equal groups", lambda f: f"{f.rows_in_equal_groups} rows, {f.equal_groups} groups"),
        ("points", lambda f: str(f.points)),
        ("boxes", lambda f: str(f.boxes)),
        ("sizes", _sizes),
        ("kinds of pixels", lambda f: ", ".join(f"{mode} {n}" for mode, n in f.modes.items()) or "none"),
        ("marked with", lambda f: ", ".join(f"{s.name}: {s.rows} ({s.full} whole)" for s in f.schemes) or "nothing"),
    ]
    for name, text in lines:
        table.add_row(name, *(Text(text(fact)) for fact in facts))
    return table


def _sizes(facts: Facts) -> str:
    if facts.smallest is None or facts.median is None or facts.largest is None:
        return "none"
    shown = [f"{w} x {h}" for w, h in (facts.smallest, facts.median, facts.largest)]
    if facts.distinct_sizes == 1:
        return shown[0]
    return f"{shown[0]} to {shown[2]}, median {shown[1]}; {facts.distinct_sizes} different"


def _points(facts: Facts, title: str) -> Table:
    """A line for each run of points with the same counts."""
    table = Table(f"point {title}".strip(), box=None, pad_edge=False)
    for name in ("labelled", "missing", "occluded"):
        table.add_column(name, justify="right")

    def counts(point: PointCount) -> tuple[int, int, int]:
        return point.labelled, point.missing, point.occluded

    for same, points in groupby(facts.per_point, counts):
        names = [point.name for point in points]
        text = names[0] if len(names) == 1 else f"{names[0]} to {names[-1]} ({len(names)})"
        table.add_row(Text(text), *map(str, same))
    return table


def _finding(console: Console, finding: Finding) -> None:
    colour = "red" if finding.level == "error" else "yellow"
    count = f" ({len(finding.items)})" if finding.items else ""
    console.print(f"[{colour}]{finding.level}[/]: {escape(finding.title)}{count}", soft_wrap=True)
    for item in finding.items[:SHOWN]:
        console.print(Text(f"  {_item(item)}"), soft_wrap=True)
    if len(finding.items) > SHOWN:
        console.print(f"  and {len(finding.items) - SHOWN} more, all in --json")
    console.print(f"  [dim]{escape(finding.remedy)}[/]", soft_wrap=True)


def _item(item: Item) -> str:
    names = [row.id if row.part == "train" else f"{row.part} {row.id}" for row in item.rows]
    more = f" and {len(names) - ROWS_SHOWN} more" if len(names) > ROWS_SHOWN else ""
    value = "" if item.value is None else f" [{item.value:.3g}]"
    detail = item.detail if len(item.detail) <= DETAIL else f"{item.detail[:DETAIL]}..."
    return f"{', '.join(names[:ROWS_SHOWN])}{more}{': ' if detail else ''}{detail}{value}"


def _verdict(report: Report) -> str:
    errors = sum(finding.level == "error" for finding in report.findings)
    kinds = len(report.findings)
    if not kinds:
        return "[green]nothing wrong was found[/]"
    worst = "training would fail" if errors else "training works"
    return f"{kinds} kind{'s' if kinds > 1 else ''} of findings, {errors} of them errors: {worst}"
