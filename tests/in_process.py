"""Training without processes, for tests of what stands around it: a worker needs seconds to load torch."""

from __future__ import annotations

from collections.abc import Mapping

from kptool.engine.fit import Watch, fit
from kptool.engine.pool import MakeTask
from kptool.engine.state import Job

RUN_FOLDS = "kptool.engine.cross_validate.run_folds"


def here(jobs: Mapping[int, Job], _: object, make_task: MakeTask, __: int, watch: Watch) -> None:
    """`run_folds` in this process."""
    task = make_task()
    for job in jobs.values():
        fit(job, task, watch)
