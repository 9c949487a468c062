"""Trackers from their names."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Final

from kptool.errors import UsageError, did_you_mean
from kptool.track.contract import Tracker
from kptool.track.words import one_line


def _tensorboard() -> Tracker:
    from kptool.track.tensorboard import TensorBoard

    return TensorBoard()


def _mlflow() -> Tracker:
    from kptool.track.mlflow import MLflow

    return MLflow()


def _wandb() -> Tracker:
    from kptool.track.wandb import WandB

    return WandB()


TRACKERS: Final[Mapping[str, Callable[[], Tracker]]] = {
    "tensorboard": _tensorboard,
    "mlflow": _mlflow,
    "wandb": _wandb,
}


def make(names: Sequence[str]) -> dict[str, Tracker]:
    """A tracker for each name; a name given twice counts once. Only the packages of those named are loaded.

    Raises:
        UsageError: no such tracker, or its package is missing or cannot be loaded.
    """
    for name in names:
        if name not in TRACKERS:
            raise UsageError(f"--track {name}: no such tracker", did_you_mean(name, TRACKERS))
    return {name: _load(name) for name in dict.fromkeys(names)}


def _load(name: str) -> Tracker:
    try:
        return TRACKERS[name]()
    except Exception as error:  # other people's packages break in their own ways as they are loaded
        missing = isinstance(error, ModuleNotFoundError) and (error.name or "").partition(".")[0] == name
        why = f"the package {name} is not installed" if missing else f"its package fails with {one_line(error)}"
        raise UsageError(f"--track {name}: {why}", f'pip install "kptool-cv[{name}]"') from None
