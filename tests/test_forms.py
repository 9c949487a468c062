"""Forms: what is read back is what was predicted, every face has its row, and a harmed file is refused where it is."""

from __future__ import annotations

import csv
import json
import xml.etree.ElementTree as ElementTree
from collections.abc import Callable
from datetime import date
from pathlib import Path

import numpy as np
import pytest

from kptool import provenance as records
from kptool import submit
from kptool.config import Competition
from kptool.dataset import Dataset, Ints, Photos, Predictions
from kptool.errors import DataError, QualityError, UsageError
from kptool.geometry import Floats
from kptool.schema import Schema
from kptool.submit.coco import ids_of

# Two pictures show two faces, and theirs do not stand together.
FILES = ["a/one.jpg", "two.png", "a/one.jpg", "thrée, 3 & <4>.jpg", "two.png"]
IDS = ["a/one.jpg#0", "two.png#0", "a/one.jpg#1", "thrée, 3 & <4>.jpg", "two.png#1"]
SIZES = np.array([[97, 53], [640, 411], [97, 53], [31, 222], [640, 411]])  # W != H
BOXES = np.array([[10.0, 5, 30, 40], [200.4, 100.6, 150, 170], [60, 2, 33, 31], [np.nan] * 4, [-20, 300, 111, 140]])
SCHEMA = Schema("test", ("nose", "left_eye", "right_eye"))
N, K = len(FILES), 3
FORMS = list(submit.ENDINGS)
DAY = date(2025, 1, 31)


def dataset(sizes: Ints = SIZES, boxes: Floats | None = BOXES) -> Dataset:
    blank = np.full((N, K, 2), np.nan)
    photos = Photos(Path("nowhere"), np.array(FILES), sizes)
    return Dataset(np.array(IDS), photos, blank, SCHEMA, "d1", boxes=boxes)


def points() -> Floats:
    """Some of them outside the photo, on every side; no two alike."""
    found = np.random.default_rng(3).uniform(-60, 700, (N, K, 2))
    found[0, 0] = -0.00001, 12.5
    return found


def answers(
    found: Floats | None = None,
    test: Dataset | None = None,
    names: tuple[str, ...] = (),
    image_ids: list[int | str] | None = None,
) -> submit.Answers:
    test = test or dataset()
    found = points() if found is None else found
    predictions = Predictions(test.ids, found, np.full(found.shape[:2], np.nan), SCHEMA)
    whole = submit.whole_lookup(test)
    guessed = (records.Guess(IDS[3], "truncated"),)
    return submit.Answers(test, predictions, whole, None, "Id,Predicted", guessed, names, image_ids)


def written(form: str, folder: Path, given: submit.Answers | None = None) -> Path:
    path = folder / f"out{submit.ENDINGS[form]}"
    submit.write_checked(submit.get(form), path, given or answers())
    return path


# --- every row, in order, with its value ---


def test_the_whole_lookup_is_every_coordinate_in_file_order() -> None:
    whole = submit.whole_lookup(dataset())
    cells = [(n, k, axis) for n in range(N) for k in range(K) for axis in range(2)]
    assert list(zip(whole.image, whole.point, whole.axis, strict=True)) == cells
    assert whole.row_ids.tolist() == list(range(2 * N * K))
    assert whole.asked(N, K).all()
    assert whole.digest != submit.whole_lookup(dataset().take([0, 1])).digest


def test_long_is_a_row_per_coordinate_in_file_order_and_not_clipped(tmp_path: Path) -> None:
    header, *rows = written("long", tmp_path).read_text().splitlines()
    assert header == "Id,Predicted"
    assert [int(row.split(",")[0]) for row in rows] == list(range(2 * N * K))
    values = np.array([float(row.split(",")[1]) for row in rows])
    assert np.abs(values - points().ravel()).max() <= 0.50001e-4
    beyond = points().ravel() > np.tile(SIZES[:, None], (1, K, 1)).ravel()
    assert values.min() < -1
    assert beyond.any()
    assert "-0.0000" not in rows[0]


def test_lookup_takes_the_competition_s_header_and_clips_to_each_picture_s_own_size(tmp_path: Path) -> None:
    header, *rows = written("lookup", tmp_path).read_text().splitlines()
    assert header == "Id,Predicted"
    values = np.array([float(row.split(",")[1]) for row in rows]).reshape(N, K, 2)
    assert np.abs(values - np.clip(points(), 0, SIZES[:, None])).max() <= 0.50001e-4
    with pytest.raises(DataError, match=r"out.csv:1: the header is 'Id,Predicted', expected 'RowId,Location'"):
        submit.validate(tmp_path / "out.csv", submit.whole_lookup(dataset()), None, SIZES)


def test_a_picture_of_unknown_size_is_clipped_at_zero_alone(tmp_path: Path) -> None:
    unknown = np.array(SIZES)
    unknown[0] = 0
    found = np.full((N, K, 2), 1000.0)
    found[0, 1] = -5
    rows = written("lookup", tmp_path, answers(found, dataset(unknown))).read_text().splitlines()[1:]
    assert [float(row.split(",")[1]) for row in rows[:8]] == [1000, 1000, 0, 0, 1000, 1000, 640, 411]


def test_wide_is_a_row_per_face(tmp_path: Path) -> None:
    with written("wide", tmp_path).open(encoding="utf-8", newline="") as file:
        header, *rows = csv.reader(file)
    assert header == ["image", "nose_x", "nose_y", "left_eye_x", "left_eye_y", "right_eye_x", "right_eye_y"]
    assert [row[0] for row in rows] == FILES
    assert np.abs(np.array([row[1:] for row in rows], dtype=float) - points().reshape(N, -1)).max() <= 0.50001e-4


def test_dlib_has_a_box_and_whole_pixels_for_every_face(tmp_path: Path) -> None:
    pictures = ElementTree.parse(written("dlib", tmp_path)).findall("images/image")
    assert [picture.get("file") for picture in pictures] == [FILES[0], FILES[1], FILES[3]]
    assert (pictures[0].get("width"), pictures[0].get("height")) == ("97", "53")
    boxes = [box for picture in pictures for box in picture.findall("box")]
    assert len(boxes) == N
    for row, box in zip([0, 2, 1, 4, 3], boxes, strict=True):
        parts = {part.get("name"): (int(part.get("x", "")), int(part.get("y", ""))) for part in box.findall("part")}
        found = np.array([parts[name] for name in SCHEMA.points])
        assert np.abs(found - points()[row]).max() <= 0.5
        sides = np.array([int(box.get(side, "")) for side in ("left", "top", "width", "height")])
        if row != 3:
            assert np.abs(sides - BOXES[row]).max() <= 0.5
        else:  # it has none: the hull of its points
            assert (sides[:2] <= found.min(0)).all()
            assert (sides[:2] + sides[2:] > found.max(0)).all()


def test_dlib_calls_the_points_as_the_competitions_files_do(tmp_path: Path) -> None:
    names = ("02", "00", "01")  # not in the order of the schema
    root = ElementTree.parse(written("dlib", tmp_path, answers(names=names)))
    box = next(root.iter("box"))
    parts = {part.get("name"): (int(part.get("x", "")), int(part.get("y", ""))) for part in box.findall("part")}
    assert np.abs(np.array([parts[name] for name in names]) - points()[0]).max() <= 0.5


def test_coco_has_a_result_per_face_and_every_bit(tmp_path: Path) -> None:
    results = json.loads(written("coco", tmp_path).read_text())
    assert [one["image_id"] for one in results] == [1, 2, 1, 3, 2]
    assert [one["score"] for one in results] == [1, 1, 1, 0, 1], "the mean shape is ranked last"
    triples = np.array([one["keypoints"] for one in results]).reshape(N, K, 3)
    assert (triples[..., :2] == points()).all()
    ids: list[int | str] = [70, "b", 70, 9, "b"]
    results = json.loads(written("coco", tmp_path, answers(image_ids=ids)).read_text())
    assert [one["image_id"] for one in results] == ids


@pytest.mark.parametrize("form", FORMS)
def test_images_of_one_size_have_all_forms_too(tmp_path: Path, form: str) -> None:
    images = np.zeros((N, 1, 5, 7), dtype=np.uint8)
    test = Dataset(np.array([f"face-{n}" for n in range(N)]), images, np.full((N, K, 2), np.nan), SCHEMA, "d2")
    path = written(form, tmp_path, answers(test=test))
    assert [p.name for p in tmp_path.iterdir()] == [path.name], "no temporary file stays"


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_a_value_that_is_no_number_is_written_in_no_form(tmp_path: Path, form: str, bad: float) -> None:
    found = points()
    found[2, 1, 0] = bad
    with pytest.raises(QualityError, match=r"a/one.jpg#1: left_eye_x is predicted as (nan|inf)"):
        written(form, tmp_path, answers(found))
    assert list(tmp_path.iterdir()) == []


# --- harmed files ---


def cut(text: str) -> str:
    return "\n".join(text.split("\n")[:-2]) + "\n"


def again(text: str) -> str:
    lines = text.split("\n")
    return "\n".join([*lines[:-1], lines[-2], ""])


def swapped(text: str) -> str:
    lines = text.split("\n")
    lines[2], lines[3] = lines[3], lines[2]
    return "\n".join(lines)


def moved(line: int) -> Callable[[str], str]:
    """The last coordinate of a line, 1 from the top, moved by a thousandth."""

    def move(text: str) -> str:
        lines = text.split("\n")
        head, _, value = lines[line - 1].rpartition(",")
        lines[line - 1] = f"{head},{float(value) + 0.001:.4f}"
        return "\n".join(lines)

    return move


HARMS: list[tuple[str, Callable[[str], str], str]] = [
    ("long", cut, r"out.csv:30: the file ends here with 29 of 30 rows, the next Id is 29"),
    ("long", again, r"out.csv:32: a row too many, Id 29"),
    ("long", swapped, r"out.csv:3: Id is 2, expected 1"),
    ("long", moved(7), r"out.csv:7: Predicted of Id 5 is \S+, predicted was"),
    ("long", lambda t: t.replace("Id", "ID", 1), r"out.csv:1: the header is 'ID,Predicted'"),
    ("long", lambda t: t.replace("\n4,", "\n4,x", 1), r"out.csv:6: Predicted is 'x.*', expected a number"),
    ("long", lambda t: t.replace("\n4,", "\nfour,", 1), r"out.csv:6: Id is 'four', expected a whole number"),
    ("long", lambda t: t[:-1], r"out.csv:31: the line is cut off"),
    ("long", lambda _: "", r"out.csv:1: the file is empty, expected 'Id,Predicted'"),
    ("lookup", cut, r"out.csv:30: the file ends here and lacks 1 of 30 Ids, the first is 29"),
    ("lookup", swapped, r"out.csv:3: Id is 2, expected 1"),
    ("wide", cut, r"out.csv:5: the file ends here and lacks the row of two.png"),
    ("wide", again, r"out.csv:7: a row too many, 'two.png'"),
    ("wide", swapped, r"out.csv:3: image is 'a/one.jpg', expected two.png"),
    ("wide", moved(4), r"out.csv:4: right_eye_y is \S+, predicted was"),
    ("wide", lambda t: t.replace("nose_x", "nose", 1), r"out.csv:1: the header is 'image,nose,"),
    ("wide", lambda t: t.replace("two.png,", "two.png,,", 1), r"out.csv:3: 8 columns, expected 7"),
    ("wide", lambda t: t.replace("two.png,", "two.png,nan", 1), r"out.csv:3: nose_x is 'nan.*', expected a number"),
    ("wide", lambda t: t.replace('4>.jpg"', '4>.jpg"x', 1), r"out.csv:5: '?"),
    ("wide", lambda _: "", r"out.csv:1: the header is ''"),
    ("dlib", lambda t: t.replace("two.png", "too.png"), r"out.xml: face 3 is of too.png, expected two.png"),
    ("dlib", lambda t: t.replace("'right_eye'", "'other'").replace('"right_eye"', '"other"'), r"out.xml: part 'other'"),
    ("dlib", lambda t: t.replace("x='", "x='1", 1), r"out.xml: a/one.jpg: \w+_x is 1\S+, predicted was"),
    ("dlib", lambda t: t.replace("width='30'", "width='31'"), r"out.xml: a box is not the face's"),
    ("dlib", lambda t: t[: len(t) // 2], r"out.xml:\d+"),
    ("coco", lambda t: json.dumps(json.loads(t)[:-1]), r"out.json: 4 results, expected 5"),
    ("coco", lambda t: json.dumps([*json.loads(t), None]), r"out.json: 6 results, expected 5"),
    ("coco", lambda t: json.dumps(json.loads(t)[::-1]), r"out.json: result 0: image_id is 2, expected 1"),
    ("coco", lambda t: t.replace("12.5", "12.6"), r"out.json: result 0: y of point 1 is 12.6, predicted was 12.5"),
    ("coco", lambda t: t.replace('"score": 0.0', '"score": 1.0'), r"out.json: result 3: v, score or category_id"),
    ("coco", lambda t: t.replace("12.5", "NaN"), r"out.json: result 0"),
    ("coco", lambda t: f'{{"a": {t}}}', r"out.json: the file is no list"),
    ("coco", lambda t: t[:-1], r"out.json:1: not JSON"),
]


@pytest.mark.parametrize("case", range(len(HARMS)))
def test_a_harmed_file_is_refused_where_it_is_harmed(tmp_path: Path, case: int) -> None:
    form, harm, message = HARMS[case]
    path = written(form, tmp_path)
    text = path.read_text(encoding="utf-8")
    assert harm(text) != text
    path.write_text(harm(text), encoding="utf-8")
    with pytest.raises(DataError, match=message) as error:
        submit.get(form).check(path, answers())
    assert "\n" not in str(error.value)
    assert error.value.hint


@pytest.mark.parametrize("form", FORMS)
def test_a_file_that_fails_its_check_does_not_stay(tmp_path: Path, form: str) -> None:
    good, other = submit.get(form), answers(points() + 1)
    wrong = submit.Form(form, lambda path, _: good.write(path, other), good.check)
    with pytest.raises(DataError):
        submit.write_checked(wrong, tmp_path / "out", answers())
    assert list(tmp_path.iterdir()) == []


def test_a_header_that_is_not_two_columns_is_refused(tmp_path: Path) -> None:
    given = answers()
    for header in ("Id", "Id,Predicted,More", "", "Id,", 'Id,"x"', "Id,Prä"):
        with pytest.raises(UsageError, match="header is"):
            written("long", tmp_path, submit.Answers(given.dataset, given.predictions, given.lookup, None, header))


# --- names ---


def test_the_forms_of_one_submission_share_a_number_and_no_record_meets_a_submission(tmp_path: Path) -> None:
    tails = [submit.tail(form, "coco") for form in FORMS]
    assert tails == ["-lookup.csv", "-long.csv", "-wide.csv", "-dlib.xml", ".json"]

    def places() -> list[Path]:
        return submit.targets(tmp_path, "slug", "run", DAY, tails)

    first = places()
    assert [path.name for path in first][-2:] == ["2025-01-31-run-dlib.xml", "2025-01-31-run.json"]
    both = {*first, *(records.record_path(path) for path in first)}
    assert len(both) == 2 * len(FORMS)
    assert records.record_path(first[-1]).name == "2025-01-31-run.provenance.json"
    for taken in sorted(both):
        taken.parent.mkdir(exist_ok=True)
        taken.write_text("")
        assert [path.name for path in places()][-2:] == ["2025-01-31-run-2-dlib.xml", "2025-01-31-run-2.json"]
        taken.unlink()


def test_forms_are_chosen_once_each_and_by_name() -> None:
    assert [form.name for form in submit.choose([], "wide")] == ["wide"]
    assert [form.name for form in submit.choose(["dlib", "long", "dlib"], "wide")] == ["dlib", "long"]
    with pytest.raises(UsageError, match=r"--form dlibb: no such form; did you mean 'dlib'\?"):
        submit.choose(["dlibb"], "wide")


def test_coco_results_take_the_ids_of_the_competition_s_own_file(tmp_path: Path) -> None:
    own = Competition(slug="own", title="Own", format="coco", points=list(SCHEMA.points), test="test.json")
    images = [{"id": number, "file_name": name} for number, name in ((31, FILES[3]), (7, FILES[1]), (8, FILES[0]))]
    (tmp_path / "test.json").write_text(json.dumps({"images": images, "annotations": [], "categories": []}))
    assert ids_of(own, dataset(), tmp_path) == [8, 7, 8, 31, 7]
    assert ids_of(own, dataset(), None) is None
    assert ids_of(own.model_copy(update={"format": "dlib"}), dataset(), tmp_path) is None
    (tmp_path / "test.json").write_text(json.dumps({"images": images[:2], "annotations": [], "categories": []}))
    with pytest.raises(DataError, match=r"test.json: no image is called a/one.jpg"):
        ids_of(own, dataset(), tmp_path)
