"""Law: `kptool cv --track` shows what history.csv has, to float32, and trains the same bytes as without it."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path
from typing import NamedTuple

import pytest
from in_process import RUN_FOLDS, here
from own_competition import Own, write_own
from test_cli import Said, refused, run_kptool
from test_track import Broken, Recorder, curve, float32

from kptool.engine.history import read_history, write_history
from kptool.report import build
from kptool.report.load import load
from kptool.runs import lock, open_run
from kptool.track import TRACKERS, Tracker

FOLDS, EPOCHS = 2, 3


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> Own:
    return write_own(tmp_path_factory.mktemp("mine"))


def cv(own: Own, root: Path, *more: object) -> Said:
    return run_kptool("cv", own.competition, "--data", own.data, "--runs", root, "--workers", 1, *more)


def run_of(root: Path) -> Path:
    (path,) = (root / "own-faces").iterdir()
    return path


def tracked(name: str, tracker: Tracker) -> pytest.MonkeyPatch:
    """Make a tracker known by a name until the patch is undone."""
    patch = pytest.MonkeyPatch()
    patch.setattr("kptool.track.making.TRACKERS", {**TRACKERS, name: lambda: tracker})
    return patch


class Whole(NamedTuple):
    """A run trained in one go, what was said, and the tracker that broke on the way."""

    path: Path
    said: Said
    broken: Recorder


@pytest.fixture(scope="module")
def whole(own: Own, tmp_path_factory: pytest.TempPathFactory) -> Whole:
    """With TensorBoard, beside a tracker whose server goes away at the first epoch."""
    root, broken = tmp_path_factory.mktemp("whole"), Broken("epoch")
    patch = tracked("broken", broken)
    said = cv(own, root, "--track", "broken", "--track", "tensorboard")
    patch.undo()
    assert said.code == 0, said
    return Whole(run_of(root), said, broken)


@pytest.fixture(scope="module")
def plain(own: Own, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Trained without trackers."""
    root = tmp_path_factory.mktemp("plain")
    said = cv(own, root)
    assert said.code == 0, said
    return run_of(root)


def assert_whole_curves(run: Path) -> None:
    """Every epoch of every fold once, with the values of history.csv."""
    for fold in range(FOLDS):
        rows, place = read_history(run / f"fold-{fold}" / "history.csv"), run / "tensorboard" / f"fold-{fold}"
        assert [row.epoch for row in rows] == list(range(1, EPOCHS + 1))
        assert curve(place, "loss") == [(row.epoch, float32(row.loss)) for row in rows]
        assert curve(place, "images_per_second") == [(row.epoch, float32(row.images_per_second)) for row in rows]
        known = [(row.epoch, float32(row.heldout)) for row in rows if row.heldout is not None]
        assert curve(place, "heldout_rmse_px") == known
        assert known[-1][0] == EPOCHS


def test_tensorboard_s_files_equal_the_histories(whole: Whole) -> None:
    assert_whole_curves(whole.path)
    assert f"\ntensorboard: tensorboard --logdir {whole.path / 'tensorboard'}\n" in whole.said.out


def test_the_scores_are_the_report_s(whole: Whole) -> None:
    ((step, rmse),) = curve(whole.path / "tensorboard", "rmse_px")
    assert step == 0
    report = build(load(open_run(whole.path)))
    assert rmse == float32(report.metrics.rmse)
    for fold in report.folds:
        assert curve(whole.path / "tensorboard", f"fold_{fold.fold}/rmse_px") == [(0, float32(fold.rmse))]
    for name, part in report.metrics.by_scheme.items():
        assert curve(whole.path / "tensorboard", f"scheme/{name}/rmse_px") == [(0, float32(part.rmse))]


def test_trackers_change_no_byte_of_the_training(whole: Whole, plain: Path) -> None:
    assert (whole.path / "oof.parquet").read_bytes() == (plain / "oof.parquet").read_bytes()
    assert not (plain / "tensorboard").exists()


def test_a_tracker_that_breaks_costs_a_line(whole: Whole) -> None:
    assert len(whole.broken.points) == 1
    assert whole.said.out.count("broken is switched off") == 1
    assert "\x1b" not in whole.said.out
    assert whole.broken.calls == ["begin", "close"]


def test_killed_and_resumed_the_curves_have_no_seam(whole: Whole, own: Own, tmp_path: Path) -> None:
    """As a kill leaves it: TensorBoard was told of an epoch whose checkpoint was torn, and of no other fold."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(RUN_FOLDS, here)
        patch.setattr("kptool.engine.fit.slim", lambda *_: None)  # the checkpoint before the last is still there
        assert cv(own, tmp_path, "--track", "tensorboard").code == 0
    run = run_of(tmp_path)
    for file in ("oof.parquet", "fold-1/oof.parquet", "fold-1/last.safetensors"):
        (run / file).unlink()
    write_history(run / "fold-1" / "history.csv", read_history(run / "fold-1" / "history.csv")[: EPOCHS - 1])
    shutil.rmtree(run / "tensorboard" / "fold-0")
    said = run_kptool("cv", "--resume", run, "--track", "tensorboard")
    assert said.code == 0, said
    assert_whole_curves(run)
    assert (run / "oof.parquet").read_bytes() == (whole.path / "oof.parquet").read_bytes()


def test_ctrl_c_closes_the_trackers_and_says_how_to_go_on_with_them(
    plain: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stop(*_: object) -> None:
        raise KeyboardInterrupt

    seen, run = Recorder(), Path(shutil.copytree(plain, tmp_path / "stopped"))
    monkeypatch.setattr("kptool.track.making.TRACKERS", {"seen": lambda: seen})
    monkeypatch.setattr("kptool.engine.cross_validate.train", stop)
    said = run_kptool("cv", "--resume", run, "--track", "seen")
    assert (said.code, seen.calls) == (130, ["begin", "close"])
    assert said.out.endswith(f"to go on: kptool cv --resume {run} --track seen\n")


def test_a_run_that_another_process_trains_is_left_to_its_trackers(plain: Path, tmp_path: Path) -> None:
    run = open_run(Path(shutil.copytree(plain, tmp_path / "held")))
    with lock(run):
        assert "is being trained by another process" in refused(2, "cv", "--resume", run.path, "--track", "tensorboard")
    assert not (run.path / "tensorboard").exists()


def test_a_run_that_was_trained_without_gets_whole_curves(plain: Path, tmp_path: Path) -> None:
    run = Path(shutil.copytree(plain, tmp_path / "late"))
    for _ in range(2):
        said = run_kptool("cv", "--resume", run, "--track", "tensorboard", "--json")
        assert said.code == 0, said
        assert f"tensorboard --logdir {run / 'tensorboard'}" in said.err, "JSON has the standard output to itself"
        assert_whole_curves(run)


def test_a_wrong_name_and_a_missing_package_are_told_before_any_training(
    own: Own, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    words = ["cv", own.competition, "--data", own.data, "--runs", tmp_path, "--track"]
    assert refused(2, *words, "tensor-board") == ("--track tensor-board: no such tracker; did you mean 'tensorboard'?")
    monkeypatch.setitem(sys.modules, "wandb", None)
    assert refused(2, *words, "wandb") == (
        '--track wandb: the package wandb is not installed; pip install "kptool-cv[wandb]"'
    )
    assert list(tmp_path.iterdir()) == []
