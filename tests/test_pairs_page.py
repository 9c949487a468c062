"""Law: a page on pairs is one file with its pairs as text, each picture once, that asks for nothing and stays small."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
from compared_pairs import drawn, own, pairs, write_run
from made_pairs import made_pairs
from test_page import HOSTILE, Reader, data_of, decode
from test_page_browser import Opened, browser
from test_page_browser import page as opened

from kptool.geometry import Affine
from kptool.page import pairs_gallery, write_pairs_page
from kptool.page.pairs_gallery import KINDS, LOT, choose_pairs
from kptool.page.spelling import spelt
from kptool.pixels import Arrays
from kptool.runs import Run, open_run
from kptool.schema import Schema
from kptool.verification import PairOutcome, PairReport, build
from kptool.verification.judged import judge

__all__ = ["browser", "opened"]  # its fixtures; the page that they open is `written` of this file
BYTES = 5_000_000


class Made(NamedTuple):
    run: Run
    outcome: PairOutcome
    report: PairReport
    arrays: Arrays


def made_of(run: Run, outcome: PairOutcome) -> Made:
    """With pictures of noise, of which no two are alike, a margin around what the model is shown."""
    count, (width, height) = len(outcome.images), outcome.size
    images = np.random.default_rng(2).integers(0, 255, (count, 1, height // 4, width // 4), dtype=np.uint8)
    images = np.pad(images.repeat(4, 2).repeat(4, 3), ((0, 0), (0, 0), (3, 3), (2, 2)))
    moved = Affine(np.array([[1.0, 0, -2], [0, 1, -3], [0, 0, 1]]))
    every = Affine(np.tile(np.eye(3), (count, 1, 1)))
    return Made(run, outcome, build(outcome), Arrays(outcome.images, images, np.zeros((count, 0, 2)), every,
                                                     Schema("made", ()), moved, outcome.size))  # fmt: skip


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    folder = tmp_path_factory.mktemp("pairs")
    data = pairs()
    return open_run(write_run(folder / "runs" / "made", own(folder / "own"), data, drawn(data, 2.0)))


def hostile(outcome: PairOutcome) -> PairOutcome:
    ids, images, people = outcome.ids.tolist(), outcome.images.tolist(), outcome.people.tolist()
    for n, name in enumerate(HOSTILE):
        ids[n], images[outcome.first[n]], people[n] = name, f"{name} {n}", f"{name} who"
    title = "</title><script>alert(2)</script>{{7*7}}"
    return replace(outcome, ids=np.array(ids), images=np.array(images), people=np.array(people), title=title,
                   run="<b>run</b>", protocol="<i>view</i>", alignment="{{7*7}}")  # fmt: skip


def write(page: Made, path: Path, arrays: bool = True, **more: Any) -> str:
    size = write_pairs_page(path, page.run, page.report, page.outcome, page.arrays if arrays else None, **more)
    assert path.stat().st_size == size
    return path.read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def page(run: Run, tmp_path_factory: pytest.TempPathFactory) -> tuple[Made, str, Path]:
    one, path = made_of(run, hostile(made_pairs(pairs=67))), tmp_path_factory.mktemp("page") / "page.html"
    return one, write(one, path), path


def test_hostile_names_stay_text(page: tuple[Made, str, Path]) -> None:
    reader = Reader(page[1])
    tags = [tag for tag, _ in reader.elements]
    assert tags.count("script") == 2
    assert not {"img", "iframe", "object", "base", "form", "i"} & set(tags)
    assert [a for _, a in reader.elements if "style" in a or any(name.startswith("on") for name in a)] == []
    assert not any(c in page[1] for c in "\u202e\u2066\u2028\x00\x07")
    assert "49" not in reader.inside["title"][0]
    assert {pair["id"] for pair in data_of(page[1])["pairs"]} == {spelt(str(name)) for name in page[0].outcome.ids}
    for tag, attributes in reader.elements:
        for name in ("src", "href", "xlink:href", "srcset", "action", "data"):
            assert attributes.get(name, "#").startswith(("#", "data:")), tag
    assert "@import" not in page[1]
    assert not re.search(r"url\((?!#)", page[1])
    ids = [attributes["id"] for _, attributes in reader.elements if "id" in attributes]
    assert len(ids) == len(set(ids))
    named = [a[name] for _, a in reader.elements for name in ("aria-labelledby", "for") if name in a]
    assert all(set(words.split()) <= set(ids) for words in named)


def test_the_same_run_gives_the_same_bytes_and_ticks_end(page: tuple[Made, str, Path], tmp_path: Path) -> None:
    told: list[tuple[int, int]] = []
    assert write(page[0], tmp_path / "again.html", tick=lambda done, of: told.append((done, of))) == page[1]
    assert told[-1][0] == told[-1][1]
    assert [done for done, _ in told] == sorted(done for done, _ in told)


def test_each_picture_is_there_once_and_is_that_of_its_name(page: tuple[Made, str, Path]) -> None:
    one, data = page[0], data_of(page[1])
    names = [picture["name"] for picture in data["pictures"]]
    assert len(names) == len(set(names))
    ends = np.unique([one.outcome.first, one.outcome.second])
    assert set(names) == {spelt(str(one.outcome.images[k])) for k in ends}
    assert page[1].count("data:image/webp") == len(names) < 2 * len(data["pairs"])
    place = {spelt(str(name)): row for row, name in enumerate(one.outcome.images)}
    for picture in data["pictures"][:9]:
        found = decode(picture["uri"])[..., 0]
        wanted = one.arrays.images[place[picture["name"]], 0, 3:-3, 2:-2]
        assert found.shape == wanted.shape == (36, 44)
        assert np.corrcoef(found.ravel(), wanted.ravel())[0, 1] > 0.9


def test_pairs_are_told_as_they_were_answered(page: tuple[Made, str, Path]) -> None:
    outcome, data = page[0].outcome, data_of(page[1])
    found = judge(outcome, outcome.score)
    at = {spelt(str(outcome.ids[row])): n for n, row in enumerate(found.row)}
    for pair in data["pairs"]:
        n = at[pair["id"]]
        row = found.row[n]
        assert pair["same"] == outcome.same[row]
        assert pair["answer"] == (outcome.score[row] >= found.thresholds[pair["fold"]])
        assert pair["score"] == pytest.approx(outcome.score[row], rel=1e-4)
        sure = found.probability[n] if pair["answer"] else 1 - found.probability[n]
        assert pair["confidence"] == pytest.approx(sure, abs=1e-4)
        ends = [data["pictures"][k]["name"] for k in pair["pictures"]]
        assert ends == [spelt(str(outcome.images[k])) for k in (outcome.first[row], outcome.second[row])]
        wrong = {2 if pair["answer"] else 3} if pair["same"] != pair["answer"] else set()
        assert {2, 3} & set(pair["kinds"]) == wrong


def test_the_figures_stand_in_the_page(page: tuple[Made, str, Path]) -> None:
    report, words = page[0].report, " ".join(re.sub(r"<[^>]+>", " ", page[1].partition("<script")[0]).split())
    model = report.model
    assert report.classical is not None
    assert f"accuracy {100 * model.accuracy:.1f} ± {100 * model.standard_error:.1f} %" in words
    assert f"accuracy % {100 * model.accuracy:.1f} {100 * report.classical.accuracy:.1f}" in words
    assert f"AUC {model.auc:.3f} {report.classical.auc:.3f} {model.auc - report.classical.auc:+.3f}" in words
    assert f"Brier {model.brier:.3f} {report.classical.brier:.3f}" in words
    assert "No leak 0 of 67 held-out pairs show a person seen in training; a random split would have 61 %." in words
    assert re.search(r"mean 7\d\.\d|mean \d\d\.\d", words)
    for fold in report.folds:
        assert f"{fold.fold} {fold.pairs} {fold.same} {fold.threshold:.3f} {100 * fold.accuracy:.1f}" in words
    assert page[1].count('role="img"') == 8, "seven drawings, and one that the script fills"


def test_a_page_without_pictures_says_why(page: tuple[Made, str, Path], tmp_path: Path) -> None:
    text = write(page[0], tmp_path / "bare.html", arrays=False, why="the data <is> gone")
    assert "Without pictures: the data &lt;is&gt; gone." in text
    assert "data:image" not in text
    assert len(data_of(text)["pairs"]) == 67


@pytest.mark.parametrize("little", ["no baseline", "one fold", "no history", "all right", "one kind"])
def test_runs_of_little_still_make_a_page(run: Run, tmp_path: Path, little: str) -> None:
    outcome = made_pairs(pairs=51, classical=little != "no baseline", separation=99 if little == "all right" else 1.5)
    if little == "one fold":
        outcome = replace(outcome, fold=np.where(outcome.fold == 1, 1, -1), naive_leak=np.nan)
    elif little == "no history":
        outcome = replace(outcome, history={}, seconds=None, pairs_per_second=None, parameters=None)
    elif little == "one kind":
        outcome = replace(outcome, fold=np.where(outcome.same, outcome.fold, -1))
    one = made_of(run, outcome)
    text = write(one, tmp_path / "page.html")
    assert len(data_of(text)["pairs"]) == int((outcome.fold >= 0).sum())
    assert ("difference" in text.partition("<script")[0]) == (little != "no baseline")
    table = text.partition("<h3>Figures</h3>")[2].partition("<tbody>")[2].partition("</tbody>")[0]
    rows = [row.count("<td") for row in table.split("<tr>")[1:]]
    assert len(rows) >= 6
    assert set(rows) == {1 if little == "no baseline" else 3}
    assert ('id="training"' in text) == (little != "no history")
    assert ('id="people"' in text) == bool(one.report.people)
    assert ("which flatters" in text) == (little == "one fold")


def test_who_is_chosen() -> None:
    outcome = made_pairs(pairs=601, people=40, folds=3)
    found = judge(outcome, outcome.score)
    chosen = choose_pairs(found, 90)
    assert len(chosen.places) == len(set(chosen.places.tolist())) == 90
    assert chosen.of == 601
    by_kind = [{int(at) for at, k in zip(chosen.places, chosen.kinds, strict=True) if kind in k} for kind in range(6)]
    assert all(len(places) >= 9 for places in by_kind), KINDS
    sure = np.where(found.decision, found.probability, 1 - found.probability)
    assert max(sure[~found.right]) == max(sure[list(by_kind[0])])
    assert not found.right[list(by_kind[0] | by_kind[2] | by_kind[3])].any()
    assert found.right[list(by_kind[1])].all()
    away = np.abs(found.score - np.array([found.thresholds[int(k)] for k in found.fold]))
    doubtful = list(by_kind[4])
    assert set(np.argsort(away)[:9].tolist()) <= by_kind[4], "those nearest to their threshold"
    assert max(away[doubtful]) < np.quantile(away, 0.1)
    assert 0 < found.decision[doubtful].mean() < 1, "on both sides of it"
    lot = np.random.default_rng(0).permutation(601)[: len(by_kind[LOT])]
    assert by_kind[LOT] == set(lot.tolist()), "what is shown of the lot was drawn before all that is not"
    assert choose_pairs(found, 90).kinds == chosen.kinds
    whole = choose_pairs(found, 601)
    assert len(whole.places) == 601
    assert not any(LOT in kinds for kinds in whole.kinds)


def test_a_page_keeps_to_its_bytes(
    page: tuple[Made, str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pairs_gallery, "BYTES", 16_000)
    text = write(page[0], tmp_path / "short.html")
    data = data_of(text)
    assert 5 < len(data["pairs"]) < 60
    assert sum(len(json.dumps(one)) for one in data["pairs"] + data["pictures"]) < 17_000
    assert f"{len(data['pairs'])} of 67 scored pairs" in text
    lot = [pair["id"] for pair in data["pairs"] if LOT in pair["kinds"]]
    outcome = page[0].outcome
    drawn_first = judge(outcome, outcome.score).row[np.random.default_rng(0).permutation(67)[: len(lot)]]
    assert set(lot) == {spelt(str(outcome.ids[row])) for row in drawn_first}
    assert len(page[1]) < BYTES


@pytest.fixture(scope="module")
def written(page: tuple[Made, str, Path]) -> tuple[Made, Path]:
    return page[0], page[2]


def labels(opened: Opened) -> list[str]:
    return list(
        opened.look("[...document.querySelectorAll('#gallery button')].map((b) => b.getAttribute('aria-label'))")
    )


def test_it_shows_and_filters(opened: Opened, page: tuple[Made, str, Path]) -> None:
    tab, pairs_of = opened.tab, data_of(page[1])["pairs"]
    wrong = [pair for pair in pairs_of if pair["same"] != pair["answer"]]
    assert tab.inner_text("h1") == "</title><script>alert(2)</script>{{7*7}}"
    assert len(labels(opened)) == min(48, len(wrong)), "it begins with the hardest wrong pairs"
    first = max(wrong, key=lambda pair: pair["confidence"])
    assert labels(opened)[0].startswith(f"{first['id']}: said {'same' if first['answer'] else 'different'}, is ")
    assert opened.look("document.querySelectorAll('#gallery img').length") == 2 * len(labels(opened))
    assert opened.look("[...document.images].every((one) => one.complete && one.naturalWidth === 44)")
    for kind, said in ((2, "said same, is different"), (3, "said different, is same"), (1, ", right")):
        tab.select_option("#kind", str(kind))
        assert labels(opened)
        assert all(said in label for label in labels(opened))
    tab.select_option("#kind", str(KINDS.index("most doubtful")))
    nearest = min((pair for pair in pairs_of if 4 in pair["kinds"]), key=lambda pair: pair["away"])
    assert labels(opened)[0].startswith(nearest["id"]), "the doubtful begin at the threshold"
    told = tab.locator("#gallery .told").first.inner_text()
    assert told.startswith(f"is {'same' if nearest['same'] else 'different'}, score ")
    assert float(told.rpartition(" ")[2]) == pytest.approx(nearest["score"], rel=0.01)
    tab.select_option("#kind", "")
    assert tab.input_value("#sort") == "confidence"
    assert tab.inner_text("#count") == "67 of 67 pairs, the first 48 shown"
    tab.select_option("#truth", "same")
    tab.select_option("#fold", "1")
    both = [pair for pair in pairs_of if pair["same"] and pair["fold"] == 1]
    assert tab.inner_text("#count") == f"{len(both)} of 67 pairs"
    tab.select_option("#sort", "score")
    told = [float(re.findall(r"score (-?[\d.]+)", label)[0]) for label in labels(opened)]
    assert told == sorted((pair["score"] for pair in both), reverse=True)
    tab.select_option("#sort", "away")
    tab.select_option("#order", "up")
    assert labels(opened)[0].startswith(min(both, key=lambda pair: pair["away"])["id"])
    tab.fill("#find", "no such pair")
    assert tab.inner_text("#count") == "No pair is like that."


def test_by_keyboard_alone_and_large(opened: Opened, page: tuple[Made, str, Path]) -> None:
    tab, data = opened.tab, data_of(page[1])
    tab.focus("#find")
    tab.keyboard.press("Tab")
    tab.keyboard.press("ArrowRight")
    tab.keyboard.press("ArrowRight")
    tab.keyboard.press("Enter")
    name = tab.inner_text("#large-title")
    (pair,) = [one for one in data["pairs"] if one["id"] == name]
    assert labels(opened)[2].startswith(name)
    assert opened.look("document.activeElement.id") == "close"
    pictures = [data["pictures"][k] for k in pair["pictures"]]
    assert tab.locator("#stage figcaption").all_inner_texts() == [one["name"] for one in pictures]
    assert opened.look("[...document.querySelectorAll('#stage img')].map((i) => i.src)") == [o["uri"] for o in pictures]
    facts = tab.inner_text("#facts")
    for words in (f"{100 * pair['confidence']:.1f} %", str(pair["score"]), "wrong", f"of fold {pair['fold']}"):
        assert words in facts
    assert opened.look("document.querySelectorAll('#place rect').length") == 2 * len(data["counts"]["same"])
    assert tab.locator("#place .own").count() == 1
    boxes = [tab.locator("#stage img").nth(n).bounding_box() for n in (0, 1)]
    assert boxes[0]["y"] == boxes[1]["y"]
    assert boxes[0]["x"] + boxes[0]["width"] < boxes[1]["x"], "side by side"
    tab.keyboard.press("ArrowLeft")
    assert labels(opened)[1].startswith(tab.inner_text("#large-title"))
    tab.keyboard.press("Escape")
    opened.until(f"document.activeElement.getAttribute('aria-label') === {json.dumps(labels(opened)[1])}")


def test_dark_phone_and_paper(opened: Opened) -> None:
    ground = "getComputedStyle(document.body).backgroundColor"
    light = opened.look(ground)
    opened.tab.emulate_media(color_scheme="dark")
    assert opened.look(ground) != light
    opened.tab.emulate_media(media="print")
    assert opened.look(ground) == light
    assert not opened.tab.is_visible("#controls")
    opened.tab.emulate_media(media="screen")
    for width in (320, 400, 760):
        opened.tab.set_viewport_size({"width": width, "height": 800})
        assert opened.look("document.documentElement.scrollWidth") <= width
    opened.tab.locator("#gallery button").first.click()
    assert opened.look("document.getElementById('large').scrollWidth <= document.getElementById('large').clientWidth")
