"""Steps, schedules and averages."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from kptool.config import TrainOptions
from kptool.engine import checkpoint
from kptool.engine.optim import Muon, make_optimizers, orthogonalise, set_rates, update_average
from kptool.engine.schedule import schedule
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


SGD = TrainOptions(optimizer="sgd", lr=0.1, momentum=0.8, weight_decay=0.3, schedule="constant", warmup=0.0)


def small_net() -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(2, 3, 3, bias=False), nn.BatchNorm2d(3), nn.Flatten(), nn.Linear(3 * 2 * 5, 4))


def test_sgd_trains_all_and_decays_weights_only() -> None:
    (sgd,) = make_optimizers(small_net(), SGD)
    assert isinstance(sgd, torch.optim.SGD)
    decayed, plain = sgd.param_groups
    assert [p.ndim for p in decayed["params"]] == [4, 2]
    assert [p.ndim for p in plain["params"]] == [1, 1, 1]
    assert (decayed["weight_decay"], plain["weight_decay"]) == (0.3, 0.0)


@pytest.mark.parametrize("momentum", [0.0, 0.8])
def test_sgd_against_a_plain_loop(momentum: float) -> None:
    """Nesterov: the velocity is stepped ahead once more before it moves the weight."""
    options = SGD.model_copy(update={"momentum": momentum})
    model = nn.Linear(5, 1)
    (optimizer,) = make_optimizers(model, options)
    weight, bias = model.weight.detach().double().clone(), model.bias.detach().double().clone()
    velocities = torch.zeros(1, 5, dtype=torch.float64), torch.zeros(1, dtype=torch.float64)
    generator = torch.Generator().manual_seed(4)
    for _ in range(6):
        gradients = [torch.randn(p.shape, generator=generator) for p in (model.weight, model.bias)]
        model.weight.grad, model.bias.grad = (g.clone() for g in gradients)
        optimizer.step()
        for value, velocity, gradient, decay in zip((weight, bias), velocities, gradients, (0.3, 0.0), strict=True):
            force = gradient.double() + decay * value
            velocity.mul_(momentum).add_(force)
            value.sub_(0.1 * (force + momentum * velocity))
    assert model.weight.detach().numpy() == pytest.approx(weight.numpy(), rel=1e-5)
    assert model.bias.detach().numpy() == pytest.approx(bias.numpy(), rel=1e-5)


def test_one_cycle_lowers_the_momentum_of_sgd_too() -> None:
    options = SGD.model_copy(update={"schedule": "one-cycle"})
    optimizers = make_optimizers(small_net(), options)
    for progress, rate, momentum in ((0.3, 1.0, 0.72), (0.15, 0.5, 0.76), (0.9999, 0.0, 0.8)):
        set_rates(optimizers, options, progress)
        for group in optimizers[0].param_groups:
            assert group["lr"] == pytest.approx(0.1 * rate, abs=1e-4)
            assert group["momentum"] == pytest.approx(momentum, abs=1e-4)


@pytest.mark.parametrize("momentum", [0.0, 0.8])
@pytest.mark.parametrize("stop", [0, 1, 3])
def test_sgd_goes_on_from_a_checkpoint_bit_for_bit(tmp_path: Path, stop: int, momentum: float) -> None:
    """Kernels lie channels_last, as on a CPU; a velocity laid out otherwise would still have the right values."""
    options = SGD.model_copy(update={"momentum": momentum})
    whole, cut = (trained(None, options, 5) for _ in range(2))
    assert all(torch.equal(a, b) for a, b in zip(whole[0].values(), cut[0].values(), strict=True))
    model, optimizers = trained(None, options, stop)
    file = tmp_path / "last.safetensors"
    checkpoint.save(file, {f"model/{n}": t for n, t in model.items()} | checkpoint.optimizer_tensors(optimizers), {})
    found = checkpoint.load(file)
    assert found is not None
    assert sum("momentum_buffer" in name for name in found[0]) == (5 if stop and momentum else 0)
    resumed, _ = trained(found[0], options, 5, stop)
    assert all(torch.equal(whole[0][name], resumed[name]) for name in whole[0])


def trained(
    tensors: checkpoint.Tensors | None, options: TrainOptions, steps: int, begin: int = 0
) -> tuple[checkpoint.Tensors, list[torch.optim.Optimizer]]:
    """The net's state after steps begin to `steps`, each on a batch that is a function of its number."""
    torch.manual_seed(2)
    model = small_net().to(memory_format=torch.channels_last)
    optimizers = make_optimizers(model, options)
    if tensors is not None:
        state = {n.removeprefix("model/"): t for n, t in tensors.items() if n.startswith("model/")}
        model.load_state_dict(state)
        checkpoint.restore_optimizers(optimizers, tensors)
    for step in range(begin, steps):
        generator = torch.Generator().manual_seed(step)
        set_rates(optimizers, options, step / 5)
        images = torch.randn(7, 2, 4, 7, generator=generator)
        model.zero_grad()
        model(images).square().mean().backward()
        for optimizer in optimizers:
            optimizer.step()
    return model.state_dict(), optimizers
