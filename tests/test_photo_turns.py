"""Law: whichever way a picture is turned and however small it is decoded, its points are where from_original says."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from picture_files import chunk, drawn, exif, png
from PIL import Image

from kptool.geometry import Bytes, Floats
from kptool.photos import decode, read_header

TURN = Image.Transpose
# What was done to the upright picture before it was stored, so that a viewer must undo it (EXIF 2.32, 4.6.4).
STORED = {
    1: None,
    2: TURN.FLIP_LEFT_RIGHT,
    3: TURN.ROTATE_180,
    4: TURN.FLIP_TOP_BOTTOM,
    5: TURN.TRANSPOSE,
    6: TURN.ROTATE_90,
    7: TURN.TRANSVERSE,
    8: TURN.ROTATE_270,
}
W, H = 203, 149  # neither a multiple of 2
SHRINKS = [(1.0, 1), (0.51, 1), (0.5, 2), (0.3, 2), (0.25, 4), (0.2, 4), (0.125, 8), (0.02, 8)]


def store(upright: Bytes, path: Path, orientation: int, kind: int = 3) -> None:
    """Save a picture the way a camera held at an angle does."""
    image, done = Image.fromarray(upright), STORED[orientation]
    image = image if done is None else image.transpose(done)
    if path.suffix == ".tif":
        image.save(path, tiffinfo={0x0112: orientation})
    elif path.suffix == ".png":
        image.save(path, exif=exif(orientation, "<", kind))
    else:
        image.save(path, exif=b"Exif\0\0" + exif(orientation, ">", kind), quality=98, lossless=True, subsampling=0)


def weight_centre(pixels: Bytes) -> Floats:
    """(1, 2) x, y of the centre of what is brighter than the ground, which is 0."""
    weights = pixels[..., 0].astype(float)
    y, x = np.mgrid[: weights.shape[0], : weights.shape[1]]
    return np.array([[(weights * x).sum() / weights.sum(), (weights * y).sum() / weights.sum()]])


@pytest.mark.parametrize("suffix", ["jpg", "png", "tif", "webp"])
@pytest.mark.parametrize("orientation", STORED)
def test_all_orientations_show_one_picture(orientation: int, suffix: str, tmp_path: Path) -> None:
    upright, path = drawn(61, 47), tmp_path / f"a.{suffix}"
    store(upright, path, orientation)
    assert read_header(path)[:2] == ((61, 47), orientation)
    decoded = decode(path, 3)
    assert_allclose(decoded.pixels.astype(float), upright, atol=5 if suffix == "jpg" else 0)
    assert decoded.pixels.flags.c_contiguous
    assert_array_equal(decoded.from_original.matrix, np.eye(3))


@pytest.mark.parametrize("kind", [1, 3, 4])
def test_the_tag_may_have_any_width(kind: int, tmp_path: Path) -> None:
    for suffix in "jpg", "png":
        store(drawn(9, 5), tmp_path / f"a.{suffix}", 6, kind)
        assert read_header(tmp_path / f"a.{suffix}").size == (9, 5)


def test_exif_behind_the_pixels_of_a_png(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(png((3, 1), 8, 0, b"\0abc", after=chunk(b"eXIf", exif(6))))
    assert read_header(tmp_path / "a.png").size == (1, 3)
    assert decode(tmp_path / "a.png", 1).pixels[:, 0, 0].tolist() == [*b"abc"]


@pytest.mark.parametrize("suffix", ["jpg", "png", "tif", "webp"])
@pytest.mark.parametrize("orientation", STORED)
@pytest.mark.parametrize(("shrink", "less"), SHRINKS)
def test_a_marked_block_is_where_the_map_says(
    shrink: float, less: int, orientation: int, suffix: str, tmp_path: Path
) -> None:
    """A block of 8 x 8 px on the grid of the stored picture stays a block, at 1/2, 1/4 and 1/8 too: no tolerance."""
    stored_size = (W, H) if orientation < 5 else (H, W)
    stored = np.zeros((stored_size[1], stored_size[0]), np.uint8)
    stored[40:48, 88:96] = 240
    image, done = Image.fromarray(stored), STORED[orientation]
    undo = {TURN.ROTATE_90: TURN.ROTATE_270, TURN.ROTATE_270: TURN.ROTATE_90}
    upright = image if done is None else image.transpose(undo.get(done, done))
    marked = weight_centre(np.asarray(upright)[..., None])
    path = tmp_path / f"a.{suffix}"
    store(np.asarray(upright), path, orientation)
    decoded = decode(path, 1, shrink)
    assert decoded.pixels.shape[:2] == (-(-H // less), -(-W // less))
    if suffix == "tif" and orientation > 1 and less > 1:
        # Pillow has turned it already, so that the grid of the reduction is the upright picture's.
        assert_allclose(decoded.from_original.inverse()(weight_centre(decoded.pixels)), marked, atol=0.01 * less)
    else:
        assert_allclose(decoded.from_original(marked), weight_centre(decoded.pixels), atol=1e-9)


@pytest.mark.parametrize("suffix", ["jpg", "png"])
@pytest.mark.parametrize("orientation", [1, 3, 7])
@pytest.mark.parametrize("shrink", [shrink for shrink, _ in SHRINKS])
@pytest.mark.parametrize("channels", [1, 3])
def test_a_blob_stays_in_its_place(shrink: float, orientation: int, suffix: str, channels: int, tmp_path: Path) -> None:
    true = np.array([[97.3, 61.8]])
    y, x = np.mgrid[:H, :W]
    blob = 250 * np.exp(-((x - true[0, 0]) ** 2 + (y - true[0, 1]) ** 2) / (2 * 9.0**2))
    grey = np.round(blob).astype(np.uint8)
    store(np.repeat(grey[..., None], 3, -1), tmp_path / f"a.{suffix}", orientation)
    decoded = decode(tmp_path / f"a.{suffix}", 3 if channels == 3 else 1, shrink)
    found = decoded.from_original.inverse()(weight_centre(decoded.pixels))
    assert np.abs(found - true).max() <= 0.1


@pytest.mark.parametrize("size", [(1, 40), (7, 9), (8, 8), (15, 16), (17, 3)])
@pytest.mark.parametrize("suffix", ["jpg", "png"])
def test_no_side_vanishes(size: tuple[int, int], suffix: str, tmp_path: Path) -> None:
    Image.new("RGB", size, (90, 90, 90)).save(tmp_path / f"a.{suffix}")
    for shrink, less in SHRINKS:
        decoded = decode(tmp_path / f"a.{suffix}", 3, shrink)
        fits = max(k for k in (1, 2, 4, 8) if k <= less and k <= min(size))
        assert decoded.pixels.shape == (-(-size[1] // fits), -(-size[0] // fits), 3)
        assert_allclose(decoded.from_original.matrix[0, 0], 1 / fits)
        assert_allclose(decoded.pixels, 90, atol=2)


def test_jpeg_and_png_are_reduced_alike(tmp_path: Path) -> None:
    smooth = drawn(W, H)
    for name in "a.jpg", "a.png":
        store(smooth, tmp_path / name, 1)
    for shrink, _ in SHRINKS:
        jpeg, other = (decode(tmp_path / name, 3, shrink) for name in ("a.jpg", "a.png"))
        assert_array_equal(jpeg.from_original.matrix, other.from_original.matrix)
        inner = np.s_[:-1, :-1]  # what is left over at the end is one's own affair
        assert_allclose(jpeg.pixels[inner].astype(float), other.pixels[inner], atol=5)
