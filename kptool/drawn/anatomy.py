"""Where the parts of a drawn face lie: on the face, and in the picture."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import numpy.typing as npt

from kptool.drawn.face import Build, Face, Pose
from kptool.geometry import Affine, Floats, rotate, scale, shift

NAMES = (
    "left_eye_center", "right_eye_center",
    "left_eye_inner_corner", "left_eye_outer_corner", "right_eye_inner_corner", "right_eye_outer_corner",
    "left_eyebrow_inner_end", "left_eyebrow_outer_end", "right_eyebrow_inner_end", "right_eyebrow_outer_end",
    "nose_tip",
    "mouth_left_corner", "mouth_right_corner", "mouth_center_top_lip", "mouth_center_bottom_lip",
)  # fmt: skip
FOUR = (0, 1, 10, 14)
"""The points of the four-point scheme."""

RADIUS = 1.25
"""Half the width of the head, as the ellipsoid that turns with yaw and pitch."""

PIVOT = 0.8 * RADIUS
"""Depth of the axis the head turns about; near the front, because a face detector keeps the face in its box."""

TIP_LIFT, BASE_LIFT = 0.3, 0.12
"""How far the nose's tip and base stand off the head's ellipsoid."""

ALONG = np.linspace(-1, 1, 13)
"""Along a line, from one end to the other; lines have 13 points."""

ARCH = 1 - ALONG**2
"""A parabola over ALONG: 1 in the middle, 0 at the ends."""


def xy(x: npt.ArrayLike, y: npt.ArrayLike) -> Floats:
    """(..., 2) points from coordinates, which broadcast."""
    points = np.empty((*np.broadcast(x, y).shape, 2))
    points[..., 0], points[..., 1] = x, y
    return points


def place(pose: Pose, points: Floats, lift: float | Floats = 0.0, depth: float | Floats | None = None) -> Floats:
    """Face coordinates (..., 2) to the picture's pixels (..., 2), without perspective.

    Args:
        pose: how the head is held.
        points: x, y on the face.
        lift: how far the points stand off the head's ellipsoid; one for all or (...).
        depth: their depth, instead of the ellipsoid's.
    """
    if depth is None:
        depth = surface(points) + lift
    axes, origin = _camera(pose)
    placed: Floats = points @ axes[:2] + np.asarray(depth)[..., None] * axes[2] + origin
    return placed


def surface(points: Floats) -> Floats:
    """(...) depth of the head's ellipsoid at points (..., 2)."""
    x, y = points[..., 0], points[..., 1] - 0.4
    depth: Floats = np.sqrt(np.maximum(RADIUS**2 - x * x - 0.3 * y * y, 0.02))
    return depth


@lru_cache(4)
def _camera(pose: Pose) -> tuple[Floats, Floats]:
    """Where the head's three axes (3, 2) and its origin (2,) lie in the picture."""
    yaw, pitch = np.radians(pose.yaw), np.radians(pose.pitch)
    turned = np.array([[np.cos(yaw), 0.0], [0.0, np.cos(pitch)], [np.sin(yaw), np.sin(pitch)]])
    map_ = upright(pose)
    origin = map_(-PIVOT * turned[2:])[0]
    return map_(turned) - map_(np.zeros((1, 2))), origin


@lru_cache(4)
def upright(pose: Pose) -> Affine:
    """The map from face coordinates of a turned head to the picture: scale, roll, position."""
    return scale(pose.unit, pose.unit).then(rotate(pose.roll)).then(shift(pose.x, pose.y))


def eye_corners(build: Build, side: int) -> Floats:
    """(2, 2) inner and outer corner of an eye; side +1 is the person's left, -1 the right."""
    near, far = 0.5 - build.eye_width, 0.5 + build.eye_width
    return np.array([[side * near, 0.03 + build.eye_tilt / 2], [side * far, 0.03 - build.eye_tilt]])


def pupil(build: Build, side: int) -> Floats:
    """(2,) where the pupil's centre lies; both eyes look the same way."""
    return np.array([side * 0.5 + build.gaze[0], build.gaze[1]])


def brow_line(build: Build, side: int) -> Floats:
    """(13, 2) the middle of an eyebrow, from its inner to its outer end."""
    which = 0 if side > 0 else 1
    (near, far), height, tilt = build.brow_ends, build.brow_height[which], build.brow_tilt[which]
    along = (ALONG + 1) / 2
    rise = height + tilt * (along - 0.5) + build.brow_arch * ARCH
    return xy(side * (near + (far - near) * along), -rise)


@lru_cache(4)
def mouth_lines(build: Build) -> Floats:
    """(4, 13, 2) from the person's right corner to the left: upper lip's top and rim, lower lip's rim and bottom."""
    half = build.mouth_width + 0.07 * build.smile - 0.12 * build.gape
    corner = build.mouth - 0.09 * build.smile + 0.2 * build.gape
    upper = corner + ARCH * (0.11 * build.smile - 0.25 * build.gape)
    lower = upper + ARCH * build.gape
    bow = np.maximum(0, 1 - np.abs(ALONG) / 0.22)
    top = upper - build.lips[0] * (ARCH**0.75 - 0.25 * bow)
    bottom = lower + build.lips[1] * ARCH**0.6
    lines = xy(half * ALONG, np.stack([top, upper, lower, bottom]))
    lines.flags.writeable = False  # shared by every caller
    return lines


def nose_tip(build: Build) -> Floats:
    """(2,) the tip."""
    return np.array([0.0, build.nose])


def nose_base(build: Build) -> Floats:
    """(2,) where the nose meets the upper lip."""
    return np.array([0.0, build.nose + 0.19])


def landmarks(face: Face, four: bool = False) -> Floats:
    """(15, 2) where the points of NAMES lie in the picture, px, without label noise.

    The two marking schemes place two points differently, as in the real set: the four-point scheme marks the nose at
    its base instead of its tip, and the lower lip at its rim instead of its bottom.
    """
    pose, build = face.pose, face.build
    points = np.empty((len(NAMES), 2))
    for first, side in enumerate((1, -1)):
        points[first] = pupil(build, side)
        points[2 + 2 * first : 4 + 2 * first] = eye_corners(build, side)
        points[6 + 2 * first : 8 + 2 * first] = brow_line(build, side)[[0, -1]]
    lines = mouth_lines(build)
    middle = len(ALONG) // 2
    points[10] = nose_base(build) if four else nose_tip(build)
    points[11:13] = lines[1, [-1, 0]]
    points[13:] = lines[[0, 2 if four else 3], middle]
    lift = np.zeros(len(NAMES))
    lift[10] = BASE_LIFT if four else TIP_LIFT
    return place(pose, points, lift)
