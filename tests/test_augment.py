"""Numbers are drawn once and then applied: to points and pixels alike, on any device, to a batch as to each alone."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from kptool.augment import Numbers, apply_images, apply_points, apply_tensor, sample
from kptool.config import AugmentOptions
from kptool.geometry import Affine
from kptool.schema import make_schema

W, H, K, B = 61, 47, 3, 6
SCHEMA = make_schema("test", ["left", "right", "nose"], [("left", "right")])
OFF = AugmentOptions(rotate=0, scale=0, stretch=0, shift=0, mirror=0, brightness=0, contrast=0)


def blobs(points: np.ndarray, sigma: float = 2.0) -> np.ndarray:
    """(B, C=K, H, W) uint8: one blob a point and channel."""
    y, x = np.mgrid[:H, :W]
    distance = (x - points[..., 0, None, None]) ** 2 + (y - points[..., 1, None, None]) ** 2
    images: np.ndarray = np.round(200 * np.exp(-distance / (2 * sigma**2))).astype(np.uint8)
    return images


def centroids(images: torch.Tensor) -> np.ndarray:
    y, x = np.mgrid[:H, :W]
    weight = images.numpy().astype(np.float64)
    total = weight.sum((2, 3))
    return np.stack([(weight * x).sum((2, 3)) / total, (weight * y).sum((2, 3)) / total], -1)


def drawn(seed: int = 0) -> tuple[np.ndarray, Numbers]:
    generator = np.random.default_rng(seed)
    points = generator.uniform([24, 18], [36, 28], (B, K, 2))
    options = AugmentOptions(brightness=0, contrast=0, mirror=0.5)
    return points, sample(generator, B, (W, H), options)


@pytest.mark.parametrize("apply", [apply_images, lambda i, n, s: apply_tensor(torch.from_numpy(i), n, s)])
def test_a_blob_lands_where_its_point_lands(apply: object) -> None:
    points, numbers = drawn()
    assert 0 < numbers.to_model.mirrors.sum() < B
    images = apply(blobs(points), numbers, (W, H))  # type: ignore[operator]
    moved = apply_points(points, numbers, SCHEMA)
    found = centroids(images)
    flipped = numbers.to_model.mirrors
    found[flipped] = found[flipped][:, [1, 0, 2]]  # the channel keeps its blob, the point changes its name
    assert np.abs(found - moved).max() < 0.05


def test_cpu_and_device_agree() -> None:
    points, numbers = drawn(1)
    images = blobs(points)
    a, b = apply_images(images, numbers, (W, H)), apply_tensor(torch.from_numpy(images), numbers, (W, H))
    # OpenCV rounds positions to 1/32 px and results to whole grey levels; blobs have slopes of up to 60 levels a px.
    assert float((a - b).abs().max()) < 3
    assert float((a - b).abs().mean()) < 0.2


def test_a_batch_is_each_alone() -> None:
    points, numbers = drawn(2)
    images = blobs(points)
    together, moved = apply_images(images, numbers, (W, H)), apply_points(points, numbers, SCHEMA)
    for n in range(B):
        one = slice(n, n + 1)
        alone = Numbers(numbers.to_model[one], numbers.gain[one], numbers.lift[one])
        assert torch.equal(apply_images(images[one], alone, (W, H))[0], together[n])
        assert np.array_equal(apply_points(points[one], alone, SCHEMA)[0], moved[n])


def test_all_off_is_the_image_itself() -> None:
    points, _ = drawn()
    numbers = sample(np.random.default_rng(3), B, (W, H), OFF)
    assert np.allclose(numbers.to_model.matrix, np.eye(3), atol=1e-12)
    assert torch.equal(apply_images(blobs(points), numbers, (W, H)), torch.from_numpy(blobs(points)).float())


def test_same_generator_same_numbers_and_other_seed_others() -> None:
    first, second, other = (sample(np.random.default_rng(seed), B, (W, H), AugmentOptions()) for seed in (7, 7, 8))
    assert np.array_equal(first.to_model.matrix, second.to_model.matrix)
    assert np.array_equal(first.gain, second.gain)
    assert not np.array_equal(first.to_model.matrix, other.to_model.matrix)


def test_missing_labels_stay_missing_under_their_new_name() -> None:
    points, numbers = drawn(4)
    points[:, 0] = np.nan
    moved = apply_points(points, numbers, SCHEMA)
    flipped = numbers.to_model.mirrors
    assert np.isnan(moved[flipped, 1]).all()
    assert np.isfinite(moved[flipped, 0]).all()
    assert np.isnan(moved[~flipped, 0]).all()


def test_a_flip_without_pairs_is_refused() -> None:
    from kptool.errors import UsageError

    points, numbers = drawn(5)
    bare = make_schema("bare", ["a", "b", "c"])
    with pytest.raises(UsageError, match="no mirror pairs"):
        apply_points(points, numbers, bare)


def test_the_ranges_are_kept() -> None:
    options = AugmentOptions(rotate=20, scale=0.2, stretch=0, shift=0.1, mirror=0)
    maps = sample(np.random.default_rng(6), 5000, (W, H), options).to_model
    grown = np.sqrt(np.linalg.det(maps.matrix[:, :2, :2]))
    turned = np.degrees(np.arctan2(maps.matrix[:, 1, 0], maps.matrix[:, 0, 0]))
    middle = Affine(maps.matrix)(np.array([[(W - 1) / 2, (H - 1) / 2]]))[:, 0] - [(W - 1) / 2, (H - 1) / 2]
    assert 1 / 1.2 <= grown.min() < 0.85 < 1.18 < grown.max() <= 1.2
    assert 19 < turned.max() <= 20
    assert np.abs(middle).max(0) == pytest.approx([0.1 * W, 0.1 * H], rel=0.02)
