"""The machine: which device, how many processes, which precision, and memory that is not given back in vain."""

from __future__ import annotations

import contextlib
import ctypes
import sys
import time
from collections.abc import Callable

import torch

from kptool.errors import UsageError
from kptool.machine import cores


def pick_device(name: str) -> str:
    """ "auto" -> "cuda" where there is a GPU, else "cpu"; other names are checked.

    Raises:
        UsageError: no such device here.
    """
    if name == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    try:
        torch.empty(0, device=name)
    except (RuntimeError, AssertionError) as error:
        raise UsageError(f"--device {name}: {str(error).splitlines()[0]}", "use auto, cpu, cuda or cuda:1") from None
    return name


def pick_workers(device: str, folds: int, asked: int | None = None) -> int:
    """Processes side by side: one a core on the CPU (each single-threaded), one on a GPU."""
    return max(1, min(folds, asked or (cores() if device == "cpu" else 1)))


def settle_process(device: str) -> None:
    """Make this process a worker: one thread on the CPU, and freed memory kept for the next step.

    With one thread a process, results do not depend on how many run side by side. glibc returns large buffers to the
    kernel at every free, and training then faults the same pages in at every step; four mallopt calls end that
    (1.4 to 2.2 times faster steps on the CPU, measured for the design).
    """
    import cv2

    cv2.setNumThreads(1)
    if device == "cpu":
        torch.set_num_threads(1)
    if sys.platform != "linux":
        return
    with contextlib.suppress(OSError, AttributeError):
        libc = ctypes.CDLL("libc.so.6")
        # M_MMAP_THRESHOLD, M_TRIM_THRESHOLD, M_TOP_PAD, M_ARENA_MAX of malloc.h
        for option, value in ((-3, 1 << 30), (-1, (1 << 31) - 1), (-2, 64 << 20), (-8, 2)):
            libc.mallopt(option, value)


def autocast(device: str, precision: str) -> contextlib.AbstractContextManager[object]:
    """The context a forward pass runs in."""
    kind = torch.device(device).type
    return torch.autocast(kind, torch.bfloat16) if precision == "bf16" else contextlib.nullcontext()


def pick_precision(step: Callable[[str], None], device: str, asked: str) -> str:
    """ "auto" -> the faster of fp32 and bf16 over three steps each after one to warm up.

    bf16 makes dense convolutions 1.6 to 2.3 times faster on processors that have it and depthwise ones slower, so it
    is timed on the model at hand. The choice is recorded with the run, so that a resumed run computes the same.

    Args:
        step: runs one training step in the named precision, on a model of its own.
        device: the torch device.
        asked: the recipe's train.precision.
    """
    if asked != "auto":
        return asked
    if torch.device(device).type != "cpu":
        # Older cards emulate bf16, many times slower than fp32: ask for the real thing.
        known = torch.device(device).type == "cuda" and torch.cuda.is_bf16_supported(including_emulation=False)
        return "bf16" if known else "fp32"
    seconds = {}
    for precision in ("fp32", "bf16"):
        step(precision)
        begun = time.perf_counter()
        for _ in range(3):
            step(precision)
        seconds[precision] = time.perf_counter() - begun
    return min(seconds, key=lambda precision: seconds[precision])
