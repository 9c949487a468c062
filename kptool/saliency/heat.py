"""Heat: what a head that reads maps believes of each point's place, laid over the frame."""

from __future__ import annotations

from typing import cast

import torch

from kptool.models.heads import Heatmap, SimCC, SoftArgmax
from kptool.saliency.grid import of_hats

Mapped = SoftArgmax | Heatmap | SimCC
"""The heads whose raw output tells of each place how likely it is."""

FAINTEST = 1e-3
"""Of a map's own highest value: a map whose peak stands beyond the frame is not blown up from less than this."""


def heat(
    head: Mapped, raw: torch.Tensor, scheme: torch.Tensor, label_shift: torch.Tensor, grid: tuple[int, int]
) -> torch.Tensor:
    """(B, K, h, w) 0 to 1: each point's map over the model's frame, by its own maximum there.

    Of a soft-argmax it is the distribution whose mean is the point; of a heatmap head the map, without what is below
    0; of SimCC the product of the two distributions, as if x and y were believed independently. A cell of the head
    is laid where the head counts it (`xs`, `ys`), which neither covers the frame evenly nor ends with it, and moved by
    the model's label shift, so that a map belongs to the point as it is answered.

    Args:
        raw: the head's own output.
        scheme: (B,) each image's own.
        label_shift: (B, 2) px, see `Net`.
        grid: (w, h) of the result.
    """
    picked = head.pick(raw.float(), scheme)
    xs, ys = cast(torch.Tensor, head.xs), cast(torch.Tensor, head.ys)
    across, down = (
        torch.from_numpy(of_hats(places + moved[:, None], side, cells)).to(picked)[:, None]
        for places, moved, side, cells in zip((xs, ys), label_shift.unbind(-1), head.size, grid, strict=True)
    )
    if isinstance(head, SimCC):
        x, y = picked[..., : len(xs)].softmax(-1), picked[..., len(xs) :].softmax(-1)
        peak = x.amax(-1) * y.amax(-1)
        laid = (down @ y[..., None]) @ (across @ x[..., None]).mT
    else:
        maps = picked.clamp(min=0) if isinstance(head, Heatmap) else picked.flatten(-2).softmax(-1).view_as(picked)
        peak = maps.amax((-2, -1))
        laid = down @ maps @ across.mT
    highest = torch.maximum(laid.amax((-2, -1)), FAINTEST * peak)[..., None, None]
    return laid / highest.clamp(min=torch.finfo(torch.float32).tiny)  # an empty map stays empty
