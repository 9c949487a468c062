"""Law: runs are held against each other on the same images, and a difference is called real only where they show it."""

from __future__ import annotations

import csv
import io
import json
import math
import re
import time
from pathlib import Path

import numpy as np
import pytest
from compared_runs import NME, Photos, own, photos, write_run
from rich.cells import cell_len
from rich.console import Console

from kptool import metrics
from kptool.compare import Comparison, compare, read
from kptool.compare.markdown import to_markdown
from kptool.compare.names import short_names
from kptool.compare.plain import records, to_csv, to_json
from kptool.compare.recipes import in_words
from kptool.compare.settings import differing, loss_name, short, texts
from kptool.compare.terminal import render
from kptool.compare.verdict import word
from kptool.config import Recipe, apply_set, flat, parse
from kptool.duplicates import unite
from kptool.errors import DataError, UsageError
from kptool.geometry import Floats
from kptool.models.heads.choice import LOSSES
from kptool.report import bootstrap
from kptool.report.bootstrap import interval, resample
from kptool.report.sums import Sums

NO = "no difference that these images can show"


def noise(data: Photos, scale: float, seed: int = 0) -> Floats:
    return np.random.default_rng(seed).normal(0, scale, data.truth.shape)


def table(made: Comparison, width: int = 120, fit: bool = True) -> str:
    file = io.StringIO()
    render(made, Console(file=file, width=width), fit)
    return file.getvalue()


def recipe(*settings: str) -> Recipe:
    return parse(Recipe, apply_set({}, list(settings)), "--set")


def sums(total: Floats, count: Floats | None = None, root: bool = True) -> Sums:
    return Sums(total, np.ones(len(total)) if count is None else count, root)


# --- the bootstrap ---


@pytest.mark.parametrize(("n", "groups", "resamples"), [(1, 1, 3), (2, 2, 1), (37, 11, 129), (101, 101, 50)])
def test_weights_give_what_a_plain_loop_gives(n: int, groups: int, resamples: int) -> None:
    rng = np.random.default_rng(5)
    group = np.append(np.arange(groups), rng.integers(groups, size=n - groups))
    total, count = rng.random((2, n)), rng.integers(1, 5, n).astype(float)
    found = resample([sums(one, count) for one in total], group, resamples, seed=4)
    draws, loop = np.random.default_rng(4), np.empty((2, resamples))
    for b in range(resamples):
        rows = np.concatenate([np.flatnonzero(group == g) for g in draws.integers(groups, size=groups)])
        loop[:, b] = [math.sqrt(one[rows].sum() / count[rows].sum()) for one in total]
    np.testing.assert_allclose(found, loop, rtol=1e-12)


def test_draws_do_not_depend_on_how_many_are_held_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    one, group = sums(np.random.default_rng(0).random(23)), np.arange(23) // 2
    whole = resample([one], group, 101)
    monkeypatch.setattr(bootstrap, "_CELLS", 31)
    np.testing.assert_allclose(resample([one], group, 101), whole, rtol=1e-12)


def test_repeating_every_image_within_its_group_shows_nothing_new() -> None:
    rng = np.random.default_rng(1)
    total, count = rng.random((2, 90)), rng.integers(1, 9, 90).astype(float)
    once = resample([sums(one, count) for one in total], np.arange(90))
    twice = resample([sums(np.repeat(one, 2), np.repeat(count, 2)) for one in total], np.repeat(np.arange(90), 2))
    np.testing.assert_array_equal(once, twice)
    naive = resample([sums(np.repeat(one, 2), np.repeat(count, 2)) for one in total], np.arange(180))
    widths = [np.subtract(*interval(found[0] - found[1])[::-1]) for found in (once, naive)]
    assert 1.25 < widths[0] / widths[1] < 1.6  # sqrt(2), but for the luck of the draws


def test_images_without_labels_add_nothing() -> None:
    rng = np.random.default_rng(2)
    total, count = rng.random(40), rng.integers(1, 9, 40).astype(float)
    more = [np.append(values, np.zeros(9)) for values in (total, count)]
    group = np.append(np.arange(40), np.append(np.arange(5), [60, 60, 61, 62]))  # in groups of labels, and alone
    np.testing.assert_array_equal(
        resample([sums(total, count)], np.arange(40)), resample([sums(more[0], more[1])], group)
    )


def test_the_interval_holds_the_truth_about_as_often_as_it_says() -> None:
    rng, held, times, groups = np.random.default_rng(11), 0, 400, 60
    group = np.repeat(np.arange(groups), 3)
    for trial in range(times):
        common = rng.gamma(2, 1, groups)[group]  # what makes a photo hard for both
        one, two = (common * rng.gamma(4, 0.25, groups)[group] * rng.gamma(9, 1 / 9, len(group)) for _ in range(2))
        drawn = resample([sums(one, root=False), sums(two * 1.1, root=False)], group, 300, seed=trial)
        low, high = interval(drawn[1] - drawn[0])
        held += low <= 0.2 <= high  # 1.1 x 2 - 2
    assert 0.90 <= held / times <= 0.98


def test_ten_runs_of_seven_thousand_images_take_under_a_second() -> None:
    rng, group = np.random.default_rng(0), np.minimum(np.arange(7049), 6300)
    found = [sums(rng.random(7049)) for _ in range(10)]
    begun = time.process_time()
    assert resample(found, group).shape == (10, 2000)
    assert time.process_time() - begun < 1


@pytest.mark.parametrize(
    ("low", "high", "groups", "said"),
    [
        (-2.0, -0.1, 50, "better"),
        (0.1, 2.0, 50, "worse"),
        (-0.1, 0.1, 50, NO),
        (0.0, 0.0, 50, NO),
        (0.0, 0.2, 50, NO),
        (0.1, 2.0, 9, "too few groups to say"),
        (0.0, 0.0, 2, NO),
    ],
)
def test_words(low: float, high: float, groups: int, said: str) -> None:
    assert word(low, high, groups) == said


# --- runs ---


def test_a_run_against_itself_differs_by_nothing_at_all(tmp_path: Path) -> None:
    data = photos()
    a = write_run(tmp_path / "a", own(tmp_path / "own"), data, noise(data, 2))
    made = compare(read([a, a]))
    (found,) = made.differences
    assert (found.difference, found.low, found.high, found.word) == (0, 0, 0, NO)
    assert [line.name for line in made.lines] == ["a", "a (2)"]
    assert "*" not in table(made)  # nothing is the best of equals


@pytest.mark.parametrize("metric", ["rmse", "mae", "nme"])
def test_errors_that_are_all_larger_are_found(tmp_path: Path, metric: str) -> None:
    data, more = photos(), NME if metric == "nme" else f'metric = "{metric}"\n'
    folder, off = own(tmp_path / "own", more), np.abs(noise(data, 1))
    paths = [write_run(tmp_path / name, folder, data, off + by) for name, by in (("a", 0), ("b", 0.5))]
    for base, said, sign in ((0, "worse", 1), (1, "better", -1)):
        (found,) = compare(read(paths), base).differences
        assert found.word == said
        assert found.low <= found.difference <= found.high
        assert sign * found.difference > 0
        assert found.difference == found.value - found.base
    if metric == "mae":
        assert found.difference == pytest.approx(-0.5)


def test_noise_of_one_size_is_no_difference(tmp_path: Path) -> None:
    data, folder = photos(), own(tmp_path / "own")
    paths = [write_run(tmp_path / str(seed), folder, data, noise(data, 2, seed)) for seed in (8, 9)]
    assert compare(read(paths)).differences[0].word == NO


def test_the_nme_is_the_mean_over_images(tmp_path: Path) -> None:
    data, folder = photos(), own(tmp_path / "own", NME)
    data.truth[5, 2:] = np.nan  # fewer labels, and the image counts as much
    errors = [noise(data, scale, 4) for scale in (2, 3)]
    made = compare(read([write_run(tmp_path / f"r{n}", folder, data, e) for n, e in enumerate(errors)]))
    (found,) = made.differences
    lengths = np.hypot(*(data.truth[:, 0] - data.truth[:, 1]).T)
    away = [metrics.lengths(np.where(np.isfinite(data.truth), e, np.nan)) for e in errors]
    wanted = [100 * metrics.nme_macro(one, lengths) for one in away]
    assert (found.base, found.value) == pytest.approx(tuple(wanted))
    each = [100 * metrics.image_errors(one, lengths) for one in away]
    told = np.isfinite(each[0])
    order, count = np.argsort(data.ids), told.astype(float)
    drawn = resample([sums(np.nan_to_num(e)[order], count[order], False) for e in each], unite(data.group[order]))
    assert found.images == told.sum() < len(told)
    assert (found.low, found.high) == pytest.approx(interval(drawn[1] - drawn[0]))
    assert (made.metric, made.unit, made.normaliser) == ("NME", "%", "inter-ocular distance")


def test_neither_the_order_of_rows_nor_other_runs_change_an_interval(tmp_path: Path) -> None:
    data, folder = photos(), own(tmp_path / "own")
    mixed = np.random.default_rng(0).permutation(len(data.ids))
    other = Photos([data.ids[row] for row in mixed], data.truth[mixed], data.group[mixed], data.digest)
    off = [noise(data, scale, scale) for scale in (2, 3)]
    plain = [write_run(tmp_path / f"p{n}", folder, data, e) for n, e in enumerate(off)]
    moved = [write_run(tmp_path / f"m{n}", folder, other, e[mixed]) for n, e in enumerate(off)]
    first = compare(read(plain)).differences[0]
    second = compare(read(moved)).differences[0]
    third = compare(read([*plain, moved[0]])).differences[0]
    assert (first.low, first.high, first.difference) == pytest.approx((second.low, second.high, second.difference))
    assert first == third


def test_runs_of_different_rows_meet_on_the_images_of_both(tmp_path: Path) -> None:
    data, folder = photos(), own(tmp_path / "own")
    whole = np.flatnonzero(np.isfinite(data.truth).all((1, 2)))
    off = noise(data, 2)
    paths = [
        write_run(tmp_path / "all", folder, data, off),
        write_run(tmp_path / "some", folder, data.take(whole), off[whole] * 1.5, ("data.rows=complete",)),
        write_run(tmp_path / "two", folder, data, off, finished=(0, 2)),
    ]
    made = compare(read(paths))
    fold = data.group % 3
    shared = whole[fold[whole] != 1]
    assert [line.common.images for line in made.lines] == [len(shared)] * 3
    assert [line.own.images for line in made.lines] == [101, len(whole), int((fold != 1).sum())]
    assert made.lines[0].common.lead == made.lines[2].common.lead == pytest.approx(metrics.rmse(off[shared]))
    assert made.lines[1].common.lead == pytest.approx(1.5 * metrics.rmse(off[shared]))
    assert made.lines[0].own.lead == pytest.approx(metrics.rmse(np.where(np.isnan(data.truth), np.nan, off)))
    assert [found.images for found in made.differences] == [len(whole), int((fold != 1).sum())]
    assert made.differences[1].difference == 0
    words = table(made, 200)
    assert f"the {len(shared)} images" in words
    assert "two: 2 of 3 folds are finished." in words
    assert "own RMSE" in words
    each_its_own = compare(read(paths), rows="all")
    assert "*" not in table(each_its_own, 200)
    assert each_its_own.scores(each_its_own.lines[0]).images == 101


def test_a_run_of_one_fold_is_held_against_a_whole_one(tmp_path: Path) -> None:
    data, folder = photos(), own(tmp_path / "own")
    off = noise(data, 2)
    paths = [
        write_run(tmp_path / "all", folder, data, off),
        write_run(tmp_path / "one", folder, data, off * 1.5, finished=(1,)),
    ]
    made = compare(read(paths))
    (found,) = made.differences
    assert (found.images, found.word) == (int((data.group % 3 == 1).sum()), "worse")
    assert [line.common.images for line in made.lines] == [found.images] * 2
    assert made.lines[1].common.lead == made.lines[1].own.lead


def test_labels_that_one_run_lacks_are_compared_nowhere(tmp_path: Path) -> None:
    data, folder = photos(), own(tmp_path / "own")
    less = data.truth.copy()
    less[:9, 3] = np.nan
    off = noise(data, 2)
    off[:9, 3] = 500  # would be the whole difference
    paths = [
        write_run(tmp_path / "a", folder, data, off),
        write_run(tmp_path / "b", folder, data._replace(truth=less), off, ("data.outside=mask",)),
    ]
    (found,) = compare(read(paths)).differences
    assert (found.difference, found.values) == (0, int(np.isfinite(less).sum()))


def test_seeds_of_one_recipe_are_summed_up(tmp_path: Path) -> None:
    data, folder = photos(), own(tmp_path / "own")
    paths = [
        write_run(tmp_path / f"s{n}", folder, data, noise(data, 2, n), (f"seed={seed}", f"name=x{n}"))
        for n, seed in enumerate((0, 1, 5, 5))
    ]
    paths.append(write_run(tmp_path / "other", folder, data, noise(data, 3), ("train.lr=0.5",)))
    made = compare(read(paths))
    assert made.settings == ("seed", "train.lr")
    (group,) = made.seeds
    assert group.lines == (0, 1, 2)  # a seed that was run twice is counted once
    scores = [made.lines[place].common.lead for place in group.lines]
    (told,) = to_json(made)["seeds"]
    assert told["score"] == pytest.approx({"mean": np.mean(scores), "std": np.std(scores, ddof=1)})
    assert told["seeds"] == [0, 1, 5]
    assert f"{np.mean(scores):.3f} ± {np.std(scores, ddof=1):.3f}" in table(made, 200)
    assert compare(read(paths[-2:])).seeds == ()


def test_what_history_and_env_tell(tmp_path: Path) -> None:
    data, folder = photos(), own(tmp_path / "own")
    old = write_run(tmp_path / "old", folder, data, 1.0, history=False)
    new = write_run(tmp_path / "new", folder, data, 2.0, parameters=1234567)
    made = compare(read([old, new]))
    line = made.lines[1]
    assert (line.epochs, line.train_loss, line.heldout, line.parameters) == (4, 2, 3, 1234567)
    assert line.heldout_mse == pytest.approx(np.mean([(rmse / 48) ** 2 for rmse in (2, 3, 4)]))
    assert (line.seconds, line.images_per_second) == (12.5, 100)
    assert all(math.isnan(value) for value in (made.lines[0].heldout, made.lines[0].parameters, made.lines[0].epochs))
    assert "1,234,567" in table(made, 200)
    assert "MSE/48²" in to_markdown(made)


# --- what is refused ---


def test_what_cannot_be_compared_is_refused_in_one_line(tmp_path: Path) -> None:
    data, folder = photos(), own(tmp_path / "own")
    a = write_run(tmp_path / "a", folder, data, 1.0)
    with pytest.raises(UsageError, match="at least two runs"):
        read([a])
    with pytest.raises(UsageError, match="is not a run"):
        read([a, tmp_path])
    with pytest.raises(DataError, match="no fold is finished; kptool cv --resume"):
        read([a, write_run(tmp_path / "none", folder, data, 1.0, finished=())])
    elsewhere = own(tmp_path / "elsewhere", slug="other-faces")
    with pytest.raises(UsageError, match=r"is a run of other-faces, .* of own-faces; compare runs of one"):
        read([a, write_run(tmp_path / "b", elsewhere, data, 1.0)])
    namesake = own(tmp_path / "namesake", NME)
    with pytest.raises(UsageError, match=r"own-faces with different (points|metric)"):
        read([a, write_run(tmp_path / "c", namesake, data, 1.0)])
    other = write_run(tmp_path / "d", folder, data._replace(digest="0" * 64), 1.0)
    with pytest.raises(DataError, match=r"made of other data .*0000… not 41d.*; train both on the same files"):
        compare(read([a, other]))


def test_another_choice_of_rows_is_known_by_its_digest_or_its_labels(tmp_path: Path) -> None:
    data, folder = photos(), own(tmp_path / "own")
    a = write_run(tmp_path / "a", folder, data, 1.0)
    some = data.take(np.arange(3, 50))
    assert not any("digests" in note for note in compare(read([a, write_run(tmp_path / "b", folder, some, 1.0)])).notes)
    strange = some._replace(digest="1" * 64)
    with pytest.raises(DataError, match="other data"):
        compare(read([a, write_run(tmp_path / "c", folder, strange, 1.0)]))
    complete = write_run(tmp_path / "d", folder, strange, 1.0, ("data.rows=complete",))
    assert "digests cannot show" in compare(read([a, complete])).notes[0]
    moved = strange._replace(truth=strange.truth + 0.25)
    with pytest.raises(DataError, match=r"other labels than .*, the first at image face-"):
        compare(read([a, write_run(tmp_path / "e", folder, moved, 1.0, ("data.rows=complete",))]))


def test_folds_without_a_common_image_are_refused(tmp_path: Path) -> None:
    data, folder = photos(), own(tmp_path / "own")
    paths = [write_run(tmp_path / str(k), folder, data, 1.0, finished=(k,)) for k in (0, 1)]
    with pytest.raises(DataError, match="no image in common"):
        compare(read(paths))


# --- words and numbers ---


def test_only_settings_that_differ_are_told_by_their_shortest_clear_name() -> None:
    recipes = [recipe("train.lr=0.1", "name=a"), recipe("train.lr=0.2", "name=b"), recipe("predict.mirror=false")]
    assert differing(recipes) == ("train.lr", "predict.mirror")
    assert [short(key) for key in ("train.lr", "predict.mirror", "folds.count", "seed")] == [
        "lr",
        "predict.mirror",
        "folds.count",
        "seed",
    ]
    assert short("train.epochs", ("epochs",)) == "train.epochs"
    names = [short(key) for key in flat(Recipe())]
    assert len(set(names)) == len(names)


def test_values_are_short_and_still_differ() -> None:
    layers = [["conv 16 7", "relu", "dense 10"], ["conv 32 7", "relu", "dense 10"], ["relu", "dense 10"]]
    assert texts(layers) == ("conv 16 7 …", "conv 32 7 …", "– …")
    assert texts([["a", "b", "a"], ["a", "a"]]) == ("… b …", "… – …")
    assert texts([True, 0.002, "", "kptiny", [], None]) == ("true", "0.002", "–", "kptiny", "–", "")
    edits = [[{"image": str(n), "action": "drop"}] for n in range(2)]
    assert len(set(texts(edits))) == 2


@pytest.mark.parametrize("head", LOSSES)
def test_the_loss_of_auto_is_the_heads_own(head: str) -> None:
    assert loss_name(recipe(f"model.head={head}")) == LOSSES[head][0]
    assert loss_name(recipe(f"model.head={head}", "train.loss=l1")) == "l1"


def test_runs_are_called_as_briefly_as_they_differ() -> None:
    day, next_day = Path("r/20260101-120000-fast"), Path("r/20260102-120000-fast")
    assert short_names([day, Path("r/20260101-120000-best")]) == ("fast", "best")
    assert short_names([day, Path("r/20260101-130000-fast")]) == ("120000-fast", "130000-fast")
    assert short_names([day, next_day]) == (day.name, next_day.name)
    assert short_names([day, Path("q") / day.name]) == (str(day), f"q/{day.name}")
    assert short_names([day, day]) == ("fast", "fast (2)")


def test_csv_json_and_markdown_give_the_same_numbers_back(tmp_path: Path) -> None:
    data, folder = photos(), own(tmp_path / "own")
    paths = [
        write_run(tmp_path / f"r{n}", folder, data, noise(data, 2 + n), (f"train.lr=0.{n + 1}",)) for n in range(3)
    ]
    made = compare(read(paths))
    wanted = [line.common.lead for line in made.lines]
    rows = list(csv.DictReader(io.StringIO(to_csv(made))))
    told = json.loads(json.dumps(to_json(made), allow_nan=False))
    assert [float(row["score"]) for row in rows] == [row["score"] for row in told["runs"]] == wanted
    assert [float(row["train.lr"]) for row in rows] == [0.1, 0.2, 0.3]
    assert [row["low"] for row in rows] == ["", *(repr(found.low) for found in made.differences)]
    assert [found["high"] for found in told["differences"]] == [found.high for found in made.differences]
    assert told["bootstrap"] == {
        "against": "r0",
        "resamples": 2000,
        "seed": 0,
        "level": 0.95,
        "interval": "percentile",
        "resampled": "groups of images",
        "correction": None,
    }
    lines = [line.strip("| ").split(" | ") for line in to_markdown(made).splitlines() if line.startswith("|")]
    place = lines[0].index("RMSE px")
    found_there = [line[place] for line in lines[2:5]]
    assert [float(text.strip("*")) for text in found_there] == [round(value, 3) for value in wanted]
    assert [text.startswith("**") for text in found_there] == [True, False, False]
    assert {len(line) for line in lines[:5]} == {len(lines[0])}
    assert len({len(record) for record in records(made)}) == 1


def test_hostile_names_stay_text(tmp_path: Path) -> None:
    data, folder = photos(), own(tmp_path / "own")
    names = ["=1+cmd|x", "[red]a[b] <b>@x", "two\nlines|\x1b[31m"]
    paths = [write_run(tmp_path / name, folder, data, noise(data, n + 1)) for n, name in enumerate(names)]
    made = compare(read(paths))
    rows = list(csv.DictReader(io.StringIO(to_csv(made))))
    assert [row["run"] for row in rows] == ["'=1+cmd|x", *names[1:]]
    assert float(rows[1]["difference"]) == made.differences[0].difference
    markdown = to_markdown(made)
    heads, *_ = lines = [line for line in markdown.splitlines() if line.startswith("|")]
    assert len(lines) == 5 + 4
    assert all(len(re.findall(r"(?<!\\)\|", line)) == len(re.findall(r"(?<!\\)\|", heads)) for line in lines[:5])
    assert not re.search(r"(?<!\\)[<@\[]", markdown.replace("- ", ""))
    for width in (80, 200):
        words = table(made, width)
        assert "\x1b" not in words
        assert "[red]a[b]" in words
        assert "\\n" in words
    assert [run["run"] for run in to_json(made)["runs"]] == names


@pytest.mark.parametrize("width", [80, 100, 120, 200])
def test_no_line_is_wider_than_the_terminal_and_what_is_left_out_is_named(tmp_path: Path, width: int) -> None:
    data, folder = photos(), own(tmp_path / "own")
    layers = 'model.layers=["conv 8 3", "relu", "dense 30"]'
    changes = [(), ("model.backbone=layers", layers, "train.lr=0.123", "augment.rotate=3.5"), ("train.lr=0.123",)]
    paths = [
        write_run(tmp_path / f"20260101-12000{n}-recipe-{n}", folder, data, noise(data, 1 + n), change)
        for n, change in enumerate(changes)
    ]
    made = compare(read(paths))
    words = table(made, width)
    assert max(map(cell_len, words.splitlines())) <= width
    assert all(re.search(rf"^{line.name} +.*{line.common.lead:.3f}", words, re.MULTILINE) for line in made.lines)
    left_out = re.search(r"Too wide for \d+ columns: ([^;]+);", words)
    assert (left_out is not None) == (width < 200)
    if left_out:
        title = left_out[1].split(",")[0].strip()
        assert title not in words.splitlines()[2]
    full = table(made, width, fit=False)
    for title in ("digest", "device", "images", "held out", "lr"):
        assert title in full
    assert f"lr {0.123}" in "\n".join(in_words(made))
    assert re.search(r"as recipe-\d but ", in_words(made)[2])


def test_a_terminal_without_unicode_gets_ascii(tmp_path: Path) -> None:
    data, folder = photos(), own(tmp_path / "own")
    made = compare(read([write_run(tmp_path / str(n), folder, data, noise(data, n + 1)) for n in range(2)]))
    file = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
    render(made, Console(file=file, width=120))
    file.seek(0)
    assert "+/-" in file.read()
