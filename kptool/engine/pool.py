"""All folds of a run, side by side in processes of their own.

The parent only plans, listens and writes; it never trains. Workers are spawned, not forked (torch's threads do not
survive a fork), and end themselves when the parent is gone, so that a killed run leaves nobody writing into its folder.
"""

from __future__ import annotations

import multiprocessing as mp
import os
import signal
import threading
import traceback
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from typing import cast

import torch
from safetensors import SafetensorError

from kptool.device import settle_process
from kptool.engine.fit import Watch, fit
from kptool.engine.plan import Slice, plan
from kptool.engine.state import Job
from kptool.errors import KptoolError
from kptool.tasks.contract import Task

MakeTask = Callable[[], Task]


LESS_MEMORY = "resume with fewer --workers, or start anew with a smaller train.batch_size"


class WorkerError(KptoolError):
    """A worker ended without a word, or by a mistake of ours."""


@dataclass
class _Worker:
    process: BaseProcess
    pipe: Connection
    queue: list[Slice] = field(default_factory=list)
    slice: Slice | None = None


def run_folds(
    jobs: Mapping[int, Job], left: Mapping[int, int], make_task: MakeTask, workers: int, watch: Watch
) -> None:
    """Train folds until all are finished.

    Args:
        jobs: fold -> its job.
        left: fold -> epochs still to train.
        make_task: builds the task inside a worker; must pickle.
        workers: processes side by side.
        watch: called in this process with every epoch's progress.

    Raises:
        KptoolError: what stopped a worker; the others are ended too, and every fold keeps its last epoch.
    """
    epochs = next(iter(jobs.values())).recipe.train.epochs
    queues = plan(left, epochs, workers)
    reached = {fold: epochs - wanted for fold, wanted in left.items()}
    context = mp.get_context("spawn")
    team = [_hire(context, queue) for queue in queues]
    try:
        for worker in team:
            _send(worker, (dict(jobs), make_task))
        while any(worker.queue or worker.slice for worker in team):
            _hand_out(team, reached)
            ready = wait([worker.pipe for worker in team if worker.slice])
            for worker in team:
                if worker.pipe in ready:
                    _listen(worker, reached, watch)
    finally:
        for worker in team:
            worker.process.terminate()
        for worker in team:
            worker.process.join()
            worker.pipe.close()


def _hire(context: mp.context.SpawnContext, queue: list[Slice]) -> _Worker:
    ours, theirs = context.Pipe()
    # What it works on is sent later: as an argument it goes through a pipe that a worker dead at once never empties.
    process = context.Process(target=_work, args=(theirs,), daemon=True)
    process.start()
    theirs.close()  # else a dead worker's pipe never reads as closed
    return _Worker(process, ours, list(queue))


def _send(worker: _Worker, message: object) -> None:
    """Send to a worker; one that is dead is told of where its answer is awaited."""
    with suppress(BrokenPipeError, ConnectionResetError):
        worker.pipe.send(message)


def _hand_out(team: list[_Worker], reached: dict[int, int]) -> None:
    """Give every idle worker its next slice, once the fold has come to where the slice starts."""
    for worker in team:
        if worker.slice is None and worker.queue and reached[worker.queue[0].fold] >= worker.queue[0].start:
            worker.slice = worker.queue.pop(0)
            _send(worker, worker.slice)


def _listen(worker: _Worker, reached: dict[int, int], watch: Watch) -> None:
    assert worker.slice is not None
    fold = worker.slice.fold
    try:
        message = worker.pipe.recv()
    except (EOFError, ConnectionResetError):
        worker.process.join()
        code = worker.process.exitcode
        why = f"was killed (signal {-code})" if code and code < 0 else f"ended with code {code}"
        raise WorkerError(
            f"fold {fold}: its process {why}",
            f"often memory: {LESS_MEMORY}",
        ) from None
    if isinstance(message, KptoolError):
        raise message
    if isinstance(message, str):
        raise WorkerError(f"fold {fold}: {message.strip().splitlines()[-1]}", f"our bug; trace:\n{message}")
    if message is None:
        reached[fold], worker.slice = worker.slice.until, None
    else:
        watch(message)


def _work(pipe: Connection) -> None:
    """A worker's whole life: receive jobs and the way to their task, then slices; train them, report."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches all processes: the parent ends its workers itself
    _die_with_parent()
    try:
        jobs, make_task = cast(tuple[dict[int, Job], MakeTask], pipe.recv())
        settle_process(next(iter(jobs.values())).device)
        task = make_task()
        while True:
            part: Slice = pipe.recv()
            fit(jobs[part.fold], task, pipe.send, part.until)
            pipe.send(None)
    except EOFError:
        return
    except KptoolError as error:
        pipe.send(error)
    except torch.OutOfMemoryError as error:
        pipe.send(WorkerError(f"out of memory: {str(error).splitlines()[0]}", LESS_MEMORY))
    except (OSError, SafetensorError) as error:  # a full disk, most likely
        pipe.send(WorkerError(f"a fold could not go on: {error}", "mend that, then resume: the last epoch is kept"))
    except Exception:
        pipe.send(traceback.format_exc())


def _die_with_parent() -> None:
    parent = mp.parent_process()
    assert parent is not None

    def watch() -> None:
        wait([parent.sentinel])
        os._exit(1)  # not sys.exit: the main thread may be deep in a matrix product

    threading.Thread(target=watch, daemon=True).start()
