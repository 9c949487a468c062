"""Where a model looks: heat maps of heads that read maps, gradients of the others; and a network's first filters."""

from __future__ import annotations

from kptool.saliency.filters import Filters, first_filters
from kptool.saliency.looking import Looks, look

__all__ = ["Filters", "Looks", "first_filters", "look"]
