"""An oracle seen through every view, fold and mixture comes back exactly."""

from __future__ import annotations

import numpy as np
import pytest

from kptool.config import PredictOptions
from kptool.dataset import Ints
from kptool.geometry import Bytes, Floats
from kptool.schema import make_schema
from kptool.views import make_views, pool, predict_frame

W, H, K, N = 41, 29, 4, 11
SCHEMA = make_schema("test", ["left", "nose", "right", "chin"], [("left", "right")])
ALL = PredictOptions(mirror=True, shift=2.0)


@pytest.mark.parametrize(
    "options",
    [
        ALL,
        PredictOptions(mirror=False),
        PredictOptions(mirror=True, shift=1.25),
        PredictOptions(shift=2.0, scale=0.07),
        PredictOptions(mirror=False, shift=0.0, scale=0.9),
    ],
)
def test_an_oracle_comes_back(options: PredictOptions) -> None:
    truth = np.random.default_rng(0).uniform(-5, 50, (N, K, 2))
    images = np.zeros((N, 1, H, W), np.uint8)
    images[:, 0, 0, 0] = np.arange(N)
    views = make_views(options, (W, H))
    state = {"view": -1, "batch": -1}

    def oracle(shown: Bytes, _: Ints) -> tuple[Floats, Floats]:
        state["view"] = (state["view"] + 1) % len(views)
        state["batch"] += state["view"] == 0
        rows = slice(state["batch"] * 3, state["batch"] * 3 + len(shown))
        view = views[state["view"]]
        seen = view(truth[rows])
        spread = np.tile(np.arange(1.0, K + 1), (len(shown), 1)) * np.sqrt(abs(np.linalg.det(view.matrix)))
        if view.mirrors:
            seen, spread = seen[:, list(SCHEMA.mirror)], spread[:, list(SCHEMA.mirror)]
        return seen, spread

    points, spread = predict_frame(oracle, images, np.zeros(N, np.int64), views, SCHEMA, (W, H), batch_size=3)
    assert np.abs(points - truth).max() < 1e-6
    assert np.abs(spread - np.arange(1.0, K + 1)).max() < 1e-6


def test_how_many_views_and_in_words() -> None:
    assert len(make_views(ALL, (W, H))) == 10
    assert len(make_views(PredictOptions(shift=0.0), (W, H))) == 2
    assert len(make_views(PredictOptions(mirror=False, shift=0.0), (W, H))) == 1
    assert sum(bool(view.mirrors) for view in make_views(ALL, (W, H))) == 5
    assert ALL.describe() == "plain + 4 shifted by 2 px, each also mirrored"
    assert len(make_views(PredictOptions(scale=0.1), (W, H))) == 14
    assert len(make_views(PredictOptions(mirror=False, shift=0.0, scale=0.1), (W, H))) == 3


def test_the_order_of_views() -> None:
    views = make_views(PredictOptions(shift=3.0, scale=0.25), (W, H))
    sides = [np.sqrt(abs(np.linalg.det(view.matrix))) for view in views]
    assert sides == pytest.approx([1, 1, 1, 1, 1, 1.25, 0.8] * 2)
    centre = np.array([[(W - 1) / 2, (H - 1) / 2]])
    moved = np.stack([view(centre)[0] - centre[0] for view in views[:7]])
    assert np.abs(moved - [[0, 0], [3, 0], [-3, 0], [0, 3], [0, -3], [0, 0], [0, 0]]).max() < 1e-12
    assert [bool(view.mirrors) for view in views] == [False] * 7 + [True] * 7
    corner = np.array([[0.0, 0.0]])
    for plain, turned in zip(views[:7], views[7:], strict=True):
        assert np.allclose(turned(corner), [W - 1, 0] + plain(corner) * [-1, 1])


def test_pixels_and_points_agree_in_every_view() -> None:
    """A blob drawn in a frame with slack is found in each view where the way back expects it."""
    left, top = 8, 6
    spots = np.array([[17.3, 12.8], [24.1, 15.2]])
    y, x = np.mgrid[: H + 2 * top, : W + 2 * left]
    far = (x - left - spots[:, 0, None, None]) ** 2 + (y - top - spots[:, 1, None, None]) ** 2
    images = np.round(250 * np.exp(-far / 12.5)).astype(np.uint8)[:, None]
    seen: list[Floats] = []

    def finder(shown: Bytes, _: Ints) -> tuple[Floats, Floats]:
        weight = shown[:, 0].astype(np.float64)
        total, rows, columns = weight.sum((1, 2)), weight.sum(2), weight.sum(1)
        place = np.stack([columns @ np.arange(W) / total, rows @ np.arange(H) / total], -1)
        seen.append(place)
        return np.repeat(place[:, None], K, axis=1), np.ones((len(shown), K))

    views = make_views(PredictOptions(scale=0.12), (W, H))
    found, _ = predict_frame(finder, images, np.zeros(2, np.int64), views, SCHEMA, (W, H))
    assert np.abs(found - spots[:, None]).max() < 0.05
    for view, place in zip(views, seen, strict=True):
        assert np.abs(view(spots) - place).max() < 0.1


def test_a_mixture_has_the_variance_of_its_parts_and_between_them() -> None:
    generator = np.random.default_rng(1)
    points, spread = generator.normal(size=(3, N, K, 2)), generator.uniform(1, 2, (3, N, K))
    mean, deviation = pool(points, spread)
    for n in range(N):
        for k in range(K):
            variance = [spread[v, n, k] ** 2 + ((points[v, n, k] - mean[n, k]) ** 2).mean() for v in range(3)]
            assert deviation[n, k] == pytest.approx(np.sqrt(np.mean(variance)))
