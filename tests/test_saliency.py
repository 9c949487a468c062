"""Laws: heat lies where the head counts its cells, a gradient where pixels are read; looking leaves all as it was."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

import numpy as np
import pytest
import torch
from torch import nn

from kptool.config import ModelOptions, Recipe
from kptool.geometry import Floats, identity, shift
from kptool.models.heads import Head, Heatmap, Regression, SimCC, SoftArgmax
from kptool.models.heads.places import pitch
from kptool.models.layers import Flow, Lattice
from kptool.models.net import Body, Net, build
from kptool.pixels import Arrays
from kptool.saliency import Looks, first_filters, look
from kptool.saliency.gradient import axes, energy, signs
from kptool.saliency.grid import grid_of, of_hats, of_pixels
from kptool.saliency.heat import Mapped, heat
from kptool.schema import make_schema
from kptool.tasks.keypoints import Keypoints

Sides = tuple[int, int]
LATTICES: list[tuple[Sides, Sides, Lattice | None]] = [
    ((97, 61), (12, 7), Lattice((3.5, 3.5), (8.0, 8.0))),  # kptiny's: what no cell covers is at the right and bottom
    ((61, 97), (16, 25), None),
    ((83, 130), (19, 30), Lattice((6.0, 5.0), (4.0, 4.0))),  # as convolutions without padding leave them
]
N, K = 7, 3


class Pinned(nn.Module):
    """Logits of Gaussian bumps at known places; an image's first grey level is its row in their table."""

    def __init__(self, places: Floats, xs: torch.Tensor, ys: torch.Tensor) -> None:
        super().__init__()
        self.places, self.xs, self.ys = torch.from_numpy(places).float(), xs, ys

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """(B, C, H, W) -> (B, S·K, h, w)."""
        at = self.places[images[:, 0, 0, 0].round().long()].flatten(1, 2)
        x, y = ((line - at[..., i, None]) / (0.6 * pitch(line)) for i, line in enumerate((self.xs, self.ys)))
        return -(y.square()[..., :, None] + x.square()[..., None, :]) / 2


def identity_maps(maps: nn.Conv2d) -> None:
    with torch.no_grad():
        maps.weight.copy_(torch.eye(maps.out_channels)[:, :, None, None])
        cast(torch.Tensor, maps.bias).zero_()


def pinned(places: Floats, size: Sides, cells: Sides, lattice: Lattice | None) -> Net:
    """A network that answers places (N, S, K, 2), read from a soft-argmax."""
    _, schemes, count, _ = places.shape
    head = SoftArgmax(schemes * count, count, schemes, size, cells, lattice=lattice)
    identity_maps(head.maps)
    return plain(Pinned(places, cast(torch.Tensor, head.xs), cast(torch.Tensor, head.ys)), head)


def plain(backbone: nn.Module, head: Head) -> Net:
    return Net(Body(backbone, Flow(1, None), [0.0], [1 / 255]), head)  # grey levels as they are


def inside(size: Sides, margin: Sequence[float], *shape: int) -> Floats:
    """Random places (*shape, 2), `margin` px from the frame's edges."""
    away = np.array(margin)
    return np.random.default_rng(4).uniform(away, np.array(size) - 1 - away, (*shape, 2))


def task_of(
    size: Sides, points: int, schemes: int = 1, slack: Sides = (0, 0), labels: Floats | None = None
) -> Keypoints:
    """N images, the first grey level of each its number, in frames with slack around the model's."""
    images = np.random.default_rng(0).integers(0, 256, (N, 1, size[1] + 2 * slack[1], size[0] + 2 * slack[0]))
    images[:, :, slack[1], slack[0]] = np.arange(N)[:, None]
    schema = make_schema("test", [f"p{k}" for k in range(points)], [])
    found = np.full((N, points, 2), 9.0) if labels is None else labels
    ids, to_model = np.array([f"i{n}" for n in range(N)]), shift(-slack[0], -slack[1])
    arrays = Arrays(ids, images.astype(np.uint8), found, identity(N), schema, to_model, size)
    recipe = Recipe.model_validate({"model": {"per_scheme": schemes > 1}, "augment": {"mirror": 0.0}})
    return Keypoints(arrays, (np.arange(N) % schemes).astype(np.int64), schemes, recipe, "cpu", "fp32")


def centres(looks: Looks, size: Sides) -> Floats:
    """(n, K, 2) centres of mass, px of the model's frame."""
    maps = looks.maps.astype(np.float64)
    h, w = maps.shape[2:]
    x, y = (np.arange(w) + 0.5) * size[0] / w - 0.5, (np.arange(h) + 0.5) * size[1] / h - 0.5
    total = maps.sum((2, 3))
    return np.stack([(maps.sum(2) * x).sum(-1) / total, (maps.sum(3) * y).sum(-1) / total], -1)


def half_cell(looks: Looks, size: Sides) -> Floats:
    h, w = looks.maps.shape[2:]
    return np.array([size[0] / w, size[1] / h]) / 2


@pytest.mark.parametrize(("size", "cells", "lattice"), LATTICES)
def test_heat_lies_where_the_point_is(size: Sides, cells: Sides, lattice: Lattice | None) -> None:
    step = [3 * 1.2 * s for s in (lattice.step if lattice else np.array(size) / cells)]  # cells are stretched by 1.2
    places = inside(size, step, N, 1, K)
    looks = look(task_of(size, K, slack=(4, 2)), pinned(places, size, cells, lattice), np.arange(N))
    assert looks.kind == "heat"
    assert looks.maps.dtype == np.float32
    assert (looks.maps.shape[:2], max(looks.maps.shape)) == ((N, K), 24)
    np.testing.assert_array_equal(looks.maps.max((2, 3)), 1)
    assert looks.maps.min() >= 0
    off = np.abs(centres(looks, size) - places[:, 0])
    assert (off < half_cell(looks, size)).all(), off.max()


@pytest.mark.parametrize("cells", [5, 24, 90])
def test_heat_of_the_other_heads_that_read_maps(cells: int) -> None:
    size = (97, 61)
    places = inside(size, (20, 20), N, K)
    points, scheme, still = torch.from_numpy(places).float(), torch.zeros(N, dtype=torch.long), torch.zeros(N, 2)
    bumps, lines = Heatmap(4, K, 1, size, (24, 15), 3.0), SimCC(4, K, 1, size, None, 3.0, 2.0)
    raws = bumps.encode(points) - 0.01, torch.cat([line.log() for line in lines.encode(points)], -1)
    heads: list[tuple[Mapped, torch.Tensor]] = list(zip((bumps, lines), raws, strict=True))
    for head, raw in heads:
        maps = heat(head, raw[:, None], scheme, still, grid_of(size, cells))
        looks = Looks("heat", maps.numpy())
        assert looks.maps.max() == 1
        assert looks.maps.min() >= 0
        assert (np.abs(centres(looks, size) - places) < half_cell(looks, size)).all(), type(head).__name__


def test_heat_is_moved_as_the_answer_is() -> None:
    size, cells, lattice = LATTICES[2]
    places = inside(size, (20, 20), N, 2, K)
    net, task = pinned(places, size, cells, lattice), task_of(size, K, schemes=2)
    with torch.no_grad():
        net.shift_units.copy_(torch.tensor([0.0, 0.7]))  # 7 px in the second scheme
    found, _ = task.answer(net, np.arange(N), [identity()])
    looks = look(task, net, np.arange(N))
    assert (np.abs(centres(looks, size) - found) < half_cell(looks, size)).all()
    own = places[np.arange(N), task.scheme]
    np.testing.assert_allclose((found - own)[:, :, 0], 7.0 * task.scheme[:, None].repeat(K, 1), atol=0.1)


def test_a_point_never_taught_in_a_scheme_has_no_map() -> None:
    size, cells, lattice = LATTICES[0]
    labels = np.full((N, K, 2), 9.0)
    labels[1::2, 2] = np.nan
    task = task_of(size, K, schemes=2, labels=labels)
    looks = look(task, pinned(inside(size, (29, 29), N, 2, K), size, cells, lattice), np.arange(N))
    assert (looks.maps.max((2, 3)) == np.where(task.scheme[:, None] * (np.arange(K) == 2), 0, 1)).all()
    one = pinned(inside(size, (29, 29), N, 1, K), size, cells, lattice)
    shared = look(task_of(size, K, labels=labels), one, np.arange(N))
    assert (shared.maps.max((2, 3)) == 1).all()  # one set of outputs serves all rows


def test_what_peaks_beyond_the_frame_is_not_blown_up() -> None:
    size, cells, lattice = (96, 96), (48, 48), None
    places = np.full((N, 1, 1, 2), 40.0)
    places[1::2, ..., 0] = -8.0  # on cells that the head stretches beyond the frame
    looks = look(task_of(size, 1), pinned(places, size, cells, lattice), np.arange(N))
    assert (looks.maps.max((1, 2, 3))[::2] == 1).all()
    assert (looks.maps.max((1, 2, 3))[1::2] < 0.1).all()


def small_net(size: Sides, points: int, schemes: int = 1, head: str = "regression") -> Net:
    torch.manual_seed(1)
    model = {"backbone": "kptiny", "width": 4, "channels": 1, "head": head, "per_scheme": schemes > 1}
    net = build(ModelOptions.model_validate(model), points, schemes, size)
    with torch.no_grad():
        for parameter in net.head.parameters():
            parameter.normal_(std=0.3)
    return net


@pytest.mark.parametrize(
    ("head", "points"), [("soft-argmax", 3), ("regression", 4), ("regression", 7), ("regression", 11)]
)
def test_a_batch_is_each_alone_and_the_same_to_the_byte(
    head: str, points: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    size, rows = (53, 38), np.array([5, 0, 3, 6])
    task, net = task_of(size, points, schemes=2), small_net(size, points, 2, head)
    told: list[tuple[int, int]] = []
    together = look(task, net, rows, cells=10)
    again = look(task, net, rows, cells=10)
    assert together.maps.tobytes() == again.maps.tobytes()
    monkeypatch.setattr("kptool.saliency.looking.MOST_PIXELS", 3 * size[0] * size[1])
    halves = look(task, net, rows, cells=10, tick=lambda done, of: told.append((done, of)))
    assert told == [(3, 4), (4, 4)]
    alone = np.concatenate([look(task, net, rows[n : n + 1], cells=10).maps for n in range(4)])
    for maps in (halves.maps, alone):
        np.testing.assert_allclose(maps, together.maps, atol=1e-5)
    assert np.abs(together.maps[0] - together.maps[1]).max() > 0.01  # images and schemes do differ


def test_no_rows_no_maps() -> None:
    size = (53, 38)
    made = look(task_of(size, 2), small_net(size, 2), np.arange(0), cells=10)
    assert made.maps.shape == (0, 2, 7, 10)


class Window(nn.Module):
    """Reads the pixels of one window and no others."""

    def __init__(self, left: int, top: int, right: int, bottom: int) -> None:
        super().__init__()
        self.x, self.y = slice(left, right), slice(top, bottom)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """(B, C, H, W) -> (B, 2)."""
        part = images[:, 0, self.y, self.x]
        return torch.stack([part.mean((1, 2)), part.square().mean((1, 2)) / 255], -1)


@pytest.mark.parametrize("points", [1, 6, 20])
def test_a_gradient_is_where_the_model_reads(points: int) -> None:
    size, (left, top, right, bottom) = (50, 34), (31, 9, 39, 17)
    net = plain(Window(left, top, right, bottom), Regression(2, points, 1, size))
    looks = look(task_of(size, points), net, np.arange(N))
    assert (looks.kind, looks.maps.shape) == ("gradient", (N, 1, 16, 24))
    x, y = of_pixels(size[0], 24)[:, left:right].sum(1), of_pixels(size[1], 16)[:, top:bottom].sum(1)
    read = np.outer(y, x)  # the share of each cell that is read
    outside, whole = looks.maps[:, 0, read == 0], looks.maps[:, 0, read > 1 - 1e-9]
    assert outside.size
    assert (outside == 0).all()
    assert whole.shape[1] >= 4
    assert (whole.max(1) == 1).all()
    assert (looks.maps[:, 0, read > 0] > 0).all()


def test_up_to_four_points_have_gradients_of_their_own() -> None:
    size = (50, 34)
    net = plain(Window(10, 9, 18, 17), Regression(2, 4, 1, size))
    with torch.no_grad():
        net.get_parameter("head.linear.weight")[4:6].zero_()
    maps = look(task_of(size, 4), net, np.arange(N)).maps
    assert maps.shape[1] == 4
    assert (maps.max((2, 3)) == np.array([1, 1, 0, 1])).all()  # the third point depends on nothing


@pytest.mark.parametrize("points", [4, 6, 20])
def test_a_gradient_is_of_the_points_that_a_scheme_teaches(points: int) -> None:
    size = (50, 34)
    labels = np.full((N, points, 2), 9.0)
    labels[1::2, 0] = np.nan
    net = plain(Two(Window(10, 9, 18, 17), Window(30, 20, 38, 28)), Regression(4, points, 2, size))
    with torch.no_grad():  # the first point reads the first window, the others the second
        weight = net.get_parameter("head.linear.weight").view(2, points, 2, 4)
        weight[:, 0, :, 2:], weight[:, 1:, :, :2] = 0, 0
    task = task_of(size, points, schemes=2, labels=labels)
    maps = look(task, net, np.arange(N)).maps.max(1)  # over points
    reads = maps[:, :, :10].max((1, 2)) > 0, maps[:, :, 14:].max((1, 2)) > 0
    np.testing.assert_array_equal(reads, [task.scheme == 0, np.ones(N)])


class Two(nn.Module):
    """The features of two windows."""

    def __init__(self, one: Window, other: Window) -> None:
        super().__init__()
        self.one, self.other = one, other

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """(B, C, H, W) -> (B, 4)."""
        return torch.cat([self.one(images), self.other(images)], -1)


def jacobian(net: Net, images: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """The points, the images they came from, and (2K, H, W) the squares of one image's Jacobian, over its channels."""

    def answer(shown: torch.Tensor) -> torch.Tensor:
        return net.head.decode(net(shown), torch.zeros(len(shown), dtype=torch.long))[0]

    shown = images.clone().requires_grad_()
    whole = torch.autograd.functional.jacobian(answer, images)  # type: ignore[no-untyped-call]
    return answer(shown), shown, whole.squeeze(0).flatten(0, 1)[:, 0].square().sum(1)


def test_the_estimate_is_near_the_jacobian_and_the_exact_path_on_it() -> None:
    size, points, count = (40, 33), 5, 2000
    net = small_net(size, points).eval()
    image = torch.rand(1, 3, size[1], size[0], generator=torch.Generator().manual_seed(2)) * 255
    found, shown, squares = jacobian(net, image)
    wanted = squares.sum(0)
    exact, guess = (energy(found, shown, vectors)[0] for vectors in (axes(points), signs(points, count)))
    torch.testing.assert_close(exact, wanted, rtol=1e-5, atol=1e-5 * float(wanted.max()))
    # One probe's relative deviation is at most the root of 2; no pixel of 1320 may be five deviations off.
    tolerance = 5 * np.sqrt(2 / count)
    assert ((guess - wanted).abs() <= tolerance * wanted + 1e-6 * wanted.max()).all()
    assert float((guess / wanted - 1)[wanted > 0].abs().mean()) > 1e-3  # it is an estimate
    for k in range(points):
        own = energy(found, shown, axes(points)[2 * k : 2 * k + 2])[0]
        torch.testing.assert_close(own, squares[2 * k : 2 * k + 2].sum(0), rtol=1e-5, atol=1e-5 * float(wanted.max()))


def test_few_probes_tell_the_same_as_many(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is shown, PROBES passes, against one exact pass a coordinate: the bound of 0.18 in a cell's root."""
    size, points = (53, 38), 30
    task, net = task_of(size, points), small_net(size, points)
    shown = look(task, net, np.arange(N), cells=8).maps
    monkeypatch.setattr("kptool.saliency.gradient.PROBES", 2 * points)
    exact = look(task, net, np.arange(N), cells=8).maps
    assert 0 < np.abs(shown - exact).mean() < 0.18
    assert np.corrcoef(shown.ravel(), exact.ravel())[0, 1] > 0.8


@pytest.mark.parametrize("head", ["soft-argmax", "regression"])
def test_looking_leaves_the_model_as_it_was(head: str) -> None:
    size = (53, 38)
    task, net = task_of(size, 9), small_net(size, 9, head=head)
    net.train()
    net.head.eval()
    weights = [p.requires_grad_(i != 1) for i, p in enumerate(net.parameters())]
    weights[0].grad = torch.full_like(weights[0], 7)
    flags = [m.training for m in net.modules()]
    state = {name: value.clone() for name, value in net.state_dict().items()}
    drawn = torch.get_rng_state()
    with torch.no_grad():
        look(task, net, np.arange(N), cells=6)
        first_filters(net)
    assert [m.training for m in net.modules()] == flags
    assert all(torch.equal(value, state[name]) for name, value in net.state_dict().items())
    assert torch.equal(torch.get_rng_state(), drawn)
    assert [p.requires_grad for p in weights] == [i != 1 for i in range(len(weights))]
    assert torch.equal(weights[0].grad, torch.full_like(weights[0], 7))
    assert all(p.grad is None for p in weights[1:])
    assert not any(m._forward_pre_hooks for m in net.modules())


def test_a_broken_look_leaves_the_flags() -> None:
    size = (53, 38)
    net = small_net(size, 9).train()
    with pytest.raises(IndexError):
        look(task_of(size, 9), net, np.array([N + 1]))
    assert all(m.training for m in net.modules())


@pytest.mark.parametrize(
    ("options", "name", "shape"),
    [
        ({"backbone": "kptiny", "width": 8, "channels": 1}, "backbone.stem.0", (4, 1, 4, 4)),
        ({"backbone": "kptiny", "width": 8, "channels": 3, "upsample": 2}, "backbone.0.stem.0", (4, 3, 4, 4)),
        (
            {"backbone": "layers", "channels": 1, "layers": ["conv 5 1", "relu", "conv 6 3x7", "dense 4"]},
            "backbone.2",
            (6, 5, 7, 3),
        ),
        ({"backbone": "resnet18", "channels": 3, "head": "regression"}, "backbone.conv1", (64, 3, 7, 7)),
        ({"backbone": "resnet18", "channels": 1, "head": "heatmap"}, "backbone.levels.conv1", (64, 1, 7, 7)),
    ],
)
def test_the_first_filters_are_those_that_the_image_meets(
    options: dict[str, object], name: str, shape: tuple[int, ...]
) -> None:
    net = build(ModelOptions.model_validate(options), 2, 1, (64, 64))
    found = first_filters(net)
    assert found is not None
    assert found.weights.dtype == np.float32
    assert (found.name, found.weights.shape) == (name, shape)
    np.testing.assert_array_equal(found.weights, cast(nn.Conv2d, net.get_submodule(name)).weight.detach().numpy())
    found.weights[:] = 0  # a copy: what a page does with it does not reach the network
    assert cast(nn.Conv2d, net.get_submodule(name)).weight.abs().sum() > 0


class Backwards(nn.Module):
    """Names its layers in the other order than it uses them."""

    def __init__(self) -> None:
        super().__init__()
        self.last, self.first = nn.Conv2d(4, 5, 3), nn.Conv2d(1, 4, 5)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return cast(torch.Tensor, self.last(self.first(images)).mean((2, 3)))


def test_first_is_by_use_not_by_name() -> None:
    found = first_filters(plain(Backwards(), Regression(5, 2, 1, (20, 15))))
    assert found is not None
    assert (found.name, found.weights.shape) == ("backbone.first", (4, 1, 5, 5))


def test_a_network_without_convolutions_has_no_filters() -> None:
    options = ModelOptions.model_validate({"backbone": "layers", "channels": 1, "layers": ["dense 30", "relu"]})
    assert first_filters(build(options, 2, 1, (20, 15))) is None


def test_cells_keep_the_frames_aspect_and_its_mass() -> None:
    assert grid_of((160, 120), 24) == (24, 18)
    assert grid_of((61, 97), 24) == (15, 24)
    assert grid_of((300, 4), 24) == (24, 1)
    for side, cells in ((97, 24), (10, 24), (61, 5)):
        np.testing.assert_allclose(of_pixels(side, cells).sum(1), 1)
        np.testing.assert_allclose(of_pixels(side, cells).sum(0), cells / side)
        places = torch.linspace(20, side - 21, 6) if side > 42 else torch.linspace(4, 5, 3)
        share = of_hats(places[None], side, cells)[0]
        np.testing.assert_allclose(share.sum(0) * side / cells, pitch(places), rtol=1e-6)  # a hat's whole area
