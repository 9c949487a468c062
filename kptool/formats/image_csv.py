"""Parsing a CSV whose one Image column holds a whole image per row, and whose other columns hold numbers."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from kptool.errors import DataError
from kptool.formats.digits import decode_numbers, decode_pixels, strict_number, strict_pixels
from kptool.formats.lines import Lines, check_columns, no_rows, read_table, split_fields, wrong_width
from kptool.geometry import Bytes, Floats

IMAGE = "Image"


@dataclass(frozen=True)
class Table:
    """What such a file says, with no competition's meaning put into it.

    Attributes:
        columns: names of the C number columns, in file order.
        numbers: (N, C) float64; NaN where the cell is blank.
        images: blocks (n, H, W) uint8, N images in all. They go to a file next; joining them here would cost their
            size again.
    """

    columns: tuple[str, ...]
    numbers: Floats
    images: list[Bytes]


@dataclass(frozen=True)
class _Layout:
    place: str
    columns: list[str]
    pixels: int
    expected: str


def parse(
    chunks: Iterable[bytes],
    place: str,
    wanted: Sequence[str],
    size: tuple[int, int],
    expected: str = "a number or blank",
) -> Table:
    """Parse the whole file, or raise at its first bad line.

    Args:
        chunks: the file's bytes, in pieces of any size; about 256 KB is fastest.
        place: what messages call the file.
        wanted: the number columns that must be there, in any order, beside Image.
        size: (W, H) of the images.
        expected: what messages say a number column should hold.

    Raises:
        DataError: `place:LINE: COLUMN ...`, the same whatever the pieces' size.
    """
    _keep_freed_memory()
    names, blocks = read_table(chunks, place)
    check_columns(names, [*wanted, IMAGE], place)
    layout = _Layout(place, names, size[0] * size[1], expected)
    parts = [_fast(block.lines, layout) or _strict(block, layout) for block in blocks]
    if not parts:
        raise no_rows(place)
    return Table(
        tuple(name for name in names if name != IMAGE),
        np.concatenate([numbers for numbers, _ in parts]),
        [images.reshape(-1, size[1], size[0]) for _, images in parts],
    )


def _keep_freed_memory() -> None:
    """Let glibc keep what the blocks' temporary arrays free, instead of returning it and faulting it in again.

    Its threshold for returning memory follows the largest mapped array freed so far (mallopt(3), M_MMAP_THRESHOLD).
    Without this, where the heap's top happens to lie decides whether 238 MB take 4 000 page faults or 400 000, 0.05 s
    or 0.9 s of them. The array is never touched, so it costs nothing; with other allocators it does nothing.
    """
    np.empty(4 << 20, dtype=np.uint8)


def _fast(lines: list[bytes], layout: _Layout) -> tuple[Floats, Bytes] | None:
    width, image = len(layout.columns), layout.columns.index(IMAGE)
    rows = [split_fields(line, image) for line in lines]
    if any(len(row) != width for row in rows):
        return None
    images = decode_pixels([row.pop(image).strip() for row in rows], layout.pixels)
    numbers = decode_numbers([cell for row in rows for cell in row])
    return None if images is None or numbers is None else (numbers.reshape(len(rows), width - 1), images)


def _strict(block: Lines, layout: _Layout) -> tuple[Floats, Bytes]:
    numbers, images = [], []
    for row, line in enumerate(block.lines, block.first):
        try:
            values, image = _strict_row(line, f"{layout.place}:{row}", layout)
        except DataError as error:
            if block.cut and row == block.first + len(block.lines) - 1:
                raise DataError(error.message, "the file ends inside this row: download it again") from None
            raise
        numbers.append(values)
        images.append(image)
    return np.array(numbers, dtype=np.float64).reshape(len(numbers), -1), np.stack(images)


def _strict_row(line: bytes, where: str, layout: _Layout) -> tuple[list[float], Bytes]:
    row = split_fields(line)
    if len(row) != len(layout.columns):
        raise wrong_width(where, len(row), len(layout.columns))
    fields = dict(zip(layout.columns, row, strict=True))
    image = fields.pop(IMAGE)
    numbers = [strict_number(cell, f"{where}: {name}", layout.expected) for name, cell in fields.items()]
    return numbers, strict_pixels(image, layout.pixels, f"{where}: {IMAGE}")
