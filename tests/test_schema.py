"""Law: a mirrored face is a face; what was left is right, and twice mirrored is as before."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from kptool.competitions import find, names
from kptool.errors import DataError, UsageError
from kptool.geometry import Floats, mirror
from kptool.schema import Schema, check_mirror, make_schema, mirror_points

NAMES = ["left_eye", "nose", "right_eye", "mouth_left", "mouth_right", "chin", "left_ear"]
PAIRS = [("left_eye", "right_eye"), ("mouth_left", "mouth_right")]
SHAPE = np.array([[60.0, 30], [45, 50], [30, 30], [55, 70], [35, 70], [45, 90], [44, 31]])


def face() -> Schema:
    return make_schema("face", NAMES, PAIRS, ("left_eye", "right_eye"), [("mouth_left", "mouth_right")])


def shapes(shape: Floats = SHAPE, count: int = 23) -> Floats:
    rng = np.random.default_rng(0)
    return shape + rng.normal(0, 3, (count, *shape.shape)) + rng.normal(0, 5, (count, 1, 2))


def test_mirroring_twice_changes_nothing() -> None:
    points = shapes()
    points[3, 2] = np.nan
    flip = mirror(91)
    once = mirror_points(flip(points), face())
    assert not np.array_equal(once, points, equal_nan=True)
    np.testing.assert_allclose(mirror_points(flip(once), face()), points, atol=1e-9)


def test_mirroring_swaps_the_partners_and_nobody_else() -> None:
    swapped = mirror_points(SHAPE, face())
    for left, right in [*PAIRS, ("nose", "nose"), ("chin", "chin"), ("left_ear", "left_ear")]:
        assert_array_equal(swapped[NAMES.index(left)], SHAPE[NAMES.index(right)])
        assert_array_equal(swapped[NAMES.index(right)], SHAPE[NAMES.index(left)])


def test_a_missing_left_eye_is_a_missing_right_eye_in_the_mirror() -> None:
    points = SHAPE.copy()
    points[0] = np.nan
    assert_array_equal(np.isnan(mirror_points(points, face())[:, 0]), np.arange(7) == 2)


def test_without_pairs_nothing_is_flipped() -> None:
    unpaired = make_schema("blind", NAMES)
    with pytest.raises(UsageError, match="no mirror pairs"):
        mirror_points(SHAPE, unpaired)
    check_mirror(unpaired, shapes())
    assert make_schema("symmetric", NAMES, []).mirror == tuple(range(7))


@pytest.mark.parametrize("name", names())
def test_every_shipped_competition_swaps_left_and_right_by_name(name: str) -> None:
    schema = find(name).competition.schema_of_points
    assert len(schema.points) == 15
    for k, point in enumerate(schema.points):
        other = point.replace("left", "?").replace("right", "left").replace("?", "right")
        assert schema.points[schema.mirror[k]] == other


def test_right_pairs_agree_with_the_mean_shape() -> None:
    check_mirror(face(), shapes())
    sparse = shapes()
    sparse[np.random.default_rng(1).random(sparse.shape[:2]) < 0.5] = np.nan
    check_mirror(face(), sparse)
    check_mirror(face(), np.full((3, 7, 2), np.nan))


@pytest.mark.parametrize(
    ("pairs", "culprits"),
    [
        ([("left_eye", "mouth_right"), ("mouth_left", "right_eye")], ["left_eye", "right_eye"]),
        ([("mouth_left", "mouth_right")], ["left_eye", "right_eye"]),
        ([("left_eye", "right_eye"), ("mouth_left", "mouth_right"), ("nose", "chin")], ["nose", "chin"]),
    ],
)
def test_a_wrong_pair_is_stopped_by_name(pairs: list[tuple[str, str]], culprits: list[str]) -> None:
    with pytest.raises(DataError) as caught:
        check_mirror(make_schema("face", NAMES, pairs), shapes())
    assert any(f"'{name}'" in caught.value.message for name in culprits)
    assert caught.value.exit_code == 3
    assert "\n" not in str(caught.value)


def test_a_name_is_given_once() -> None:
    with pytest.raises(UsageError, match="named twice"):
        make_schema("face", [*NAMES, "nose"])


def test_a_point_has_one_partner() -> None:
    with pytest.raises(UsageError, match="two mirror pairs"):
        make_schema("face", NAMES, [("left_eye", "right_eye"), ("right_eye", "left_ear")])
    with pytest.raises(UsageError, match="own inverse"):
        Schema("face", ("a", "b", "c"), mirror=(1, 2, 0))


def test_a_misspelt_point_gets_the_closest_name() -> None:
    for pairs, scale_pair in ([("left_eye", "rihgt_eye")], None), (None, ("left_eye", "rihgt_eye")):
        with pytest.raises(UsageError, match="did you mean 'right_eye'"):
            make_schema("face", NAMES, pairs, scale_pair)


def test_columns_stand_in_file_order() -> None:
    assert face().columns[:4] == ("left_eye_x", "left_eye_y", "nose_x", "nose_y")
    assert len(face().columns) == 14
    assert face().scale_pair == (0, 2)
    assert face().edges == ((3, 4),)
