"""Law: a worker that dies at once is told of, however much it was to be given; nobody waits for it for ever."""

from __future__ import annotations

import os
from pathlib import Path
from typing import NoReturn

import numpy as np
import pytest

from kptool.config import Recipe
from kptool.engine.pool import WorkerError, run_folds
from kptool.engine.state import Job

LARGE = 1 << 22  # bytes: more than any pipe holds


class Deadly:
    """Ends whichever process unpickles it."""

    def __init__(self) -> None:
        self.payload = bytes(LARGE)

    def __call__(self) -> NoReturn:
        raise AssertionError("nobody comes this far")

    def __setstate__(self, state: object) -> None:
        os._exit(7)


def test_a_worker_that_dies_before_it_has_read_its_task(tmp_path: Path) -> None:
    rows = np.arange(3)
    jobs = {fold: Job(tmp_path, fold, Recipe(), rows, rows, "cpu", "fp32") for fold in (0, 2)}
    with pytest.raises(WorkerError, match="its process ended with code 7"):
        run_folds(jobs, {0: 16, 2: 16}, Deadly(), 2, lambda _: None)
