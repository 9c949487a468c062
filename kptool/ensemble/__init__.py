"""Several runs as one: averaged, or weighed per marking scheme and point, and laid down as a run like any other.

The order of use: `join` reads the runs' out-of-fold predictions, `weigh` chooses the weights, `make` writes the folder;
of pairs `join_pairs`, `weigh_pairs` and `make_pairs`.
Runs may differ in their folds, seeds and recipes: each row's prediction of each run is out of fold for that row, so
their mean is too. What follows has the first run's folds.
"""

from __future__ import annotations

from kptool.ensemble.gain import Gain, gain
from kptool.ensemble.joining import Joined, join
from kptool.ensemble.making import make
from kptool.ensemble.pairs_joining import join_pairs
from kptool.ensemble.pairs_making import make_pairs
from kptool.ensemble.pairs_weighing import weigh_pairs
from kptool.ensemble.weighing import Weighed, check_weights, weigh
from kptool.ensemble.weights import Moments, equal, fit, moments

__all__ = [
    "Gain",
    "Joined",
    "Moments",
    "Weighed",
    "check_weights",
    "equal",
    "fit",
    "gain",
    "join",
    "join_pairs",
    "make",
    "make_pairs",
    "moments",
    "weigh",
    "weigh_pairs",
]
