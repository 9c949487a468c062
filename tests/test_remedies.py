"""Law: what went wrong in training is named with a setting to try, and a training that went well is left in peace."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from test_report import collapsed, outcome

from kptool import metrics
from kptool.config import Recipe
from kptool.engine.history import Epoch
from kptool.geometry import Affine
from kptool.report import Outcome, build
from kptool.report.details import Remedy

HEALTHY = [4.2, 1.7, 1.4, 1.3, 1.2, 1.1, 1.0, 0.9]


def curve(loss: Sequence[float], heldout: Sequence[float] | None = None) -> list[Epoch]:
    scores: Sequence[float | None] = heldout or [None] * len(loss)
    return [Epoch(n + 1, a, b, float(n), 100.0) for n, (a, b) in enumerate(zip(loss, scores, strict=True))]


def recipe(**tables: Any) -> Recipe:
    return Recipe.model_validate(tables)


def found(made: Outcome) -> dict[str, Remedy]:
    return {remedy.kind: remedy for remedy in build(made).remedies}


def trained(loss: Sequence[float], heldout: Sequence[float] | None = None, **tables: Any) -> Outcome:
    """A good outcome whose folds have these curves."""
    history = {fold: curve(loss, heldout) for fold in range(3)}
    tables["train"] = {"epochs": len(loss)} | tables.get("train", {})
    return outcome(history=history, recipe=recipe(**tables))


def test_a_good_training_is_left_in_peace() -> None:
    good = [3.0, 2.8, 2.6, 2.45, 2.3, 2.2, 2.1, 1.9]
    for schedule in ("linear", "cosine", "one-cycle"):
        assert found(trained(HEALTHY, good, train={"schedule": schedule})) == {}
    assert found(trained(HEALTHY, [2.5, 2.1, 2.0, 1.95, 1.93, 1.92, 1.91, 1.90], train={"schedule": "constant"})) == {}
    assert found(trained(HEALTHY)) == {}, "never evaluated"
    assert found(outcome()) == {}, "an older run, or an ensemble"
    assert found(trained([3.0], [2.0])) == {}, "one epoch tells nothing of curves"


def test_a_collapse_names_its_settings_and_nothing_besides() -> None:
    made = outcome(history={0: curve([9.0, 8.9, 8.8])}, recipe=recipe(train={"lr": 0.02, "warmup": 0.0}))
    remedies = found(replace(made, predicted=collapsed(made)))
    assert list(remedies) == ["collapse"]
    assert "9 to 8.8" in remedies["collapse"].seen
    assert remedies["collapse"].tries[0] == "train.lr = 0.002 and train.muon_lr = 0.015, if the loss jumps about"
    assert "train.warmup = 0.05" in remedies["collapse"].tries
    weights = recipe(model={"backbone": "resnet18", "weights": "mine.safetensors"})
    assert any(
        "weights" in words
        for words in found(replace(made, predicted=collapsed(made), recipe=weights))["collapse"].tries
    )
    assert found(replace(made, predicted=collapsed(made), recipe=None, history={}))["collapse"].tries


def test_over_fitting_is_a_best_epoch_long_past() -> None:
    heldout = [3.0, 2.0, 1.5, 1.6, 1.7, 1.8, 1.9, 2.0]
    remedy = found(trained(HEALTHY, heldout))["over-fitting"]
    assert "epoch 3 of 8" in remedy.seen
    assert remedy.tries[0] == "train.epochs = 3"
    assert "augment.rotate = 22.5" in remedy.tries
    assert any("keep" in words for words in remedy.tries)
    kept = found(trained(HEALTHY, heldout, train={"keep": "best"}, augment={"rotate": 0.0, "scale": 0.4}))
    assert "augment.rotate = 15" in kept["over-fitting"].tries
    assert not any("keep" in words or "augment.scale" in words for words in kept["over-fitting"].tries)
    odd = {0: curve(HEALTHY, heldout), 1: curve(HEALTHY, sorted(heldout)[::-1]), 2: curve(HEALTHY, [*range(9, 1, -1)])}
    assert "over-fitting" not in found(outcome(history=odd, recipe=recipe(train={"epochs": 8}))), "one fold of three"
    wobble = [3.0, 2.0, 1.5, 1.4, 1.38, 1.39, 1.4, 1.4]
    assert "over-fitting" not in found(trained(HEALTHY, wobble))


def test_a_fold_that_patience_stopped_at_a_high_rate_is_no_over_fitting() -> None:
    heldout = [3.0, 2.0, 1.5, 1.6, 1.7, 1.8, 1.9, 2.0]
    assert "over-fitting" not in found(trained(HEALTHY, heldout, train={"epochs": 40, "patience": 5}))
    assert "over-fitting" in found(trained(HEALTHY, heldout, train={"epochs": 9, "patience": 5}))


def test_a_training_that_had_hardly_begun_is_told_to_go_on() -> None:
    made = trained([3.0, 2.0], [None, 8.0], train={"epochs": 2})  # type: ignore[list-item]
    rng = np.random.default_rng(0)
    lost = replace(made, predicted=made.predicted + rng.normal(0, 9, made.predicted.shape))
    assert found(lost)["under-fitting"].tries == ("train.epochs = 8",)
    assert "under-fitting" not in found(made)


def test_under_fitting_is_a_fall_that_the_schedule_does_not_explain() -> None:
    falling = [8.0, 7.0, 6.0, 5.0, 4.5, 4.0, 3.7, 3.4]
    remedy = found(trained(HEALTHY, falling, train={"schedule": "constant", "epochs": 8}))["under-fitting"]
    assert remedy.tries == ("train.epochs = 16",)
    assert "15%" in remedy.seen
    assert "epoch 6" in remedy.seen
    assert "under-fitting" not in found(trained(HEALTHY, falling)), "a rate that falls brings as much"
    steep = [8.0, 7.9, 7.8, 7.7, 7.6, 7.5, 5.0, 3.4]
    assert "under-fitting" in found(trained(HEALTHY, steep))


@pytest.mark.parametrize("schedule", ["constant", "linear"])
def test_a_learning_rate_too_high_shows_in_the_loss(schedule: str) -> None:
    jump = [4.2, 1.7, 1.4, 6.3, 1.5, 1.2, 1.0, 0.9]
    remedy = found(trained(jump, train={"schedule": schedule, "lr": 0.03}))["learning-rate"]
    assert "from 1.4 to 6.3 in epoch 4" in remedy.seen
    assert remedy.tries[:2] == ("train.lr = 0.01", "train.muon_lr = 0.05")
    assert "train.clip = 1.0" in remedy.tries
    stuck = trained([4.2, 4.0, 3.9, 3.8], train={"schedule": schedule})
    assert "learning-rate" not in found(stuck), "the score is good, whatever floor the loss has"
    rng = np.random.default_rng(2)
    near = metrics.mean_shape_baseline(stuck.truth, stuck.fold) + rng.normal(0, 3.2, stuck.truth.shape)
    assert "hardly better" in found(replace(stuck, predicted=near))["learning-rate"].seen
    likely = trained([0.5, 0.1, -0.9, 0.4], train={"loss": "gaussian-nll"})
    assert "learning-rate" not in found(likely), "a likelihood may pass nought"


def test_over_confidence_is_a_spread_that_holds_too_few() -> None:
    made = outcome(recipe=recipe())
    sure = replace(made, spread=np.full(made.spread.shape, 0.3))
    remedy = found(sure)["over-confidence"]
    assert "nothing trained it" in remedy.seen
    assert "calibrated radius" in remedy.tries[0]
    assert any("gaussian-nll" in words for words in remedy.tries)
    learned = found(replace(sure, recipe=recipe(train={"loss": "laplace-nll"})))["over-confidence"]
    assert "nothing trained it" not in learned.seen
    assert "augment.rotate = 22.5" in learned.tries
    for fair in (1.0, 5.0):
        assert found(replace(made, spread=np.full(made.spread.shape, fair))) == {}


def test_a_weak_model_draws_faces_in_to_the_mean() -> None:
    made = outcome(n=401, recipe=recipe())
    mean = metrics.mean_shape(made.truth)
    drawn_in = np.where(np.isfinite(made.truth), mean + 0.6 * (made.truth - mean), made.predicted)
    remedy = found(replace(made, predicted=drawn_in))["weak-model"]
    assert "60%" in remedy.seen
    assert remedy.tries == ("model.width = 64", "train.epochs = 32")
    other = replace(made, predicted=drawn_in, recipe=recipe(model={"backbone": "resnet18"}))
    assert "resnet18" in found(other)["weak-model"].tries[0]
    assert found(made) == {}


def cropped(grown: float, margin: float) -> Outcome:
    """Faces cut out so that labels reach `grown` of the way from the frame's middle to its border, at most."""
    made = outcome(n=301)
    half = np.array([96, 92]) / 2
    off = np.nanmax(np.abs(made.truth - (half - 0.5)) / half)
    s = grown / off
    matrix = np.diag([s, s, 1.0])
    matrix[:2, 2] = (half - 0.5) * (1 - s)
    boxes = np.tile([10.0, 10.0, 70.0, 70.0], (301, 1))
    maps = Affine(np.tile(matrix, (301, 1, 1)))
    crop = {"width": 96, "height": 92, "margin": margin}
    return replace(made, to_frame=maps, boxes=boxes, recipe=recipe(crop=crop))


def test_tight_boxes_are_told_with_a_margin_that_holds_the_labels() -> None:
    remedy = found(cropped(1.4, 0.1))["tight-boxes"]
    (words,) = remedy.tries
    assert words.startswith("crop.margin = ")
    margin = float(words.removeprefix("crop.margin = "))
    assert 0.1 < margin <= 0.4
    # That margin, put in, is enough: the frame shows (1 + 2 x new) / (1 + 2 x old) as much.
    wider = cropped(1.4 * 1.2 / (1 + 2 * margin), margin)
    assert found(wider) == {}
    assert found(cropped(0.9, 0.1)) == {}
    whole = cropped(1.4, 0.1)
    assert found(replace(whole, recipe=recipe(crop={"width": 96, "box": "image"}))) == {}, "no box, no margin"
