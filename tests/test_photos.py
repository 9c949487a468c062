"""Law: a picture decodes to the pixels a viewer shows, in every format and mode, or is refused by name."""

from __future__ import annotations

import struct
import subprocess
import sys
import threading
import time
import warnings
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from picture_files import chunk, drawn, exif, png
from PIL import Image

from kptool.errors import DataError, MissingFileError
from kptool.geometry import Bytes, Floats
from kptool.photos import decode, pixels, read_header

W, H = 61, 47
RGB = drawn(W, H)
GREY = RGB[..., 0]
ALPHA = np.round(np.linspace(0, 255, W * H)).astype(np.uint8).reshape(H, W)
DEEP = np.arange(W * H, dtype=np.uint16).reshape(H, W) * 22  # 0 to 63052


def on_white(colour: Bytes | Floats, alpha: Bytes) -> Floats:
    """Straight alpha over white."""
    share = alpha[..., None] / 255
    return np.asarray(colour * share + 255 * (1 - share))


def three(grey: Bytes | Floats) -> Floats:
    return np.repeat(np.asarray(grey, dtype=np.float64)[..., None], 3, -1)


def rec601(rgb: Bytes | Floats) -> Floats:
    return np.asarray(rgb @ np.array([0.299, 0.587, 0.114]))


PALETTE = Image.fromarray(RGB).quantize(37)
HALF = Image.fromarray(GREY).convert("1")
CMYK = Image.fromarray(np.concatenate([RGB, (GREY // 3)[..., None]], -1), "CMYK")
INK = (255 - RGB.astype(float)) * (255 - GREY[..., None] // 3) / 255
LAYERS = np.concatenate([RGB, ALPHA[..., None]], -1)

# a picture, the file's ending, how it is saved, what it shows, and how far off a pixel may be
CASES: dict[str, tuple[Image.Image, str, dict[str, Any], Bytes | Floats, float]] = {
    "jpeg": (Image.fromarray(RGB), "jpg", {"quality": 97, "subsampling": 0}, RGB, 5),
    "jpeg 4:2:0": (Image.fromarray(RGB), "jpg", {"quality": 97, "subsampling": 2}, RGB, 12),
    "jpeg progressive": (Image.fromarray(RGB), "jpg", {"quality": 97, "progressive": True, "subsampling": 0}, RGB, 5),
    "jpeg stored as RGB": (Image.fromarray(RGB), "jpg", {"quality": 97, "keep_rgb": True, "subsampling": 0}, RGB, 5),
    "jpeg grey": (Image.fromarray(GREY), "jpeg", {"quality": 97}, three(GREY), 4),
    "jpeg CMYK": (CMYK, "jpg", {"quality": 98, "subsampling": 0}, INK, 5),
    "png": (Image.fromarray(RGB), "png", {}, RGB, 0),
    "png grey": (Image.fromarray(GREY), "png", {}, three(GREY), 0),
    "png 1 bit": (HALF, "png", {}, three(255.0 * np.asarray(HALF)), 0),
    "png palette": (PALETTE, "png", {}, np.asarray(PALETTE.convert("RGB")), 0),
    "png RGBA": (Image.fromarray(LAYERS, "RGBA"), "png", {}, on_white(RGB, ALPHA), 1),
    "png LA": (Image.fromarray(LAYERS[..., [0, 3]], "LA"), "png", {}, on_white(three(GREY), ALPHA), 1),
    "png 16-bit grey": (Image.fromarray(DEEP), "png", {}, three(DEEP / 257), 0.5),
    "bmp": (Image.fromarray(RGB), "bmp", {}, RGB, 0),
    "bmp grey": (Image.fromarray(GREY), "bmp", {}, three(GREY), 0),
    "bmp 1 bit": (HALF, "bmp", {}, three(255.0 * np.asarray(HALF)), 0),
    "bmp palette": (PALETTE, "bmp", {}, np.asarray(PALETTE.convert("RGB")), 0),
    "tiff": (Image.fromarray(RGB), "tif", {}, RGB, 0),
    "tiff LZW": (Image.fromarray(RGB), "tiff", {"compression": "tiff_lzw"}, RGB, 0),
    "tiff big": (Image.fromarray(RGB), "tiff", {"big_tiff": True}, RGB, 0),
    "tiff CMYK": (CMYK, "tif", {}, INK, 1),
    "tiff RGBA": (Image.fromarray(LAYERS, "RGBA"), "tif", {}, on_white(RGB, ALPHA), 1),
    "tiff 16-bit": (Image.fromarray(DEEP), "tif", {}, three(DEEP / 257), 0.5),
    "tiff 16-bit big-endian": (Image.fromarray(DEEP.astype(">u2")), "tif", {}, three(DEEP / 257), 0.5),
    "tiff 1 bit": (HALF, "tif", {"compression": "group4"}, three(255.0 * np.asarray(HALF)), 0),
    "webp": (Image.fromarray(RGB), "webp", {"lossless": True}, RGB, 0),
    "webp RGBA": (Image.fromarray(LAYERS, "RGBA"), "webp", {"lossless": True, "exact": True}, on_white(RGB, ALPHA), 1),
    "gif": (PALETTE, "gif", {}, np.asarray(PALETTE.convert("RGB")), 0),
    "gif grey": (Image.fromarray(GREY), "gif", {}, three(GREY), 0),
    "pgm": (Image.fromarray(GREY), "pgm", {}, three(GREY), 0),
    "ppm": (Image.fromarray(RGB), "ppm", {}, RGB, 0),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES)
@pytest.mark.filterwarnings("error")
def test_a_picture_shows_what_was_drawn(case: str, tmp_path: Path) -> None:
    picture, suffix, options, shown, tolerance = CASES[case]
    path = tmp_path / f"a.{suffix}"
    picture.save(path, **options)
    assert read_header(path)[:2] == ((W, H), 1)
    colour, grey = decode(path, 3), decode(path, 1)
    assert colour.pixels.shape == (H, W, 3)
    assert grey.pixels.shape == (H, W, 1)
    assert colour.pixels.dtype == grey.pixels.dtype == np.uint8
    assert_allclose(colour.pixels.astype(float), shown, atol=tolerance + 1e-9)
    assert_allclose(grey.pixels[..., 0].astype(float), rec601(shown), atol=tolerance + 1)
    assert_array_equal(colour.from_original.matrix, np.eye(3))


def test_a_jpeg_of_adobes_ycck(tmp_path: Path) -> None:
    stored = Image.fromarray(RGB).convert("YCbCr")
    planes = np.concatenate([np.asarray(stored), np.full((H, W, 1), 200, np.uint8)], -1)
    path = tmp_path / "a.jpg"
    # Pillow writes CMYK inverted and knows no YCCK: store the planes of YCCK, then say in Adobe's marker what they are.
    Image.fromarray(255 - planes, "CMYK").save(path, quality=98)
    data = path.read_bytes()
    marker = data.index(b"Adobe") + 11
    assert data[marker] == 0
    path.write_bytes(data[:marker] + b"\x02" + data[marker + 1 :])
    # libjpeg makes C = 255 - R of the planes, Adobe's files hold inverted inks: what is stored as R is 255 - R shown.
    assert_allclose(decode(path, 3).pixels, (255 - RGB.astype(float)) * 200 / 255, atol=6)


def test_a_png_with_16_bits_a_colour(tmp_path: Path) -> None:
    deep = (RGB.astype(np.uint16) * 257).astype(">u2")
    for colour, planes in (2, deep), (6, np.concatenate([deep, (ALPHA.astype(np.uint16) * 257)[..., None]], -1)):
        rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in planes)
        (tmp_path / "a.png").write_bytes(png((W, H), 16, colour, rows))
        shown = RGB if colour == 2 else on_white(RGB, ALPHA)
        assert_allclose(decode(tmp_path / "a.png", 3).pixels, shown, atol=1)


def test_a_pgm_with_16_bits(tmp_path: Path) -> None:
    (tmp_path / "a.pgm").write_bytes(f"P5 {W} {H} 65535\n".encode() + DEEP.astype(">u2").tobytes())
    assert_allclose(decode(tmp_path / "a.pgm", 1).pixels[..., 0], DEEP / 257, atol=0.5 + 1e-9)


@pytest.mark.parametrize(
    ("bits", "colour", "row", "clear", "shown"),
    [
        (1, 0, b"\x50", b"\0\1", [0, 255, 0, 255]),  # 0 1 0 1, white is transparent
        (1, 0, b"\x50", b"\0\0", [255, 255, 255, 255]),  # black is
        (2, 0, b"\x1b", b"\0\1", [0, 255, 170, 255]),  # 0 1 2 3
        (4, 0, b"\x01\x2f", b"\0\2", [0, 17, 255, 255]),  # 0 1 2 15
        (8, 0, b"\x00\x07\x08\xff", b"\0\7", [0, 255, 8, 255]),
        (16, 0, b"\0\0\x12\x34\x12\x35\xff\xff", b"\x12\x34", [0, 255, 18, 255]),
        (8, 2, b"\0\0\0\7\7\7\7\7\7\xff\xff\xff", b"\0\7\0\7\0\7", [0, 255, 255, 255]),
    ],
)
def test_a_png_with_a_transparent_colour(
    bits: int, colour: int, row: bytes, clear: bytes, shown: list[int], tmp_path: Path
) -> None:
    path = tmp_path / "a.png"
    path.write_bytes(png((4, 1), bits, colour, b"\0" + row, before=chunk(b"tRNS", clear)))
    assert decode(path, 1).pixels[0, :, 0].tolist() == shown


def test_a_palette_with_transparent_colours(tmp_path: Path) -> None:
    alphas = bytes(np.linspace(0, 255, 37).astype(np.uint8))
    PALETTE.save(tmp_path / "many.png", transparency=alphas)
    share = np.frombuffer(alphas, np.uint8)[np.asarray(PALETTE)]
    shown = on_white(np.asarray(PALETTE.convert("RGB")), share)
    assert_allclose(decode(tmp_path / "many.png", 3).pixels, shown, atol=1)
    PALETTE.save(tmp_path / "one.gif", transparency=5)
    shown = np.where(np.asarray(PALETTE)[..., None] == 5, 255, np.asarray(PALETTE.convert("RGB")))
    assert_array_equal(decode(tmp_path / "one.gif", 3).pixels, shown)


@pytest.mark.parametrize("suffix", ["gif", "webp", "tif", "png"])
def test_the_first_frame_counts(suffix: str, tmp_path: Path) -> None:
    path = tmp_path / f"a.{suffix}"
    lossless = {"lossless": True} if suffix == "webp" else {}
    Image.fromarray(GREY).save(path, None, save_all=True, append_images=[Image.fromarray(255 - GREY)], **lossless)
    assert_array_equal(decode(path, 1).pixels[..., 0], GREY)


def test_a_picture_of_one_pixel(tmp_path: Path) -> None:
    for suffix in "png", "jpg", "gif", "bmp", "tif", "webp", "ppm":
        path = tmp_path / f"a.{suffix}"
        Image.new("RGB", (1, 1), (90, 90, 90)).save(path)
        assert read_header(path).size == (1, 1)
        for shrink in 1.0, 0.01:
            assert_allclose(decode(path, 3, shrink).pixels, np.full((1, 1, 3), 90), atol=2)


def saved(mode: str, suffix: str, **options: Any) -> Callable[[Path], object]:
    return lambda path: Image.new(mode, (W, H)).save(path, suffix, **options)


def cut(suffix: str, kept: float, **options: Any) -> Callable[[Path], object]:
    """Writes a picture of noise whose file ends early."""

    def write(path: Path) -> None:
        noise = np.random.default_rng(0).integers(0, 256, (H, W, 3), dtype=np.uint8)
        Image.fromarray(noise).save(path, suffix, **options)
        data = path.read_bytes()
        path.write_bytes(data[: int(len(data) * kept)])

    return write


def text(data: bytes) -> Callable[[Path], object]:
    return lambda path: path.write_bytes(data)


def tiff(bits: int, meaning: int) -> bytes:
    """A grey TIFF of 2 x 1 px with `bits` a pixel and the photometric interpretation `meaning`."""
    tags = {256: 2, 257: 1, 258: bits, 259: 1, 262: meaning, 273: 200, 277: 1, 278: 1, 279: 4}
    body = b"".join(struct.pack("<HHII", tag, 4, 1, value) for tag, value in tags.items())
    return (b"II*\0\x08\0\0\0" + struct.pack("<H", len(tags)) + body + bytes(4)).ljust(200, b"\0") + bytes(4)


BAD: dict[str, tuple[Callable[[Path], object], str]] = {
    "empty": (text(b""), "the file is empty"),
    "a web page": (text(b"<html>404 not found</html>" * 9), "it is no JPEG"),
    "a program for a printer": (text(b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n"), "it is no JPEG"),
    "a folder": (lambda path: path.mkdir(), "cannot be opened"),
    "jpeg, header only": (cut("jpeg", 0.02), "cannot be read"),
    "jpeg, half": (cut("jpeg", 0.5), "truncated"),
    "jpeg progressive, half": (cut("jpeg", 0.5, progressive=True), "truncated"),
    "png, header only": (cut("png", 0.002), "cannot be read"),
    "png, half": (cut("png", 0.5), "cannot be decoded"),
    "bmp, half": (cut("bmp", 0.5), "cannot be decoded"),
    "tiff, half": (cut("tiff", 0.5), "a.bin: cannot be"),
    "tiff LZW, half": (cut("tiff", 0.5, compression="tiff_lzw"), "a.bin: cannot be"),
    "webp, half": (cut("webp", 0.5), "a.bin: cannot be"),
    "gif, half": (cut("gif", 0.5), "cannot be decoded"),
    "ppm, half": (cut("ppm", 0.5), "cannot be decoded"),
    "png, a wrong byte": (text(png((2, 1), 8, 0, b"\0ab").replace(b"IDATx", b"IDATy")), "cannot be decoded"),
    "png, no such compression": (text(png((2, 2), 8, 0, b"\0ab\x09cd")), "cannot be decoded"),
    "float": (saved("F", "tiff"), "kind 'F'"),
    "32-bit": (saved("I", "tiff"), "kind 'I'"),
    "CIELAB": (saved("LAB", "tiff"), "kind 'LAB'"),
    "12-bit": (text(tiff(12, 1)), "12 bits"),
    "16-bit, 0 is white": (text(tiff(16, 0)), "0 is white"),
    "a 16-bit transparent colour": (
        text(png((1, 1), 16, 2, bytes(7), before=chunk(b"tRNS", b"\x12\x34" * 3))), "transparent colour"
    ),
    "400 megapixels": (text(png((20000, 20000), 8, 2, b"")), "20000 x 20000 px"),
    "4 gigapixels": (text(b"GIF89a" + struct.pack("<HHBBB", 65535, 65535, 0, 0, 0) + b"," + bytes(9) + b"\2"), "a.bin"),
}  # fmt: skip


@pytest.mark.parametrize("case", BAD)
@pytest.mark.filterwarnings("error")
def test_what_cannot_be_read_is_told_in_one_line(case: str, tmp_path: Path) -> None:
    write, told = BAD[case]
    path = tmp_path / "a.bin"
    write(path)
    with pytest.raises(DataError) as caught:
        decode(path, 3)
    assert str(caught.value).startswith(f"{path}: ")
    assert told in str(caught.value)
    assert "\n" not in str(caught.value)
    assert caught.value.hint
    assert not isinstance(caught.value, MissingFileError)


def test_modes_are_refused_with_the_remedy(tmp_path: Path) -> None:
    Image.new("F", (3, 2)).save(tmp_path / "a.tif")
    with pytest.raises(DataError, match="save it as an 8-bit PNG or JPEG"):
        read_header(tmp_path / "a.tif")


def test_missing_files_are_missing(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    for name in "a.jpg", "no/a.jpg", "file/a.jpg":
        for read in read_header, partial(decode, channels=1):
            with pytest.raises(MissingFileError, match=f"{tmp_path / name}: there is no such picture"):
                read(tmp_path / name)


@pytest.mark.filterwarnings("error")
def test_a_header_of_a_large_picture_raises_no_warning(tmp_path: Path) -> None:
    side = 10_000
    (tmp_path / "a.png").write_bytes(png((side, side), 8, 2, b""))
    screen = b"GIF89a" + struct.pack("<HHBBB", side, side, 0, 0, 0)
    control = b"!\xf9\4\x08\0\0\0\0"  # restore to background: Pillow prepares for it at once
    (tmp_path / "a.gif").write_bytes(screen + control + b"," + struct.pack("<HHHHB", 0, 0, side, side, 0) + b"\2\0;")
    for name in "a.png", "a.gif":
        assert read_header(tmp_path / name).size == (side, side)


@pytest.mark.filterwarnings("ignore:Corrupt EXIF")
def test_damaged_exif_is_no_exif(tmp_path: Path) -> None:
    good = exif(6)
    for block in good[:9], good[:13], b"??" + good[2:], good[:4] + b"\xff" * 4 + good[8:], exif(9), exif(0), b"":
        path = tmp_path / "a.jpg"
        Image.fromarray(RGB).save(path, exif=b"Exif\0\0" + block)
        assert read_header(path)[:2] == ((W, H), 1)
        assert decode(path, 3).pixels.shape == (H, W, 3)


def test_damaged_exif_makes_no_noise(tmp_path: Path) -> None:
    path = tmp_path / "a.jpg"
    Image.fromarray(RGB).save(path, exif=b"Exif\0\0" + exif(6)[:9])
    code = f"import pathlib, kptool.photos as p; print(p.read_header(pathlib.Path({str(path)!r})).size)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert (done.stdout, done.stderr) == (f"({W}, {H})\n", "")


def test_running_out_of_memory_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise MemoryError

    Image.fromarray(RGB).save(tmp_path / "a.png")
    monkeypatch.setattr(pixels, "plain", fail)
    with pytest.raises(DataError, match=r"a\.png: cannot be decoded \(MemoryError\)"):
        decode(tmp_path / "a.png", 3)


def test_strips_are_seamless(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a.png"
    Image.fromarray(LAYERS, "RGBA").save(path)
    for shrink in 1.0, 0.3:
        whole = decode(path, 3, shrink).pixels
        monkeypatch.setattr(pixels, "STRIP", 5 * W)
        assert_array_equal(decode(path, 3, shrink).pixels, whole)
        monkeypatch.undo()


@pytest.mark.parametrize(("limit", "at_once"), [(100, 1), (1_000_000, 4)])
def test_large_pictures_wait_for_each_other(
    limit: int, at_once: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    counts, lock, real = [0, 0], threading.Lock(), pixels._decoded

    def counted(*args: Any) -> pixels.Decoded:
        with lock:
            counts[0] += 1
            counts[1] = max(counts)
        time.sleep(0.05)
        with lock:
            counts[0] -= 1
        return real(*args)

    Image.fromarray(RGB).save(tmp_path / "a.png")
    monkeypatch.setattr(pixels, "LARGE", limit)
    monkeypatch.setattr(pixels, "_decoded", counted)
    with ThreadPoolExecutor(4) as pool:
        results = list(pool.map(lambda _: decode(tmp_path / "a.png", 3).pixels, range(4)))
    assert counts == [0, at_once]
    assert all((result == RGB).all() for result in results)


def test_progressive_jpegs_count_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen = []

    class Noted:
        def __enter__(self) -> None:
            seen.append(name)

        def __exit__(self, *_: object) -> None: ...

    monkeypatch.setattr(pixels, "LARGE", W * H // 4)
    monkeypatch.setattr(pixels, "alone", Noted)
    for name, progressive in ("base.jpg", False), ("progressive.jpg", True):
        Image.fromarray(RGB).save(tmp_path / name, progressive=progressive)
        decode(tmp_path / name, 1, 0.25)
    assert seen == ["progressive.jpg"]


def test_no_filter_of_warnings_is_left_behind(tmp_path: Path) -> None:
    before = list(warnings.filters)
    PALETTE.save(tmp_path / "a.gif")
    read_header(tmp_path / "a.gif")
    assert list(warnings.filters) == before


def test_xmp_turns_no_tiff(tmp_path: Path) -> None:
    xmp = b'<x:xmpmeta><rdf:Description tiff:Orientation="6"/></x:xmpmeta>'
    Image.fromarray(RGB).save(tmp_path / "a.tif", tiffinfo={700: xmp})
    assert read_header(tmp_path / "a.tif")[:2] == ((W, H), 1)
    assert_array_equal(decode(tmp_path / "a.tif", 3).pixels, RGB)
