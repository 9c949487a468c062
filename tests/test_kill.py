"""kill -9 at any instant: nobody is left writing, at most an epoch is lost, and the end has the same bytes."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

linux = pytest.mark.skipif(sys.platform != "linux", reason="finds the workers through /proc")

SETTINGS = ["model.width=8", "train.precision=fp32", "train.ema=0.95", "train.keep=best", "train.evaluate_every=1"]
EPOCHS = 10


def command(*more: str) -> list[str]:
    return [sys.executable, "-m", "kptool", "cv", *more]


def begin() -> list[str]:
    sets = [part for setting in SETTINGS for part in ("--set", setting)]
    return command("demo", "--folds", "0,3", "--epochs", str(EPOCHS), *sets)


def run_of(folder: Path) -> Path | None:
    found = sorted(folder.glob("runs/demo/*/folds.parquet"))
    assert len(found) <= 1, "a kill and a resume must not begin a second run"
    return found[0].parent if found else None


def saved_epochs(run: Path) -> dict[str, int]:
    """Epochs that history.csv tells of, by fold; it is written after the checkpoint it speaks of."""
    histories = run.glob("fold-*/history.csv")
    return {file.parent.name: len(file.read_text().splitlines()) - 1 for file in histories}


def children(pid: int) -> list[int]:
    try:
        return [int(v) for v in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except OSError:
        return []


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False


def kill_once(folder: Path, args: list[str], generator: np.random.Generator) -> None:
    """Start, kill the parent alone at a random moment, and see its workers follow it.

    Three kills of four come up to 0.4 s after a random number of saved epochs, the others anywhere in the first
    seconds, while the run is being made or its workers start.
    """
    process = subprocess.Popen(args, cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    begun, early = epochs_of(folder), generator.random() < 0.25
    more, moment = int(generator.integers(1, 6)), time.monotonic() + float(generator.uniform(0, 8))
    while process.poll() is None and (time.monotonic() < moment if early else epochs_of(folder) < begun + more):
        time.sleep(0.02)
    time.sleep(float(generator.uniform(0, 0.4)))
    workers = children(process.pid) if process.poll() is None else []
    process.kill()
    process.wait()
    deadline = time.monotonic() + 10
    while any(alive(pid) for pid in workers):
        assert time.monotonic() < deadline, "a worker outlived its parent"
        time.sleep(0.05)


def epochs_of(folder: Path) -> int:
    run = run_of(folder)
    return sum(saved_epochs(run).values()) if run else 0


def finish(folder: Path, args: list[str]) -> bytes:
    done = subprocess.run(args, cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    run = run_of(folder)
    assert run is not None
    return (run / "oof.parquet").read_bytes()


def kill_many(folder: Path, kills: int, seed: int) -> int:
    """Kill a run again and again; returns how many kills came between two epochs of the training."""
    generator, during = np.random.default_rng(seed), 0
    for _ in range(kills):
        run = run_of(folder)
        before = saved_epochs(run) if run else {}
        kill_once(folder, command("--resume", str(run)) if run else begin(), generator)
        run = run_of(folder)
        after = saved_epochs(run) if run else {}
        assert all(after[fold] >= epochs for fold, epochs in before.items()), "a kill lost a saved epoch"
        during += bool(after) and any(epochs < EPOCHS for epochs in after.values())
    return during


@linux
def test_a_few_kills(tmp_path: Path) -> None:
    (tmp_path / "whole").mkdir()
    (tmp_path / "cut").mkdir()
    whole = finish(tmp_path / "whole", begin())
    assert kill_many(tmp_path / "cut", 3, seed=0) > 0
    run = run_of(tmp_path / "cut")
    assert finish(tmp_path / "cut", command("--resume", str(run)) if run else begin()) == whole


@linux
@pytest.mark.slow
def test_a_hundred_kills(tmp_path: Path) -> None:
    (tmp_path / "whole").mkdir()
    whole, kills, round_ = finish(tmp_path / "whole", begin()), 0, 0
    while kills < 100:  # a run survives only so many before it is finished: then the next one
        folder = tmp_path / f"cut-{round_}"
        folder.mkdir()
        kill_many(folder, 5, seed=round_)
        run = run_of(folder)
        assert finish(folder, command("--resume", str(run)) if run else begin()) == whole
        kills, round_ = kills + 5, round_ + 1
