"""The mean face drawn with characters, every point coloured and shaped by its error."""

from __future__ import annotations

import math

import numpy as np
from rich.console import Group, RenderableType
from rich.text import Text

from kptool.dataset import Ints
from kptool.geometry import Floats
from kptool.report.canvas import ACROSS, DOWN, Canvas, Ink
from kptool.report.details import FacePoint, MeanFace
from kptool.report.pen import ARROWS, FILLED, RAMP, Pen
from kptool.report.values import Report
from kptool.report.words import figure

FEWEST = 3  # points that make a face
SLIGHT = 0.1  # a bias under this part of the point's RMSE gets no arrow
EDGE = Ink("dim", ".")
RIM = 1  # cells around the points, for the arrows


def arrow(dx: float, dy: float, rmse: float) -> str:
    """Where predictions lie from the labels, one of eight ways; nothing where that is slight."""
    if not math.hypot(dx, dy) > SLIGHT * rmse:
        return ""
    return ARROWS[round(math.atan2(dy, dx) / (math.pi / 4)) % len(ARROWS)]  # y grows downwards


def levels(errors: Floats) -> tuple[Ints, Floats]:
    """Which of five equal steps each error (K,) falls into, 0 to 4 (-1 for NaN), and the upper end of each step."""
    known = errors[np.isfinite(errors)]
    low, high = (known.min(), known.max()) if known.size else (math.nan, math.nan)
    ends = low + (high - low) * np.arange(1, len(RAMP) + 1) / len(RAMP)
    steps = np.clip(np.searchsorted(ends, np.nan_to_num(errors)), 0, len(RAMP) - 1)
    return np.where(np.isfinite(errors), steps if high > low else 0, -1), ends


def draw(pen: Pen, report: Report, height: int) -> RenderableType | None:
    """The face in `pen.room` cells across and `height` down at most, with its legend; None where nothing makes a face.

    A step to the right is as long as one down: the face keeps its shape.
    """
    face = report.mean_face
    if face is None or len(face.points) < FEWEST:
        return None
    places = np.array([[point.x, point.y] for point in face.points])
    reach = np.ptp(places, axis=0)
    if not np.isfinite(places).all() or reach.max() <= 0:
        return None
    room = np.array([(pen.room - 2 * RIM) * ACROSS, (height - 2 * RIM) * DOWN]) - 1
    scale = float((room / np.maximum(reach, 1e-9)).min())
    dots = (places - places.min(0)) * scale + RIM * np.array([ACROSS, DOWN])
    across, down = np.ceil((dots.max(0) + 1) / (ACROSS, DOWN)).astype(int) + RIM
    canvas = Canvas(pen, int(across), int(down))
    steps, ends = levels(np.array([point.rmse for point in face.points]))
    _fill(pen, canvas, face, dots, steps)
    # Where the model is shown the images as they are, both kinds of px are one.
    unit = "px" if set(report.about.sizes) == {report.about.size} else "px of the model's frame"
    return Group(
        pen.section("Mean face", f"RMSE in {unit}"), _legend(pen, steps, ends), Text("\n").join(canvas.lines())
    )


def _fill(pen: Pen, canvas: Canvas, face: MeanFace, dots: Floats, steps: Ints) -> None:
    for a, b in face.edges:
        canvas.path(dots[[a, b], 0].tolist(), dots[[a, b], 1].tolist(), EDGE)
    cells = (np.round(dots) // (ACROSS, DOWN)).astype(int)
    for k in np.argsort(steps, kind="stable"):  # where two points share a cell, the worse is seen
        glyph, style = (FILLED[steps[k]], RAMP[steps[k]]) if steps[k] >= 0 else ("?", "dim")
        canvas.mark(int(cells[k, 0]), int(cells[k, 1]), glyph, style)
    for k in np.argsort(-steps, kind="stable") if not pen.ascii else []:  # ASCII has no arrows
        _bias(canvas, face.points[k], cells[k], RAMP[max(steps[k], 0)])


def _bias(canvas: Canvas, point: FacePoint, cell: Ints, style: str) -> None:
    """An arrow beside its point, on the side it points to, where there is room."""
    if not (sign := arrow(point.dx, point.dy, point.rmse)):
        return
    angle = ARROWS.index(sign) * math.pi / 4
    column, row = int(cell[0]) + round(math.cos(angle)), int(cell[1]) + round(math.sin(angle))
    if canvas.free(column, row):
        canvas.mark(column, row, sign, style)


def _legend(pen: Pen, steps: Ints, ends: Floats) -> Text:
    """What each shape stands for, in px."""
    used = [step for step in range(len(RAMP)) if (steps == step).any()]
    signs = (pen.text(FILLED[step], RAMP[step]) for step in used)
    return Text("  ").join(
        [pen.line(sign, pen.text(f" to {figure(float(ends[step]))}")) for sign, step in zip(signs, used, strict=True)]
    )
