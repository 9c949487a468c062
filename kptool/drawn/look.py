"""Tones and belongings of a drawn face, drawn by lot."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from kptool.geometry import Floats

HAIR = ("bald", "short", "fringe", "parted", "long", "curly", "hat", "receding")
BEARDS = ("none", "stubble", "moustache", "goatee", "full")
GLASSES = ("none", "round", "square", "dark")
OCCLUDERS = ("none", "bar", "hand", "microphone")


@dataclass(frozen=True)
class Look:
    """What a face is made of and wears; tones are 0 (black) to 255 (white).

    Attributes:
        light: (3,) unit vector from the face to the lamp.
        ambient: share of the light that comes from everywhere.
        luck: (24, 3) numbers in [0, 1) for what has no name of its own: locks of hair, patches of background, the
            width of a frame.
    """

    skin: float
    hair: float
    brow: float
    iris: float
    lip: float
    cloth: float
    ground: tuple[float, float]
    style: str
    beard: str
    glasses: str
    occluder: str
    age: float
    light: Floats
    ambient: float
    luck: Floats


def sample_look(rng: np.random.Generator) -> Look:
    """Tones and belongings by lot."""
    skin = float(rng.uniform(95, 225))
    hair = float(rng.choice([rng.uniform(15, 60), rng.uniform(60, 130), rng.uniform(150, 225)], p=[0.6, 0.25, 0.15]))
    if abs(hair - skin) < 25:
        hair = max(hair - 60, 10)
    side, above = rng.uniform(-1.1, 1.1), rng.uniform(-0.9, 0.3)
    light = np.array([side, above, 1.0])
    ground = float(rng.uniform(15, 240))
    return Look(
        skin=skin,
        hair=hair,
        brow=0.75 * hair if hair < 130 else 0.6 * skin,
        iris=float(rng.uniform(0.2, 0.55)) * skin,
        lip=float(rng.uniform(0.45, 0.8)),
        cloth=float(rng.uniform(15, 240)),
        ground=(ground, float(np.clip(ground + rng.uniform(-80, 80), 5, 250))),
        style=str(rng.choice(HAIR, p=[0.06, 0.22, 0.14, 0.16, 0.19, 0.1, 0.06, 0.07])),
        beard=str(rng.choice(BEARDS, p=[0.66, 0.1, 0.08, 0.07, 0.09])),
        glasses=str(rng.choice(GLASSES, p=[0.75, 0.11, 0.11, 0.03])),
        occluder=str(rng.choice(OCCLUDERS, p=[0.9, 0.04, 0.04, 0.02])),
        age=float(rng.uniform(0, 1)),
        light=light / np.linalg.norm(light),
        ambient=float(rng.uniform(0.35, 0.85)),
        luck=rng.random((24, 3)),
    )
