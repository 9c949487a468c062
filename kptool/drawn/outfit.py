"""What is around a face: background, head, beard, glasses, and things held before it."""

from __future__ import annotations

import cv2
import numpy as np

from kptool.drawn import pen
from kptool.drawn.anatomy import ALONG, ARCH, RADIUS, mouth_lines, nose_base, place, xy
from kptool.drawn.face import Build, Face
from kptool.drawn.look import Look
from kptool.geometry import Bytes, Floats, rotate

MIDDLE = 0.2
"""Height of the widest part of the head, in face coordinates."""

BOX = np.array([[-1.0, -1.0], [1.0, -1.0], [1.0, 1.0], [-1.0, 1.0]])


def background(look: Look) -> Bytes:
    """A canvas with two tones running into each other and a few blurred shapes."""
    ramp = np.linspace(0, 1, pen.SIZE)
    turn = 2 * np.pi * look.luck[0, 0]
    slope = np.add.outer(np.sin(turn) * (ramp - 0.5), np.cos(turn) * (ramp - 0.5)) + 0.5
    near, far = look.ground
    small = np.clip(near + (far - near) * slope, 0, 255).astype(np.uint8)
    for x, y, tone in look.luck[1 : 1 + int(6 * look.luck[0, 1])]:
        box = pen.SIZE * xy(x, y) + xy(6 + 20 * tone, 6 + 30 * x) * BOX
        pen.fill(small, box, np.clip(near + 160 * (tone - 0.5), 5, 250))
    if look.luck[0, 2] < 0.8:
        small = cv2.GaussianBlur(small, (0, 0), 0.5 + 4 * look.luck[0, 2])
    side = pen.SIZE * pen.FINE
    return np.asarray(cv2.resize(small, (side, side), interpolation=cv2.INTER_LINEAR))


def outline(build: Build, count: int = 40, grow: float = 0.0) -> tuple[Floats, Floats]:
    """The head's outline (count, 2) from the picture's right over the chin, and its depth (count,)."""
    cos, sin = pen.ring(count).T
    low = sin > 0
    wide = build.cheeks * np.sign(cos) * np.abs(cos) ** np.where(low, build.jaw, 0.8)
    high = np.where(low, build.chin - MIDDLE, 1.7) * sin
    points = xy(wide * (1 + grow), high * (1 + grow) + MIDDLE)
    return points, RADIUS * np.where(low, 0.25 + 0.5 * sin**2, 0.25)


def head_rim(face: Face) -> Floats:
    """(40, 2) the head's outline in the picture."""
    points, depth = outline(face.build)
    return place(face.pose, points, depth=depth)


def head(canvas: Bytes, face: Face, look: Look) -> None:
    """Shoulders, neck, ears and the head itself, all flat."""
    pose, build = face.pose, face.build
    shoulders = np.array([[-3.5, 3.5], [-3.2, 2.5], [-1, 2.05], [1, 2.05], [3.2, 2.5], [3.5, 3.5]])
    pen.fill(canvas, place(pose, shoulders, depth=0.0), look.cloth)
    neck = np.array([[-0.72, 1.2], [0.72, 1.2], [0.8, 2.4], [-0.8, 2.4]])
    pen.fill(canvas, place(pose, neck, depth=0.0), 0.7 * look.skin)
    for side in (1, -1):
        ear = xy(side * (build.cheeks + 0.04), 0.25) + xy(0.15, 0.32) * pen.ring()
        pen.fill(canvas, place(pose, ear, depth=-0.1), 0.88 * look.skin)
        pen.fill(canvas, place(pose, ear * xy(1, 0.6) + xy(0, 0.1), depth=-0.1), 0.68 * look.skin)
    pen.fill(canvas, head_rim(face), look.skin)


def beard(canvas: Bytes, face: Face, look: Look) -> None:
    """Stubble, moustache, goatee or a full beard; the mouth is painted afterwards."""
    if look.beard == "none":
        return
    build, pose = face.build, face.pose
    lines = mouth_lines(build)
    painted = canvas.copy()
    tone = min(look.hair, 0.8 * look.skin)
    if look.beard != "stubble" or look.age > 0.5:
        low = nose_base(build)[1] + 0.06
        half = np.abs(lines[0, 0, 0]) * (1 + 0.25 * look.age)
        above = xy(half * ALONG, low + (0.12 + 0.2 * look.luck[9, 0]) * ALONG**2)
        below = above + xy(0 * ALONG, np.minimum(0.17, lines[0, 6, 1] - low + 0.03) * ARCH**0.5)
        pen.fill(painted, place(pose, np.concatenate([above, below[::-1]])), tone)
    if look.beard in ("goatee", "full", "stubble"):
        pen.fill(painted, _jaw_cover(face, look), tone)
    pen.blend(canvas, painted, 0.2 if look.beard == "stubble" else 0.9)


def _jaw_cover(face: Face, look: Look) -> Floats:
    build = face.build
    mouth = mouth_lines(build)[3]
    if look.beard == "goatee":
        rim = xy(0.3 * ALONG, build.chin - 0.05 - 0.15 * ALONG**2)
        return place(face.pose, np.concatenate([mouth[3:-3] + xy(0, 0.04), rim[::-1]]))
    points, depth = outline(build, grow=0.02)
    low = place(face.pose, points[1:20], depth=depth[1:20])
    cheek = xy(-0.98 * build.cheeks * ALONG, 0.35 + (build.mouth - 0.35) * (ARCH**0.6))
    near = place(face.pose, cheek)
    return np.concatenate([low, near[::-1]])


def glasses(canvas: Bytes, face: Face, look: Look) -> None:
    """Frames, and dark lenses for some."""
    if look.glasses == "none":
        return
    pose, unit = face.pose, face.pose.unit
    tone = 25 if look.luck[6, 0] < 0.7 else 190
    width = 0.03 + 0.05 * look.luck[6, 1]
    ring = pen.ring()
    if look.glasses != "round":
        ring = np.sign(ring) * np.abs(ring) ** 0.5
    rims = [place(pose, xy(s * 0.5, 0.05) + xy(0.34, 0.25 + 0.04 * look.luck[6, 2]) * ring, 0.12) for s in (1, -1)]
    for rim in rims:
        if look.glasses == "dark":
            pen.fill(canvas, rim, 22)
        pen.stroke(canvas, np.concatenate([rim, rim[:1]]), tone, width * unit)
    bridge = xy(0.17 * ALONG, 0.02 - 0.05 * ARCH)
    pen.stroke(canvas, place(pose, bridge, 0.15), tone, width * unit)
    for side in (1, -1):
        arm = place(pose, np.array([[side * 0.83, 0.0], [side * 1.15, -0.02]]), depth=np.array([0.7, 0.0]))
        pen.stroke(canvas, arm, tone, width * unit)


def occluder(canvas: Bytes, face: Face, look: Look) -> None:
    """A bar, a hand or a microphone over part of the face."""
    unit, (x, y, z) = face.pose.unit, look.luck[7]
    if look.occluder == "bar":
        turned = rotate(90 * (z - 0.5) if x < 0.5 else 90)
        pen.fill(canvas, turned(xy(60, 3 + 6 * z) * BOX) + xy(pen.SIZE * x, 25 + 55 * y), look.cloth)
    elif look.occluder == "hand":
        wrist = xy(pen.SIZE * (x > 0.5), pen.SIZE + 4)
        reach = place(face.pose, np.array([0.9 * (x - 0.5), 0.6 + 0.7 * y])) - wrist
        for finger in np.linspace(-0.32, 0.32, 4):
            bend = np.array([-reach[1], reach[0]]) * finger
            line = wrist + 0.3 * bend + np.linspace(0, 1, 5)[:, None] * (reach + 0.7 * bend)
            pen.stroke(canvas, line, 0.55 * look.skin, 0.29 * unit)
            pen.stroke(canvas, line, 0.95 * look.skin, 0.23 * unit)
    elif look.occluder == "microphone":
        at = place(face.pose, np.array([0.6 * (x - 0.5), 1.35 + 0.3 * y]))
        pen.stroke(canvas, np.stack([at, at + xy(30 * (x - 0.5), 60)]), 40, 0.16 * unit)
        pen.disc(canvas, at, 0.2 * unit, 60 + 60 * z)
