"""The contact sheet: each suspect's picture, its labels and the model's answer, and why it is there."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Final, NamedTuple

import matplotlib as mpl
import numpy as np
from PIL import Image, ImageDraw, ImageFont

from kptool.dataset import Mask
from kptool.drawing import ANSWER, LABEL
from kptool.files import write_atomic
from kptool.geometry import Bytes, Floats, resize

LINE: Final = (255, 255, 255)
PAPER: Final = (24, 24, 24)
INK: Final = (235, 235, 235)
COLUMNS: Final = 5
SIDE: Final = 264  # px of a picture's longer side
GAP: Final = 12
FONT: Final = 13
LEADING: Final = 16
WIDE: Final = 38  # letters of a caption's line
LINES: Final = 8  # of a caption
FINE: Final = 2  # drawn so many times larger, then made smaller: smooth edges
FEW: Final = 20  # points up to which marks are drawn in full size
FACES: Final = 100  # on one sheet
LEGEND: Final = "○ label as given     × out-of-fold answer     thin marks: points that no one doubts"


class Tile(NamedTuple):
    """One face of the sheet.

    Attributes:
        picture: (C, H, W) uint8, grey or RGB.
        label, answer: (K, 2) in the picture's px; NaN where not labelled.
        doubted: (K,) points that the suggestion is about.
        title: above the reason, in full.
        reason: cut to what fits.
    """

    picture: Bytes
    label: Floats
    answer: Floats
    doubted: Mask
    title: str
    reason: str


def write_sheets(folder: Path, tiles: Sequence[Tile]) -> list[Path]:
    """Draw sheet.png, and sheet-2.png and on where there are more than 100 faces; older ones are replaced."""
    paths = []
    for start in range(0, max(len(tiles), 1), FACES):
        number = start // FACES + 1
        paths.append(folder / ("sheet.png" if number == 1 else f"sheet-{number}.png"))
        _save(paths[-1], _sheet(tiles[start : start + FACES]))
    number = len(paths) + 1
    while (old := folder / f"sheet-{number}.png").is_file():  # of an earlier, longer list: it would be read as ours
        old.unlink()
        number += 1
    return paths


def _save(path: Path, sheet: Image.Image) -> None:
    write_atomic(path, lambda temporary: sheet.save(temporary, format="PNG"))


def _sheet(tiles: Sequence[Tile]) -> Image.Image:
    cells = [_cell(tile) for tile in tiles]
    high = max((cell.height for cell in cells), default=0)
    rows = -(-len(cells) // COLUMNS)
    top = LEADING + 2 * GAP
    sheet = Image.new("RGB", (COLUMNS * (SIDE + GAP) + GAP, top + rows * (high + GAP)), PAPER)
    _write(sheet, (GAP, GAP), LEGEND if cells else "nothing to look at")
    for place, cell in enumerate(cells):
        sheet.paste(cell, (GAP + place % COLUMNS * (SIDE + GAP), top + place // COLUMNS * (high + GAP)))
    return sheet


def _cell(tile: Tile) -> Image.Image:
    face = _face(tile)
    lines = [*textwrap.wrap(_plain(tile.title), WIDE)[:2], *textwrap.wrap(_plain(tile.reason), WIDE)]
    lines = lines if len(lines) <= LINES else [*lines[: LINES - 1], f"{lines[LINES - 1][: WIDE - 2]} …"]
    cell = Image.new("RGB", (SIDE, face.height + LINES * LEADING + 6), PAPER)
    cell.paste(face, ((SIDE - face.width) // 2, 0))
    for number, line in enumerate(lines):
        _write(cell, (0, face.height + 4 + number * LEADING), line)
    return cell


def _face(tile: Tile) -> Image.Image:
    """The picture enlarged, with every labelled point and its answer."""
    high, wide = tile.picture.shape[1:]
    grown = SIDE / max(high, wide)
    size = (max(1, round(wide * grown)), max(1, round(high * grown)))
    fine = (size[0] * FINE, size[1] * FINE)
    shown = Image.fromarray(np.moveaxis(tile.picture, 0, -1) if len(tile.picture) == 3 else tile.picture[0])
    face = shown.convert("RGB").resize(fine, Image.Resampling.BICUBIC)
    to_fine = resize((wide, high), fine)
    label, answer = (np.clip(to_fine(points), -4 * SIDE, 6 * SIDE) for points in (tile.label, tile.answer))
    pen = ImageDraw.Draw(face)
    known = np.isfinite(label).all(1) & np.isfinite(answer).all(1)
    small = min(1.0, max(0.5, (FEW / max(int(known.sum()), 1)) ** 0.5))
    for k in sorted(np.flatnonzero(known), key=lambda k: bool(tile.doubted[k])):  # the doubted ones on top
        strong = bool(tile.doubted[k])
        pen.line([*label[k], *answer[k]], fill=LINE, width=FINE)
        _cross(pen, answer[k], strong, small)
        _ring(pen, label[k], strong, small)
    return face.resize(size, Image.Resampling.LANCZOS)


def _cross(pen: ImageDraw.ImageDraw, at: Floats, strong: bool, small: float) -> None:
    reach = (4.5 if strong else 2.5) * FINE * small
    for colour, width in (((0, 0, 0), FINE * (4 if strong else 2)), (ANSWER, FINE * (2 if strong else 1))):
        for dx, dy in ((reach, reach), (reach, -reach)):
            pen.line([at[0] - dx, at[1] - dy, at[0] + dx, at[1] + dy], fill=colour, width=width)


def _ring(pen: ImageDraw.ImageDraw, at: Floats, strong: bool, small: float) -> None:
    reach = (5.0 if strong else 3.0) * FINE * small
    for colour, width in (((0, 0, 0), FINE * (4 if strong else 2)), (LABEL, FINE * (2 if strong else 1))):
        edge = reach + (FINE if colour == (0, 0, 0) else 0)
        pen.ellipse([at[0] - edge, at[1] - edge, at[0] + edge, at[1] + edge], outline=colour, width=width)


def _write(picture: Image.Image, at: tuple[int, int], words: str) -> None:
    ImageDraw.Draw(picture).text(at, words, fill=INK, font=_font())


@cache
def _font() -> ImageFont.FreeTypeFont:
    # matplotlib brings a font that knows more than Latin letters; Pillow's own does not.
    return ImageFont.truetype(str(Path(mpl.get_data_path()) / "fonts" / "ttf" / "DejaVuSans.ttf"), FONT)


def _plain(words: str) -> str:
    return "".join(c if c.isprintable() else " " for c in words)
