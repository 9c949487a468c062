"""Whatever stands behind a missing label leaves the loss and its gradient bit-identical."""

from __future__ import annotations

import math

import pytest
import torch

from kptool.config import Loss
from kptool.losses import ALPHA, EPSILON, NLL, OMEGA, THETA, adaptive_wing, elementwise, masked_loss

PLAIN: list[Loss] = ["mse", "l1", "smooth-l1", "wing"]
KINDS: list[Loss] = [*PLAIN, *NLL]
B, K = 5, 7
SPREAD = torch.linspace(0.4, 9, B * K).view(B, K)


def batch(seed: int = 0) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    predicted = torch.randn(B, K, 2, generator=generator) * 9
    points = torch.randn(B, K, 2, generator=generator) * 9
    return predicted, points, torch.rand(B, K, generator=generator) < 0.4


def loss_and_gradient(predicted: torch.Tensor, points: torch.Tensor, kind: Loss) -> tuple[torch.Tensor, torch.Tensor]:
    leaf = predicted.clone().requires_grad_()
    loss = masked_loss(leaf, points, kind, 1.3, spread=SPREAD)
    loss.backward()  # type: ignore[no-untyped-call]
    assert leaf.grad is not None
    return loss.detach(), leaf.grad


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("hidden", [math.nan, math.inf, -math.inf])
def test_what_is_behind_a_missing_label_does_not_matter(kind: Loss, hidden: float) -> None:
    predicted, points, missing = batch()
    reference = loss_and_gradient(predicted, torch.where(missing[..., None], torch.nan, points), kind)
    other = points.clone()
    other[missing] = torch.tensor([hidden, 1e9])  # one bad coordinate is enough to unlabel a point
    loss, gradient = loss_and_gradient(predicted, other, kind)
    assert torch.equal(loss, reference[0])
    assert torch.equal(gradient, reference[1])
    assert (gradient[missing] == 0).all()
    assert (gradient[~missing] != 0).all()


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("wild", [1e9, -1e9, math.inf, math.nan])
def test_a_wild_prediction_at_a_missing_label_does_not_matter(kind: Loss, wild: float) -> None:
    predicted, points, missing = batch()
    points[missing] = torch.nan
    reference = loss_and_gradient(predicted, points, kind)
    predicted[missing] = wild
    loss, gradient = loss_and_gradient(predicted, points, kind)
    assert torch.equal(loss, reference[0])
    assert torch.equal(gradient, reference[1])


@pytest.mark.parametrize("kind", KINDS)
def test_nothing_labelled_is_zero_with_zero_gradient(kind: Loss) -> None:
    predicted, points, _ = batch()
    loss, gradient = loss_and_gradient(predicted, torch.full_like(points, torch.nan), kind)
    assert float(loss) == 0
    assert (gradient == 0).all()


def by_hand(d: float, kind: Loss, s: float) -> float:
    size = abs(d)
    if kind == "mse":
        return d * d
    if kind == "l1":
        return size
    if kind == "smooth-l1":
        return d * d / (2 * s) if size < s else size - s / 2
    w, e = 5 * s, s
    return w * math.log(1 + size / e) if size < w else size - (w - w * math.log(1 + w / e))


@pytest.mark.parametrize("kind", PLAIN)
def test_mean_over_labelled_coordinates_by_plain_loops(kind: Loss) -> None:
    predicted, points, missing = batch(3)
    points[missing] = torch.nan
    total, count = 0.0, 0
    for b in range(B):
        for k in range(K):
            for axis in range(2):
                if not missing[b, k]:
                    total += by_hand(float(predicted[b, k, axis] - points[b, k, axis]), kind, 1.3)
                    count += 1
    assert float(masked_loss(predicted, points, kind, 1.3)) == pytest.approx(total / count, rel=1e-5)


@pytest.mark.parametrize("kind", PLAIN)
def test_weights_are_a_weighted_mean(kind: Loss) -> None:
    predicted, points, missing = batch(4)
    points[missing] = torch.nan
    once = masked_loss(predicted, points, kind, 1.3)
    assert float(masked_loss(predicted, points, kind, 1.3, torch.full((B, K), 2.5))) == pytest.approx(float(once))
    weight = torch.ones(B, K)
    weight[2] = 0
    rest = [n for n in range(B) if n != 2]
    alone = masked_loss(predicted[rest], points[rest], kind, 1.3)
    assert float(masked_loss(predicted, points, kind, 1.3, weight)) == pytest.approx(float(alone), rel=1e-6)
    assert float(masked_loss(predicted, points, kind, 1.3, torch.zeros(B, K))) == 0


@pytest.mark.parametrize("kind", PLAIN)
def test_the_loss_grows_with_the_error_and_is_continuous(kind: Loss) -> None:
    size = torch.linspace(0, 20, 4001)
    points = torch.zeros(len(size), 1, 2)
    values = torch.stack(
        [masked_loss(p, t, kind, 1.3) for p, t in zip(size[:, None, None].expand(-1, 1, 2), points, strict=True)]
    )
    steps = values.diff()
    assert (steps > 0).all()
    assert float(steps.max()) < (0.25 if kind == "mse" else 0.03)


def test_a_joint_is_where_two_curves_meet_with_one_slope() -> None:
    """Smooth-l1 and wing by their definitions: equal values on either side of the joint; smooth-l1 has equal slopes."""
    for kind, at in (("smooth-l1", 1.3), ("wing", 5 * 1.3)):
        size = torch.tensor([at - 1e-4, at + 1e-4], dtype=torch.float64, requires_grad=True)
        values = elementwise(size, kind, 1.3)  # type: ignore[arg-type]
        assert abs(float(values.detach().diff())) < 3e-4
        values.sum().backward()  # type: ignore[no-untyped-call]
        assert size.grad is not None
        assert abs(float(size.grad.diff())) < (1e-3 if kind == "smooth-l1" else 0.9)


@pytest.mark.parametrize("target", [0.0, 0.2, 0.5, 1.0])
def test_adaptive_wing_is_continuous_in_value_and_slope(target: float) -> None:
    size = torch.tensor([THETA - 1e-6, THETA, THETA + 1e-6], dtype=torch.float64, requires_grad=True)
    values = adaptive_wing(size, torch.full_like(size, target))
    assert float(values.detach().diff().abs().max()) < 1e-4
    (slopes,) = torch.autograd.grad(values.sum(), size)
    assert float(slopes.diff().abs().max()) < 1e-3


def test_adaptive_wing_is_the_printed_formula_by_plain_loops() -> None:
    for y in (0.0, 0.3, 0.99, 1.0):
        power = ALPHA - y
        a = OMEGA * (1 / (1 + (THETA / EPSILON) ** power)) * power * (THETA / EPSILON) ** (power - 1) / EPSILON
        c = THETA * a - OMEGA * math.log(1 + (THETA / EPSILON) ** power)
        for d in (-1.7, -0.5, -0.2, 0.0, 0.01, 0.499, 0.5, 0.9, 3.0):
            wanted = OMEGA * math.log(1 + abs(d / EPSILON) ** power) if abs(d) < THETA else a * abs(d) - c
            found = adaptive_wing(torch.tensor([d], dtype=torch.float64), torch.tensor([y], dtype=torch.float64))
            assert float(found) == pytest.approx(wanted, abs=1e-9)


def test_adaptive_wing_has_finite_gradients_where_nothing_is_wrong() -> None:
    target = torch.tensor([0.0, 0.5, 1.0], requires_grad=True)
    map_ = target.detach().clone().requires_grad_()
    adaptive_wing(map_ - target, target).sum().backward()  # type: ignore[no-untyped-call]
    assert map_.grad is not None
    assert target.grad is not None
    assert (map_.grad == 0).all()
    assert (target.grad == 0).all()


@pytest.mark.parametrize("kind", NLL)
def test_an_nll_is_nats_per_coordinate(kind: Loss) -> None:
    predicted, points, missing = batch(5)
    points[missing] = torch.nan
    sigma = SPREAD[..., None].double()
    if kind == "gaussian-nll":
        told: torch.distributions.Distribution = torch.distributions.Normal(predicted.double(), sigma)
    else:
        told = torch.distributions.Laplace(predicted.double(), sigma / math.sqrt(2))
    assert told.stddev[missing].allclose(sigma[missing].expand(-1, 2))
    each = -told.log_prob(points.nan_to_num().double())[~missing]
    found = masked_loss(predicted, points, kind, spread=SPREAD)
    assert float(found) == pytest.approx(float(each.mean()), rel=1e-5)


@pytest.mark.parametrize("kind", NLL)
def test_a_wild_spread_at_a_missing_label_does_not_matter(kind: Loss) -> None:
    predicted, points, missing = batch(6)
    points[missing] = torch.nan
    values, gradients = [], []
    for wild in (1.0, math.nan, 0.0, math.inf):
        leaf = torch.where(missing, torch.tensor(wild), SPREAD).requires_grad_()
        value = masked_loss(predicted, points, kind, spread=leaf)
        value.backward()  # type: ignore[no-untyped-call]
        assert leaf.grad is not None
        values.append(value.detach())
        gradients.append(leaf.grad)
    assert all(torch.equal(v, values[0]) for v in values)
    assert all(torch.equal(g, gradients[0]) for g in gradients)
    assert (gradients[0][missing] == 0).all()
