"""COCO keypoints JSON: what is written is read again to the last bit, and pycocotools agrees."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from awkward import identical
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kptool.annotations import Annotations, kept, make
from kptool.errors import DataError, MissingFileError
from kptool.formats import coco, coco_results

NAMES = ("left eye", "nose", "mouth")


def faces() -> Annotations:
    """Two faces in one picture, one without box, one without points, a picture without either."""
    generator = np.random.default_rng(3)
    points = generator.normal(40, 90, (5, 3, 2))
    points[0, 1], points[2], points[4] = np.nan, np.nan, np.nan
    boxes = generator.uniform(1, 77, (5, 4))
    boxes[1], boxes[4] = np.nan, np.nan
    occluded = np.zeros((5, 3), dtype=np.bool_)
    occluded[0, 2] = occluded[3, 0] = True
    files = ["b/é x.jpg", "b/é x.jpg", "a.png", "c.png", "empty.png"]
    sizes = np.array([[31, 17], [31, 17], [5, 9], [0, 0], [640, 480]])
    return make(Path(), files, NAMES, points, boxes, occluded, sizes, ((0, 1), (2, 0)))


def truth() -> dict[str, Any]:
    """A small file as another tool would write it."""
    face = {"id": 7, "image_id": 30, "category_id": 1, "keypoints": [1, 2, 2, 3, 4.5, 1, 9, 9, 0], "bbox": [0, 1, 8, 6]}
    return {
        "images": [{"id": 30, "file_name": "x.jpg", "width": 20, "height": 10}],
        "annotations": [face],
        "categories": [{"id": 1, "name": "face", "keypoints": list(NAMES), "skeleton": [[1, 2]]}],
    }


def test_what_is_written_is_read_again_bit_for_bit(tmp_path: Path) -> None:
    assert coco.write(faces(), tmp_path / "f.json") == []
    back = coco.read(tmp_path / "f.json")
    identical(back, kept(faces(), coco.HOLDS))
    identical(back, faces())
    assert back.root == tmp_path


def test_a_second_face_without_anything_is_kept_too(tmp_path: Path) -> None:
    two = make(Path(), ["a.png", "a.png"], NAMES, np.stack([np.ones((3, 2)), np.full((3, 2), np.nan)]))
    coco.write(two, tmp_path / "f.json")
    identical(coco.read(tmp_path / "f.json"), two)


def test_no_rows_at_all_keep_their_names(tmp_path: Path) -> None:
    none = make(Path(), [], NAMES, np.zeros((0, 3, 2)))
    coco.write(none, tmp_path / "f.json")
    identical(coco.read(tmp_path / "f.json"), none)


def test_boxes_without_any_point_are_kept(tmp_path: Path) -> None:
    boxes = make(Path(), ["a.png", "b.png"], (), np.zeros((2, 0, 2)), np.array([[1, 2, 3, 4], [np.nan] * 4]))
    coco.write(boxes, tmp_path / "f.json")
    identical(coco.read(tmp_path / "f.json"), boxes)


def test_two_points_of_one_name_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="two points have one name"):
        coco.write(make(Path(), ["a.png"], ("p", "p"), np.ones((1, 2, 2))), tmp_path / "f.json")


finite = st.floats(-1e150, 1e150)  # the area of a box around larger ones is beyond float64


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    rows=st.lists(
        st.tuples(
            st.lists(st.tuples(finite, finite, st.sampled_from([0, 1, 2])), min_size=2, max_size=2), st.booleans()
        ),
        min_size=1,
        max_size=4,
    )
)
def test_any_finite_number_survives(tmp_path: Path, rows: list[tuple[list[tuple[float, float, int]], bool]]) -> None:
    points = np.array([[(x, y) if v else (np.nan, np.nan) for x, y, v in face] for face, _ in rows])
    occluded = np.array([[v == 1 for _, _, v in face] for face, _ in rows])
    boxes = np.array([[1.5, -2.0, 3.25, 0.0] if box else [np.nan] * 4 for _, box in rows])
    given_ = make(Path(), [f"{n // 2}.jpg" for n in range(len(rows))], ("a", "b"), points, boxes, occluded)
    coco.write(given_, tmp_path / "f.json")
    identical(coco.read(tmp_path / "f.json"), given_)


def test_visibility_is_read_as_coco_says() -> None:
    read = coco.parse(json.dumps(truth()), Path("r"), "f.json")
    np.testing.assert_array_equal(read.points[0], [[1, 2], [3, 4.5], [np.nan, np.nan]])
    assert read.occluded.tolist() == [[False, True, False]]
    assert read.boxes.tolist() == [[0, 1, 8, 6]]
    assert read.sizes.tolist() == [[20, 10]]
    assert read.edges == ((0, 1),)


def test_what_stands_behind_v_0_does_not_matter() -> None:
    top = truth()
    for behind in (1e9, -3, None, float("nan"), float("inf")):
        top["annotations"][0]["keypoints"][6:8] = [behind, behind]
        assert np.isnan(coco.parse(json.dumps(top), Path(), "f.json").points[0, 2]).all()


def test_ids_are_as_written_not_positions() -> None:
    top = truth()
    top["images"].insert(0, {"id": "seven", "file_name": "s.jpg"})
    top["annotations"].append({"id": 1, "image_id": "seven", "category_id": 1, "keypoints": [5, 5, 2] * 3})
    read = coco.parse(json.dumps(top), Path(), "f.json")
    assert read.files.tolist() == ["s.jpg", "x.jpg"]
    assert read.points[0, 0].tolist() == [5, 5]
    assert np.isnan(read.boxes[0]).all()


def test_only_a_crowd_without_points_is_left_out() -> None:
    top = truth()
    crowd = {"id": 8, "image_id": 30, "category_id": 1, "iscrowd": 1, "num_keypoints": 0, "keypoints": [0] * 9}
    top["annotations"].append(crowd | {"bbox": [0, 0, 5, 5]})
    assert len(coco.parse(json.dumps(top), Path(), "f.json")) == 1
    top["annotations"][1]["keypoints"][:3] = [1, 1, 2]
    assert len(coco.parse(json.dumps(top), Path(), "f.json")) == 2
    top["annotations"][1] |= {"keypoints": [0] * 9, "iscrowd": 0}
    assert len(coco.parse(json.dumps(top), Path(), "f.json")) == 2


def test_points_without_names_are_numbered() -> None:
    top = truth()
    del top["categories"][0]["keypoints"]
    assert coco.parse(json.dumps(top), Path(), "f.json").names == ("00", "01", "02")


def test_categories_with_the_same_points_are_read_together() -> None:
    top = truth()
    top["categories"].append(top["categories"][0] | {"id": 2, "name": "mask"})
    top["annotations"].append(top["annotations"][0] | {"id": 8, "category_id": 2})
    assert len(coco.parse(json.dumps(top), Path(), "f.json")) == 2


FACE: dict[str, tuple[dict[str, Any], str]] = {
    "unknown image": ({"image_id": 31}, "no image has id 31"),
    "unknown category": ({"category_id": 9}, "no category has id 9"),
    "a list for an id": ({"image_id": [30]}, "no image has id"),
    "short": ({"keypoints": [1, 2, 2]}, "the category has 3 points"),
    "no triples": ({"keypoints": [1, 2, 2, 3]}, "no multiple of 3"),
    "text": ({"keypoints": ["1"] * 9}, "keypoints holds '1'"),
    "true": ({"keypoints": [True] * 9}, "keypoints holds True"),
    "a word": ({"keypoints": "none"}, "expected a list"),
    "huge": ({"keypoints": [10**400] * 9}, "too large"),
    "v of 3": ({"keypoints": [1, 2, 3] * 3}, "point 1 has v = 3"),
    "v of one half": ({"keypoints": [1, 2, 2, 1, 2, 0.5, 1, 2, 2]}, "point 2 has v = 0.5"),
    "labelled and null": ({"keypoints": [1, 2, 2, None, 2, 1, 1, 2, 2]}, "point 2 is labelled but not finite"),
    "labelled and inf": ({"keypoints": [1, float("inf"), 2] * 3}, "point 1 is labelled but not finite"),
    "bbox of 3": ({"bbox": [1, 2, 3]}, "bbox has 3 numbers"),
    "bbox of nan": ({"bbox": [1, 2, 3, float("nan")]}, "not finite"),
    "bbox negative": ({"bbox": [1, 2, -3, 4]}, "bbox is -3 x 4"),
}


@pytest.mark.parametrize("case", FACE)
def test_a_bad_annotation_is_named(case: str) -> None:
    change, fault = FACE[case]
    top = truth()
    top["annotations"][0] |= change
    with pytest.raises(DataError) as raised:
        coco.parse(json.dumps(top), Path(), "f.json")
    assert raised.value.message.startswith("f.json: annotation 7: ")
    assert fault in raised.value.message
    assert raised.value.hint
    assert "\n" not in str(raised.value)


def twice(top: dict[str, Any], key: str) -> None:
    top[key].append(dict(top[key][0]))


def other_points(top: dict[str, Any]) -> None:
    top["categories"].append({"id": 2, "name": "hand", "keypoints": ["thumb"]})


def without_points(top: dict[str, Any]) -> None:
    top["categories"].append({"id": 2, "name": "ball"})
    top["annotations"].append({"id": 8, "image_id": 30, "category_id": 2, "bbox": [0, 0, 1, 1]})


FILE: dict[str, tuple[Any, str]] = {
    "image twice": (lambda top: twice(top, "images"), "f.json: image id 30 is used twice"),
    "annotation twice": (lambda top: twice(top, "annotations"), "f.json: annotation id 7 is used twice"),
    "category twice": (lambda top: twice(top, "categories"), "f.json: category id 1 is used twice"),
    "no id": (lambda top: top["annotations"][0].pop("id"), "f.json: annotation 0 has id None"),
    "no images": (lambda top: top.pop("images"), "f.json: no list 'images'"),
    "no object": (lambda top: top["images"].append(3), "f.json: images[1] is 3"),
    "two kinds": (
        other_points,
        "f.json: categories 1 ('face') and 2 ('hand') have different points; keep one category",
    ),
    "no points": (without_points, "f.json: annotation 8: category 2 ('ball') has no points; keep one category"),
    "climbs": (lambda top: top["images"][0].update(file_name="../x.jpg"), "f.json: image 30"),
    "absolute": (lambda top: top["images"][0].update(file_name="/etc/x.jpg"), "f.json: image 30"),
    "no name": (lambda top: top["images"][0].pop("file_name"), "f.json: image 30: file_name is None"),
    "width": (lambda top: top["images"][0].update(width=-4), "f.json: image 30: width is -4"),
    "edge": (lambda top: top["categories"][0].update(skeleton=[[0, 1]]), "f.json: category 1: skeleton holds [0, 1]"),
    "name twice": (lambda top: top["categories"][0].update(keypoints=["a", "a", "b"]), "two points are called 'a'"),
}


@pytest.mark.parametrize("case", FILE)
def test_a_bad_file_is_named(case: str) -> None:
    spoil, fault = FILE[case]
    top = truth()
    spoil(top)
    with pytest.raises(DataError) as raised:
        coco.parse(json.dumps(top), Path(), "f.json")
    assert fault in str(raised.value)


@pytest.mark.parametrize("text", ["", "{", "[" * 100_000, "3", "null", '{"images": ' + "9" * 5000 + "}"])
def test_text_that_is_no_coco_is_refused(text: str) -> None:
    with pytest.raises(DataError, match=r"^f\.json"):
        coco.parse(text, Path(), "f.json")


def test_a_file_that_is_not_there_or_not_text_is_named(tmp_path: Path) -> None:
    with pytest.raises(MissingFileError, match="no such file"):
        coco.read(tmp_path / "none.json")
    (tmp_path / "f.json").write_bytes(b'{"images": "\xff"}')
    with pytest.raises(DataError, match="byte 12 is not UTF-8"):
        coco.read(tmp_path / "f.json")


def test_sniffing(tmp_path: Path) -> None:
    coco.write(faces(), tmp_path / "f.json")
    (tmp_path / "g.json").write_text('{"a": 1}')
    (tmp_path / "h.txt").write_text((tmp_path / "f.json").read_text())
    (tmp_path / "i.json").mkdir()
    (tmp_path / "j.json").write_text("\ufeff" + (tmp_path / "f.json").read_text())
    assert [coco.sniff(tmp_path / f"{n}") for n in ("f.json", "g.json", "h.txt", "i.json", "j.json", "none.json")] == [
        True,
        False,
        False,
        False,
        True,
        False,
    ]
    assert len(coco.read(tmp_path / "j.json")) == 5


def bodies() -> Annotations:
    """17 points, for COCOeval's own sigmas; not every one labelled."""
    generator = np.random.default_rng(8)
    points = generator.uniform(0, 200, (6, 17, 2))
    points[0, 3:9] = np.nan
    files = ["a.jpg", "a.jpg", "b.jpg", "c.jpg", "d.jpg", "e.jpg"]
    boxes = np.array([[0, 0, 200.0, 200]] * 5 + [[np.nan] * 4])
    return make(Path(), files, tuple(f"p{k}" for k in range(17)), points, boxes)


def evaluated(folder: Path, moved: float) -> float:
    truths = pytest.importorskip("pycocotools.coco")
    evaluation = pytest.importorskip("pycocotools.cocoeval")
    rows = bodies()
    coco.write(rows, folder / "f.json")
    ids = coco_results.image_ids(folder / "f.json")
    wanted = [ids[str(file)] for file in rows.files]
    coco_results.write_results(folder / "r.json", wanted, np.nan_to_num(rows.points) + moved, np.linspace(0.9, 0.4, 6))
    loaded = truths.COCO(str(folder / "f.json"))
    assert len(loaded.getAnnIds()) == 6
    assert loaded.anns[1]["num_keypoints"] == 11
    assert loaded.anns[2]["area"] == 40000
    scored = evaluation.COCOeval(loaded, loaded.loadRes(str(folder / "r.json")), "keypoints")
    scored.evaluate()
    scored.accumulate()
    scored.summarize()
    return float(scored.stats[0])


def test_pycocotools_scores_the_truth_with_one_and_a_shift_with_less(tmp_path: Path) -> None:
    assert evaluated(tmp_path, 0.0) == pytest.approx(1.0, abs=1e-12)
    assert evaluated(tmp_path, 30.0) < 0.9


def test_a_result_that_is_not_finite_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="image 4: a predicted value is not finite"):
        coco_results.write_results(tmp_path / "r.json", [4], np.full((1, 2, 2), np.nan), np.ones(1))
    assert not (tmp_path / "r.json").exists()


def test_two_ids_of_one_picture_cannot_be_looked_up_by_name(tmp_path: Path) -> None:
    top = truth()
    top["images"].append({"id": 31, "file_name": "x.jpg"})
    (tmp_path / "f.json").write_text(json.dumps(top))
    with pytest.raises(DataError, match="images 30 and 31 are both"):
        coco_results.image_ids(tmp_path / "f.json")
