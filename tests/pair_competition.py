"""A small competition of pairs: people as patterns of grey blobs, in the folders and lists that LFW ships."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

from kptool.geometry import Bytes

SIZE = 50  # px of a picture's sides
RECIPE = """
[crop]
width = 44
height = 36
slack = 0.1

[model]
width = 8
embedding = 10
head = "cosine"

[train]
epochs = 3
batch_size = 8
precision = "fp32"

[folds]
count = 3

[predict]
shift = 0
"""


def portrait(person: int, number: int, seed: int = 0) -> Bytes:
    """(50, 50) a picture of a person: the person's own blobs, with noise and light of the picture's own."""
    own, here = np.random.default_rng([seed, person]), np.random.default_rng([seed, person, number])
    rough = own.uniform(0, 255, (6, 6))
    face = cv2.resize(rough, (SIZE, SIZE), interpolation=cv2.INTER_CUBIC)
    face = face * here.uniform(0.8, 1.1) + here.normal(0, 12, face.shape)
    return np.asarray(np.clip(face, 0, 255), dtype=np.uint8)


def write_person(root: Path, name: str, person: int, pictures: int) -> None:
    """Write NAME/NAME_0001.png and so on."""
    (root / name).mkdir(parents=True)
    for number in range(1, pictures + 1):
        assert cv2.imwrite(str(root / name / f"{name}_{number:04d}.png"), portrait(person, number))


def listing(people: list[str], pictures: int) -> str:
    """A list of pairs as LFW's: neighbours 1-2 and 2-3 of each person, and each person with the next in its block.

    People are joined in blocks of three, so that folds of whole blocks can be made.
    """
    same = [f"{name}\t{n}\t{n + 1}" for name in people for n in range(1, pictures)]
    other = []
    for start in range(0, len(people), 3):
        block = people[start : start + 3]
        for step in range(pictures - 1):
            other += [f"{a}\t{1 + step}\t{b}\t{2 + step}" for a, b in zip(block, [*block[1:], block[0]], strict=True)]
    assert len(same) == len(other)
    return "\n".join([str(len(same)), *same, *other]) + "\n"


def write_lfw(root: Path, people: int = 18, pictures: int = 3, test: int = 6) -> Path:
    """Write pictures and both lists; gives the folder for --data. `people` and `test` are multiples of 3."""
    names = [f"Person_{chr(65 + n // 26)}{chr(97 + n % 26)}" for n in range(people + test)]
    for person, name in enumerate(names):
        write_person(root / "lfw", name, person, pictures)
    (root / "pairsDevTrain.txt").write_text(listing(names[:people], pictures))
    (root / "pairsDevTest.txt").write_text(listing(names[people:], pictures))
    return root
