"""The steps of a submission."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.markup import escape
from rich.progress import track

from kptool.dataset import Dataset, Ints, Predictions
from kptool.errors import UsageError
from kptool.intake import TestSet, find_bad
from kptool.pixels import Tick
from kptool.predict import crop_of, predict_folds
from kptool.provenance import FoldScore, Provenance, Score, parts, provenance, write_provenance
from kptool.report import build
from kptool.report.load import load, views_of
from kptool.report.values import Report
from kptool.runs import Run, open_members
from kptool.schemes import of_saved
from kptool.submit import Answers, Form, fallback, fill, guesses, tail, targets, write_checked


def answer(console: Console, run: Run, test: TestSet, on_bad: str = "fail") -> Answers:
    """Predict the test images, each in the marking scheme that its lookup rows ask for.

    Args:
        on_bad: what becomes of faces that cannot be seen: "fail", or "skip" = the mean shape answers them, and each
            is listed.

    Raises:
        UsageError: no fold is finished, or another word for on_bad.
        DataError: faces that cannot be seen, under "fail"; or all of them.
    """
    if not run.finished:
        raise UsageError(f"{run.path}: no fold is finished", f"kptool cv --resume {run.path}")
    guessed = guesses(test.dataset, test.bad, on_bad)
    if missing := sorted(set(run.wanted) - set(run.finished)):
        console.print(
            f"note: fold {', '.join(map(str, missing))} not finished; the others are averaged", soft_wrap=True
        )
    scheme, count = _schemes(console, run, test)
    if not guessed:
        predictions = _predict(console, run, test.dataset, scheme, count)
    else:
        console.print(f"{len(guessed)} of {len(test.dataset)} faces answered by the mean shape:", soft_wrap=True)
        for _, guess in guessed:
            console.print(f"  {escape(guess.image)}: {escape(guess.why)}", soft_wrap=True)
        bad = np.array([row for row, _ in guessed], dtype=np.int64)
        good = np.setdiff1d(np.arange(len(test.dataset)), bad)
        shapes = fallback(run, test.dataset.take(bad))  # before the minutes that predicting takes
        seen = _predict(console, run, test.dataset.take(good), scheme[good], count)
        predictions = fill(test.dataset, good, seen, shapes)
    competition = run.found.competition
    return Answers(
        dataset=test.dataset,
        predictions=predictions,
        lookup=test.lookup,
        sample=test.sample,
        header=competition.header,
        guessed=tuple(guess for _, guess in guessed),
        names=competition.names_in_files,
    )


def find_all_bad(run: Run, test: TestSet, tick: Tick | None = None) -> TestSet:
    """`find_bad` as the run crops pictures; of an ensemble, what any of its runs cannot use.

    Raises:
        DataError: a run of the ensemble has moved or changed.
    """
    faults = [
        fault
        for one in open_members(run)
        for fault in find_bad(test, crop_of(one, test.dataset), one.recipe.model.channels, tick, one.recipe.image).bad
    ]
    return replace(test, bad=faults)


def _schemes(console: Console, run: Run, test: TestSet) -> tuple[Ints, int]:
    """The scheme to answer each image in, and how many the run knows."""
    schemes = of_saved(run.env["schemes"], test.dataset.schema)
    scheme = schemes.assign(test.lookup.asked(len(test.dataset), len(test.dataset.schema.points)))
    learned = np.array([one["rows"] > 0 for one in run.env["schemes"]])
    if not learned[scheme].all():  # a run on complete rows alone knows no other marking
        names = ", ".join(name for name, known in zip(schemes.names, learned, strict=True) if not known)
        console.print(f"note: no training row was marked with {names}; answered as {schemes.names[0]}")
        scheme = np.where(learned[scheme], scheme, 0)
    return scheme, len(schemes)


def _predict(console: Console, run: Run, dataset: Dataset, scheme: Ints, schemes: int) -> Predictions:
    steps = predict_folds(run, dataset, scheme, schemes)
    result = None
    for result in track(steps, "predicting", run.models, console=console, disable=not console.is_terminal):
        if not console.is_terminal:
            console.print(f"predicted with {result.folds} of {run.models} folds")
    assert result is not None
    return result.predictions


def write_all(run: Run, answers: Answers, forms: list[Form], out: Path) -> list[tuple[Path, Path, Provenance]]:
    """Write each form, checked, and its record beside it: both paths and the record."""
    competition, today = run.found.competition, datetime.now(UTC).date()
    report = build(load(run))
    tails = [tail(form.name, competition.form) for form in forms]
    done = []
    for form, path in zip(forms, targets(out, competition.slug, run.path.name, today, tails), strict=True):
        write_checked(form, path, answers)
        told = record(run, answers, form, path, report)
        done.append((path, write_provenance(path, told), told))
    return done


def record(run: Run, answers: Answers, form: Form, path: Path, report: Report) -> Provenance:
    """What a submission's numbers come from."""
    return provenance(
        path,
        form.rows(answers),
        run.recipe,
        competition=run.found.competition.slug,
        run=run.path.name,
        form=form.name,
        data_digest=str(run.env["data_digest"]),
        folds_used=run.finished,
        views=[views_of(run)],
        fold_scores=[FoldScore(fold.fold, fold.rmse) for fold in report.folds],
        rmse_oof=report.metrics.rmse,
        rmse_test_mix=_known(report.metrics.rmse_test_mix),
        score=headline(report),
        mean_shape=answers.guessed,
        today=datetime.now(UTC).date(),
        digest=run.digest,
        ensemble=parts(run),
    )


def headline(report: Report) -> Score:
    """The competition's metric; an RMSE is re-weighted to what the test set asks for, where that is known."""
    lead = report.lead.score
    if lead.name == "RMSE" and _known(report.metrics.rmse_test_mix) is not None:
        return Score("RMSE (test mix)", "px", report.metrics.rmse_test_mix)
    return Score(f"{lead.name} ({lead.normaliser})" if lead.normaliser else lead.name, lead.unit, _known(lead.value))


def _known(value: float) -> float | None:
    return None if value != value else value
