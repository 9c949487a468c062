"""A small text file, read whole, its first bytes, and the numbers of a line; failures are told with the place."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from kptool.errors import DataError, MissingFileError
from kptool.formats.lines import show
from kptool.geometry import Floats


def read_text(path: Path) -> str:
    """A UTF-8 file (a byte order mark is taken off).

    Raises:
        MissingFileError: it is not there.
        DataError: it cannot be read, or is not UTF-8.
    """
    try:
        return path.read_bytes().decode("utf-8-sig")
    except FileNotFoundError:
        raise MissingFileError(f"{path}: no such file", "check the path") from None
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror or error})", "check the path") from None
    except UnicodeDecodeError as error:
        raise DataError(f"{path}: byte {error.start} is not UTF-8 text", "save the file as UTF-8") from None


def first_bytes(path: Path, count: int) -> bytes:
    """The beginning of a file; nothing where it cannot be read, for sniffers, which never raise."""
    try:
        with path.open("rb") as file:
            return file.read(count)
    except (OSError, ValueError):
        return b""


def finite_numbers(words: list[str], where: str) -> Floats:
    """Words as float64.

    Raises:
        DataError: beginning with `where`, with the column (from 1) of the first word that is no finite decimal number.
    """
    try:
        values = np.array([float(word) for word in words], dtype=np.float64)
        good = bool(np.isfinite(values).all()) and not any("_" in word for word in words)
    except ValueError:
        good = False
    if good:
        return values
    column, word = next((i, word) for i, word in enumerate(words, 1) if not is_number(word))
    raise DataError(f"{where}: column {column} is {show(word)}, expected a number", "correct it")


def is_number(word: str) -> bool:
    """True for a finite decimal number; Python's 1_000 is none."""
    try:
        return "_" not in word and bool(np.isfinite(float(word)))
    except ValueError:
        return False


def decimal(value: float) -> str:
    """A number that reads back bit for bit, as short as it can be: 12, 0.25, 1e-07."""
    return repr(value).removesuffix(".0")
