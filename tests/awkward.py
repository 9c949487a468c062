"""Annotations that are hard to hold, with their pictures, for the laws about all formats."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
from PIL import Image

from kptool.annotations import Annotations, make
from kptool.formats import table

NAMES = ("left eye", "nose", "mouth, left")
FILES = ["a,1/é'x.png", "a,1/é'x.png", 'b"q".png', "c.png", "d_0.png", "z/z/漢字.png"]
# Powers of two, so that the formats that write fractions of a picture's size come back to every bit.
SIZES = {
    "a,1/é'x.png": (64, 32),
    'b"q".png': (128, 16),
    "c.png": (32, 64),
    "d_0.png": (64, 64),
    "z/z/漢字.png": (16, 32),
}


def awkward(root: Path) -> Annotations:
    """Rows by picture's name: two faces, one of them without box; a point missing; occluded points; an empty row."""
    for name, size in SIZES.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        Image.new("L", size, len(name)).save(root / name)
    generator = np.random.default_rng(7)
    points = generator.uniform(0.1, 15.1, (6, 3, 2)).round(3)
    points[2, 1], points[4] = np.nan, np.nan
    points[5] = [[0.0, 15.0], [-3.25, 20.0], [0.1 + 0.2, 1 / 3]]  # outside, and with every bit used
    boxes = np.array([[1, 2, 9, 8], [np.nan] * 4, [0, 0, 16, 15], [3, 5, 7, 11], [2, 2, 4, 6], [0, 1, 8, 16]])
    occluded = np.zeros((6, 3), dtype=np.bool_)
    occluded[0, 2] = occluded[5, 0] = True
    sizes = np.array([SIZES[name] for name in FILES])
    return make(root, FILES, NAMES, points, boxes, occluded, sizes, ((0, 1), (1, 2)))


def with_pictures(root: Path, a: Annotations) -> Path:
    """A folder with the pictures of `a` and no others: YOLO reads those too."""
    root.mkdir(parents=True)
    for name in dict.fromkeys(a.files.tolist()):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(a.root / name, root / name)
    return root


def place(root: Path, name: str) -> Path:
    """Where a format is written so that it finds the pictures of `root`, which YOLO wants to be called images."""
    assert root.name == "images"
    if name == "yolo":
        return root.parent
    endings = {"dlib": ".xml", "coco": ".json", "wflw": ".txt"}
    return root if name in table.FOLDERS else root / f"faces{endings.get(name, '.csv')}"


def identical(found: Annotations, wanted: Annotations, rtol: float = 0, atol: float = 0) -> None:
    """Equal but for the root, edges in their order; the points within a tolerance, for formats that do arithmetic."""
    assert found.files.tolist() == wanted.files.tolist()
    assert (found.names, found.edges) == (wanted.names, wanted.edges)
    np.testing.assert_allclose(found.points, wanted.points, rtol=rtol, atol=atol)
    for name in ("boxes", "occluded", "sizes"):
        np.testing.assert_array_equal(getattr(found, name), getattr(wanted, name), err_msg=name)


def same(a: Annotations, b: Annotations) -> None:
    """Equal but for the root; numbers to 1e-9, for formats of fractions."""
    assert a.files.tolist() == b.files.tolist()
    assert a.names == b.names
    np.testing.assert_allclose(a.points, b.points, rtol=0, atol=1e-9)
    np.testing.assert_allclose(a.boxes, b.boxes, rtol=0, atol=1e-9)
    np.testing.assert_array_equal(a.occluded, b.occluded)
    np.testing.assert_array_equal(a.sizes, b.sizes)
    assert set(a.edges) == set(b.edges)
