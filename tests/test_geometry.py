"""Law: a point goes where its pixel goes, and comes back."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal

from kptool.geometry import (
    Affine,
    Bytes,
    Floats,
    about,
    centre_of,
    identity,
    linear,
    mirror,
    resize,
    rotate,
    scale,
    shift,
    warp,
    warp_tensor,
)

SOURCE, TARGET = (101, 77), (87, 119)  # W, H


def random_maps(rng: np.random.Generator, count: int) -> Affine:
    """Compositions as augmentation and prediction make them: turn, stretch, shift, shear, sometimes flip, resize."""
    turn = rotate(rng.uniform(-180, 180, count))
    size = scale(rng.uniform(0.3, 3, count), rng.uniform(0.3, 3, count))
    move = shift(rng.uniform(-40, 40, count), rng.uniform(-40, 40, count))
    shear = linear(1, rng.uniform(-0.4, 0.4, count), rng.uniform(-0.4, 0.4, count), 1)
    flips = Affine(np.where((rng.random(count) < 0.5)[:, None, None], mirror(SOURCE[0]).matrix, np.eye(3)))
    return flips.then(about(centre_of(SOURCE), turn.then(size).then(shear))).then(move).then(resize(SOURCE, TARGET))


def test_ten_thousand_round_trips_lose_less_than_a_millionth_of_a_pixel() -> None:
    rng = np.random.default_rng(0)
    maps = random_maps(rng, 10_000)
    points = rng.uniform(-20, 120, (10_000, 7, 2))
    assert np.abs(maps.inverse()(maps(points)) - points).max() <= 1e-6
    assert np.abs(maps(maps.inverse()(points)) - points).max() <= 1e-6


def test_then_applies_self_first_and_inverts_backwards() -> None:
    rng = np.random.default_rng(1)
    f, g, h = (random_maps(rng, 11) for _ in range(3))
    points = rng.uniform(0, 100, (11, 5, 2))
    assert_allclose(f.then(g)(points), g(f(points)), atol=1e-8)
    assert_allclose(f.then(g).then(h).matrix, f.then(g.then(h)).matrix, atol=1e-8)
    assert_allclose(f.then(g).inverse()(points), g.inverse().then(f.inverse())(points), atol=1e-6)
    assert_allclose(f.then(f.inverse()).matrix, identity(11).matrix, atol=1e-9)
    assert_array_equal(f.then(identity()).matrix, f.matrix)


def test_one_map_serves_a_batch_and_a_batch_is_each_of_its_maps() -> None:
    rng = np.random.default_rng(2)
    maps, points = random_maps(rng, 6), rng.uniform(0, 90, (6, 4, 2))
    assert len(maps) == 6
    for n in range(6):
        assert_allclose(maps(points)[n], maps[n](points[n]), atol=1e-12)
    assert_allclose(maps[0](points)[3], maps[0](points[3]), atol=1e-12)


def test_a_missing_point_stays_missing_and_harms_no_other() -> None:
    points = np.array([[3.0, 4.0], [np.nan, np.nan], [np.nan, 2.0], [5.0, 6.0]])
    moved = rotate(30).then(shift(2, -1))(points)
    assert np.isnan(moved[1:3]).all()
    assert_array_equal(moved[[0, 3]], rotate(30).then(shift(2, -1))(points[[0, 3]]))


def test_a_flat_map_has_no_inverse() -> None:
    with pytest.raises(np.linalg.LinAlgError):
        scale(0, 1).inverse()


def test_mirroring_is_read_from_the_determinant() -> None:
    flip, turn = mirror(13), about((6, 4), rotate(200)).then(scale(0.5, 2))
    assert flip.mirrors
    assert not turn.mirrors
    assert flip.then(turn).mirrors
    assert turn.then(flip).mirrors
    assert not flip.then(turn).then(mirror(9)).mirrors
    assert_array_equal(scale([1, -1, -1], [1, 1, -1]).mirrors, [False, True, False])


@pytest.mark.parametrize(("small", "times"), [(5, 3), (8, 4), (1, 7)])
def test_a_resize_sends_a_pixel_to_the_middle_of_its_copies(small: int, times: int) -> None:
    copies = np.arange(small * times).reshape(small, times).mean(1)  # np.repeat's positions of pixel 0, 1, ...
    grown = resize((small, 3), (small * times, 3))
    assert_allclose(grown(np.stack([np.arange(small), np.ones(small)], -1))[:, 0], copies, atol=1e-12)
    shrunk = resize((small * times, 3), (small, 3))
    assert_allclose(shrunk(np.stack([copies, np.ones(small)], -1))[:, 0], np.arange(small), atol=1e-12)


def test_a_resize_takes_the_borders_of_one_image_to_the_borders_of_the_other() -> None:
    borders = np.array([[-0.5, -0.5], [SOURCE[0] - 0.5, SOURCE[1] - 0.5]])
    assert_allclose(resize(SOURCE, TARGET)(borders), [[-0.5, -0.5], [TARGET[0] - 0.5, TARGET[1] - 0.5]], atol=1e-12)
    assert_allclose(resize(SOURCE, TARGET)(np.array([centre_of(SOURCE)])), [centre_of(TARGET)], atol=1e-12)


def test_a_rotation_turns_x_towards_y() -> None:
    assert_allclose(rotate(90)(np.array([[1.0, 0.0]])), [[0, 1]], atol=1e-12)
    assert_allclose(about((2, 3), rotate(77))(np.array([[2.0, 3.0]])), [[2, 3]], atol=1e-12)


def test_mirroring_pixels_and_points_is_exact() -> None:
    image = np.random.default_rng(3).integers(0, 256, (2, 3, 23, 31), dtype=np.uint8)
    assert_array_equal(warp(image, mirror(31), (31, 23)), image[..., ::-1])
    assert_allclose(warp_tensor(torch.from_numpy(image), mirror(31), (31, 23)), image[..., ::-1], atol=0.01)
    assert_array_equal(warp(image, shift(4, -2), (31, 23))[..., :-2, 4:], image[..., 2:, :-4])


def test_a_resize_by_warp_is_the_resize_everyone_else_means() -> None:
    image = smooth(np.random.default_rng(4), 1)
    ours = warp(image, resize(SOURCE, (202, 231)), (202, 231))[0, 0].astype(int)
    assert np.abs(ours - cv2.resize(image[0, 0], (202, 231), interpolation=cv2.INTER_LINEAR)).max() <= 1
    theirs = torch.nn.functional.interpolate(torch.from_numpy(image).float(), size=(231, 202), mode="bilinear")
    assert_allclose(warp_tensor(torch.from_numpy(image), resize(SOURCE, (202, 231)), (202, 231)), theirs, atol=0.01)


def test_edge_pixels_are_repeated_outside() -> None:
    image = np.random.default_rng(5).integers(0, 256, (1, 1, 6, 9), dtype=np.uint8)
    for out in (warp(image, shift(4, 0), (13, 6)), warp_tensor(torch.from_numpy(image), shift(4, 0), (13, 6)).numpy()):
        assert_allclose(out[0, 0, :, :4], np.repeat(image[0, 0, :, :1], 4, axis=1), atol=0.01)


def blob(centre: Floats, size: tuple[int, int], sigma: float = 4) -> Bytes:
    x, y = np.meshgrid(np.arange(size[0]), np.arange(size[1]))
    bell = 250 * np.exp(-((x - centre[0]) ** 2 + (y - centre[1]) ** 2) / (2 * sigma**2))
    return np.asarray(np.round(bell).astype(np.uint8)[None, None])


def centroid(image: Floats) -> Floats:
    y, x = np.indices(image.shape)
    return np.array([(x * image).sum(), (y * image).sum()] / image.sum())


BLOB_MAPS = {
    "resize": resize(SOURCE, TARGET),
    "mirror": mirror(SOURCE[0]),
    "turn": about(centre_of(SOURCE), rotate(33)),
    "half": about(centre_of(SOURCE), scale(0.6, 0.6)),
    "stretch": about(centre_of(SOURCE), scale(1.6, 0.8)).then(shift(3.3, -2.6)),
    "all": mirror(SOURCE[0])
    .then(about(centre_of(SOURCE), rotate(-21).then(scale(1.2, 0.9))))
    .then(shift(1.7, 0.4))
    .then(resize(SOURCE, TARGET)),
}


@pytest.mark.parametrize("name", BLOB_MAPS)
def test_a_painted_blob_is_found_where_the_map_says(name: str) -> None:
    rng, to_out = np.random.default_rng(6), BLOB_MAPS[name]
    for _ in range(5):
        centre = np.array(centre_of(SOURCE)) + rng.uniform(-6, 6, 2)
        image = blob(centre, SOURCE)
        expected = to_out(centre[None])[0]
        by_cv2 = centroid(warp(image, to_out, TARGET)[0, 0].astype(np.float64))
        by_torch = centroid(warp_tensor(torch.from_numpy(image), to_out, TARGET)[0, 0].double().numpy())
        assert np.abs(by_cv2 - expected).max() <= 0.05
        assert np.abs(by_torch - expected).max() <= 0.05


def smooth(rng: np.random.Generator, count: int) -> Bytes:
    noise = rng.integers(0, 256, (count, 3, SOURCE[1], SOURCE[0])).astype(np.float32)
    soft = np.stack([[cv2.GaussianBlur(plane, (0, 0), 3) for plane in image] for image in noise])
    soft = (soft - soft.min()) / np.ptp(soft) * 255
    return np.asarray(np.round(soft), dtype=np.uint8)


def test_cv2_and_grid_sample_agree() -> None:
    """OpenCV 4 rounds the sampled place to 1/32 px and the value to a grey level; torch rounds neither.

    So they may differ by the image's slope times 1/64 px along each axis, plus half a level, and by half a level at
    most on average.
    """
    rng = np.random.default_rng(7)
    images, maps = smooth(rng, 8), random_maps(rng, 8)
    slope = max(int(np.abs(np.diff(images.astype(int), axis=axis)).max()) for axis in (2, 3))
    apart = np.abs(warp(images, maps, TARGET) - warp_tensor(torch.from_numpy(images), maps, TARGET).numpy())
    assert apart.max() <= 2 * slope / 64 + 0.51
    assert apart.mean() <= 0.3


def test_warping_a_batch_is_warping_each_alone() -> None:
    rng = np.random.default_rng(8)
    images, maps = smooth(rng, 5), random_maps(rng, 5)
    batch, tensors = warp(images, maps, TARGET), warp_tensor(torch.from_numpy(images), maps, TARGET)
    assert batch.shape == (5, 3, TARGET[1], TARGET[0])
    assert batch.dtype == np.uint8
    for n in range(5):
        assert_array_equal(batch[n], warp(images[n : n + 1], maps[n], TARGET)[0])
        alone = warp_tensor(torch.from_numpy(images[n : n + 1]), maps[n], TARGET)[0]
        assert_allclose(tensors[n], alone, atol=1e-3)
    assert_array_equal(warp(images, maps[0], TARGET)[3], warp(images[3:4], maps[0], TARGET)[0])


def test_uint8_and_float_tensors_warp_alike() -> None:
    rng = np.random.default_rng(9)
    images, maps = torch.from_numpy(smooth(rng, 2)), random_maps(rng, 2)
    assert torch.equal(warp_tensor(images, maps, TARGET), warp_tensor(images.float(), maps, TARGET))
