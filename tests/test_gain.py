"""Law: the gain over a part of the images is what a comparison of these images alone says, in whatever order."""

from __future__ import annotations

import json
from dataclasses import asdict, replace
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
from compared_runs import NME, own, photos, write_run

from kptool.compare import compare
from kptool.compare.gain import Gain, Part, everything, gains, lines, to_json
from kptool.compare.read import Entry, read
from kptool.errors import DataError

N = 101  # face-10 comes before face-2: the order of the names is not that of the rows


class Pair(NamedTuple):
    old: Entry
    new: Entry
    competition: Path
    off: tuple[np.ndarray, np.ndarray]


@pytest.fixture(scope="module", params=["", NME], ids=["rmse", "nme"])
def pair(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Pair:
    root, data, rng = tmp_path_factory.mktemp("runs"), photos(N), np.random.default_rng(5)
    if request.param:
        data.truth[:, :2] = np.where(np.isnan(data.truth[:, :2]), data.truth[0, :2], data.truth[:, :2])
        data.truth[N // 3 :, 3] = np.nan
    first = rng.normal(0, 2, data.truth.shape)
    off = (first, 0.8 * first + rng.normal(0, 0.5, first.shape))
    folder = own(root / "own", request.param)
    paths = [write_run(root / name, folder, data, one) for name, one in zip(("old", "new"), off, strict=True)]
    old, new = read(paths)
    return Pair(old, new, folder, off)


def only(pair: Pair, rows: np.ndarray) -> list[Entry]:
    """The same two runs, had only some of the images been predicted."""
    return [
        replace(one, outcome=replace(one.outcome, fold=np.where(rows, one.outcome.fold, -1)))
        for one in (pair.old, pair.new)
    ]


def test_a_part_is_what_a_comparison_of_its_images_says(pair: Pair) -> None:
    rows = np.random.default_rng(0).random(N) < 0.6
    # Copies stand side by side: of some pairs only the second is chosen, so groups first appear in another order.
    assert (np.flatnonzero(rows) % 2 == 1).any()
    whole, some = gains(pair.old, pair.new, [Part("all", everything(pair.old.outcome)), Part("some", rows)])
    assert [whole.found] == list(compare([pair.old, pair.new]).differences)
    assert [some.found] == list(compare(only(pair, rows)).differences)
    assert (whole.found.images, some.found.images) == (N, int(rows.sum()))
    assert whole.found.difference < 0
    assert not whole.flattering
    assert (whole.metric, whole.unit) == (("NME", "%") if pair.old.outcome.metric == "nme" else ("RMSE", "px"))


def test_other_labels_flatter_and_what_has_none_is_left_out(pair: Pair) -> None:
    old = pair.old.outcome
    labels = np.where(np.isfinite(old.truth), pair.new.outcome.predicted, np.nan)
    labels[7] = np.nan
    nobody = np.zeros(N, dtype=np.bool_)
    parts = [Part("none", nobody), Part("a", everything(old), labels), Part("b", everything(old), old.truth + np.nan)]
    (one,) = gains(pair.old, pair.new, parts)
    assert (one.over, one.flattering, one.found.value, one.found.images) == ("a", True, 0.0, N - 1)
    assert one.found.base > 0
    same = gains(pair.old, pair.new, [Part("given", everything(old), old.truth), Part("all", everything(old))])
    assert same[0].found == same[1].found
    still = gains(
        pair.old, replace(pair.old, name="again"), [Part("all", everything(old)), Part("a", everything(old), labels)]
    )
    assert [(one.found.difference, one.found.low, one.found.high) for one in still] == [(0, 0, 0)] * 2


def test_an_unfinished_run_is_held_against_what_the_other_has_of_it(pair: Pair) -> None:
    rows = pair.old.outcome.fold != 1
    less = only(pair, rows)
    for old, new in ((pair.old, less[1]), (less[0], pair.new)):
        (one,) = gains(old, new, [Part("all", everything(old.outcome))])
        assert [one.found] == list(compare(less).differences)


def test_other_images_labels_and_folds_are_refused(pair: Pair) -> None:
    made = pair.new.outcome
    others = [
        replace(made, truth=made.truth + 1),
        replace(made, ids=made.ids[::-1]),
        replace(made, fold=(made.fold + 1) % 3),
    ]
    for other in others:
        with pytest.raises(DataError, match=r"new is not of the images, labels and folds of .*old; train both again"):
            gains(pair.old, replace(pair.new, outcome=other), [])


def test_lines_and_json_say_the_same(pair: Pair) -> None:
    found = gains(pair.old, pair.new, [Part("all images", everything(pair.old.outcome))])
    found.append(Gain("[b]edited[/b]", True, found[0].metric, found[0].unit, found[0].found))
    first, second = lines(found)
    one, unit, places = found[0].found, found[0].unit, 2 if found[0].unit == "%" else 3
    assert first.startswith(
        f"all images: {found[0].metric} {one.base:.{places}f} {unit} -> {one.value:.{places}f} {unit}"
    )
    assert f"interval {one.low:+.{places + 1}f} to {one.high:+.{places + 1}f}): better" in first
    assert second.endswith(": better; flattering, the new run was trained on these labels")
    told = json.loads(json.dumps(to_json(found), allow_nan=False))
    figures = {key: value for key, value in asdict(one).items() if key != "name"}
    about = {"over": "all images", "flattering": False, "metric": found[0].metric, "unit": unit}
    assert told[0] == about | figures
    assert told[1] == told[0] | {"over": "[b]edited[/b]", "flattering": True}
