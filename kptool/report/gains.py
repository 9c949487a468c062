"""What answering images in the marking scheme of their own labels is worth, out of fold."""

from __future__ import annotations

import numpy as np

from kptool.report.outcome import Outcome
from kptool.report.values import SchemeGain


def gains(outcome: Outcome) -> tuple[SchemeGain, ...]:
    """Every scheme against every other over the points both mark, each scheme's closest rival first.

    Empty where the run has no such sums. Left out are pairs of schemes without a common labelled point, and answers in
    a scheme without images, whose outputs were never trained.
    """
    across, names, masks = outcome.across, outcome.schemes.names, outcome.schemes.masks
    if across is None:
        return ()
    found = []
    for s, own in enumerate(names):
        rivals = []
        for t, other in enumerate(names):
            both = masks[s] & masks[t]
            values, learned = int(across.values[s, both].sum()), across.values[t].any()
            if values and learned and s != t:
                mine, theirs = (float(np.sqrt(across.squares[s, way][both].sum() / values)) for way in (s, t))
                rivals.append(SchemeGain(own, other, int(both.sum()), values, mine, theirs))
        found += sorted(rivals, key=lambda one: one.rmse_other)
    return tuple(found)
