"""From the numbers of a face to a grey picture: paint, shrink, then what a lens and a sensor do."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from kptool.drawn import features, hair, outfit, pen
from kptool.drawn.face import Face
from kptool.drawn.look import Look
from kptool.geometry import Bytes


@dataclass(frozen=True)
class Shot:
    """What the camera does: contrast about the mean, tone of the mean, blur (sigma, px), noise (grey levels)."""

    contrast: float
    mean: float
    blur: float
    noise: float
    seed: int


def sample_shot(rng: np.random.Generator) -> Shot:
    """A camera by lot; a third of the pictures are blurred, and some are dim or flat."""
    blur = rng.uniform(0.4, 1.5) if rng.random() < 0.35 else 0.0
    return Shot(
        contrast=float(rng.uniform(0.55, 1.25)),
        mean=float(rng.uniform(65, 165)),
        blur=float(blur),
        noise=float(rng.uniform(0.5, 5) if rng.random() < 0.7 else 0.5),
        seed=int(rng.integers(2**31)),
    )


def paint(face: Face, look: Look) -> Bytes:
    """The face at the picture's resolution, sharp and clean: (SIZE, SIZE)."""
    canvas = outfit.background(look)
    hair.paint_behind(canvas, face, look)
    outfit.head(canvas, face, look)
    features.creases(canvas, face, look)
    outfit.beard(canvas, face, look)
    features.nose(canvas, face, look)
    features.mouth(canvas, face, look)
    features.eyes(canvas, face, look)
    features.brows(canvas, face, look)
    features.shade(canvas, face, look, outfit.head_rim(face))
    hair.paint_over(canvas, face, look)
    outfit.glasses(canvas, face, look)
    outfit.occluder(canvas, face, look)
    return pen.shrink(canvas)


def expose(clean: Bytes, shot: Shot) -> Bytes:
    """Blur, contrast, brightness and noise."""
    image = cv2.GaussianBlur(clean, (0, 0), shot.blur) if shot.blur else clean
    grain = np.random.default_rng(shot.seed).standard_normal(clean.shape, dtype=np.float32)
    toned = (image - np.float32(image.mean())) * np.float32(shot.contrast) + np.float32(shot.mean)
    return np.clip(toned + np.float32(shot.noise) * grain, 0, 255).round().astype(np.uint8)
