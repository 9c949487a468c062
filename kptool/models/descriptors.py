"""A backbone of hand-made descriptors, told line by line; it has nothing to learn.

::

    hog CELL BINS [cut P]      histograms of oriented gradients
    lbp RADIUS CELL [cut P]    uniform local binary patterns
    lpq WINDOW CELL [cut P]    local phase quantisation; WINDOW is odd

Numbers are px but BINS. P px are left out on every side of the frame before, one number for all or WxH. Each line gives
a list of numbers, brought to length 1; a picture's descriptor is all of them after each other.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import torch
from torch import nn

from kptool.errors import UsageError
from kptool.models.codes import Lbp, Lpq
from kptool.models.hog import Hog
from kptool.models.lines import Language, Line, Pair, read_line

_PLACED = {"hog": ("cell", "bins"), "lbp": ("radius", "cell"), "lpq": ("window", "cell")}
_FORMS = {
    "hog": "write it as hog CELL BINS [cut P], as in 'hog 8 16'",
    "lbp": "write it as lbp RADIUS CELL [cut P], as in 'lbp 2 10'",
    "lpq": "write it as lpq WINDOW CELL [cut P], as in 'lpq 9 15'",
}
DESCRIPTORS = Language("descriptor", _PLACED, dict.fromkeys(_PLACED, ("cut",)), _FORMS)
MAKERS: dict[str, Callable[[int, int], Hog | Lbp | Lpq]] = {"hog": Hog, "lbp": Lbp, "lpq": Lpq}


class Part(NamedTuple):
    """One line: its module, what it leaves out of the frame, and how many numbers it gives."""

    module: Hog | Lbp | Lpq
    cut: Pair
    length: int


class Descriptors(nn.Module):
    """(B, 1, H, W) -> (B, F), see the module's docstring.

    Attributes:
        lengths: how many numbers each line gives; F is their sum.
    """

    def __init__(self, parts: Sequence[Part]) -> None:
        super().__init__()
        self.modules_of_lines = nn.ModuleList([part.module for part in parts])
        self.cuts = [part.cut for part in parts]
        self.lengths = [part.length for part in parts]

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Float32, whatever autocast says."""
        out = []
        for module, (across, down) in zip(self.modules_of_lines, self.cuts, strict=True):
            shown = images[:, :, down : images.shape[2] - down, across : images.shape[3] - across]
            out.append(nn.functional.normalize(module(shown).float(), dim=1))
        return torch.cat(out, 1)


def make_descriptors(lines: Sequence[str], channels: int, size: tuple[int, int]) -> Descriptors:
    """The descriptors of some lines.

    Args:
        channels: of the images; 1.
        size: (W, H) of the images.

    Raises:
        UsageError: a line that makes no sense or leaves nothing of the image, by number (from 0) and text; colour.
    """
    if channels != 1:
        raise UsageError("descriptors are of grey pictures, but model.channels is 3", "set model.channels to 1")
    if not lines:
        raise UsageError("model.layers is empty", "list the descriptors, as in layers = ['hog 8 16', 'lbp 2 10']")
    return Descriptors([_part(text, number, size) for number, text in enumerate(lines)])


def _part(text: str, number: int, size: tuple[int, int]) -> Part:
    line = read_line(text, f"model.layers[{number}]: '{text}'", DESCRIPTORS)
    cut = line.pair("cut", (0, 0), least=0)
    first, second = (line.whole(name) for name in _PLACED[line.word])
    _refuse(line, first, second)
    left = (size[0] - 2 * cut[0], size[1] - 2 * cut[1])
    module = MAKERS[line.word](first, second)
    length = module.length(left) if min(left) > 0 else 0
    if length <= 0:
        raise UsageError(
            f"{line.place}: no whole cell fits into {left[0]}x{left[1]} px", "take a larger frame or smaller cells"
        )
    return Part(module, cut, length)


def _refuse(line: Line, first: int, second: int) -> None:
    if line.word == "lpq" and (first % 2 == 0 or first < 3):
        raise UsageError(f"{line.place}: window is {first}, expected an odd number of 3 or more", line.form)
    if line.word == "hog" and second < 2:
        raise UsageError(f"{line.place}: bins is {second}, expected 2 or more", line.form)
