"""Hair and hats."""

from __future__ import annotations

import numpy as np

from kptool.drawn import pen
from kptool.drawn.anatomy import ALONG, ARCH, RADIUS, place, xy
from kptool.drawn.face import Build, Face
from kptool.drawn.look import Look
from kptool.drawn.outfit import MIDDLE, outline
from kptool.geometry import Bytes, Floats

EDGE = 0.25 * RADIUS
"""Depth of the head's outline."""


def paint_behind(canvas: Bytes, face: Face, look: Look) -> None:
    """Long or curly hair that hangs behind the head."""
    if look.style not in ("long", "curly"):
        return
    points, _ = outline(face.build, grow=0.13 if look.style == "long" else 0.2)
    if look.style == "long":
        points[points[:, 1] > MIDDLE] *= [1.12, 1.2 + 0.5 * look.luck[3, 0]]
    pen.fill(canvas, place(face.pose, points, depth=0.0), 0.85 * look.hair)


def _hairline(build: Build, look: Look) -> Floats:
    """(13, 2) from the person's right temple to the left."""
    temple, peak = build.cheeks + 0.02, -0.72 - 0.2 * look.luck[4, 0]
    x = temple * ALONG
    match look.style:
        case "fringe":
            return xy(x, -0.36 - 0.06 * look.luck[5:18, 0] + 0.1 * ALONG**2 - 0.1 * ARCH)
        case "parted":
            part = 0.5 * (1 if look.luck[4, 1] < 0.5 else -1)
            return xy(x, -0.15 + 1.1 * (peak + 0.1) * np.maximum(0, 1 - np.abs(ALONG - part) / 1.6))
        case "receding":
            return xy(x, peak - 0.35 + 0.1 * np.cos(6 * ALONG) + 0.9 * ALONG**6)
        case "hat":
            return xy(1.06 * x, -0.42 - 0.12 * look.luck[4, 0] - 0.08 * ARCH)
        case _:
            return xy(x, -0.1 + (peak + 0.1) * ARCH**0.45)


def paint_over(canvas: Bytes, face: Face, look: Look) -> None:
    """The hair or hat that stands over the forehead, with lighter and darker locks."""
    if look.style == "bald":
        return
    pose, build = face.pose, face.build
    points, _ = outline(build, grow=0.03 if look.style == "receding" else 0.09)
    over = place(pose, points[20:], depth=EDGE)
    line = _hairline(build, look)
    front = place(pose, line, depth=RADIUS * (0.25 + 0.5 * ARCH))
    shape = np.concatenate([over, front[::-1]])
    tone = look.cloth if look.style == "hat" else look.hair
    painted = canvas.copy()
    pen.fill(painted, shape, tone)
    if look.style == "hat":
        pen.stroke(painted, front, 0.6 * tone, 0.16 * pose.unit)
    else:
        _locks(painted, over, front, look)
    pen.inside(canvas, painted, [shape])
    if look.style == "long":
        _side_locks(canvas, face, look)
    elif look.style == "curly":
        _curls(canvas, over, look, pose.unit)


def _locks(canvas: Bytes, over: Floats, front: Floats, look: Look) -> None:
    """Strands from the crown to the hairline, some lighter, some darker."""
    share = look.luck[:, :1]
    start = over[(19.9 * share[:, 0]).astype(int)] + 3 * (look.luck[:, 1:] - 0.5)
    end = front[(12.9 * np.clip(share[:, 0] + 0.1 * (look.luck[:, 1] - 0.5), 0, 0.99)).astype(int)]
    along = np.linspace(0, 1, 5)[None, :, None]
    lines = start[:, None] + (end - start)[:, None] * along
    lines += along * (1 - along) * xy(14 * (look.luck[8, 0] - 0.5), 0)
    pen.stroke(canvas, lines[:14], 0.72 * look.hair, 0.8)
    pen.stroke(canvas, lines[14:], min(255, 1.15 * look.hair + 8), 1.2)


def _side_locks(canvas: Bytes, face: Face, look: Look) -> None:
    """Hair that falls over the ears and the edge of the cheeks."""
    height = np.linspace(-0.6, 1.2 + 0.6 * look.luck[10, 0], 9)
    wide = face.build.cheeks * (1 - 0.08 * (height - MIDDLE) ** 2)
    for side, cover in ((1, look.luck[10, 1]), (-1, look.luck[10, 2])):
        near = xy(side * wide * (0.97 - 0.2 * cover + 0.05 * np.sin(3 * height)), height)
        far = xy(side * wide * 1.22, height)
        pen.fill(canvas, place(face.pose, np.concatenate([near, far[::-1]]), depth=EDGE), look.hair)
        middle = place(face.pose, (near + far) / 2, depth=EDGE)
        pen.stroke(canvas, np.stack([middle - xy(1, 0), middle + xy(1.5, 0)]), 0.75 * look.hair, 0.7)


def _curls(canvas: Bytes, over: Floats, look: Look, unit: float) -> None:
    for (x, y, tone), spot in zip(look.luck, over[np.arange(24) % 20], strict=True):
        centre = spot + unit * 0.25 * (np.array([x, y]) - 0.5)
        pen.disc(canvas, centre, unit * (0.12 + 0.1 * tone), look.hair * (0.75 + 0.5 * tone))
