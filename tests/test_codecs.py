"""Law: what a head writes down of points it reads back, and a missing label, other schemes and bf16 change nothing."""

from __future__ import annotations

import math
from typing import get_args

import numpy as np
import pytest
import torch

from kptool.config import Loss, ModelOptions
from kptool.losses import LEAST_SPREAD, NLL
from kptool.models.heads import Head, Heatmap, SimCC
from kptool.models.heads.choice import LOSSES, Named, make_head
from kptool.models.heads.places import covered
from kptool.models.layers import Flow
from kptool.models.net import build

W, H, K, B, S, F = 88, 72, 7, 5, 3, 6
CELLS = (11, 9)
NAMES = get_args(Named)
PAIRS: list[tuple[Named, Loss]] = [(name, loss) for name in NAMES for loss in LOSSES[name]]
SCHEME = torch.tensor([0, 2, 1, 1, 0])


def made(name: Named, loss: Loss = "auto", flat: bool = False) -> Head:
    torch.manual_seed(3)
    head = make_head(ModelOptions(), name, Flow(F, None if flat else CELLS), K, S, (W, H), loss)
    with torch.no_grad():  # not as empty as it begins, or maps would have no peak
        for parameter in head.parameters():
            parameter.add_(torch.randn(parameter.shape, generator=torch.Generator().manual_seed(4)) * 0.1)
    return head


def features(flat: bool = False) -> torch.Tensor:
    shape = (B, F) if flat else (B, F, *CELLS[::-1])
    return torch.randn(shape, generator=torch.Generator().manual_seed(5)).relu()


def labels(seed: int = 6, count: int = B) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.rand(count, K, 2, generator=generator) * torch.tensor([W, H]) - 0.5


def missing() -> torch.Tensor:
    mask = torch.rand(B, K, generator=torch.Generator().manual_seed(7)) < 0.4
    assert mask.any()
    assert not mask.all()
    return mask


def graded(head: Head, points: torch.Tensor, loss: Loss, raw: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    leaf = raw.detach().clone().requires_grad_()
    value = head.loss(leaf, points, SCHEME, loss, 1.3)
    value.backward()  # type: ignore[no-untyped-call]
    assert leaf.grad is not None
    assert torch.isfinite(leaf.grad).all()
    return value.detach(), leaf.grad


# --- what is not labelled ---


@pytest.mark.parametrize(("name", "loss"), PAIRS)
@pytest.mark.parametrize("hidden", [(math.nan, 1e9), (-1e9, math.nan), (math.inf, -1e9)])
def test_what_is_behind_a_missing_label_does_not_matter(name: Named, loss: Loss, hidden: tuple[float, float]) -> None:
    head, points = made(name, loss), labels()
    raw = head(features())
    points[missing()] = math.nan
    value, gradient = graded(head, points, loss, raw)
    points[missing()] = torch.tensor(hidden)
    assert torch.equal(graded(head, points, loss, raw)[0], value)
    assert torch.equal(graded(head, points, loss, raw)[1], gradient)
    own = gradient[torch.arange(B), SCHEME].flatten(2)
    assert ((own != 0).any(-1) == ~missing()).all()


@pytest.mark.parametrize(("name", "loss"), PAIRS)
def test_a_wild_output_at_a_missing_label_does_not_matter(name: Named, loss: Loss) -> None:
    head, points = made(name, loss), labels()
    points[missing()] = math.nan
    raw = head(features()).detach()
    value, gradient = graded(head, points, loss, raw)
    raw[torch.arange(B)[:, None].expand(B, K)[missing()], SCHEME[:, None].expand(B, K)[missing()],
        torch.arange(K).expand(B, K)[missing()]] = 60.0  # fmt: skip
    assert torch.equal(graded(head, points, loss, raw)[0], value)
    assert torch.equal(graded(head, points, loss, raw)[1], gradient)


@pytest.mark.parametrize(("name", "loss"), PAIRS)
def test_nothing_labelled_is_zero_with_zero_gradients(name: Named, loss: Loss) -> None:
    head = made(name, loss)
    value = head.loss(head(features()), torch.full((B, K, 2), math.nan), SCHEME, loss, 1.3)
    value.backward()  # type: ignore[no-untyped-call]
    assert float(value.detach()) == 0
    for parameter in head.parameters():
        assert parameter.grad is not None
        assert (parameter.grad == 0).all()


@pytest.mark.parametrize(("name", "loss"), PAIRS)
def test_other_schemes_get_no_gradient(name: Named, loss: Loss) -> None:
    head = made(name, loss)
    _, gradient = graded(head, labels(), loss, head(features()))
    touched = (gradient.flatten(2) != 0).any(-1)
    assert torch.equal(touched, torch.nn.functional.one_hot(SCHEME, S).bool())


@pytest.mark.parametrize("name", ["heatmap", "simcc"])
def test_points_beyond_the_ground_are_left_out_and_not_moved_to_its_edge(name: Named) -> None:
    head, points = made(name), labels()
    raw = head(features())
    points[2, 3] = math.nan
    value, gradient = graded(head, points, "auto", raw)
    for far in ((-40.0, 9.0), (9.0, H + 30.0), (1e9, -1e9)):
        points[2, 3] = torch.tensor(far)
        assert torch.equal(graded(head, points, "auto", raw)[0], value)
        assert torch.equal(graded(head, points, "auto", raw)[1], gradient)


# --- there and back ---


def written(head: Head, points: torch.Tensor) -> torch.Tensor:
    """Raw outputs (B, S, K, …) that say exactly `points`, in every scheme."""
    assert isinstance(head, Heatmap | SimCC)
    if isinstance(head, Heatmap):
        raw = head.encode(points)
    else:
        raw = torch.cat([side.clamp(min=1e-30).log() for side in head.encode(points)], -1)
    return raw[:, None].expand(-1, head.schemes, *raw.shape[1:])


@pytest.mark.parametrize("cells", [(11, 9), (44, 36), (5, 3), (7, 13)])
@pytest.mark.parametrize("sigma", [0.5, 2.0, 6.0])
@pytest.mark.parametrize("reach", [1.0, 1.2])
def test_a_heatmap_decodes_to_what_it_encodes(cells: tuple[int, int], sigma: float, reach: float) -> None:
    head = Heatmap(F, K, S, (W, H), cells, sigma, reach)
    points = labels(count=40)
    points[0, :4] = torch.tensor([[-0.5, -0.5], [W - 0.5, -0.5], [W - 0.5, H - 0.5], [W / 2, 0.0]])
    found, spread = head.decode(written(head, points), torch.zeros(40, dtype=torch.long))
    assert covered(points, head.xs, head.ys).all()  # type: ignore[arg-type]
    assert (found - points).abs().max() < 0.02
    assert spread.max() < 0.1


@pytest.mark.parametrize("bins", [0.5, 2.0, 3.7])
@pytest.mark.parametrize("sigma", [0.3, 2.0, 6.0])
def test_simcc_decodes_to_what_it_encodes(bins: float, sigma: float) -> None:
    head = SimCC(F, K, S, (W, H), CELLS, sigma, bins)
    points = labels(count=40)
    points[0, :2] = torch.tensor([[-0.5, -0.5], [W - 0.5, H - 0.5]])
    found, spread = head.decode(written(head, points), torch.zeros(40, dtype=torch.long))
    assert (found - points).abs().max() < 0.02
    assert spread.max() < 0.1


@pytest.mark.parametrize("name", ["heatmap", "simcc"])
def test_the_spread_is_what_the_net_is_in_doubt_of(name: Named) -> None:
    """A net that believes in 400 places is best trained by saying the mean of their targets."""
    head = made(name)
    doubt = 1.5 * torch.randn(4000, 1, 2, generator=torch.Generator().manual_seed(8)).expand(-1, K, -1)
    points = labels(count=1) * 0.5 + torch.tensor([W, H]) / 4
    raw = written(head, points + doubt)
    mean = raw.mean(0, keepdim=True) if name == "heatmap" else raw.exp().mean(0, keepdim=True).log()
    found, spread = head.decode(mean, torch.zeros(1, dtype=torch.long))
    assert (found - points - doubt.mean(0)).abs().max() < 0.1
    assert torch.allclose(spread, torch.tensor(1.5), atol=0.15)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("flat", [False, True])
def test_a_batch_is_each_alone(name: Named, flat: bool) -> None:
    if flat and name in ("heatmap", "soft-argmax"):
        pytest.skip("needs maps")
    head = made(name, flat=flat).eval()
    with torch.no_grad():
        raw = head(features(flat))
        together = head.decode(raw, SCHEME)
        for b in range(B):
            alone = head.decode(head(features(flat)[b : b + 1]), SCHEME[b : b + 1])
            for one, all_ in zip(alone, together, strict=True):
                assert torch.allclose(one[0], all_[b], atol=1e-3, equal_nan=True)
    assert together[0].shape == (B, K, 2)
    assert together[1].shape == (B, K)


@pytest.mark.parametrize("name", ["soft-argmax", "heatmap", "simcc"])
def test_a_mirrored_map_decodes_to_the_mirrored_point(name: Named) -> None:
    head = made(name)
    raw = head(features()).detach()
    if isinstance(head, SimCC):
        across = len(head.xs)  # type: ignore[arg-type]
        mirrored = torch.cat([raw[..., :across].flip(-1), raw[..., across:]], -1)
    else:
        mirrored = raw.flip(-1)
    (points, spread), (turned, same) = head.decode(raw, SCHEME), head.decode(mirrored, SCHEME)
    points[..., 0] = W - 1 - points[..., 0]
    assert (turned - points).abs().max() < 1e-2
    assert torch.allclose(same, spread, rtol=1e-3, atol=1e-2)


# --- training ---


@pytest.mark.parametrize(("name", "loss"), PAIRS)
def test_autocast_changes_little(name: Named, loss: Loss) -> None:
    """Points and loss inside bf16 autocast: as outside for the same features, but for maps that are bf16 themselves."""
    head, points = made(name, loss), labels()
    value, found = head.loss(head(features()), points, SCHEME, loss, 1.3), head.decode(head(features()), SCHEME)[0]
    with torch.autocast("cpu", dtype=torch.bfloat16):
        raw = head(features())
        rounded, moved = head.loss(raw, points, SCHEME, loss, 1.3), head.decode(raw, SCHEME)[0]
    assert rounded.dtype == moved.dtype == torch.float32
    assert rounded.item() == pytest.approx(value.item(), rel=5e-3)
    assert (moved - found).abs().max() < (0.3 if name == "soft-argmax" else 1e-3)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert torch.equal(head.decode(raw.float(), SCHEME)[0], moved)
    assert torch.equal(head.decode(raw.float(), SCHEME)[0], moved)


@pytest.mark.parametrize("loss", NLL)
@pytest.mark.parametrize("name", ["soft-argmax", "regression"])
def test_an_nll_trains_the_spread_that_is_decoded(name: Named, loss: Loss) -> None:
    head, points = made(name, loss), labels()
    raw = head(features())
    found, spread = head.decode(raw, SCHEME)
    assert (spread >= LEAST_SPREAD).all()
    if loss == "gaussian-nll":
        told: torch.distributions.Distribution = torch.distributions.Normal(found, spread[..., None])
    else:
        told = torch.distributions.Laplace(found, spread[..., None] / math.sqrt(2))
    wanted = -told.log_prob(points).mean()
    assert head.loss(raw, points, SCHEME, loss, 1.3).item() == pytest.approx(wanted.item(), rel=1e-5)
    assert head.loss(raw, points, SCHEME, "mse", 1.3) > 0  # others ignore it


@pytest.mark.parametrize("name", ["soft-argmax", "regression"])
def test_a_head_that_is_too_sure_still_learns(name: Named) -> None:
    """A spread of 0 and a point far off: the gradient is finite and makes the head less sure."""
    head = made(name, "gaussian-nll")
    raw = head(features()).detach()
    if name == "regression":
        raw[..., 2] = -20.0
    else:
        raw = torch.full_like(raw, -90.0)
        raw[..., 4, 5] = 90.0
    _, gradient = graded(head, labels(), "gaussian-nll", raw)
    if name == "regression":
        assert (gradient[torch.arange(B), SCHEME][..., 2] <= 0).all()


def test_only_an_nll_has_outputs_for_the_spread() -> None:
    plain, likely = made("regression", "wing"), made("regression", "laplace-nll")
    counts = [sum(p.numel() for p in head.parameters()) for head in (plain, likely)]
    assert counts == [S * K * 2 * (F + 1), S * K * 3 * (F + 1)]
    assert torch.isnan(plain.decode(plain(features()), SCHEME)[1]).all()


@pytest.mark.parametrize(("name", "loss"), [pair for pair in PAIRS if pair[0] in ("heatmap", "simcc")])
def test_labels_get_the_gradient_that_teaches_a_shift(name: Named, loss: Loss) -> None:
    head, points = made(name, loss), labels() * 0.5 + torch.tensor([W, H]) / 4
    raw = written(head, points)
    for shift in (-1.5, 1.5):
        leaf = torch.tensor(shift, requires_grad=True)
        moved = points + torch.stack([leaf, torch.zeros(())])
        head.loss(raw, moved, SCHEME, loss, 1.3).backward()  # type: ignore[no-untyped-call]
        assert leaf.grad is not None
        assert float(leaf.grad) * shift > 0.01


def squares() -> tuple[torch.Tensor, torch.Tensor]:
    """4 images with 7 squares of 7 shades, and where they stand."""
    where = np.stack([np.random.default_rng(n).permutation(35)[:K] for n in range(4)])  # of 7x5 places, apart
    centre = np.stack([where % 7 * 12 + 6, where // 7 * 13 + 8], -1)
    images = np.zeros((4, 1, H, W), np.uint8)
    for image, points in zip(images, centre, strict=True):
        for k, (x, y) in enumerate(points):
            image[0, y - 3 : y + 4, x - 3 : x + 4] = 60 + 30 * k
    return torch.from_numpy(images), torch.from_numpy(centre).float()


@pytest.mark.parametrize(("name", "loss"), [(name, LOSSES[name][0]) for name in NAMES])
def test_a_few_images_can_be_learnt_by_heart(name: Named, loss: Loss) -> None:
    images, points = squares()
    torch.manual_seed(0)
    net = build(ModelOptions(width=8, head=name), K, 1, (W, H), loss)
    optimizer = torch.optim.AdamW(net.parameters(), lr=1e-2, weight_decay=0)
    scheme, losses = torch.zeros(4, dtype=torch.long), []
    for step in range(75):
        for group in optimizer.param_groups:
            group["lr"] = 1e-2 * (1 - step / 75)
        value = net.head.loss(net(images), points, scheme, loss, 1.0)
        optimizer.zero_grad()
        value.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        losses.append(float(value.detach()))
    found = net.head.decode(net(images), scheme)[0]
    assert losses[-1] < losses[0]
    assert (found - points).square().mean().sqrt().item() < 1
