"""Submissions: what is written is what was asked for, a wrong file is refused by line, nothing leaves its folder."""

from __future__ import annotations

import hashlib
import json
import os
import shlex
from collections.abc import Callable
from dataclasses import fields
from datetime import date
from pathlib import Path

import numpy as np
import pytest

from kptool import provenance as records
from kptool import submit
from kptool.config import Recipe
from kptool.dataset import Ints, Lookup, Predictions
from kptool.errors import DataError, KptoolError, QualityError, UsageError
from kptool.schema import Schema

SIZE = (97, 53)  # W != H
IMAGES, POINTS = 7, 3
SIZES = np.tile(np.array(SIZE), (IMAGES, 1))
DAY = date(2025, 1, 31)


def lookup(rows: int = 11) -> Lookup:
    """Rows in no particular order, with gaps between their ids."""
    draw = np.random.default_rng(5)
    cells = draw.permutation(IMAGES * POINTS * 2)[:rows]
    ids = draw.permutation(rows * 3)[:rows] + 1
    return Lookup(ids, cells // (POINTS * 2), cells // 2 % POINTS, cells % 2, "table")


def predictions(points: np.ndarray[tuple[int, ...], np.dtype[np.float64]] | None = None) -> Predictions:
    if points is None:
        points = np.random.default_rng(6).uniform(0, 50, (IMAGES, POINTS, 2))
    names = np.array([f"face-{n}" for n in range(IMAGES)])
    return Predictions(names, points, np.full((IMAGES, POINTS), np.nan), Schema("test", ("eye", "nose", "lip")))


def good(folder: Path) -> Path:
    path = folder / "good.csv"
    submit.write(path, lookup(), submit.values(lookup(), predictions(), SIZES))
    return path


# --- values ---


def test_values_inside_are_untouched_and_values_outside_move_to_the_edge() -> None:
    table = lookup(IMAGES * POINTS * 2)
    points = np.random.default_rng(7).uniform(-200, 200, (IMAGES, POINTS, 2))
    points[0, 0] = 0.0, SIZE[1]
    points[1, 1] = SIZE[0], -0.0
    before = points.copy()
    values = submit.values(table, predictions(points), SIZES)
    assert (points == before).all(), "the predictions themselves are never clipped"
    for image, point, axis, value in zip(table.image, table.point, table.axis, values, strict=True):
        raw, upper = points[image, point, axis], SIZE[axis]
        assert value == (raw if 0 <= raw <= upper else 0.0 if raw < 0 else upper)
    assert not np.signbit(values).any()


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_a_value_that_is_no_number_is_named_and_never_filled(bad: float) -> None:
    table = lookup()
    points = np.array(predictions().points)
    image, point, axis = int(table.image[4]), int(table.point[4]), int(table.axis[4])
    points[image, point, axis] = bad
    with pytest.raises(QualityError, match=rf"image face-{image}: {('eye', 'nose', 'lip')[point]}_{'xy'[axis]}") as e:
        submit.values(table, predictions(points), SIZES)
    assert e.value.exit_code == 5
    assert "1 of 11" in str(e.value)


def test_a_point_nobody_asks_for_may_be_nan() -> None:
    table = lookup()
    points = np.where(table.asked(IMAGES, POINTS)[..., None], predictions().points, np.nan)
    assert np.isnan(points).any()
    assert np.isfinite(submit.values(table, predictions(points), SIZES)).all()


# --- write ---


def test_the_file_holds_the_table_s_rows_in_the_table_s_order(tmp_path: Path) -> None:
    table = lookup()
    values = submit.values(table, predictions(), SIZES)
    path = tmp_path / "new" / "folder" / "a.csv"
    submit.write(path, table, values)
    lines = path.read_bytes().decode("ascii").split("\n")
    assert lines[0] == "RowId,Location"
    assert lines[-1] == ""
    assert lines[1:-1] == [f"{row},{value:.4f}" for row, value in zip(table.row_ids, values, strict=True)]
    assert [p.name for p in path.parent.iterdir()] == ["a.csv"], "no temporary file stays"
    submit.validate(path, table, np.sort(table.row_ids), SIZES)


def test_a_failed_write_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = good(tmp_path)
    before = path.read_bytes()
    monkeypatch.setattr(os, "fsync", lambda _: (_ for _ in ()).throw(OSError("disk full")))
    with pytest.raises(OSError, match="disk full"):
        submit.write(path, lookup(), np.zeros(11))
    assert path.read_bytes() == before
    assert len(list(tmp_path.iterdir())) == 1


# --- validate ---


def row(text: str, number: int, new: str) -> str:
    lines = text.split("\n")
    lines[number - 1] = new
    return "\n".join(lines)


def first(text: str) -> str:
    return text.split("\n")[1].split(",")[0]


def asked_y() -> int:
    """A RowId that asks for y."""
    return int(lookup().row_ids[lookup().axis == 1][0])


HOSTILE: dict[str, tuple[Callable[[str], str | bytes], str]] = {
    "empty": (lambda _: "", r":1: the file is empty"),
    "header only": (lambda _: "RowId,Location\n", r":1: .* lacks 11 of 11 RowIds"),
    "no header": (lambda t: t.split("\n", 1)[1], r":1: the header is '[0-9]+,"),
    "lower case": (lambda t: t.lower(), r":1: the header is 'rowid,location'"),
    "space in header": (lambda t: t.replace(",L", ", L"), r":1: the header is 'RowId, Location'"),
    "swapped": (lambda t: row(t, 1, "Location,RowId"), r":1: the header is"),
    "mark": (lambda t: b"\xef\xbb\xbf" + t.encode(), r":1: begins with a byte order mark"),
    "utf-16": (lambda t: t.encode("utf-16"), r":1: begins with a byte order mark"),
    "quotes": (lambda t: row(t, 3, '"1","2.0"'), r":3: .* is quoted"),
    "one column": (lambda t: row(t, 3, "1"), r":3: '1' has 1 column, expected 2"),
    "three columns": (lambda t: row(t, 3, "1,2,3"), r":3: '1,2,3' has 3 columns"),
    "decimal comma": (lambda t: row(t, 4, "1,2,5"), r":4: .* 3 columns"),
    "blank line": (lambda t: row(t, 5, ""), r":5: '' has 1 column"),
    "blank line at the end": (lambda t: t + "\n", r":13: '' has 1 column"),
    "blank value": (lambda t: row(t, 2, f"{first(t)},"), r":2: Location is '', expected a number"),
    "text": (lambda t: row(t, 2, f"{first(t)},left"), r":2: Location is 'left'"),
    "nan": (lambda t: row(t, 2, f"{first(t)},nan"), r":2: Location is 'nan'"),
    "inf": (lambda t: row(t, 2, f"{first(t)},-inf"), r":2: Location is '-inf'"),
    "overflow": (lambda t: row(t, 2, f"{first(t)},1e999"), r":2: Location of RowId \d+ is inf, outside"),
    "underscore": (lambda t: row(t, 2, f"{first(t)},1_0"), r":2: Location is '1_0'"),
    "other digits": (lambda t: row(t, 2, f"{first(t)},١٢"), r":2: Location is '\\\\xd9"),
    "spaces": (lambda t: row(t, 2, f"{first(t)}, 12.0"), r":2: Location is ' 12.0'"),
    "escape": (lambda t: row(t, 2, f"{first(t)},\x1b[2J\x00"), r":2: Location is '\\x1b\[2J\\x00'"),
    "float id": (lambda t: row(t, 2, f"{first(t)}.0,12.0"), r":2: RowId is '\d+\.0', expected a whole number"),
    "endless id": (lambda t: row(t, 2, "9" * 90 + ",12.0"), r":2: RowId is '9+\.\.\.'"),
    "negative": (lambda t: row(t, 2, f"{first(t)},-0.01"), r":2: Location of RowId \d+ is -0.01, outside"),
    "beyond the height": (
        lambda t: row(t, 2, f"{asked_y()},53.01"),
        r":2: Location of RowId \d+ is 53.01, outside the image's 0 to 53",
    ),
    "twice": (lambda t: row(t, 4, t.split("\n")[1]), r":4: RowId \d+ stands here again, first in line 2"),
    "extra row": (lambda t: t + "99,1.0\n", r":13: RowId 99 is not in the lookup table"),
    "missing row": (lambda t: t[: t[:-1].rindex("\n") + 1], r":11: .* lacks 1 of 11 RowIds, the first is \d+"),
    "cut off": (lambda t: t[:-2], r":12: the line is cut off"),
    "one long line": (lambda _: "1" * 5000, r":1: the line is longer than 200 bytes"),
    "old Mac ends": (lambda t: t.replace("\n", "\r"), r":1: .* no newline ends it"),
    "zip": (lambda _: b"PK\x03\x04\xff\n", r":1: the header is 'PK\\x03\\x04\\\\xff'"),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_files_are_refused_by_file_and_line(tmp_path: Path, name: str) -> None:
    harm, message = HOSTILE[name]
    path = good(tmp_path)
    harmed = harm(path.read_text())
    path.write_bytes(harmed.encode() if isinstance(harmed, str) else harmed)
    with pytest.raises(DataError, match=f"good.csv{message}") as error:
        submit.validate(path, lookup(), None, SIZES)
    assert error.value.exit_code == 3
    assert "\n" not in str(error.value)
    assert str(error.value).isprintable()
    assert error.value.hint


def test_what_a_spreadsheet_or_pandas_would_write_is_accepted(tmp_path: Path) -> None:
    path = good(tmp_path)
    head, *rows = path.read_text().splitlines()
    path.write_bytes("\r\n".join([head, *reversed(rows), ""]).encode())
    submit.validate(path, lookup(), None, SIZES)
    ids = lookup().row_ids
    path.write_text(
        "RowId,Location\n" + "".join(f"{i},{v}\n" for i, v in zip(ids, ["0", "1e1", "5."] * 4, strict=False))
    )
    submit.validate(path, lookup(), ids, SIZES)


def test_a_sample_that_asks_for_other_rows_is_named(tmp_path: Path) -> None:
    path, ids = good(tmp_path), lookup().row_ids
    more: Ints = np.append(ids, 1000)
    with pytest.raises(DataError, match="RowId 1000 is in the sample and not in the lookup table"):
        submit.validate(path, lookup(), more, SIZES)
    with pytest.raises(DataError, match=f"RowId {ids[3]} is in the lookup table and not in the sample"):
        submit.validate(path, lookup(), np.delete(ids, 3), SIZES)


def test_no_file_a_folder_and_a_pipe_are_refused_at_once(tmp_path: Path) -> None:
    paths = [tmp_path / "none.csv", tmp_path]
    if hasattr(os, "mkfifo"):
        os.mkfifo(tmp_path / "pipe.csv")
        paths.append(tmp_path / "pipe.csv")
    for path in paths:
        with pytest.raises(DataError, match="no such file"):
            submit.validate(path, lookup(), None, SIZES)


def test_a_huge_wrong_file_is_left_at_its_first_fault(tmp_path: Path) -> None:
    path = tmp_path / "huge.csv"
    with path.open("wb") as file:
        file.write(good(tmp_path).read_bytes())
        file.truncate(2**30)  # 1 GiB of NUL
    with pytest.raises(DataError, match=r"huge.csv:13: the line is longer"):
        submit.validate(path, lookup(), None, SIZES)


# --- provenance ---


def record(csv: Path, **changes: float | None) -> records.Provenance:
    scores = {"rmse_oof": 1.5, "rmse_test_mix": None, "fold_1": 1.25, "score": 4.5} | changes
    fold_1, score = scores.pop("fold_1"), scores.pop("score")
    assert fold_1 is not None
    return records.provenance(
        csv,
        lookup(),
        Recipe(name="mine", seed=3),
        competition="test",
        run="run-1",
        form="lookup",
        data_digest="d1",
        folds_used=[0, 1],
        views=["plain", "mirror"],
        fold_scores=[records.FoldScore(0, 1.75), records.FoldScore(1, fold_1)],
        score=records.Score("NME (box)", "%", score),
        mean_shape=[records.Guess("face-3", "face-3.jpg: truncated")],
        today=DAY,
        rmse_oof=scores["rmse_oof"],
        rmse_test_mix=scores["rmse_test_mix"],
    )


def test_provenance_stands_beside_the_file_and_says_where_it_comes_from(tmp_path: Path) -> None:
    csv = good(tmp_path)
    path = records.write_provenance(csv, record(csv))
    assert path == csv.with_name("good.json")
    text = path.read_text()
    assert "NaN" not in text
    table = json.loads(text)
    assert list(table) == [field.name for field in fields(records.Provenance)]
    assert table["sha256"] == hashlib.sha256(csv.read_bytes()).hexdigest()
    assert (table["file"], table["rows"], table["date"]) == ("good.csv", 11, "2025-01-31")
    assert (table["data_digest"], table["lookup_digest"]) == ("d1", "table")
    assert table["fold_scores"] == [{"fold": 0, "rmse": 1.75}, {"fold": 1, "rmse": 1.25}]
    assert (table["rmse_oof"], table["rmse_test_mix"]) == (1.5, None)
    assert table["score"] == {"name": "NME (box)", "unit": "%", "value": 4.5}
    assert table["mean_shape"] == [{"image": "face-3", "why": "face-3.jpg: truncated"}]
    assert (table["recipe_name"], table["form"]) == ("mine", "lookup")
    again = Recipe.model_validate(table["recipe"])
    assert (again, again.digest) == (Recipe(name="mine", seed=3), table["recipe_digest"])


@pytest.mark.parametrize("field", ["rmse_oof", "rmse_test_mix", "fold_1", "score"])
@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_a_score_that_is_no_number_is_refused(tmp_path: Path, field: str, bad: float) -> None:
    with pytest.raises(QualityError, match=r"run run-1: the .* is (nan|inf)"):
        record(good(tmp_path), **{field: bad})


def test_the_readme_of_the_folder_shows_the_fields() -> None:
    readme = Path(__file__).parent.parent / "submissions" / "README.md"
    shown = json.loads(readme.read_text().split("```json")[1].split("```")[0])
    assert list(shown) == [field.name for field in fields(records.Provenance)]
    assert list(shown["fold_scores"][0]) == [field.name for field in fields(records.FoldScore)]
    assert list(shown["score"]) == [field.name for field in fields(records.Score)]
    assert list(shown["mean_shape"][0]) == [field.name for field in fields(records.Guess)]


# --- names ---


def test_target_is_dated_and_overwrites_nothing(tmp_path: Path) -> None:
    def place() -> Path:
        return submit.target(tmp_path, "facial-keypoints-detection", "run.v1", DAY)

    folder = tmp_path / "facial-keypoints-detection"
    assert place() == folder / "2025-01-31-run.v1.csv"
    assert not folder.exists(), "asking for the place makes nothing"
    submit.write(place(), lookup(), np.zeros(11))
    assert place() == folder / "2025-01-31-run.v1-2.csv"
    (folder / "2025-01-31-run.v1-2.json").write_text("a record whose CSV is gone")
    assert place() == folder / "2025-01-31-run.v1-3.csv"
    (folder / "2025-01-31-run.v1-3.csv").symlink_to(tmp_path / "nowhere")
    assert place() == folder / "2025-01-31-run.v1-4.csv"
    submit.write(place(), lookup(), np.ones(11))
    assert (folder / "2025-01-31-run.v1.csv").read_text().count(",0.0000\n") == 11


ESCAPES = ["", ".", "..", "../up", "a/b", "a\\b", "/etc", "C:\\x", "c:x", "\0", "a\0b", "a\nb", "a\n", "\x1b[2J", "~x"]
ESCAPES += ["CON", "nul", "com1.txt", "LPT9", "a.", "a ", " a", "-rf", ".hidden", "x" * 181, "é" * 91, "\ud800", "$(x)"]


@pytest.mark.parametrize("name", ESCAPES)
def test_names_cannot_leave_the_folder(tmp_path: Path, name: str) -> None:
    for competition, run in ((name, "run"), ("test", name)):
        with pytest.raises(UsageError, match="cannot be used in a file name") as error:
            submit.target(tmp_path, competition, run, DAY)
        assert str(error.value).isprintable()


@pytest.mark.parametrize("name", ["run", "v1.0", "a..b", "Lauf 3", "größe", "r=2+1", "console", "x" * 180])
def test_ordinary_names_are_taken(tmp_path: Path, name: str) -> None:
    path = submit.target(tmp_path, name, name, DAY)
    assert path.resolve().parent.parent == tmp_path.resolve()
    submit.write(path, lookup(), np.zeros(11))


def test_the_kaggle_line_survives_the_shell() -> None:
    line = submit.kaggle_line("faces", Path("submissions/my run.csv"), 'it\'s "$HOME"\n`x`; rm')
    words = ["kaggle", "competitions", "submit", "-c", "faces", "-f", "submissions/my run.csv", "-m"]
    assert shlex.split(line) == [*words, 'it\'s "$HOME" `x`; rm']
    assert "\n" not in line


# --- Kaggle's own tables ---


def test_the_real_tables(tmp_path: Path) -> None:
    folder = os.environ.get("KPTOOL_DATA_FKD")
    if not folder:
        pytest.skip("KPTOOL_DATA_FKD does not name the real data")
    import pandas as pd

    sample = pd.read_csv(Path(folder) / "SampleSubmission.csv")["RowId"].to_numpy(np.int64)
    asked = pd.read_csv(Path(folder) / "IdLookupTable.csv")
    axis = np.array([name.strip().endswith("_y") for name in asked["FeatureName"]], dtype=np.int64)
    ids, image = asked["RowId"].to_numpy(np.int64), asked["ImageId"].to_numpy(np.int64) - 1
    table = Lookup(ids, image, np.zeros_like(ids), axis, "real")
    sizes = np.full((1783, 2), 96)
    assert len(sample) == len(table.row_ids) == 27124
    submit.write(tmp_path / "a.csv", table, np.linspace(0, 96, 27124))
    submit.validate(tmp_path / "a.csv", table, sample, sizes)
    submit.validate(Path(folder) / "SampleSubmission.csv", table, sample, sizes)
    with pytest.raises(KptoolError, match=r"IdLookupTable.csv:1: the header"):
        submit.validate(Path(folder) / "IdLookupTable.csv", table, sample, sizes)
