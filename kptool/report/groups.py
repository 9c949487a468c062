"""Which kind of face fails: images by tilt, turn, size, contrast and labelled points, each kind scored alone."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Final, NamedTuple

import numpy as np

from kptool.dataset import Ints, Mask
from kptool.geometry import Floats
from kptool.report.details import GroupScore
from kptool.report.outcome import Outcome
from kptool.report.pose import places, tilt_and_size, turn
from kptool.report.scored import Scored
from kptool.report.sums import Sums
from kptool.report.words import count
from kptool.schema import typical_shape

FEWEST: Final = 20  # images: a kind of fewer says nothing
MOST: Final = 4  # kinds of labelled points
TILTS: Final = (10.0, 5.0)  # degrees: the wider limit is taken where it leaves images enough on either side
TURNS: Final = (0.10, 0.05)  # of the pairs' distance; a head turned by 10° moves its nose by about a tenth of it

Write = Callable[[float], str]


class Kind(NamedTuple):
    """Some of the images; `rows` (n,) are those, of all that were predicted. See `details.GroupScore`."""

    about: str
    name: str
    range: str
    rows: Mask


def kinds(found: Scored, sums: Sums) -> tuple[Kind, ...]:
    """The kinds of each grouping that can be told; those of one grouping share no image.

    Args:
        sums: of the leading metric; an image that adds nothing to it is of no kind.
    """
    outcome, at, told = found.outcome, places(found), sums.count > 0
    shape = typical_shape(at)
    tilt, size = (np.where(told, each, np.nan) for each in tilt_and_size(found, at, shape))
    aside = np.where(told, turn(found, at, shape), np.nan)
    contrast = np.full(len(told), np.nan) if outcome.contrast is None else np.where(told, outcome.contrast, np.nan)
    labelled = np.isfinite(outcome.truth).all(-1).sum(1)
    return (
        *_sided("tilt", tilt, TILTS, ("tilted left", "upright", "tilted right", "tilted"), _of_tilt),
        *_sided("turn", aside, TURNS, _TURNED, _of_turn),
        *_thirds("size", size, ("small", "middle", "large"), lambda value: f"{_short(value)} px"),
        *_thirds("contrast", contrast, _CONTRASTS, lambda value: f"{_short(value)} grey levels"),
        *_counts(labelled, told & (labelled > 0), len(outcome.schema.points)),
    )


def clusters(outcome: Outcome) -> Ints:
    """(n,) which images are drawn together, from 0 on; where groups are not known, each alone, in order of the ids."""
    names = outcome.ids if outcome.group is None else outcome.group
    return np.asarray(np.unique(names, return_inverse=True)[1], dtype=np.int64)


def group_scores(found: Scored, parts: Sequence[Kind], spans: Sequence[tuple[float, float]]) -> tuple[GroupScore, ...]:
    """The kinds with their scores; `spans` are the intervals of each."""
    return tuple(
        GroupScore(
            about=kind.about,
            name=kind.name,
            range=kind.range,
            images=int(kind.rows.sum()),
            values=int(np.isfinite(found.errors[kind.rows]).sum()),
            lead=found.leading(found.errors, kind.rows),
            low=low,
            high=high,
            mean_shape=found.leading(found.shape, kind.rows),
        )
        for kind, (low, high) in zip(parts, spans, strict=True)
    )


_TURNED: Final = ("turned to the picture's left", "facing the camera", "turned to the picture's right", "turned aside")
_CONTRASTS: Final = ("low contrast", "middle contrast", "high contrast")


def _of_tilt(limit: float) -> tuple[str, str, str, str]:
    over = f"over {limit:g}°"
    return f"{over} anticlockwise", f"within {limit:g}°", f"{over} clockwise", f"{over} either way"


def _of_turn(limit: float) -> tuple[str, str, str, str]:
    over = f"nose line over {100 * limit:.0f} %"
    return f"{over} left", f"nose line within {100 * limit:.0f} %", f"{over} right", f"{over} aside"


def _sided(
    about: str,
    values: Floats,
    limits: tuple[float, ...],
    names: tuple[str, str, str, str],
    ranges: Callable[[float], tuple[str, str, str, str]],
) -> Iterator[Kind]:
    """Three kinds by the widest limit that leaves enough in each, else two: within and beyond, whichever the side."""
    told = ~np.isnan(values)
    for limit in limits:
        rows = (values < -limit, np.abs(values) <= limit, values > limit)
        if min(int(own.sum()) for own in rows) >= FEWEST:
            yield from (Kind(about, *each) for each in zip(names[:3], ranges(limit)[:3], rows, strict=True))
            return
    for limit in limits:
        inside = np.abs(values) <= limit
        if min(int(inside.sum()), int((told & ~inside).sum())) >= FEWEST:
            yield Kind(about, names[1], ranges(limit)[1], inside)
            yield Kind(about, names[3], ranges(limit)[3], told & ~inside)
            return


def _thirds(about: str, values: Floats, names: tuple[str, str, str], write: Write) -> Iterator[Kind]:
    """Three kinds of equally many images, or two where they are few; none where most are alike."""
    told = ~np.isnan(values)
    for parts in (3, 2):
        cuts = np.quantile(values[told], np.arange(1, parts) / parts) if told.any() else np.zeros(parts - 1)
        place = np.where(told, np.searchsorted(cuts, values, side="right"), -1)
        rows = [place == part for part in range(parts)]
        if min(int(own.sum()) for own in rows) < FEWEST:
            continue
        first, last = f"under {write(float(cuts[0]))}", f"{write(float(cuts[-1]))} and more"
        between = [f"{_short(float(cuts[0]))} to {write(float(cuts[1]))}"] if parts == 3 else []
        called = names if parts == 3 else (names[0], names[2])
        yield from (Kind(about, *each) for each in zip(called, (first, *between, last), rows, strict=True))
        return


def _counts(labelled: Ints, told: Mask, points: int) -> Iterator[Kind]:
    """Kinds by how many points are labelled: neighbours join until there are few kinds and each has images enough."""
    bins = [[int(value)] for value in np.unique(labelled[told])]

    def size(own: list[int]) -> int:
        return int((told & np.isin(labelled, own)).sum())

    while len(bins) > 1 and (len(bins) > MOST or min(map(size, bins)) < FEWEST):
        least = min(range(len(bins)), key=lambda place: size(bins[place]))
        beside = [place for place in (least - 1, least + 1) if 0 <= place < len(bins)]
        first = min(least, min(beside, key=lambda place: size(bins[place])))
        bins[first : first + 2] = [bins[first] + bins[first + 1]]
    for own in bins if len(bins) > 1 else []:
        span = count(own[0]) if len(own) == 1 else f"{own[0]} to {own[-1]}"
        name = f"{span} point{'' if own == [1] else 's'}"
        yield Kind("labelled points", name, f"{span} of {points}", told & np.isin(labelled, own))


def _short(value: float) -> str:
    return f"{value:.1f}" if value < 100 else f"{value:.0f}"
