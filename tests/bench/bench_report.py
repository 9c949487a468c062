"""Seconds of a whole `kptool report` process, in the terminal and as a page, and the page's size.

Run with: KPTOOL_BENCH_RUN=RUN pytest -m bench -s tests/bench/bench_report.py
RUN is a finished run, which is only read. Without it a small one is trained first: four points, 60 images, two folds,
a few seconds. The cache is the tests' own, so RUN's data must still stand where the run found it.

Each command runs once unmeasured, which fills the cache with the run's frames and the system's with its files, and is
printed as `first`; then three times, and the median counts. Output goes to a pipe: no small pictures are drawn.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import time
from pathlib import Path

import pytest
from own_competition import write_own

ROUNDS = 3


@pytest.mark.bench
def test_report_and_page(tmp_path: Path) -> None:
    named = os.environ.get("KPTOOL_BENCH_RUN")
    run = Path(named) if named else trained(tmp_path)
    page = tmp_path / "report.html"
    ways = {
        "kptool --version": ["--version"],
        "report RUN": ["report", str(run)],
        "report RUN --html F": ["report", str(run), "--html", str(page)],
    }
    print(f"\n{run}; whole processes, seconds, median of {ROUNDS}")
    print(f"{'':22s}{'first':>8s}{'median':>8s}{'least':>8s}{'most':>8s}")
    for name, words in ways.items():
        first, found = seconds(*words), sorted(seconds(*words) for _ in range(ROUNDS))
        print(f"{name:22s}{first:8.2f}{statistics.median(found):8.2f}{found[0]:8.2f}{found[-1]:8.2f}")
    print(f"the page: {page.stat().st_size / 1e6:.2f} MB")


def trained(folder: Path) -> Path:
    """A run of a competition of one's own."""
    own, runs = write_own(folder), folder / "runs"
    seconds("cv", str(own.competition), "--data", str(own.data), "--runs", str(runs))
    (run,) = (runs / "own-faces").iterdir()
    return run


def seconds(*words: str) -> float:
    """Of one `kptool ...`, from the start of its process to its end."""
    begun = time.perf_counter()
    done = subprocess.run([sys.executable, "-m", "kptool", *words], capture_output=True, text=True, check=False)
    spent = time.perf_counter() - begun
    assert done.returncode == 0, done.stderr
    return spent
