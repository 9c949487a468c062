"""Steps, schedules and averages."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from kptool.config import TrainOptions
from kptool.engine.optim import Muon, make_optimizers, orthogonalise, schedule, set_rates, update_average
from kptool.models.kptiny import Kptiny


@pytest.mark.parametrize("shape", [(5, 9), (64, 17), (30, 30), (1, 8)])
def test_orthogonalise_drives_all_singular_values_near_one(shape: tuple[int, int]) -> None:
    torch.manual_seed(0)
    values = torch.linalg.svdvals(orthogonalise(torch.randn(shape) * 1e-3))
    assert 0.6 < float(values.min()) <= float(values.max()) < 1.3


def test_muon_keeps_the_norm_and_turns_the_kernel() -> None:
    torch.manual_seed(1)
    kernel = nn.Parameter(torch.randn(6, 5, 3, 2))
    kernel.grad = torch.randn_like(kernel)
    Muon([kernel], lr=0.0).step()
    assert float(kernel.detach().norm()) == pytest.approx(6**0.5, rel=1e-5)
    before = kernel.detach().clone()
    Muon([kernel], lr=0.1).step()
    moved = (kernel - before).detach().flatten(1)
    assert 0.06 < float(torch.linalg.svdvals(moved).mean()) < 0.13


def test_who_is_trained_by_what() -> None:
    model = nn.Sequential(
        nn.Conv2d(3, 8, 3, bias=False), nn.BatchNorm2d(8), nn.Conv2d(8, 8, 3, groups=8, bias=False),
        nn.Conv2d(8, 12, 3, bias=False), nn.BatchNorm2d(12), nn.Conv2d(12, 4, 1), nn.Flatten(), nn.Linear(4, 2),
    )  # fmt: skip
    adamw, muon = make_optimizers(model, TrainOptions(optimizer="muon"))
    assert [p.shape for g in muon.param_groups for p in g["params"]] == [(12, 8, 3, 3)]
    decayed, plain = adamw.param_groups
    assert all(p.ndim > 1 for p in decayed["params"])
    assert all(p.ndim <= 1 for p in plain["params"])
    assert plain["weight_decay"] == 0
    total = sum(len(g["params"]) for o in (adamw, muon) for g in o.param_groups)
    assert total == len(list(model.parameters()))
    assert len(make_optimizers(model, TrainOptions(optimizer="adamw"))) == 1
    assert len(make_optimizers(model, TrainOptions())) == 1
    assert len(make_optimizers(nn.Sequential(Kptiny(1, 8)), TrainOptions())) == 2


@pytest.mark.parametrize("kind", ["linear", "cosine", "one-cycle", "constant"])
def test_rates_rise_then_fall(kind: str) -> None:
    options = TrainOptions.model_validate({"schedule": kind, "warmup": 0.1})
    rates = np.array([schedule(options, p)[0] for p in np.linspace(0, 0.999, 1000)])
    assert rates.max() == pytest.approx(1, abs=0.01)
    assert (rates > 0).all()
    peak = int(rates.argmax())
    assert (np.diff(rates[: peak + 1]) >= -1e-12).all()
    assert (np.diff(rates[peak:]) <= 1e-12).all()
    assert rates[0] < 0.02
    assert rates[-1] == pytest.approx(1 if kind == "constant" else 0, abs=0.01)


def test_one_cycle_lowers_the_momentum_at_the_peak() -> None:
    options = TrainOptions(schedule="one-cycle", optimizer="muon")
    model = nn.Sequential(nn.Conv2d(1, 2, 3, bias=False), nn.Conv2d(2, 2, 3, bias=False))
    optimizers = make_optimizers(model, options)
    set_rates(optimizers, options, 0.3)
    assert optimizers[0].param_groups[0]["betas"][0] == pytest.approx(0.81)
    assert optimizers[1].param_groups[0]["momentum"] == pytest.approx(0.855)
    assert optimizers[0].param_groups[0]["lr"] == pytest.approx(options.lr)


def test_average_against_a_plain_loop() -> None:
    average = {"w": torch.zeros(3), "n": torch.tensor(0)}
    by_hand = np.zeros(3)
    for step in range(40):
        value = torch.full((3,), float(step))
        update_average(average, {"w": value, "n": torch.tensor(step)}, 0.9, step)
        decay = min(0.9, (1 + step) / (10 + step))
        by_hand = decay * by_hand + (1 - decay) * value.numpy()
    assert average["w"].numpy() == pytest.approx(by_hand, rel=1e-5)
    assert int(average["n"]) == 39
