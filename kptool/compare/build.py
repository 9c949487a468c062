"""From runs to the numbers of their comparison. Nothing here draws anything."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from kptool.compare.against import differences
from kptool.compare.notes import notes
from kptool.compare.overlap import Overlap, overlap, within
from kptool.compare.read import Entry, data_note
from kptool.compare.settings import but_for_the_seed, differing, loss_name
from kptool.compare.values import Comparison, Line, Rows, Scores, Seeds
from kptool.config import flat
from kptool.errors import DataError
from kptool.report import Outcome, Report, build
from kptool.report.bootstrap import RESAMPLES, SEED

NAN = math.nan


def compare(entries: Sequence[Entry], base: int = 0, rows: Rows = "common", seed: int = SEED) -> Comparison:
    """The table of runs, and each run against one of them.

    Args:
        entries: two or more runs of one competition.
        base: place of the run that the others are held against.
        rows: over which images the table shows scores: those common to all, or each run's own.
        seed: of the bootstrap.

    Raises:
        DataError: runs of different data, or without an image in common.
    """
    said = [data_note(entries[base], entry) for entry in entries]
    common = overlap(entries)
    trained = [entry.run.recipe for entry in entries if entry.run.members is None]
    keys = differing(trained) if trained else ()
    reports = [
        build(replace(entry.outcome, edited=None), details=False) for entry in entries
    ]  # scores are of labels as given
    lines = tuple(_line(entry, keys, report, common) for entry, report in zip(entries, reports, strict=True))
    lead = reports[base].lead.score
    _refuse_other_normaliser(reports[base], reports)
    made = Comparison(
        competition=entries[0].run.found.competition.slug,
        title=entries[0].outcome.title,
        metric=lead.name,
        unit=lead.unit,
        normaliser=lead.normaliser,
        settings=keys,
        rows=rows,
        lines=lines,
        seeds=_seeds(entries),
        base=base,
        differences=tuple(differences(entries, base, seed)),
        resamples=RESAMPLES,
        seed=seed,
        notes=(),
    )
    return replace(made, notes=(*filter(None, said), *notes(made)))


def _refuse_other_normaliser(base: Report, reports: Sequence[Report]) -> None:
    names = [report.lead.score.normaliser for report in reports]
    wanted = base.lead.score.normaliser
    if (other := next((n for n, name in enumerate(names) if name != wanted), None)) is not None:
        raise DataError(
            f"run {reports[other].about.run} is scored by the {names[other]}, {base.about.run} by the {wanted}",
            "train both with this version of kptool",
        )


def _line(entry: Entry, keys: Sequence[str], report: Report, common: Overlap) -> Line:
    run, recipe, curves = entry.run, entry.run.recipe, [curve for curve in entry.curves if curve]
    heldout = [scores[-1] for curve in curves if (scores := [e.heldout for e in curve if e.heldout is not None])]
    # What stands for an ensemble's recipe is that of its first run, and tells nothing.
    table, loss = (flat(recipe), loss_name(recipe)) if run.members is None else ({}, "")
    half, own = _half(entry.outcome), _scores(report)
    squares = [(rmse / half) ** 2 for rmse in heldout]
    alone = within(entry.outcome, common)
    return Line(
        name=entry.name,
        path=run.path,
        recipe=entry.outcome.recipe_name,
        digest=entry.outcome.recipe_digest,
        seed=recipe.seed,
        settings={key: table[key] for key in keys if key in table},
        folds=(len(run.finished), recipe.folds.count),
        parameters=_known(run.env.get("parameters")),
        epochs=_mean([curve[-1].epoch for curve in curves]),
        loss=loss,
        train_loss=_mean([curve[-1].loss for curve in curves]),
        heldout=_mean(heldout),
        heldout_mse=_mean(squares),
        half=half,
        own=own,
        common=own if _same(alone, entry.outcome) else _scores(build(alone, details=False)),
        seconds=_known(entry.outcome.seconds),
        images_per_second=_known(entry.outcome.images_per_second),
        device=entry.outcome.device,
        precision=entry.outcome.precision,
        keep=entry.outcome.keep,
    )


def _scores(report: Report) -> Scores:
    found = report.metrics
    return Scores(
        lead=report.lead.score.value,
        fold_mean=report.lead.fold_mean,
        fold_std=report.lead.fold_std,
        rmse=found.rmse,
        complete=found.complete.rmse,
        by_scheme={name: part.lead for name, part in found.by_scheme.items()},
        test_mix=found.rmse_test_mix,
        images=found.images,
        values=found.values,
        complete_images=found.complete.images,
    )


def _same(one: Outcome, two: Outcome) -> bool:
    return np.array_equal(one.fold, two.fold) and np.array_equal(one.truth, two.truth, equal_nan=True)


def _half(outcome: Outcome) -> float:
    """Half the width of the frames, px; NaN where the images are other than the frames that the model is shown."""
    whole = bool((outcome.sizes == outcome.size).all() and (outcome.to_frame.matrix == np.eye(3)).all())
    return outcome.size[0] / 2 if whole else NAN


def _seeds(entries: Sequence[Entry]) -> tuple[Seeds, ...]:
    """The groups of two or more seeds of one recipe; a seed that was run twice counts once."""
    groups: dict[str, dict[int, int]] = {}
    for place, entry in enumerate(entries):
        recipe = entry.run.recipe
        if entry.run.members is not None:
            continue
        groups.setdefault(but_for_the_seed(recipe), {}).setdefault(recipe.seed, place)
    several = [list(places.values()) for places in groups.values() if len(places) > 1]
    return tuple(Seeds(f"{entries[p[0]].run.recipe.name}, {len(p)} seeds", tuple(p)) for p in several)


def _known(value: float | None) -> float:
    return NAN if value is None else float(value)


def _mean(values: Sequence[float]) -> float:
    return float(np.mean(values)) if len(values) else NAN
