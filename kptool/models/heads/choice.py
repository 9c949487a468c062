"""Which head a recipe means, and whether its loss and its features fit it."""

from __future__ import annotations

from typing import Literal

from kptool.config import Loss, ModelOptions
from kptool.errors import UsageError
from kptool.losses import NLL
from kptool.models.heads.base import Head
from kptool.models.heads.heatmap import Heatmap
from kptool.models.heads.regression import Regression
from kptool.models.heads.simcc import SimCC
from kptool.models.heads.soft_argmax import SoftArgmax
from kptool.models.layers import Flow, Pair

Named = Literal["soft-argmax", "regression", "heatmap", "simcc"]

# The losses of "auto" are those that both of its heads know.
LOSSES: dict[str, tuple[Loss, ...]] = {
    "auto": Head.losses,
    "soft-argmax": SoftArgmax.losses,
    "regression": Regression.losses,
    "heatmap": Heatmap.losses,
    "simcc": SimCC.losses,
}


def refuse_loss(options: ModelOptions, loss: Loss) -> None:
    """Raises UsageError where a recipe's head cannot be trained with its loss."""
    known = LOSSES[options.head]
    if loss != "auto" and loss not in known:
        raise UsageError(
            f"model.head {options.head} cannot be trained with train.loss = {loss}",
            f"use {', '.join(known)} or auto",
        )


def reads_maps(head: Named) -> bool:
    """Whether a head does better by maps than by one list of numbers."""
    return head != "regression"


def make_head(
    options: ModelOptions, head: Named, flow: Flow, points: int, schemes: int, size: tuple[int, int], loss: Loss
) -> Head:
    """A head, freshly initialised from torch's global generator.

    Args:
        options: sigma and bins.
        head: which.
        flow: what it is given.
        points: K.
        schemes: S.
        size: (W, H) of the model's frame.
        loss: what it will be trained with.

    Raises:
        UsageError: a head that needs maps, or more of them, than it is given.
    """
    features, cells, lattice = flow
    _refuse_coarse(options, head, cells, size)
    if head == "regression":
        return Regression(features, points, schemes, size, loss in NLL)
    if head == "simcc":
        return SimCC(features, points, schemes, size, cells, options.sigma, options.bins)
    if cells is None:
        raise UsageError(
            f"model.head is {head}, which needs maps, but model.layers end in dense or flatten",
            "leave those out, or set model.head to regression",
        )
    if head == "soft-argmax":
        return SoftArgmax(features, points, schemes, size, cells, likely=loss in NLL, lattice=lattice)
    return Heatmap(features, points, schemes, size, cells, options.sigma, lattice=lattice)


def _refuse_coarse(options: ModelOptions, head: Named, cells: Pair | None, size: tuple[int, int]) -> None:
    """Raises UsageError where a head would answer nonsense without a word: too few cells or bins, or too wide bumps."""
    least = {"soft-argmax": 2, "heatmap": 3}.get(head, 0)
    if cells and min(cells) < least:
        raise UsageError(
            f"model.head is {head}, which needs maps of {least}x{least} cells or more, these are {cells[0]}x{cells[1]}",
            "set model.upsample, or take larger images (crop.width, crop.height)",
        )
    if head in ("heatmap", "simcc") and options.sigma > min(size) / 4:
        raise UsageError(
            f"model.sigma = {options.sigma:g} is more than a quarter of a frame of {size[0]}x{size[1]} px", "lower it"
        )
    if head == "simcc" and options.bins * min(size) < 8:
        raise UsageError(f"model.bins = {options.bins:g} leaves fewer than 8 bins along a side", "raise it")
