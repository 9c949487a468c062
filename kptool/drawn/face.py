"""The numbers behind a drawn face, drawn by lot.

Face coordinates: the unit is the distance between the eyes, the origin lies midway between them, x to the picture's
right (the pictured person's own left), y down, depth towards the viewer. The proportions follow the mean shape of the
Kaggle training labels, measured in the same unit.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Pose:
    """How the head is held: degrees, and pixels of the picture."""

    yaw: float
    pitch: float
    roll: float
    unit: float
    x: float
    y: float


@dataclass(frozen=True)
class Build:
    """Shape and expression, in face coordinates. Pairs are (left, right): the person's own."""

    eye_width: float
    eye_open: tuple[float, float]
    eye_tilt: float
    gaze: tuple[float, float]
    iris: float
    brow_height: tuple[float, float]
    brow_tilt: tuple[float, float]
    brow_thick: float
    brow_arch: float
    brow_ends: tuple[float, float]
    nose: float
    nose_width: float
    mouth: float
    mouth_width: float
    smile: float
    gape: float
    lips: tuple[float, float]
    chin: float
    cheeks: float
    jaw: float


@dataclass(frozen=True)
class Face:
    """A pose and a build."""

    pose: Pose
    build: Build


def sample_pose(rng: np.random.Generator) -> Pose:
    """A pose by lot: mostly frontal, as in the real set."""
    turn = rng.standard_normal(6).clip(-2.2, 2.2)
    return Pose(
        yaw=float(12 * turn[0]),
        pitch=float(6 * turn[1]),
        roll=float(7.5 * turn[2]),
        unit=float(34.5 * (1 + 0.1 * turn[3])),
        x=float(47.5 + 3.4 * turn[4]),
        y=float(38 + 3.4 * turn[5]),
    )


def sample_build(rng: np.random.Generator) -> Build:
    """A shape and an expression by lot."""

    def within(low: float, high: float) -> float:
        return float(rng.uniform(low, high))

    open_, smile = within(0.09, 0.24), within(-0.35, 1)
    wink = within(0.15, 1) if rng.random() < 0.05 else within(0.92, 1.08)
    if rng.random() < 0.06:
        open_ = within(0.02, 0.05)
    height, tilt, skew = within(0.17, 0.3), within(-0.06, 0.1), within(-0.03, 0.03)
    gape = within(0.08, 0.38) if rng.random() < 0.4 else within(0, 0.03)
    return Build(
        eye_width=within(0.18, 0.215),
        eye_open=(open_, open_ * wink) if rng.random() < 0.5 else (open_ * wink, open_),
        eye_tilt=within(-0.03, 0.05),
        gaze=(within(-0.07, 0.07), within(-0.02, 0.025)),
        iris=within(0.085, 0.11),
        brow_height=(height + skew, height - skew),
        brow_tilt=(tilt + within(-0.02, 0.02), tilt + within(-0.02, 0.02)),
        brow_thick=within(0.03, 0.11),
        brow_arch=within(0.0, 0.09),
        brow_ends=(within(0.2, 0.29), within(0.8, 0.92)),
        nose=within(0.52, 0.64),
        nose_width=within(0.17, 0.28),
        mouth=within(1.02, 1.14),
        mouth_width=within(0.34, 0.44),
        smile=smile,
        gape=gape,
        lips=(within(0.05, 0.12), within(0.08, 0.16)),
        chin=within(1.62, 1.86) + 0.35 * gape,
        cheeks=within(1.06, 1.22),
        jaw=within(0.5, 0.85),
    )
