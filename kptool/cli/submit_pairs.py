"""`kptool submit` of a run of verification: score the sealed pairs, decide, and tell what that scores."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import typer
from rich.console import Console
from rich.markup import escape
from rich.progress import track

from kptool.cli.terminal import counting, make_console
from kptool.errors import UsageError
from kptool.geometry import Floats
from kptool.metrics.verification import best_threshold, fit_platt
from kptool.pair_intake import read_sealed
from kptool.pair_predict import classical_scores, predict_pairs
from kptool.pairs import Pairs
from kptool.provenance import parts
from kptool.report.words import figure
from kptool.runs import Run
from kptool.submit.names import targets
from kptool.submit.pair_record import PairRecord, pair_record, write_pair_record
from kptool.submit.pairs import ENDING, PairAnswers, write_pairs
from kptool.submit.sealed import Sealed, earlier_looks, score_sealed
from kptool.verification import PairOutcome, build
from kptool.verification.load import load, protocol_of


def submit_pairs(run: Run, data: Path | None, pairs: Path | None, out: Path, as_json: bool) -> None:
    """Answer pairs with all finished folds, write and check the file and its record, say what they score.

    Args:
        data: folder with the lists and pictures.
        pairs: a list of pairs to answer instead of the competition's own.
        out: where submissions are kept.

    Raises:
        UsageError: no fold is finished.
        LeakError: people of these pairs are in the run's training pairs.
        DataError: a file or a picture that cannot be used.
    """
    if not run.finished:
        raise UsageError(f"{run.path}: no fold is finished", f"kptool cv --resume {run.path}")
    console = make_console(stderr=as_json)
    with counting(console, "reading the pairs"):
        test = read_sealed(run, data, pairs)
    outcome = load(run)
    known = outcome.fold >= 0
    scores = _predict(console, run, test)
    answers = _answers(test, scores, outcome.score[known], outcome)
    competition, today = run.found.competition, datetime.now(UTC).date()
    path = targets(out, competition.slug, run.path.name, today, [ENDING])[0]
    looks = earlier_looks(path.parent, test.digest)
    write_pairs(path, answers)
    sealed = score_sealed(answers.score, test.same, answers.threshold, answers.probability)
    record = pair_record(
        path, answers, run.recipe, build(outcome),
        competition=competition.slug, folds_used=run.finished, test_digest=test.digest,
        protocol=protocol_of(run, test.protocol, test.alignment),
        alignment=test.alignment, sealed=sealed, classical=_classical(run, test, outcome), looks=looks, today=today,
        ensemble=parts(run),
    )  # fmt: skip
    beside = write_pair_record(path, record)
    if as_json:
        typer.echo(beside.read_text(encoding="utf-8"), nl=False)
        return
    console.print(f"{escape(str(path))}: {len(answers.ids)} pairs, checked", soft_wrap=True)
    console.print(f"{escape(str(beside))}: where they come from", soft_wrap=True)
    _say(console, record)


def _predict(console: Console, run: Run, test: Pairs) -> Floats:
    steps = predict_pairs(run, test)
    result = None
    for result in track(steps, "predicting", run.models, console=console, disable=not console.is_terminal):
        if not console.is_terminal:
            console.print(f"predicted with {result.folds} of {run.models} folds")
    assert result is not None
    return result.scores


def _answers(test: Pairs, scores: Floats, out_of_fold: Floats, outcome: PairOutcome) -> PairAnswers:
    """Scores with the threshold and the probabilities that out-of-fold scores (n,) make of them."""
    same = outcome.same[outcome.fold >= 0]
    threshold, platt = best_threshold(out_of_fold, same), fit_platt(out_of_fold, same)
    return PairAnswers(test.ids, scores, platt.probability(scores), threshold, test.places)


def _classical(run: Run, test: Pairs, outcome: PairOutcome) -> Sealed | None:
    """What the classical baseline scores on these pairs, its threshold from its own out-of-fold scores."""
    own = outcome.classical[outcome.fold >= 0]
    if not np.isfinite(own).all():
        return None
    answers = _answers(test, classical_scores(run, test), own, outcome)
    return score_sealed(answers.score, test.same, answers.threshold, answers.probability)


def _say(console: Console, record: PairRecord) -> None:
    for name, sealed in (("this run", record.sealed), ("classical baseline", record.classical)):
        if sealed is not None:
            console.print(f"{name}: {_words(sealed)}", soft_wrap=True)
    console.print(
        f"over {record.rows} sealed pairs, {escape(record.protocol)}, {escape(record.alignment)}; the threshold is the "
        f"{record.threshold_from}",
        soft_wrap=True,
    )
    if record.looks:
        times = f"{record.looks} time{'s' * (record.looks > 1)}"
        console.print(
            f"note: submissions of this folder have scored these pairs {times} before; choose among runs by their "
            "out-of-fold scores, not by these",
            soft_wrap=True,
        )


def _words(sealed: Sealed) -> str:
    told = [f"accuracy {figure(100 * sealed.accuracy, 1)} % ± {figure(100 * sealed.standard_error, 1)}"]
    if sealed.auc is not None:
        told.append(f"AUC {figure(sealed.auc, 3)}")
    told += [
        f"{name} {figure(100 * value, 1)} %"
        for name, value in (("EER", sealed.eer), ("TAR@FAR 10 %", sealed.tar_at_far_10))
        if value is not None
    ]
    return " · ".join([*told, f"Brier {figure(sealed.brier, 3)}"])
