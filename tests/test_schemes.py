"""Law: who marked a row is read from which points it has, whatever the order of the rows and the holes in them.

Labels missing at random are no annotator; schemes that a competition.toml names replace those that are found.
"""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
from numpy.testing import assert_array_equal
from own_competition import write_own

from kptool.competitions import find
from kptool.config import Recipe
from kptool.dataset import Ints, Mask
from kptool.errors import UsageError
from kptool.intake import take_in, whole_schemes
from kptool.schema import Schema, make_schema
from kptool.schemes import Schemes, discover, given

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
    labelled = np.repeat(np.array([[1, 1, 0, 0], [0, 0, 1, 1]], dtype=np.bool_), 9, axis=0)
    schemes = discover(labelled)
    assert schemes.names == ("2 points a", "2 points b")
    assert len(np.unique(schemes.assign(labelled).reshape(2, 9), axis=1).ravel()) == 2


# --- accidents ---


def holes(labelled: Mask, rate: float, seed: int) -> Mask:
    """Each label lost with the same chance, whatever else is lost."""
    lost: Mask = np.random.default_rng(seed).random(labelled.shape) < rate
    return labelled & ~lost


def two_annotators(rows: int, share: float, seed: int) -> Mask:
    """Rows of 15 points, and a share of rows of four, in no order."""
    four = np.random.default_rng(seed).random(rows) < share
    return np.where(four[:, None], FOUR, FULL)


@pytest.mark.parametrize("rate", [0.05, 0.1, 0.2, 0.3])
@pytest.mark.parametrize("points", [1, 2, 3, 4, 5, 7, 15])
@pytest.mark.parametrize("rows", [41, 230, 4000])
def test_labels_missing_at_random_are_one_scheme(points: int, rate: float, rows: int) -> None:
    for seed in range(3):
        labelled = holes(np.ones((rows, points), dtype=np.bool_), rate, seed)
        assert_array_equal(discover(labelled).masks, np.ones((1, points), dtype=np.bool_))


def test_labels_missing_at_random_make_patterns_that_are_common() -> None:
    """So the law above is no law about rare patterns."""
    _, counts = np.unique(holes(np.ones((4000, 5), dtype=np.bool_), 0.2, 0), axis=0, return_counts=True)
    assert (counts >= 0.05 * 4000).sum() == 6


@pytest.mark.parametrize("rate", [0.0, 0.05, 0.1, 0.2])
@pytest.mark.parametrize("share", [0.3, 0.5, 0.7, 0.9])
@pytest.mark.parametrize("rows", [200, 4000])
def test_two_annotators_with_holes_are_two_schemes(rows: int, share: float, rate: float) -> None:
    """With holes whole rows of 15 points get so rare that no pattern of theirs is common; they are a scheme still."""
    truth = two_annotators(rows, share, 1)
    labelled = holes(truth, rate, 2)
    schemes = discover(labelled)
    assert schemes.names == ("15 points", "4 points")
    assert_array_equal(schemes.masks, [FULL, FOUR])
    assert (schemes.assign(labelled) != ~truth[:, 5]).mean() < 0.01


def test_holes_that_are_somewhat_correlated_are_holes() -> None:
    """One cause behind all points, as in a blurred picture: correlation 0.3, a fifth of each point's labels missing."""
    generator = np.random.default_rng(3)
    cause, own = generator.normal(size=(3000, 1)), generator.normal(size=(3000, 6))
    labelled = np.sqrt(0.3) * cause + np.sqrt(0.7) * own > -0.84
    assert 0.15 < (~labelled).mean() < 0.25
    assert discover(labelled).names == ("6 points",)


def test_three_annotators_with_points_in_common() -> None:
    labelled = np.ones((900, 12), dtype=np.bool_)
    labelled[:300, 8:], labelled[600:, :4] = False, False
    schemes = discover(holes(labelled, 0.05, 4))
    assert schemes.names == ("12 points", "8 points a", "8 points b")
    assert_array_equal(schemes.masks[1:].sum(0), [1] * 4 + [2] * 4 + [1] * 4)


PAIRS = [1, 0, 3, 2, 5, 4, 6, 8, 7, 9]
LEFT = np.array([1, 0, 1, 0, 1, 0, 0, 1, 0, 0], dtype=np.bool_)


@pytest.mark.parametrize("rate", [0.0, 0.1])
def test_a_hidden_side_is_an_annotator_only_where_sides_are_not_known(rate: float) -> None:
    labelled = np.ones((400, 10), dtype=np.bool_)
    labelled[:60, LEFT], labelled[60:120, LEFT[PAIRS]] = False, False
    labelled = holes(labelled, rate, 5)
    assert discover(labelled).names == ("10 points", "6 points a", "6 points b")
    assert discover(labelled, mirror=PAIRS).names == ("10 points",)


def test_what_the_rule_cannot_tell_apart_is_as_its_docstring_says() -> None:
    """Points that go missing together look like an annotator; an annotator who leaves out one point does not."""
    legs = np.ones((400, 9), dtype=np.bool_)
    legs[:100, 6:] = False
    assert discover(legs).names == ("9 points", "6 points")
    nose = np.ones((400, 9), dtype=np.bool_)
    nose[:200, 3] = False
    assert discover(nose).names == ("9 points",)


@pytest.mark.parametrize("seed", range(3))
def test_permuting_the_points_permutes_the_masks(seed: int) -> None:
    three = np.ones((900, 12), dtype=np.bool_)
    three[:300, 8:], three[600:, :4] = False, False
    for labelled in (kaggle_pattern(), holes(two_annotators(900, 0.6, 6), 0.1, 7), three):
        order = np.random.default_rng(seed).permutation(labelled.shape[1])
        plain, turned = discover(labelled), discover(labelled[:, order])
        assert plain.names == turned.names
        assert sorted(plain.masks[:, order].tolist()) == sorted(turned.masks.tolist())
        assert plain.masks.sum(1).tolist() == sorted(plain.masks.sum(1).tolist(), reverse=True)


# --- assigning ---


def brute(schemes: Schemes, row: Mask) -> int:
    """The rule of `assign` in words: fewest labels outside, then the smallest, then the first; nothing = the first."""
    costs = [(int((row & ~mask).sum()), int(mask.sum()), s) for s, mask in enumerate(schemes.masks)]
    return min(costs)[2] if row.any() else 0


@pytest.mark.parametrize(
    "masks",
    [
        [[1, 1, 1, 1, 1]],
        [[1, 1, 1, 1, 1], [1, 1, 0, 0, 0], [0, 0, 0, 1, 1]],
        [[1, 1, 1, 0, 0], [0, 0, 1, 1, 1]],
        [[1, 1, 1, 1, 0], [0, 1, 0, 0, 0], [0, 0, 0, 0, 0]],
    ],
)
def test_every_pattern_goes_where_the_rule_says(masks: list[list[int]]) -> None:
    schemes = Schemes(np.array(masks, dtype=np.bool_), tuple(map(str, range(len(masks)))))
    rows: Mask = np.array([[bool(n >> k & 1) for k in range(5)] for n in range(32)])
    found: Ints = schemes.assign(rows)
    assert found.tolist() == [brute(schemes, row) for row in rows]
    assert schemes.assign(rows[:0]).shape == (0,)


# --- given ---

FACE = make_schema("faces", ["left_eye", "right_eye", "nose", "chin"], [("left_eye", "right_eye")])


def test_given_schemes_are_named_and_ordered_like_those_found() -> None:
    schemes = given(FACE, [["chin", "nose"], ["nose", "left_eye", "chin", "right_eye"], ["right_eye", "left_eye"]])
    assert schemes.names == ("4 points", "2 points a", "2 points b")
    assert schemes.masks.tolist()[0] == [True] * 4
    assert sorted(schemes.masks[1:].tolist()) == [[False, False, True, True], [True, True, False, False]]


@pytest.mark.parametrize(
    ("lists", "words", "remedy"),
    [
        ([["left_eye"], ["nosse"]], "no point is called 'nosse'", "did you mean 'nose'?"),
        ([["nose"], []], "schemes, number 2 has no points", "leave it out"),
        ([["nose", "chin", "nose"]], "schemes, number 1 names 'nose' twice", "once"),
        ([["nose", "chin"], ["left_eye"], ["chin", "nose"]], "number 3 has the points of number 1", "one of them"),
    ],
)
def test_given_schemes_that_make_no_sense_are_refused(lists: list[list[str]], words: str, remedy: str) -> None:
    with pytest.raises(UsageError) as error:
        given(FACE, lists)
    assert words in error.value.message
    assert remedy in error.value.hint
    assert "\n" not in str(error.value)


ALL, EYES, REST = ["left_eye", "right_eye", "nose", "chin"], ["left_eye", "right_eye"], ["nose", "chin"]


def patterns(*rows: tuple[list[str], int]) -> Mask:
    """(N, 4) patterns of the points of FACE, each so many times."""
    return np.concatenate([np.tile(np.isin(FACE.points, points), (count, 1)) for points, count in rows])


def test_given_schemes_replace_those_found() -> None:
    labelled = patterns((ALL, 30), (EYES, 30))
    assert whole_schemes(labelled, FACE)[0].names == ("4 points", "2 points")
    schemes, notes = whole_schemes(labelled, FACE, [ALL])
    assert (schemes.names, notes) == (("4 points",), [])
    one_short = patterns((ALL, 30), (["left_eye", "right_eye", "nose"], 30))
    assert whole_schemes(one_short, FACE)[0].names == ("4 points",)
    schemes, notes = whole_schemes(one_short, FACE, [ALL, ["nose", *EYES]])
    assert schemes.names == ("4 points", "3 points")
    assert notes == []


def test_a_given_scheme_without_rows_is_told() -> None:
    schemes, notes = whole_schemes(patterns((ALL, 30), (EYES, 30)), FACE, [ALL, EYES, REST])
    assert len(schemes) == 3
    assert len(notes) == 1
    assert f"no row is marked with {schemes.names[int(schemes.masks[1, 0]) + 1]}" in notes[0]


@pytest.mark.parametrize("lists", [[EYES, REST], [ALL, EYES, REST]])
def test_given_schemes_of_which_none_could_answer_whole_are_refused(lists: list[list[str]]) -> None:
    """Also where one has all points, but no rows: its outputs would never be trained."""
    with pytest.raises(UsageError, match="none has rows that mark all 4 labelled points") as error:
        whole_schemes(patterns((EYES, 30), (REST, 30)), FACE, lists)
    assert "one scheme of all points" in error.value.hint


def test_schemes_found_of_which_none_could_answer_whole_become_one() -> None:
    schemes, notes = whole_schemes(patterns((EYES, 30), (REST, 30)), FACE)
    assert schemes.masks.tolist() == [[True] * 4]
    assert len(notes) == 1
    never = whole_schemes(patterns((["left_eye", "nose"], 5), (["left_eye"], 5)), FACE)
    assert never[0].masks.tolist() == [[True, False, True, False]], "a point that is never labelled is not missed"
    assert never[1] == []
    # Rows that no common pattern holds are a scheme of every point, but here its rows never show the eyes.
    five = Schema("five", ("a", "b", "c", "d", "e"))
    scattered = np.array(
        [[1, 1, 0, 0, 0]] * 60 + [[0, 0, 1, 1, 0], [0, 0, 0, 1, 1], [0, 0, 1, 0, 1]] * 2, dtype=np.bool_
    )
    assert discover(scattered).names == ("5 points", "2 points")
    assert whole_schemes(scattered, five)[0].names == ("5 points",)


def test_a_competition_may_name_its_schemes(tmp_path: Path) -> None:
    own = write_own(tmp_path)
    file, text = own.competition / "competition.toml", (own.competition / "competition.toml").read_text()
    found = find(str(own.competition))
    recipe = Recipe.model_validate({"folds": {"count": 2}})
    plain = take_in(found, recipe, own.data)
    assert plain.schemes.names == ("4 points", "2 points")
    assert_array_equal(plain.scheme, [0] * 24 + [1] * 36)
    assert plain.test_mix == pytest.approx([24 / 48, 24 / 48])
    file.write_text(text + 'schemes = [["left_eye", "right_eye", "nose", "chin"]]\n')
    one = take_in(find(str(own.competition)), recipe, own.data)
    assert one.schemes.names == ("4 points",)
    assert not one.scheme.any()
    assert one.test_mix == [1.0]


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
    assert_array_equal(schemes.masks, [FULL, FOUR])
    scheme = schemes.assign(labelled)
    assert (scheme[:2284] == 0).mean() > 0.99
    assert (scheme[2284:] == 1).mean() > 0.99
