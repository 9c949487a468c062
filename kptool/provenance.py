"""Where a submission's numbers come from: a JSON file beside it."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import date
from pathlib import Path
from typing import Any

from kptool import __version__
from kptool.config import Recipe
from kptool.dataset import Lookup
from kptool.errors import QualityError
from kptool.files import file_digest, write_text
from kptool.report.words import amount
from kptool.runs import Run, open_members


@dataclass(frozen=True)
class FoldScore:
    """One fold's held-out score.

    Attributes:
        fold: its number.
        rmse: px, over the fold's labelled values.
    """

    fold: int
    rmse: float


@dataclass(frozen=True)
class Score:
    """The competition's own metric, out of fold.

    Attributes:
        name: as a report calls it; with its normaliser where it has one.
        unit: px or %.
        value: None where no fold has been scored.
    """

    name: str
    unit: str
    value: float | None

    def __str__(self) -> str:
        return f"{self.name} {'unknown' if self.value is None else amount(self.value, self.unit)}"


@dataclass(frozen=True)
class Guess:
    """A face answered by the mean shape, because its picture cannot be used.

    Attributes:
        image: what the test set calls it.
        why: the reason in one line.
    """

    image: str
    why: str


@dataclass(frozen=True)
class Part:
    """A run of an ensemble.

    Attributes:
        run: name of its folder.
        recipe_digest: over every setting but the name.
        recipe: the resolved settings.
        oof_sha256: of its out-of-fold predictions.
        folds: how many of its folds' models were averaged.
        weights: its share by marking scheme and point, of pairs by "pair" and "score"; over all runs they sum to 1.
    """

    run: str
    recipe_digest: str
    recipe: dict[str, Any]
    oof_sha256: str
    folds: int
    weights: dict[str, dict[str, float]]


@dataclass(frozen=True)
class Provenance:
    """Where a submission's numbers come from; the JSON has these keys, in this order.

    Attributes:
        kptool: the version that wrote it.
        date: UTC, YYYY-MM-DD.
        competition: slug.
        run: name of the run's folder.
        form: how the file looks: lookup, long, wide, dlib or coco.
        file: its name.
        sha256: of its bytes.
        rows: R, the values (coordinates) answered.
        recipe_name: as the recipe calls itself.
        recipe_digest: over every setting but the name; of an ensemble, over its runs' digests and weights.
        recipe: the resolved settings; of an ensemble, the first run's.
        data_digest: of the training Dataset.
        lookup_digest: of the lookup table, or of the list of all coordinates.
        folds_used: the folds whose models were averaged.
        views: names of the views averaged at test time.
        fold_scores: out-of-fold RMSE of each fold.
        rmse_oof: px, pooled out-of-fold RMSE; None where no fold has been scored.
        rmse_test_mix: px, the same re-weighted to the values the test set asks for; None where it cannot be told.
        score: the competition's metric, out of fold.
        mean_shape: the faces that were answered by the mean shape of the training labels, with the reason.
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
    lookup_digest: str
    folds_used: tuple[int, ...]
    views: tuple[str, ...]
    fold_scores: tuple[FoldScore, ...]
    rmse_oof: float | None
    rmse_test_mix: float | None
    score: Score
    mean_shape: tuple[Guess, ...]
    ensemble: tuple[Part, ...] = ()

    def __post_init__(self) -> None:
        scores: dict[str, float | None] = {f"RMSE of fold {s.fold}": s.rmse for s in self.fold_scores}
        scores |= {"out-of-fold RMSE": self.rmse_oof, "test-mix RMSE": self.rmse_test_mix}
        scores[f"out-of-fold {self.score.name}"] = self.score.value
        for name, score in scores.items():
            if score is not None and not math.isfinite(score):
                raise QualityError(f"run {self.run}: the {name} is {score}", "finish or repeat the run first")


def parts(run: Run) -> list[Part]:
    """The runs of an ensemble, with their weights; none of a run that was trained.

    Raises:
        DataError: a run of the ensemble has moved or changed.
    """
    members = run.members
    if members is None:
        return []
    return [
        Part(
            run=member.name,
            recipe_digest=member.recipe_digest,
            recipe=own.recipe.model_dump(mode="json"),
            oof_sha256=member.oof_digest,
            folds=member.folds,
            weights=members.by_name(row, *run.weighed),
        )
        for row, (member, own) in enumerate(zip(members.each, open_members(run), strict=True))
    ]


def provenance(
    path: Path,
    lookup: Lookup,
    recipe: Recipe,
    *,
    competition: str,
    run: str,
    form: str,
    data_digest: str,
    folds_used: Sequence[int],
    views: Sequence[str],
    fold_scores: Sequence[FoldScore],
    rmse_oof: float | None,
    rmse_test_mix: float | None,
    score: Score,
    mean_shape: Sequence[Guess],
    today: date,
    digest: str | None = None,
    ensemble: Sequence[Part] = (),
) -> Provenance:
    """The record of a submission that stands on disk; see `Provenance`. `today` is the UTC date.

    Args:
        digest: the run's; None = the recipe's.
        ensemble: the runs of an ensemble.

    Raises:
        QualityError: a score is NaN or infinite.
    """
    return Provenance(
        kptool=__version__,
        date=today.isoformat(),
        competition=competition,
        run=run,
        form=form,
        file=path.name,
        sha256=file_digest(path),
        rows=len(lookup.row_ids),
        recipe_name=recipe.name,
        recipe_digest=recipe.digest if digest is None else digest,
        recipe=recipe.model_dump(mode="json"),
        data_digest=data_digest,
        lookup_digest=lookup.digest,
        folds_used=tuple(folds_used),
        views=tuple(views),
        fold_scores=tuple(fold_scores),
        rmse_oof=rmse_oof,
        rmse_test_mix=rmse_test_mix,
        score=score,
        mean_shape=tuple(mean_shape),
        ensemble=tuple(ensemble),
    )


def record_path(submission: Path) -> Path:
    """Where the record of a submission stands: the same name with .json, or .provenance.json beside a JSON."""
    return submission.with_suffix(".provenance.json" if submission.suffix == ".json" else ".json")


def write_provenance(submission: Path, record: Provenance) -> Path:
    """Write the record beside its submission; gives the path."""
    path = record_path(submission)
    write_text(path, json.dumps(asdict(record), indent=2, allow_nan=False) + "\n")
    return path
