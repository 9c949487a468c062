"""Numbers written in text, to arrays: pixels in one vectorised pass over bytes, coordinates by the plain parser.

Each has two readers. The fast one takes a whole block and returns None as soon as anything about it is unusual; the
strict one then takes the block cell by cell and either agrees that it is legal or names what is wrong with it. What
the fast one accepts, the strict one reads the same.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from kptool.errors import DataError
from kptool.formats.lines import show
from kptool.geometry import Bytes, Floats

_ZERO, _TEN, _HUNDRED, _SPACE = (np.uint8(v) for v in (48, 10, 100, 32))
_NUMERIC = b"0123456789.+-eE"


def decode_pixels(fields: Sequence[bytes], pixels: int) -> Bytes | None:
    """Grey values separated by spaces, as (len(fields), pixels) uint8; None where the strict reader must look.

    A number ends at a digit that no digit follows. Its value needs only the two bytes before it, so that every byte
    of the block is taken at once: value = d[i] + 10·d[i-1] + 100·d[i-2], with d = 0 from the first non-digit back.
    """
    if not all(fields):
        return None
    text = b"   " + b" ".join(fields) + b" "
    codes = np.frombuffer(text, dtype=np.uint8)
    digits = codes - _ZERO  # wraps: anything that is not a digit is above 9
    is_digit = digits < _TEN
    digits *= is_digit
    last, second, third = is_digit[3:-1], is_digit[2:-2], is_digit[1:-3]
    two = digits[2:-2] * _TEN
    two += digits[3:-1]
    hundreds = digits[1:-3] * second
    hundreds *= last
    values = hundreds * _HUNDRED
    values += two
    unusual = (
        not (is_digit | (codes == _SPACE)).all()
        or (is_digit[:-4] & third & second & last).any()  # four digits
        or hundreds.max() > 2
        or (values < two).any()  # 256 to 299 wrap
    )
    ends = np.flatnonzero(last > is_digit[4:])
    if unusual or len(ends) != len(fields) * pixels:
        return None
    # The count is right in all; it is right in each if every field's last number is the one it should be.
    field_ends = np.cumsum([len(field) + 1 for field in fields]) - 2
    if not np.array_equal(ends[pixels - 1 :: pixels], field_ends):
        return None
    return values.take(ends).reshape(len(fields), pixels)


def strict_pixels(field: bytes, pixels: int, where: str) -> Bytes:
    """One image, (pixels,) uint8, number by number.

    Raises:
        DataError: beginning with `where`; not a whole number from 0 to 255, or another count of them.
    """
    words = field.split()
    for i, word in enumerate(words, 1):
        if not word.isdigit() or len(word.lstrip(b"0")) > 3 or int(word) > 255:
            raise DataError(f"{where} holds {show(word)} as pixel {i}", "pixels are whole numbers from 0 to 255")
    if len(words) != pixels:
        side = math.isqrt(pixels)
        shape = f" ({side}x{side})" if side * side == pixels else ""
        raise DataError(f"{where} has {len(words)} pixels, expected {pixels}{shape}", "download the file again")
    return np.array([int(word) for word in words], dtype=np.uint8)


def decode_numbers(cells: Sequence[bytes]) -> Floats | None:
    """Cells as (len(cells),) float64, blank = NaN; None where the strict reader must look."""
    # float() also takes nan, inf and 1_000; the alphabet keeps them out for the price of one pass.
    if b"".join(cells).translate(None, _NUMERIC):
        return None
    try:
        values = np.array([float(cell) if cell else math.nan for cell in cells])
    except ValueError:
        return None
    return None if np.isinf(values).any() else values


def strict_number(cell: bytes, where: str, expected: str) -> float:
    """One cell, blank = NaN.

    Raises:
        DataError: beginning with `where`; the cell is not a finite decimal number.
    """
    text = cell.strip()
    values = decode_numbers([text])
    if values is None:
        raise DataError(f"{where} is {show(text)}, expected {expected}", "correct the cell")
    return float(values[0])
