"""The steps of a submission."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.progress import track

from kptool.dataset import Predictions
from kptool.errors import KptoolError, UsageError
from kptool.intake import TestSet
from kptool.predict import check_size, predict_folds
from kptool.provenance import FoldScore, Provenance, provenance
from kptool.report import build
from kptool.report.load import load, read_schemes
from kptool.runs import Run
from kptool.submit import target, validate, values, write


def answer(console: Console, run: Run, test: TestSet) -> Predictions:
    """Predict the test images, each in the marking scheme that its lookup rows ask for."""
    if not run.finished:
        raise UsageError(f"{run.path}: no fold is finished", f"kptool cv --resume {run.path}")
    check_size(run, test.dataset)
    if missing := sorted(set(run.wanted) - set(run.finished)):
        console.print(
            f"note: fold {', '.join(map(str, missing))} not finished; the others are averaged", soft_wrap=True
        )
    schemes = read_schemes(run.env["schemes"], test.dataset.schema)
    scheme = schemes.assign(test.lookup.asked(len(test.dataset), len(test.dataset.schema.points)))
    learned = np.array([one["rows"] > 0 for one in run.env["schemes"]])
    if not learned[scheme].all():  # a run on complete rows alone knows no other marking
        names = ", ".join(name for name, known in zip(schemes.names, learned, strict=True) if not known)
        console.print(f"note: no training row was marked with {names}; answered as {schemes.names[0]}")
        scheme = np.where(learned[scheme], scheme, 0)
    steps = predict_folds(run, test.dataset, scheme, len(schemes))
    result = None
    for result in track(steps, "predicting", len(run.finished), console=console, disable=not console.is_terminal):
        if not console.is_terminal:
            console.print(f"predicted with {result.folds} of {len(run.finished)} folds")
    assert result is not None
    return result.predictions


def write_checked(run: Run, test: TestSet, predictions: Predictions, out: Path) -> Path:
    """Write the CSV and read it back against the lookup table and the sample; a file that fails does not stay."""
    numbers = values(test.lookup, predictions, test.dataset.size)
    csv = target(out, run.found.competition.slug, run.path.name, datetime.now(UTC).date())
    write(csv, test.lookup, numbers)
    try:
        validate(csv, test.lookup, test.sample, test.dataset.size)
    except KptoolError:
        csv.unlink()
        raise
    return csv


def record(run: Run, test: TestSet, csv: Path) -> Provenance:
    """What the submission's numbers come from."""
    report = build(load(run))
    mix = report.metrics.rmse_test_mix
    return provenance(
        csv,
        test.lookup,
        run.recipe,
        competition=run.found.competition.slug,
        run=run.path.name,
        data_digest=str(run.env["data_digest"]),
        folds_used=run.finished,
        views=[run.recipe.predict.describe()],
        fold_scores=[FoldScore(fold.fold, fold.rmse) for fold in report.folds],
        rmse_oof=report.metrics.rmse,
        rmse_test_mix=mix if mix == mix else None,
        today=datetime.now(UTC).date(),
    )
