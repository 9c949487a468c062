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
from kptool.models.layers import Flow

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
    features, cells = flow
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
        return SoftArgmax(features, points, schemes, size, cells, likely=loss in NLL)
    if min(cells) < 3:
        raise UsageError(
            f"model.head is heatmap, which needs maps of 3x3 cells or more, these are {cells[0]}x{cells[1]}",
            "set model.upsample, or take larger images (crop.width, crop.height)",
        )
    return Heatmap(features, points, schemes, size, cells, options.sigma)
