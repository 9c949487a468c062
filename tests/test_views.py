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


@pytest.mark.parametrize("options", [ALL, PredictOptions(mirror=False), PredictOptions(mirror=True, shift=1.25)])
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
        spread = np.tile(np.arange(1.0, K + 1), (len(shown), 1))
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


def test_a_mixture_has_the_variance_of_its_parts_and_between_them() -> None:
    generator = np.random.default_rng(1)
    points, spread = generator.normal(size=(3, N, K, 2)), generator.uniform(1, 2, (3, N, K))
    mean, deviation = pool(points, spread)
    for n in range(N):
        for k in range(K):
            variance = [spread[v, n, k] ** 2 + ((points[v, n, k] - mean[n, k]) ** 2).mean() for v in range(3)]
            assert deviation[n, k] == pytest.approx(np.sqrt(np.mean(variance)))
