"""Labels that lie outside the image by more than its size, and what is done about them."""

from __future__ import annotations

from dataclasses import replace
from typing import Literal

import numpy as np

from kptool.dataset import Dataset, Mask
from kptool.errors import DataError


def apply_outside(dataset: Dataset, policy: Literal["keep", "mask", "fail"]) -> tuple[Dataset, list[str]]:
    """Find points outside [-W, 2W) x [-H, 2H) and keep them, mask them (not labelled) or stop.

    Returns:
        The dataset (a new one where points were masked; the digest is the files' and stays) and one line per point.

    Raises:
        DataError: policy "fail" and there is such a point; names the first and counts the rest.
    """
    size = dataset.sizes.astype(np.float64)[:, None]
    # NaN compares false on both sides, so an unlabelled point is never outside.
    outside: Mask = np.any((dataset.points < -size) | (dataset.points >= 2 * size), axis=-1)
    lines = []
    for n, k in np.argwhere(outside):
        x, y = dataset.points[n, k]
        at = f"({x:.1f}, {y:.1f}) in a {dataset.sizes[n, 0]}x{dataset.sizes[n, 1]} image"
        lines.append(f"training row {dataset.ids[n]}: {dataset.schema.points[k]} at {at}")
    if not lines or policy == "keep":
        return dataset, lines
    if policy == "fail":
        more = f" (and {len(lines) - 1} more)" if len(lines) > 1 else ""
        raise DataError(f"{lines[0]}{more}", 'correct the label, or set data.outside to "mask" or "keep"')
    return replace(dataset, points=np.where(outside[..., None], np.nan, dataset.points)), lines
