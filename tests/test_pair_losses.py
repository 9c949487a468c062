"""Law: losses of pairs are what their papers say, and finite with finite gradients whatever the embeddings are."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from kptool.pair_losses import (
    ARC_MARGIN,
    ARC_SCALE,
    MARGIN,
    all_pairs,
    arcface,
    bce,
    contrastive,
    cosine,
    distance,
    supcon,
    unit,
)

B, D, M, P = 7, 5, 4, 11
PERSON = torch.tensor([0, 2, 0, 3, 2, 0, 1])


def embeddings(seed: int = 0, count: int = B) -> torch.Tensor:
    return torch.from_numpy(np.random.default_rng(seed).normal(size=(count, D)))


def test_cosine_and_distance_are_the_known_ones() -> None:
    a, b = embeddings(0), embeddings(1)
    assert torch.allclose(cosine(a, b), F.cosine_similarity(a, b), atol=1e-7)
    assert torch.allclose(distance(a, b).square(), 2 - 2 * cosine(a, b), atol=1e-6)
    assert torch.allclose(distance(a, -a), torch.full((B,), 2.0, dtype=torch.float64), atol=1e-6)
    assert torch.equal(cosine(a, b), cosine(b, a))
    assert torch.equal(distance(a, b), distance(b, a))


def test_zero_has_no_direction() -> None:
    zero = torch.zeros(3, D)
    assert torch.equal(unit(zero), zero)
    assert torch.equal(cosine(zero, embeddings(count=3).float()), torch.zeros(3))


# --- bce ---


@pytest.mark.parametrize("clip", [0.0, 0.01, 0.03, 0.5])
def test_bce_is_the_cross_entropy_with_the_sources_clipped_labels(clip: float) -> None:
    logits, same = embeddings(2).flatten()[:P], torch.arange(P) % 3 == 0
    chance = 1 / (1 + np.exp(-logits.numpy()))
    k = 2
    label = np.where(same.numpy(), 1 - (k - 1) / k * clip, clip / k)
    wanted = -(label * np.log(chance) + (1 - label) * np.log(1 - chance)).mean()
    assert float(bce(logits, same, clip)) == pytest.approx(wanted, rel=1e-9)


def test_clipped_labels_are_met_by_finite_logits() -> None:
    same, clip = torch.tensor([True, False]), 0.03
    best = math.log((1 - clip / 2) / (clip / 2))
    logits = torch.tensor([best, -best], requires_grad=True)
    bce(logits, same, clip).backward()  # type: ignore[no-untyped-call]
    assert logits.grad is not None
    assert float(logits.grad.abs().max()) < 1e-6
    best_of_all = logits.detach()
    assert float(bce(best_of_all, same, clip)) < float(bce(2 * best_of_all, same, clip))


def test_weights_of_a_mean_are_the_mean() -> None:
    logits, same = embeddings(3).flatten()[:P], torch.arange(P) % 2 == 0
    even = torch.full((P,), 1 / P, dtype=torch.float64)
    assert torch.allclose(bce(logits, same, 0.1, even), bce(logits, same, 0.1))
    assert torch.allclose(contrastive(logits.abs(), same, 1.0, even), contrastive(logits.abs(), same, 1.0))


# --- contrastive ---


def test_contrastive_is_the_papers() -> None:
    far = torch.tensor([0.2, 0.2, 1.4, 1.4], dtype=torch.float64)
    same = torch.tensor([True, False, True, False])
    wanted = [0.2**2 / 2, (1.0 - 0.2) ** 2 / 2, 1.4**2 / 2, 0.0]
    for n in range(4):
        assert float(contrastive(far[n : n + 1], same[n : n + 1], 1.0)) == pytest.approx(wanted[n])
    assert float(contrastive(far, same, 1.0)) == pytest.approx(np.mean(wanted))


def test_contrastive_pulls_one_person_together_and_others_no_further_than_the_margin() -> None:
    for same in (True, False):
        moved = embeddings(4).requires_grad_()
        first, second = torch.tensor([0]), torch.tensor([1])
        optimizer = torch.optim.SGD([moved], lr=0.5)
        for _ in range(400):
            loss = contrastive(distance(moved[first], moved[second]), torch.tensor([same]))
            optimizer.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            optimizer.step()
        end = float(distance(moved[first], moved[second]).detach())
        if same:
            assert end < 0.01
        else:
            assert end >= MARGIN - 0.01
        assert torch.equal(moved[2:], embeddings(4)[2:])


# --- arcface ---


def test_arcface_is_the_papers() -> None:
    values, classes = embeddings(5), embeddings(6, M)
    angles = np.arccos(np.clip((unit(values) @ unit(classes).T).numpy(), -1, 1))
    own = np.arange(B), PERSON.numpy()
    assert angles[own].max() < math.pi - ARC_MARGIN, "these are on the papers' branch"
    shifted = angles.copy()
    shifted[own] += ARC_MARGIN
    logits = ARC_SCALE * np.cos(shifted)
    wanted = (np.log(np.exp(logits).sum(1)) - logits[own]).mean()
    assert float(arcface(values, classes, PERSON)) == pytest.approx(wanted, rel=1e-6)


def test_arcface_without_margin_is_a_softmax_of_cosines() -> None:
    values, classes = embeddings(5), embeddings(6, M)
    plain = F.cross_entropy(9 * unit(values) @ unit(classes).T, PERSON)
    assert torch.allclose(arcface(values, classes, PERSON, 9.0, 0.0), plain, atol=1e-7)


def test_arcface_falls_with_the_angle_all_the_way() -> None:
    """A picture that looks the very other way is still told where to go."""
    angle = torch.linspace(0.01, math.pi - 0.01, 200, dtype=torch.float64)
    values = torch.stack([angle.cos(), angle.sin(), torch.zeros_like(angle)], 1)
    classes = torch.tensor([[1.0, 0.0, 0.0], [0.0, 0.0, 1.0]], dtype=torch.float64)  # the other one at 90° all along
    losses = [float(arcface(value[None], classes, torch.tensor([0]), 10.0, 0.5)) for value in values]
    assert (np.diff(losses) > 0).all()


@pytest.mark.parametrize("along", [1e6, -1e6])
def test_arcface_is_finite_where_the_angle_has_no_slope(along: float) -> None:
    classes, person = 1e6 * torch.eye(1, D).expand(M, -1), torch.tensor([2])  # nobody is nearer than another
    values = (along * torch.eye(1, D)).requires_grad_()
    loss = arcface(values, classes, person)
    (gradient,) = torch.autograd.grad(loss, values)
    assert float((unit(values) @ unit(classes).T)[0, 2].detach()) == math.copysign(1, along)
    assert math.isfinite(float(loss.detach()))
    assert torch.isfinite(gradient).all()


# --- supcon ---


def test_supcon_is_the_papers() -> None:
    values, hot = embeddings(8), 0.2
    alike = np.exp(cosine(values[:, None], values[None]).numpy() / hot)
    costs = []
    for i in range(B):
        others = [j for j in range(B) if j != i]
        own = [j for j in others if PERSON[j] == PERSON[i]]
        if own:  # pictures of nobody else's
            costs.append(-np.mean([np.log(alike[i, j] / alike[i, others].sum()) for j in own]))
    assert len(costs) == 5
    assert float(supcon(values, PERSON, hot)) == pytest.approx(np.mean(costs), rel=1e-6)


# --- all pairs ---


def test_all_pairs_of_a_batch_and_none_twice() -> None:
    first, second, same, weight = all_pairs(PERSON)
    assert len(first) == B * (B - 1) // 2
    assert (first < second).all()
    assert len({(int(a), int(b)) for a, b in zip(first, second, strict=True)}) == len(first)
    assert same.tolist() == [int(PERSON[a]) == int(PERSON[b]) for a, b in zip(first, second, strict=True)]
    assert int(same.sum()) == 4
    assert float(weight[same].sum()) == pytest.approx(0.5)
    assert float(weight[~same].sum()) == pytest.approx(0.5)
    for kind in (weight[same], weight[~same]):
        assert (kind == kind[0]).all()


@pytest.mark.parametrize("person", [torch.zeros(5, dtype=torch.long), torch.arange(5)])
def test_one_kind_alone_has_all_the_weight(person: torch.Tensor) -> None:
    assert float(all_pairs(person).weight.sum()) == pytest.approx(1)


# --- whatever comes ---


def by_bce(values: torch.Tensor, person: torch.Tensor) -> torch.Tensor:
    first, second, same, weight = all_pairs(person)
    return bce(10 * cosine(values[first], values[second]), same, 0.0, weight)


def by_contrastive(values: torch.Tensor, person: torch.Tensor) -> torch.Tensor:
    first, second, same, weight = all_pairs(person)
    return contrastive(distance(values[first], values[second]), same, MARGIN, weight)


def by_arcface(values: torch.Tensor, person: torch.Tensor) -> torch.Tensor:
    return arcface(values, embeddings(6, M).float(), person)


def by_supcon(values: torch.Tensor, person: torch.Tensor) -> torch.Tensor:
    return supcon(values, person, 0.1)


@pytest.mark.parametrize("loss", [by_bce, by_contrastive, by_arcface, by_supcon])
@pytest.mark.parametrize("kind", ["equal", "zero", "opposite", "huge", "tiny", "on a class", "random"])
@pytest.mark.parametrize("person", [PERSON, torch.zeros(B, dtype=torch.long), torch.tensor([2])])
def test_loss_and_gradient_are_finite(
    loss: Callable[[torch.Tensor, torch.Tensor], torch.Tensor], kind: str, person: torch.Tensor
) -> None:
    random = embeddings(7).float()[: len(person)]
    values = (
        {
            "equal": random[:1].expand(len(person), -1),
            "zero": torch.zeros_like(random),
            "opposite": random[:1] * torch.where(torch.arange(len(person)) % 2 == 0, 1.0, -1.0)[:, None],
            "huge": 1e6 * random,
            "tiny": 1e-9 * random,
            "on a class": embeddings(6, M).float()[person],
            "random": random,
        }[kind]
        .clone()
        .requires_grad_()
    )
    found = loss(values, person)
    found.backward()  # type: ignore[no-untyped-call]
    assert math.isfinite(float(found.detach()))
    assert values.grad is not None
    assert torch.isfinite(values.grad).all()
    if kind == "random" and len(person) > 1 and len(set(person.tolist())) > 1:
        assert float(values.grad.abs().max()) > 0


def test_no_pairs_cost_nothing() -> None:
    values = embeddings(0, 1).float().requires_grad_()
    nobody = torch.zeros(0, dtype=torch.long)
    for loss in (
        bce(cosine(values[nobody], values[nobody]), nobody > 0),
        contrastive(distance(values[nobody], values[nobody]), nobody > 0),
        by_bce(values, torch.tensor([2])),
    ):
        assert float(loss.detach()) == 0
        (gradient,) = torch.autograd.grad(loss, values)
        assert torch.equal(gradient, torch.zeros_like(values))
