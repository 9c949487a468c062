"""Law: one photo is one group, however it was stored; two photos are two, however much they look alike."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.testing import assert_array_equal

from kptool.dataset import Ints
from kptool.duplicates import connect, find_groups, unite
from kptool.geometry import Bytes, Floats

WIDTH, HEIGHT = 71, 58


def pictures(count: int, seed: int, common: float = 0.0) -> Floats:
    """(count, H, W) of soft blotches; `common` is the share of the variance that all of them have alike."""
    rng = np.random.default_rng(seed)
    noise = rng.normal(size=(count + 1, HEIGHT, WIDTH)).astype(np.float32)
    soft = np.stack([cv2.GaussianBlur(n, (0, 0), 5) + 0.1 * cv2.GaussianBlur(n, (0, 0), 1.5) for n in noise])
    soft = (soft - soft.mean((1, 2), keepdims=True)) / soft.std((1, 2), keepdims=True)
    mixed = np.sqrt(common) * soft[-1] + np.sqrt(1 - common) * soft[:-1]
    return np.asarray(120 + 30 * mixed, dtype=np.float64)


def stored(images: Floats) -> Bytes:
    return np.clip(np.round(images), 0, 255).astype(np.uint8)[:, None]


def jpeg(images: Floats) -> Floats:
    quality = [cv2.IMWRITE_JPEG_QUALITY, 40]
    coded = [cv2.imencode(".jpg", image[0], quality)[1] for image in stored(images)]
    return np.stack([np.asarray(cv2.imdecode(code, cv2.IMREAD_GRAYSCALE), dtype=np.float64) for code in coded])


def moved(images: Floats) -> Floats:
    matrix = np.array([[1.02, 0, 1.5], [0, 1.02, -2.0]])
    return np.stack(
        [cv2.warpAffine(image, matrix, (WIDTH, HEIGHT), borderMode=cv2.BORDER_REPLICATE) for image in images]
    )


def noisy(images: Floats) -> Floats:
    return images + np.random.default_rng(9).normal(0, 6, images.shape)


COPIES: dict[str, Callable[[Floats], Floats]] = {
    "recompressed": jpeg,
    "brighter": lambda images: images + 25,
    "darker and flatter": lambda images: 0.5 * images + 10,
    "noisy": noisy,
    "moved a little": moved,
}
MIRRORED: dict[str, Callable[[Floats], Floats]] = {
    "exactly": lambda images: images[..., ::-1],
    "and recompressed": lambda images: jpeg(0.8 * images[..., ::-1] + 30),
}


def test_equal_bytes_are_one_group_numbered_by_first_appearance() -> None:
    images = stored(pictures(5, seed=0))[[2, 0, 2, 1, 0, 2, 4]]
    for near in (False, True):
        groups = find_groups(images, near)
        assert_array_equal(groups.group, [0, 1, 0, 2, 1, 0, 3])
        assert groups.group.dtype == np.int64
        assert (groups.exact_distinct, groups.rows_in_exact_groups, groups.largest) == (4, 5, 3)
        assert (groups.near_pairs, groups.mirrored_pairs) == (0, 0)


@pytest.mark.parametrize("how", COPIES)
def test_a_changed_copy_shares_the_group(how: str) -> None:
    photos = pictures(13, seed=1)
    images = np.concatenate([stored(photos), stored(COPIES[how](photos))])
    groups = find_groups(images, near=True)
    assert_array_equal(groups.group, np.tile(np.arange(13), 2))
    assert (groups.near_pairs, groups.mirrored_pairs, groups.exact_distinct) == (13, 0, 26)
    assert_array_equal(find_groups(images, near=False).group, np.arange(26))


@pytest.mark.parametrize("how", MIRRORED)
def test_a_mirrored_copy_shares_the_group(how: str) -> None:
    photos = pictures(13, seed=2)
    images = np.concatenate([stored(photos), stored(MIRRORED[how](photos))])
    groups = find_groups(images, near=True)
    assert_array_equal(groups.group, np.tile(np.arange(13), 2))
    assert (groups.near_pairs, groups.mirrored_pairs) == (0, 13)


@pytest.mark.parametrize("common", [0.0, 0.5, 0.85])
def test_different_photos_stay_apart_however_alike(common: float) -> None:
    groups = find_groups(stored(pictures(61, seed=3, common=common)), near=True)
    assert_array_equal(groups.group, np.arange(61))
    assert (groups.near_pairs, groups.mirrored_pairs) == (0, 0)


def test_one_changed_place_makes_another_photo() -> None:
    """Two frames of a film: all alike but for the mouth, so that the whole still correlates at 0.98 and more."""
    photos = pictures(7, seed=4)
    y, x = np.mgrid[:HEIGHT, :WIDTH]
    bump = np.exp(-((x - 34) ** 2 + (y - 41) ** 2) / (2 * 4.0**2))
    frames = photos + 45 * bump * np.sign(120 - photos[:, 41, 34])[:, None, None]
    correlation = [np.corrcoef(a.ravel(), b.ravel())[0, 1] for a, b in zip(photos, frames, strict=True)]
    assert min(correlation) > 0.98
    groups = find_groups(np.concatenate([stored(photos), stored(frames)]), near=True)
    assert_array_equal(groups.group, np.arange(14))


def test_flat_images_are_joined_by_equal_bytes_alone() -> None:
    grey = np.repeat(np.array([0, 90, 91, 255, 90]), HEIGHT * WIDTH).reshape(5, HEIGHT, WIDTH).astype(np.float64)
    faint = 100 + np.random.default_rng(6).normal(0, 1, (9, HEIGHT, WIDTH))
    shaded = 100 + np.linspace(0, 3, WIDTH) * np.ones((2, HEIGHT, 1)) + np.array([0.0, 5.0])[:, None, None]
    groups = find_groups(stored(np.concatenate([grey, faint, shaded])), near=True)
    assert_array_equal(groups.group, [0, 1, 2, 3, 1, *range(4, 15)])


def test_the_order_of_the_rows_does_not_matter() -> None:
    photos = pictures(11, seed=7)
    images = np.concatenate([stored(photos), stored(jpeg(photos)), stored(photos[:4, :, ::-1])])
    order = np.random.default_rng(8).permutation(len(images))
    group, shuffled = find_groups(images, near=True).group, find_groups(images[order], near=True).group
    assert_array_equal(group[order][:, None] == group[order], shuffled[:, None] == shuffled)


def test_colour_images_are_compared_too() -> None:
    colour = np.concatenate([stored(pictures(9, seed=s)) for s in (10, 11, 12)], axis=1)
    darker = (colour * 0.7).astype(np.uint8)
    groups = find_groups(np.concatenate([colour, darker]), near=True)
    assert_array_equal(groups.group, np.tile(np.arange(9), 2))


def test_no_image_and_one_image() -> None:
    assert find_groups(np.empty((0, 1, HEIGHT, WIDTH), dtype=np.uint8), near=True).largest == 0
    assert_array_equal(find_groups(stored(pictures(1, seed=13)), near=True).group, [0])


def test_connect_numbers_components_by_first_appearance() -> None:
    assert_array_equal(connect(6, np.array([[5, 1], [3, 5], [2, 0]])), [0, 1, 0, 1, 2, 1])
    assert_array_equal(connect(3, np.empty((0, 2), dtype=np.int64)), [0, 1, 2])


def test_uniting_is_transitive() -> None:
    photo, person = np.array([0, 0, 1, 2, 3, 4]), np.array([7, -5, -5, 9, 9, 8])
    assert_array_equal(unite(photo, person), [0, 0, 0, 1, 1, 2])
    assert_array_equal(unite(person, photo), unite(photo, person))


def brute_force(a: Ints, b: Ints) -> Ints:
    group = np.arange(len(a))
    for _ in range(len(a)):
        for i in range(len(a)):
            group[i] = min(group[(a == a[i]) | (b == b[i])])
    return group


def test_uniting_agrees_with_brute_force() -> None:
    rng = np.random.default_rng(14)
    for _ in range(20):
        a, b = rng.integers(0, 12, 17), rng.integers(0, 12, 17)
        found, expected = unite(a, b), brute_force(a, b)
        assert_array_equal(found[:, None] == found, expected[:, None] == expected)


@pytest.mark.skipif("KPTOOL_DATA_FKD" not in os.environ, reason="KPTOOL_DATA_FKD does not name the Kaggle files")
def test_the_real_faces() -> None:
    with (Path(os.environ["KPTOOL_DATA_FKD"]) / "training.csv").open() as file:
        next(file)
        rows = [np.array(line.rpartition(",")[2].split(), dtype=np.uint8) for line in file]
    images = np.stack(rows).reshape(-1, 1, 96, 96)
    groups = find_groups(images, near=True)
    assert len(images) == 7049
    assert (groups.exact_distinct, groups.rows_in_exact_groups) == (6494, 1098)
    assert 100 <= groups.near_pairs <= 250
    assert groups.mirrored_pairs == 0
    assert groups.largest <= 30
    one_photo = [(2733, 5106), (2127, 2161), (4471, 5042), (5096, 5108)]  # shifted, cropped, sharpened, noisy
    assert all(groups.group[a] == groups.group[b] for a, b in one_photo)
    two_frames = [(367, 693), (268, 772), (59, 774), (1444, 1557)]  # mouth, mouth, glasses, person
    assert all(groups.group[a] != groups.group[b] for a, b in two_frames)
