"""dlib's XML: what is written comes back, real files read as their makers meant, and every fault has its line."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
from awkward import identical
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kptool.annotations import Annotations, kept, make
from kptool.errors import DataError, MissingFileError
from kptool.formats import dlib, pts
from kptool.formats.dlib_parser import parse

NASTY = ["a & b.jpg", "<é>.png", "q'uo\"te.jpg", "d/e/]]>.bmp", " blank .jpg", "日本.jpg"]


def awkward(names: tuple[str, ...], files: list[str], seed: int = 0) -> Annotations:
    """Fractions, missing points, hidden points, rows without a box, without points, and one without either."""
    rng = np.random.default_rng(seed)
    n, k = len(files), len(names)
    points = rng.uniform(-20, 700, (n, k, 2))
    points[rng.random((n, k)) < 0.3] = np.nan
    boxes = np.column_stack([rng.uniform(-9, 90, (n, 2)), rng.uniform(1, 99, (n, 2))])
    boxes[::3] = np.nan
    points[1] = np.nan
    points[-1], boxes[-1] = np.nan, np.nan
    sizes = np.array([[len(name) % 3 * 100, len(name) % 3 * 50] for name in files])
    occluded = np.isfinite(points[..., 0]) & (rng.random((n, k)) < 0.5)
    return make(Path("elsewhere"), files, names, points, boxes, occluded, sizes, ((0, 1),) if k > 1 else ())


@pytest.mark.parametrize(
    "names", [(), ("nose",), ("10", "9", "08"), ("z", "a b", "<&'\">", "é", "?>"), ("0", "1", "2")]
)
def test_read_gives_back_what_write_kept(names: tuple[str, ...], tmp_path: Path) -> None:
    files = [name for name in NASTY for _ in range(1 + len(name) % 3)]
    a = awkward(names, files)
    told = dlib.write(a, tmp_path / "out.xml")
    found = dlib.read(tmp_path / "out.xml")
    identical(found, kept(a, dlib.HOLDS))
    assert found.root == tmp_path
    assert any("rows, left out" in line for line in told) == (len(found) < len(a))
    assert any("hull" in line for line in told) == bool(names)
    assert dlib.sniff(tmp_path / "out.xml")


coordinate = st.one_of(st.just(np.nan), st.floats(-1e6, 1e6))


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_any_annotations_come_back(data: st.DataObject, tmp_path: Path) -> None:
    text = st.text(st.characters(exclude_categories=["Cs", "Cc"], exclude_characters="\\:\ufffe\uffff"), max_size=5)
    names = tuple(data.draw(st.lists(text, max_size=4, unique=True)))
    files = sorted(f"p{name.replace('/', '|')}.jpg" for name in data.draw(st.lists(text, min_size=1, max_size=5)))
    cells = len(files) * len(names)
    xs = np.array(data.draw(st.lists(coordinate, min_size=cells, max_size=cells))).reshape(len(files), len(names))
    points = np.stack([xs, 2 * xs - 1], axis=-1)
    boxes = np.tile([1.4, -2.5, 3.5, 1e4], (len(files), 1))
    boxes[data.draw(st.integers(0, len(files) - 1))] = np.nan
    a = make(tmp_path, files, names, points, boxes)
    dlib.write(a, tmp_path / "a.xml")
    identical(dlib.read(tmp_path / "a.xml"), kept(a, dlib.HOLDS))


def test_boxes_of_one_picture_stand_in_one_element_where_its_first_stood(tmp_path: Path) -> None:
    a = make(tmp_path, ["b.jpg", "a.jpg", "b.jpg"], ("p",), np.arange(6.0).reshape(3, 1, 2), sizes=np.full((3, 2), 9))
    dlib.write(a, tmp_path / "a.xml")
    identical(dlib.read(tmp_path / "a.xml"), kept(a.take(np.array([0, 2, 1])), dlib.HOLDS))
    images = ElementTree.parse(tmp_path / "a.xml").getroot().findall("images/image")
    assert [(i.get("file"), i.get("width"), len(i)) for i in images] == [("b.jpg", "9", 2), ("a.jpg", "9", 1)]


def test_the_order_of_points_needs_a_note_only_where_names_do_not_tell_it(tmp_path: Path) -> None:
    points = np.array([[[1.0, 2.0], [np.nan, np.nan], [5.0, 6.0]]])
    for names, noted in [(("a", "b", "c"), True), (("c", "b", "a"), True), (("2", "7", "10"), True)]:
        dlib.write(make(tmp_path, ["a.jpg"], names, points), tmp_path / "a.xml")
        assert ("<?kptool-points" in (tmp_path / "a.xml").read_text()) == noted  # "b" stands nowhere else
        assert dlib.read(tmp_path / "a.xml").names == names
    dlib.write(make(tmp_path, ["a.jpg"], ("2", "7", "10"), np.ones((1, 3, 2))), tmp_path / "a.xml")
    assert "<?kptool-points" not in (tmp_path / "a.xml").read_text()


# What is read


def document(images: str, head: str = "<?xml version='1.0' encoding='UTF-8'?>\n") -> bytes:
    return f"{head}<dataset>\n<name>n</name>\n<comment/>\n<images>\n{images}\n</images>\n</dataset>".encode()


def box(parts: str = "", size: str = "width='5' height='6'") -> str:
    return f"<image file='a.jpg'>\n<box top='1' left='2' {size}>\n{parts}\n</box>\n</image>"


def test_parts_boxes_and_pictures_without_them() -> None:
    text = document(
        "<image file='x/a.jpg' width='64' height='48'>"
        "<box top='-2' left='1.5' width='30' height='40' ignore='1'><label>one</label>"
        "<part y='9' name='10' x='7'/></box>"
        "<box top='0' left='0' width='1' height='1' pose='2'><part name='9' x='-1' y='2.25'/></box></image>"
        "<image file='b.jpg'></image><image file='./c.jpg'><box top='1' left='2' width='3' height='4'/></image>"
    )
    for size in (1, 7, 1 << 20):
        a = parse((text[i : i + size] for i in range(0, len(text), size)), "t.xml", Path("r"))
        assert a.files.tolist() == ["x/a.jpg", "x/a.jpg", "b.jpg", "c.jpg"]
        assert a.names == ("9", "10")
        nan = np.nan
        np.testing.assert_array_equal(a.points[0], [[nan, nan], [7, 9]])
        np.testing.assert_array_equal(a.points[1], [[-1, 2.25], [nan, nan]])
        assert np.isnan(a.points[2:]).all()
        np.testing.assert_array_equal(a.boxes, [[1.5, -2, 30, 40], [0, 0, 1, 1], [nan] * 4, [2, 1, 3, 4]])
        np.testing.assert_array_equal(a.sizes, [[64, 48], [64, 48], [0, 0], [0, 0]])


@pytest.mark.parametrize(
    ("names", "order"),
    [
        (["10", "9", "2"], ["2", "9", "10"]),
        (["01", "00", "02"], ["00", "01", "02"]),
        (["10", "9", "nose"], ["10", "9", "nose"]),
        (["b", "B", "é", "a"], ["B", "a", "b", "é"]),
        (["²", "1"], ["1", "²"]),
    ],
)
def test_names_are_ordered_as_dlib_does_but_numbers_by_value(names: list[str], order: list[str]) -> None:
    parts = "".join(f"<part name='{name}' x='1' y='2'/>" for name in names)
    assert list(parse([document(box(parts))], "t.xml", Path()).names) == order


@pytest.mark.parametrize(
    ("encoding", "bytes_as"), [("ISO-8859-1", "latin-1"), ("ISO-8859-1", "utf-8"), ("UTF-8", "utf-8"), ("utf-16",) * 2]
)
def test_names_in_the_encodings_that_files_come_in(encoding: str, bytes_as: str) -> None:
    # dlib writes "ISO-8859-1" above whatever bytes the file system gave it.
    text = f"<?xml version='1.0' encoding='{encoding}'?><dataset><images><image file='é.jpg'/></images></dataset>"
    assert parse([text.encode(bytes_as)], "t.xml", Path()).files.tolist() == ["é.jpg"]


# What is refused

BOMB = '<?xml version="1.0"?>\n<!DOCTYPE lolz [\n<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;&a;">\n]>\n<dataset>&b;</dataset>'
OUTSIDE = '<!DOCTYPE d [<!ENTITY x SYSTEM "file:///etc/passwd">]>\n<dataset><name>&x;</name></dataset>'
P = "<part name='{}' x='{}' y='{}'/>".format


@pytest.mark.parametrize(
    ("text", "line", "says"),
    [
        (BOMB, 2, "document type declaration"),
        (OUTSIDE, 1, "document type declaration"),
        ('<!DOCTYPE dataset SYSTEM "http://127.0.0.1:9/x.dtd"><dataset/>', 1, "document type declaration"),
        ("<dataset>\n<name>&x;</name></dataset>", 2, "undefined entity"),
        ("", 1, "no element found"),
        ("<dataset>\n<images>\n</dataset>", 3, "mismatched tag"),
        ("<?xml version='1.0' encoding='klingon'?><dataset/>", 1, "klingon"),
        ("<annotation/>", 1, "<annotation> as the outermost element"),
        ("<dataset>\n<box/></dataset>", 2, "<box> inside <dataset>"),
        (document("\n<part name='0' x='1' y='1'/>").decode(), 7, "<part> inside <images>"),
        (document(box("<part name='0' x='1' y='1'><part/></part>")).decode(), 8, "<part> inside <part>"),
        (document(box(P("0", "1", "2") + "\n" + P("0", "1", "2"))).decode(), 9, "part '0' stands twice"),
        (document(box(P("0", "abc", "2"))).decode(), 8, "part '0': x is 'abc', expected a number"),
        (document(box(P("0", "1", "nan"))).decode(), 8, "part '0': y is 'nan'"),
        (document(box(P("0", "1_0", "1e999"))).decode(), 8, "x is '1_0'"),
        (document(box(P("0", "1", "1e999"))).decode(), 8, "y is '1e999'"),
        (document(box(P("0", "٣", "1"))).decode(), 8, "x is '٣'"),
        (document(box("<part name='0' x='1'/>")).decode(), 8, "part '0': y is missing"),
        (document(box("<part x='1' y='1'/>")).decode(), 8, "<part> without 'name'"),
        (document(box("", "width='0' height='3'")).decode(), 7, "box: 0 x 3 px"),
        (document(box("", "width='4' height='-3'")).decode(), 7, "box: 4 x -3 px"),
        (document(box("", "width='4'")).decode(), 7, "box: height is missing"),
        (document("<image/>").decode(), 6, "<image> without 'file'"),
        (document("<image file='a.jpg' width='4'/>").decode(), 6, "image: height is missing"),
        (document("<image file='a.jpg' width='4.5' height='2'/>").decode(), 6, "no size of a picture"),
        (document("\n<image file='../a.jpg'/>").decode(), 7, "'../a.jpg'"),
        (document("<image file='/etc/passwd'/>").decode(), 6, "'/etc/passwd'"),
        (document("<image file='C:\\a.jpg'/>").decode(), 6, "a.jpg"),
        ("<?kptool-points [1]?><dataset/>", 1, "expected a list of names"),
        ("<?kptool-points " + "[" * 9999 + "?><dataset/>", 1, "expected a list of names"),
    ],
)
def test_a_fault_is_told_with_its_line(text: str, line: int, says: str) -> None:
    with pytest.raises(DataError) as caught:
        parse([text.encode()], "t.xml", Path("root"))
    assert str(caught.value).startswith(f"t.xml:{line}: ")
    assert says in caught.value.message
    assert "\n" not in str(caught.value)
    assert caught.value.hint


def test_a_small_file_cannot_ask_for_all_memory() -> None:
    boxes = "".join(
        f"<box top='1' left='1' width='1' height='1'><part name='n{i}' x='1' y='1'/></box>" for i in range(20_000)
    )
    with pytest.raises(DataError, match="20000 part names"):
        parse([document(f"<image file='a.jpg'>{boxes}</image>")], "t.xml", Path())


def test_what_cannot_be_written_is_refused_before_a_file_stands(tmp_path: Path) -> None:
    a = make(tmp_path, ["a.jpg", "a.jpg"], ("p", "q"), np.ones((2, 2, 2)))
    sizes, boxes = np.array([[4, 5], [5, 4]]), np.array([[1, 1, 0.4, 9], [1, 1, 2, 2]])
    for bad in (
        replace(a, sizes=sizes),
        replace(a, boxes=boxes),
        replace(a, names=("p", "p")),
        replace(a, names=("p", "\x07")),
        replace(a, files=np.array(["a.jpg", "\x01.jpg"])),
        replace(a, files=np.array(["a.jpg", "../b.jpg"])),
    ):
        with pytest.raises(DataError):
            dlib.write(bad, tmp_path / "a.xml")
    assert not list(tmp_path.iterdir())


def test_a_file_that_is_not_there_and_a_look_at_others(tmp_path: Path) -> None:
    with pytest.raises(MissingFileError, match="no such file"):
        dlib.read(tmp_path / "no.xml")
    (tmp_path / "coco.json").write_text(json.dumps({"images": []}))
    for path in (tmp_path, tmp_path / "no.xml", tmp_path / "coco.json"):
        assert not dlib.sniff(path)


# Real files


@pytest.fixture(scope="module")
def ibug() -> Path:
    folder = os.environ.get("KPTOOL_DATA_IBUG")
    if not folder:
        pytest.skip("KPTOOL_DATA_IBUG names no folder")
    return Path(folder)


def test_the_300w_archive_agrees_with_its_own_pts_files(ibug: Path) -> None:
    whole = dlib.read(ibug / "labels_ibug_300W_train.xml")
    assert whole.points.shape == (2012, 68, 2)
    assert whole.names == tuple(f"{k:02d}" for k in range(68))
    beside = pts.read(ibug / "train")
    row = {f"train/{name}": i for i, name in enumerate(beside.files.tolist())}
    exact = beside.points[[row[name] for name in whole.files.tolist()]]
    # The integers are the 0-based floats rounded to the nearest; ties, cut to three decimals, went either way.
    assert np.abs(exact - whole.points).max() == 0.5
    assert (np.rint(exact) == whole.points).mean() > 0.9994
    test = dlib.read(ibug / "labels_ibug_300W_test.xml")
    assert test.points.shape == (554, 0, 2)
    assert np.isfinite(test.boxes).all()
    assert dlib.sniff(ibug / "labels_ibug_300W_test.xml")


def test_the_300w_archive_comes_back(ibug: Path, tmp_path: Path) -> None:
    for part in ("train", "test"):
        a = dlib.read(ibug / f"labels_ibug_300W_{part}.xml")
        assert dlib.write(a, tmp_path / "a.xml") == []
        identical(dlib.read(tmp_path / "a.xml"), a)
