"""Law: an image's grey levels are set from the image alone, the same in training and prediction, and "none" is none."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from PIL import Image

import kptool.predict
from kptool.competitions import find
from kptool.config import CropOptions, ImageOptions, Recipe
from kptool.contrast import DEVIATION, MEAN, contrasted
from kptool.dataset import Dataset, Photos
from kptool.engine.of_points import frames_of
from kptool.errors import UsageError
from kptool.geometry import Bytes
from kptool.models.net import GREY, LUMA
from kptool.pixels import VERSION, arrays_of, open_arrays, prepare
from kptool.runs import Run
from kptool.schema import make_schema

N, W, H = 4, 37, 29
SCHEMA = make_schema("test", ["left", "right", "chin"], [("left", "right")])
KINDS = ["stretch", "equalise", "clahe", "standardise"]


def options(kind: str, **more: float) -> ImageOptions:
    return ImageOptions.model_validate({"contrast": kind, "clahe_tiles": 4, **more})


def noise(channels: int = 1, low: int = 90, high: int = 130) -> Bytes:
    """(N, C, H, W) pale images, none like another: a slope under noise."""
    generator = np.random.default_rng(0)
    slope = np.linspace(low, high, W)[None, None, None] + np.arange(0, 8 * N, 8)[:, None, None, None]
    images: Bytes = np.clip(slope + generator.normal(0, 5, (N, channels, H, W)), 0, 255).astype(np.uint8)
    return images


def test_none_is_the_very_same_array() -> None:
    images = noise()
    assert contrasted(images, ImageOptions()) is images
    assert contrasted(images[0], ImageOptions()).base is images


@pytest.mark.parametrize("channels", [1, 2, 3])
@pytest.mark.parametrize("kind", KINDS)
def test_many_are_each_alone_and_the_input_stays(kind: str, channels: int) -> None:
    images = noise(channels)
    before = images.copy()
    together = contrasted(images, options(kind))
    assert together.shape == images.shape
    assert together.dtype == np.uint8
    assert not np.array_equal(together, images)
    for n in range(N):
        assert np.array_equal(contrasted(images[n], options(kind)), together[n])
    assert np.array_equal(images, before)


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("level", [0, 93, 255])
@pytest.mark.parametrize("kind", KINDS)
def test_a_flat_image_stays_flat(kind: str, level: int, channels: int) -> None:
    flat = np.full((channels, H, W), level, np.uint8)
    assert len(np.unique(contrasted(flat, options(kind)))) == 1
    if kind in ("stretch", "equalise"):
        assert np.array_equal(contrasted(flat, options(kind)), flat)


def test_a_flat_colour_stays_flat() -> None:
    colour = np.broadcast_to(np.array([200, 90, 30], np.uint8)[:, None, None], (3, H, W))
    for kind in KINDS:
        assert all(len(np.unique(plane)) == 1 for plane in contrasted(colour, options(kind)))


def test_stretch_goes_from_percentile_to_percentile() -> None:
    images = noise(3)
    for image in images:
        black, white = np.percentile(image.astype(np.float64), (10, 95))  # of all channels together
        wanted = np.clip((image - black) / (white - black), 0, 1) * 255
        assert np.abs(contrasted(image, options("stretch", low=10, high=95)) - wanted).max() <= 0.5 + 1e-9
    full = contrasted(images, options("stretch", low=0, high=100))
    assert (full.min((1, 2, 3)) == 0).all()
    assert (full.max((1, 2, 3)) == 255).all()


def test_standardise_brings_an_image_to_what_networks_expect() -> None:
    assert [255 * part for part in GREY] == pytest.approx([MEAN, DEVIATION])
    done = contrasted(noise(3), options("standardise")).astype(np.float64)
    assert np.abs(done.mean((1, 2, 3)) - MEAN).max() < 2  # clipped and rounded
    assert np.abs(done.std((1, 2, 3)) - DEVIATION).max() < 2
    faint = np.full((1, H, W), 50, np.uint8)
    faint[0, 0, 0] = 51
    assert len(np.unique(contrasted(faint, options("standardise")))) == 2
    assert np.ptp(contrasted(faint, options("standardise")).astype(int)) <= DEVIATION + 1, "rounding is not blown up"


def test_grey_is_opencvs() -> None:
    image = noise()[1]
    assert np.array_equal(contrasted(image, options("equalise"))[0], cv2.equalizeHist(image[0]))
    clahe = cv2.createCLAHE(3.0, (4, 4)).apply(image[0])
    assert np.array_equal(contrasted(image, options("clahe", clahe_clip=3.0))[0], clahe)
    other = contrasted(image, options("clahe", clahe_clip=3.0, clahe_tiles=2))[0]
    assert not np.array_equal(other, clahe)


@pytest.mark.parametrize("kind", ["equalise", "clahe"])
def test_colour_changes_in_luma_and_keeps_its_chroma(kind: str) -> None:
    # Near grey, so that no channel is clipped on the way back.
    image = np.repeat(noise(1, 110, 120)[:1], 3, axis=1)[0].astype(int) + np.array([4, 0, -5])[:, None, None]
    image = np.clip(image, 0, 255).astype(np.uint8)
    done = contrasted(image, options(kind))
    keep = ((done > 0) & (done < 255)).all(0)
    assert keep.mean() > 0.9
    before, after = (cv2.cvtColor(np.moveaxis(i, 0, -1).copy(), cv2.COLOR_RGB2YCrCb).astype(int) for i in (image, done))
    assert np.abs(after - before)[keep][:, 1:].max() <= 1
    luma = np.tensordot(np.array(LUMA), image, 1).round().astype(np.uint8)
    found = np.tensordot(np.array(LUMA), done, 1)
    assert np.abs(found - contrasted(luma[None], options(kind))[0])[keep].mean() < 2
    grey = np.repeat(noise()[2], 3, axis=0)
    assert np.array_equal(contrasted(grey, options(kind)), np.repeat(contrasted(grey[:1], options(kind)), 3, axis=0))


def test_more_tiles_than_px_are_refused() -> None:
    with pytest.raises(UsageError, match="clahe_tiles = 30, but an image has 37x29 px"):
        contrasted(noise(), options("clahe", clahe_tiles=30))
    assert contrasted(noise(), options("clahe", clahe_tiles=29)).shape == (N, 1, H, W)


def plain(digest: str = "pinned") -> Dataset:
    images = np.arange(4 * 35).reshape(4, 1, 5, 7).astype(np.uint8)
    points = np.arange(24.0).reshape(4, 3, 2)
    return Dataset(np.array(list("abcd")), images, points, SCHEMA, digest)


def test_none_finds_the_frames_of_before_there_was_contrast() -> None:
    assert VERSION == 3, "a new version has other folders: print them and pin them anew"
    idle = ImageOptions(low=5, high=90, clahe_clip=7, clahe_tiles=3)
    for image in (ImageOptions(), idle):
        for side, name in ((0, "f42da5f28660637d36a75939"), (14, "e7518113a4430ff2dd60980b")):
            cut = CropOptions(width=side, height=10 if side else 0)
            assert prepare(plain(), cut, 1, image=image).folder.name == name


def test_every_setting_that_matters_has_frames_of_its_own_and_no_other() -> None:
    small = [
        options("stretch"), options("stretch", low=3), options("stretch", high=97), options("equalise"),
        options("clahe"), options("clahe", clahe_clip=3), options("clahe", clahe_tiles=2), options("standardise"),
    ]  # fmt: skip
    folders = [prepare(plain("own"), CropOptions(), 1, image=image).folder for image in [ImageOptions(), *small]]
    assert len(set(folders)) == len(folders)
    idle = prepare(plain("own"), CropOptions(), 1, image=options("stretch", clahe_clip=9)).folder
    assert idle == folders[1], "clahe's clip is nothing to stretch"


@pytest.mark.parametrize("crop", [CropOptions(), CropOptions(width=30, height=20, slack=0.1)])
@pytest.mark.parametrize("kind", KINDS)
def test_arrays_look_the_same_in_training_and_prediction(kind: str, crop: CropOptions) -> None:
    """Training lays frames out for a whole set; prediction may hold any part of it, uncached where it is not cut."""
    images, image = noise(), options(kind)
    ids = np.array([f"{kind}{n}" for n in range(N)])
    data = Dataset(ids, images, np.zeros((N, 3, 2)), SCHEMA, f"arrays {crop.width}")
    trained = open_arrays(prepare(data, crop, 1, image=image).folder, SCHEMA)
    untouched = open_arrays(prepare(data, crop, 1).folder, SCHEMA)
    assert np.array_equal(trained.images, contrasted(untouched.images, image)), "after the crop"
    assert not np.array_equal(trained.images, untouched.images)
    for rows in ([2, 0], [3]):
        assert np.array_equal(arrays_of(data.take(rows), crop, 1, None, image).images, trained.images[rows])


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("kind", KINDS)
def test_photos_look_the_same_in_training_and_prediction(kind: str, channels: int, tmp_path: Path) -> None:
    data = photos(tmp_path)
    crop, image = CropOptions(width=34, height=26), options(kind)
    trained = open_arrays(prepare(data, crop, channels, image=image).folder, data.schema)
    assert trained.images.shape[1] == channels
    untouched = open_arrays(prepare(data, crop, channels).folder, data.schema)
    assert np.array_equal(trained.images, contrasted(np.array(untouched.images), image))
    alone = arrays_of(data.take([2]), crop, channels, None, image)
    assert np.array_equal(alone.images[0], trained.images[2])


def photos(root: Path) -> Dataset:
    """Coloured pictures with boxes, two of which leave them."""
    for n, image in enumerate(noise(3)):
        Image.fromarray(np.moveaxis(image, 0, -1)).save(root / f"{n}.png")
    found = Photos(root, np.array([f"{n}.png" for n in range(N)]), np.tile([W, H], (N, 1)))
    boxes = np.array([[2, 3, 20, 20], [-6, 4, 25, 21], [10, 8, 19, 30], [5, 5, 12, 16]], dtype=np.float64)
    return Dataset(found.files, found, np.zeros((N, 3, 2)), SCHEMA, f"photos {root}", boxes=boxes)


def test_training_and_prediction_hand_the_recipes_contrast_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    recipe = Recipe(image=options("equalise"))
    data = Dataset(np.array(list("abcd")), noise(), np.zeros((N, 3, 2)), SCHEMA, "handed on")
    assert frames_of(data, recipe) == prepare(data, recipe.crop, 1, image=recipe.image).folder
    shown: list[Bytes] = []

    def stop(_: Any, size: tuple[int, int]) -> None:
        raise InterruptedError(size)

    def look(*given: Any) -> Any:
        shown.append(arrays_of(*given).images)
        return arrays_of(*given)

    monkeypatch.setattr(kptool.predict, "arrays_of", look)
    monkeypatch.setattr(kptool.predict, "refuse_size", stop)
    (tmp_path / "env.json").write_text('{"device": "cpu"}')
    run = Run(tmp_path, find("demo"), recipe)
    with pytest.raises(InterruptedError):
        next(kptool.predict.predict_folds(run, data, np.zeros(N, np.int64), 1))
    assert np.array_equal(shown[0], open_arrays(frames_of(data, recipe), SCHEMA).images)
