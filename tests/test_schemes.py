"""Law: who marked a row is read from which points it has, whatever the order of the rows and the holes in them."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from kptool.dataset import Mask
from kptool.schemes import discover

FULL, FOUR = np.ones(15, dtype=np.bool_), np.isin(np.arange(15), [0, 1, 10, 14])


def kaggle_pattern(rows_15: int = 317, rows_4: int = 641) -> Mask:
    """Rows of 15 points, then of 4; some have holes, a few have points of both or none at all."""
    rng = np.random.default_rng(0)
    labelled = np.concatenate([np.tile(FULL, (rows_15, 1)), np.tile(FOUR, (rows_4, 1))])
    for n in rng.choice(rows_15, 29, replace=False):
        labelled[n, rng.choice(np.flatnonzero(~FOUR), 2, replace=False)] = False
    labelled[rows_15 : rows_15 + 13, 10] = False
    labelled[rows_15 + 13 : rows_15 + 16] = False
    return labelled


def test_the_kaggle_pattern_is_two_schemes_the_fullest_first() -> None:
    schemes = discover(kaggle_pattern())
    assert schemes.names == ("15 points", "4 points")
    assert_array_equal(schemes.masks, [FULL, FOUR])


def test_holes_do_not_make_a_scheme_nor_change_one() -> None:
    labelled = kaggle_pattern()
    scheme = discover(labelled).assign(labelled)
    assert (scheme[:317] == 0).all()
    assert (scheme[317:330] == 1).all()
    assert (scheme[333:] == 1).all()


def test_a_row_without_labels_goes_to_the_fullest() -> None:
    labelled = kaggle_pattern()
    assert_array_equal(discover(labelled).assign(labelled)[330:333], 0)


def test_one_point_more_than_a_scheme_marks_is_another_scheme() -> None:
    schemes = discover(kaggle_pattern())
    row = FOUR.copy()
    row[7] = True
    assert_array_equal(schemes.assign(np.stack([row, FOUR, FOUR & (np.arange(15) < 5)])), [0, 1, 1])


def test_the_order_of_the_rows_does_not_matter() -> None:
    labelled = kaggle_pattern()
    schemes = discover(labelled)
    order = np.random.default_rng(1).permutation(len(labelled))
    shuffled = discover(labelled[order])
    assert shuffled.names == schemes.names
    assert_array_equal(shuffled.masks, schemes.masks)
    assert_array_equal(shuffled.assign(labelled[order]), schemes.assign(labelled)[order])


def test_full_labels_are_one_scheme() -> None:
    schemes = discover(np.ones((37, 6), dtype=np.bool_))
    assert schemes.names == ("6 points",)
    assert_array_equal(schemes.assign(np.ones((37, 6), dtype=np.bool_)), 0)


def test_without_a_common_pattern_every_point_ever_labelled_is_the_scheme() -> None:
    labelled = np.array([[bit == "1" for bit in f"{n:06b}0"] for n in range(1, 64)])
    schemes = discover(labelled)
    assert_array_equal(schemes.masks, [[True] * 6 + [False]])
    assert_array_equal(discover(np.zeros((5, 3), dtype=np.bool_)).masks, [[True] * 3])


def test_schemes_of_one_size_keep_apart() -> None:
    labelled = np.repeat(np.array([[1, 1, 0, 0], [0, 0, 1, 1], [0, 1, 0, 0]], dtype=np.bool_), 9, axis=0)
    schemes = discover(labelled)
    assert sorted(schemes.names) == ["1 point", "2 points a", "2 points b"]
    assert len(np.unique(schemes.assign(labelled).reshape(3, 9), axis=1).ravel()) == 3


def test_shares_count_values_and_sum_to_one() -> None:
    schemes = discover(kaggle_pattern())
    asked = np.concatenate([np.tile(FULL, (591, 1)), np.tile(FOUR, (1192, 1))])
    share = schemes.share(asked)
    assert sum(share) == pytest.approx(1)
    assert share[1] == pytest.approx(1192 * 4 / (1192 * 4 + 591 * 15))
    assert schemes.share(np.zeros((3, 15), dtype=np.bool_)) == [0.0, 0.0]


@pytest.mark.skipif("KPTOOL_DATA_FKD" not in os.environ, reason="KPTOOL_DATA_FKD does not name the Kaggle files")
def test_the_real_file_has_these_two() -> None:
    rows = []
    with (Path(os.environ["KPTOOL_DATA_FKD"]) / "training.csv").open() as file:
        next(file)
        for line in file:
            cells = np.array(line.split(",", 30)[:30]) != ""
            rows.append(cells[::2] & cells[1::2])
    labelled = np.array(rows)
    schemes = discover(labelled)
    assert schemes.names == ("15 points", "4 points")
    scheme = schemes.assign(labelled)
    assert (scheme[:2284] == 0).mean() > 0.99
    assert (scheme[2284:] == 1).mean() > 0.99
