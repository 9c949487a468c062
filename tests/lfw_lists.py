"""Made-up folders of LFW: a list of pairs as text, and the pictures it names, each its own."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

from kptool.competitions import find
from kptool.config import Competition

SAME = ["Ann_Lee\t1\t2", "Bo.Ek-Å\t1\t3", "Ann_Lee\t2\t3"]
OTHER = ["Ann_Lee\t1\tBo.Ek-Å\t1", "Cy\t1\tBo.Ek-Å\t2", "Ann_Lee\t3\tCy\t1"]
LINES = ["3", *SAME, *OTHER]
PICTURES = [("Ann_Lee", 3), ("Bo.Ek-Å", 3), ("Cy", 1)]


def lfw() -> Competition:
    """The shipped competition."""
    return find("lfw-pairs").competition


def text(lines: list[str], newline: str = "\n", last: bool = True) -> str:
    return newline.join(lines) + (newline if last else "")


def write_pictures(root: Path, folder: str = "lfw", colour: bool = False) -> None:
    """Write NAME/NAME_0001.png and so on, no two alike."""
    shape = (12, 10, 3) if colour else (12, 10)
    for row, (name, count) in enumerate(PICTURES):
        (root / folder / name).mkdir(parents=True)
        for n in range(1, count + 1):
            values = np.random.default_rng([row, n]).integers(0, 256, shape).astype(np.uint8)
            write_png(root / folder / name / f"{name}_{n:04d}.png", values)


def write_png(file: Path, values: np.ndarray[tuple[int, ...], np.dtype[np.uint8]]) -> None:
    file.write_bytes(cv2.imencode(".png", values)[1].tobytes())


def write_small(root: Path, folder: str = "lfw", lines: list[str] = LINES, colour: bool = False) -> Path:
    """The training list and its pictures; gives the folder for --data."""
    write_pictures(root, folder, colour)
    (root / "pairsDevTrain.txt").write_text(text(lines), "utf-8")
    return root
