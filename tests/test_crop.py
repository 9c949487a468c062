"""Law: out of a photo into the model's frame and back, through every path there is, a point returns to its place."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from kptool.augment import apply_images, apply_points, sample
from kptool.config import AugmentOptions, CropOptions, PredictOptions
from kptool.crop import box_faults, boxed_or_whole, crop_maps, grow, model_size, settled, slack
from kptool.dataset import Dataset, Ints, Photos
from kptool.errors import UsageError
from kptool.geometry import Affine, Bytes, Floats, about, centre_of, crop_resize, mirror, resize, rotate, scale, shift
from kptool.intake import sound
from kptool.pixels import open_arrays, prepare
from kptool.schema import make_schema
from kptool.views import Forward, make_views, pool, predict_frame

K = 3
SCHEMA = make_schema("test", ["left", "right", "chin"], [("left", "right")])
SIZES = np.array([[97, 61], [143, 201], [260, 178], [64, 64], [311, 97]])
BOXES = np.array(
    [
        [20.0, 8.0, 51.0, 43.0],
        [-13.0, 40.5, 120.25, 141.0],  # leaves the photo on the left
        [101.0, 60.0, 96.0, 100.0],
        [0.0, 0.0, 64.0, 64.0],
        [150.0, -20.0, 140.0, 130.0],  # leaves it above and below
    ]
)
CROP = CropOptions(width=56, height=48, margin=0.15, slack=0.25)


def photos(root: Path, points: Floats, blob: int | None = None) -> Dataset:
    """A picture a row: black, with one bright Gaussian blob at point `blob`, or noise where that is None."""
    generator = np.random.default_rng(2)
    files = []
    for n, (width, height) in enumerate(SIZES):
        y, x = np.mgrid[:height, :width]
        if blob is None:
            image = generator.integers(0, 256, (height, width)).astype(np.uint8)
        else:
            spread = 0.06 * BOXES[n, 2:].mean()  # as large in every frame, whatever the photo's size
            px, py = points[n, blob]
            image = (250 * np.exp(-((x - px) ** 2 + (y - py) ** 2) / (2 * spread**2))).astype(np.uint8)
        files.append(f"p{n}.png")
        cv2.imwrite(str(root / files[-1]), image)
    found = Photos(root, np.array(files), SIZES)
    return Dataset(np.array(files), found, points, SCHEMA, f"digest {blob} {root}", boxes=BOXES)


def places(seed: int = 0) -> Floats:
    """(N, K, 2) points well inside both box and photo."""
    low = np.maximum(BOXES[:, :2], 0) + 0.3 * BOXES[:, 2:]
    high = np.minimum(BOXES[:, :2] + BOXES[:, 2:], SIZES) - 0.3 * BOXES[:, 2:]
    return np.random.default_rng(seed).uniform(low[:, None], high[:, None], (len(BOXES), K, 2))


def centroid(images: np.ndarray) -> Floats:
    """(B, 2) where the brightness of images (B, 1, H, W) has its middle."""
    weight = np.asarray(images, dtype=np.float64)[:, 0]
    y, x = np.mgrid[: weight.shape[1], : weight.shape[2]]
    total = weight.sum((1, 2))
    return np.stack([(weight * x).sum((1, 2)) / total, (weight * y).sum((1, 2)) / total], axis=1)


# --- the maps alone ---


def test_a_hundred_thousand_round_trips_lose_nothing() -> None:
    generator, count = np.random.default_rng(0), 100_000
    boxes = np.concatenate([generator.uniform(-200, 4000, (count, 2)), generator.uniform(2, 3000, (count, 2))], axis=1)
    frame = (112, 96)
    crop = crop_resize(grow(boxes, 0.23, frame), frame)
    turned = about(
        centre_of(frame), rotate(generator.uniform(-180, 180, count)).then(scale(generator.uniform(0.5, 2, count), 1.1))
    )
    moved = crop.then(turned).then(shift(generator.uniform(-9, 9, count), 3.7)).then(mirror(frame[0]))
    there = moved.then(resize(frame, (80, 60)))
    points = boxes[:, None, :2] + generator.uniform(-0.5, 1.5, (count, 5, 2)) * boxes[:, None, 2:]
    assert np.abs(there.inverse()(there(points)) - points).max() <= 1e-6
    assert there.mirrors.all()


def test_a_crop_maps_the_boxs_edges_onto_the_frames() -> None:
    to_frame = crop_resize(BOXES, (56, 48))
    first, last = BOXES[:, :2] - 0.5, BOXES[:, :2] - 0.5 + BOXES[:, 2:]
    assert np.allclose(to_frame(first[:, None])[:, 0], [-0.5, -0.5])
    assert np.allclose(to_frame(last[:, None])[:, 0], [55.5, 47.5])
    whole = crop_resize([0, 0, 97, 61], (56, 48))
    assert np.allclose(whole.matrix, resize((97, 61), (56, 48)).matrix), "the whole image is a plain resize"


def test_boxes_grow_about_their_middle_to_the_frames_shape() -> None:
    grown = grow(BOXES, 0.1, (56, 48))
    assert np.allclose(grown[:, 2] / grown[:, 3], 56 / 48)
    assert np.allclose(grown[:, :2] + grown[:, 2:] / 2, BOXES[:, :2] + BOXES[:, 2:] / 2)
    assert (grown[:, 2:] >= BOXES[:, 2:] * 1.2 - 1e-9).all()
    assert np.isclose(grown[:, 2:] / BOXES[:, 2:], 1.2).any(1).all(), "one side is the box's own"
    assert np.allclose(grow(BOXES, 0.1, None)[:, 2:], BOXES[:, 2:] * 1.2)


def test_what_is_cropped(tmp_path: Path) -> None:
    data = photos(tmp_path, places())
    assert model_size(data, CropOptions(width=40)) == (40, 40)
    assert slack((56, 48), CROP) == (14, 12)
    by_box, whole = (crop_maps(data, CropOptions(width=56, height=48, box=box)) for box in ("auto", "image"))
    assert not np.allclose(by_box.matrix, whole.matrix)
    middle = (SIZES - 1) / 2
    assert np.allclose(whole(middle[:, None])[:, 0], [27.5, 23.5])
    with pytest.raises(UsageError, match=r"crop\.width is 0"):
        crop_maps(data, CropOptions())


def test_boxes_that_show_nothing_are_named(tmp_path: Path) -> None:
    data = photos(tmp_path, places())
    assert data.boxes is not None
    data.boxes[0] = [5, 5, 0, 7]
    data.boxes[1] = [143, 0, 10, 10]
    data.boxes[2] = np.nan
    try:
        faults = box_faults(data, CROP)
        assert [row for row, _ in faults] == [0, 1, 2]
        for (_, text), words in zip(faults, ("has no area", "wholly outside", "no box"), strict=True):
            assert words in text
        assert prepare(data, CROP, 1).faults == faults
    finally:
        data.boxes[:3] = [[20.0, 8.0, 51.0, 43.0], [-13.0, 40.5, 120.25, 141.0], [101.0, 60.0, 96.0, 100.0]]


# --- pixels through the real paths ---


@pytest.mark.parametrize("blob", range(K))
@pytest.mark.parametrize("aspect", ["keep", "stretch"])
def test_a_drawn_blob_is_where_training_thinks_it_is(tmp_path: Path, blob: int, aspect: str) -> None:
    crop = CROP.model_copy(update={"aspect": aspect})
    data = photos(tmp_path, places(blob), blob)
    arrays = open_arrays(prepare(data, crop, 1).folder, SCHEMA)
    frame_error = centroid(arrays.images) - arrays.points_frame[:, blob]
    assert np.abs(frame_error).max() <= 0.05
    options = AugmentOptions(brightness=0.0, contrast=0.0, rotate=10, shift=0.03)
    for seed in range(4):
        numbers = sample(np.random.default_rng(seed), len(data), arrays.size, options).after(arrays.to_model)
        shown = apply_images(arrays.images, numbers, arrays.size).numpy()
        moved = numbers.to_model(arrays.points_frame)[:, blob]  # by place: a mirrored blob keeps its own
        assert np.abs(centroid(shown) - moved).max() <= 0.05
        renamed = apply_points(arrays.points_frame, numbers, SCHEMA)
        flips = numbers.to_model.mirrors
        assert np.allclose(renamed[flips][:, SCHEMA.mirror.index(blob)], moved[flips])


@pytest.mark.parametrize("blob", range(K))
def test_a_drawn_blob_comes_back_to_its_photo_through_every_view(tmp_path: Path, blob: int) -> None:
    data = photos(tmp_path, places(7 + blob), blob)
    arrays = open_arrays(prepare(data, CROP, 1).folder, SCHEMA)

    def finder(shown: np.ndarray, _: np.ndarray) -> tuple[Floats, Floats]:
        return np.repeat(centroid(shown)[:, None], K, axis=1), np.ones((len(shown), K))

    views = make_views(PredictOptions(), arrays.size)
    found, _ = predict_frame(finder, arrays.images, np.zeros(len(data), np.int64), views, SCHEMA, arrays.size, 2)
    back = arrays.to_frame.then(arrays.to_model).inverse()
    errors = back(found)[:, blob] - data.points[:, blob]
    in_frame = np.linalg.norm(errors, axis=1) / np.linalg.norm(back.matrix[:, :2, 0], axis=1)
    assert in_frame.max() <= 0.05


def all_knowing(truth: Floats, to_model: Affine, views: list[Affine]) -> Forward:
    """A model that knows where the points of every photo are, view by view."""
    turn = iter(views)

    def forward(shown: Bytes, _: Ints) -> tuple[Floats, Floats]:
        view = next(turn)
        seen = to_model.then(view)(truth)
        return (seen[:, list(SCHEMA.mirror)] if view.mirrors else seen), np.ones((len(shown), K))

    return forward


def test_an_oracle_comes_back_through_crops_views_and_sizes(tmp_path: Path) -> None:
    data, truth = photos(tmp_path, places(3)), places(3)
    crops = [CROP, CropOptions(width=37, slack=0.0), CropOptions(width=64, height=80, aspect="stretch", margin=0.4)]
    answers = []
    for crop in crops:
        arrays = open_arrays(prepare(data, crop, 1).folder, SCHEMA)
        to_model = arrays.to_frame.then(arrays.to_model)
        views = make_views(PredictOptions(shift=1.5), arrays.size)
        found, spread = predict_frame(
            all_knowing(truth, to_model, views), arrays.images, np.zeros(len(data), np.int64), views, SCHEMA,
            arrays.size, len(data),
        )  # fmt: skip
        answers.append((to_model.inverse()(found), spread))
    points, _ = pool(np.stack([a for a, _ in answers]), np.stack([s for _, s in answers]))
    assert np.abs(points - truth).max() <= 1e-6


# --- the cache ---


def test_one_photo_alone_is_the_same_as_among_others(tmp_path: Path) -> None:
    data = photos(tmp_path, places())
    together = open_arrays(prepare(data, CROP, 1).folder, SCHEMA)
    for row in (1, 4):
        alone = open_arrays(prepare(data.take([row]), CROP, 1).folder, SCHEMA)
        assert np.array_equal(alone.images[0], together.images[row])
        assert np.array_equal(alone.to_frame.matrix[0], together.to_frame.matrix[row])


def test_photos_that_cannot_be_decoded_are_counted_not_filled(tmp_path: Path) -> None:
    data = photos(tmp_path, places())
    (tmp_path / "p3.png").write_bytes((tmp_path / "p3.png").read_bytes()[:200])
    (tmp_path / "p0.png").unlink()
    ticks: list[tuple[int, int]] = []
    folder, faults = prepare(data, CROP, 1, lambda done, total: ticks.append((done, total)))
    assert [row for row, _ in faults] == [0, 3]
    assert all(str(tmp_path) in text and "\n" not in text for _, text in faults)
    assert ticks[-1] == (5, 5)
    assert not (folder / "done.json").exists(), "frames with holes must not be found again"


def test_arrays_are_resized_like_photos() -> None:
    generator = np.random.default_rng(1)
    images = generator.integers(0, 256, (4, 1, 40, 60)).astype(np.uint8)
    points = generator.uniform(5, 35, (4, K, 2))
    data = Dataset(np.array(list("abcd")), images, points, SCHEMA, "resized")
    arrays = open_arrays(prepare(data, CropOptions(width=30, height=20, slack=0.1), 1).folder, SCHEMA)
    assert arrays.images.shape == (4, 1, 24, 36)
    back = arrays.to_frame.then(arrays.to_model)
    assert np.allclose(back(points), resize((60, 40), (30, 20))(points))
    area = cv2.resize(images[2, 0], (30, 20), interpolation=cv2.INTER_AREA)
    assert np.array_equal(arrays.images[2, 0, 2:-2, 3:-3], area), "a plain halving averages whole areas"


def test_frames_know_which_row_is_which_photo(tmp_path: Path) -> None:
    data = photos(tmp_path, places())
    assert isinstance(data.images, Photos)
    unlabelled = replace(data, points=np.full_like(data.points, np.nan))
    other = replace(data.images, files=data.images.files[[0, 0, 2, 3, 4]])
    one, two = (prepare(replace(unlabelled, images=images), CROP, 1).folder for images in (data.images, other))
    assert one != two, "same boxes and same set of files, but row 1 shows another picture"
    named = prepare(replace(unlabelled, ids=np.array(list("abcde"))), CROP, 1).folder
    assert named not in (one, two)


def test_a_box_of_no_photos_size_is_named(tmp_path: Path) -> None:
    data = photos(tmp_path, places())
    boxes = BOXES.copy()
    boxes[0, 2], boxes[1, 3], boxes[2, 0] = 1e201, 1e-200, -1e9
    faults = box_faults(replace(data, boxes=boxes), CROP)
    assert [row for row, _ in faults] == [0, 1, 2]
    assert all("of no size that a photo has" in text for _, text in faults)


def test_whole_images_stand_in_for_boxes_that_cannot_be_used(tmp_path: Path) -> None:
    data = photos(tmp_path, places())
    boxes = BOXES.copy()
    boxes[0], boxes[3, 0] = np.nan, 9000
    found = boxed_or_whole(replace(data, boxes=boxes)).boxes
    assert found is not None
    assert np.array_equal(found[[1, 2, 4]], BOXES[[1, 2, 4]])
    assert np.array_equal(found[[0, 3]], [[0, 0, 97, 61], [0, 0, 64, 64]])
    sound_ones = sound(replace(data, boxes=boxes), CropOptions(width=56, box="image"))
    assert sound_ones.faults == [], "a recipe that looks at whole images does not care"
    assert [row for row, _ in sound(replace(data, boxes=boxes), CROP).faults] == [0, 3]


def test_boxes_asked_for_and_not_there(tmp_path: Path) -> None:
    data = replace(photos(tmp_path, places()), boxes=None)
    with pytest.raises(UsageError, match=r"none of 5 images has a box, and crop\.box is 'file'"):
        box_faults(data, CROP.model_copy(update={"box": "file"}))
    assert settled(data, CROP).box == "image"
    assert settled(photos(tmp_path, places()), CROP).box == "file"
