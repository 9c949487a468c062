"""One plain function trains one fold.

Order, augmentation and dropout are functions of (seed, fold, epoch, step), the learning rate of the step. So a
checkpoint at the end of an epoch is all there is to a fold's state, and a fold cut off anywhere and resumed ends with
the same bytes as one that was left alone.
"""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable

import numpy as np
import torch
from torch import nn

from kptool.dataset import Ints
from kptool.device import autocast
from kptool.engine import checkpoint
from kptool.engine.history import Epoch, write_history
from kptool.engine.optim import set_rates, update_average
from kptool.engine.progress import Doing, Progress
from kptool.engine.state import Job, State, averaged, predicting_model, restore, save, slim, start, step_seed, weights
from kptool.errors import DivergedError
from kptool.files import write_text
from kptool.tasks.contract import Task

Watch = Callable[[Progress], None]


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
    task = task.of_fold(job.fold)
    kept = restore(job, task)
    state = kept or start(job, task)
    baseline = task.baseline(job.training, job.held_out)
    epochs = job.recipe.train.epochs
    for epoch in range(state.epoch, min(until or epochs, epochs)):
        if _stopped_early(state, job):
            break
        _train_epoch(state, job, task, epoch)
        _evaluate(state, job, task)
        save(state, job)
        watch(_progress(state, job, baseline, "training"))
    if not state.history and kept is None:  # of no epochs: what it began with is what predicts
        save(state, job)
    write_history(job.out / "history.csv", state.history)  # a kill may have come between checkpoint and curves
    early = _stopped_early(state, job)
    if state.epoch < epochs and not early:
        watch(_progress(state, job, baseline, "waiting"))  # another process goes on with it
        return False
    watch(_progress(state, job, baseline, "predicting"))
    model = predicting_model(state, job, task)
    write_text(job.out / "learned.json", json.dumps(task.learned(model)))
    task.write_predictions(model, job.held_out, oof)  # this file says that the fold is finished
    slim(state, job)
    watch(_progress(state, job, baseline, "stopped early" if early else "done"))
    return True


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
    score = task.score(averaged(state, task), job.held_out)
    state.history[-1] = state.history[-1]._replace(heldout=score)
    if score < state.best:
        state.best, state.best_epoch = score, state.epoch
        if train.keep == "best":
            checkpoint.save(job.out / "best.safetensors", weights(state), {"epoch": state.epoch, "score": score})


def _stopped_early(state: State, job: Job) -> bool:
    patience, every = job.recipe.train.patience, job.recipe.train.evaluate_every
    return bool(patience) and state.epoch - state.best_epoch >= patience * every


def _progress(state: State, job: Job, baseline: float, doing: Doing) -> Progress:
    last = state.history[-1] if state.history else Epoch(0, math.nan, None, 0.0, 0.0)
    return Progress(
        job.fold, state.epoch, job.recipe.train.epochs, last.loss, last.heldout, baseline,
        last.images_per_second, last.seconds, doing,
    )  # fmt: skip
