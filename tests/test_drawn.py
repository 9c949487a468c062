"""The drawn faces: the same every time, labelled exactly, and flawed on purpose as the real set is."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from kptool.competitions import find
from kptool.dataset import Dataset
from kptool.drawn import collection, pen
from kptool.drawn.anatomy import FOUR, NAMES, landmarks
from kptool.drawn.collection import ALIKE, MIRRORED, NOISE, SAME, TEST_FULL, TRAIN_FULL, Collection
from kptool.drawn.face import Face, sample_build, sample_pose
from kptool.drawn.look import Look, sample_look
from kptool.drawn.photo import expose, paint
from kptool.errors import UsageError
from kptool.formats import drawn_faces
from kptool.geometry import Floats
from kptool.schema import Schema, check_mirror, make_schema, mirror_points
from kptool.schemes import discover


@pytest.fixture(scope="module")
def drawn() -> Collection:
    return collection.draw()


@pytest.fixture
def cached(drawn: Collection, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Points the cache at an empty folder; the list grows by one whenever the faces are drawn."""
    calls: list[int] = []

    def draw() -> Collection:
        calls.append(1)
        return drawn

    monkeypatch.setenv("KPTOOL_CACHE", str(tmp_path))
    monkeypatch.setattr(drawn_faces, "draw", draw)
    return calls


@pytest.fixture
def schema() -> Schema:
    return find("demo").competition.schema_of_points


@pytest.fixture
def train(cached: list[int], schema: Schema) -> Dataset:
    assert not cached
    return drawn_faces.read_train(None, schema)


def clean_rows(drawn: Collection) -> list[int]:
    """Training rows that are neither wrong nor a copy of another."""
    return sorted(set(range(len(drawn.train_images))) - {*drawn.wrong.tolist(), *drawn.copies[:, 1].tolist()})


# the picture


def plain(seed: int, **look: object) -> tuple[Face, Look]:
    """A face without glasses, hair over the eyes or things held before it, in even light."""
    rng = np.random.default_rng(seed)
    face, worn = Face(sample_pose(rng), sample_build(rng)), sample_look(rng)
    bare = replace(worn, style="bald", beard="none", glasses="none", occluder="none", ambient=1.0, skin=200.0)
    return face, replace(bare, **look)  # type: ignore[arg-type]


def difference(face: Face, one: Look, other: Look) -> Floats:
    """(H, W) where two pictures of a face differ."""
    return np.abs(paint(face, one).astype(np.float64) - paint(face, other))


@pytest.mark.parametrize("seed", range(12))
def test_pupils_are_where_the_labels_say(seed: int) -> None:
    # Only the irises differ, so the difference is a pair of discs; wide eyes leave them whole, and a lamp at this
    # angle puts the glint in their middle. Without the half pixel of the shrinking they would be 1/3 px off.
    face, look = plain(seed, light=np.array([0.0, 0.5, 0.866]), iris=130.0)
    face = replace(face, build=replace(face.build, eye_open=(0.8, 0.8), eye_width=0.4))
    found = difference(face, look, replace(look, iris=30.0))
    labels = landmarks(face)[:2]
    xs = np.arange(pen.SIZE)
    for label in labels:
        near = np.hypot(*np.meshgrid(xs - label[0], xs - label[1])) < 8
        weight = np.where(near, found, 0)
        centroid = np.array([(weight.sum(0) * xs).sum(), (weight.sum(1) * xs).sum()]) / weight.sum()
        assert weight.sum() > 500
        assert np.abs(centroid - label).max() < 0.1, (centroid, label)


@pytest.mark.parametrize("seed", range(8))
def test_mouth_reaches_from_corner_to_corner_and_lip_to_lip(seed: int) -> None:
    face, look = plain(seed, lip=0.8)
    face = replace(face, pose=replace(face.pose, roll=0.0, yaw=0.0, pitch=0.0), build=replace(face.build, gape=0.0))
    found = difference(face, look, replace(look, lip=0.4)) > 8
    labels = dict(zip(NAMES, landmarks(face), strict=True))
    columns = np.flatnonzero(found.any(0))
    middle = np.flatnonzero(found[:, round(labels["nose_tip"][0])])
    assert abs(columns[0] - labels["mouth_right_corner"][0]) < 1.2
    assert abs(columns[-1] - labels["mouth_left_corner"][0]) < 1.2
    assert abs(middle[0] - labels["mouth_center_top_lip"][1]) < 1
    assert abs(middle[-1] - labels["mouth_center_bottom_lip"][1]) < 1
    rim = landmarks(face, four=True)[NAMES.index("mouth_center_bottom_lip")][1]
    assert middle[0] + 1 < rim < middle[-1] - 1


def test_shrinking_keeps_the_centre_of_a_disc() -> None:
    side = pen.SIZE * pen.FINE
    canvas = np.zeros((side, side), dtype=np.uint8)
    centre = np.array([40.3, 61.7])
    pen.fill_convex(canvas, centre + 5.0 * pen.ring(), 240)
    small = pen.shrink(canvas).astype(np.float64)
    xs = np.arange(pen.SIZE)
    found = np.array([(small.sum(0) * xs).sum(), (small.sum(1) * xs).sum()]) / small.sum()
    assert np.abs(found - centre).max() < 0.03


def test_the_two_schemes_place_nose_and_lip_apart() -> None:
    shifts = []
    for seed in range(50):
        rng = np.random.default_rng(seed)
        face = Face(sample_pose(rng), sample_build(rng))
        shifts.append(landmarks(face, four=True) - landmarks(face))
    mean = np.mean(shifts, axis=0)
    moved = np.flatnonzero(np.abs(mean).max(-1) > 0.01)
    assert [NAMES[k] for k in moved] == ["nose_tip", "mouth_center_bottom_lip"]
    assert 4 < mean[NAMES.index("nose_tip"), 1] < 10
    assert -6 < mean[NAMES.index("mouth_center_bottom_lip"), 1] < -2


# the set


def test_the_same_face_every_time(drawn: Collection) -> None:
    collection.face_of.cache_clear()
    for row in clean_rows(drawn)[::40]:
        face, look, shot = collection.face_of(0, row)
        assert np.array_equal(expose(paint(face, look), shot), drawn.train_images[row, 0])


@pytest.mark.slow
def test_the_same_digest_in_another_process(drawn: Collection) -> None:
    code = "from kptool.drawn.collection import draw; print(draw().digest)"
    other = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert other.stdout.strip() == drawn.digest


def test_digest_sees_every_array(drawn: Collection) -> None:
    changed = drawn.train_images.copy()
    changed[7, 0, 11, 13] ^= 1
    moved = drawn.test_points + np.where(np.arange(15) == 4, 1e-4, 0)[:, None]
    digests = {drawn.digest, replace(drawn, train_images=changed).digest, replace(drawn, test_points=moved).digest}
    assert len(digests) == 3


def test_noise_of_the_labels(drawn: Collection) -> None:
    for four in (False, True):
        rows = [row for row in clean_rows(drawn) if (row >= TRAIN_FULL) == four]
        exact = np.stack([landmarks(collection.face_of(0, row)[0], four) for row in rows])
        noise = (drawn.train_points[rows] - exact).ravel()
        noise = noise[np.isfinite(noise)]
        assert abs(noise.std() / NOISE[four] - 1) < 0.08
        assert abs(noise.mean()) < 0.06


def test_patterns_of_missing_labels(train: Dataset) -> None:
    counts = train.labelled.sum(1)
    assert discover(train.labelled).names == ("15 points", "4 points")
    assert (counts[:TRAIN_FULL] > 4).all()
    assert (counts[TRAIN_FULL:] <= 4).all()
    assert abs((counts == 15).mean() - 2140 / 7049) < 0.01
    assert abs((counts == 4).mean() - 4755 / 7049) < 0.01
    assert 12 <= ((counts > 4) & (counts < 15)).sum() <= 25
    assert 1 <= (counts == 3).sum() <= 3
    assert set(np.flatnonzero(train.labelled[TRAIN_FULL:].any(0))) == set(FOUR)


def test_labels_stand_in_the_frame_and_in_pairs(train: Dataset) -> None:
    labels = train.points[train.labelled]
    assert ((labels < -0.5) | (labels > 95.5)).mean() < 0.005
    assert labels.min() > -15
    assert labels.max() < 111
    check_mirror(train.schema, train.points)


def test_equal_pictures(drawn: Collection) -> None:
    _, first, count = np.unique(
        drawn.train_images.reshape(len(drawn.train_images), -1), axis=0, return_index=True, return_counts=True
    )
    assert (count > 1).sum() == 15
    assert len(first) == len(drawn.train_images) - (drawn.copies[:, 2] == SAME).sum()
    differ = []
    for row, copy, _ in drawn.copies[drawn.copies[:, 2] == SAME]:
        assert np.array_equal(drawn.train_images[row], drawn.train_images[copy])
        if (row < TRAIN_FULL) == (copy < TRAIN_FULL):
            differ.append(float(np.nanmax(np.abs(drawn.train_points[row] - drawn.train_points[copy]))))
    assert min(differ) == 0
    assert 0.3 < max(differ) < 8
    assert sum(d == 0 for d in differ) >= 3


def test_look_alikes(drawn: Collection) -> None:
    pairs = drawn.copies[drawn.copies[:, 2] == ALIKE, :2]
    assert len(pairs) == 8
    for row, copy in pairs:
        one, other = (drawn.train_images[k].ravel().astype(np.float64) for k in (row, copy))
        assert not np.array_equal(one, other)
        assert np.corrcoef(one, other)[0, 1] > 0.8


def test_mirrored_copies_are_exact(drawn: Collection, train: Dataset) -> None:
    pairs = drawn.copies[drawn.copies[:, 2] == MIRRORED, :2]
    assert len(pairs) == 3
    for row, copy in pairs:
        assert np.array_equal(train.pixels[copy], train.pixels[row][:, :, ::-1])
        flipped = train.points[row] * [-1, 1] + [95, 0]
        np.testing.assert_allclose(train.points[copy], mirror_points(flipped, train.schema), atol=1e-9)


def test_wrong_labels_are_wrong_and_no_others(drawn: Collection) -> None:
    assert len(drawn.wrong) == 8
    rows = np.arange(len(drawn.train_images))
    copies = set(drawn.copies[:, 1].tolist())
    for row in sorted(set(rows.tolist()) - copies):
        exact = landmarks(collection.face_of(0, row)[0], bool(row >= TRAIN_FULL))
        error = np.sqrt(np.nanmean((drawn.train_points[row] - exact) ** 2))
        assert (error > 5) == (row in drawn.wrong), (row, error)


def test_test_set_and_lookup_agree(cached: list[int], schema: Schema) -> None:
    test = drawn_faces.read_test(None, schema)
    lookup = drawn_faces.read_lookup(None, test)
    hidden = drawn_faces.truth(schema)
    assert len(cached) == 1  # drawn once, then read from the cache
    assert not np.isfinite(test.points).any()
    assert len(test) == len(hidden.points) == 250
    assert np.array_equal(lookup.asked(len(test), 15), np.isfinite(hidden.points).all(-1))
    assert np.isfinite(hidden.points[lookup.image, lookup.point, lookup.axis]).all()
    assert len(lookup.row_ids) == np.isfinite(hidden.points).sum()
    assert np.array_equal(lookup.row_ids, np.arange(1, len(lookup.row_ids) + 1))
    assert np.array_equal(drawn_faces.read_sample(None), lookup.row_ids)
    assert (np.diff(lookup.image) >= 0).all()
    asked = lookup.asked(len(test), 15)
    assert 0 < (asked[:TEST_FULL].sum(1) < 15).sum() <= 6
    assert abs(discover(asked).share(asked)[1] - 0.351) < 0.01


def test_faces_can_be_learnt_and_the_mean_shape_is_poor(train: Dataset, schema: Schema) -> None:
    """A ridge regression on 16x16 pictures must beat the mean shape on the hidden labels."""

    def features(images: np.ndarray) -> Floats:
        small = images.reshape(-1, 16, 6, 16, 6).mean((2, 4)).reshape(len(images), -1)
        normal = (small - small.mean(1, keepdims=True)) / small.std(1, keepdims=True)
        return np.concatenate([normal, np.ones((len(normal), 1))], axis=1)

    known, asked = features(train.pixels), features(drawn_faces.read_test(None, schema).pixels)
    hidden, mean = drawn_faces.truth(schema).points, np.nanmean(train.points, axis=0)
    found = np.empty_like(hidden)
    for k in range(15):
        rows = train.labelled[:, k]
        a = known[rows]
        weights = np.linalg.solve(a.T @ a + 200 * np.eye(a.shape[1]), a.T @ (train.points[rows, k] - mean[k]))
        found[:, k] = asked @ weights + mean[k]
    baseline = np.sqrt(np.nanmean((hidden - mean) ** 2))
    assert 4 < baseline < 8
    assert np.sqrt(np.nanmean((hidden - found) ** 2)) < 0.8 * baseline


# the cache


def test_cache_serves_the_same_bytes(cached: list[int], schema: Schema) -> None:
    fresh, again = drawn_faces.read_train(None, schema), drawn_faces.read_train(None, schema)
    assert len(cached) == 1
    assert fresh.digest == again.digest
    assert fresh.pixels.tobytes() == again.pixels.tobytes()
    assert fresh.points.tobytes() == again.points.tobytes()
    assert fresh.digest != drawn_faces.read_test(None, schema).digest


@pytest.mark.parametrize("harm", ["flip", "truncate", "remove", "other"])
def test_damaged_cache_is_drawn_again(harm: str, cached: list[int], tmp_path: Path, schema: Schema) -> None:
    before = drawn_faces.read_train(None, schema)
    (file,) = tmp_path.rglob("train_images.npy")
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 255
    match harm:
        case "flip":
            file.write_bytes(content)
        case "truncate":
            file.write_bytes(content[: len(content) // 3])
        case "remove":
            file.unlink()
        case _:
            file.write_bytes(b"not an array")
    after = drawn_faces.read_train(None, schema)
    assert len(cached) == 2
    assert after.pixels.tobytes() == before.pixels.tobytes()
    drawn_faces.read_train(None, schema)
    assert len(cached) == 2  # and mended


def test_unwritable_cache_costs_only_time(cached: list[int], tmp_path: Path, schema: Schema) -> None:
    (tmp_path / "drawn-faces").write_text("a file where the folder should be")
    assert len(drawn_faces.read_train(None, schema)) == 1000
    assert len(cached) == 1


# the schema


def test_points_follow_the_schema(train: Dataset, schema: Schema) -> None:
    few = make_schema("few", ["nose_tip", "left_eye_center", "right_eye_center"])
    picked = drawn_faces.read_train(None, few)
    order = [schema.index(point) for point in few.points]
    np.testing.assert_array_equal(picked.points, train.points[:, order])
    assert picked.digest != train.digest


def test_unknown_point_is_named(cached: list[int]) -> None:
    with pytest.raises(UsageError, match=r"demo: drawn faces have no point 'nose_tipp'; did you mean 'nose_tip'\?"):
        drawn_faces.read_train(None, make_schema("demo", ["nose_tipp"]))
    assert not cached
