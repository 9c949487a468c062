"""The page's drawings of points: errors about the mean face, bars point by point, and kinds of faces."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import groupby
from typing import Any, Final

import numpy as np
from markupsafe import Markup
from matplotlib.axes import Axes
from matplotlib.patches import Ellipse

from kptool.page.figures import INK, LINE, MUTED, PAPER, SERIES, WIDTH, drawing, to_svg
from kptool.page.spelling import spelt
from kptool.report.details import Calibration, FacePoint, GroupScore, MeanFace
from kptool.report.scores import Lead
from kptool.report.values import Point
from kptool.report.words import amount, count, figure

CHI_90: Final = 4.605
"""90 % quantile of chi-squared with 2 degrees of freedom, -2 ln 0.1: what a normal error's squared Mahalanobis distance
stays under in 90 % of all images."""
LONGEST: Final = 30  # characters of a name beside a bar


def mean_face(face: MeanFace) -> tuple[Markup, int]:
    """The mean face with the 90 % ellipse of each point's errors, and how many times too long its bias arrows are."""
    places = np.array([(p.x, p.y) for p in face.points])
    low, high = places.min(0), places.max(0)
    reach = float(max(high - low)) or float(max(face.size)) / 2
    margin = 0.03 * reach + max(2.4 * math.sqrt(max(p.xx, p.yy)) for p in face.points)
    span = high - low + 2 * margin
    times = _times([math.hypot(p.dx, p.dy) for p in face.points], reach)
    with drawing(float(np.clip(WIDTH * span[1] / span[0], 110, 330))) as (made, axes):
        axes.set_axis_off()
        axes.set_aspect("equal")
        axes.set_xlim(low[0] - margin, high[0] + margin)
        axes.set_ylim(high[1] + margin, low[1] - margin)
        for a, b in face.edges:
            axes.plot(*places[[a, b]].T, color=LINE, lw=1.6, zorder=1)
        for n, point in enumerate(face.points):
            _about(axes, point, n, times)
    worst = max(face.points, key=lambda p: p.rmse)
    told = f"{len(face.points)} points; the largest errors are about {worst.name}, RMSE {figure(worst.rmse)} px."
    tips = {f"face-{n}": _tip(point) for n, point in enumerate(face.points)}
    return to_svg(made, "face", "Errors about the points of the mean face", told, tips), times


def _about(axes: Axes, point: FacePoint, n: int, times: int) -> None:
    values, vectors = np.linalg.eigh(np.nan_to_num([[point.xx, point.xy], [point.xy, point.yy]]))
    short, long = 2 * np.sqrt(CHI_90 * np.maximum(values, 0))
    angle = math.degrees(math.atan2(vectors[1, 1], vectors[0, 1]))
    middle = (point.x + point.dx, point.y + point.dy)
    shape = Ellipse(middle, long, short, angle=angle, fc=SERIES[0], ec=SERIES[0], alpha=0.3, lw=1, gid=f"face-{n}")
    axes.add_patch(shape)
    axes.plot(point.x, point.y, "o", ms=2.4, color=INK, zorder=4)
    end = (point.x + times * point.dx, point.y + times * point.dy)
    axes.annotate("", end, (point.x, point.y), zorder=3,
                  arrowprops={"arrowstyle": "-|>", "color": SERIES[1], "lw": 1.3, "mutation_scale": 6, "shrinkA": 0, "shrinkB": 0})  # fmt: skip # noqa: E501


def _tip(p: FacePoint) -> str:
    return f"{p.name}: RMSE {figure(p.rmse)} px, bias {figure(p.dx, sign='+')} {figure(p.dy, sign='+')} px"


def _times(biases: list[float], reach: float) -> int:
    """As much longer as keeps the longest arrow under a ninth of the face: 1, 2, 5, 10 or 20."""
    longest = max(biases, default=0.0)
    return max((t for t in (1, 2, 5, 10, 20) if t * longest <= reach / 9), default=1)


def bars(points: Sequence[Point], calibration: Calibration | None) -> Markup:
    """A row a point: its RMSE, the 95th percentile of its distance, and its calibrated radius, in px."""
    radii = {radius.point: radius.px for radius in calibration.radii} if calibration else {}
    rows = np.arange(len(points))
    ends = [max((v for v in (p.rmse, p.p95, radii.get(p.name, 0)) if not math.isnan(v)), default=0) for p in points]
    with drawing(58 + (15 if len(points) <= 30 else 12) * len(points)) as (made, axes):
        axes.set_yticks(rows, [_short(p.name) for p in points], color=INK)
        axes.set_ylim(len(points) - 0.4, -0.6)
        axes.set_xlim(0, 1.04 * max(ends, default=1) or 1)
        axes.grid(visible=False, axis="y")
        drawn = axes.barh(rows, [p.rmse for p in points], height=0.56, color=SERIES[0], label="RMSE")
        for n, bar in enumerate(drawn):
            bar.set_gid(f"bars-{n}")
        axes.plot([p.p95 for p in points], rows, "|", ms=9, mew=1.8, color=INK, label="95 % of distances")
        if radii:
            at = [radii.get(p.name, math.nan) for p in points]
            level = f"{100 * calibration.level:.0f} % radius" if calibration else ""
            axes.plot(at, rows, "D", ms=4.2, mfc=PAPER, mec=SERIES[1], mew=1.3, label=level)
        axes.set_xlabel("px of the original image")
        axes.legend(*_first_last(axes), loc="lower right", bbox_to_anchor=(1, 1), ncols=3, borderpad=0)
    known = [p for p in points if not math.isnan(p.rmse)]
    told = "No point is labelled."
    if known:
        best, worst = min(known, key=lambda p: p.rmse), max(known, key=lambda p: p.rmse)
        told = f"RMSE from {figure(best.rmse)} px ({best.name}) to {figure(worst.rmse)} px ({worst.name})."
    tips = {f"bars-{n}": f"{p.name}: RMSE {figure(p.rmse)}, p95 {figure(p.p95)} px" for n, p in enumerate(points)}
    return to_svg(made, "bars", "Errors point by point", told, tips)


def _first_last(axes: Axes) -> tuple[list[Any], list[str]]:
    """The legend with the bars, which matplotlib puts last, first."""
    handles, labels = axes.get_legend_handles_labels()
    return [handles[-1], *handles[:-1]], [labels[-1], *labels[:-1]]


def _short(name: str) -> str:
    shown = spelt(name).replace("\n", " ")
    return shown if len(shown) <= LONGEST else f"{shown[: LONGEST - 1]}…"


def kinds(groups: Sequence[GroupScore], lead: Lead) -> Markup:
    """A row for each kind of faces: its score with its interval, beside the score of all."""
    rows: list[tuple[float, GroupScore]] = []
    heads: list[tuple[float, str]] = []
    at = 0.0
    for about, own in groupby(groups, key=lambda one: one.about):
        heads.append((at, about))
        for one in own:
            at += 1
            rows.append((at, one))
        at += 1.25
    unit = lead.score.unit
    with drawing(40 + 15.5 * at) as (made, axes):
        axes.set_yticks([y for y, _ in rows], [_short(one.name) for _, one in rows], color=INK)
        axes.set_ylim(at - 0.4, -0.7)
        axes.grid(visible=False, axis="y")
        axes.axvline(lead.score.value, color=MUTED, lw=1, ls=(0, (3, 2)), zorder=1)
        for n, (y, one) in enumerate(rows):
            axes.plot([one.low, one.high], [y, y], color=SERIES[0], lw=4, alpha=0.35)
            axes.plot(one.lead, y, "o", ms=5, color=SERIES[0], gid=f"kinds-{n}")
        for y, about in heads:
            axes.text(-0.02, y, about, transform=axes.get_yaxis_transform(), ha="right", va="center", color=MUTED)
        axes.set_xlim(left=0)
        axes.set_xlabel(f"{lead.score.name}, {unit}")
    seen = [one for _, one in rows if not math.isnan(one.lead)]
    worst = max(seen, key=lambda one: one.lead, default=None)
    told = f"Worst: {worst.about} {worst.name}, {amount(worst.lead, unit)}." if worst else "No kind has labels."
    tips = {f"kinds-{n}": f"{one.name} ({one.range}): {amount(one.lead, unit)}, {count(one.images)} images"
            for n, (_, one) in enumerate(rows)}  # fmt: skip
    return to_svg(made, "kinds", "Score by kind of face", told, tips)
