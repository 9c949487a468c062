"""Where the cells of maps, and the bins of a line, stand in the model's frame."""

from __future__ import annotations

import torch

from kptool.geometry import resize
from kptool.models.layers import Lattice


def cell_centres(
    cells: tuple[int, int], size: tuple[int, int], axis: int, reach: float, lattice: Lattice | None = None
) -> torch.Tensor:
    """The centres of a map's columns (axis 0) or rows (axis 1), px of the model's frame.

    Args:
        cells: (w, h) of the map.
        lattice: where they lie; None = they cover the frame as a resized image would (`geometry.resize`).
        size: (W, H) of the frame.
        axis: 0 = x, 1 = y.
        reach: the places are stretched by this factor about the middle.

    Returns:
        (w,) or (h,) float32.
    """
    line = torch.arange(cells[axis], dtype=torch.float64)
    if lattice is None:
        centres = torch.from_numpy(resize(cells, size)(torch.stack([line, line], -1).numpy())[:, axis])
    else:
        centres = lattice.first[axis] + lattice.step[axis] * line
    middle = (size[axis] - 1) / 2
    return ((centres - middle) * reach + middle).float()


def even_places(side: int, margin: float, bins: float) -> torch.Tensor:
    """Places `bins` to a px that cover a side and `margin` px beyond each end, even about the middle; float32."""
    count = max(2, round((side + 2 * margin) * bins))
    line = torch.arange(count, dtype=torch.float64) - (count - 1) / 2
    return (line / bins + (side - 1) / 2).float()


def pitch(places: torch.Tensor) -> float:
    """The distance between neighbours, px."""
    return float(places[-1] - places[0]) / (len(places) - 1)


def covered(points: torch.Tensor, xs: torch.Tensor, ys: torch.Tensor) -> torch.Tensor:
    """(B, K) True where a point (B, K, 2) is labelled and stands on the ground of some column and row.

    What stands beyond them cannot be told as a peak on them. It is left out rather than moved to their edge.
    """
    inside = torch.isfinite(points).all(-1)
    for axis, places in enumerate((xs, ys)):
        half = pitch(places) / 2 + 1e-3  # float32 must not lose the frame's very edge
        at = points[..., axis]
        inside = inside & (at >= places[0] - half) & (at <= places[-1] + half)
    return inside
