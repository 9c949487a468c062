"""A network told in lines, a line a layer, as a recipe's `model.layers` does.

::

    conv N K [stride S] [pad P]    N filters of K and a bias; stride 1 and no padding where nothing is told
    pool K [stride S] [pad P]      the largest of K; the stride is K where nothing is told
    dense N                        N units, each joined to everything before, and a bias
    relu | sigmoid | tanh
    dropout P                      in training each value becomes 0 with chance P, the others grow to make up for it
    norm                           batch norm
    flatten                        from maps to one list of numbers; the first dense does it by itself

K, S and P are one whole number for both ways, or two as width x height: `conv 32 5x3` has kernels 5 wide and 3 tall.
N is a whole number. As in torch, what does not fill a stride at the right or bottom edge is left out.

`pad same` is TensorFlow's: as much that n px become ⌈n/S⌉, max(0, (⌈n/S⌉ - 1)·S + K - n) in all, and where that is odd
the larger half at the right and bottom. A pool never takes what is padded for the largest.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

from torch import nn

from kptool.errors import UsageError
from kptool.models.lines import Language, Line, Pair, read_line

__all__ = ["Flow", "Lattice", "Pair", "make_layers"]

# What follows a layer's word, in order, and then by name.
_PLACED = {
    "conv": ("filters", "kernel"), "pool": ("kernel",), "dense": ("units",), "dropout": ("chance",),
    "relu": (), "sigmoid": (), "tanh": (), "norm": (), "flatten": (),
}  # fmt: skip
_NAMED = {"conv": ("stride", "pad"), "pool": ("stride", "pad")}
_FORMS = {
    "conv": "write it as conv N K [stride S] [pad P], as in 'conv 16 7 stride 2'",
    "pool": "write it as pool K [stride S] [pad P], as in 'pool 3 stride 2'",
    "dense": "write it as dense N, as in 'dense 120'",
    "dropout": "write it as dropout P with P from 0 to below 1, as in 'dropout 0.3'",
}
LAYERS = Language("layer", _PLACED, _NAMED, _FORMS)
CURVES = {"relu": nn.ReLU, "sigmoid": nn.Sigmoid, "tanh": nn.Tanh}


class Lattice(NamedTuple):
    """Where the cells of maps lie: px of the frame at which the first one's centre is, and from one to the next."""

    first: tuple[float, float] = (0.0, 0.0)
    step: tuple[float, float] = (1.0, 1.0)


class Flow(NamedTuple):
    """What comes out of a layer: `features` numbers at each of `cells` (w, h) places; None = one list, no places.

    The lattice says where the places are; None = they cover the frame evenly, as a resized image would.
    """

    features: int
    cells: Pair | None
    lattice: Lattice | None = None


def make_layers(lines: Sequence[str], channels: int, size: tuple[int, int]) -> tuple[nn.Sequential, Flow]:
    """The network of some lines, freshly initialised as torch does it, and what it hands to a head.

    Args:
        lines: see the module's docstring.
        channels: C of the images.
        size: (W, H) of the images.

    Raises:
        UsageError: a line that makes no sense, or that leaves nothing of the image, by number (from 0) and text.
    """
    if not lines:
        raise UsageError("model.layers is empty", "list the layers, as in layers = ['conv 16 7', 'relu', 'pool 2']")
    flow, modules = Flow(channels, size, Lattice()), list[nn.Module]()
    for number, text in enumerate(lines):
        line = read_line(text, f"model.layers[{number}]: '{text}'", LAYERS)
        if line.word == "dense" and flow.cells:
            modules.append(nn.Flatten())
            flow = _flat(flow)
        module, flow = _make(line, flow)
        modules.append(module)
    return nn.Sequential(*modules), flow


def _make(line: Line, flow: Flow) -> tuple[nn.Module, Flow]:
    """One layer that takes `flow`, and what comes out of it."""
    if line.word in CURVES:
        return CURVES[line.word](), flow
    if line.word == "dropout":
        return nn.Dropout(line.chance("chance")), flow
    if line.word == "norm":
        return (nn.BatchNorm2d(flow.features) if flow.cells else nn.BatchNorm1d(flow.features)), flow
    if line.word == "dense":
        units = line.whole("units")
        return nn.Linear(flow.features, units), Flow(units, None)
    if flow.cells is None:
        raise UsageError(f"{line.place}: after dense or flatten no image is left", f"put {line.word} before them")
    return (nn.Flatten(), _flat(flow)) if line.word == "flatten" else _window(line, flow, flow.cells)


def _window(line: Line, flow: Flow, cells: Pair) -> tuple[nn.Module, Flow]:
    """A convolution or a pooling: what slides over the image."""
    kernel = line.pair("kernel", (1, 1))
    stride = line.pair("stride", (1, 1) if line.word == "conv" else kernel)
    before, after = line.pads(cells, kernel, stride)
    width, height = ((cells[i] + before[i] + after[i] - kernel[i]) // stride[i] + 1 for i in (0, 1))
    if min(width, height) < 1:
        raise UsageError(
            f"{line.place}: gets an image of {cells[0]}x{cells[1]} px, smaller than its {kernel[0]}x{kernel[1]}",
            "take larger images (crop.width, crop.height), fewer pools or some padding",
        )
    if line.word == "pool" and any(2 * more > side for more, side in zip(before, kernel, strict=True)):
        raise UsageError(f"{line.place}: pad is more than half of the {kernel[0]}x{kernel[1]}", "pad less")
    lattice = _after(flow.lattice or Lattice(), kernel, stride, before)
    k, s = kernel[::-1], stride[::-1]  # torch counts rows first
    p = before[::-1] if before == after else 0
    features = line.whole("filters") if line.word == "conv" else flow.features
    slides = nn.Conv2d(flow.features, features, k, s, p) if line.word == "conv" else nn.MaxPool2d(k, s, p)
    out = Flow(features, (width, height), lattice)
    if before == after:
        return slides, out
    edge = nn.ConstantPad2d((before[0], after[0], before[1], after[1]), 0.0 if line.word == "conv" else -math.inf)
    return nn.Sequential(edge, slides), out


def _after(flow: Lattice, kernel: Pair, stride: Pair, pad: Pair) -> Lattice:
    """Where the windows' centres lie, of px padded at the left and top; without, a window starts inside the image."""
    ways = [(flow.first[i], flow.step[i], kernel[i], stride[i], pad[i]) for i in (0, 1)]
    x, y = (first + step * ((k - 1) / 2 - p) for first, step, k, _, p in ways)
    across, down = (step * s for _, step, _, s, _ in ways)
    return Lattice((x, y), (across, down))


def _flat(flow: Flow) -> Flow:
    width, height = flow.cells or (1, 1)
    return Flow(flow.features * width * height, None)
