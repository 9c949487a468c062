"""Law: a shear leans upright lines about the frame's middle, by no more than asked, and old recipes' numbers stay."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from kptool.augment import apply_images, sample
from kptool.config import AugmentOptions
from kptool.geometry import about, centre_of, identity, mirror, shear

W, H, B = 61, 47, 6
OFF = AugmentOptions(rotate=0, scale=0, stretch=0, shift=0, mirror=0, brightness=0, contrast=0)


def test_what_is_above_goes_right_by_the_tangent() -> None:
    moved = shear([20.0, -35.0])(np.array([[3.0, -10.0], [3.0, 0.0], [3.0, 4.0]]))
    lean = np.tan(np.radians([20, -35]))[:, None]
    assert_allclose(moved[..., 0], 3 - np.array([-10, 0, 4]) * lean)
    assert_array_equal(moved[..., 1], np.tile([-10, 0, 4], (2, 1)))
    upright = np.diff(shear(20)(np.array([[0.0, 0.0], [0.0, -1.0]])), axis=0)[0]
    assert np.degrees(np.arctan2(upright[0], -upright[1])) == pytest.approx(20)


def test_the_way_back_leans_the_other_way_and_areas_stay() -> None:
    degrees = np.random.default_rng(0).uniform(-59, 59, 1000)
    maps = shear(degrees)
    assert_allclose(maps.inverse().matrix, shear(-degrees).matrix, atol=1e-12)
    assert_allclose(maps.then(shear(-degrees)).matrix, identity(1000).matrix, atol=1e-12)
    assert_allclose(np.linalg.det(maps.matrix), 1)
    assert not maps.mirrors.any()


def test_a_mirror_image_leans_the_other_way() -> None:
    leaning = about(centre_of((W, H)), shear(17))
    mirrored = mirror(W).then(leaning).then(mirror(W))
    assert_allclose(mirrored.matrix, about(centre_of((W, H)), shear(-17)).matrix, atol=1e-12)


def test_the_middle_stays_and_the_range_is_kept() -> None:
    maps = sample(np.random.default_rng(1), 5000, (W, H), OFF.model_copy(update={"shear": 12.0})).to_model
    assert_allclose(maps(np.array([centre_of((W, H))])), np.tile(centre_of((W, H)), (5000, 1, 1)), atol=1e-9)
    degrees = np.degrees(np.arctan(-maps.matrix[:, 0, 1]))
    assert -12 <= degrees.min() < -11.9
    assert 11.9 < degrees.max() <= 12
    assert abs(degrees.mean()) < 0.3
    assert_allclose(maps.matrix[:, 1], np.tile([0.0, 1.0, 0.0], (5000, 1)), atol=1e-12)


def test_it_is_drawn_last_and_only_where_asked_for() -> None:
    for more in ({}, {"crop": 0.2, "high_pass": 0.5, "low_pass": 0.5}):
        options = AugmentOptions.model_validate(more)
        plain_generator, generator = np.random.default_rng(3), np.random.default_rng(3)
        plain = sample(plain_generator, B, (W, H), options)
        leaning = sample(generator, B, (W, H), options.model_copy(update={"shear": 9.0}))
        assert_array_equal(leaning.gain, plain.gain)
        assert_array_equal(leaning.lift, plain.lift)
        for ours, theirs in ((leaning.high_pass, plain.high_pass), (leaning.low_pass, plain.low_pass)):
            assert (ours is None) == (theirs is None)
            if ours is not None and theirs is not None:
                assert_array_equal(ours.chosen, theirs.chosen)
        degrees = plain_generator.uniform(-9, 9, B)
        wanted = plain.to_model.then(about(centre_of((W, H)), shear(degrees)))
        assert_array_equal(leaning.to_model.matrix, wanted.matrix)
        assert generator.random() == plain_generator.random(), "and not one number more"


def test_pixels_go_where_points_go() -> None:
    y, x = np.mgrid[:H, :W]
    points = np.random.default_rng(4).uniform([24, 16], [36, 30], (B, 2))
    blobs = np.exp(-((x - points[:, 0, None, None]) ** 2 + (y - points[:, 1, None, None]) ** 2) / 8)
    numbers = sample(np.random.default_rng(5), B, (W, H), OFF.model_copy(update={"shear": 20.0}))
    shown = apply_images(np.round(200 * blobs).astype(np.uint8)[:, None], numbers, (W, H)).numpy().astype(float)[:, 0]
    total = shown.sum((1, 2))
    found = np.stack([(shown * x).sum((1, 2)) / total, (shown * y).sum((1, 2)) / total], -1)
    moved = numbers.to_model(points[:, None])[:, 0]
    assert np.abs(moved - points).max() > 1
    assert_allclose(found, moved, atol=0.05)
