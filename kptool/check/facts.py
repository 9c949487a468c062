"""What a part of the data holds, counted."""

from __future__ import annotations

from collections import Counter

import numpy as np

from kptool.check.values import Facts, Part, PointCount, Row, Scheme
from kptool.dataset import Dataset, Photos
from kptool.schemes import discover


def count(part: Part, groups: dict[Row, int]) -> Facts:
    """The facts of a part.

    Args:
        groups: the group of equal pictures of each row, -1 for none, see `copies.Copies`.
    """
    dataset = part.dataset
    files = dataset.images.files if isinstance(dataset.images, Photos) else dataset.ids
    _, first = np.unique(files, return_index=True)
    open_ = first[dataset.sizes[first].all(1)]
    sizes = sorted(((int(w), int(h)) for w, h in dataset.sizes[open_]), key=lambda size: (size[0] * size[1], size))
    equal = Counter(groups[part.row(n)] for n in range(len(dataset)) if part.usable[n])
    contents = {str(content) for content in part.contents if content}
    return Facts(
        part=part.name,
        rows=len(dataset),
        pictures=len(first),
        distinct_pictures=len(contents),
        points=len(dataset.schema.points),
        boxes=0 if dataset.boxes is None else int(np.isfinite(dataset.boxes).all(1).sum()),
        smallest=sizes[0] if sizes else None,
        median=sizes[len(sizes) // 2] if sizes else None,
        largest=sizes[-1] if sizes else None,
        distinct_sizes=len(set(sizes)),
        modes=dict(sorted(Counter(str(mode) for mode in part.modes[first] if mode).items())),
        rows_in_equal_groups=sum(n for n in equal.values() if n > 1),
        equal_groups=sum(n > 1 for n in equal.values()),
        schemes=_schemes(dataset),
        per_point=_per_point(dataset),
    )


def _schemes(dataset: Dataset) -> tuple[Scheme, ...]:
    if not dataset.labelled.any():
        return ()
    schemes = discover(dataset.labelled, mirror=dataset.schema.mirror)
    which = schemes.assign(dataset.labelled)
    full = (dataset.labelled == schemes.masks[which]).all(1)
    some = dataset.labelled.any(1)
    return tuple(
        Scheme(name, int((some & (which == s)).sum()), int((full & (which == s)).sum()))
        for s, name in enumerate(schemes.names)
    )


def _per_point(dataset: Dataset) -> tuple[PointCount, ...]:
    labelled = dataset.labelled.sum(0)
    hidden = np.zeros_like(labelled) if dataset.occluded is None else dataset.occluded.sum(0)
    return tuple(
        PointCount(name, int(labelled[k]), int(len(dataset) - labelled[k]), int(hidden[k]))
        for k, name in enumerate(dataset.schema.points)
    )
