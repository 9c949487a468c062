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
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple

from torch import nn

from kptool.errors import UsageError, did_you_mean

Pair = tuple[int, int]  # across, down

# What follows a layer's word, in order, and then by name.
PLACED = {
    "conv": ("filters", "kernel"), "pool": ("kernel",), "dense": ("units",), "dropout": ("chance",),
    "relu": (), "sigmoid": (), "tanh": (), "norm": (), "flatten": (),
}  # fmt: skip
NAMED = {"conv": ("stride", "pad"), "pool": ("stride", "pad")}
FORMS = {
    "conv": "write it as conv N K [stride S] [pad P], as in 'conv 16 7 stride 2'",
    "pool": "write it as pool K [stride S] [pad P], as in 'pool 3 stride 2'",
    "dense": "write it as dense N, as in 'dense 120'",
    "dropout": "write it as dropout P with P from 0 to below 1, as in 'dropout 0.3'",
}
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


class Line(NamedTuple):
    """One line as read: its word, its settings as text by name, and how messages call it."""

    word: str
    settings: dict[str, str]
    place: str

    @property
    def form(self) -> str:
        """The remedy for a wrong setting."""
        return FORMS.get(self.word, f"write '{self.word}' alone")

    def whole(self, name: str) -> int:
        """A setting that is one whole number of 1 or more."""
        text = self.settings[name]
        if not re.fullmatch(r"[1-9]\d{0,6}", text, re.ASCII):
            raise UsageError(f"{self.place}: {name} is '{text}', expected a whole number of 1 or more", self.form)
        return int(text)

    def pair(self, name: str, default: Pair, least: int = 1) -> Pair:
        """A setting that is N or WxH."""
        text = self.settings.get(name)
        if text is None:
            return default
        found = re.fullmatch(r"(\d{1,4})(?:x(\d{1,4}))?", text, re.ASCII)
        values = (int(found[1]), int(found[2] or found[1])) if found else (-1, -1)
        if min(values) < least:
            raise UsageError(
                f"{self.place}: {name} is '{text}', expected whole numbers of {least} or more, as 5 or 5x3", self.form
            )
        return values

    def chance(self, name: str) -> float:
        """A setting from 0 to below 1."""
        text = self.settings[name]
        if not re.fullmatch(r"0|0?\.\d+", text, re.ASCII):
            raise UsageError(f"{self.place}: {name} is '{text}', expected a fraction below 1", self.form)
        return float(text)


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
        line = read_line(text, f"model.layers[{number}]: '{text}'")
        if line.word == "dense" and flow.cells:
            modules.append(nn.Flatten())
            flow = _flat(flow)
        module, flow = _make(line, flow)
        modules.append(module)
    return nn.Sequential(*modules), flow


def read_line(text: str, place: str) -> Line:
    """One line taken apart; `place` begins its messages.

    Raises:
        UsageError: an unknown word, with the closest one, or settings that are missing, doubled or unknown.
    """
    word, *rest = text.split() or [""]
    if word not in PLACED:
        raise UsageError(f"{place}: no layer is called '{word}'", did_you_mean(word, PLACED))
    placed, named = PLACED[word], NAMED.get(word, ())
    settings, more = dict(zip(placed, rest, strict=False)), rest[len(placed) :]
    line = Line(word, settings, place)
    if len(settings) < len(placed):
        raise UsageError(f"{place}: {placed[len(settings)]} is missing", line.form)
    for name, value in zip(more[::2], [*more[1::2], None][: len(more[::2])], strict=True):
        if name not in named:
            raise UsageError(f"{place}: '{name}' is not understood", _remedy(name, named, line.form))
        if name in settings or value is None:
            raise UsageError(f"{place}: {name} {'has no value' if value is None else 'stands there twice'}", line.form)
        settings[name] = value
    return line


def _remedy(name: str, named: Sequence[str], form: str) -> str:
    close = did_you_mean(name, named) if named else ""
    return close if close.startswith("did") else form


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
    pad = line.pair("pad", (0, 0), least=0)
    width, height = ((cells[i] + 2 * pad[i] - kernel[i]) // stride[i] + 1 for i in (0, 1))
    if min(width, height) < 1:
        raise UsageError(
            f"{line.place}: gets an image of {cells[0]}x{cells[1]} px, smaller than its {kernel[0]}x{kernel[1]}",
            "take larger images (crop.width, crop.height), fewer pools or some padding",
        )
    lattice = _after(flow.lattice or Lattice(), kernel, stride, pad)
    k, s, p = kernel[::-1], stride[::-1], pad[::-1]  # torch counts rows first
    if line.word == "conv":
        filters = line.whole("filters")
        return nn.Conv2d(flow.features, filters, k, s, p), Flow(filters, (width, height), lattice)
    if any(2 * more > side for more, side in zip(pad, kernel, strict=True)):
        raise UsageError(f"{line.place}: pad is more than half of the {kernel[0]}x{kernel[1]}", "pad less")
    return nn.MaxPool2d(k, s, p), Flow(flow.features, (width, height), lattice)


def _after(before: Lattice, kernel: Pair, stride: Pair, pad: Pair) -> Lattice:
    """Where the windows' centres lie: without padding a window starts inside the image, and edges may be left out."""
    ways = [(before.first[i], before.step[i], kernel[i], stride[i], pad[i]) for i in (0, 1)]
    x, y = (first + step * ((k - 1) / 2 - p) for first, step, k, _, p in ways)
    across, down = (step * s for _, step, _, s, _ in ways)
    return Lattice((x, y), (across, down))


def _flat(flow: Flow) -> Flow:
    width, height = flow.cells or (1, 1)
    return Flow(flow.features * width * height, None)
