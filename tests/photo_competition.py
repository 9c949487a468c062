"""A small competition of photos: faces of coloured spots, in dlib's XML, and a network that finds the spots."""

from __future__ import annotations

import json
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from PIL import Image
from test_cli import run_kptool
from torch import nn

from kptool.geometry import Bytes, Floats

POINTS = ("left_eye", "right_eye", "nose", "chin")
SHAPE = np.array([[0.72, 0.3], [0.27, 0.33], [0.5, 0.55], [0.52, 0.84]])  # fractions of the box
PAINT = (0, 0, 1, 2)  # both eyes are red spots: left and right are told by where they stand, as in a mirrored face
WIDTH, HEIGHT = 72, 60  # px of the model's frame
MARGIN = 0.2

COMPETITION = """
slug = "own-photos"
title = "Photos of my own"
format = "dlib"
train = "train.xml"
test = "test.xml"
points = ["left_eye", "right_eye", "nose", "chin"]
pairs = [["left_eye", "right_eye"]]
scale_pair = ["left_eye", "right_eye"]
edges = [["left_eye", "nose"], ["right_eye", "nose"]]
metric = "nme"
form = "long"
header = "Id,Predicted"
"""
RECIPE = """
[crop]
width = 72
height = 60

[model]
width = 8
channels = 3

[train]
epochs = 2
batch_size = 8
precision = "fp32"

[folds]
count = 2
"""


class Face(NamedTuple):
    """A face in a picture: its box (4,) and points (4, 2), whole px of the upright picture."""

    box: Floats
    points: Floats


class Picture(NamedTuple):
    """A picture's name, size (W, H) upright, EXIF orientation and faces."""

    name: str
    size: tuple[int, int]
    orientation: int
    faces: tuple[Face, ...]


class Own(NamedTuple):
    """The folder of the competition, the folder of its files, and what stands in the pictures."""

    competition: Path
    data: Path
    train: tuple[Picture, ...]
    test: tuple[Picture, ...]


class Trained(NamedTuple):
    """A competition, a finished run of it, and the JSON that cv printed."""

    own: Own
    run: Path
    report: dict[str, Any]


TURNED = {"turned right é.jpg": 6, "upside down.png": 3, "turned left.jpg": 8, "mirrored.png": 2}
TO_STORED = {
    1: None,
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    6: Image.Transpose.ROTATE_90,
    8: Image.Transpose.ROTATE_270,
}


def write_photos(folder: Path) -> Own:
    """Write a competition: 20 training pictures (21 faces) and 8 test pictures (9 faces)."""
    competition, data = folder / "own", folder / "my photos"
    (competition / "recipes").mkdir(parents=True)
    (competition / "competition.toml").write_text(COMPETITION)
    (competition / "recipes" / "default.toml").write_text(RECIPE)
    rng = np.random.default_rng(5)
    names = ["two of us.png", *TURNED, *(f"p{n:02d}.png" for n in range(15))]
    train = tuple(make_picture(f"train/{name}", rng) for name in names)
    test = tuple(make_picture(f"test/{name}", rng) for name in [*names[:5], "q1.png", "q2.png", "q3.png"])
    for picture in train + test:
        save(data, picture, rng)
    write_xml(data / "train.xml", train)
    write_xml(data / "test.xml", test)
    return Own(competition, data, train, test)


def make_picture(name: str, rng: np.random.Generator) -> Picture:
    """A face of 60 to 260 px, one in five leaving the picture's edge with its box; two in "two of us.png"."""
    two = name.endswith("two of us.png")
    side = np.round(rng.uniform(60, 130 if two else 260, 2))
    faces = []
    for n in range(2 if two else 1):
        corner = np.round(rng.uniform(5, 40, 2)) + np.array([n * (side[0] + 70), 0])
        points = np.round(corner + side * (SHAPE + rng.normal(0, 0.035, SHAPE.shape)))
        faces.append(Face(np.concatenate([corner, side]), points))
    far = np.max([f.box[:2] + f.box[2:] for f in faces], axis=0)
    size = far + np.round(rng.uniform(-3 if rng.random() < 0.2 else 3, 60, 2))
    return Picture(name, (int(size[0]), int(size[1])), TURNED.get(Path(name).name, 1), tuple(faces))


def paint(picture: Picture, rng: np.random.Generator) -> Bytes:
    """(H, W, 3): patches of grey that no two pictures share, and a spot of one colour for each point."""
    width, height = picture.size
    patches = rng.uniform(15, 100, (8, 8))
    shade = patches[np.arange(height)[:, None] * 8 // height, np.arange(width) * 8 // width]
    pixels = np.repeat(shade[..., None], 3, -1)
    y, x = np.mgrid[:height, :width]
    for face in picture.faces:
        sigma = 0.05 * face.box[2:].mean()
        for colour, (px, py) in zip(PAINT, face.points, strict=True):
            pixels[..., colour] += 150 * np.exp(-((x - px) ** 2 + (y - py) ** 2) / (2 * sigma**2))
    return np.round(pixels).astype(np.uint8)


def save(folder: Path, picture: Picture, rng: np.random.Generator) -> None:
    """Write a picture as a camera that was held so would."""
    path = folder / picture.name
    path.parent.mkdir(parents=True, exist_ok=True)
    image = Image.fromarray(paint(picture, rng))
    turn = TO_STORED[picture.orientation]
    exif = Image.Exif()
    exif[0x0112] = picture.orientation
    stored = image if turn is None else image.transpose(turn)
    stored.save(path, exif=exif, quality=100, subsampling=0)  # PNG takes no notice of the last two


def write_xml(path: Path, pictures: Sequence[Picture]) -> None:
    """dlib's XML by hand."""
    lines = ["<?xml version='1.0' encoding='UTF-8'?>", "<dataset>", "<images>"]
    for picture in pictures:
        lines.append(f"<image file='{picture.name}'>")
        for face in picture.faces:
            left, top, width, height = (f"{v:.0f}" for v in face.box)
            lines.append(f"<box top='{top}' left='{left}' width='{width}' height='{height}'>")
            parts = zip(POINTS, face.points, strict=True)
            lines += [f"<part name='{name}' x='{x:.0f}' y='{y:.0f}'/>" for name, (x, y) in parts]
            lines.append("</box>")
        lines.append("</image>")
    path.write_text("\n".join([*lines, "</images>", "</dataset>", ""]), encoding="utf-8")


def truth(pictures: Sequence[Picture]) -> Floats:
    """(faces, 4, 2) in file order."""
    return np.array([face.points for picture in pictures for face in picture.faces])


def frame_px(pictures: Sequence[Picture]) -> Floats:
    """(faces, 1) photo px that one px of the model's frame covers."""
    boxes = np.array([face.box for picture in pictures for face in picture.faces])
    return np.asarray((boxes[:, 2:] * (1 + 2 * MARGIN) / [WIDTH, HEIGHT]).max(1, keepdims=True))


@cache
def trained(base: Path) -> Trained:
    """The competition and a run of it, once for the whole session; `base` is pytest's own folder."""
    own = write_photos(base / "photo competition")
    root = base / "photo runs"
    said = run_kptool("cv", own.competition, "--data", own.data, "--runs", root, "--json")
    assert said.code == 0, said
    (run,) = (root / "own-photos").iterdir()
    return Trained(own, run, json.loads(said.out))


class Spots(nn.Module):
    """A network that needs no training: the centroids of the spots, in px of the model's frame."""

    def __init__(self, *_: object) -> None:
        super().__init__()

    @property
    def head(self) -> Spots:
        """It decodes by itself."""
        return self

    def load_state_dict(self, *_: Any, **__: Any) -> Any:
        """A trained network's weights are of no use here."""

    def label_shift(self, scheme: torch.Tensor) -> torch.Tensor:
        return torch.zeros(len(scheme), 2)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return images.double()

    def decode(self, raw: torch.Tensor, scheme: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        del scheme
        points = torch.stack([self._one(image) for image in raw])
        return points, torch.full(points.shape[:2], torch.nan)

    def _one(self, image: torch.Tensor) -> torch.Tensor:
        # The background is grey: what one channel has over the least of all is its spot.
        over = image - image.min(0).values
        red, green, blue = (over - 10).clamp(min=0) ** 2
        nose, chin = _centroid(green), _centroid(blue)
        across = torch.arange(image.shape[2])
        return torch.stack([_centroid(red * (across > nose[0])), _centroid(red * (across < nose[0])), nose, chin])


def _centroid(weight: torch.Tensor) -> torch.Tensor:
    x, y = torch.arange(weight.shape[1]), torch.arange(weight.shape[0])
    total = weight.sum().clamp(min=1e-9)  # where there is no spot, the corner
    return torch.stack([(weight.sum(0) * x).sum(), (weight.sum(1) * y).sum()]) / total
