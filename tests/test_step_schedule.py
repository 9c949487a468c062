"""Law: schedule step stays at its peak and falls to a tenth as each epoch of drop_at is done, at no other step."""

from __future__ import annotations

import pytest
import torch

from kptool.config import TrainOptions
from kptool.engine.optim import make_optimizers, set_rates
from kptool.engine.schedule import schedule
from kptool.errors import UsageError


def options(epochs: int, drop_at: list[int], warmup: float = 0.0) -> TrainOptions:
    return TrainOptions(epochs=epochs, schedule="step", drop_at=drop_at, warmup=warmup)


@pytest.mark.parametrize("epochs", [7, 49, 150, 200])
@pytest.mark.parametrize("steps", [1, 3, 27, 34])
def test_every_step_of_an_epoch_has_one_rate(epochs: int, steps: int) -> None:
    """As the engine asks for it: progress is a quotient, and what it rounds moves no drop by a step."""
    drops = [1, epochs // 5, epochs // 2]  # 1 / 49 * 49 is less than 1
    train = options(epochs, drops)
    for epoch in range(epochs):
        wanted = 0.1 ** sum(epoch >= drop for drop in drops)
        for step in range(steps):
            rate, momentum = schedule(train, (epoch * steps + step) / (epochs * steps))
            assert rate == pytest.approx(wanted, rel=1e-12), (epoch, step)
            assert momentum == 1


def test_the_sources_drop_after_epoch_40() -> None:
    train = options(200, [40])
    assert schedule(train, 0.0)[0] == 1
    assert schedule(train, (40 * 27 - 1) / (200 * 27))[0] == 1
    assert schedule(train, 40 / 200)[0] == pytest.approx(0.1)
    assert schedule(train, 1 - 1e-9)[0] == pytest.approx(0.1)


def test_it_warms_up_as_the_others_do() -> None:
    constant = TrainOptions(epochs=20, schedule="constant", warmup=0.25)
    for progress in (0.0, 0.1, 0.2, 0.3, 0.9):
        assert schedule(options(20, [19], 0.25), progress) == schedule(constant, progress)
    assert schedule(options(20, [2], 0.25), 0.125)[0] == pytest.approx(0.05), "half way up, and dropped"


def test_drops_and_the_schedule_step_go_together() -> None:
    with pytest.raises(UsageError, match="give both, or neither"):
        options(10, [])
    with pytest.raises(UsageError, match="give both, or neither"):
        TrainOptions(drop_at=[3])


def test_the_order_of_drops_means_nothing_and_later_ones_never_come() -> None:
    for progress in (0.0, 0.29, 0.31, 0.61, 0.99):
        assert schedule(options(10, [6, 3]), progress) == schedule(options(10, [3, 6]), progress)
        assert schedule(options(10, [3, 90]), progress) == schedule(options(10, [3]), progress)


def test_the_optimisers_get_it() -> None:
    train = options(10, [5]).model_copy(update={"optimizer": "adamw", "lr": 4e-3})
    optimizers = make_optimizers(torch.nn.Linear(3, 2), train)
    set_rates(optimizers, train, 0.5)
    assert [group["lr"] for group in optimizers[0].param_groups] == pytest.approx([4e-4, 4e-4])
