"""The task the engine trains: the same on every device, in original pixels, honest about how labels were placed."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from kptool.augment import apply_tensor, sample
from kptool.config import CropOptions, Recipe
from kptool.dataset import Dataset
from kptool.engine.fit import fit
from kptool.engine.state import Job, final_model
from kptool.geometry import Affine, about, identity, scale, shift
from kptool.models.net import Net
from kptool.pixels import Arrays, open_arrays, prepare
from kptool.predictions import read_predictions
from kptool.schema import make_schema
from kptool.tasks.keypoints import Keypoints

W, H, K, N = 44, 36, 3, 300
SCHEMA = make_schema("test", ["left", "right", "chin"], [("left", "right")])
RECIPE = Recipe.model_validate(
    {
        "model": {"width": 8},
        "train": {"epochs": 14, "batch_size": 16, "evaluate_every": 14, "precision": "fp32"},
        "augment": {"brightness": 0.0, "contrast": 0.0, "rotate": 4.0},
    }
)


def faces(habit: tuple[float, float] = (0.0, 0.0)) -> tuple[np.ndarray, np.ndarray]:
    """(N, 1, H, W) uint8 and (N, K, 2): two dark eyes and a bright chin; scheme s labels habit[s] px to the right."""
    generator = np.random.default_rng(0)
    middle = generator.uniform([17, 13], [W - 18, H - 20], (N, 1, 2))
    points = middle + np.array([[7, 0], [-7, 0], [0, 9]]) + generator.normal(0, 0.7, (N, K, 2))
    y, x = np.mgrid[:H, :W]
    distance = (x - points[..., 0, None, None]) ** 2 + (y - points[..., 1, None, None]) ** 2
    glow = (np.exp(-distance / 8) * np.array([-90, -90, 110])[None, :, None, None]).sum(1, keepdims=True)
    images = np.clip(128 + glow, 0, 255).astype(np.uint8)
    points[..., 0] += np.asarray(habit)[np.arange(N) % 2][:, None]
    return images, points


def task(habit: tuple[float, float] = (0.0, 0.0), recipe: Recipe = RECIPE) -> Keypoints:
    images, points = faces(habit)
    arrays = Arrays(np.array([f"f{n}" for n in range(N)]), images, points, identity(N), SCHEMA, identity(), (W, H))
    return Keypoints(arrays, (np.arange(N) % 2).astype(np.int64), 2, recipe, "cpu", "fp32")


def job(out: Path, recipe: Recipe = RECIPE) -> Job:
    rows = np.arange(N)
    return Job(out, 0, recipe, rows[rows % 5 > 0], rows[rows % 5 == 0], "cpu", "fp32")


def test_a_habit_of_the_labels_is_learned_and_given_back(tmp_path: Path) -> None:
    """Mirroring turns a habit around; without the model's label shift every point would be off by it."""
    habit = (0.0, 1.5)
    made = task(habit)
    fit(job(tmp_path), made, lambda _: None)
    model = final_model(made, tmp_path, RECIPE)
    assert isinstance(model, Net)
    with torch.no_grad():
        learned = model.label_shift(torch.tensor([0, 1]))[:, 0].numpy()
    assert np.abs(learned - habit).max() < 0.3
    found = read_predictions(tmp_path / "oof.parquet", SCHEMA)
    rows = job(tmp_path).held_out
    bias = found.points - made.arrays.points_frame[rows]
    for s in range(2):
        assert np.abs(bias[made.scheme[rows] == s].mean((0, 1))).max() < 0.35


def test_the_resident_path_is_the_same_path() -> None:
    """What a GPU does, all images on the device and grid_sample, against OpenCV on the CPU."""
    plain = task()
    resident = replace(plain, resident=torch.from_numpy(plain.arrays.images))
    torch.manual_seed(0)
    net = plain.model().eval()
    rows = np.arange(20)
    with torch.no_grad():
        losses = [float(t.loss(net, rows, np.random.default_rng(5))) for t in (plain, resident)]
    assert losses[0] == pytest.approx(losses[1], rel=2e-3)


def test_bf16_does_not_move_the_picture() -> None:
    """Augmentation runs inside autocast on a GPU; positions rounded to bf16 would be a third of a pixel off."""
    made = task()
    images = torch.from_numpy(made.arrays.images[:20])
    numbers = sample(np.random.default_rng(5), 20, (W, H), RECIPE.augment)
    plain = apply_tensor(images, numbers, (W, H))
    with torch.autocast("cpu", torch.bfloat16):
        assert torch.equal(apply_tensor(images, numbers, (W, H)), plain)


def test_scores_and_predictions_are_in_original_pixels(tmp_path: Path) -> None:
    """The same frames cut from a photo at other places and sizes give the same answers, carried back."""
    plain = task()
    grow = np.random.default_rng(1).uniform(0.5, 4, N)
    places = np.random.default_rng(2).uniform(-30, 30, (N, 2))
    to_frame = about((-0.5, -0.5), scale(grow, grow)).then(shift(places[:, 0], places[:, 1]))
    photo = replace(plain, arrays=replace(plain.arrays, to_frame=to_frame))
    torch.manual_seed(0)
    net, rows = plain.model().eval(), np.arange(3, 40)
    here, _ = plain.answer(net, rows, [identity()])
    there, _ = photo.answer(net, rows, [identity()])
    assert np.abs(to_frame[rows](there) - here).max() < 1e-9
    photo.write_predictions(net, rows, tmp_path / "oof.parquet")
    views = read_predictions(tmp_path / "oof.parquet", SCHEMA)
    plain.write_predictions(net, rows, tmp_path / "plain.parquet")
    assert (
        np.abs(to_frame[rows](views.points) - read_predictions(tmp_path / "plain.parquet", SCHEMA).points).max() < 1e-9
    )
    errors = there - photo.truth(rows)
    assert photo.score(net, rows) == pytest.approx(float(np.sqrt((errors**2).mean())))


def test_frames_are_laid_out_once_and_follow_the_labels() -> None:
    images, points = faces()
    ids = np.array([f"f{n}" for n in range(N)])
    data = Dataset(ids, images, points, SCHEMA, "abc")
    folder = prepare(data, CropOptions(), 1).folder
    opened = open_arrays(folder, SCHEMA)
    assert isinstance(opened.images, np.memmap)
    assert np.array_equal(opened.images, images)
    assert np.array_equal(opened.points_frame, points)
    assert np.array_equal(opened.to_frame.matrix, Affine(np.broadcast_to(np.eye(3), (N, 3, 3))).matrix)
    assert prepare(data, CropOptions(), 1).folder == folder
    masked = points.copy()
    masked[7] = np.nan
    other = prepare(replace(data, points=masked), CropOptions(), 1).folder
    assert other != folder, "edited labels under the same files must not find the old frames"
    assert np.isnan(open_arrays(other, SCHEMA).points_frame[7]).all()
