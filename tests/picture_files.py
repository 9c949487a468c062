"""Pictures for tests: drawn ones, PNG files made by hand, and EXIF blocks."""

from __future__ import annotations

import struct
import zlib

import numpy as np

from kptool.geometry import Bytes


def drawn(width: int = 61, height: int = 47) -> Bytes:
    """(H, W, 3): smooth, and every corner has a colour of its own."""
    x, y = np.meshgrid(np.linspace(0, 1, width), np.linspace(0, 1, height))
    red, green, blue = 20 + 200 * x, 30 + 190 * y, 128 + 100 * np.sin(5 * x + 3 * y)
    return np.round(np.stack([red, green, blue], -1)).astype(np.uint8)


def chunk(kind: bytes, data: bytes) -> bytes:
    """A PNG chunk."""
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png(size: tuple[int, int], bits: int, colour: int, rows: bytes, before: bytes = b"", after: bytes = b"") -> bytes:
    """A PNG file; `rows` are its rows as stored, each with its filter byte; chunks go before or after the pixels."""
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", *size, bits, colour, 0, 0, 0))
    pixels = chunk(b"IDAT", zlib.compress(rows))
    return b"\x89PNG\r\n\x1a\n" + header + before + pixels + after + chunk(b"IEND", b"")


def exif(orientation: int, order: str = "<", kind: int = 3) -> bytes:
    """An EXIF block, without the "Exif" that JPEG puts before it."""
    value = struct.pack(order + {1: "Bxxx", 3: "HH", 4: "I"}[kind], *([orientation, 0] if kind == 3 else [orientation]))
    start = struct.pack(order + "HI", 42, 8)
    return (
        (b"II" if order == "<" else b"MM") + start + struct.pack(order + "HHHI", 1, 0x0112, kind, 1) + value + bytes(4)
    )
