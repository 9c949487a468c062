"""One plain function trains one fold.

Order, augmentation and dropout are functions of (seed, fold, epoch, step), the learning rate of the step. So a
checkpoint at the end of an epoch is all there is to a fold's state, and a fold cut off anywhere and resumed ends with
the same bytes as one that was left alone.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from torch import nn

from kptool.config import Recipe
from kptool.dataset import Ints
from kptool.device import autocast
from kptool.engine import checkpoint
from kptool.engine.history import Epoch, write_history
from kptool.engine.optim import make_optimizers, set_rates, update_average
from kptool.engine.progress import Doing, Progress
from kptool.errors import DivergedError
from kptool.tasks.contract import Task

Watch = Callable[[Progress], None]


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


def fit(job: Job, task: Task, watch: Watch, until: int | None = None) -> bool:
    """Train a fold from wherever it stands, up to epoch `until` (None = the end), and predict its held-out rows.

    Returns:
        Whether the fold is finished, its out-of-fold predictions written.

    Raises:
        DivergedError: the loss stopped being finite; the last good epoch is on disk.
    """
    oof = job.out / "oof.parquet"
    if oof.is_file():
        return True
    state = _restore(job, task) or _start(job, task)
    baseline = task.baseline(job.training, job.held_out)
    epochs = job.recipe.train.epochs
    for epoch in range(state.epoch, min(until or epochs, epochs)):
        if _stopped_early(state, job):
            break
        _train_epoch(state, job, task, epoch)
        _evaluate(state, job, task)
        _save(state, job)
        watch(_progress(state, job, baseline, "training"))
    early = _stopped_early(state, job)
    if state.epoch < epochs and not early:
        watch(_progress(state, job, baseline, "waiting"))  # another process goes on with it
        return False
    watch(_progress(state, job, baseline, "predicting"))
    task.write_predictions(_final_model(state, job, task), job.held_out, oof)
    watch(_progress(state, job, baseline, "stopped early" if early else "done"))
    return True


def final_model(task: Task, out: Path, recipe: Recipe) -> nn.Module | None:
    """The model of a finished fold that predicts, in evaluation mode; None where its weights are gone or damaged."""
    best = recipe.train.keep == "best"
    files = [out / "best.safetensors"] if best else [out / "last.safetensors", out / "previous.safetensors"]
    if (found := checkpoint.load_newest(*files)) is None:
        return None
    tensors, _ = found
    prefix = "average/" if any(name.startswith("average/") for name in tensors) else "model/"
    model = task.model()
    model.load_state_dict({n.removeprefix(prefix): t for n, t in tensors.items() if n.startswith(prefix)})
    return model.eval()


def step_seed(*numbers: int) -> int:
    """One 63-bit seed from (seed, fold, epoch, step)."""
    return int(np.random.SeedSequence(numbers).generate_state(1, np.uint64)[0] >> np.uint64(1))


def _start(job: Job, task: Task) -> State:
    # A worker's global torch generator belongs to its fold: initialisation and dropout know no other.
    torch.manual_seed(step_seed(job.recipe.seed, job.fold))
    model = task.model()
    optimizers = make_optimizers(model, job.recipe.train)
    average = {n: t.detach().clone() for n, t in model.state_dict().items()} if job.recipe.train.ema else None
    return State(model, optimizers, average)


def _restore(job: Job, task: Task) -> State | None:
    found = checkpoint.load_newest(job.out / "last.safetensors", job.out / "previous.safetensors")
    if found is None:
        return None
    tensors, saved = found
    state = _start(job, task)
    state.model.load_state_dict({n.removeprefix("model/"): t for n, t in tensors.items() if n.startswith("model/")})
    checkpoint.restore_optimizers(state.optimizers, tensors)
    for name in state.average or {}:
        assert state.average is not None
        state.average[name].copy_(tensors[f"average/{name}"])
    state.epoch, state.best_epoch = saved["epoch"], saved["best_epoch"]
    state.best = math.inf if saved["best"] is None else saved["best"]
    state.history = [Epoch(*row) for row in saved["history"]]
    return state


def _train_epoch(state: State, job: Job, task: Task, epoch: int) -> None:
    train, begun = job.recipe.train, time.perf_counter()
    steps = steps_per_epoch(len(job.training), train.batch_size)
    order = np.random.default_rng([job.recipe.seed, job.fold, epoch]).permutation(job.training)
    total = torch.zeros((), device=job.device)
    state.model.train()
    for step in range(steps):
        set_rates(state.optimizers, train, (epoch * steps + step) / (train.epochs * steps))
        rows = order[step * train.batch_size : (step + 1) * train.batch_size]
        total += train_step(state, job, task, rows, (epoch, step))
        if state.average is not None:
            update_average(state.average, state.model.state_dict(), train.ema, epoch * steps + step)
    loss = float(total) / steps
    if not math.isfinite(loss):
        raise DivergedError(
            f"fold {job.fold}: the loss is {loss} in epoch {epoch + 1}",
            f"lower train.lr (now {train.lr:g}) and train.muon_lr (now {train.muon_lr:g}), or set train.clip=1",
        )
    seconds = time.perf_counter() - begun
    spent = state.history[-1].seconds if state.history else 0.0
    state.epoch = epoch + 1
    speed = min(steps * train.batch_size, len(job.training)) / seconds
    state.history.append(Epoch(state.epoch, loss, None, spent + seconds, speed))


def steps_per_epoch(rows: int, batch_size: int) -> int:
    """Whole batches only, so that no step weighs a few rows as much as many; at least one."""
    return max(1, rows // batch_size)


def train_step(state: State, job: Job, task: Task, rows: Ints, place: tuple[int, int]) -> torch.Tensor:
    """One step on a batch of rows; `place` is (epoch, step). Returns the detached loss."""
    numbers = (job.recipe.seed, job.fold, *place)
    torch.manual_seed(step_seed(*numbers))  # dropout
    with autocast(job.device, job.precision):
        loss = task.loss(state.model, rows, np.random.default_rng([*numbers, 1]))
    for optimizer in state.optimizers:
        optimizer.zero_grad(set_to_none=True)
    loss.backward()  # type: ignore[no-untyped-call]
    if job.recipe.train.clip:
        nn.utils.clip_grad_norm_(state.model.parameters(), job.recipe.train.clip)
    for optimizer in state.optimizers:
        optimizer.step()
    return loss.detach()


def _evaluate(state: State, job: Job, task: Task) -> None:
    train = job.recipe.train
    if state.epoch % train.evaluate_every and state.epoch != train.epochs:
        return
    score = task.score(_averaged(state, task), job.held_out)
    state.history[-1] = state.history[-1]._replace(heldout=score)
    if score < state.best:
        state.best, state.best_epoch = score, state.epoch
        if train.keep == "best":
            checkpoint.save(job.out / "best.safetensors", _weights(state), {"epoch": state.epoch, "score": score})


def _averaged(state: State, task: Task) -> nn.Module:
    if state.average is None:
        return state.model.eval()
    model = task.model()
    model.load_state_dict(state.average)
    return model.eval()


def _weights(state: State) -> checkpoint.Tensors:
    if state.average is None:
        return {f"model/{n}": t for n, t in state.model.state_dict().items()}
    return {f"average/{n}": t for n, t in state.average.items()}


def _save(state: State, job: Job) -> None:
    tensors = {f"model/{n}": t for n, t in state.model.state_dict().items()}
    tensors |= _weights(state) | checkpoint.optimizer_tensors(state.optimizers)
    best = state.best if math.isfinite(state.best) else None
    saved = {"epoch": state.epoch, "best": best, "best_epoch": state.best_epoch, "history": state.history}
    checkpoint.save(job.out / "last.safetensors", tensors, saved, previous=job.out / "previous.safetensors")
    write_history(job.out / "history.csv", state.history)


def _final_model(state: State, job: Job, task: Task) -> nn.Module:
    found = final_model(task, job.out, job.recipe)
    return found if found is not None else _averaged(state, task)


def _stopped_early(state: State, job: Job) -> bool:
    patience, every = job.recipe.train.patience, job.recipe.train.evaluate_every
    return bool(patience) and state.epoch - state.best_epoch >= patience * every


def _progress(state: State, job: Job, baseline: float, doing: Doing) -> Progress:
    last = state.history[-1]
    return Progress(
        job.fold, state.epoch, job.recipe.train.epochs, last.loss, last.heldout, baseline,
        last.images_per_second, last.seconds, doing,
    )  # fmt: skip
