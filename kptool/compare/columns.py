"""The columns of the table as text, the same in the terminal and in Markdown."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from functools import partial

from kptool.compare.cells import Cell, Column, figures, four, worded
from kptool.compare.recipes import settings
from kptool.compare.values import Comparison, Line, Measure
from kptool.report.words import count, digits, figure


def columns(made: Comparison) -> list[Column]:
    """Every column that has anything to show, in the order of the table."""
    found = [_names(made), *settings(made), *_leading(made), *_beside(made), *_training(made), *_machine(made)]
    return [column for column in found if any(cell.text not in ("", "–") for cell in column.cells)]


def _names(made: Comparison) -> Column:
    names = [*(line.name for line in made.lines), *(group.name for group in made.seeds)]
    return Column("run", "", 99, tuple(map(Cell, names)), words=True)


def _leading(made: Comparison) -> Iterator[Column]:
    places, unit = digits(made.unit), made.unit
    lead = made.metric, unit
    yield figures(made, lead, 99, lambda line: made.scores(line).lead, places, made.best)
    if not made.same_images:
        if made.rows == "all":
            yield figures(made, ("", made.things), 15, lambda line: line.own.images)
        else:
            yield figures(made, (f"own {made.metric}", unit), 13, lambda line: line.own.lead, places)
            yield figures(made, ("own", made.things), 12, lambda line: line.own.images)
    if made.pooled:
        yield _folds(made)


def _folds(made: Comparison) -> Column:
    places = digits(made.unit)

    def cell(line: Line) -> Cell:
        found = made.scores(line)
        mean = figure(found.fold_mean, places)
        return Cell(mean if math.isnan(found.fold_std) else f"{mean} ± {figure(found.fold_std, places)}")

    return Column("folds", "mean ± std", 14, (*map(cell, made.lines), *(Cell("") for _ in made.seeds)))


def _beside(made: Comparison) -> Iterator[Column]:
    for measure in made.measures:
        if measure.shown:
            head = measure.title, measure.unit
            get = partial(_figure, made, measure)
            yield figures(made, head, measure.need, get, measure.places, measure.best)


def _figure(made: Comparison, measure: Measure, line: Line) -> float:
    return made.scores(line)[measure]


def _training(made: Comparison) -> Iterator[Column]:
    # The history is over each run's own held-out images, whichever the table shows.
    held = made.heldout
    head = held.title, held.unit
    yield figures(made, head, held.need, lambda line: line.heldout, held.places, held.best, fair=made.same_images)
    halves = sorted({line.half for line in made.lines if not math.isnan(line.half)})
    if len(halves) == 1:  # (RMSE / half)² of frames of one size, which is the MSE of coordinates from -1 to 1
        yield figures(
            made, ("MSE", f"/{halves[0]:g}²"), 3, lambda line: line.heldout_mse, 0, "lowest", four, made.same_images
        )
    losses = sorted({line.loss for line in made.lines if line.loss})
    loss = figures(made, ("train loss", losses[0] if losses else ""), 6, lambda line: line.train_loss, show=four)
    if len(losses) > 1:
        named = [Cell(f"{cell.text} {line.loss}") for cell, line in zip(loss.cells, made.lines, strict=False)]
        groups = [
            Cell(f"{cell.text} {made.lines[group.lines[0]].loss}")
            for cell, group in zip(loss.cells[len(made.lines) :], made.seeds, strict=True)
        ]
        loss = Column("train loss", "", 4, (*named, *groups))
    yield loss
    yield figures(made, ("epochs", ""), 6, lambda line: line.epochs, show=lambda value: f"{value:.4g}")
    yield figures(made, ("trained", "s"), 10, lambda line: line.seconds, 1)


def _machine(made: Comparison) -> Iterator[Column]:
    yield figures(made, (made.things, "/s"), 5, lambda line: line.images_per_second, show=lambda v: f"{v:,.0f}")
    yield figures(made, ("parameters", ""), 5, lambda line: line.parameters)
    if len({line.protocol for line in made.trained}) > 1:
        yield worded(made, "protocol", 4, lambda line: line.protocol.removeprefix(made.protocol).removeprefix(", "))
    yield worded(made, "digest", 1, lambda line: line.digest)
    yield worded(made, "device", 2, lambda line: f"{line.device} {line.precision}".strip())


def verdicts(made: Comparison) -> list[Column]:
    """The table of differences against the base, one row for each other run."""
    places = digits(made.unit) + 1  # a difference is small beside what it is of
    found = made.differences

    def column(title: str, unit: str, need: int, texts: Sequence[str], words: bool = False) -> Column:
        return Column(title, unit, need, tuple(map(Cell, texts)), words)

    return [
        column("run", "", 99, [one.name for one in found], words=True),
        column(made.metric, made.unit, 3, [figure(one.value, places) for one in found]),
        column("against", made.unit, 2, [figure(one.base, places) for one in found]),
        column("difference", made.step, 99, [figure(one.difference, places, "+") for one in found]),
        column(
            "95 % interval", "", 99, [f"{figure(o.low, places, '+')} to {figure(o.high, places, '+')}" for o in found]
        ),
        column(made.things, "", 4, [count(one.images) for one in found]),
        column("groups", "", 1, [count(one.groups) for one in found]),
        column("verdict", "", 99, [one.word for one in found], words=True),
    ]
