"""Law: a mirrored face is a face; what was left is right, and twice mirrored is as before."""

from __future__ import annotations

import re

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from kptool.competitions import find, names
from kptool.errors import DataError, UsageError
from kptool.geometry import Floats, mirror
from kptool.schema import Schema, check_mirror, make_schema, mirror_points, typical_shape

NAMES = ["left_eye", "nose", "right_eye", "mouth_left", "mouth_right", "chin", "left_ear"]
PAIRS = [("left_eye", "right_eye"), ("mouth_left", "mouth_right")]
SHAPE = np.array([[60.0, 30], [45, 50], [30, 30], [55, 70], [35, 70], [45, 90], [44, 31]])

OF_POINTS = [name for name in names() if find(name).competition.task == "keypoints"]


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


def other_side(point: str) -> str:
    """The name with left and right exchanged and without its number, which says where along a line a point stands."""
    bare = re.sub(r"_\d+$", "", point)
    return bare.replace("left", "?").replace("right", "left").replace("?", "right")


@pytest.mark.parametrize("name", OF_POINTS)
def test_every_shipped_competition_swaps_left_and_right_by_name(name: str) -> None:
    schema = find(name).competition.schema_of_files
    assert len(schema.points) == {"ibug-300w": 68, "imm-faces": 58, "imm-nose": 58}.get(name, 15)
    for k, point in enumerate(schema.points):
        partner = schema.points[schema.mirror[k]]
        assert re.sub(r"_\d+$", "", partner) == other_side(point)
        assert (partner == point) <= ("left" not in point and "right" not in point), point


@pytest.mark.parametrize("name", OF_POINTS)
def test_a_shipped_competition_looks_the_same_in_the_mirror(name: str) -> None:
    schema = find(name).competition.schema_of_files
    mirrored = {frozenset(schema.mirror[point] for point in edge) for edge in schema.edges}
    assert mirrored == set(map(frozenset, schema.edges))
    assert schema.edges
    for pair in filter(None, [schema.scale_pair]):
        assert (schema.mirror[pair[0]], schema.mirror[pair[1]]) == pair[::-1]
    for one, other in filter(None, [schema.pupils]):
        assert {schema.mirror[point] for point in one} == set(other)


@pytest.mark.parametrize(
    ("name", "sums"),
    # A line that runs across the face, or around an eye or the lips: partners' numbers add up to a constant.
    [
        ("ibug-300w", {"jaw": {16}, "right_brow": {43}, "nose_bridge": {54, 56, 58, 60}, "nose_base": {66},
                       "right_eye": {81, 87}, "outer_lip": {102, 114}, "inner_lip": {124, 132}}),
        ("imm-faces", {"jaw": {12}}),
    ],
)  # fmt: skip
def test_numbered_points_are_paired_along_their_line(name: str, sums: dict[str, set[int]]) -> None:
    schema = find(name).competition.schema_of_files
    for line, expected in sums.items():
        own = [k for k, point in enumerate(schema.points) if re.fullmatch(rf"{line}_\d+", point)]
        assert own
        assert {k + schema.mirror[k] for k in own} == expected


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


# --- some of the points ---


def full() -> Schema:
    """All that a schema can hold."""
    pupils = (["left_eye", "left_ear"], ["right_eye", "nose"])
    edges = [("mouth_left", "mouth_right"), ("left_eye", "right_eye"), ("nose", "chin")]
    return make_schema("face", NAMES, PAIRS, ("left_eye", "right_eye"), edges, pupils)


def test_selecting_all_points_in_order_changes_nothing() -> None:
    assert full().select(NAMES) == full()


@pytest.mark.parametrize("seed", range(5))
def test_selecting_in_another_order_is_the_same_face(seed: int) -> None:
    order = [NAMES[k] for k in np.random.default_rng(seed).permutation(len(NAMES))]
    schema = full().select(order)
    assert schema.points == tuple(order)
    assert schema.select(NAMES) == full()
    old = [NAMES.index(point) for point in order]
    assert_array_equal(mirror_points(SHAPE[old], schema), mirror_points(SHAPE, full())[old])
    assert schema.scale_pair is not None
    assert [order[k] for k in schema.scale_pair] == ["left_eye", "right_eye"]
    assert schema.pupils is not None
    assert [[order[k] for k in eye] for eye in schema.pupils] == [["left_eye", "left_ear"], ["right_eye", "nose"]]
    assert [tuple(order[k] for k in edge) for edge in schema.edges] == [
        ("mouth_left", "mouth_right"), ("left_eye", "right_eye"), ("nose", "chin"),
    ]  # fmt: skip


def test_what_speaks_of_points_left_out_is_dropped() -> None:
    chin = full().select(["chin", "nose"])
    assert (chin.mirror, chin.scale_pair, chin.pupils, chin.edges) == ((0, 1), None, None, ((1, 0),))
    eyes = full().select(["right_eye", "left_eye"])
    assert (eyes.mirror, eyes.scale_pair, eyes.pupils, eyes.edges) == ((1, 0), (1, 0), None, ((1, 0),))
    torn = full().select(["left_eye", "nose", "chin"])
    assert torn.mirror == (), "half a pair cannot be flipped"
    with pytest.raises(UsageError, match="no mirror pairs"):
        mirror_points(SHAPE[:3], torn)


def test_only_known_points_can_be_selected_and_each_once() -> None:
    with pytest.raises(UsageError, match="did you mean 'nose'"):
        full().select(["nsoe"])
    with pytest.raises(UsageError, match="named twice"):
        full().select(["nose", "nose"])


def test_pupils_are_named_points() -> None:
    with pytest.raises(UsageError, match="did you mean 'right_eye'"):
        make_schema("face", NAMES, pupils=(["left_eye"], ["rihgt_eye"]))
    assert full().pupils == ((0, 6), (2, 1))


# --- the typical shape ---


@pytest.mark.parametrize("seed", range(6))
def test_the_typical_shape_knows_neither_place_nor_size_nor_missing_labels(seed: int) -> None:
    generator = np.random.default_rng(seed)
    shape = np.array([[70.0, 30], [30, 31], [50, 60], [62, 80], [38, 81], [50, 99]])
    schema = make_schema("face", ["le", "re", "nose", "lm", "rm", "chin"], [("le", "re"), ("lm", "rm")])
    place, size = generator.uniform(0, 3000, (400, 1, 2)), generator.uniform(0.4, 4, (400, 1, 1))
    points = (shape + generator.normal(0, 2, (400, 6, 2))) * size + place
    points[generator.random((400, 6)) < 0.3] = np.nan
    found = typical_shape(points)
    gain = np.ptp(found[:, 0]) / np.ptp(shape[:, 0])
    assert np.abs((found - found.mean(0)) / gain - (shape - shape.mean(0))).max() < 1.0
    check_mirror(schema, points)
    swapped = make_schema("face", ["le", "re", "nose", "lm", "rm", "chin"], [("le", "lm"), ("re", "rm")])
    with pytest.raises(DataError, match="disagrees with the mean shape"):
        check_mirror(swapped, points)


def test_rows_of_one_label_have_no_shape() -> None:
    points = np.full((5, 3, 2), np.nan)
    points[:, 1] = 7
    assert np.isnan(typical_shape(points)).all()
    assert np.isnan(typical_shape(np.empty((0, 3, 2)))).all()
