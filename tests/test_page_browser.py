"""Law: in a real browser a page shows, sorts, filters and enlarges by keyboard alone, and nothing leaves it."""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from test_page import HOSTILE, POINTS, Made, made

from kptool.geometry import Floats
from kptool.page import write, write_page
from kptool.page.images import tiles_uri
from kptool.page.looking import Looking
from kptool.page.spelling import spelt

FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
CELLS = (20, 16)


@dataclass
class Opened:
    """A page in a browser with all that it must not do."""

    tab: Any
    path: Path
    said: list[str] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)
    dialogs: list[str] = field(default_factory=list)

    def faces(self) -> list[str]:
        """The ids as they stand in the gallery."""
        return list(self.tab.locator("#gallery bdi").all_inner_texts())

    def refuse(self, dialog: Any) -> None:
        """Note that the page opened a dialog of the browser's own."""
        self.dialogs.append(dialog.message)
        dialog.dismiss()

    def until(self, expression: str, seconds: float = 10) -> None:
        """Wait for an expression to be true. Playwright's own way evaluates a string, which the page forbids."""
        end = time.monotonic() + seconds
        while not self.look(expression):
            assert time.monotonic() < end, expression
            self.tab.wait_for_timeout(20)

    def look(self, script: str) -> Any:
        return self.tab.evaluate(script)


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed: pip install playwright")
    found = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if found is None:
        pytest.skip("no chromium, chromium-browser or google-chrome on the PATH")
    with api.sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=found, args=FLAGS)
        yield opened
        opened.close()


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> tuple[Made, Path]:
    """A page of hostile names; the heat of point k lies in the row k of cells, so that it can be told where it is."""
    one, path = made(tmp_path_factory.mktemp("page")), tmp_path_factory.mktemp("page") / "page.html"
    maps = np.zeros((4, CELLS[1], CELLS[0]), dtype=np.float32)
    maps[np.arange(4), 4 * np.arange(4) + 1] = 1
    looked = Looking("heat", CELLS, 4, 2, dict.fromkeys(range(101), tiles_uri(maps)), None, "made", "")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(write, "looking", lambda *_: looked)
        write_page(path, one.run, one.report, one.outcome, one.arrays)
    return one, path


@pytest.fixture
def page(browser: Any, written: tuple[Made, Path]) -> Iterator[Opened]:
    context = browser.new_context(viewport={"width": 1200, "height": 900}, color_scheme="light")
    tab = context.new_page()
    opened = Opened(tab, written[1])
    tab.on("console", lambda message: opened.said.append(message.text))
    tab.on("pageerror", lambda error: opened.said.append(str(error)))
    tab.on("request", lambda request: opened.asked.append(request.url))
    tab.on("dialog", opened.refuse)
    tab.add_init_script(
        "window.broken = []; addEventListener('securitypolicyviolation', (e) => broken.push(e.violatedDirective))"
    )
    tab.goto(written[1].as_uri())
    yield opened
    assert opened.said == [], "the console stays empty"
    assert opened.dialogs == []
    assert opened.look("broken") == [], "the page keeps its own policy"
    assert [url for url in opened.asked if not url.startswith("data:")] == [written[1].as_uri()]
    context.close()


def wanted(one: Made, value: Any) -> list[str]:
    """Ids by a value of each row, the largest first, NaN last; of equal ones there are none here."""
    values = np.nan_to_num(value, nan=-1)
    return [spelt(str(one.outcome.ids[row])) for row in np.argsort(-values) if values[row] >= 0]


def test_it_shows(page: Opened) -> None:
    assert page.tab.title().startswith("</title><script>alert(2)</script>{{7*7}}: RMSE")
    assert page.tab.inner_text("h1") == "</title><script>alert(2)</script>{{7*7}}"
    assert page.look("[...document.images].every((one) => one.complete && one.naturalWidth > 0)")
    assert page.look("document.images.length") == 48
    assert page.look("document.querySelectorAll('figure > svg[role=img]').length") >= 6
    assert page.tab.inner_text("#count") == "101 of 101 faces, the first 48 shown"
    page.tab.click("#more")
    assert len(page.faces()) == 96
    assert page.look("document.activeElement.getAttribute('aria-label')").startswith(page.faces()[48])


def test_the_label_and_the_answer_lie_where_they_should(page: Opened, written: tuple[Made, Path]) -> None:
    one = written[0].outcome
    first = page.faces()[0]
    row = [spelt(str(name)) for name in one.ids].index(first)
    start = page.look("document.querySelector('#gallery .truth').getAttribute('d')")
    radius = ring_size(one.to_frame(one.truth))
    x, y = (float(v) for v in start[1 : start.index("a")].split())
    k = int(np.flatnonzero(np.isfinite(one.truth[row]).all(-1))[0])
    np.testing.assert_allclose([x + radius, y], one.to_frame[row](one.truth[row])[k], atol=0.02)
    assert page.look("document.querySelector('#gallery svg').getAttribute('viewBox')") == "-0.5 -0.5 80 64"


def ring_size(truth: Floats) -> float:
    """Rings follow the usual extent of the faces, but are never larger than a part of the frame."""
    several = np.isfinite(truth).all(-1).sum(1) > 1
    extent = np.sort(np.where(several, np.nanmax(np.nanmax(truth, 1) - np.nanmin(truth, 1), -1), 80))
    return float(1.15 * min(80 * 0.019, 0.032 * extent[len(extent) // 2]))


def test_sorting(page: Opened, written: tuple[Made, Path]) -> None:
    one = written[0]
    errors = one.outcome.predicted - one.outcome.truth
    score = np.sqrt(np.nanmean(errors**2, axis=(1, 2)))
    assert page.faces() == wanted(one, score)[:48]
    page.tab.select_option("#order", "up")
    assert page.faces() == wanted(one, score)[::-1][:48]
    page.tab.select_option("#sort", "point:2")
    assert page.tab.inner_text("#sort option:checked") == spelt(POINTS[2])
    place = {spelt(str(name)): row for row, name in enumerate(one.outcome.ids)}
    nose: Floats = np.asarray(np.round(np.hypot(*errors[:, 2].T), 2))  # as the page tells it
    shown = [nose[place[name]] for name in page.faces()]
    assert shown == np.sort(nose)[::-1][:48].tolist(), "a new key begins with the largest"
    page.tab.select_option("#sort", "point:0")
    eye: Floats = np.asarray(np.round(np.hypot(*errors[:, 0].T), 2))
    shown = [eye[place[name]] for name in page.faces()]
    assert shown[:33] == np.sort(eye[~np.isnan(eye)])[::-1].tolist()
    assert np.isnan(shown[33:]).all(), "faces without the label come last"
    assert page.tab.locator("#gallery b").nth(40).inner_text() == "–"
    page.tab.select_option("#sort", "id")
    numbers = [int(name.removeprefix("face-")) for name in page.faces() if name.startswith("face-")]
    assert numbers == sorted(numbers)
    assert numbers[0] == 6
    page.tab.select_option("#sort", "fold")
    folds = [label.partition("fold ")[2][0] for label in labels(page)]
    assert folds == sorted(folds)
    page.tab.select_option("#sort", "scheme")
    page.tab.select_option("#order", "down")
    assert "2 points" in labels(page)[0]


def labels(page: Opened) -> list[str]:
    return list(page.look("[...document.querySelectorAll('#gallery button')].map((b) => b.getAttribute('aria-label'))"))


def test_filters(page: Opened, written: tuple[Made, Path]) -> None:
    one = written[0]
    page.tab.select_option("#fold", "1")
    assert page.tab.inner_text("#count") == f"{int((one.outcome.fold == 1).sum())} of 101 faces"
    assert all("fold 1" in label for label in labels(page))
    page.tab.select_option("#scheme", "0")
    both = (one.outcome.fold == 1) & (one.outcome.scheme == 0)
    assert len(page.faces()) == int(both.sum())
    page.tab.select_option("#fold", "")
    page.tab.select_option("#scheme", "")
    page.tab.fill("#find", "ONERROR")
    assert page.faces() == [HOSTILE[0]]
    page.tab.fill("#find", "no such face")
    assert page.tab.inner_text("#count") == "No face is like that."


def test_by_keyboard_alone(page: Opened) -> None:
    tab, names = page.tab, page.faces()
    focused = "document.activeElement.closest('#gallery') && document.activeElement.querySelector('bdi').textContent"
    tab.keyboard.press("Tab")
    assert tab.inner_text(":focus") == "Skip to the report"
    assert page.look("document.activeElement.getBoundingClientRect().top") >= 0, "what has the focus is seen"
    tab.focus("#find")
    tab.keyboard.press("Tab")
    assert page.look(focused) == names[0]
    columns = page.look("getComputedStyle(document.getElementById('gallery')).gridTemplateColumns.split(' ').length")
    for key, place in (("ArrowRight", 1), ("ArrowDown", 1 + columns), ("ArrowLeft", columns), ("ArrowUp", 0)):
        tab.keyboard.press(key)
        assert page.look(focused) == names[place], key
    tab.keyboard.press("End")
    assert page.look(focused) == names[47]
    tab.keyboard.press("Home")
    tab.keyboard.press("Enter")
    assert page.look("document.getElementById('large').open")
    assert tab.inner_text("#large-title") == names[0]
    assert page.look("document.activeElement.id") == "close"
    tab.keyboard.press("Escape")
    assert not page.look("document.getElementById('large').open")
    assert page.look(focused) == names[0]
    tab.keyboard.press("Enter")
    for key, place in (("ArrowRight", 1), ("ArrowRight", 2), ("ArrowLeft", 1)):
        tab.keyboard.press(key)
        assert tab.inner_text("#large-title") == names[place]
    tab.keyboard.press("Escape")
    page.until(f"{focused} === {json.dumps(names[1])}")  # it goes on from the face last looked at
    tab.keyboard.press("Tab")
    assert page.look("document.activeElement.id") == "more", "the gallery is one stop"


def test_the_large_view_tells_every_point(page: Opened, written: tuple[Made, Path]) -> None:
    one, tab = written[0].outcome, page.tab
    tab.select_option("#scheme", "0")
    name = page.faces()[0]
    row = [spelt(str(i)) for i in one.ids].index(name)
    tab.locator("#gallery button").first.click()
    away = np.hypot(*(one.predicted - one.truth)[row].T)
    rows = tab.locator("#errors tbody tr")
    told = [(rows.nth(n).locator("bdi").inner_text(), rows.nth(n).locator("td").first.inner_text()) for n in range(4)]
    assert told == [(spelt(POINTS[k]), f"{away[k]:.2f}") for k in np.argsort(-away)]
    assert tab.locator("#stage path.truth").count() == 1
    tab.uncheck("#see-truth")
    assert tab.locator("#stage path.truth").count() == 0
    assert tab.locator("#stage path.answer").count() == 1
    rows.nth(1).click()
    assert tab.locator("#stage text").all_text_contents() == [spelt(POINTS[int(np.argsort(-away)[1])])]
    assert rows.nth(1).get_attribute("aria-current") == "true"


def test_the_heat_lies_over_the_face(page: Opened) -> None:
    tab = page.tab
    tab.locator("#gallery button").first.click()
    assert tab.inner_text("#heat-name") == "Heat map"
    sums = """() => { const c = document.querySelector('#stage canvas'); if (c.width !== 20) return null;
      const copy = document.createElement('canvas').getContext('2d', {willReadFrequently: true});
      copy.drawImage(c, 0, 0);
      const d = copy.getImageData(0, 0, 20, 16).data;
      return [...Array(16)].map((_, y) => [...Array(20)].reduce((s, _, x) => s + d[4 * (20 * y + x) + 3], 0)); }"""
    page.until(f"({sums})() !== null")
    rows = np.array(page.look(sums))
    assert set(np.argsort(-rows)[:4].tolist()) == {1, 5, 9, 13}, "of all points the hottest"
    assert page.look("getComputedStyle(document.querySelector('#stage canvas')).opacity") == "0"
    for k in (0, 2):
        tab.select_option("#point", str(k))
        assert int(np.argmax(page.look(sums))) == 4 * k + 1
        assert np.sort(page.look(sums))[-2] < rows.max() / 2
    assert float(page.look("getComputedStyle(document.querySelector('#stage canvas')).opacity")) == 0.65
    tab.fill("#heat", "30")
    assert float(page.look("getComputedStyle(document.querySelector('#stage canvas')).opacity")) == 0.3
    box, picture = (tab.locator(f"#stage {what}").bounding_box() for what in ("canvas", "img"))
    assert box == picture


def test_dark_and_light(page: Opened) -> None:
    def ground() -> str:
        return str(page.look("getComputedStyle(document.body).backgroundColor"))

    light = ground()
    line = page.look("getComputedStyle(document.querySelector('figure text')).fill")
    page.tab.emulate_media(color_scheme="dark")
    dark = ground()
    assert light != dark
    assert page.look("getComputedStyle(document.querySelector('figure text')).fill") != line
    page.tab.click("#theme")
    assert ground() == light
    page.tab.click("#theme")
    assert ground() == dark
    page.tab.emulate_media(media="print")
    assert ground() == light
    assert not page.tab.is_visible("#controls")


def test_a_phone_needs_no_scrolling_sideways(page: Opened) -> None:
    for width in (320, 400, 760):
        page.tab.set_viewport_size({"width": width, "height": 800})
        assert page.look("document.documentElement.scrollWidth") <= width
    page.tab.locator("#gallery button").first.click()
    assert page.look("document.getElementById('large').scrollWidth <= document.getElementById('large').clientWidth")
