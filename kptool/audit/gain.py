"""What training on edited labels gained, scored so that the edits cannot flatter it.

Edits come from a run's own answers. They change what is trained on and never what is scored: both runs are scored on
the labels as given, on all images, a dropped one like any other. The model that is judged on fold f is trained without
fold f, so edits of the rows of fold f play no part in its score; nor could they help it to a smaller error against
those labels. What is left of a leak is slight: the edits of the other folds came from models that had seen fold f's
labels, and so what the judged model is trained on depends a little on what it is judged by. If anything, that makes
the gain look larger.
"""

from __future__ import annotations

from collections.abc import Collection

import numpy as np

from kptool.compare.gain import Part, everything
from kptool.report.outcome import Outcome


def parts(old: Outcome, new: Outcome, questioned: Collection[str]) -> list[Part]:
    """What the gain is told over: all labels as given, those of the images without a new edit, edited labels.

    Args:
        new: of a run that was trained on edited labels.
        questioned: ids of the images that the edits speak of.
    """
    out = [Part("all images, labels as given", everything(old))]
    calm = ~np.isin(old.ids, list(questioned))
    if calm.any() and not calm.all():
        out.append(Part("images without an edit, labels as given", calm))
    if new.edited is not None:
        out.append(Part("all images, edited labels", everything(old), new.edited.labels))
    return out
