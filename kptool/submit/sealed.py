"""What answers score on sealed test pairs, and how often that was looked at before."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np

from kptool.dataset import Mask
from kptool.geometry import Floats
from kptool.metrics import verification as metrics

FAR: Final = 0.1
LARGEST: Final = 1 << 20  # bytes; a record has about 10,000, and whatever else lies there need not be read


@dataclass(frozen=True)
class Sealed:
    """What the answers score on test pairs, of which the file holds the truth; shares are 0 to 1.

    Attributes:
        accuracy: by the threshold that came with the answers; nothing was chosen on these pairs.
        standard_error: of it, sqrt(a (1 - a) / P), as of P independent pairs.
        auc, eer, tar_at_far_10: None where the pairs are all of one kind, or too few for that rate.
        brier: of the probabilities.
        pairs, same: how many there are, and how many show one person.
    """

    accuracy: float
    standard_error: float
    auc: float | None
    eer: float | None
    tar_at_far_10: float | None
    brier: float
    pairs: int
    same: int


def score_sealed(score: Floats, same: Mask, threshold: float, probability: Floats) -> Sealed:
    """The figures of P answered test pairs, 0 to 1.

    Args:
        score: (P,) higher = more alike.
        same: (P,) the truth.
        threshold: chosen on other pairs.
        probability: (P,) of one person.
    """
    assert len(same), "no pairs"
    pairs, different = len(same), int((~same).sum())
    accuracy = metrics.accuracy(score, same, threshold)
    both = 0 < different < pairs
    rate = both and FAR in metrics.carried(different, (FAR,))
    return Sealed(
        accuracy=accuracy,
        standard_error=math.sqrt(accuracy * (1 - accuracy) / pairs),
        auc=metrics.auc(score, same) if both else None,
        eer=metrics.eer(score, same) if both else None,
        tar_at_far_10=metrics.tar_at_far(score, same, FAR)[0] if rate else None,
        brier=metrics.brier(probability, same),
        pairs=pairs,
        same=int(np.sum(same)),
    )


def earlier_looks(folder: Path, test_digest: str) -> int:
    """How many records in a folder of submissions have scored these test pairs; other files are passed over.

    Each look at a sealed test lets its luck into the next choice, so the record counts them.
    """
    return sum(_scored(path, test_digest) for path in folder.glob("*.json"))


def _scored(path: Path, test_digest: str) -> bool:
    try:
        if not path.is_file() or path.stat().st_size > LARGEST:
            return False
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):  # not ours; UnicodeDecodeError and JSONDecodeError are ValueErrors
        return False
    if not isinstance(found, dict):
        return False
    return found.get("test_digest") == test_digest and isinstance(found.get("sealed"), dict)
