"""Where the models look in the faces of a page, and the first filters of one of them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

import numpy as np
from torch import nn

from kptool.dataset import Ints
from kptool.engine.reopen import fold_model, reopen
from kptool.errors import KptoolError
from kptool.page.images import columns_of, filters_uri, tiles_uri
from kptool.pixels import Arrays
from kptool.runs import Run, open_members
from kptool.saliency import first_filters, look
from kptool.tasks.keypoints import Keypoints

BYTES: Final = 1_250_000  # of all maps of a page
FIRST, LATER = 32, 160
"""Faces at once; a gradient, which takes many passes back, is made for the first so many only."""


@dataclass(frozen=True)
class Sheet:
    """First filters, drawn.

    Attributes:
        name: of the layer.
        fold: whose model.
        count, channels, size: how many filters, of how many channels, and (w, h) of each.
        uri: the picture.
    """

    name: str
    fold: int
    count: int
    channels: int
    size: tuple[int, int]
    uri: str


@dataclass(frozen=True)
class Looking:
    """What a page tells of where the models look.

    Attributes:
        kind: "heat", "gradient", or "" where there are no maps.
        cells: (w, h) of a map.
        count, columns: maps of a face, and how many stand in a row of its picture.
        maps: the picture of each row that has one.
        filters: None where there are none.
        run: the run whose models looked.
        why: in words, why something is missing; empty where nothing is.
    """

    kind: str
    cells: tuple[int, int]
    count: int
    columns: int
    maps: dict[int, str]
    filters: Sheet | None
    run: str
    why: str


def nothing(why: str) -> Looking:
    """No maps and no filters, and the reason."""
    return Looking("", (0, 0), 0, 1, {}, None, "", why)


def looking(run: Run, arrays: Arrays, rows: Ints, fold: Ints, tick: Callable[[int], object]) -> Looking:
    """Ask each row's own fold, which never saw it; of an ensemble, the models of its first run.

    Args:
        rows: (n,) of the run's images, those that matter most first.
        fold: (n,) which fold held each out.
        tick: told how many are done.
    """
    try:
        own = open_members(run)[0]
        task = reopen(own, arrays)
    except KptoolError as error:
        return nothing(str(error))
    models: dict[int, nn.Module] = {}
    why = ""
    for one in np.unique(fold):
        try:
            models[int(one)] = fold_model(own, task, int(one))
        except KptoolError as error:
            why = str(error)
    if not models:
        return nothing(why)
    first = min(models)
    seen = np.isin(fold, list(models))
    found = _maps(task, models, rows[seen], fold[seen], tick)
    return Looking(*found, _sheet(models[first], first), own.path.name, why)


def _maps(
    task: Keypoints, models: dict[int, nn.Module], rows: Ints, fold: Ints, tick: Callable[[int], object]
) -> tuple[str, tuple[int, int], int, int, dict[int, str]]:
    kind, cells, count, left = "", (0, 0), 0, BYTES
    maps: dict[int, str] = {}
    edges = [0, *range(min(FIRST, len(rows)), len(rows), LATER), len(rows)]
    for start, end in pairwise(edges):  # in turn, so that the bytes go to those first in line
        part = np.arange(start, end)
        drawn: dict[int, str] = {}
        for one, model in models.items():
            own = rows[part[fold[part] == one]]
            if not len(own):
                continue
            looks = look(task, model, own)
            kind, (count, height, width) = looks.kind, looks.maps.shape[1:]
            cells = (width, height)
            drawn |= {int(row): tiles_uri(each) for row, each in zip(own, looks.maps, strict=True)}
        for row in rows[part]:
            left -= len(drawn[int(row)])
            if left < 0:
                return kind, cells, count, columns_of(count), maps
            maps[int(row)] = drawn[int(row)]
        tick(end)
        if kind == "gradient":
            break
    return kind, cells, count, columns_of(max(count, 1)), maps


def _sheet(model: nn.Module, fold: int) -> Sheet | None:
    found = first_filters(model)
    if found is None:
        return None
    count, channels, height, width = found.weights.shape
    return Sheet(found.name, fold, count, channels, (width, height), filters_uri(found.weights))
