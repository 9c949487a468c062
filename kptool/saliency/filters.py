"""The filters that an image meets first."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any, cast

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from kptool.models.net import Net
from kptool.saliency.still import still


@dataclass(frozen=True)
class Filters:
    """A convolution's kernels.

    Attributes:
        name: the layer's dotted name in the network, as in "backbone.stem.0".
        weights: (n, C, h, w) float32, as stored; C is the channels that one filter reads.
    """

    name: str
    weights: npt.NDArray[np.float32]


def first_filters(model: nn.Module) -> Filters | None:
    """The first convolution with kernels larger than 1x1 that an image goes through; None where there is none.

    A grey image is shown to the network, because the order in which it names its layers need not be that in which
    it uses them.
    """
    net, met = cast(Net, model), list[str]()
    with still(model), torch.inference_mode(), ExitStack() as hooks:
        for name, module in model.named_modules():
            if isinstance(module, nn.Conv2d) and max(module.kernel_size) > 1:
                hooks.callback(module.register_forward_pre_hook(_noting(name, met)).remove)
        width, height = net.head.size
        net(torch.full((1, net.channels, height, width), 127.0, device=net.shift_units.device))
    if not met:
        return None
    layer = cast(nn.Conv2d, model.get_submodule(met[0]))
    return Filters(met[0], layer.weight.detach().float().cpu().numpy().copy())


def _noting(name: str, met: list[str]) -> Any:
    def note(_module: nn.Module, _inputs: object) -> None:
        met.append(name)

    return note
