"""Heads: what turns a backbone's features into points; see `base` for their contract."""

from __future__ import annotations

from kptool.models.heads.base import Head
from kptool.models.heads.heatmap import Heatmap
from kptool.models.heads.regression import Regression
from kptool.models.heads.simcc import SimCC
from kptool.models.heads.soft_argmax import SoftArgmax

__all__ = ["Head", "Heatmap", "Regression", "SimCC", "SoftArgmax"]
