"""The reader of Kaggle's files: it reads what a plain parse reads, and names what is wrong before it returns."""

from __future__ import annotations

import csv
import io
import os
import random
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Literal

import numpy as np
import pytest
from kaggle_files import ROWS, SCHEMA, as_csv, faces, image_text, write_faces

from kptool import formats
from kptool.competitions import find
from kptool.config import Competition
from kptool.config import parse as parse_config
from kptool.dataset import Dataset
from kptool.errors import DataError, UsageError
from kptool.formats import kaggle_faces
from kptool.formats.digits import decode_numbers, decode_pixels, strict_number, strict_pixels
from kptool.formats.image_csv import Table, parse
from kptool.formats.lines import LONGEST_LINE
from kptool.formats.outside import apply_outside

Policy = Literal["keep", "mask", "fail"]
CHUNKS = (1, 13, 97, 7000, 1 << 18)


@pytest.fixture(autouse=True)
def cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path_factory.mktemp("cache")
    monkeypatch.setenv("KPTOOL_CACHE", str(folder))
    return folder


def cut_up(data: bytes, size: int) -> Iterator[bytes]:
    return (data[i : i + size] for i in range(0, len(data), size))


def plain_parse(data: bytes, wanted: list[str]) -> tuple[np.ndarray, np.ndarray]:
    rows = list(csv.DictReader(io.StringIO(data.decode("utf-8-sig"))))
    numbers = [[float(row[name]) if row[name].strip() else np.nan for name in wanted] for row in rows]
    return np.array(numbers), np.array([[int(v) for v in row["Image"].split()] for row in rows])


def joined(table: Table) -> np.ndarray:
    return np.concatenate(table.images)


def same(a: Table, numbers: np.ndarray, images: np.ndarray) -> None:
    np.testing.assert_array_equal(a.numbers, numbers)
    np.testing.assert_array_equal(joined(a).reshape(len(images), -1), images)


# What is read


@pytest.mark.parametrize("seed", range(12))
def test_any_layout_reads_as_the_csv_module_reads_it(seed: int) -> None:
    rng = random.Random(seed)
    width, height, rows = rng.randint(1, 7), rng.randint(1, 7), rng.randint(1, 40)
    names = ["a_x", "a_y", "Image", "b_x", "b_y", "c_x"]
    rng.shuffle(names)
    wanted = [name for name in names if name != "Image"]
    separator, end = rng.choice([" ", "  ", " \t"]), rng.choice(["\n", "\r\n"])
    lines = [",".join(names)]
    for _ in range(rows):
        cells = {name: rng.choice(["", f"{rng.uniform(-9, 200)!r}", "7", "-1.5e2", " 3.25 "]) for name in wanted}
        cells["Image"] = separator.join(str(v) for v in rng.choices(range(256), k=width * height))
        lines.append(",".join(f'"{cells[n]}"' if rng.random() < 0.2 else cells[n] for n in names))
    data = ("\ufeff" * rng.randint(0, 1) + end.join(lines) + rng.choice(["", end, end * 3])).encode()
    for size in CHUNKS:
        table = parse(cut_up(data, size), "t.csv", wanted, (width, height))
        assert joined(table).shape == (rows, height, width)
        same(table, *plain_parse(data, list(table.columns)))


def test_points_follow_the_schema_and_images_the_rows(tmp_path: Path) -> None:
    table = faces()
    order = [6, 3, 0, 5, 4, 1, 2]
    write_faces(tmp_path / "a", table)
    write_faces(tmp_path / "b", [[row[i] for i in order] for row in table])
    one, other = (kaggle_faces.read_train(tmp_path / name, SCHEMA) for name in "ab")
    assert one.ids.tolist() == [str(i) for i in range(1, ROWS + 1)]
    assert one.pixels.shape == (ROWS, 1, 96, 96)
    assert one.pixels.dtype == np.uint8
    numbers, images = plain_parse((tmp_path / "a" / "training.csv").read_bytes(), list(SCHEMA.columns))
    for data in (one, other):
        np.testing.assert_array_equal(data.points.reshape(ROWS, 6), numbers)
        np.testing.assert_array_equal(data.pixels.reshape(ROWS, -1), images)
    assert np.isnan(one.points).any()
    assert one.digest != other.digest


def test_test_set_lookup_and_sample(tmp_path: Path) -> None:
    write_faces(tmp_path)
    test = kaggle_faces.read_test(tmp_path, SCHEMA)
    assert test.ids.tolist() == [str(10 * i) for i in range(1, ROWS + 1)]
    assert np.isnan(test.points).all()
    np.testing.assert_array_equal(test.pixels, kaggle_faces.read_train(tmp_path, SCHEMA).pixels)
    lookup = kaggle_faces.read_lookup(tmp_path, test)
    assert lookup.row_ids.tolist() == [1, 2, 5]
    assert lookup.image.tolist() == [1, 0, 2]
    assert lookup.point.tolist() == [1, 0, 2]
    assert lookup.axis.tolist() == [1, 0, 0]
    sample = kaggle_faces.read_sample(tmp_path)
    assert sample is not None
    assert sample.tolist() == [1, 2, 5]
    (tmp_path / "SampleSubmission.csv").unlink()
    assert kaggle_faces.read_sample(tmp_path) is None


def test_the_fast_pixel_reader_never_disagrees_with_the_strict_one() -> None:
    rng = random.Random(3)
    accepted = refused = 0
    for _ in range(4000):
        fields = [" ".join(str(rng.randint(0, 255)) for _ in range(4)).encode() for _ in range(3)]
        if rng.random() < 0.8:
            row, kind = rng.randrange(3), rng.randrange(3)
            at = rng.randrange(len(fields[row]))
            new = b"" if kind == 0 else bytes([rng.choice(b"0123456789 \t.-x\x00\xff/:")])
            fields[row] = fields[row][:at] + new + fields[row][at + (kind != 1) :]
        fast = decode_pixels(fields, 4)
        try:
            strict = np.stack([strict_pixels(field, 4, "t") for field in fields])
        except DataError:
            assert fast is None, fields
            refused += 1
        else:
            assert fast is None or np.array_equal(fast, strict), fields
            accepted += fast is not None
    assert accepted > 1000
    assert refused > 1000


@pytest.mark.parametrize("value", [*range(0, 10), 99, 100, 199, 200, 255])
def test_every_length_of_number_at_every_edge(value: int) -> None:
    for text in (f"{value} 0 7", f"7 {value} 0", f"0 7 {value}"):
        fast = decode_pixels([text.encode()] * 2, 3)
        assert fast is not None
        assert fast.tolist() == [[int(v) for v in text.split()]] * 2


@pytest.mark.parametrize("text", ["256", "299", "300", "999", "1000", "0256", "25 5", "-1", "1.5", "", "1e2", "٣"])
def test_no_pixel_outside_0_to_255(text: str) -> None:
    assert decode_pixels([text.encode()], 1) is None
    with pytest.raises(DataError):
        strict_pixels(text.encode(), 1, "t")


@pytest.mark.parametrize(
    "cell", ["nan", "inf", "-Infinity", "1_0", "1e999", "abc", "1 2", "0x1", "1\x00", "--1", "1.2.3"]
)
def test_no_number_that_is_not_finite_and_decimal(cell: str) -> None:
    assert decode_numbers([b"1.5", cell.encode()]) is None
    with pytest.raises(DataError, match="expected a number"):
        strict_number(cell.encode(), "t", "a number")


# What is refused

Cells = list[list[str]]


def put(row: int, column: int, text: str, drop: int = 1) -> Callable[[Cells], bytes]:
    """Training data with one cell (or `drop` of them) replaced; row 0 is the header."""

    def change(table: Cells) -> bytes:
        table[row][column : column + drop] = [text]
        return as_csv(table)

    return change


def with_image(row: int, change: Callable[[list[str]], list[str]]) -> Callable[[Cells], bytes]:
    return lambda table: put(row, 6, " ".join(change(table[row][6].split())))(table)


def pixel(value: str) -> Callable[[list[str]], list[str]]:
    return lambda words: [*words[:100], value, *words[101:]]


HOSTILE: dict[str, tuple[Callable[[Cells], bytes], str]] = {
    "text for a number": (put(3, 1, "abc"), "training.csv:4: left_eye_y is 'abc', expected a number or blank"),
    "nan": (put(1, 0, "NaN"), "training.csv:2: left_eye_x is 'NaN'"),
    "inf": (put(7, 5, "inf"), "training.csv:8: chin_y is 'inf'"),
    "nul in a number": (put(2, 2, "1\x002"), "training.csv:3: nose_x is '1\\x002'"),
    "half a point": (put(5, 2, ",44.2,,", drop=4), "training.csv:6: nose_x is blank but nose_y is 44.2"),
    "a pixel too few": (with_image(2, lambda w: w[1:]), "training.csv:3: Image has 9215 pixels, expected 9216 (96x96)"),
    "a pixel too many": (with_image(6, lambda w: [*w, "1"]), "training.csv:7: Image has 9217 pixels, expected 9216"),
    "a pixel in the row above": (
        lambda t: as_csv([*t[:2], [*t[2][:6], f"{t[2][6]} 7"], [*t[3][:6], t[3][6].split(" ", 1)[1]], *t[4:]]),
        "training.csv:3: Image has 9217 pixels, expected 9216",
    ),
    "no pixel": (put(4, 6, ""), "training.csv:5: Image has 0 pixels, expected 9216"),
    "pixel 256": (with_image(1, pixel("256")), "training.csv:2: Image holds '256' as pixel 101"),
    "pixel -1": (with_image(1, pixel("-1")), "training.csv:2: Image holds '-1' as pixel 101"),
    "pixel 1.5": (with_image(7, pixel("1.5")), "training.csv:8: Image holds '1.5' as pixel 101"),
    "junk pixel": (with_image(3, pixel("\x00")), "training.csv:4: Image holds '\\x00' as pixel 101"),
    "not utf-8": (lambda t: as_csv(t).replace(b"\n", b"\n\xff", 1), "training.csv:2: left_eye_x is '\\xff"),
    "not utf-8 header": (lambda t: b"\xff\xfe" + as_csv(t), "training.csv:1: the header is not UTF-8"),
    "unknown column": (put(0, 3, "nose_yy"), "training.csv:1: unknown column 'nose_yy'; did you mean 'nose_y'?"),
    "missing column": (lambda t: as_csv([r[:2] + r[4:] for r in t]), "training.csv:1: no column 'nose_x' (and 1 more)"),
    "no image column": (lambda t: as_csv([r[:6] for r in t]), "training.csv:1: no column 'Image'"),
    "column twice": (put(0, 1, "left_eye_x"), "training.csv:1: column 'left_eye_x' stands twice"),
    "field too few": (lambda t: as_csv([*t[:4], t[4][1:], *t[5:]]), "training.csv:5: the row has 6 fields, expected 7"),
    "field too many": (lambda t: as_csv([*t[:4], ["1", *t[4]]]), "training.csv:5: the row has 8 fields, expected 7"),
    "blank line": (lambda t: as_csv([*t[:3], [], *t[3:]]), "training.csv:4: the line is blank and rows follow it"),
    "empty file": (lambda _: b"", "training.csv: the file is empty"),
    "blank lines only": (lambda _: b"\n\r\n\n", "training.csv: the file is empty"),
    "header only": (lambda t: as_csv(t[:1]), "training.csv: no rows after the header"),
    "cut in the image": (lambda t: as_csv(t)[:-500], "the file ends inside this row: download it again"),
    "cut in the numbers": (lambda t: as_csv(t[:-1]) + b"1.5,2.5,", "the file ends inside this row: download it again"),
    "no line ends": (lambda _: b"7 " * LONGEST_LINE, "training.csv:1: the line is longer than"),
    "first of several": (
        lambda t: put(5, 0, "y")([*t[:2], [*t[2][:6], "8"], *t[3:]]),
        "training.csv:3: Image has 1 pixels, expected",
    ),
    "bad row above a blank line": (
        lambda t: put(2, 0, "y")([*t[:4], [], *t[4:]]),
        "training.csv:3: left_eye_x is 'y'",
    ),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_training_files(name: str, tmp_path: Path) -> None:
    change, expected = HOSTILE[name]
    data = change(faces())
    write_faces(tmp_path)
    (tmp_path / "training.csv").write_bytes(data)
    with pytest.raises(DataError) as caught:
        kaggle_faces.read_train(tmp_path, SCHEMA)
    message = str(caught.value)
    assert expected in message
    assert message.startswith("training.csv:")
    assert caught.value.exit_code == 3
    assert caught.value.hint
    assert "\n" not in message
    assert len(message) < 300
    if name == "half a point":  # what the file says is well formed; only its meaning is refused
        return
    for size in (977, 7000):
        with pytest.raises(DataError) as again:
            parse(cut_up(data, size), "training.csv", SCHEMA.columns, (96, 96))
        assert str(again.value) == message


BAD_TEST = {
    "10,{i}\n10,{i}\n": "test.csv:3: ImageId 10 stands on line 2 too",
    "10,{i}\n,{i}\n": "test.csv:3: ImageId is '', expected a whole number",
    "1.5,{i}\n": "test.csv:2: ImageId is '1.5', expected a whole number",
    "-4,{i}\n": "test.csv:2: ImageId is '-4', expected a whole number",
    "x,{i}\n": "test.csv:2: ImageId is 'x', expected a whole number",
}


@pytest.mark.parametrize("rows", BAD_TEST)
def test_hostile_test_files(rows: str, tmp_path: Path) -> None:
    write_faces(tmp_path)
    (tmp_path / "test.csv").write_text("ImageId,Image\n" + rows.format(i=image_text(random.Random(1))))
    with pytest.raises(DataError) as caught:
        kaggle_faces.read_test(tmp_path, SCHEMA)
    assert str(caught.value).startswith(BAD_TEST[rows])


BAD_LOOKUP = {
    "1,20,nose_y,\n2,99,nose_y,\n": "IdLookupTable.csv:3: ImageId '99' is not in test.csv",
    "1,20,nosey_y,\n": "IdLookupTable.csv:2: unknown FeatureName 'nosey_y'; did you mean 'nose_y'?",
    "1,20,nose_y,\n2,20,nose_x,\n1,10,nose_y,\n": "IdLookupTable.csv:4: RowId 1 stands on line 2 too",
    "one,20,nose_y,\n": "IdLookupTable.csv:2: RowId is 'one', expected a whole number",
    "1,20\n": "IdLookupTable.csv:2: the row has 2 fields, expected 4",
    "1,20,nose_y,,\n": "IdLookupTable.csv:2: the row has 5 fields, expected 4",
    "": "IdLookupTable.csv: no rows after the header",
}


@pytest.mark.parametrize("rows", BAD_LOOKUP)
def test_hostile_lookup_tables(rows: str, tmp_path: Path) -> None:
    write_faces(tmp_path)
    (tmp_path / "IdLookupTable.csv").write_text("RowId,ImageId,FeatureName,Location\n" + rows)
    with pytest.raises(DataError) as caught:
        kaggle_faces.read_lookup(tmp_path, kaggle_faces.read_test(tmp_path, SCHEMA))
    assert str(caught.value).startswith(BAD_LOOKUP[rows])


def test_hostile_samples(tmp_path: Path) -> None:
    write_faces(tmp_path)
    for text, expected in {
        "RowId,Location\n1,0\n1,0\n": "SampleSubmission.csv:3: RowId 1 stands on line 2 too",
        "Row,Location\n1,0\n": "SampleSubmission.csv:1: unknown column 'Row'; did you mean 'RowId'?",
        "RowId,Location\n\xff,0\n": "SampleSubmission.csv:2: the line is not UTF-8",
    }.items():
        (tmp_path / "SampleSubmission.csv").write_bytes(text.encode("latin-1"))
        with pytest.raises(DataError) as caught:
            kaggle_faces.read_sample(tmp_path)
        assert str(caught.value).startswith(expected)


def placed(x: float, y: float) -> Dataset:
    """Three 10x5 images; id 17's nose at (x, y), the rest inside or blank."""
    points = np.full((3, 3, 2), 3.0)
    points[1, 1], points[0, 0] = (x, y), np.nan
    return Dataset(np.array(["4", "17", "2"]), np.zeros((3, 1, 5, 10), dtype=np.uint8), points, SCHEMA, "d")


@pytest.mark.parametrize(("x", "y"), [(-10, -5), (19.9, 9.9), (np.nan, np.nan)])
@pytest.mark.parametrize("policy", ["keep", "mask", "fail"])
def test_labels_not_far_outside_are_left_alone(policy: Policy, x: float, y: float) -> None:
    data = placed(x, y)
    same_data, lines = apply_outside(data, policy)
    assert same_data is data
    assert lines == []


@pytest.mark.parametrize(("x", "y"), [(-10.1, 0), (20, 0), (0, -5.1), (0, 10), (1e9, 0)])
def test_labels_far_outside_are_kept_masked_or_refused(x: float, y: float) -> None:
    data = placed(x, y)
    before = data.points.copy()
    expected = [f"training row 17: nose at ({x:.1f}, {y:.1f}) in a 10x5 image"]
    kept, lines = apply_outside(data, "keep")
    assert (kept, lines) == (data, expected)
    masked, lines = apply_outside(data, "mask")
    assert lines == expected
    wanted = before.copy()
    wanted[1, 1] = np.nan
    np.testing.assert_array_equal(masked.points, wanted)
    np.testing.assert_array_equal(data.points, before)
    with pytest.raises(DataError) as caught:
        apply_outside(data, "fail")
    assert caught.value.message == expected[0]
    assert 'data.outside to "mask" or "keep"' in caught.value.hint


def test_a_refusal_counts_the_other_points() -> None:
    data = placed(400, 40)
    data.points[2] = -90
    with pytest.raises(DataError, match=r"^training row 17: nose at \(400.0, 40.0\) .* \(and 3 more\)"):
        apply_outside(data, "fail")


def test_formats_are_found_by_name_and_need_data() -> None:
    points: dict[str, object] = {"slug": "own", "title": "own", "points": list(SCHEMA.points)}
    with pytest.raises(UsageError, match="format is 'kaggle-face'; input should be 'kaggle-faces', "):
        parse_config(Competition, points | {"format": "kaggle-face"}, "own")
    reader = formats.get(parse_config(Competition, points | {"format": "kaggle-faces"}, "own"))
    calls: list[Callable[[], object]] = [
        lambda: reader.read_train(None, SCHEMA),
        lambda: reader.read_test(None, SCHEMA),
        lambda: reader.read_lookup(None, placed(1, 1)),
        lambda: reader.read_sample(None),
    ]
    for call in calls:
        with pytest.raises(UsageError) as caught:
            call()
        assert "needs --data DIR" in caught.value.message
        assert "kaggle competitions download -c facial-keypoints-detection" in caught.value.hint


def test_a_format_is_imported_only_when_asked_for() -> None:
    code = (
        "import sys, kptool.formats as f; before = set(sys.modules); f.get('kaggle-faces'); "
        "assert 'kptool.formats.kaggle_faces' not in before; "
        "assert not {'torch', 'pandas', 'cv2', 'sklearn', 'pyarrow'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.skipif("KPTOOL_DATA_FKD" not in os.environ, reason="KPTOOL_DATA_FKD names no folder")
def test_the_real_files() -> None:
    folder = Path(os.environ["KPTOOL_DATA_FKD"])
    schema = find("facial-keypoints-detection").competition.schema_of_points
    train, test = kaggle_faces.read_train(folder, schema), kaggle_faces.read_test(folder, schema)
    assert train.pixels.shape == (7049, 1, 96, 96)
    assert test.pixels.shape == (1783, 1, 96, 96)
    assert int(train.labelled.all(1).sum()) == 2140
    lookup = kaggle_faces.read_lookup(folder, test)
    assert len(lookup.row_ids) == 27124
    sample = kaggle_faces.read_sample(folder)
    assert sample is not None
    np.testing.assert_array_equal(sample, lookup.row_ids)
    with (folder / "training.csv").open() as file:
        for n, row in enumerate(csv.DictReader(file)):
            if n % 500 == 0:
                image = [int(v) for v in row["Image"].split()]
                np.testing.assert_array_equal(train.pixels[n].ravel(), image)
                expected = [float(row[name]) if row[name] else np.nan for name in schema.columns]
                np.testing.assert_array_equal(train.points[n].ravel(), expected)
