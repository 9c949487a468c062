"""Numbers are drawn once and then applied: to points and pixels alike, on any device, to a batch as to each alone."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
import pytest
import torch
from scipy.fft import dctn, idctn

from kptool.augment import Numbers, Pass, adjust, apply_images, apply_points, apply_tensor, filtered, lowest, sample
from kptool.config import AugmentOptions
from kptool.errors import UsageError
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


# --- crop ---


def test_numbers_of_recipes_without_crop_and_passes_are_those_of_before() -> None:
    """Settings that are off draw nothing; those that are on draw after all the others."""
    generator = np.random.default_rng(11)
    numbers = sample(generator, 5, (W, H), AugmentOptions(high_pass_window=7, low_pass_window=9))
    assert (numbers.high_pass, numbers.low_pass) == (None, None)
    known = np.random.default_rng(11)
    draws = known.random((8, 5))  # turn, size, stretch, two shifts, flip, contrast, brightness
    assert generator.random() == known.random(), "and not one more"
    assert np.allclose(numbers.gain, 1 + 0.2 * (2 * draws[6] - 1))
    assert np.allclose(numbers.lift, 255 * 0.15 * (2 * draws[7] - 1), atol=1e-5)
    passes = sample(np.random.default_rng(11), 5, (W, H), AugmentOptions(high_pass=0.5, low_pass=0.5))
    both = sample(np.random.default_rng(11), 5, (W, H), AugmentOptions(crop=0.2, high_pass=0.5))
    assert np.array_equal(passes.to_model.matrix, numbers.to_model.matrix)
    for other in (passes, both):
        assert np.array_equal(other.gain, numbers.gain)
        assert np.array_equal(other.lift, numbers.lift)


def test_a_cropped_rectangle_fills_the_frame() -> None:
    count, limit = 4000, 0.3
    maps = sample(np.random.default_rng(9), count, (W, H), OFF.model_copy(update={"crop": limit})).to_model
    assert not maps.matrix[:, [0, 1], [1, 0]].any(), "no turn and no shear"
    borders = maps.inverse()(np.array([[-0.5, -0.5], [W - 0.5, H - 0.5]]))  # of the frame, in the image
    cut = np.concatenate([borders[:, 0] + 0.5, np.array([W, H]) - 0.5 - borders[:, 1]], 1) / [W, H, W, H]
    assert cut.min() >= -1e-12
    assert cut.max() <= limit + 1e-12
    assert (cut.max(0) > 0.99 * limit).all()
    assert (cut.min(0) < 0.01 * limit).all()
    assert np.abs(np.corrcoef(cut.T) - np.eye(4)).max() < 0.06, "each side loses for itself"


@pytest.mark.parametrize("apply", [apply_images, lambda i, n, s: apply_tensor(torch.from_numpy(i), n, s)])
def test_a_blob_lands_where_its_point_lands_under_crops(apply: object) -> None:
    generator = np.random.default_rng(12)
    points = generator.uniform([27, 20], [34, 27], (B, K, 2))
    options = AugmentOptions(crop=0.2, rotate=8, scale=0, shift=0.02, brightness=0, contrast=0)
    numbers = sample(generator, B, (W, H), options)
    found = centroids(apply(blobs(points, 1.5), numbers, (W, H)))  # type: ignore[operator]
    assert np.abs(found - numbers.to_model(points)).max() < 0.05


# --- frequencies ---


def noise(height: int = H, width: int = W) -> torch.Tensor:
    """(B, C=K, height, width) float32, each plane with a mean of its own."""
    generator = torch.Generator().manual_seed(3)
    return torch.rand(B, K, height, width, generator=generator) * 120 + torch.arange(B * K).view(B, K, 1, 1) * 5


def some(window: int, chosen: tuple[int, ...] = (0, 2, 3)) -> Pass:
    return Pass(np.isin(np.arange(B), chosen), window)


def still(**passes: Pass) -> Numbers:
    """Numbers that change nothing but frequencies."""
    return replace(sample(np.random.default_rng(0), B, (W, H), OFF), **passes)  # type: ignore[arg-type]


@pytest.mark.parametrize("window", [1, 2, 5, 40, 47, 60])
def test_lowest_is_scipys_dct(window: int) -> None:
    images = noise()
    coefficients = dctn(images.numpy().astype(np.float64), axes=(2, 3), norm="ortho")
    coefficients[:, :, window:] = 0
    coefficients[..., window:] = 0
    assert np.abs(lowest(images, window).numpy() - idctn(coefficients, axes=(2, 3), norm="ortho")).max() < 1e-3


def test_lowest_is_opencvs_dct() -> None:
    images = noise(20, 34)  # OpenCV takes even sides alone
    for image, found in zip(images.numpy()[:, 0], lowest(images, 6).numpy()[:, 0], strict=True):
        coefficients = cv2.dct(image)
        coefficients[6:], coefficients[:, 6:] = 0, 0
        assert np.abs(cv2.idct(coefficients) - found).max() < 1e-3


def test_high_pass_takes_the_lowest_out_but_for_the_mean() -> None:
    images = noise()
    coefficients = dctn(images.numpy().astype(np.float64), axes=(2, 3), norm="ortho")
    first = coefficients[..., 0, 0].copy()
    coefficients[..., :5, :5] = 0
    coefficients[..., 0, 0] = first
    found = filtered(images, still(high_pass=some(5, tuple(range(B)))))
    assert np.abs(found.numpy() - idctn(coefficients, axes=(2, 3), norm="ortho")).max() < 1e-3
    assert torch.allclose(found.mean((2, 3)), images.mean((2, 3)), atol=1e-3)
    assert torch.allclose(filtered(images, still(high_pass=some(1, tuple(range(B))))), images, atol=1e-3)


def test_high_and_low_make_the_image() -> None:
    images, everyone = noise(), tuple(range(B))
    high, low = (filtered(images, still(**{name: some(9, everyone)})) for name in ("high_pass", "low_pass"))
    assert torch.allclose(high + low - images.mean((2, 3), keepdim=True), images, atol=1e-3)
    assert torch.allclose(filtered(images, still(low_pass=some(max(W, H), everyone))), images, atol=1e-3)


def test_an_image_gets_either_both_or_none() -> None:
    images = noise()
    high, low = some(4, (1, 2, 5)), some(20, (2, 3))
    found = filtered(images, still(high_pass=high, low_pass=low))
    band = lowest(images, 20) - lowest(images, 4) + images.mean((2, 3), keepdim=True)
    assert torch.equal(found[[0, 4]], images[[0, 4]])
    assert torch.equal(found[[1, 5]], filtered(images, still(high_pass=high))[[1, 5]])
    assert torch.equal(found[3], lowest(images, 20)[3])
    assert torch.allclose(found[2], band[2], atol=1e-3)
    assert filtered(images, still()) is images
    assert torch.equal(images, noise()), "the input stays"


def test_frequencies_go_between_warp_and_brightness() -> None:
    options = AugmentOptions(high_pass=0.5, low_pass=0.5, low_pass_window=12)
    numbers = sample(np.random.default_rng(21), B, (W, H), options)
    assert numbers.high_pass is not None
    assert numbers.low_pass is not None
    assert 0 < numbers.high_pass.chosen.sum() < B
    images = noise().to(torch.uint8)
    bare = sample(np.random.default_rng(21), B, (W, H), AugmentOptions(brightness=0, contrast=0))
    warped = apply_images(images.numpy(), replace(bare, gain=np.ones_like(bare.gain), lift=bare.lift * 0), (W, H))
    wanted = adjust(filtered(warped, numbers), numbers)
    assert torch.equal(apply_images(images.numpy(), numbers, (W, H)), wanted)
    harsh = (images > 128).to(torch.uint8) * 255  # rings beyond black and white
    warped = apply_images(harsh.numpy(), replace(bare, gain=np.ones_like(bare.gain), lift=bare.lift * 0), (W, H))
    assert float(filtered(warped, numbers).max()) > 255 > 0 > float(filtered(warped, numbers).min())
    for done in (apply_images(harsh.numpy(), numbers, (W, H)), apply_tensor(harsh, numbers, (W, H))):
        assert float(done.min()) == 0
        assert float(done.max()) == 255
    once, again = (apply_tensor(images, numbers, (W, H)) for _ in range(2))
    assert torch.equal(once, again)
    assert float((once - wanted).abs().mean()) < 0.2
    with torch.autocast("cpu", torch.bfloat16):
        assert torch.equal(apply_tensor(images, numbers, (W, H)), once), "bf16 would be a grey level off"


def test_frequencies_of_a_batch_are_each_alones() -> None:
    options = AugmentOptions(crop=0.1, high_pass=0.6, high_pass_window=3, low_pass=0.6, low_pass_window=17)
    numbers = sample(np.random.default_rng(5), B, (W, H), options)
    assert numbers.high_pass is not None
    assert numbers.low_pass is not None
    images = noise().to(torch.uint8).numpy()
    together = apply_images(images, numbers, (W, H))
    for n in range(B):
        one = slice(n, n + 1)
        alone = Numbers(
            numbers.to_model[one],
            numbers.gain[one],
            numbers.lift[one],
            replace(numbers.high_pass, chosen=numbers.high_pass.chosen[one]),
            replace(numbers.low_pass, chosen=numbers.low_pass.chosen[one]),
        )
        assert torch.equal(apply_images(images[one], alone, (W, H))[0], together[n])


def test_the_chances_are_kept_and_drawn_alike() -> None:
    options = AugmentOptions(high_pass=0.3, low_pass=0.7)
    first, second, other = (sample(np.random.default_rng(seed), 4000, (W, H), options) for seed in (7, 7, 8))
    for name, chance in (("high_pass", 0.3), ("low_pass", 0.7)):
        a, b, c = (getattr(numbers, name).chosen for numbers in (first, second, other))
        assert a.mean() == pytest.approx(chance, abs=0.03)
        assert np.array_equal(a, b)
        assert not np.array_equal(a, c)
    assert first.high_pass is not None
    assert first.low_pass is not None
    assert (first.high_pass.window, first.low_pass.window) == (4, 32)
    joint = (first.high_pass.chosen & first.low_pass.chosen).mean()
    assert joint == pytest.approx(0.21, abs=0.03)


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"high_pass": 0.1, "high_pass_window": W}, "high_pass_window = 61 takes everything out of images of 61x47"),
        ({"low_pass": 0.1, "low_pass_window": 1}, "low_pass_window = 1 keeps nothing but the mean;"),
        ({"low_pass": 0.1, "high_pass": 0.1, "low_pass_window": 4}, "of what high_pass_window = 4 leaves"),
    ],
)
def test_passes_that_leave_nothing_are_refused(given: dict[str, float], words: str) -> None:
    with pytest.raises(UsageError, match=words):
        sample(np.random.default_rng(0), B, (W, H), AugmentOptions.model_validate(given))
    sample(np.random.default_rng(0), B, (W, H), AugmentOptions(high_pass=0.1, high_pass_window=W - 1))
