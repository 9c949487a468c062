"""Training without processes, for tests of what stands around it: a worker needs seconds to load torch."""

from __future__ import annotations

from collections.abc import Mapping

import torch

from kptool.engine.fit import Watch, fit
from kptool.engine.pool import MakeTask
from kptool.engine.state import Job

RUN_FOLDS = "kptool.engine.cross_validate.run_folds"


def here(jobs: Mapping[int, Job], _: object, make_task: MakeTask, __: int, watch: Watch) -> None:
    """`run_folds` in this process."""
    _train(jobs, make_task, watch, None)


def one_epoch(jobs: Mapping[int, Job], _: object, make_task: MakeTask, __: int, watch: Watch) -> None:
    """A `run_folds` that is cut off after the first epoch of each fold."""
    _train(jobs, make_task, watch, 1)


def _train(jobs: Mapping[int, Job], make_task: MakeTask, watch: Watch, until: int | None) -> None:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)  # as a worker has, so that the bytes are a worker's
    try:
        task = make_task()
        for job in jobs.values():
            fit(job, task, watch, until)
    finally:
        torch.set_num_threads(threads)
