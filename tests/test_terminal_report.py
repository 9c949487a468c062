"""Law: every section of the terminal report can be had alone, fits its console and says all without colour."""

from __future__ import annotations

import io
import json
import math
import re
import shutil
import sys
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any, get_args

import numpy as np
import pytest
from own_competition import write_own
from rich.cells import cell_len
from rich.color import Color
from rich.console import Console, RenderableType
from rich.segment import Segment
from test_report import outcome
from typer.testing import CliRunner

from kptool.cli import app
from kptool.errors import UsageError
from kptool.geometry import Bytes
from kptool.report import Report, build
from kptool.report.canvas import Canvas, Ink
from kptool.report.details import (
    Calibration,
    Ced,
    Coverage,
    FacePoint,
    FoldCurve,
    GroupScore,
    MeanFace,
    Radius,
    Rates,
    Remedy,
)
from kptool.report.face_drawing import draw, levels
from kptool.report.half_blocks import NONE, Gallery, Portrait, picture
from kptool.report.pen import FILLED, HEIGHTS, RAMP, Pen
from kptool.report.terminal import SECTIONS, Section, render

WIDTHS = [80, 90, 100, 120, 150, 200]
NAN = math.nan
# A word that only one section says.
OWN: dict[Section, str] = {
    "schemes": "complete rows",
    "folds": "\nfold 2",
    "points": "Mean face",
    "faces": "Kinds of faces",
    "curves": "Training",
}


def full(**changes: Any) -> Report:
    """A report in which nothing is missing, with details made up by hand."""
    made = build(outcome(), details=False)
    names = [point.name for point in made.points]
    schemes = list(made.metrics.by_scheme)
    places = [(66, 37), (30, 37), (48, 62), (48, 78), (81, 30)]
    errors = [1.0, 1.2, 2.0, 1.5, 3.0]
    radii = tuple(Radius(name, 2.5, 2.5, dict.fromkeys(schemes, 2.5)) for name in names)
    held = tuple(Coverage(f"fold {f}", 100, 0.88 + f / 50) for f in range(3))
    steps = tuple(float(v) for v in np.linspace(0, 8, 41))
    details: dict[str, Any] = {
        "lead": replace(made.lead, low=0.91, high=1.13),
        "best": made.worst[::-1],
        "calibration": Calibration(
            0.9, radii, Coverage("all", 300, 0.897), held, tuple(Coverage(s, 150, 0.9) for s in schemes), 0.97, 3.1
        ),
        "curves": tuple(
            FoldCurve(f, (1, 2, 3, 4), (4.0, 2.0, 1.0, 0.5), (9.0, NAN, 1.5 + f, 1.25 + f), (1.0, 2.0, 3.0, 4.0))
            for f in range(3)
        ),
        "rates": Rates({"lr": 0.002, "muon_lr": 0.15}, (0.0, 1.0, 2.0, 3.0, 4.0), (0.0, 1.0, 0.5, 0.2, 0.0)),
        "groups": (
            GroupScore("size", "small", "under 18 px", 70, 300, 2.5, 2.1, 2.9, 4.0),
            GroupScore("size", "large", "18 px and more", 73, 320, 0.8, 0.7, 0.9, 4.0),
            GroupScore("turn", "turned to the picture's left", "nose line over 10 % left", 30, 90, 1.1, 0.2, 9.0, 5.0),
            GroupScore("turn", "facing the camera", "nose line within 10 %", 113, 500, 0.9, NAN, NAN, 4.0),
        ),
        "mean_face": MeanFace(
            (96, 92),
            tuple(
                FacePoint(name, *at, rmse, 1.0, 0.0, 1.0, 0.0, 0.0)
                for name, at, rmse in zip(names, places, errors, strict=True)
            ),
            ((0, 4), (2, 3)),
        ),
        "ced": Ced("px", None, steps, tuple(min(1.0, s / 4) for s in steps), tuple(s / 16 for s in steps), 143),
        "remedies": (Remedy("under-fitting", "the held-out error was still falling.", ("train.epochs = 48",)),),
    }
    return replace(made, **(details | changes))


def shown(report: Report, width: int = 100, *sections: Section, gallery: Gallery = NONE, **options: Any) -> str:
    file = io.StringIO()
    render(report, Console(file=file, width=width, **options), sections, gallery)
    return file.getvalue()


def in_ascii(report: Report, width: int, gallery: Gallery = NONE) -> str:
    raw = io.BytesIO()
    file = io.TextIOWrapper(raw, encoding="ascii", errors="strict")
    render(report, Console(file=file, width=width), SECTIONS, gallery)
    file.flush()
    return raw.getvalue().decode("ascii")


def portraits(report: Report, channels: int = 1) -> Gallery:
    rng = np.random.default_rng(3)
    points = rng.uniform(0, 20, (5, 2))
    each = tuple(
        Portrait(face, rng.integers(0, 256, (channels, 23, 31), dtype=np.uint8), points, points + 3.0, 2)
        for face in report.worst
    )
    return Gallery(each, each[::-1])


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("ascii_only", [False, True])
def test_every_line_fits_and_nothing_is_cut(width: int, ascii_only: bool) -> None:
    report = full()
    gallery = portraits(report)
    text = in_ascii(report, width, gallery) if ascii_only else shown(report, width, *SECTIONS, gallery=gallery)
    assert max(map(cell_len, text.splitlines())) <= width
    assert "…" not in text
    for words in (*OWN.values(), "TRY train.epochs = 48", "95% interval 0.910 to 1.130 px", "Best 10", "89.7"):
        assert words in text, words


@pytest.mark.parametrize("width", [80, 100, 200])
def test_a_console_of_256_colours_has_the_same_words(width: int) -> None:
    report = full()
    coloured = shown(report, width, force_terminal=True, color_system="256")
    assert "\x1b[" in coloured
    assert re.sub(r"\x1b\[[0-9;]*m", "", coloured) == shown(report, width)


@pytest.mark.parametrize("section", get_args(Section))
def test_a_section_shows_itself_and_no_other(section: Section) -> None:
    text = shown(full(), 100, section)
    assert OWN[section] in text
    assert not [other for other, words in OWN.items() if other != section and words in text]
    first = [text.index(words) for words in ("RMSE ", "TRY ", OWN[section])]
    assert first == sorted(first)


def test_sections_combine_in_their_order_and_none_means_all() -> None:
    text = shown(full(), 100, "curves", "points")
    assert text.index(OWN["points"]) < text.index(OWN["curves"])
    assert OWN["faces"] not in text
    places = [shown(full()).index(words) for words in OWN.values()]
    assert places == sorted(places)


def test_what_is_missing_leaves_no_trace() -> None:
    bare = build(outcome(), details=False)
    text = shown(bare, 100, *SECTIONS)
    for words in ("radius", "interval", "TRY", "Mean face", "Kinds", "within an error", "Held-out", "Training", "Best"):
        assert words not in text, words
    assert shown(bare, 100, *SECTIONS, gallery=NONE) == text
    assert "NOTE No pictures of faces: the data is gone" in shown(
        bare, 100, "faces", gallery=Gallery(why="the data is gone")
    )


def test_radii_that_nothing_judged_say_nothing_of_folds() -> None:
    report = full()
    assert report.calibration is not None
    lost = replace(report.calibration, overall=Coverage("all", 0, NAN))
    text = shown(replace(report, calibration=lost), 120)
    assert "90% = radius that is to hold 90% ·" in text
    assert "radius %" not in text
    assert "made from the other folds" not in text


def test_each_fold_and_scheme_has_its_coverage() -> None:
    text = shown(full(), 100, "folds", "schemes")
    for name, share in {"fold 0": "88.0", "fold 1": "90.0", "fold 2": "92.0", "all labelled": "89.7"}.items():
        (line,) = [line for line in text.splitlines() if line.startswith(name)]
        assert line.split()[-1] == share
    assert any(line.startswith("5 points") and " 90.0 " in line for line in text.splitlines())


@pytest.mark.parametrize("hostile", ["[red]x\x1b[31m<script>", "a\nb", "\u202egnp.exe", ":smile:"])
def test_hostile_words_stay_text(hostile: str) -> None:
    report = full()
    face = replace(report.worst[0], id=hostile, worst_point=hostile)
    group = replace(report.groups[0], name=hostile, range=hostile)
    points = tuple(replace(point, name=hostile) for point in report.points[:1])
    remedy = Remedy("collapse", hostile, (hostile,))
    report = replace(report, worst=(face,), points=points, groups=(group,), remedies=(remedy,))
    gallery = replace(portraits(report), why=hostile)
    for text in (shown(report, 100, *SECTIONS, gallery=gallery), in_ascii(report, 100, gallery)):
        assert not [c for c in text if c != "\n" and not c.isprintable()]
        spelt = "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in hostile)
        assert text.count(spelt) >= 7  # points, kinds and their words, faces twice, pictures, note, remedy twice


# --- the mean face ---


def face_of(report: Report, width: int, height: int) -> list[str]:
    file = io.StringIO()
    block = draw(Pen(Console(file=file, width=width)), report, height)
    assert block is not None
    Console(file=file, width=width).print(block)
    lines = file.getvalue().splitlines()
    (legend,) = [row for row, line in enumerate(lines) if " to " in line]
    return lines[legend + 1 :]


def where(lines: list[str], sign: str) -> list[tuple[int, int]]:
    return [(column, row) for row, line in enumerate(lines) for column, c in enumerate(line) if c == sign]


@pytest.mark.parametrize(("width", "height"), [(80, 20), (60, 36), (52, 60), (200, 12)])
def test_the_mean_face_stands_upright_and_keeps_its_shape(width: int, height: int) -> None:
    report = full()
    assert report.mean_face is not None
    square = [(20.0, 10.0), (60.0, 10.0), (20.0, 50.0), (60.0, 50.0), (25.0, 20.0)]
    points = tuple(
        replace(point, x=x, y=y, rmse=rmse)
        for point, (x, y), rmse in zip(report.mean_face.points, square, (1, 2, 3, 4, 5), strict=True)
    )
    lines = face_of(replace(report, mean_face=MeanFace((96, 92), points, ())), width, height)
    assert len(lines) <= height
    assert max(map(len, lines)) <= width
    (one,), (two,), (three,), (four,), (five,) = (where(lines, sign) for sign in FILLED)
    assert one[1] == two[1] < five[1] < three[1] == four[1]
    assert one[0] == three[0] < five[0] < two[0] == four[0]
    # A cell is twice as high as wide, and each place is rounded to one.
    assert two[0] - one[0] == pytest.approx(2 * (three[1] - one[1]), abs=2)


def test_the_mean_face_tells_error_by_shape_and_bias_by_an_arrow() -> None:
    report = full()
    assert report.mean_face is not None
    steps, ends = levels(np.array([1.0, 1.2, 2.0, 1.5, 3.0, NAN]))
    assert steps.tolist() == [0, 0, 2, 1, 4, -1]
    assert ends[-1] == 3.0
    assert levels(np.array([2.0, 2.0]))[0].tolist() == [0, 0]
    lines = face_of(report, 80, 20)
    assert [len(where(lines, sign)) for sign in FILLED] == [2, 1, 1, 0, 1]
    assert not set("→↘↓↙←↖↑↗") & set("".join(lines))
    points = tuple(replace(point, dx=-2.0 if k == 4 else 0.0) for k, point in enumerate(report.mean_face.points))
    lines = face_of(replace(report, mean_face=replace(report.mean_face, points=points)), 80, 20)
    (arrow,), (worst,) = where(lines, "←"), where(lines, "●")
    assert arrow == (worst[0] - 1, worst[1])


@pytest.mark.parametrize("count", [0, 1, 2])
def test_fewer_points_than_make_a_face_are_not_drawn(count: int) -> None:
    report = full()
    assert report.mean_face is not None
    few = MeanFace((96, 92), report.mean_face.points[:count], ())
    assert "Mean face" not in shown(replace(report, mean_face=few))


def contrast(one: str, two: str) -> float:
    """The contrast ratio of WCAG 2.1, 1.4.3."""

    def luminance(colour: str) -> float:
        rgb = np.array(Color.parse(colour).get_truecolor()) / 255
        linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
        return float(linear @ [0.2126, 0.7152, 0.0722])

    bright, dark = sorted((luminance(one), luminance(two)), reverse=True)
    return (bright + 0.05) / (dark + 0.05)


@pytest.mark.parametrize("colour", RAMP)
@pytest.mark.parametrize("ground", ["#000000", "#ffffff"])
def test_every_step_can_be_seen_on_black_and_on_white(colour: str, ground: str) -> None:
    assert contrast(colour.removeprefix("bold "), ground) >= 3


# --- curves ---


def test_lines_are_drawn_where_they_run() -> None:
    canvas = Canvas(Pen(Console(file=io.StringIO())), 5, 3)
    canvas.path([0, 9], [0, 0], Ink("", "*"))
    canvas.path([0, 0], [4, 11], Ink("", "*"))
    canvas.path([4, math.nan, 6], [8, 8, 8], Ink("", "*"))
    canvas.path([-50, 50], [400, 400], Ink("", "*"))
    assert [line.plain for line in canvas.lines()] == ["⠉⠉⠉⠉⠉", "⡇    ", "⡇    "]
    dashed = Canvas(Pen(Console(file=io.StringIO())), 4, 1)
    dashed.path([0, 3, 7], [0, 0, 0], Ink("", "*", (2, 2)))
    assert dashed.lines()[0].plain == "⠉ ⠉ "


def test_the_curves_start_and_end_where_they_should() -> None:
    text = shown(full(), 100, "curves")
    assert "50% within 2.00 px, 90% within 3.60 px" in text  # shares are steps / 4
    assert "50% within 8.00 px" in text  # the mean shape's never reach 90%
    training = text[text.index("Training") :].splitlines()
    for fold in range(3):
        (line,) = [line for line in training if line.split()[:1] == [str(fold)]]
        spark, *figures = line.split()[1:]
        assert spark == "█▆▃▁"  # by halves: even steps on a log scale
        assert figures == ["4", "0.5", "4", f"{1.25 + fold:.3f}", "4", f"{1.25 + fold:.3f}", "4", "s"]
    (rate,) = [line for line in training if line.startswith("rate")]
    assert "peak lr 0.002, muon_lr 0.15" in rate


def test_a_sparkline_has_the_heights_of_its_values() -> None:
    pen = Pen(Console(file=io.StringIO()))
    assert pen.spark([float(2**k) for k in range(8)], 20).plain == HEIGHTS
    assert pen.spark([1.0, 1.0], 20, log=False).plain == HEIGHTS[-1] * 2
    assert pen.spark([0.0, NAN, 7.0], 20, log=False).plain == f"{HEIGHTS[0]} {HEIGHTS[-1]}"
    assert len(pen.spark([1.0] * 201, 16).plain) == 16
    assert pen.spark([], 16).plain == ""


# --- kinds of faces ---


def test_only_a_kind_beyond_its_interval_is_said_to_fail() -> None:
    text = " ".join(shown(full(), 100, "faces").split())
    times = 2.5 / full().lead.score.value
    assert f"Fails most: small (under 18 px) 2.500 px, {times:.2f} times all" in text
    assert "by turn no kind is worse than all images beyond its interval" in text
    assert "2.100 to 2.900" in text


def test_an_interval_is_drawn_around_its_score_and_cut_where_it_is_far() -> None:
    lines = shown(full(), 120, "faces").splitlines()
    (small,) = [line for line in lines if line.startswith("small (size)")]
    (turned,) = [line for line in lines if line.startswith("turned to")]
    assert re.search(r"┆ *─*●[─>]", small)
    assert "●" in turned
    assert ">" in turned


# --- pictures ---


def plain_face(image: Bytes, **changes: Any) -> Portrait:
    nowhere = np.full((2, 2), NAN)
    made = Portrait(build(outcome(), details=False).worst[0], image, nowhere, nowhere, 0)
    return replace(made, **changes)


def drawn(portrait: Portrait, width: int, coloured: bool = True) -> list[list[Any]]:
    """Each cell's character, colour and background."""
    options: dict[str, Any] = {"force_terminal": True, "color_system": "truecolor"} if coloured else {}
    console = Console(file=io.StringIO(), width=100, **options)
    block: RenderableType = picture(Pen(console), portrait, width)
    lines = Segment.split_lines(console.render(block))
    out = []
    for line in lines:
        row = []
        for segment in line:
            style = segment.style
            pair = (style.color, style.bgcolor) if style else (None, None)
            rgb = [None if c is None else tuple(c.get_truecolor()) for c in pair]
            row += [(c, *rgb) for c in segment.text]
        out.append(row)
    return out


def test_a_picture_has_the_colours_of_its_image() -> None:
    image = np.zeros((3, 40, 60), dtype=np.uint8)
    image[0, :20, :30], image[1, :20, 30:], image[2, 20:, :30] = 200, 150, 100
    rows = drawn(plain_face(image), 6)
    assert (len(rows), len(rows[0])) == (2, 6)  # 60 x 40 px in 6 cells of 1 x 2
    for row in rows:
        assert {c for c, *_ in row} == {"▀"}
    assert rows[0][0][1:] == rows[0][1][1:] == ((200, 0, 0), (200, 0, 0))
    assert rows[0][5][1:] == ((0, 150, 0), (0, 150, 0))
    assert rows[1][0][1:] == ((0, 0, 100), (0, 0, 100))
    grey = np.full((1, 46, 31), 77, dtype=np.uint8)
    grey[:, 23:] = 180
    rows = drawn(plain_face(grey), 4)
    assert rows[0][0][1:] == ((77, 77, 77), (77, 77, 77))
    assert rows[-1][0][1:] == ((180, 180, 180), (180, 180, 180))
    assert len(rows) == round(4 * 46 / 31 / 2)


def test_label_and_answer_are_marked_where_they_are() -> None:
    image = np.full((1, 40, 60), 99, dtype=np.uint8)
    label, answer = (
        np.array([[0.0, 0.0], [59.0, 39.0], [5.0, 39.0]]),
        np.array([[59.0, 0.0], [-30.0, 3.0], [99.0, 9.0]]),
    )
    rows = drawn(plain_face(image, label=label, answer=answer, worst=1), 6)
    assert (rows[0][0][0], rows[0][5][0], rows[1][5][0], rows[1][0][0]) == ("o", "x", "O", "o")
    assert rows[0][0][2] != rows[0][5][2], "label and answer must differ by colour too"
    assert sum(c != "▀" for row in rows for c, *_ in row) == 4, "what lies outside the picture is not drawn"


def test_a_picture_without_colour_is_in_characters() -> None:
    image = np.zeros((1, 40, 60), dtype=np.uint8)
    image[..., 30:] = 255
    (top, bottom) = drawn(plain_face(image), 6, coloured=False)
    assert [c for c, *_ in top] == [c for c, *_ in bottom] == list("   @@@")


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("width", WIDTHS)
def test_as_many_pictures_as_fit_stand_in_a_row(width: int, channels: int) -> None:
    report = full()
    gallery = portraits(report, channels)
    text = shown(report, width, "faces", gallery=gallery, force_terminal=True, color_system="truecolor")
    plain = re.sub(r"\x1b\[[0-9;]*m", "", text)
    assert max(map(cell_len, plain.splitlines())) <= width
    block = plain[plain.index("Worst images") : plain.index("Best images")]
    ids = [face.id for face in report.worst if re.search(rf"(?<!\S){face.id}(?!\S)", block.split("▀")[-1])]
    assert len(ids) == min(10, (width + 2) // 25)
    default = shown(report, width, gallery=gallery, force_terminal=True, color_system="truecolor")
    assert "Worst images" in default
    assert "Best images" not in default


# --- the command ---


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    own = write_own(tmp_path_factory.mktemp("terminal"))
    runs = own.data.parent / "runs"
    line = ["cv", str(own.competition), "--data", str(own.data), "--epochs", "1", "--runs", str(runs)]
    done = CliRunner().invoke(app, [*line, "--device", "cpu", "--workers", "1"])
    assert done.exit_code == 0, done.output
    (found,) = runs.glob("*/*/config.toml")
    return found.parent


def report(*words: object) -> str:
    done = CliRunner().invoke(app, ["report", *map(str, words)], catch_exceptions=False)
    assert done.exit_code == 0
    return done.output


def test_the_command_takes_sections(run: Path) -> None:
    text = report(run, "--points", "--folds")
    assert "mean of 2 folds" in text
    assert "left_eye" in text
    assert "Worst" not in text
    assert "Training" not in text
    whole = report(run)
    assert "Worst 10 images" in whole
    assert "Training" in whole


def test_pictures_are_drawn_when_asked_for_and_else_only_on_a_terminal(run: Path) -> None:
    text = report(run, "--faces")
    assert "Worst images" in text
    assert "no colours here" in text
    assert "contrast" in text, "the pictures' contrast is a kind of face where they are at hand"
    assert "Worst images" not in report(run)


def test_without_cache_and_data_the_report_stands_and_says_why_there_are_no_pictures(
    run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KPTOOL_CACHE", str(tmp_path / "empty"))
    copy = tmp_path / "run"
    shutil.copytree(run, copy)
    env = json.loads((copy / "env.json").read_text())
    (copy / "env.json").write_text(json.dumps(env | {"data": str(tmp_path / "gone")}))
    assert "NOTE No pictures" not in report(copy)
    text = " ".join(report(copy, "--faces").split())
    assert "NOTE No pictures of faces: " in text
    assert str(tmp_path / "gone") in text.replace(" ", "")  # a path longer than the line is broken
    assert not (tmp_path / "empty" / "frames").exists()


def test_the_page_is_written_where_it_is_wanted(run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    opened: list[str] = []
    seen: list[Any] = []

    def write_page(path: Path, *rest: Any) -> int:
        seen.append((path, *rest))
        return 1_234_567

    monkeypatch.setitem(sys.modules, "kptool.page", SimpleNamespace(write_page=write_page))
    monkeypatch.setattr("typer.launch", opened.append)
    file = tmp_path / "page.html"
    assert report(run, "--html", file) == f"{file}, 1.2 MB\n"
    assert opened == []
    path, at, made, outcome_, arrays, why, _ = seen[0]
    assert (path, at.path, why) == (file, run, "")
    assert made.about.run == run.name
    assert len(arrays.ids) == len(outcome_.ids) == len(outcome_.contrast)
    assert "left_eye" in report(run, "--html", file, "--points")
    assert json.loads(report(run, "--open", "--json").partition("\n{")[2].join(["{", ""]))["format"] == 1
    assert seen[-1][0] == run / "report.html"
    assert opened == [(run / "report.html").resolve().as_uri()]


@pytest.mark.parametrize("name", ["", "page.txt", "page"])
def test_a_page_needs_a_name_that_ends_in_html(run: Path, tmp_path: Path, name: str) -> None:
    done = CliRunner().invoke(app, ["report", str(run), "--html", str(tmp_path / name)])
    assert isinstance(done.exception, UsageError)
    assert "name a file such as report.html" in str(done.exception)
