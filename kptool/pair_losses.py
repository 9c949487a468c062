"""Losses of pairs of embeddings: plain functions of tensors. All arithmetic is in the dtype that they are given.

Each is finite and has finite gradients for embeddings that are equal or zero, for batches of one person, and for no
pairs at all, whose loss is 0.
"""

from __future__ import annotations

import math
from typing import Final, NamedTuple

import torch
import torch.nn.functional as F

# Of lengths and distances, squared: what keeps the slope of a root finite at 0. A vector of length 1 loses 5e-9 of it.
EPSILON: Final = 1e-8

# Of unit vectors' distance, 0 to 2: people whose cosine is below 1/2 are apart enough and push no further.
MARGIN: Final = 1.0

# Deng et al. have a scale of 64 and a margin of 0.5, for tens of thousands of people. On 280 pictures of 28 people, of
# ORL, scales of 16 to 64 and margins of 0.1 to 0.5 differed by less than two seeds of one of them did.
ARC_SCALE: Final = 30.0
ARC_MARGIN: Final = 0.3


class EveryPair(NamedTuple):
    """All pairs of a batch's pictures.

    Attributes:
        first, second: (n,) pictures, first < second.
        same: (n,) True where both show one person.
        weight: (n,) sums to 1, half of it on pairs of one person; all of it on one kind where the other is absent.
    """

    first: torch.Tensor
    second: torch.Tensor
    same: torch.Tensor
    weight: torch.Tensor


def all_pairs(person: torch.Tensor) -> EveryPair:
    """The B(B - 1)/2 pairs of pictures that show `person` (B,)."""
    first, second = torch.triu_indices(len(person), len(person), 1, device=person.device)
    same = person[first] == person[second]
    counts = torch.stack([(~same).sum(), same.sum()])
    kinds = (counts > 0).sum().clamp_min(1)
    weight = 1 / (counts.clamp_min(1) * kinds).float()
    return EveryPair(first, second, same, weight[same.long()])


def unit(vectors: torch.Tensor) -> torch.Tensor:
    """Vectors (..., D) brought to length 1; zero stays zero."""
    return vectors * (vectors.square().sum(-1, keepdim=True) + EPSILON).rsqrt()


def cosine(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
    """(n,) cosines of vectors (n, D), the same bits either way around; 0 where one is zero."""
    return (unit(a) * unit(b)).sum(-1)


def distance(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
    """(n,) distances of vectors (n, D) that are brought to length 1 first; from about 0 to 2."""
    return ((unit(a) - unit(b)).square().sum(-1) + EPSILON).sqrt()


def bce(
    logits: torch.Tensor, same: torch.Tensor, clip: float = 0.0, weight: torch.Tensor | None = None
) -> torch.Tensor:
    """Cross-entropy of logits of "one person".

    Args:
        logits: (n,).
        same: (n,) bool.
        clip: ε; the labels 0 and 1 become ε/k and 1 - ε(k - 1)/k with k = 2 classes, as softened labels do (Szegedy et
            al. 2016, arXiv 1512.00567, section 7).
        weight: (n,) that sums to 1; None = the mean.
    """
    target = same.to(logits.dtype) * (1 - clip) + clip / 2
    return _mean(F.binary_cross_entropy_with_logits(logits, target, reduction="none"), weight)


def contrastive(
    distances: torch.Tensor, same: torch.Tensor, margin: float = MARGIN, weight: torch.Tensor | None = None
) -> torch.Tensor:
    """½·d² of pairs of one person, ½·max(0, m - d)² of others.

    Hadsell, Chopra & LeCun 2006 (doi 10.1109/CVPR.2006.100), eq. 4.

    Args:
        distances: (n,) d, of vectors of length 1.
        same: (n,) bool.
        margin: m.
        weight: (n,) that sums to 1; None = the mean.
    """
    each = torch.where(same, distances, (margin - distances).clamp_min(0)).square() / 2
    return _mean(each, weight)


def supcon(embeddings: torch.Tensor, person: torch.Tensor, temperature: float) -> torch.Tensor:
    """Supervised contrastive loss (Khosla et al. 2020, arXiv 2004.11362, eq. 2): own people against everyone else.

    For each picture with another of its person in the batch, the mean over these of -ln of the share that they have
    among exp(cos / temperature) of all other pictures.

    Args:
        embeddings: (B, D).
        person: (B,) who is on each.
    """
    found = unit(embeddings) @ unit(embeddings).T / temperature
    itself = torch.eye(len(person), dtype=torch.bool, device=person.device)
    found = found.masked_fill(itself, -math.inf)
    share = found - found.logsumexp(1, keepdim=True)
    own = (person[:, None] == person) & ~itself
    counts = own.sum(1)
    each = share.masked_fill(~own, 0).sum(1) / counts.clamp_min(1)
    return -each.sum() / (counts > 0).sum().clamp_min(1)


def arcface(
    embeddings: torch.Tensor,
    classes: torch.Tensor,
    person: torch.Tensor,
    scale: float = ARC_SCALE,
    margin: float = ARC_MARGIN,
) -> torch.Tensor:
    """Cross-entropy of who is on a picture, whose own angle is made larger by a margin (Deng et al. 2019).

    arXiv 1801.07698, eq. 3: the logits are s·cos θ, and s·cos(θ + m) for the picture's own person. Past θ = π - m,
    where that would rise again, it is s·(cos θ - m·sin m), as in the authors' code.

    Args:
        embeddings: (B, D).
        classes: (M, D), a direction for each person.
        person: (B,) who is on each, 0 to M - 1.
        scale: s.
        margin: m, radians.
    """
    found = unit(embeddings) @ unit(classes).T
    own = found.gather(1, person[:, None])
    sine = (1 - own.square()).clamp_min(EPSILON).sqrt()
    further = own * math.cos(margin) - sine * math.sin(margin)
    beyond = own - margin * math.sin(margin)
    held = torch.where(own > -math.cos(margin), further, beyond)
    return F.cross_entropy(scale * found.scatter(1, person[:, None], held), person)


def _mean(each: torch.Tensor, weight: torch.Tensor | None) -> torch.Tensor:
    if weight is not None:
        return (weight.to(each.dtype) * each).sum()
    return each.sum() / max(1, len(each))
