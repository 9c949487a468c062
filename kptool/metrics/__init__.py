"""How far predicted points are from labelled ones: plain numpy, and NaN truth adds nothing.

The scores of pairs have names of their own in `kptool.metrics.verification`: both kinds know an AUC, of other curves.
"""

from kptool.metrics.coordinates import (
    distances,
    lengths,
    mae,
    mean_shape,
    mean_shape_baseline,
    mse,
    residuals,
    rmse,
    rmse_mix,
)
from kptool.metrics.normalised import auc, ced, failure_rate, image_errors, nme_macro, nme_micro, pck
from kptool.metrics.normalisers import KINDS, Kind, has_boxes, measured, normaliser, normaliser_name

__all__ = [
    "KINDS",
    "Kind",
    "auc",
    "ced",
    "distances",
    "failure_rate",
    "has_boxes",
    "image_errors",
    "lengths",
    "mae",
    "mean_shape",
    "mean_shape_baseline",
    "measured",
    "mse",
    "nme_macro",
    "nme_micro",
    "normaliser",
    "normaliser_name",
    "pck",
    "residuals",
    "rmse",
    "rmse_mix",
]
