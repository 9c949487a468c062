"""Measuring in processes of their own, on two cores, several side by side at the same moment."""

from __future__ import annotations

import multiprocessing as mp
import os
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from multiprocessing.sharedctypes import Synchronized
from typing import Any, NamedTuple, TypeVar

T = TypeVar("T")

# What would change memory or threads behind both sides' backs.
SETTINGS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "GLIBC_TUNABLES", "LD_PRELOAD")
PATIENCE = 120.0
CONTEXT = mp.get_context("spawn")


class Meeting(NamedTuple):
    """Where processes wait for each other without ceasing to work.

    Attributes:
        ready: how many have warmed up.
        done: how many have measured.
        wanted: how many there are.
    """

    ready: Synchronized[int]
    done: Synchronized[int]
    wanted: int


def meet(count: int) -> Meeting:
    """A meeting for `count` processes, to be handed to them by `side_by_side`."""
    return Meeting(CONTEXT.Value("i", 0), CONTEXT.Value("i", 0), count)


def side_by_side(jobs: Sequence[Callable[[], T]]) -> list[T]:
    """What the jobs return, each called in a fresh process of its own, in any order."""
    results = CONTEXT.SimpleQueue()
    team = [CONTEXT.Process(target=_put, args=(results, job)) for job in jobs]
    for process in team:
        process.start()
    for process in team:
        process.join()
    assert all(process.exitcode == 0 for process in team), "a measured process failed, its trace stands above"
    return [results.get() for _ in team]


def rate(step: Callable[[], int], meeting: Meeting, warm: float, seconds: float) -> float:
    """Images a second of `step`, which returns how many it trained on, over a window of whole steps.

    Every process works before, through and after the others' windows, so that none is measured alone.
    """
    begun, steps = time.perf_counter(), 0
    while steps < 3 or time.perf_counter() - begun < warm:
        step()
        steps += 1
    _keep_on(step, meeting.ready, meeting.wanted)
    images, begun = 0, time.perf_counter()
    while (spent := time.perf_counter() - begun) < seconds:
        images += step()
    _keep_on(step, meeting.done, meeting.wanted)
    return images / spent


@contextmanager
def two_cores() -> Iterator[int]:
    """Give processes started inside two cores, or the one there is, and no settings; yields how many."""
    kept = {name: os.environ.pop(name) for name in SETTINGS if name in os.environ}
    cores = sorted(os.sched_getaffinity(0)) if sys.platform == "linux" else list(range(os.cpu_count() or 1))
    try:
        if sys.platform == "linux":
            os.sched_setaffinity(0, cores[:2])
        yield len(cores[:2]) if sys.platform == "linux" else len(cores)
    finally:
        if sys.platform == "linux":
            os.sched_setaffinity(0, cores)
        os.environ.update(kept)


def _keep_on(step: Callable[[], int], counter: Synchronized[int], wanted: int) -> None:
    with counter.get_lock():
        counter.value += 1
    begun = time.perf_counter()
    while counter.value < wanted:
        step()
        assert time.perf_counter() - begun < PATIENCE, "the other process never came"


def _put(results: Any, job: Callable[[], T]) -> None:
    results.put(job())
