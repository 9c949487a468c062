"""What is on a face: light and shade, eyes, eyebrows, nose and mouth."""

from __future__ import annotations

import cv2
import numpy as np

from kptool.drawn import pen
from kptool.drawn.anatomy import (
    ALONG,
    ARCH,
    BASE_LIFT,
    PIVOT,
    RADIUS,
    TIP_LIFT,
    brow_line,
    eye_corners,
    mouth_lines,
    nose_base,
    nose_tip,
    place,
    pupil,
    surface,
    upright,
    xy,
)
from kptool.drawn.face import Build, Face
from kptool.drawn.look import Look
from kptool.geometry import Bytes, Floats, resize

COARSE = 32
"""Side of the grid that light is reckoned on; it varies slowly."""

GRID = xy(*np.meshgrid(np.arange(COARSE), np.arange(COARSE)))


def shade(canvas: Bytes, face: Face, look: Look, rim: Floats) -> None:
    """Multiply the canvas within `rim` by the light on the head: an ellipsoid with bumps for its features."""
    pose = face.pose
    to_face = upright(pose).inverse()
    grid = resize((COARSE, COARSE), (pen.SIZE, pen.SIZE)).then(to_face)(GRID)
    across, down = np.moveaxis(grid.astype(np.float32), -1, 0).copy()
    ahead = np.float32(PIVOT * np.sin(np.radians(pose.yaw)))
    ball = 1 - ((across + ahead) / (RADIUS * 1.04)) ** 2 - ((down - 0.25) / (RADIUS * 1.5)) ** 2
    height = RADIUS * np.sqrt(np.maximum(ball, 0.05))
    spots = _relief(face.build)
    spots[:, :2] = to_face(place(pose, spots[:, :2], spots[:, 2]))
    x, y, _, wide, high, bump = spots.astype(np.float32).T[..., None, None]
    aside, above = (across - x) / wide, (down - y) / high
    flat = 1 + aside * aside + above * above
    height += (bump / (flat * flat)).sum(0)
    step = np.float32(pen.SIZE / COARSE / pose.unit)
    down, across = np.gradient(height, step)
    light = look.light.astype(np.float32)
    facing = (light[2] - across * light[0] - down * light[1]) / np.sqrt(1 + across**2 + down**2)
    field = look.ambient + (1 - look.ambient) * np.maximum(facing, 0) * 1.15
    tones = cv2.GaussianBlur(np.clip(field * 220, 0, 255).astype(np.uint8), (0, 0), 0.5)
    smooth = cv2.resize(tones, canvas.shape[::-1], interpolation=cv2.INTER_LINEAR)
    pen.inside(canvas, cv2.multiply(canvas, smooth, scale=1 / 220), [rim])


def _relief(build: Build) -> Floats:
    """(10, 6) bumps as x, y, lift, half-width, half-height, height."""
    nose, mouth = build.nose, build.mouth + 0.06
    spots = [
        (0.0, nose, 0.3, 0.17, 0.15, 0.24),
        (0.0, nose - 0.35, 0.15, 0.13, 0.36, 0.15),
        (-0.5, -0.02, -0.1, 0.26, 0.17, -0.13),
        (0.5, -0.02, -0.1, 0.26, 0.17, -0.13),
        (-0.62, 0.6, 0, 0.3, 0.25, 0.1),
        (0.62, 0.6, 0, 0.3, 0.25, 0.1),
        (0.0, mouth, 0, 0.4, 0.16, 0.09),
        (0.0, mouth + 0.27, 0, 0.3, 0.08, -0.05),
        (0.0, build.chin - 0.18, 0, 0.25, 0.14, 0.08),
        (0.0, -0.3, 0, 0.7, 0.15, 0.06),
    ]
    return np.array(spots)


def lids(build: Build, side: int) -> tuple[Floats, Floats]:
    """(13, 2) upper and lower edge of an eye's opening, from the inner to the outer corner."""
    inner, outer = eye_corners(build, side)
    line = inner + (outer - inner) * ((ALONG + 1) / 2)[:, None]
    open_ = build.eye_open[0 if side > 0 else 1]
    bend = ARCH * (1 - 0.18 * ALONG)  # highest a little towards the nose
    upper = line - xy(0 * ALONG, 0.68 * open_ * bend)
    return upper, line + xy(0 * ALONG, 0.32 * open_ * ARCH)


def eyes(canvas: Bytes, face: Face, look: Look) -> None:
    """Whites, irises, lashes and creases."""
    pose, build, unit = face.pose, face.build, face.pose.unit
    painted, openings = canvas.copy(), []
    edges = [[place(pose, edge) for edge in lids(build, side)] for side in (1, -1)]
    for side, (upper, lower) in zip((1, -1), edges, strict=True):
        opening = np.concatenate([upper, lower[::-1]])
        openings.append(opening)
        pen.fill(painted, opening + (opening - opening.mean(0)) * 0.3, 0.5 * look.skin + 100)
        pen.stroke(painted, upper + xy(0, 0.035 * unit), 0.45 * look.skin + 45, 0.05 * unit)  # the lid's shadow
        at = pupil(build, side)
        centre = place(pose, at)
        iris = place(pose, at + build.iris * pen.ring(), depth=surface(at))  # flat, so that the label is its middle
        pen.fill_convex(painted, iris, look.iris)
        pen.fill_convex(painted, centre + 0.5 * (iris - centre), 0.35 * look.iris)
        pen.disc(painted, centre + 0.04 * unit * look.light[:2] - xy(0, 0.02 * unit), 0.025 * unit, 235)
    pen.inside(canvas, painted, openings)
    for upper, lower in edges:
        pen.stroke(canvas, upper, 0.3 * look.skin, 0.035 * unit)
        pen.stroke(canvas, lower, 0.68 * look.skin, 0.02 * unit)
        pen.stroke(canvas, upper - xy(0, 0.07 * unit), 0.72 * look.skin, 0.022 * unit)
        if look.age > 0.6:
            pen.stroke(canvas, lower + xy(0, 0.1 * unit), 0.8 * look.skin, 0.025 * unit)


def brows(canvas: Bytes, face: Face, look: Look) -> None:
    """Eyebrows that taper outwards."""
    taper = face.build.brow_thick * (0.62 - 0.4 * ALONG) * np.minimum(1, 3 * (ALONG + 1.15))
    half = xy(0 * taper, taper / 2)
    for side in (1, -1):
        line = brow_line(face.build, side)
        pen.fill(canvas, place(face.pose, np.concatenate([line - half, (line + half)[::-1]])), look.brow)


def nose(canvas: Bytes, face: Face, look: Look) -> None:
    """Bridge, wings, nostrils and the shine on the tip."""
    pose, build, unit = face.pose, face.build, face.pose.unit
    wide, tip, base = build.nose_width, nose_tip(build), nose_base(build)
    shadow = 1.0 if look.light[0] < 0 else -1.0
    bridge = xy(shadow * (0.09 + 0.03 * ARCH), np.linspace(0.02, tip[1] - 0.1, 13))
    pen.stroke(canvas, place(pose, bridge, 0.1), 0.84 * look.skin, 0.03 * unit)
    for side in (1, -1):
        bend = np.linspace(-1.9, 1.1, 13)
        wing = base + xy(side * (wide - 0.09), -0.1) + 0.09 * xy(side * np.cos(bend), np.sin(bend))
        pen.stroke(canvas, place(pose, wing, 0.08), 0.62 * look.skin, 0.03 * unit)
        nostril = base + xy(side * 0.55 * wide, -0.035) + xy(0.055, 0.03) * pen.ring(12)
        pen.fill_convex(canvas, place(pose, nostril, 0.1), 0.35 * look.skin)
    under = base + xy(0.6 * wide * ALONG, 0.02 * ARCH)
    pen.stroke(canvas, place(pose, under, BASE_LIFT), 0.68 * look.skin, 0.03 * unit)
    shine = place(pose, tip, TIP_LIFT) + unit * (0.03 * look.light[:2] + xy(0.055, 0.05) * pen.ring(12))
    pen.fill_convex(canvas, shine, min(255, 1.13 * look.skin + 8))


def mouth(canvas: Bytes, face: Face, look: Look) -> None:
    """Lips, and teeth or darkness where it is open."""
    pose, build, unit = face.pose, face.build, face.pose.unit
    top, upper, lower, bottom = (place(pose, line) for line in mouth_lines(build))
    tone = look.lip * look.skin
    if build.gape > 0.05:
        opening = np.concatenate([upper, lower[::-1]])
        pen.fill(canvas, opening, 0.18 * look.skin)
        teeth = upper + (lower - upper) * min(1.0, 0.16 / build.gape)
        painted = canvas.copy()
        pen.fill(painted, np.concatenate([upper, teeth[::-1]]), 0.35 * look.skin + 150)
        pen.inside(canvas, painted, [opening])
    pen.fill(canvas, np.concatenate([top, upper[::-1]]), 0.86 * tone)
    pen.fill(canvas, np.concatenate([lower, bottom[::-1]]), 0.95 * tone)
    if build.gape <= 0.05:
        pen.stroke(canvas, upper, 0.5 * tone, 0.035 * unit)
    shine = 0.55 * lower[3:-3] + 0.45 * bottom[3:-3]
    pen.stroke(canvas, shine, min(255, 1.12 * tone + 4), 0.018 * unit)
    pen.stroke(canvas, bottom[3:-3] + xy(0, 0.05 * unit), 0.8 * look.skin, 0.04 * unit)


def creases(canvas: Bytes, face: Face, look: Look) -> None:
    """Folds beside the nose and mouth, deeper with age and a smile."""
    build = face.build
    depth = 0.06 + 0.12 * look.age + 0.1 * max(0, build.smile)
    corners = place(face.pose, mouth_lines(build)[1, [-1, 0]])
    for side, corner in zip((1, -1), corners, strict=True):
        start = place(face.pose, nose_base(build) + xy(side * (build.nose_width + 0.03), -0.12))
        end = corner + face.pose.unit * np.array([side * 0.1, 0.0])
        line = start + (end - start) * ((ALONG + 1) / 2)[:, None] + ARCH[:, None] * xy(side * 0.07 * face.pose.unit, 0)
        pen.stroke(canvas, line, (1 - depth) * look.skin, 0.03 * face.pose.unit)
    if look.age > 0.75:
        for row in (0.55, 0.68):
            line = xy(0.45 * ALONG, -row - 0.04 * ARCH)
            pen.stroke(canvas, place(face.pose, line), 0.85 * look.skin, 0.02 * face.pose.unit)
