"""Maps of where a model looks, for some images of a task."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Literal, cast

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from kptool.dataset import Ints, Mask
from kptool.device import autocast
from kptool.models.net import Net
from kptool.pictures import model_images
from kptool.pixels import Tick
from kptool.saliency.gradient import count_of, gradient
from kptool.saliency.grid import grid_of
from kptool.saliency.heat import Mapped, heat
from kptool.saliency.still import still
from kptool.schemes import marked_by
from kptool.tasks.keypoints import Keypoints

MOST_PIXELS = 400_000
"""Shown at once: what a backward pass keeps of them is a hundred times as much and more."""


@dataclass(frozen=True)
class Looks:
    """Where a model looks, for n images.

    Attributes:
        kind: "heat", what it believes of each point's place; "gradient", how strongly its answer depends on the image.
        maps: (n, K or 1, h, w) float32, 0 to 1 by each map's own maximum, or empty; the cells cover the model's frame
            evenly. With 1 for several points, the map is that of all together.
    """

    kind: Literal["heat", "gradient"]
    maps: npt.NDArray[np.float32]


def look(task: Keypoints, model: nn.Module, rows: Ints, cells: int = 24, tick: Tick | None = None) -> Looks:
    """Where a model looks in `rows`, plain view, each in its own marking scheme.

    Heat comes from one pass in the task's precision. A gradient takes up to `gradient.PROBES` passes back, in float32.
    Where schemes have outputs of their own, a point that a row's scheme never labels was never taught there: its map
    is empty, and a map of all points is of the others. The model is left as it was, with its modules' training flags
    and without gradients on its parameters.

    Args:
        cells: of the maps' longer side; the other follows from the frame's aspect.
        tick: called as images are done; a gradient of an image can take a second.
    """
    net, size = cast(Net, model), task.arrays.size
    grid, head = grid_of(size, cells), net.head
    kind: Literal["heat", "gradient"]
    draw: Callable[[torch.Tensor, torch.Tensor, torch.Tensor], torch.Tensor]
    if isinstance(head, Mapped):
        kind, count, draw = "heat", head.points, partial(_heat, task, net, head, grid)
    else:
        kind, count, draw = "gradient", count_of(head.points), partial(gradient, net, grid)
    maps = np.zeros((len(rows), count, grid[1], grid[0]), dtype=np.float32)
    step, taught = max(1, MOST_PIXELS // (size[0] * size[1])), _taught(task)
    with still(model):
        for start in range(0, len(rows), step):
            part = rows[start : start + step]
            shown = model_images(task.arrays, part), task.scheme[part], taught[task.scheme[part]]
            maps[start : start + step] = draw(*(torch.from_numpy(a).to(task.device) for a in shown)).cpu().numpy()
            if tick:
                tick(start + len(part), len(rows))
    return Looks(kind, maps)


def _taught(task: Keypoints) -> Mask:
    """(S, K) the points that a scheme's outputs were trained on; all where schemes share them."""
    known: Mask = np.asarray(np.isfinite(task.taught).all(-1))
    if task.sets == 1:
        return np.ones((task.schemes, known.shape[1]), dtype=np.bool_)
    return marked_by(known, task.scheme, task.schemes)


def _heat(
    task: Keypoints,
    net: Net,
    head: Mapped,
    grid: tuple[int, int],
    images: torch.Tensor,
    scheme: torch.Tensor,
    taught: torch.Tensor,
) -> torch.Tensor:
    with torch.inference_mode():
        with autocast(task.device, task.precision):
            raw = net(images)
        return heat(head, raw, scheme, net.label_shift(scheme), grid) * taught[..., None, None]
