"""Law: the classical baseline is fitted on training pictures alone, and tells a picture whatever stands beside it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from lfw_lists import write_png

from kptool.classical import BATCH, Features, describe, fitted_scores, open_features, prepare_features
from kptool.dataset import Dataset, Ints
from kptool.errors import DataError
from kptool.geometry import Floats
from kptool.models.hog import Hog
from kptool.photos import open_photos
from kptool.schema import Schema
from kptool.whitening import cosines, fit_whitening

N, F = 23, 40
TRAINING, FIRST, SECOND = np.arange(3, 17), np.array([0, 1, 5, 18, 2]), np.array([18, 22, 9, 19, 20])


def features(folder: Path, values: Floats, name: str = "x") -> Features:
    np.save(folder / f"{name}.npy", values.astype(np.float32))
    return open_features(folder / f"{name}.npy")


def made(seed: int = 0) -> Floats:
    rng = np.random.default_rng(seed)
    return rng.normal(size=(N, F)) @ rng.normal(size=(F, F)) + 3


def test_scores_are_cosines_of_what_is_fitted_on_training_pictures(tmp_path: Path) -> None:
    values = made().astype(np.float32)
    embedded = fit_whitening(values[TRAINING], 400, 0.5)(values)
    found = fitted_scores(features(tmp_path, made()), TRAINING, FIRST, SECOND)
    np.testing.assert_allclose(found, cosines(embedded[FIRST], embedded[SECOND]), atol=1e-12)
    assert np.abs(found).max() <= 1 + 1e-12


def test_a_fit_never_sees_held_out_pictures(tmp_path: Path) -> None:
    values, changed = made(), made()
    away = np.setdiff1d(np.arange(N), [*TRAINING, 0, 18])
    changed[away] = made(9)[away] * 100
    ends: tuple[Ints, Ints] = np.array([0, 0, 4]), np.array([18, 7, 8])
    before = fitted_scores(features(tmp_path, values, "a"), TRAINING, *ends)
    assert np.array_equal(fitted_scores(features(tmp_path, changed, "b"), TRAINING, *ends), before)
    changed[TRAINING[0]] += 5
    assert not np.array_equal(fitted_scores(features(tmp_path, changed, "c"), TRAINING, *ends), before)


def test_one_fit_is_not_taken_for_anothers(tmp_path: Path) -> None:
    found = features(tmp_path, made())
    every = [fitted_scores(found, rows, FIRST, SECOND) for rows in (TRAINING, TRAINING[1:], TRAINING, TRAINING[2:])]
    assert np.array_equal(every[0], every[2])
    assert not np.allclose(every[0], every[1])
    assert np.array_equal(every[3], fitted_scores(found, TRAINING[2:], FIRST, SECOND))


def test_the_order_of_a_pair_means_nothing(tmp_path: Path) -> None:
    found = features(tmp_path, made())
    there, back = fitted_scores(found, TRAINING, FIRST, SECOND), fitted_scores(found, TRAINING, SECOND, FIRST)
    np.testing.assert_allclose(there, back, atol=1e-15)


def test_a_picture_and_its_mirror_image_are_described_alike_whatever_the_batch() -> None:
    images = np.random.default_rng(1).integers(0, 256, (BATCH + 3, 1, 32, 24)).astype(np.uint8)
    ticks: list[tuple[int, int]] = []
    found = describe(images, lambda done, total: ticks.append((done, total)))
    assert found.shape == (BATCH + 3, Hog().length((24, 32)))
    assert found.dtype == np.float32
    assert ticks == [(BATCH, BATCH + 3), (BATCH + 3, BATCH + 3)]
    np.testing.assert_allclose(describe(images[..., ::-1]), found, atol=1e-6)
    np.testing.assert_allclose(describe(images[BATCH + 1 :]), found[BATCH + 1 :], atol=1e-6)
    hog = Hog()(torch.from_numpy(images[:2]))
    assert not np.allclose(hog.numpy(), found[:2], atol=1e-3), "the mirror image is averaged in"


def photos(root: Path, count: int = 4) -> Dataset:
    root.mkdir()
    for n in range(count):
        write_png(root / f"{n}.png", np.random.default_rng(n).integers(0, 256, (60, 50)).astype(np.uint8))
    files = np.array([f"{n}.png" for n in range(count)])
    found, _ = open_photos(root, files, "x")
    return Dataset(files, found, np.empty((count, 0, 2)), Schema("x", ()), f"digest of {root}")


def test_features_are_laid_out_once_and_are_of_the_pictures(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KPTOOL_CACHE", str(tmp_path / "cache"))
    data = photos(tmp_path / "a")
    file = prepare_features(data, "LFW view 1")
    first = open_features(file).values
    assert first.shape == (4, Hog().length((80, 112)))
    assert len(np.unique(np.asarray(first), axis=0)) == 4
    stamp = file.stat().st_mtime_ns
    assert prepare_features(data, "LFW view 1") == file
    assert file.stat().st_mtime_ns == stamp
    assert prepare_features(photos(tmp_path / "b"), "LFW view 1") != file
    broken = photos(tmp_path / "c")
    (tmp_path / "c" / "2.png").write_bytes((tmp_path / "c" / "2.png").read_bytes()[:200])
    with pytest.raises(DataError, match=r"2\.png"):
        prepare_features(broken, "LFW view 1")
