"""Cells that divide a frame evenly, and what of a line of values lies in each."""

from __future__ import annotations

import numpy as np
import torch

from kptool.geometry import Floats
from kptool.models.heads.places import pitch


def grid_of(size: tuple[int, int], cells: int) -> tuple[int, int]:
    """(w, h) of a grid over a frame of (W, H) px: `cells` along the longer side, the frame's aspect as near as can be.

    Cell j of a side of W px covers j·W/w - 0.5 to (j + 1)·W/w - 0.5, as a resized image's pixel does.
    """
    assert cells >= 1, cells
    width, height = (max(1, round(cells * side / max(size))) for side in size)
    return width, height


def of_hats(places: torch.Tensor, side: int, cells: int) -> Floats:
    """(B, cells, n) what each cell of a side holds of values that stand at even places, drawn as a line between them.

    A value is a hat: it falls to 0 at its neighbours' places. Each cell takes its mean over the cell, so nothing is
    lost between places closer than cells, and places wider apart leave no steps. What a hat holds beyond the frame is
    cut off.

    Args:
        places: (B, n) px, n of 2 or more.
        side: W or H of the frame, px.
        cells: of the grid along that side.
    """
    step = pitch(places[0])
    away = (_edges(side, cells)[:, None] - places.double().cpu().numpy()[:, None]) / step
    low, high = np.clip(away, -1, 0), np.clip(away, 0, 1)
    below = (1 + low) ** 2 / 2 + high - high**2 / 2  # of a hat of area 1, left of each edge
    share: Floats = np.diff(below, axis=1) * (step * cells / side)
    return share


def of_pixels(side: int, cells: int) -> Floats:
    """(cells, side) the share of each pixel in each cell's mean; each row sums to 1."""
    below = np.clip(_edges(side, cells)[:, None] - np.arange(side) + 0.5, 0, 1)
    return np.diff(below, axis=0) * cells / side


def _edges(side: int, cells: int) -> Floats:
    return np.arange(cells + 1) * side / cells - 0.5
