"""What became of a run's missing labels."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from kptool.dataset import Names
from kptool.schema import Schema
from kptool.soft_labels import About, SoftSet


class Filled(NamedTuple):
    """One point, as far as one marking scheme is to fill it.

    Attributes:
        point: its name.
        scheme: that fills it; empty where none can.
        missing: images of the training data that lack the label.
        filled: those of them that at least one fold may learn it of.
        radius: median over the soft labels, px of the original images; NaN where none has one.
        rmse: px, the teachers' out-of-fold error of this point in the images of that scheme.
        held: share of those images' labels within their radius, each fold's made without its labels.
    """

    point: str
    scheme: str
    missing: int
    filled: int
    radius: float
    rmse: float
    held: float


class Check(NamedTuple):
    """How the radii of one scheme fare on labels of images that are marked by another.

    Such labels were placed by other rules, so even a perfect radius holds fewer of them than its level.

    Attributes:
        scheme: whose outputs answered.
        labels: how many labels of held-out images, of points that both schemes mark.
        held: share of them within the radius of the answer.
        trained: the same of images that the teacher was trained on, though by their own scheme's labels.
    """

    scheme: str
    labels: int
    held: float
    trained: float


@dataclass(frozen=True)
class Relabelled:
    """Soft labels and what to tell of them.

    Attributes:
        ids: (N,) the images.
        about: what they were made of.
        sets: of each fold that has a teacher.
        points: by point and scheme, in the schema's order; points that no image lacks are left out.
        checks: of every scheme that fills images marked by another.
        notes: what a user should know, a line each.
    """

    ids: Names
    schema: Schema
    about: About
    sets: dict[int, SoftSet]
    points: tuple[Filled, ...]
    checks: tuple[Check, ...]
    notes: tuple[str, ...]

    @property
    def filled(self) -> int:
        """How many missing labels at least one fold may learn of."""
        return sum(one.filled for one in self.points)
