"""From runs to the numbers of their comparison. Nothing here draws anything."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Final

import numpy as np

from kptool.compare.against import differences
from kptool.compare.lines import keys_of, last_heldout, line, mean, seeds
from kptool.compare.notes import notes
from kptool.compare.overlap import Overlap, overlap, within
from kptool.compare.read import Entry, data_note
from kptool.compare.settings import loss_name
from kptool.compare.values import Comparison, Line, Measure, Rows, Scores
from kptool.errors import DataError
from kptool.report import Outcome, Report, build
from kptool.report.bootstrap import RESAMPLES, SEED
from kptool.report.scores import Score
from kptool.report.words import digits

# Keys of figures beside the leading one; RMSE is in px, over all labelled coordinates.
RMSE: Final = "score_rmse_px"
COMPLETE: Final = "score_complete_rmse_px"  # of the images with every point labelled
COMPLETE_IMAGES: Final = "score_complete_images"
SCHEME: Final = "score of "  # the competition's metric, of the images of one marking scheme
TEST_MIX: Final = "score_test_mix_rmse_px"  # RMSE at the test set's mix of schemes


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
    common, keys = overlap(entries), keys_of(entries)
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
        higher_is_better=False,
        pooled=True,
        step=lead.unit,
        measures=_measures([line.common if rows == "common" else line.own for line in lines], lead),
        heldout=Measure("heldout_rmse_px", "held out", "px", 7, 3),
        things="images",
        settings=keys,
        rows=rows,
        lines=lines,
        seeds=seeds(entries),
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
    half, own, heldout = _half(entry.outcome), _scores(report), last_heldout(entry)
    alone = within(entry.outcome, common)
    shared = own if _same(alone, entry.outcome) else _scores(build(alone, details=False))
    speed, loss = entry.outcome.images_per_second, loss_name(entry.run.recipe)
    made = line(entry, keys, own, shared, speed, loss, mean(heldout))
    return replace(made, half=half, heldout_mse=mean([(rmse / half) ** 2 for rmse in heldout]))


def _scores(report: Report) -> Scores:
    found = report.metrics
    beside: dict[str, float] = {
        RMSE: found.rmse,
        COMPLETE: found.complete.rmse,
        COMPLETE_IMAGES: found.complete.images,
        **{f"{SCHEME}{name}": part.lead for name, part in found.by_scheme.items()},
        TEST_MIX: found.rmse_test_mix,
    }
    fold_mean, fold_std = report.lead.fold_mean, report.lead.fold_std
    return Scores(report.lead.score.value, fold_mean, fold_std, found.images, found.values, beside)


def _measures(shown: Sequence[Scores], lead: Score) -> tuple[Measure, ...]:
    """The figures beside the leading one; the table shows those that tell something more."""
    part = any(0 < one.beside[COMPLETE_IMAGES] < one.images for one in shown)
    keys = list(dict.fromkeys(key for one in shown for key in one.beside if key.startswith(SCHEME)))
    told = [key for key in keys if any(not math.isnan(one.beside.get(key, math.nan)) for one in shown)]
    several, places = len(told) > 1, digits(lead.unit)
    return (
        Measure(RMSE, "RMSE", "px", 11, 3, shown=lead.name != "RMSE"),
        Measure(COMPLETE, "complete", "px", 11, 3, shown=part),
        Measure(COMPLETE_IMAGES, "complete", "images", 0, 0, best="", shown=False),
        *(Measure(k, k.removeprefix(SCHEME), lead.unit, 8, places, shown=several and k in told) for k in keys),
        Measure(TEST_MIX, "test mix", "px", 9, 3, shown=several and lead.name == "RMSE"),
    )


def _same(one: Outcome, two: Outcome) -> bool:
    return np.array_equal(one.fold, two.fold) and np.array_equal(one.truth, two.truth, equal_nan=True)


def _half(outcome: Outcome) -> float:
    """Half the width of the frames, px; NaN where the images are other than the frames that the model is shown."""
    whole = bool((outcome.sizes == outcome.size).all() and (outcome.to_frame.matrix == np.eye(3)).all())
    return outcome.size[0] / 2 if whole else math.nan
