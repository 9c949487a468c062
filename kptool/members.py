"""Which runs an ensemble is made of, how much each one's answers count, and what they come to together.

An ensemble's folder is a run's with two files more::

    members.json    its runs: path, name, digests of the recipe and of the out-of-fold predictions, folds
    weights.json    how the weights came about, and one a run for each marking scheme and point
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final, Literal

import numpy as np

from kptool.dataset import Ints
from kptool.errors import DataError
from kptool.files import write_text
from kptool.geometry import Floats

FILE: Final = "members.json"
WEIGHTS: Final = "weights.json"
How = Literal["equal", "fit"]


@dataclass(frozen=True)
class Member:
    """A run of an ensemble, never an ensemble itself, as it was when the ensemble was made.

    Attributes:
        path: of its folder, as seen from the ensemble's; absolute where the two have no folder of runs in common.
        name: of its folder.
        recipe_digest: over every setting of its recipe.
        oof_digest: sha256 of its oof.parquet.
        folds: how many of its folds are averaged.
    """

    path: str
    name: str
    recipe_digest: str
    oof_digest: str
    folds: int


@dataclass(frozen=True)
class Members:
    """The M runs of an ensemble.

    Attributes:
        each: the runs.
        weights: (M, S, K) share of each run in each marking scheme and point; not negative, sum 1 over the runs.
        how: "fit" = least squared error out of fold, "equal" = every run that was named counts alike.
    """

    each: tuple[Member, ...]
    weights: Floats
    how: How

    def __post_init__(self) -> None:
        assert self.weights.shape[0] == len(self.each), self.weights.shape

    @property
    def digest(self) -> str:
        """12 hex digits over the runs' digests and weights, whatever their order."""
        parts = [[m.recipe_digest, m.oof_digest, w.tolist()] for m, w in zip(self.each, self.weights, strict=True)]
        return hashlib.sha256(json.dumps(sorted(parts)).encode()).hexdigest()[:12]

    def by_name(self, member: int, schemes: Sequence[str], points: Sequence[str]) -> dict[str, dict[str, float]]:
        """One run's weights as {scheme: {point: weight}}."""
        rows = zip(schemes, self.weights[member].tolist(), strict=True)
        return {scheme: dict(zip(points, row, strict=True)) for scheme, row in rows}

    def of(self, scheme: Ints) -> Floats:
        """(M, N, K) the weights of N rows by their marking scheme (N,)."""
        return np.asarray(self.weights[:, scheme])


def mix(points: Floats, spread: Floats, weights: Floats) -> tuple[Floats, Floats]:
    """Weigh several answers: points (M, N, K, 2), spread (M, N, K), weights (M, N, K) -> (N, K, 2), (N, K).

    The mean of the mixture, and its deviation by the law of total variance: the mean of the variances plus the variance
    of the means, the latter averaged over x and y (as `kptool.views.pool`, where all weights are equal). An answer of
    weight 0 plays no part; elsewhere one spread that is not known (NaN) leaves the mixture's unknown.
    """
    counts = weights > 0
    mean = np.where(counts[..., None], weights[..., None] * points, 0).sum(0)
    variance = spread**2 + ((points - mean) ** 2).mean(-1)
    deviation: Floats = np.sqrt(np.where(counts, weights * variance, 0).sum(0))
    return mean, deviation


def write_members(folder: Path, members: Members, schemes: Sequence[str], points: Sequence[str]) -> None:
    """Write members.json and weights.json into an ensemble's folder."""
    weights = {
        scheme: {point: members.weights[:, s, k].tolist() for k, point in enumerate(points)}
        for s, scheme in enumerate(schemes)
    }
    table = {"how": members.how, "runs": [member.name for member in members.each], "weights": weights}
    write_text(folder / WEIGHTS, json.dumps(table, indent=2, allow_nan=False) + "\n")
    write_text(folder / FILE, json.dumps([asdict(member) for member in members.each], indent=2) + "\n")


def read_members(folder: Path, schemes: Sequence[str], points: Sequence[str]) -> Members:
    """Read `write_members` back.

    Raises:
        DataError: a file is gone or damaged, or holds weights that are none.
    """
    try:
        each = tuple(Member(**one) for one in json.loads((folder / FILE).read_text(encoding="utf-8")))
        for one in each:
            texts = (one.path, one.name, one.recipe_digest, one.oof_digest)
            if not all(isinstance(text, str) for text in texts) or type(one.folds) is not int or one.folds < 1:
                raise ValueError("a run is not told in full")
        table = json.loads((folder / WEIGHTS).read_text(encoding="utf-8"))
        rows = [[table["weights"][scheme][point] for point in points] for scheme in schemes]
        weights = np.moveaxis(np.array(rows, dtype=np.float64), -1, 0)
        how: How = {"equal": "equal", "fit": "fit"}[table["how"]]  # type: ignore[assignment]
        good = weights.shape == (len(each), len(schemes), len(points)) and bool((weights >= 0).all())
    except (OSError, ValueError, KeyError, TypeError, IndexError, AttributeError) as error:
        why = " ".join(str(error).split()) or type(error).__name__
        raise DataError(f"{folder}: {FILE} or {WEIGHTS} cannot be read ({why})", "make the ensemble again") from None
    if not each or not good or not np.allclose(weights.sum(0), 1, rtol=0, atol=1e-9):
        raise DataError(f"{folder / WEIGHTS}: not one weight a run that sum to 1", "make the ensemble again")
    return Members(each, weights, how)
