"""Optimisers and averaged weights. Learning rates are a function of the step (`engine.schedule`), never saved."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable

import torch
from torch import nn

from kptool.config import TrainOptions
from kptool.engine.schedule import schedule
from kptool.errors import UsageError
from kptool.models.kptiny import Kptiny


def orthogonalise(matrix: torch.Tensor, steps: int = 5) -> torch.Tensor:
    """The nearest semi-orthogonal matrix, roughly: singular values are driven into about [0.7, 1.2].

    Newton-Schulz quintic of Jordan et al. 2024 (https://kellerjordan.github.io/posts/muon/), coefficients theirs.

    Args:
        matrix: (m, n), any scale.
    """
    a, b, c = 3.4445, -4.7750, 2.0315
    x: torch.Tensor = matrix / (matrix.norm() + 1e-7)
    tall = x.size(0) > x.size(1)
    if tall:
        x = x.mT  # the smaller Gram matrix
    for _ in range(steps):
        gram = x @ x.mT
        x = a * x + (b * gram + c * gram @ gram) @ x
    return x.mT if tall else x


class Muon(torch.optim.Optimizer):
    """Momentum, orthogonalised, on kernels whose scale does not matter.

    Each kernel, flattened to (out, in·kh·kw), is first brought to the norm √out and then moves by a semi-orthogonal
    step. A norm layer follows such a kernel, so its own size only sets how far a step turns it; held fixed, the
    learning rate means the same from the first step to the last (as in Jordan's airbench94_muon.py).

    Args:
        params: tensors of two or more dimensions.
        lr: step size; scaled by √max(1, out/in) so that one value serves all shapes.
        momentum: Nesterov momentum.
    """

    def __init__(self, params: Iterable[torch.Tensor], lr: float, momentum: float = 0.95) -> None:
        super().__init__(params, {"lr": lr, "momentum": momentum})

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> None:  # type: ignore[override]
        """One update of every parameter that has a gradient."""
        assert closure is None
        for group in self.param_groups:
            for param in group["params"]:
                if param.grad is not None:
                    self._step_one(param, group["lr"], group["momentum"])

    def _step_one(self, param: nn.Parameter, lr: float, momentum: float) -> None:
        assert param.grad is not None
        state = self.state[param]
        if not state:
            state["momentum"] = torch.zeros_like(param)
        memory: torch.Tensor = state["momentum"]
        memory.mul_(momentum).add_(param.grad)
        ahead = param.grad.add(memory, alpha=momentum).flatten(1)
        update = orthogonalise(ahead).view_as(param)
        param.mul_(math.sqrt(ahead.size(0)) / (param.norm() + 1e-7))
        param.add_(update, alpha=-lr * math.sqrt(max(1.0, ahead.size(0) / ahead.size(1))))


def make_optimizers(model: nn.Module, options: TrainOptions) -> list[torch.optim.Optimizer]:
    """The optimisers of a model: sgd alone, or AdamW, and Muon where the recipe asks for it and it fits.

    sgd is Nesterov's momentum as Sutskever et al. 2013 write it, plain where train.momentum is 0. Muon takes dense
    convolutions without bias, the ones a norm layer follows. The first layer, whose inputs are raw pixels, and
    depthwise kernels, of rank 1, stay with AdamW. Biases and norms are not decayed.
    """
    muon = _for_muon(model, options)
    taken = {id(param) for param in muon}
    rest = [param for param in model.parameters() if param.requires_grad and id(param) not in taken]
    groups = [
        {"params": [p for p in rest if p.ndim > 1], "weight_decay": options.weight_decay},
        {"params": [p for p in rest if p.ndim <= 1], "weight_decay": 0.0},
    ]
    if options.optimizer == "sgd":
        # Not fused: that takes the first step of one parameter for the first step of all.
        return [torch.optim.SGD(groups, options.lr, options.momentum, nesterov=options.momentum > 0)]
    out: list[torch.optim.Optimizer] = [torch.optim.AdamW(groups, lr=options.lr, betas=(0.9, 0.99), fused=True)]
    return [*out, Muon(muon, options.muon_lr)] if muon else out


def _for_muon(model: nn.Module, options: TrainOptions) -> list[torch.Tensor]:
    """The kernels that Muon trains; raises UsageError where it is asked for by name and there are none."""
    # Orthogonalising costs as much as a step of resnet18 does on a CPU, and next to nothing for kptiny.
    small = any(isinstance(module, Kptiny) for module in model.modules())
    if options.optimizer != "muon" and not (options.optimizer == "auto" and small):
        return []
    convolutions = [m for m in model.modules() if isinstance(m, nn.Conv2d)]
    found = [m.weight for m in convolutions[1:] if m.bias is None and m.groups == 1]
    if not found and options.optimizer == "muon":
        raise UsageError(
            "train.optimizer is muon, but this network has no convolution for it",
            "it takes those without a bias, as of kptiny and timm; set adamw or sgd",
        )
    return found


def set_rates(optimizers: list[torch.optim.Optimizer], options: TrainOptions, progress: float) -> None:
    """Put the schedule's values into the optimisers."""
    rate, momentum = schedule(options, progress)
    for optimizer in optimizers:
        for group in optimizer.param_groups:
            if isinstance(optimizer, Muon):
                group["lr"], group["momentum"] = options.muon_lr * rate, 0.95 * momentum
            elif isinstance(optimizer, torch.optim.SGD):
                group["lr"], group["momentum"] = options.lr * rate, options.momentum * momentum
            else:
                group["lr"], group["betas"] = options.lr * rate, (0.9 * momentum, 0.99)


@torch.no_grad()
def update_average(average: dict[str, torch.Tensor], state: dict[str, torch.Tensor], decay: float, step: int) -> None:
    """Exponential moving average of a model's state, in place; young averages forget faster: min(d, (1+t)/(10+t)).

    Batch-norm statistics are averaged with the weights they belong to; counters are copied.
    """
    decay = min(decay, (1 + step) / (10 + step))
    for name, kept in average.items():
        if kept.dtype.is_floating_point:
            kept.lerp_(state[name], 1 - decay)
        else:
            kept.copy_(state[name])
