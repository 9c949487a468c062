"""YOLO-pose folders: fractions to pixels and back, points of two numbers and of three, every fault with its line."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from kptool.annotations import Annotations, kept, make, numbered
from kptool.errors import DataError, MissingFileError
from kptool.formats import yolo, yolo_labels, yolo_yaml

NAMES = ("left eye", "no", "mouth: 3", "é", "12")
FILES = ["a.jpg", "train/b.png", "train/b.png", "val/c.d.png"]
SIZES = np.array([[31, 17], [640, 7], [640, 7], [5, 333]])


def same(a: Annotations, b: Annotations) -> None:
    assert a.files.tolist() == b.files.tolist()
    assert a.names == b.names
    assert a.edges == b.edges
    np.testing.assert_allclose(a.points, b.points, rtol=0, atol=1e-9)
    np.testing.assert_allclose(a.boxes, b.boxes, rtol=0, atol=1e-9)
    np.testing.assert_array_equal(a.occluded, b.occluded)
    np.testing.assert_array_equal(a.sizes, b.sizes)


def draw(root: Path, files: list[str], sizes: list[list[int]]) -> None:
    for file, size in zip(files, sizes, strict=True):
        (root / file).parent.mkdir(parents=True, exist_ok=True)
        Image.new("L", (size[0], size[1])).save(root / file)


def faces(root: Path, names: tuple[str, ...] = NAMES) -> Annotations:
    """Four faces in three pictures: one without box, one without points, some points hidden or missing."""
    generator = np.random.default_rng(5)
    points = generator.normal(30, 200, (4, len(names), 2))
    points[0, 1], points[3] = np.nan, np.nan
    boxes = generator.uniform(-5, 60, (4, 4))
    boxes[:, 2:] = np.abs(boxes[:, 2:])
    boxes[1] = np.nan
    occluded = np.zeros((4, len(names)), dtype=np.bool_)
    occluded[0, 0] = occluded[2, 4] = True
    return make(root, FILES, names, points, boxes, occluded, SIZES.copy(), ((0, 1),))


@pytest.mark.parametrize("names", [NAMES, numbered(5)])
def test_what_is_written_is_read_again_less_what_is_told(tmp_path: Path, names: tuple[str, ...]) -> None:
    draw(tmp_path / "images", FILES, SIZES.tolist())
    told = yolo.write(faces(Path("elsewhere"), names), tmp_path)
    back = yolo.read(tmp_path)
    same(back, kept(faces(tmp_path, names), yolo.HOLDS))
    assert back.root == tmp_path / "images"
    assert [line.removeprefix("YOLO-pose cannot hold ").split()[0] for line in told] == ["rows", "picture", "edges"]


def test_sizes_that_are_not_told_are_read_from_the_pictures(tmp_path: Path) -> None:
    draw(tmp_path / "images", FILES, SIZES.tolist())
    told, bare = faces(tmp_path / "images"), faces(tmp_path / "images")
    bare.sizes[1:] = 0
    yolo.write(told, tmp_path / "told")
    yolo.write(bare, tmp_path / "bare")
    written = sorted(p.relative_to(tmp_path / "told") for p in (tmp_path / "told").rglob("*.*"))
    assert [str(p) for p in written] == ["data.yaml", "labels/a.txt", "labels/train/b.txt", "labels/val/c.d.txt"]
    for name in written:
        assert (tmp_path / "bare" / name).read_bytes() == (tmp_path / "told" / name).read_bytes()


def test_a_size_that_is_nowhere_is_refused_by_name(tmp_path: Path) -> None:
    rows = faces(tmp_path / "none")
    rows.sizes[0] = 0
    with pytest.raises(DataError, match=r"none/a\.jpg: "):
        yolo.write(rows, tmp_path / "out")


number = st.floats(-1e4, 1e4)


@settings(max_examples=40, deadline=None)
@given(
    xy=st.lists(number, min_size=6, max_size=6),
    v=st.lists(st.sampled_from([0, 1, 2]), min_size=3, max_size=3),
    corner=st.tuples(number, number),
    span=st.tuples(st.floats(0, 1e4), st.floats(0, 1e4)),
    size=st.tuples(st.integers(1, 10_000), st.integers(1, 10_000)),
)
def test_any_face_comes_back(
    xy: list[float], v: list[int], corner: tuple[float, float], span: tuple[float, float], size: tuple[int, int]
) -> None:
    points = np.where(np.array(v)[:, None] > 0, np.array(xy).reshape(3, 2), np.nan)
    hidden = np.array([[n == 1 for n in v]])
    rows = make(Path(), ["x.jpg"], numbered(3), points[None], np.array([[*corner, *span]]), hidden)
    text = "".join(yolo_labels.compose(rows, np.array([size])))
    back = yolo_labels.parse(text, "x.txt", 3, 3, size)
    np.testing.assert_allclose(back.points[0], points, rtol=0, atol=1e-9)
    np.testing.assert_allclose(back.boxes, rows.boxes, rtol=0, atol=1e-9)
    assert back.occluded.tolist() == hidden.tolist()


def test_numbers_are_fractions_without_half_a_pixel() -> None:
    line = "0 0.5 0.5 0.2 0.5 0.25 0.75 2 0.1 0.1 1 0 0 0\n"
    face = yolo_labels.parse(line, "x.txt", 3, 3, (40, 8))
    np.testing.assert_allclose(face.points[0], np.array([[10, 6], [4, 0.8], [np.nan, np.nan]]))
    np.testing.assert_allclose(face.boxes, [[16, 2, 8, 4]])
    assert face.occluded.tolist() == [[False, True, False]]


def test_without_v_zeros_and_negatives_are_not_labelled() -> None:
    face = yolo_labels.parse("3 0.5 0.5 1 1 0.5 0.5 0 0 0 0.5 -1 -1", "x.txt", 4, 2, (4, 6))
    np.testing.assert_array_equal(face.points[0], [[2, 3], [np.nan, np.nan], [0, 3], [np.nan, np.nan]])
    assert not face.occluded.any()


def folder(root: Path, label: str, told: str = "", files: tuple[str, ...] = ("x.png",)) -> Path:
    draw(root / "images", list(files), [[8, 4]] * len(files))
    (root / "labels").mkdir()
    (root / "labels" / "x.txt").write_text(label)
    if told:
        (root / "data.yaml").write_text(told)
    return root


def test_the_shape_is_taken_from_the_line_where_it_can_be(tmp_path: Path) -> None:
    three, two = ("0 .5 .5 1 1" + " .5 .5 2" * 3), ("0 .5 .5 1 1" + " .5 .5" * 4)
    assert yolo.read(folder(tmp_path / "a", three)).points.shape == (1, 3, 2)
    assert yolo.read(folder(tmp_path / "b", two)).names == ("00", "01", "02", "03")


def test_a_line_that_may_be_both_asks_for_a_data_yaml(tmp_path: Path) -> None:
    line = "0 .5 .5 1 1" + " .5 .5 .5" * 2
    with pytest.raises(DataError) as raised:
        yolo.read(folder(tmp_path / "a", line))
    assert str(raised.value).startswith(
        "labels/x.txt:1: 11 numbers may be 3 points x, y or 2 points x, y, v; give a data"
    )
    assert yolo.read(folder(tmp_path / "b", line, "kpt_shape: [3, 2]")).points.shape == (1, 3, 2)


def test_pictures_without_labels_are_rows_without_points(tmp_path: Path) -> None:
    root = folder(tmp_path, "0 .5 .5 1 1 .5 .5 2", files=("a.png", "x.png", "z/z.JPG"))
    (root / "labels" / "a.txt").write_text("\n")
    (root / "labels" / "classes.txt").write_text("face\n")
    (root / "images" / "notes.md").write_text("no picture")
    read = yolo.read(root)
    assert read.files.tolist() == ["a.png", "x.png", "z/z.JPG"]
    assert read.labelled.tolist() == [[False], [True], [False]]
    assert np.isnan(read.boxes[[0, 2]]).all()


def test_one_split_can_be_read_alone(tmp_path: Path) -> None:
    draw(tmp_path / "images", FILES, SIZES.tolist())
    yolo.write(faces(tmp_path), tmp_path)
    whole, part = yolo.read(tmp_path), yolo.read(tmp_path / "images" / "train")
    assert part.files.tolist() == ["b.png", "b.png"]
    assert part.names == NAMES
    np.testing.assert_array_equal(part.points, whole.points[1:3])
    assert yolo.sniff(tmp_path / "images" / "train")


def test_the_upright_size_counts(tmp_path: Path) -> None:
    root = folder(tmp_path, "0 .5 .5 1 1 .5 .25 2", files=("x.jpg",))
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.new("L", (8, 4)).save(root / "images" / "x.jpg", exif=exif)
    assert yolo.read(root).points.tolist() == [[[2, 2]]]


GOOD = "0 .5 .5 1 1 .5 .5 2 .5 .5 2 .5 .5 2"
LINES = {
    "word": (GOOD.replace(".5 .5 2", ".5 up 2", 1), "column 7 is 'up', expected a number"),
    "nan": (GOOD.replace(".5 .5 2", "nan .5 2", 1), "column 6 is 'nan', expected a number"),
    "short": (GOOD[:-2], "13 numbers, expected 14 for 3 points of 3; correct the line, or kpt_shape in data.yaml"),
    "class": ("0.5" + GOOD[1:], "the class is '0.5'; classes are whole numbers"),
    "negative class": ("-1" + GOOD[1:], "the class is '-1'"),
    "box": (GOOD.replace("1 1", "1 -1"), "the box is 1 x -1; width and height are not negative"),
    "v": (GOOD[:-1] + "3", "point 3 has v = 3; v is 0, 1 or 2"),
}


@pytest.mark.parametrize("case", LINES)
def test_a_bad_line_is_named(tmp_path: Path, case: str) -> None:
    line, fault = LINES[case]
    with pytest.raises(DataError) as raised:
        yolo.read(folder(tmp_path, f"{GOOD}\n\n{line}\n"))
    assert str(raised.value).startswith(f"labels/x.txt:3: {fault}")
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize("line", ["0 .5 .5 1 1", "0 .5", "0 .5 .5 1 1 .5"])
def test_a_line_without_points_is_refused(tmp_path: Path, line: str) -> None:
    with pytest.raises(DataError, match=r"^labels/x\.txt:1: \d numbers"):
        yolo.read(folder(tmp_path, line))


YAML = {
    "broken": ("kpt_shape: [3, 3\nnc: 1", "data.yaml:2: not YAML"),
    "a list": ("- 3", "data.yaml: holds no keys"),
    "shape": ("kpt_shape: [3, 4]", "data.yaml: kpt_shape is '[3, 4]'; give [points, 2] or [points, 3]"),
    "no points": ("kpt_shape: [0, 3]", "data.yaml: kpt_shape is '[0, 3]'"),
    "flip": ("kpt_shape: [3, 3]\nflip_idx: [1, 2, 0]", "data.yaml: flip_idx does not pair 3 points"),
    "names": ("kpt_shape: [3, 3]\nkpt_names: {0: [a, b]}", "data.yaml: kpt_names has 2 different names"),
    "twice": ("kpt_shape: [3, 3]\nkpt_names: [a, b, a]", "data.yaml: kpt_names has 2 different names"),
    "bare no": ("kpt_shape: [3, 3]\nkpt_names: [yes, no, b]", "data.yaml: kpt_names is"),
    "classes": ("kpt_shape: [1, 3]\nkpt_names: {0: [a], 1: [b]}", "data.yaml: kpt_names differ between the classes"),
    "code": ("!!python/object/apply:os.system ['true']", "data.yaml:1: not YAML"),
    "deep": ("[" * 3_000, "data.yaml"),
    "date": ("kpt_shape: 2020-99-99", "data.yaml: not YAML"),
    "other points": ("kpt_shape: [2, 3]", "labels/x.txt:1: 14 numbers, expected 11 for 2 points of 3"),
}


@pytest.mark.parametrize("case", YAML)
def test_a_bad_data_yaml_is_named(tmp_path: Path, case: str) -> None:
    text, fault = YAML[case]
    with pytest.raises(DataError) as raised:
        yolo.read(folder(tmp_path, GOOD, text))
    assert str(raised.value).startswith(fault)
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize("names", ["[a, b, c]", "[[a, b, c]]", "{0: [a, b, c]}", "{0: [a, b, c], 1: [a, b, c]}"])
def test_point_names_in_every_known_form(names: str) -> None:
    told = yolo_yaml.parse(f"kpt_shape: [3, 2]\nkpt_names: {names}\nflip_idx: [1, 0, 2]\nnames: {{0: x}}", "data.yaml")
    assert told == yolo_yaml.Told(3, 2, ("a", "b", "c"), (1, 0, 2))


def test_the_data_yaml_names_only_folders_that_are_there() -> None:
    split = yaml.safe_load(yolo_yaml.compose(("a",), ["images/train/x.jpg", "images/valid/q/y.jpg", "images/z.jpg"]))
    assert (split["train"], split["val"], split["kpt_shape"]) == ("images/train", "images/valid", [1, 3])
    whole = yaml.safe_load(yolo_yaml.compose(("a",), ["images/x.jpg"]))
    assert whole["train"] == "images"
    assert "val" not in whole


def test_a_label_without_its_picture_is_refused(tmp_path: Path) -> None:
    root = folder(tmp_path, GOOD)
    (root / "labels" / "y.txt").write_text(GOOD)
    with pytest.raises(MissingFileError, match=r"^labels/y\.txt: its picture is not in images/"):
        yolo.read(root)


def test_folders_that_are_not_laid_out_so_are_refused(tmp_path: Path) -> None:
    (tmp_path / "a" / "images").mkdir(parents=True)
    (tmp_path / "b").mkdir()
    with pytest.raises(DataError, match="no folder labels/ beside images/"):
        yolo.read(tmp_path / "a")
    with pytest.raises(DataError, match="no folder images/ in it"):
        yolo.read(tmp_path / "b")
    with pytest.raises(MissingFileError, match="no such folder"):
        yolo.read(tmp_path / "c")
    assert not any(yolo.sniff(tmp_path / name) for name in "abc")
    (tmp_path / "a" / "labels").mkdir()
    assert yolo.sniff(tmp_path / "a")
    with pytest.raises(DataError, match=r"^labels: no label in it tells the number of points"):
        yolo.read(tmp_path / "a")


@pytest.mark.parametrize(
    ("files", "fault"),
    [
        (["x.jpg", "x.png"], r"labels/x\.txt: x\.jpg and x\.png would both own"),
        (["x.jpg", "images/x.jpg"], r"labels/x\.txt: x\.jpg and images/x\.jpg would both own"),
        (["a/images/x.jpg"], "a/images/x.jpg: Ultralytics takes"),
        (["../x.jpg"], "YOLO-pose: "),
    ],
)
def test_names_that_the_layout_cannot_hold_are_refused(tmp_path: Path, files: list[str], fault: str) -> None:
    n = len(files)
    rows = make(tmp_path, files, ("p",), np.ones((n, 1, 2)), sizes=np.full((n, 2), 4))
    with pytest.raises(DataError, match=f"^{fault}"):
        yolo.write(rows, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_names_that_begin_in_images_are_not_nested_twice(tmp_path: Path) -> None:
    draw(tmp_path, ["images/train/x.png"], [[8, 4]])
    rows = make(tmp_path, ["images/train/x.png"], ("p",), np.ones((1, 1, 2)))
    yolo.write(rows, tmp_path)
    assert yolo.picture_name("images/train/x.png") == "images/train/x.png"
    assert yolo.picture_name("train/x.png") == "images/train/x.png"
    assert yolo.read(tmp_path).files.tolist() == ["train/x.png"]


@pytest.mark.parametrize(("names", "fault"), [((), "there are no points"), (("p", "p"), "two points have one name")])
def test_points_that_cannot_be_told_are_refused(tmp_path: Path, names: tuple[str, ...], fault: str) -> None:
    with pytest.raises(DataError, match=fault):
        yolo.write(make(tmp_path, ["x.png"], names, np.ones((1, len(names), 2)), np.ones((1, 4))), tmp_path / "out")
