"""A fold cut off anywhere and resumed ends with the same bytes as one that was left alone."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from kptool.config import Recipe
from kptool.engine.fit import fit
from kptool.engine.history import read_history
from kptool.engine.progress import Progress
from kptool.engine.state import Job, final_model, restore, slim
from kptool.errors import DivergedError
from kptool.geometry import identity
from kptool.pixels import Arrays
from kptool.schema import make_schema
from kptool.tasks.keypoints import Keypoints

W, H, K, N, EPOCHS = 40, 33, 3, 50, 5
SCHEMA = make_schema("test", ["left", "right", "nose"], [("left", "right")])
RECIPE = Recipe.model_validate(
    {
        "seed": 3,
        "model": {"width": 8},
        "train": {"epochs": EPOCHS, "batch_size": 7, "ema": 0.9, "clip": 1.0, "evaluate_every": 2, "precision": "fp32"},
    }
)
TIMM = {"backbone": "resnet10t", "head": "regression"}


def keypoints(recipe: Recipe = RECIPE, count: int = N) -> Keypoints:
    """Blobs whose places are the points; a third of the labels is missing."""
    generator = np.random.default_rng(0)
    points = generator.uniform([8, 8], [W - 9, H - 9], (count, K, 2))
    y, x = np.mgrid[:H, :W]
    distance = (x - points[..., 0, None, None]) ** 2 + (y - points[..., 1, None, None]) ** 2
    images = np.clip((np.exp(-distance / 8) * [[[[90]], [[150]], [[240]]]]).sum(1, keepdims=True), 0, 255)
    points[generator.random((count, K)) < 0.3] = np.nan
    ids = np.array([str(n) for n in range(count)])
    arrays = Arrays(ids, images.astype(np.uint8), points, identity(count), SCHEMA, identity(), (W, H))
    scheme = (np.arange(count) % 2).astype(np.int64)
    return Keypoints(arrays, scheme, 2, recipe, "cpu", "fp32")


def job(out: Path, recipe: Recipe = RECIPE, fold: int = 1) -> Job:
    rows = np.arange(N)
    return Job(out, fold, recipe, rows[rows % 5 != fold], rows[rows % 5 == fold], "cpu", "fp32")


def no_watch(_: Progress) -> None:
    return


class Cut(BaseException):
    """Stands for a kill: nothing catches it."""


def whole(out: Path, recipe: Recipe = RECIPE) -> bytes:
    assert fit(job(out, recipe), keypoints(recipe), no_watch)
    return (out / "oof.parquet").read_bytes()


@pytest.fixture(scope="module")
def reference(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    return whole(tmp_path_factory.mktemp("whole"))


def test_same_seed_same_bytes_and_other_seed_others(tmp_path: Path, reference: bytes) -> None:
    assert whole(tmp_path / "again") == reference
    assert whole(tmp_path / "other", RECIPE.model_copy(update={"seed": 4})) != reference


@pytest.mark.parametrize("stop", [1, 2, 4, 5])
def test_cut_after_an_epoch(tmp_path: Path, reference: bytes, stop: int) -> None:
    def cut(progress: Progress) -> None:
        if progress.epoch == stop:
            raise Cut

    with pytest.raises(Cut):
        fit(job(tmp_path), keypoints(), cut)
    assert whole(tmp_path) == reference
    assert [row.epoch for row in read_history(tmp_path / "history.csv")] == list(range(1, EPOCHS + 1))


def test_handed_over_between_processes(tmp_path: Path, reference: bytes) -> None:
    for until in (2, 3):
        assert not fit(job(tmp_path), keypoints(), no_watch, until)
    assert whole(tmp_path) == reference


@pytest.mark.parametrize("moment", range(1, 14, 2))
def test_cut_in_the_middle_of_a_write(
    tmp_path: Path, reference: bytes, monkeypatch: pytest.MonkeyPatch, moment: int
) -> None:
    """Every rename is a moment: before the first one of a save, between its two, after the last."""
    left = [moment]
    rename = Path.replace

    def counted(self: Path, target: Path) -> Path:
        left[0] -= 1
        if left[0] == 0:
            raise Cut
        return rename(self, target)

    with monkeypatch.context() as patch:
        patch.setattr(Path, "replace", counted)
        with pytest.raises(Cut):
            fit(job(tmp_path), keypoints(), no_watch)
    assert whole(tmp_path) == reference


def test_a_torn_checkpoint_costs_one_epoch(tmp_path: Path, reference: bytes) -> None:
    fit(job(tmp_path), keypoints(), no_watch, 3)
    last = tmp_path / "last.safetensors"
    last.write_bytes(last.read_bytes()[: last.stat().st_size // 2])
    epochs: list[int] = []
    fit(job(tmp_path), keypoints(), lambda progress: epochs.append(progress.epoch))
    assert epochs[0] == 3
    assert (tmp_path / "oof.parquet").read_bytes() == reference


def test_a_timm_backbone_resumes_too(tmp_path: Path) -> None:
    recipe = RECIPE.model_copy(update={"model": RECIPE.model.model_copy(update=TIMM)})
    alone = whole(tmp_path / "whole", recipe)
    fit(job(tmp_path / "cut", recipe), keypoints(recipe), no_watch, 3)
    assert whole(tmp_path / "cut", recipe) == alone


def test_sgd_resumes_too(tmp_path: Path) -> None:
    train = RECIPE.train.model_copy(update={"optimizer": "sgd", "lr": 0.02, "schedule": "one-cycle"})
    recipe = RECIPE.model_copy(update={"train": train})
    alone = whole(tmp_path / "whole", recipe)
    fit(job(tmp_path / "cut", recipe), keypoints(recipe), no_watch, 3)
    assert whole(tmp_path / "cut", recipe) == alone


def test_best_and_patience_resume_too(tmp_path: Path) -> None:
    train = RECIPE.train.model_copy(
        update={"keep": "best", "patience": 1, "evaluate_every": 1, "epochs": 12, "lr": 0.05}
    )
    recipe = RECIPE.model_copy(update={"train": train})
    alone = whole(tmp_path / "whole", recipe)
    ran = len(read_history(tmp_path / "whole" / "history.csv"))
    assert ran < 12, "patience never stopped this; choose a wilder learning rate"
    fit(job(tmp_path / "cut", recipe), keypoints(recipe), no_watch, ran - 1)
    assert whole(tmp_path / "cut", recipe) == alone
    assert len(read_history(tmp_path / "cut" / "history.csv")) == ran


@pytest.mark.parametrize(("keep", "ema"), [("last", 0.0), ("last", 0.9), ("best", 0.0), ("best", 0.9)])
def test_a_finished_fold_keeps_the_weights_that_predict_alone(tmp_path: Path, keep: str, ema: float) -> None:
    recipe = RECIPE.model_copy(update={"train": RECIPE.train.model_copy(update={"keep": keep, "ema": ema})})
    task, own = keypoints(recipe), job(tmp_path, recipe)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("kptool.engine.fit.slim", lambda *_: None)
        alone = whole(tmp_path, recipe)
    before = {file.name: file.stat().st_size for file in tmp_path.glob("*.safetensors")}
    fat, state = final_model(task, tmp_path, recipe), restore(own, task)
    assert state is not None
    slim(state, own)
    (file,) = tmp_path.glob("*.safetensors")
    assert file.name == f"{keep}.safetensors"
    assert len(before) == (3 if keep == "best" else 2)
    assert file.stat().st_size < sum(before.values()) / 3
    thin = final_model(task, tmp_path, recipe)
    assert fat is not None
    assert thin is not None
    for name, tensor in fat.state_dict().items():
        assert torch.equal(tensor, thin.state_dict()[name]), name
    assert fit(own, task, no_watch), "it is finished"
    (tmp_path / "oof.parquet").unlink()
    epochs: list[int] = []
    assert fit(own, keypoints(recipe), lambda progress: epochs.append(progress.epoch))
    assert (tmp_path / "oof.parquet").read_bytes() == alone, "and answers as before"
    assert (epochs[0] == EPOCHS) == (keep == "last"), "from its weights, where those of the last epoch are left"


def test_a_damaged_last_checkpoint_is_written_again(tmp_path: Path, reference: bytes) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("kptool.engine.fit.slim", lambda *_: None)
        whole(tmp_path)
    state = restore(job(tmp_path), keypoints())
    assert state is not None
    (tmp_path / "last.safetensors").write_bytes(b"torn")
    slim(state, job(tmp_path))
    assert final_model(keypoints(), tmp_path, RECIPE) is not None
    (tmp_path / "oof.parquet").unlink()
    assert whole(tmp_path) == reference


def test_it_learns(tmp_path: Path) -> None:
    """Three blobs of their own brightness, found far better than the mean shape finds them."""
    train = RECIPE.train.model_copy(update={"epochs": 20, "ema": 0.0, "clip": 0.0, "batch_size": 16})
    calm = RECIPE.augment.model_copy(update=dict.fromkeys(["brightness", "contrast", "rotate", "stretch"], 0.0))
    recipe = RECIPE.model_copy(update={"train": train, "augment": calm})
    seen: list[Progress] = []
    rows = np.arange(400)
    fit(replace(job(tmp_path, recipe), training=rows[:340], held_out=rows[340:]), keypoints(recipe, 400), seen.append)
    assert seen[-1].state == "done"
    assert seen[-1].heldout is not None
    assert seen[-1].heldout < seen[-1].baseline / 1.4


def test_a_loss_that_is_not_finite_stops_with_the_remedy(tmp_path: Path) -> None:
    fit(job(tmp_path), keypoints(), no_watch, 2)
    good = (tmp_path / "last.safetensors").read_bytes()
    train = RECIPE.train.model_copy(update={"lr": 1e30, "muon_lr": 1e30, "warmup": 0.0, "clip": 0.0})
    wild = RECIPE.model_copy(update={"train": train})
    with pytest.raises(DivergedError, match=r"fold 1: .* epoch [345]; lower train.lr \(now 1e\+30\)"):
        fit(replace(job(tmp_path), recipe=wild), keypoints(wild), no_watch)
    assert (tmp_path / "last.safetensors").read_bytes() == good or read_history(tmp_path / "history.csv")
