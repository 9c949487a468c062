"""Law: what is held out was not trained on, in any fold, for any seed, after any reload."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from numpy.testing import assert_array_equal

from kptool.config import FoldOptions
from kptool.dataset import Dataset, Ints
from kptool.errors import DataError, LeakError
from kptool.folds import Folds, check_leak, leaky_share, load, make, save
from kptool.schema import make_schema

WIDTH, HEIGHT, DISTINCT = 41, 33, 149


def dataset(groups: Ints | None = None) -> Dataset:
    """149 photos, then 17 equal copies, 13 brighter ones and 11 mirrored ones, in mixed order."""
    rng = np.random.default_rng(0)
    noise = rng.normal(size=(DISTINCT, HEIGHT, WIDTH))
    soft = np.stack([cv2.GaussianBlur(image, (0, 0), 2) for image in noise])
    photos = 120 + 35 * soft / soft.std((1, 2), keepdims=True)
    photos = np.concatenate([photos, photos[:17], photos[10:23] + 15, photos[40:51, :, ::-1]])[mixed()]
    images = np.clip(np.round(photos), 0, 255).astype(np.uint8)[:, None]
    points = rng.uniform(0, 30, (len(images), 3, 2))
    ids = np.array([f"face-{n}" for n in range(len(images))])
    return Dataset(ids, images, points, make_schema("three", ["a", "b", "c"]), "ab" * 32, groups)


def mixed() -> Ints:
    return np.random.default_rng(1).permutation(DISTINCT + 17 + 13 + 11)


def photo() -> Ints:
    """The photo behind each row of `dataset`."""
    return np.concatenate([np.arange(DISTINCT), np.arange(17), np.arange(10, 23), np.arange(40, 51)])[mixed()]


def scheme() -> Ints:
    return (np.random.default_rng(2).random(DISTINCT)[photo()] < 0.3).astype(np.int64)


@pytest.fixture(scope="module")
def faces() -> Dataset:
    return dataset()


@pytest.mark.parametrize("seed", range(10))
def test_no_photo_is_on_both_sides_and_every_row_is_held_out_once(faces: Dataset, seed: int) -> None:
    folds = make(faces, faces.pixels, scheme(), FoldOptions(count=5), seed)
    held_out = [folds.held_out(k) for k in range(5)]
    assert_array_equal(np.sort(np.concatenate(held_out)), np.arange(len(faces)))
    for k in range(5):
        assert not np.intersect1d(photo()[folds.train(k)], photo()[held_out[k]]).size
        assert_array_equal(np.sort(np.concatenate([folds.train(k), held_out[k]])), np.arange(len(faces)))
    assert leaky_share(folds.fold, photo()) == 0


@pytest.mark.parametrize("seed", range(3))
def test_every_scheme_is_spread_evenly(faces: Dataset, seed: int) -> None:
    folds = make(faces, faces.pixels, scheme(), FoldOptions(count=4), seed)
    for s in (0, 1):
        counts = [int((scheme()[folds.held_out(k)] == s).sum()) for k in range(4)]
        assert max(counts) - min(counts) <= 3


def test_without_stratification_the_folds_are_still_of_one_size(faces: Dataset) -> None:
    folds = make(faces, faces.pixels, scheme(), FoldOptions(count=7, stratify=False), 0)
    sizes = np.bincount(folds.fold)
    assert sizes.max() - sizes.min() <= 3
    assert leaky_share(folds.fold, photo()) == 0
    assert not np.array_equal(folds.fold, make(faces, faces.pixels, scheme(), FoldOptions(count=7), 0).fold)


def test_one_seed_is_one_split(faces: Dataset) -> None:
    first, again, other = (make(faces, faces.pixels, scheme(), FoldOptions(), seed) for seed in (3, 3, 4))
    assert_array_equal(first.fold, again.fold)
    assert not np.array_equal(first.fold, other.fold)
    assert first.digest == faces.digest


def test_only_equal_bytes_are_kept_together_when_asked(faces: Dataset) -> None:
    exact = make(faces, faces.pixels, scheme(), FoldOptions(near_duplicates=False), 0)
    assert len(np.unique(exact.group)) == DISTINCT + 13 + 11
    assert len(np.unique(make(faces, faces.pixels, scheme(), FoldOptions(), 0).group)) == DISTINCT


def test_persons_stay_whole_and_a_shared_photo_joins_them() -> None:
    person = np.where(photo() < 100, photo() // 4, 1000 + np.arange(len(photo())))
    copies = np.flatnonzero(photo() == 3)  # two rows of one photo, given to two persons
    person[copies[0]] = 2000
    person[np.flatnonzero(photo() == 120)] = 2000
    folds = make(dataset(person), dataset(person).pixels, scheme(), FoldOptions(), 0)
    check_leak(folds.fold, person)
    check_leak(folds.fold, photo())
    joined = np.isin(photo(), [0, 1, 2, 3, 120])
    assert len(np.unique(folds.group[joined])) == 1
    assert not np.isin(folds.group[~joined], folds.group[joined]).any()


def test_too_few_groups_for_the_folds() -> None:
    three = np.arange(len(photo())) % 3
    with pytest.raises(DataError, match="form 1 group") as caught:
        make(dataset(np.zeros_like(three)), dataset(np.zeros_like(three)).pixels, scheme(), FoldOptions(), 0)
    assert caught.value.exit_code == 3
    few = dataset().take(np.flatnonzero(photo() < 4))
    with pytest.raises(DataError, match=r"4 groups .* too few for 5 folds; set folds\.count to 4"):
        make(few, few.pixels, np.zeros(len(few), dtype=np.int64), FoldOptions(), 0)


def test_schemes_rarer_than_the_folds_are_split_all_the_same() -> None:
    few = dataset().take(np.flatnonzero(photo() < 6))
    rare = np.arange(len(few)) % 4
    folds = make(few, few.pixels, rare, FoldOptions(count=6), 0)
    assert len(np.unique(folds.fold)) == 6
    one = np.zeros(len(photo()), dtype=np.int64)
    one[5] = 1
    assert leaky_share(make(dataset(), dataset().pixels, one, FoldOptions(), 0).fold, photo()) == 0


def test_a_leak_is_an_error_that_names_both_rows_and_their_folds() -> None:
    fold, group = np.array([0, 1, 0, 2, 1]), np.array([7, 8, 7, 8, 9])
    with pytest.raises(LeakError, match=r"row 1 \(fold 1\) and row 3 \(fold 2\)") as caught:
        check_leak(fold, group)
    assert caught.value.exit_code == 4
    with pytest.raises(LeakError, match=r"image b \(fold 1\) and image d \(fold 2\)"):
        check_leak(fold, group, np.array(list("abcde")))
    check_leak(fold, np.array([0, 1, 0, 2, 1]))


def test_the_leaky_share_counts_rows_with_a_mate_elsewhere() -> None:
    assert leaky_share(np.array([0, 1, 0, 1, 1, 0, 0]), np.array([5, 5, 5, 6, 6, 7, 8])) == pytest.approx(3 / 7)


@pytest.fixture
def saved(faces: Dataset, tmp_path: Path) -> tuple[Folds, Path]:
    folds, path = make(faces, faces.pixels, scheme(), FoldOptions(), 0), tmp_path / "folds.parquet"
    save(folds, faces.ids, scheme(), path)
    return folds, path


def test_saved_folds_come_back_as_they_were(saved: tuple[Folds, Path], faces: Dataset) -> None:
    folds, path = saved
    again = load(path, faces.digest, faces.ids)
    assert_array_equal(again.fold, folds.fold)
    assert_array_equal(again.group, folds.group)
    assert (again.count, again.digest) == (folds.count, folds.digest)
    assert [file.name for file in path.parent.iterdir()] == ["folds.parquet"]
    table = pq.read_table(path)
    assert table.column_names == ["id", "fold", "group", "scheme"]
    assert_array_equal(table["scheme"].to_numpy(), scheme())
    assert table.schema.metadata[b"kptool.digest"] == faces.digest.encode()


def test_folds_of_other_data_are_refused(saved: tuple[Folds, Path], faces: Dataset) -> None:
    _, path = saved
    with pytest.raises(DataError, match=r"folds\.parquet was made for other data \(ab+a.*… not cd.*…\)") as caught:
        load(path, "cd" * 32, faces.ids)
    assert caught.value.hint
    with pytest.raises(DataError, match="other images"):
        load(path, faces.digest, faces.ids[::-1])
    with pytest.raises(DataError, match="other images"):
        load(path, faces.digest, faces.ids[:-1])


def test_folds_that_leak_are_refused(faces: Dataset, tmp_path: Path) -> None:
    folds, path = make(faces, faces.pixels, scheme(), FoldOptions(), 0), tmp_path / "folds.parquet"
    rows = np.flatnonzero(photo() == 12)
    parted = folds.fold.copy()
    parted[rows[0]] = (parted[rows[0]] + 1) % 5
    save(replace(folds, fold=parted), faces.ids, scheme(), path)
    with pytest.raises(LeakError, match=f"folds.parquet: image {faces.ids[rows[0]]} ") as caught:
        load(path, faces.digest, faces.ids)
    assert caught.value.exit_code == 4


def test_a_damaged_or_missing_file_is_refused(saved: tuple[Folds, Path], faces: Dataset, tmp_path: Path) -> None:
    folds, path = saved
    whole = path.read_bytes()
    for broken in (whole[:-9], whole[: len(whole) // 2], b"", b"id,fold\n"):
        path.write_bytes(broken)
        with pytest.raises(DataError, match="not readable as folds") as caught:
            load(path, faces.digest, faces.ids)
        assert "\n" not in str(caught.value)
    with pytest.raises(DataError, match="not readable as folds"):
        load(tmp_path / "none.parquet", faces.digest, faces.ids)
    pq.write_table(pa.table({"id": faces.ids.tolist(), "fold": folds.fold, "group": folds.group}), path)
    with pytest.raises(DataError, match="not readable as folds"):
        load(path, faces.digest, faces.ids)
    save(replace(folds, count=3), faces.ids, scheme(), path)
    with pytest.raises(DataError, match="outside 0 to 2"):
        load(path, faces.digest, faces.ids)
    save(replace(folds, count=6), faces.ids, scheme(), path)
    with pytest.raises(DataError, match="fold 5 of 6 holds no row"):
        load(path, faces.digest, faces.ids)
