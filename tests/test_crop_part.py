"""Law: crop.part shows that part of whole images and no other, and the whole of them is as it always was."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from kptool.config import CropOptions
from kptool.crop import crop_maps, regions, whole_images
from kptool.dataset import Dataset
from kptool.errors import UsageError
from kptool.geometry import crop_resize
from kptool.pixels import open_arrays, prepare
from kptool.schema import make_schema

N, W, H = 3, 60, 40
SCHEMA = make_schema("test", ["nose"], None)
PART = [0.25, 0.1, 0.5, 0.6]  # 15, 4, 30, 24 px


def dataset() -> Dataset:
    images = np.random.default_rng(0).integers(0, 256, (N, 1, H, W)).astype(np.uint8)
    points = np.random.default_rng(1).uniform(10, 30, (N, 1, 2))
    return Dataset(np.array(["a", "b", "c"]), images, points, SCHEMA, "parts")


def crop(width: int, height: int, part: list[float], aspect: str = "keep") -> CropOptions:
    settings = {"width": width, "height": height, "part": part, "aspect": aspect, "slack": 0.0}
    return CropOptions.model_validate(settings)


@pytest.mark.parametrize("aspect", ["keep", "stretch"])
def test_the_whole_is_bit_for_bit_what_it_was(aspect: str) -> None:
    data = dataset()
    whole = crop(32, 20, [0.0, 0.0, 1.0, 1.0], aspect)
    assert regions(data, whole).tobytes() == whole_images(data.sizes).tobytes()
    assert (
        crop_maps(data, whole).matrix.tobytes()
        == crop_maps(
            data, CropOptions.model_validate({"width": 32, "height": 20, "aspect": aspect, "slack": 0.0})
        ).matrix.tobytes()
    )


def test_the_parts_middle_and_corners_fill_a_frame_of_its_shape() -> None:
    """Corners are those of pixels: half a pixel outside the first one's centre."""
    maps = crop_maps(dataset(), crop(15, 12, PART))
    corners = np.array([[15, 4], [45, 28]]) - 0.5
    assert_allclose(maps(np.tile(corners, (N, 1, 1))), np.tile([[-0.5, -0.5], [14.5, 11.5]], (N, 1, 1)), atol=1e-12)
    assert_allclose(maps(np.array([[29.5, 15.5]])), np.tile([[7.0, 5.5]], (N, 1, 1)), atol=1e-12)
    assert_array_equal(maps.matrix, crop_resize(np.tile([15.0, 4.0, 30.0, 24.0], (N, 1)), (15, 12)).matrix)


@pytest.mark.parametrize(("width", "height"), [(30, 30), (50, 12), (7, 19)])
def test_another_shape_grows_about_the_parts_middle(width: int, height: int) -> None:
    kept, stretched = (crop_maps(dataset(), crop(width, height, PART, aspect)) for aspect in ("keep", "stretch"))
    middle = np.tile([[(width - 1) / 2, (height - 1) / 2]], (N, 1, 1))
    for maps in (kept, stretched):
        assert_allclose(maps(np.array([[29.5, 15.5]])), middle, atol=1e-9)
    assert_allclose(kept.matrix[:, 0, 0], kept.matrix[:, 1, 1])
    seen = kept.inverse()(np.array([[-0.5, -0.5], [width - 0.5, height - 0.5]]))
    assert (seen[:, 0] <= [14.5 + 1e-9, 3.5 + 1e-9]).all(), "the part is seen whole"
    assert (seen[:, 1] >= [44.5 - 1e-9, 27.5 - 1e-9]).all()


def test_pixels_are_the_parts_own() -> None:
    data = dataset()
    options = crop(30, 24, PART)
    arrays = open_arrays(prepare(data, options, 1).folder, SCHEMA)
    assert_array_equal(arrays.images, np.asarray(data.images)[:, :, 4:28, 15:45])
    assert_allclose(arrays.points_frame, data.points - [15, 4], atol=1e-9)


def test_another_part_is_another_cache() -> None:
    data = dataset()
    one, two = (prepare(data, crop(30, 24, part), 1).folder for part in (PART, [0.2, 0.1, 0.5, 0.6]))
    assert one != two


def test_a_part_of_boxes_is_refused() -> None:
    data = replace(dataset(), boxes=np.tile([5.0, 5.0, 20.0, 20.0], (N, 1)))
    with pytest.raises(UsageError, match=r"crop\.part = \[0\.25, 0\.1, 0\.5, 0\.6\] is of whole images.*crop\.box=ima"):
        crop_maps(data, crop(30, 24, PART))
    image = crop(30, 24, PART).model_copy(update={"box": "image"})
    assert_array_equal(crop_maps(data, image).matrix, crop_maps(dataset(), crop(30, 24, PART)).matrix)


@pytest.mark.parametrize("part", [[0.5, 0.0, 0.6, 1.0], [0.0, 0.0, 0.0, 1.0], [0.0, 0.0, 1.0]])
def test_what_is_no_part_is_refused(part: list[float]) -> None:
    with pytest.raises(UsageError, match="is no part of an image"):
        crop(30, 24, part)
