"""A competition of one's own, small enough to be trained in seconds: four points, two marking schemes."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import numpy as np

from kptool.geometry import Floats

POINTS = ("left_eye", "right_eye", "nose", "chin")
SHAPE = np.array([[62.0, 38.0], [34.0, 38.0], [48.0, 56.0], [48.0, 76.0]])
ROWS, FULL, TEST = 60, 24, 9  # images with labels, those of them with every point, images to answer
SIDE = 96

COMPETITION = """
slug = "own-faces"
title = "Faces of my own"
format = "kaggle-faces"
kaggle = "own-faces"
points = ["left_eye", "right_eye", "nose", "chin"]
pairs = [["left_eye", "right_eye"]]
"""
RECIPE = """
[model]
width = 8

[train]
epochs = 3
batch_size = 16
precision = "fp32"

[folds]
count = 2
"""


class Own(NamedTuple):
    """The folder of the competition, and the folder of its files."""

    competition: Path
    data: Path


def write_own(folder: Path) -> Own:
    """Write both folders; the name of the data's holds a space, as users' do."""
    own = Own(folder / "own", folder / "my data")
    (own.competition / "recipes").mkdir(parents=True)
    (own.competition / "competition.toml").write_text(COMPETITION)
    (own.competition / "recipes" / "default.toml").write_text(RECIPE)
    own.data.mkdir()
    write_files(own.data)
    return own


def write_files(folder: Path, seed: int = 0) -> None:
    """The four files of the kaggle-faces format; test ids are 3, 6, 9, ..."""
    rng = np.random.default_rng(seed)
    columns = [f"{point}_{axis}" for point in POINTS for axis in "xy"]
    lines = [",".join([*columns, "Image"])]
    for row in range(ROWS):
        points, image = face(rng)
        if row >= FULL:
            points[:2] = np.nan
        cells = ["" if np.isnan(v) else f"{v:.3f}" for v in points.ravel()]
        lines.append(",".join([*cells, image]))
    (folder / "training.csv").write_text("\n".join(lines) + "\n")
    tests = [f"{3 * i},{face(rng)[1]}" for i in range(1, TEST + 1)]
    (folder / "test.csv").write_text("\n".join(["ImageId,Image", *tests]) + "\n")
    asked = lookup_rows()
    rows = [f"{n},{image},{feature}," for n, (image, feature) in enumerate(asked, 1)]
    (folder / "IdLookupTable.csv").write_text("\n".join(["RowId,ImageId,FeatureName,Location", *rows]) + "\n")
    sample = [f"{n},0" for n in range(1, len(asked) + 1)]
    (folder / "SampleSubmission.csv").write_text("\n".join(["RowId,Location", *sample]) + "\n")


def lookup_rows() -> list[tuple[int, str]]:
    """What is asked for: all points of the first three test images, nose and chin of the others."""
    return [
        (3 * i, f"{point}_{axis}")
        for i in range(1, TEST + 1)
        for point in (POINTS if i <= 3 else POINTS[2:])
        for axis in "xy"
    ]


def face(rng: np.random.Generator) -> tuple[Floats, str]:
    """Points (4, 2) and the image's text: bright spots on patches of grey that no two images share."""
    points = SHAPE + rng.normal(0, 6, 2) + rng.normal(0, 1.5, (4, 2))
    image = np.kron(rng.uniform(20, 110, (12, 12)), np.ones((8, 8)))
    y, x = np.mgrid[:SIDE, :SIDE]
    for px, py in points:
        image += 140 * np.exp(-((x - px) ** 2 + (y - py) ** 2) / 18)
    pixels = np.clip(image, 0, 255).astype(int)
    return points, " ".join(map(str, pixels.ravel().tolist()))
