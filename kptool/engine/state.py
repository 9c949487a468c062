"""What a fold carries from epoch to epoch, and how it is laid on disk and taken up again."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from kptool.config import Recipe
from kptool.dataset import Ints
from kptool.engine import checkpoint
from kptool.engine.history import Epoch, write_history
from kptool.engine.optim import make_optimizers
from kptool.tasks.contract import Task


@dataclass(frozen=True)
class Job:
    """One fold: plain and picklable, the unit of resuming and of distribution.

    Attributes:
        out: the fold's folder.
        fold: its number.
        recipe: everything that decides a score.
        training: (n,) rows to learn from.
        held_out: (m,) rows to predict.
        device: a torch device.
        precision: "fp32" or "bf16".
    """

    out: Path
    fold: int
    recipe: Recipe
    training: Ints
    held_out: Ints
    device: str
    precision: str


@dataclass
class State:
    """Everything a fold carries from epoch to epoch."""

    model: nn.Module
    optimizers: list[torch.optim.Optimizer]
    average: dict[str, torch.Tensor] | None
    epoch: int = 0
    best: float = math.inf
    best_epoch: int = 0
    history: list[Epoch] = field(default_factory=list)


def start(job: Job, task: Task, fresh: bool = True) -> State:
    """A fold before its first epoch; not `fresh` = about to be filled from a checkpoint."""
    # A worker's global torch generator belongs to its fold: initialisation and dropout know no other.
    torch.manual_seed(step_seed(job.recipe.seed, job.fold))
    model = task.model(fresh)
    if fresh:
        task.prime(model, job.training)
    optimizers = make_optimizers(model, job.recipe.train)
    average = {n: t.detach().clone() for n, t in model.state_dict().items()} if job.recipe.train.ema else None
    return State(model, optimizers, average)


def restore(job: Job, task: Task) -> State | None:
    """A fold as its newest whole checkpoint has it; None where there is none."""
    found = checkpoint.load_newest(job.out / "last.safetensors", job.out / "previous.safetensors")
    if found is None:
        return None
    tensors, saved = found
    state = start(job, task, fresh=False)
    if saved.get("finished"):  # it will answer, and not be trained: `slim` left its judged weights alone
        judged = _judged(tensors)
        state.model.load_state_dict(judged)
        averages = judged
    else:
        state.model.load_state_dict(_named(tensors, "model/"))
        checkpoint.restore_optimizers(state.optimizers, tensors)
        averages = _named(tensors, "average/")
    for name, tensor in (state.average or {}).items():
        tensor.copy_(averages[name])
    state.epoch, state.best_epoch = saved["epoch"], saved["best_epoch"]
    state.best = math.inf if saved["best"] is None else saved["best"]
    state.history = [Epoch(*row) for row in saved["history"]]
    return state


def save(state: State, job: Job) -> None:
    """Lay a fold on disk: the checkpoint first, then the curves it speaks of."""
    tensors = {f"model/{n}": t for n, t in state.model.state_dict().items()}
    tensors |= weights(state) | checkpoint.optimizer_tensors(state.optimizers)
    checkpoint.save(job.out / "last.safetensors", tensors, _told(state), previous=job.out / "previous.safetensors")
    write_history(job.out / "history.csv", state.history)


def _told(state: State) -> dict[str, Any]:
    """What a checkpoint says of a fold beside its tensors; `restore` reads it."""
    best = state.best if math.isfinite(state.best) else None
    return {"epoch": state.epoch, "best": best, "best_epoch": state.best_epoch, "history": state.history}


def averaged(state: State, task: Task) -> nn.Module:
    """The model that is judged, in evaluation mode: the averaged one where the recipe averages."""
    if state.average is None:
        return state.model.eval()
    model = task.model(fresh=False)
    model.load_state_dict(state.average)
    return model.eval()


def weights(state: State) -> checkpoint.Tensors:
    """The tensors of the model that is judged, by their names in a checkpoint."""
    if state.average is None:
        return {f"model/{n}": t for n, t in state.model.state_dict().items()}
    return {f"average/{n}": t for n, t in state.average.items()}


def final_model(task: Task, out: Path, recipe: Recipe) -> nn.Module | None:
    """The model of a finished fold that predicts, in evaluation mode; None where its weights are gone or damaged."""
    best = recipe.train.keep == "best"
    files = [out / "best.safetensors"] if best else [out / "last.safetensors", out / "previous.safetensors"]
    if (found := checkpoint.load_newest(*files)) is None:
        return None
    model = task.model(fresh=False)
    model.load_state_dict(_judged(found[0]))
    return model.eval()


def slim(state: State, job: Job) -> None:
    """Leave of a finished fold the weights that predict: the rest only served to go on training.

    AdamW carries two numbers beside each weight, and a checkpoint has a second generation, so that is six parts of
    seven. A kill in between leaves more than is needed, never less.
    """
    last, previous, best = (job.out / f"{name}.safetensors" for name in ("last", "previous", "best"))
    if job.recipe.train.keep == "best" and checkpoint.load(best) is not None:
        previous.unlink(missing_ok=True)
        last.unlink(missing_ok=True)
    else:
        previous.unlink(missing_ok=True)  # first, because there may be no room for both
        checkpoint.save(last, weights(state), _told(state) | {"finished": True})


def _judged(tensors: checkpoint.Tensors) -> checkpoint.Tensors:
    """The weights of the model that is judged: averaged ones, where there are some."""
    return _named(tensors, "average/") or _named(tensors, "model/")


def _named(tensors: checkpoint.Tensors, prefix: str) -> checkpoint.Tensors:
    return {name.removeprefix(prefix): tensor for name, tensor in tensors.items() if name.startswith(prefix)}


def predicting_model(state: State, job: Job, task: Task) -> nn.Module:
    """The model whose predictions count: of the last epoch or the best, as the recipe says."""
    found = final_model(task, job.out, job.recipe)
    return found if found is not None else averaged(state, task)


def step_seed(*numbers: int) -> int:
    """One 63-bit seed from (seed, fold, epoch, step)."""
    return int(np.random.SeedSequence(numbers).generate_state(1, np.uint64)[0] >> np.uint64(1))
