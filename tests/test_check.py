"""`kptool data check`: what is planted is found and named, and nothing else is."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import typer
from picture_files import exif
from PIL import Image
from typer.testing import CliRunner

from kptool.annotations import Annotations, make
from kptool.check import Finding, Report, examine, look
from kptool.check.copies import distances
from kptool.check.shapes import align
from kptool.check.source import guess_pairs
from kptool.cli.data_check import check
from kptool.config import CropOptions
from kptool.crop import box_faults
from kptool.dataset import Dataset
from kptool.formats import table
from kptool.geometry import Bytes, Floats, rotate, scale, shift
from kptool.schema import make_schema

NAMES = ["left_eye", "right_eye", "left_brow", "right_brow", "nose", "left_mouth", "right_mouth"]
SHAPE = np.array([[14, -12], [-14, -12], [17, -20], [-17, -20], [0, 2], [9, 16], [-9, 16]], dtype=np.float64)
SCHEMA = make_schema("seven", NAMES, guess_pairs(NAMES), edges=[])
WIDTH, HEIGHT, ROWS = 83, 71, 64


def textures(count: int, seed: int = 0) -> Bytes:
    """(N, 1, H, W) blots, no two alike."""
    rng = np.random.default_rng(seed)
    out = np.empty((count, 1, HEIGHT, WIDTH), dtype=np.uint8)
    for image in out:
        blots = cv2.GaussianBlur(rng.normal(size=(HEIGHT, WIDTH)), (0, 0), 4)
        image[0] = np.clip(128 + 50 * blots / blots.std(), 0, 255).astype(np.uint8)
    return out


def faces(count: int = ROWS, seed: int = 1, turn: float = 25) -> Floats:
    """(N, K, 2) one shape with noise, each turned, grown and moved by lot."""
    rng = np.random.default_rng(seed)
    grown = rng.uniform(0.85, 1.15, count)
    poses = scale(grown, grown).then(rotate(rng.uniform(-turn, turn, count)))
    poses = poses.then(shift(rng.normal(41, 2, count), rng.normal(35, 2, count)))
    return poses(SHAPE + rng.normal(0, 0.6, (count, *SHAPE.shape)))


def clean(count: int = ROWS, **more: Any) -> Dataset:
    ids = np.arange(1, count + 1).astype(np.str_)
    return replace(Dataset(ids, textures(count), faces(count), SCHEMA, "digest"), **more)


def report(dataset: Dataset, test: Dataset | None = None) -> Report:
    return examine([look("train", dataset), *([look("test", test)] if test else [])])


def only(found: Report, kind: str) -> Finding:
    assert [finding.kind for finding in found.findings] == [kind]
    return found.findings[0]


def ids(finding: Finding) -> list[list[str]]:
    return [[row.id for row in item.rows] for item in finding.items]


def test_a_clean_set_yields_nothing() -> None:
    found = report(clean(), replace(clean(11), images=textures(11, seed=9), points=np.full((11, 7, 2), np.nan)))
    assert found.findings == ()
    assert found.exit_code(strict=True) == 0
    train, test = found.facts
    assert (train.rows, train.distinct_pictures, train.smallest, train.distinct_sizes) == (64, 64, (83, 71), 1)
    assert (test.rows, test.schemes) == (11, ())
    assert [(point.labelled, point.missing) for point in train.per_point] == [(64, 0)] * 7


def test_faces_turned_any_way_are_not_flagged() -> None:
    points = faces(turn=180)
    flat = rotate(180.0)(points - points.mean((1, 2), keepdims=True)) + 40
    for turned in (points, flat):
        assert "off-shape" not in {f.kind for f in report(clean(points=turned)).findings}
        assert "left-right-swap" not in {f.kind for f in report(clean(points=turned)).findings}


def test_alignment_is_blind_to_similarities_and_sees_mirrors() -> None:
    points = faces()
    moves = scale(3.0, 3.0).then(rotate(77.0)).then(shift(200.0, -90.0))
    names = np.arange(ROWS).astype(np.str_)
    one, other = align(points, names), align(moves(points), names)
    assert one is not None
    assert other is not None
    np.testing.assert_allclose(np.abs(one.off), np.abs(other.off), atol=0.01)  # of the radius: starts differ
    np.testing.assert_allclose(other.radius, 3 * one.radius, rtol=0.01)
    mirrored = points.copy()
    mirrored[3, :, 0] *= -1
    again = align(mirrored, names)
    assert again is not None
    assert np.abs(again.off[3]).max() > 10 * np.abs(one.off[3]).max()


def test_swaps_are_named() -> None:
    points = faces()
    points[5] = points[5, list(SCHEMA.mirror)]
    points[9, [2, 3]] = points[9, [3, 2]]
    points[20, [0, 1]] = points[20, [1, 0]]
    points[20, [5, 6]] = points[20, [6, 5]]
    finding = only(report(clean(points=points)), "left-right-swap")
    named = {item.rows[0].id: item.detail for item in finding.items}
    assert named == {
        "6": "the whole face (3 pairs)",
        "10": "left_brow / right_brow",
        "21": "left_eye / right_eye, left_mouth / right_mouth",
    }


def test_swaps_need_pairs() -> None:
    points = faces()
    points[9, [2, 3]] = points[9, [3, 2]]
    found = report(clean(points=points, schema=make_schema("seven", NAMES)))
    assert "left-right-swap" not in {finding.kind for finding in found.findings}
    assert any("no left/right pairs" in note for note in found.notes)


def test_points_off_are_named_worst_first() -> None:
    points = faces()
    points[7, 4] += [9, 7]
    points[40, 0] += [-14, 10]
    finding = only(report(clean(points=points)), "off-shape")
    assert ids(finding) == [["41"], ["8"]]
    assert [item.detail.split(" ")[0] for item in finding.items] == ["left_eye", "nose"]
    assert all((item.value or 0) > 8 for item in finding.items)


def test_points_off_are_found_among_missing_ones() -> None:
    rng = np.random.default_rng(3)
    points = faces(120)
    points[rng.random((120, 7)) < 0.15] = np.nan
    points[11] = faces(120)[11]
    points[11, 4] += [11, 9]
    finding = only(report(clean(120, points=points)), "off-shape")
    assert ids(finding) == [["12"]]


def test_a_face_elsewhere_or_of_another_size_is_told() -> None:
    points = faces()
    points[3] += [-30, 0]
    points[8] = (points[8] - points[8].mean(0)) * 0.3 + points[8].mean(0)
    found = report(clean(points=points))
    odd = next(finding for finding in found.findings if finding.kind == "odd-place")
    assert {item.rows[0].id: item.detail for item in odd.items} == {"4": "left", "9": "smaller"}


def test_copies_within_and_between() -> None:
    dataset = clean()
    images = dataset.pixels.copy()
    points = dataset.points.copy()
    images[10], points[10] = images[2], points[2]
    images[30] = images[31]  # with other labels
    images[50] = np.clip(images[4].astype(np.int64) + 7, 0, 255)
    images[60] = images[6, :, :, ::-1]
    test = clean(5, images=textures(5, seed=7), points=np.full((5, 7, 2), np.nan))
    test.pixels[3] = images[12]
    found = report(replace(dataset, images=images, points=points), test)
    kinds = {finding.kind: ids(finding) for finding in found.findings}
    assert kinds == {
        "copies-disagree": [["31", "32"]],
        "copies-train-test": [["13", "4"]],
        "equal-copies": [["3", "11"], ["31", "32"]],
        "near-copies": [["5", "51"]],
        "mirrored-copies": [["7", "61"]],
    }
    assert (found.facts[0].distinct_pictures, found.facts[0].rows_in_equal_groups, found.facts[0].equal_groups) == (
        62, 4, 2,
    )  # fmt: skip


def test_distances_of_labels() -> None:
    one = np.array([[0.0, 0.0], [3.0, 4.0], [np.nan, np.nan]])
    assert distances(one, one + np.array([0.0, 2.0])) == (2.0, 2.0, float(np.hypot(3, 6)))
    assert distances(one, np.full((3, 2), np.nan)) is None


def test_the_order_of_rows_does_not_matter() -> None:
    points = faces()
    points[5] = points[5, list(SCHEMA.mirror)]
    points[7, 4] += [9, 7]
    dataset = clean(points=points)
    images = dataset.pixels.copy()
    images[30], images[50] = images[31], np.clip(images[4].astype(np.int64) + 7, 0, 255)
    dataset = replace(dataset, images=images)
    first = report(dataset).to_json()["findings"]
    shuffled = report(dataset.take(np.random.default_rng(0).permutation(ROWS))).to_json()["findings"]
    assert len(first) == 5
    assert shuffled == first


def test_boxes_and_points_outside() -> None:
    boxes = np.tile([12.0, 6.0, 58.0, 58.0], (ROWS, 1))
    boxes[0] = np.nan
    boxes[1, 2] = 0
    boxes[2, 0] = 400
    boxes[3, 0] = -1
    points = faces()
    points[4, 4, 0] = WIDTH - 0.1  # rounding
    points[5, 4, 0] = WIDTH + 3
    points[6, 4, 1] = -HEIGHT - 1
    found = report(clean(points=points, boxes=boxes))
    kinds = {finding.kind: (finding.level, [item.rows[0].id for item in finding.items]) for finding in found.findings}
    kinds = {kind: of for kind, of in kinds.items() if kind not in ("off-shape", "odd-place")}
    assert kinds == {
        "box-missing": ("error", ["1"]),
        "box-empty": ("error", ["2"]),
        "box-outside": ("error", ["3"]),
        "point-far-outside": ("error", ["7"]),
        "point-outside": ("warning", ["6"]),
        "point-outside-box": ("warning", ["3", "7"]),
        "box-partly-outside": ("warning", ["4"]),
    }
    assert found.exit_code(strict=False) == 3


def test_a_check_and_a_training_agree_on_every_box() -> None:
    boxes = np.tile([12.0, 6.0, 58.0, 58.0], (ROWS, 1))
    boxes[0], boxes[1, 2], boxes[2, 0] = np.nan, 0, 400
    boxes[3, 2], boxes[4, 3], boxes[5, 1] = 1e201, 1e-9, -1e8
    data = clean(boxes=boxes)
    found = [finding for finding in report(data).findings if finding.level == "error"]
    named = sorted(item.rows[0].id for finding in found for item in finding.items)
    assert [item.rows[0].id for finding in found if finding.kind == "box-size" for item in finding.items] == list("456")
    faults = box_faults(data, CropOptions(width=48))
    assert named == sorted(str(data.ids[row]) for row, _ in faults)


def test_far_points_are_no_error_where_the_recipe_keeps_them() -> None:
    points = faces()
    points[6, 4, 1] = -HEIGHT - 1
    found = examine([look("train", clean(points=points))], outside="keep")
    assert {finding.level for finding in found.findings} == {"warning"}
    assert found.exit_code(strict=False) == 0
    assert found.exit_code(strict=True) == 3


def test_pairs_that_disagree_are_an_error() -> None:
    schema = make_schema("seven", NAMES, [("left_eye", "nose")])
    found = report(clean(schema=schema))
    assert found.findings[0].kind == "mirror-pairs"
    assert found.exit_code(strict=False) == 3


def photo_set(folder: Path, count: int = 26) -> Annotations:
    """Photos with boxes and points in a COCO file; nothing is wrong with them."""
    files = [f"pictures/{n:02d}.png" for n in range(count)]
    (folder / "pictures").mkdir()
    for name, image in zip(files, textures(count), strict=True):
        Image.fromarray(np.repeat(image[0][..., None], 3, axis=2)).save(folder / name)
    boxes = np.tile([10.0, 4.0, 61.0, 61.0], (count, 1))
    occluded = np.zeros((count, 7), dtype=np.bool_)
    occluded[:3, 4] = True
    sizes = np.tile([WIDTH, HEIGHT], (count, 1))
    return make(folder, files, tuple(NAMES), faces(count), boxes, occluded, sizes)


def run(*arguments: str) -> tuple[int, str]:
    app = typer.Typer()
    app.command()(check)
    result = CliRunner().invoke(app, list(arguments))
    return result.exit_code, result.stdout


def strictly(text: str) -> dict[str, Any]:
    def refuse(word: str) -> None:
        raise AssertionError(word)

    table_: dict[str, Any] = json.loads(text, parse_constant=refuse)
    return table_


def test_a_clean_folder_from_the_command_line(tmp_path: Path) -> None:
    table.get("coco").write(photo_set(tmp_path), tmp_path / "faces.json")
    code, text = run(str(tmp_path / "faces.json"), "--strict")
    assert code == 0, text
    assert "nothing wrong was found" in text
    assert "83 x 71" in text
    code, text = run(str(tmp_path / "faces.json"), "--json")
    facts = strictly(text)["facts"][0]
    assert (facts["modes"], facts["boxes"]) == ({"RGB": 26}, 26)
    assert facts["per_point"][4] == {"name": "nose", "labelled": 26, "missing": 0, "occluded": 3}


def test_bad_pictures_from_the_command_line(tmp_path: Path) -> None:
    found = photo_set(tmp_path)
    pictures = tmp_path / "pictures"
    (pictures / "01.png").unlink()
    (pictures / "02.png").write_bytes(b"no picture")
    (pictures / "03.png").write_bytes((pictures / "03.png").read_bytes()[:900])
    (pictures / "04.png").write_bytes((pictures / "05.png").read_bytes())
    Image.new("RGB", (WIDTH, HEIGHT), (90, 90, 90)).save(pictures / "06.png")
    for number, mode in ((7, "RGBA"), (8, "P"), (9, "L")):
        with Image.open(pictures / f"{number:02d}.png") as picture:
            changed = picture.convert(mode)
        changed.save(pictures / f"{number:02d}.png")
    with Image.open(pictures / "10.png") as picture:
        picture.load()
    picture.transpose(Image.Transpose.ROTATE_180).save(pictures / "10.png", exif=exif(3))
    table.get("coco").write(found, tmp_path / "faces.json")
    code, text = run(str(tmp_path / "faces.json"), "--json")
    assert code == 3
    told = strictly(text)
    kinds = {f["kind"]: [[row["id"] for row in item["rows"]] for item in f["items"]] for f in told["findings"]}
    name = "pictures/{:02d}.png".format
    assert kinds["missing-picture"] == [[name(1)]]
    assert kinds["unreadable-picture"] == [[name(2)], [name(3)]]
    assert kinds["equal-copies"] == [[name(4), name(5)]]
    assert kinds["copies-disagree"] == [[name(4), name(5)]]
    assert kinds["flat-picture"] == [[name(6)]]
    assert kinds["exif-orientation"] == [[name(10)]]
    assert set(kinds) == {
        "missing-picture", "unreadable-picture", "equal-copies", "copies-disagree", "flat-picture", "exif-orientation",
    }  # fmt: skip
    assert told["facts"][0]["modes"] == {"L": 1, "P": 1, "RGB": 21, "RGBA": 1}
    code, text = run(str(tmp_path / "faces.json"))
    assert code == 3
    assert "training would fail" in text


def test_a_folder_of_bare_pictures(tmp_path: Path) -> None:
    photo_set(tmp_path)
    code, text = run(str(tmp_path), "--json")
    assert code == 0
    assert strictly(text)["notes"] == ["nothing is labelled: shapes were not looked at"]


def test_names_from_files_are_no_markup(tmp_path: Path) -> None:
    found = photo_set(tmp_path)
    odd = "pictures/[red]x[/red][/].png"
    (tmp_path / "pictures" / "00.png").unlink()
    files = found.files.astype("U40")
    files[0] = odd
    table.get("coco").write(replace(found, files=files), tmp_path / "faces.json")
    code, text = run(str(tmp_path / "faces.json"))
    assert code == 3
    assert odd in text


def test_the_real_kaggle_faces(fkd: Path) -> None:
    code, text = run(str(fkd), "--competition", "facial-keypoints-detection", "--json")
    assert code == 0
    train = strictly(text)["facts"][0]
    assert (train["rows"], train["distinct_pictures"], train["rows_in_equal_groups"]) == (7049, 6494, 1098)


@pytest.mark.parametrize("count", [1, 3])
def test_few_rows_are_no_shape_and_no_fault(count: int) -> None:
    found = report(clean(count, points=faces(count, turn=0)))
    assert found.findings == ()
    assert any("20 rows" in note for note in found.notes)
