"""Law: a page is one file that holds its faces as text, asks for nothing, and is the same for the same run."""

from __future__ import annotations

import base64
import hashlib
import io
import json
import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
from compared_runs import NME, own, photos, write_run
from photo_competition import trained
from PIL import Image

from kptool import metrics
from kptool.geometry import Affine, Floats, identity
from kptool.page import gallery, looking, write_page
from kptool.page.choice import choose, image_scores
from kptool.page.images import columns_of, filters_uri, picture_uri, tiles_uri
from kptool.page.spelling import script_json, spelt
from kptool.pictures import open_frames
from kptool.pixels import Arrays
from kptool.report import Outcome, Report, build
from kptool.report.load import load
from kptool.report.scored import scored
from kptool.runs import Run, open_run
from kptool.schema import Schema

HOSTILE = (
    '"><img src=x onerror=alert(1)>.png',
    "</script><script>alert(1)</script>",
    "{{7*7}}{% raw %}",
    "\u202egnp.exe\u2066",
    "]]>--><svg onload=alert(1)>",
    "a\u2028b\x00c\udc80$\\frac$",
)
POINTS = ("<i>eye</i>", "$\\frac$", '" onmouseover="alert(1)', "\u202enihc\x07")


class Made(NamedTuple):
    run: Run
    outcome: Outcome
    report: Report
    arrays: Arrays


class Reader(HTMLParser):
    """The elements of a page, each with its attributes, and the text inside scripts."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str]]] = []
        self.inside: dict[str, list[str]] = {"script": [], "style": [], "title": []}
        self._open = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, {name: value or "" for name, value in attrs}))
        self._open = tag
        if tag in self.inside:
            self.inside[tag].append("")

    def handle_endtag(self, tag: str) -> None:
        assert tag
        self._open = ""

    def handle_data(self, data: str) -> None:
        if self._open in self.inside:
            self.inside[self._open][-1] += data


def made(folder: Path, hostile: bool = True) -> Made:
    """A run of 101 faces whose frames are 80 x 64 px, half as large as the photos and moved."""
    data = photos()
    ids = [*HOSTILE, *data.ids[len(HOSTILE) :]] if hostile else data.ids
    errors = np.random.default_rng(1).normal(0, 2, (101, 4, 2))
    written = data._replace(ids=data.ids)
    run = open_run(write_run(folder / "runs" / "made", own(folder / "own"), written, errors))
    outcome = load(run)
    to_frame = Affine(np.tile([[0.5, 0, 3], [0, 0.5, -1], [0, 0, 1.0]], (101, 1, 1)))
    schema: Schema = replace(outcome.schema, points=POINTS if hostile else outcome.schema.points)
    outcome = replace(outcome, ids=np.array(ids), to_frame=to_frame, size=(80, 64), schema=schema)
    if hostile:
        outcome = replace(outcome, title="</title><script>alert(2)</script>{{7*7}}", run="<b>run</b>")
    images = np.random.default_rng(2).integers(0, 255, (101, 1, 64, 80), dtype=np.uint8)
    arrays = Arrays(outcome.ids, images, to_frame(outcome.truth), to_frame, schema, identity(), (80, 64))
    return Made(run, outcome, build(outcome), arrays)


def write(page: Made, path: Path, arrays: bool = True, **more: Any) -> str:
    size = write_page(path, page.run, page.report, page.outcome, page.arrays if arrays else None, **more)
    assert path.stat().st_size == size
    return path.read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> tuple[Made, str]:
    folder = tmp_path_factory.mktemp("page")
    one = made(folder)
    return one, write(one, folder / "page.html")


def data_of(text: str) -> Any:
    return json.loads(Reader(text).inside["script"][0])


def test_hostile_names_stay_text(page: tuple[Made, str]) -> None:
    text = page[1]
    reader = Reader(text)
    assert [tag for tag, _ in reader.elements].count("script") == 2
    assert {"img", "iframe", "object", "base", "form"} & {tag for tag, _ in reader.elements} == set()
    assert [attributes for _, attributes in reader.elements if any(name.startswith("on") for name in attributes)] == []
    assert "49" not in re.findall(r"<title>(.*?)</title>", text)[0]
    assert not any(c in text for c in "\u202e\u2066\u2028\x00\x07")
    ids = {face["id"] for face in data_of(text)["faces"]}
    assert ids == {spelt(str(name)) for name in page[0].outcome.ids}
    assert data_of(text)["points"] == [spelt(name) for name in POINTS]


def test_nothing_leaves_the_page(page: tuple[Made, str]) -> None:
    reader = Reader(page[1])
    for tag, attributes in reader.elements:
        for name in ("src", "href", "xlink:href", "srcset", "action", "data"):
            if name in attributes:
                assert attributes[name].startswith(("#", "data:")), (tag, attributes[name])
    assert "@import" not in page[1]
    assert not re.search(r"url\((?!#)", page[1])


def test_the_policy_names_the_one_style_and_the_one_script(page: tuple[Made, str]) -> None:
    reader = Reader(page[1])
    (policy,) = [a["content"] for t, a in reader.elements if a.get("http-equiv") == "Content-Security-Policy"]
    assert policy.startswith("default-src 'none'; img-src data:;")
    assert "unsafe" not in policy
    for text in (reader.inside["style"][0], reader.inside["script"][1]):
        assert base64.b64encode(hashlib.sha256(text.encode()).digest()).decode() in policy
    assert not [attributes for _, attributes in reader.elements if "style" in attributes], "the policy would drop it"


def test_every_drawing_has_a_title_and_words_and_ids_are_one_of_a_kind(page: tuple[Made, str]) -> None:
    elements = Reader(page[1]).elements
    ids = [attributes["id"] for _, attributes in elements if "id" in attributes]
    assert len(ids) == len(set(ids))
    drawings = [a for tag, a in elements if tag == "svg" and a.get("role") == "img"]
    assert len(drawings) >= 6
    for one in drawings:
        assert set(one["aria-labelledby"].split()) <= set(ids)
    named = [a[name] for _, a in elements for name in ("aria-labelledby", "for") if name in a]
    assert all(set(words.split()) <= set(ids) for words in named)


def test_the_same_run_gives_the_same_bytes(page: tuple[Made, str], tmp_path: Path) -> None:
    assert write(page[0], tmp_path / "again.html") == page[1]


def test_points_are_told_in_the_frame_and_errors_in_the_original(page: tuple[Made, str]) -> None:
    outcome = page[0].outcome
    place = {spelt(str(name)): n for n, name in enumerate(outcome.ids)}
    for face in data_of(page[1])["faces"]:
        row = place[face["id"]]
        truth, answer = outcome.truth[row], outcome.predicted[row]
        shown = np.array(face["truth"], dtype=np.float64).reshape(4, 2)
        np.testing.assert_allclose(shown, truth * 0.5 + [3, -1], atol=0.006)
        # Points that a face's scheme never labels were taught to none of its outputs: such answers are not shown.
        taught = np.isfinite(outcome.truth[outcome.scheme == outcome.scheme[row]]).all(-1).any(0)
        wanted = np.where(taught[:, None], answer * 0.5 + [3, -1], np.nan)
        found = np.array(face["answer"], dtype=np.float64).reshape(4, 2)
        np.testing.assert_allclose(found, wanted, atol=0.006)
        away = np.array(face["away"], dtype=np.float64)
        np.testing.assert_allclose(away, np.hypot(*(answer - truth).T), atol=0.006)
        each = np.square(answer - truth)
        assert face["error"] == pytest.approx(np.sqrt(each[np.isfinite(each)].mean()), abs=1e-3)


def test_pictures_are_those_of_their_faces(page: tuple[Made, str]) -> None:
    names = [spelt(str(name)) for name in page[0].outcome.ids]
    for face in data_of(page[1])["faces"][:7]:
        found = decode(face["picture"])
        wanted = page[0].arrays.images[names.index(face["id"]), 0]
        assert found.shape[:2] == (64, 80)
        assert np.corrcoef(found[..., 0].ravel(), wanted.ravel())[0, 1] > 0.9


def decode(uri: str) -> Floats:
    picture = Image.open(io.BytesIO(base64.b64decode(uri.partition("base64,")[2])))
    return np.asarray(picture.convert("RGBA"), dtype=np.float64)


def test_a_page_without_pictures_or_weights_says_why(page: tuple[Made, str], tmp_path: Path) -> None:
    plain = write(made(tmp_path, hostile=False), tmp_path / "plain.html")
    assert plain.count("fold-2: no whole checkpoint") == 2, "the made-up run has no weights: no maps, no filters"
    text = write(page[0], tmp_path / "bare.html", arrays=False, why="the data <is> gone")
    assert "the data &lt;is&gt; gone" in text
    assert all("picture" not in face for face in data_of(text)["faces"])


def test_a_page_keeps_to_its_bytes(page: tuple[Made, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gallery, "BYTES", 40_000)
    text = write(page[0], tmp_path / "short.html")
    faces = data_of(text)["faces"]
    assert 3 < len(faces) < 30
    assert f"{len(faces)} of 101 faces" in text
    assert sum(len(json.dumps(face)) for face in faces) < 40_000
    assert {kind for face in faces for kind in face["kinds"]} == {0, 1, 2, 3}, "some of each, as the page says"


@pytest.mark.parametrize("little", ["no normaliser", "one fold, no history", "one point, no error", "one epoch"])
def test_runs_of_little_still_make_a_page(tmp_path: Path, little: str) -> None:
    data, competition, errors, more = photos(31), own(tmp_path / "own"), 1.5, dict[str, Any]()
    if little == "no normaliser":
        competition = own(tmp_path / "nme", NME, "nme")
        data.truth[:, :2] = np.nan
    elif little == "one fold, no history":
        more = {"finished": (1,), "history": False}
    elif little == "one point, no error":
        data.truth[:, [0, 1, 3]], errors = np.nan, 0.0
    else:
        more = {"settings": ("train.epochs=1",)}
    run = open_run(write_run(tmp_path / "runs" / "a", competition, data, errors, **more))
    outcome = load(run)
    one = Made(run, outcome, build(outcome), made(tmp_path / "made").arrays)
    text = write(one, tmp_path / "page.html", arrays=False)
    labelled = np.isfinite(outcome.truth[outcome.fold >= 0]).any((1, 2))
    assert len(data_of(text)["faces"]) == int(labelled.sum())
    assert ("NME" if little == "no normaliser" else "RMSE") in Reader(text).inside["title"][0]


def test_who_is_chosen(tmp_path: Path) -> None:
    found = scored(made(tmp_path, hostile=False).outcome)
    away, each = metrics.lengths(found.errors), image_scores(found)
    assert choose(found, 101).whole
    chosen = choose(found, 20)
    assert len(chosen.rows) == len(set(chosen.rows.tolist())) == 20
    assert not chosen.whole
    by_kind = {kind: [int(r) for r, k in zip(chosen.rows, chosen.kinds, strict=True) if kind in k] for kind in range(4)}
    worst = np.argsort(-each)
    assert set(worst[:5].tolist()) <= set(by_kind[0])
    assert set(worst[-5:].tolist()) <= set(by_kind[2])
    assert set(np.nanargmax(away, axis=0).tolist()) <= set(by_kind[1])
    assert len(by_kind[3]) >= 4
    assert choose(found, 20).rows.tolist() == chosen.rows.tolist()


def test_ticks_end_where_they_said(page: tuple[Made, str], tmp_path: Path) -> None:
    told: list[tuple[int, int]] = []
    write(page[0], tmp_path / "told.html", tick=lambda done, of: told.append((done, of)))
    assert told[-1][0] == told[-1][1]
    assert [done for done, _ in told] == sorted(done for done, _ in told)
    assert len({of for _, of in told}) == 1


def test_where_the_models_look_is_asked_of_the_fold_that_held_the_face_out(
    tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    run = open_run(trained(tmp_path_factory.getbasetemp()).run)
    outcome = load(run)
    arrays = open_frames(run)
    text = write(Made(run, outcome, build(outcome), arrays), tmp_path / "photos.html")
    data = data_of(text)
    looks = data["looks"]
    assert (looks["kind"], looks["count"], looks["columns"]) == ("heat", 4, 2)
    assert looks["width"] / looks["height"] == pytest.approx(72 / 60, abs=0.05)
    assert data["size"] == [72, 60]
    for face in data["faces"]:
        assert decode(face["maps"]).shape[:2] == (2 * looks["height"], 2 * looks["width"])
    assert re.search(r'alt="The \d+ filters of backbone\.stem', text)
    rows = np.arange(len(outcome.ids))
    asked = looking.looking(run, arrays, rows, outcome.fold, int)
    other = looking.looking(run, arrays, rows, 1 - outcome.fold, int)
    assert set(asked.maps) == set(other.maps) == set(rows.tolist())
    assert all(asked.maps[row] != other.maps[row] for row in rows.tolist())
    place = {str(name): n for n, name in enumerate(outcome.ids)}
    assert all(face["maps"] == asked.maps[place[face["id"]]] for face in data["faces"])


def test_tiles_and_filters_come_back() -> None:
    maps = np.zeros((5, 6, 9), dtype=np.float32)
    for k in range(5):
        maps[k, k, :] = 1
    sheet, columns = decode(tiles_uri(maps))[..., 0], columns_of(5)
    assert sheet.shape == (12, 27)
    for k in range(5):
        top, left = k // columns * 6, k % columns * 9
        tile = sheet[top : top + 6, left : left + 9]
        assert tile.mean(1).argmax() == k
    weights = np.zeros((3, 1, 2, 2), dtype=np.float32)
    weights[1, 0, 0, 0], weights[2, 0, 1, 1] = 2, -0.1
    drawn = decode(filters_uri(weights))
    assert drawn.shape == (2, 8, 4)
    assert drawn[0, 2, 3] == drawn[1, 5, 3] == 0, "gaps are clear"
    assert drawn[0, 3].tolist() == [213, 94, 0, 255]
    assert drawn[1, 7].tolist() == [0, 90, 160, 255]
    assert drawn[0, 0].tolist() == [250, 250, 250, 255]


def test_colours_stay() -> None:
    image = np.zeros((3, 12, 20), dtype=np.uint8)
    image[0], image[2] = 200, 40
    assert np.abs(decode(picture_uri(image)).mean((0, 1))[:3] - [200, 0, 40]).max() < 12


def test_json_in_a_script_is_only_data() -> None:
    value = {"a": ["</script>", "<!--", "&amp;", "\u2028\u2029", float("nan"), 1.5, None]}
    text = script_json(value)
    assert not set("<>&\u2028\u2029") & set(text)
    assert json.loads(text) == {"a": ["</script>", "<!--", "&amp;", "\\u2028\\u2029", None, 1.5, None]}
