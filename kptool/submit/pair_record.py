"""Where the numbers of a submission of pairs come from, and what they scored where the file holds the truth."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import date
from pathlib import Path
from typing import Any, Final

from kptool import __version__
from kptool.config import Recipe
from kptool.errors import QualityError
from kptool.files import file_digest, write_text
from kptool.provenance import Part, Score, record_path
from kptool.submit.pairs import FORM, PairAnswers
from kptool.submit.sealed import Sealed
from kptool.verification.values import PairReport

THRESHOLD_FROM: Final = "best on the out-of-fold scores of all folds"


@dataclass(frozen=True)
class FoldAccuracy:
    """One fold's held-out accuracy, 0 to 1, by the threshold that is best on the other folds."""

    fold: int
    accuracy: float


@dataclass(frozen=True)
class OutOfFold:
    """The run's own figures, 0 to 1; `accuracy` is the mean over folds, `standard_error` None with one fold."""

    accuracy: float
    standard_error: float | None
    auc: float | None
    eer: float | None


@dataclass(frozen=True)
class PairRecord:
    """Where a submission of pairs comes from; the JSON has these keys, in this order. See `Provenance` for the others.

    Attributes:
        rows: pairs answered.
        fold_scores: out-of-fold accuracy of each fold.
        out_of_fold: over all folds.
        score: the competition's metric, out of fold: accuracy in %.
        test_digest: of the test pairs.
        threshold: a pair of this score or more is taken for one person.
        threshold_from: what it was chosen on.
        protocol, alignment: of the test pairs.
        sealed: what the answers score; None where the file does not hold the truth.
        classical: what the run's classical baseline scores on the same pairs; None where it was not made.
        looks: how many earlier records of the same folder have scored these very test pairs.
        ensemble: its runs; empty for a run that was trained.
    """

    kptool: str
    date: str
    competition: str
    run: str
    form: str
    file: str
    sha256: str
    rows: int
    recipe_name: str
    recipe_digest: str
    recipe: dict[str, Any]
    data_digest: str
    folds_used: tuple[int, ...]
    views: tuple[str, ...]
    fold_scores: tuple[FoldAccuracy, ...]
    out_of_fold: OutOfFold
    score: Score
    test_digest: str
    threshold: float
    threshold_from: str
    protocol: str
    alignment: str
    sealed: Sealed | None
    classical: Sealed | None
    looks: int
    ensemble: tuple[Part, ...] = ()


def pair_record(
    path: Path,
    answers: PairAnswers,
    recipe: Recipe,
    report: PairReport,
    *,
    competition: str,
    folds_used: Sequence[int],
    test_digest: str,
    protocol: str,
    alignment: str,
    sealed: Sealed | None,
    classical: Sealed | None = None,
    looks: int,
    today: date,
    ensemble: Sequence[Part] = (),
) -> PairRecord:
    """The record of a submission that stands on disk; see `PairRecord`. `today` is the UTC date.

    Args:
        report: of the run; it tells the out-of-fold figures, the views and the training data.

    Raises:
        QualityError: the out-of-fold accuracy is NaN.
    """
    about, model = report.about, report.model
    if not math.isfinite(model.accuracy):
        raise QualityError(
            f"run {about.run}: the out-of-fold accuracy is {model.accuracy}", "finish or repeat the run first"
        )
    return PairRecord(
        kptool=__version__,
        date=today.isoformat(),
        competition=competition,
        run=about.run,
        form=FORM,
        file=path.name,
        sha256=file_digest(path),
        rows=len(answers.ids),
        recipe_name=recipe.name,
        recipe_digest=about.recipe_digest,
        recipe=recipe.model_dump(mode="json"),
        data_digest=about.data_digest,
        folds_used=tuple(folds_used),
        views=(about.views,),
        fold_scores=tuple(FoldAccuracy(fold.fold, fold.accuracy) for fold in report.folds),
        out_of_fold=OutOfFold(model.accuracy, _known(model.standard_error), _known(model.auc), _known(model.eer)),
        score=Score("accuracy", "%", 100 * model.accuracy),
        test_digest=test_digest,
        threshold=answers.threshold,
        threshold_from=THRESHOLD_FROM,
        protocol=protocol,
        alignment=alignment,
        sealed=sealed,
        classical=classical,
        looks=looks,
        ensemble=tuple(ensemble),
    )


def write_pair_record(submission: Path, record: PairRecord) -> Path:
    """Write the record beside its submission; gives the path."""
    path = record_path(submission)
    write_text(path, json.dumps(asdict(record), indent=2, allow_nan=False) + "\n")
    return path


def _known(value: float) -> float | None:
    return None if math.isnan(value) else value
