"""Law: runs of pairs are held against each other on the same pairs, higher is better, the baseline stands beside."""

from __future__ import annotations

import csv
import io
import json
import math
import re
from pathlib import Path

import compared_runs as points
import numpy as np
import pytest
from compared_pairs import FOLDS, TRIOS, drawn, groups, own, pairs, write_run
from rich.cells import cell_len
from rich.console import Console

from kptool.compare import Comparison, compare, read
from kptool.compare.markdown import to_markdown
from kptool.compare.plain import records, to_csv, to_json
from kptool.compare.runs import compare_runs
from kptool.compare.terminal import render
from kptool.compare.verdict import word
from kptool.dataset import Ints, Mask
from kptool.errors import DataError, UsageError
from kptool.geometry import Floats
from kptool.pairs import Pairs

NO = "no difference that these pairs can show"


def table(made: Comparison, width: int = 200, fit: bool = True) -> str:
    file = io.StringIO()
    render(made, Console(file=file, width=width), fit)
    return file.getvalue()


def rightly(data: Pairs, score: Floats, fold: Ints) -> Mask:
    """(P,) by a plain search: of all cuts between scores of the other folds, the middle of the widest best."""
    out = np.zeros(len(data), dtype=np.bool_)
    for k in np.unique(fold):
        others = np.sort(score[fold != k])
        cuts = (others[1:] + others[:-1]) / 2
        hits = [int(((score[fold != k] >= cut) == data.same[fold != k]).sum()) for cut in cuts]
        best = np.flatnonzero(np.array(hits) == max(hits))
        cut = cuts[best[np.argmax((others[1:] - others[:-1])[best])]]
        out[fold == k] = (score[fold == k] >= cut) == data.same[fold == k]
    return out


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Comparison:
    """Three runs with one baseline: net, a better one, and net with another seed and noise."""
    root, data = tmp_path_factory.mktemp("runs"), pairs()
    folder, hand_made, first = own(root / "own"), drawn(data, 0.8, 9), drawn(data, 1.0, 1)
    noisy = first + drawn(data, 0, 4) * 0.3
    return compare_runs(
        [
            write_run(root / "net", folder, data, first, (), hand_made, parameters=1234567),
            write_run(root / "good", folder, data, drawn(data, 1.9, 2), ("train.pairs=all",), hand_made),
            write_run(root / "seed", folder, data, noisy, ("seed=3",), hand_made),
        ]
    )


# --- figures ---


def test_accuracy_is_the_mean_over_folds_by_thresholds_of_the_others(made: Comparison) -> None:
    data, line = pairs(), made.lines[0]
    fold, score = groups(data) % FOLDS, drawn(data, 1.0, 1)
    good = rightly(data, score, fold)
    each = [100 * good[fold == k].mean() for k in range(FOLDS)]
    assert len({int((fold == k).sum()) for k in range(FOLDS)}) > 1  # so the mean over folds is not that over pairs
    shown = line.common
    assert shown.lead == pytest.approx(np.mean(each))
    assert shown.fold_std == pytest.approx(np.std(each, ddof=1))
    assert shown.beside["score_standard_error"] == pytest.approx(np.std(each, ddof=1) / math.sqrt(FOLDS))
    wins = score[data.same][:, None] > score[~data.same]
    assert shown.beside["score_auc"] == pytest.approx(wins.mean())
    accepted = [(score >= cut) for cut in np.sort(score)]
    tar = max(float(yes[data.same].mean()) for yes in accepted if yes[~data.same].mean() <= 0.1)
    assert shown.beside["score_tar_at_far_10_percent"] == pytest.approx(100 * tar)
    assert 0 < shown.beside["score_eer_percent"] < 50
    assert 0 < shown.beside["score_brier"] < 0.25
    assert (shown.images, line.parameters, line.epochs, line.loss) == (len(data), 1234567, 4, "bce")
    assert (line.heldout, line.seconds, line.images_per_second) == (31, 12.5, 500)


def test_the_interval_is_that_of_a_plain_loop_over_groups(made: Comparison) -> None:
    data = pairs()
    group = groups(data)
    fold = group % FOLDS
    one, two = (100.0 * rightly(data, drawn(data, by, seed), fold) for by, seed in ((1.0, 1), (1.9, 2)))
    found = made.differences[0]
    assert (found.base, found.value) == pytest.approx((one.mean(), two.mean()))
    assert found.difference == found.value - found.base
    draws, loop = np.random.default_rng(0), []
    members = [np.flatnonzero(group == g) for g in range(TRIOS)]
    for _ in range(2000):
        rows = np.concatenate([members[g] for g in draws.integers(TRIOS, size=TRIOS)])
        loop.append(two[rows].mean() - one[rows].mean())
    assert (found.low, found.high) == pytest.approx(tuple(np.percentile(loop, (2.5, 97.5))))
    assert (found.images, found.groups, made.resamples, made.seed) == (len(data), TRIOS, 2000, 0)


def test_higher_is_better_whichever_run_is_the_base(made: Comparison, tmp_path: Path) -> None:
    assert [found.word for found in made.differences] == ["better", NO, NO]
    data, folder = pairs(), own(tmp_path / "own")
    paths = [write_run(tmp_path / str(by), folder, data, drawn(data, by, 2)) for by in (0.2, 2.5)]
    for base, said, sign in ((0, "better", 1), (1, "worse", -1)):
        (found,) = compare_runs(paths, base).differences
        assert found.word == said
        assert sign * found.difference > 0
        assert found.low <= found.difference <= found.high


@pytest.mark.parametrize(
    ("low", "high", "count", "said"),
    [
        (0.1, 2.0, 50, "better"),
        (-2.0, -0.1, 50, "worse"),
        (-0.1, 0.1, 50, NO),
        (0.0, 0.2, 50, NO),
        (-0.2, 0.0, 50, NO),
        (0.1, 2.0, 9, "too few groups to say"),
        (0.0, 0.0, 2, NO),
    ],
)
def test_words(low: float, high: float, count: int, said: str) -> None:
    assert word(low, high, count, higher_is_better=True, things="pairs") == said


def test_a_run_against_itself_differs_by_nothing_at_all(tmp_path: Path) -> None:
    data = pairs()
    a = write_run(tmp_path / "a", own(tmp_path / "own"), data, drawn(data, 1))
    both = compare_runs([a, a])
    (found,) = both.differences
    assert (found.difference, found.low, found.high, found.word) == (0, 0, 0, NO)
    assert [line.name for line in both.lines] == ["a", "a (2)"]
    assert "*" not in table(both)


def test_runs_meet_on_the_pairs_of_both(tmp_path: Path) -> None:
    data, folder = pairs(), own(tmp_path / "own")
    score = drawn(data, 1)
    paths = [
        write_run(tmp_path / "all", folder, data, score),
        write_run(tmp_path / "two", folder, data, score, finished=(0, 2)),
    ]
    both, fold = compare_runs(paths), groups(data) % FOLDS
    shared = int((fold != 1).sum())
    assert [line.own.images for line in both.lines] == [len(data), shared]
    assert [line.common.images for line in both.lines] == [shared, shared]
    assert both.lines[0].common == both.lines[1].common == both.lines[1].own  # thresholds are of the shared pairs too
    assert (both.differences[0].images, both.differences[0].difference) == (shared, 0)
    words = table(both)
    assert f"Scores are over the {shared} pairs that all runs predicted" in words
    assert "own accuracy" in words
    assert "two: 2 of 3 folds are finished." in words
    assert not any("flatters" in note for note in both.notes)
    assert "*" not in table(compare_runs(paths, rows="all"))
    one = compare_runs([paths[0], write_run(tmp_path / "one", folder, data, score, finished=(1,))])
    assert any("Of all, one one fold alone" in note and "flatters" in note for note in one.notes)
    assert math.isnan(one.lines[1].common.beside["score_standard_error"])
    assert "score_brier" not in one.lines[1].common.beside
    with pytest.raises(DataError, match="no pair in common"):
        compare_runs([tmp_path / "one", tmp_path / "two"])


# --- the baseline ---


def test_the_baseline_is_one_line_of_its_own(made: Comparison) -> None:
    *trained, hand_made = made.lines
    assert [line.baseline for line in made.lines] == [False, False, False, True]
    assert made.trained == tuple(trained)
    assert (hand_made.name, hand_made.settings, hand_made.digest) == ("classical baseline", {}, "")
    data = pairs()
    good = rightly(data, drawn(data, 0.8, 9), groups(data) % FOLDS)
    assert made.differences[-1].value == pytest.approx(100 * good.mean())
    assert made.differences[-1].name == "classical baseline"
    assert "3 runs" in table(made).splitlines()[0]
    assert re.search(r"^classical baseline +[0-9.]+", table(made), re.MULTILINE)


def test_baselines_that_differ_say_whose_they_are_and_none_is_none(tmp_path: Path) -> None:
    data, folder = pairs(), own(tmp_path / "own")
    hand_made = drawn(data, 0.8, 9)
    other = (groups(data) + 1) % FOLDS
    a = write_run(tmp_path / "a", folder, data, drawn(data, 1), (), hand_made)
    b = write_run(tmp_path / "b", folder, data, drawn(data, 1), (), hand_made, finished=(0, 2))
    c = write_run(tmp_path / "c", folder, data, drawn(data, 1), ("seed=1",), hand_made, fold=other)
    d = write_run(tmp_path / "d", folder, data, drawn(data, 1))
    both = compare_runs([a, b, c, d])
    assert [line.name for line in both.lines[4:]] == ["classical baseline of a", "classical baseline of c"]
    assert any("classical baseline of a is that of a, b; classical baseline of c is that of c" in n for n in both.notes)
    assert both.lines[4].own.images == len(data)
    assert [line.name for line in compare_runs([b, a]).lines[2:]] == ["classical baseline"]
    assert len(compare_runs([d, d]).lines) == 2
    hand_made[7:11] = np.nan
    e = write_run(tmp_path / "e", folder, data, drawn(data, 1), (), hand_made)
    lacking = compare_runs([e, d])
    assert len(lacking.lines) == 2
    assert f"e: its classical baseline lacks 4 of {len(data)} pairs and is left out." in lacking.notes


# --- what is refused ---


def test_other_tasks_and_other_data_are_refused_by_name(tmp_path: Path) -> None:
    data, folder = pairs(), own(tmp_path / "own")
    a = write_run(tmp_path / "a", folder, data, drawn(data, 1))
    of_points = points.write_run(tmp_path / "p", points.own(tmp_path / "faces"), points.photos(), 1.0)
    with pytest.raises(UsageError, match=r"a is a run of own-pairs, .*p of own-faces; compare runs of one competition"):
        compare_runs([of_points, a])
    namesake = points.own(tmp_path / "namesake", slug="own-pairs")
    impostor = points.write_run(tmp_path / "i", namesake, points.photos(), 1.0)
    with pytest.raises(UsageError, match=r"two competitions of the name own-pairs with different task"):
        compare_runs([a, impostor])
    with pytest.raises(UsageError, match=r"a is a run of pairs and has no points"):
        read([a, a])
    other = pairs(digest="0" * 64)
    b = write_run(tmp_path / "b", folder, other, drawn(other, 1))
    with pytest.raises(DataError, match=r"b was made of other pairs than .*a \(0000.* not 77aa.*; train both on the s"):
        compare_runs([a, b])
    fewer = pairs(TRIOS - 1)
    c = write_run(tmp_path / "c", folder, fewer, drawn(fewer, 1))
    with pytest.raises(DataError, match=r"one data digest and not the same pairs; restore"):
        compare_runs([a, c])


def test_runs_of_points_are_compared_as_ever(tmp_path: Path) -> None:
    data, folder = points.photos(), points.own(tmp_path / "own")
    paths = [points.write_run(tmp_path / str(off), folder, data, off) for off in (1.0, 1.5)]
    assert to_csv(compare_runs(paths, 1)) == to_csv(compare(read(paths), 1))
    told = to_json(compare_runs(paths))
    assert told["metric"]["lower_is_better"] is True
    assert "baselines" not in told


# --- what is shown ---


def test_csv_json_and_markdown_give_the_same_numbers_back(made: Comparison) -> None:
    wanted = [line.common.lead for line in made.lines]
    rows = list(csv.DictReader(io.StringIO(to_csv(made))))
    told = json.loads(json.dumps(to_json(made), allow_nan=False))
    assert [float(row["score"]) for row in rows] == wanted
    assert [row["score"] for row in [*told["runs"], *told["baselines"]]] == wanted
    assert told["metric"] == {
        "name": "accuracy",
        "unit": "%",
        "normaliser": None,
        "lower_is_better": False,
        "protocol": "made view",
        "alignment": "cut by hand",
    }
    assert told["bootstrap"]["resampled"] == "groups of pairs"
    assert [found["pairs"] for found in told["differences"]] == [len(pairs())] * 3
    assert not any("image" in key or "values" in key or "rmse" in key for key in records(made)[0])
    assert told["runs"][0]["pairs_per_second"] == 500
    (seeds,) = told["seeds"]
    assert seeds["score"]["mean"] == pytest.approx(np.mean([wanted[0], wanted[2]]))
    lines = [line.strip("| ").split(" | ") for line in to_markdown(made).splitlines() if line.startswith("|")]
    place = lines[0].index("accuracy %")
    assert [line[place].strip("*") for line in lines[2:6]] == [f"{value:.2f}" for value in wanted]


def test_the_highest_accuracy_and_the_lowest_error_are_marked(made: Comparison) -> None:
    lines = [line.strip("| ").split(" | ") for line in to_markdown(made).splitlines() if line.startswith("|")]
    for title, best in (("accuracy %", max), ("AUC", max), ("TAR % at FAR 10 %", max), ("EER %", min), ("Brier", min)):
        cells = [line[lines[0].index(title)] for line in lines[2:6]]
        found = [float(cell.strip("*")) for cell in cells]
        assert [cell.startswith("**") for cell in cells] == [value == best(found) for value in found], title
    assert "* = the best of its column." in table(made)
    assert "above 0 is better" in table(made)


def test_rules_that_differ_are_told(made: Comparison) -> None:
    assert made.protocol == "made view"
    assert made.alignment == "cut by hand"
    first = table(made).splitlines()[0]
    assert " · accuracy · made view · cut by hand · " in first
    (note,) = [note for note in made.notes if note.startswith("Not all runs learned by the same rules")]
    assert "net, seed: made view, image-restricted, no outside data; good: made view, unrestricted" in note
    assert {record["protocol"] for record in records(made)[:3]} == {line.protocol for line in made.trained}


@pytest.mark.parametrize("width", [80, 100, 120, 200])
def test_no_line_is_wider_than_the_terminal_and_no_word_is_cut(made: Comparison, width: int) -> None:
    words = table(made, width)
    assert max(map(cell_len, words.splitlines())) <= width
    assert "…" not in words
    for line in made.lines:
        assert re.search(rf"^{line.name} +.*{line.common.lead:.2f}", words, re.MULTILINE)
    full = table(made, width, fit=False)
    for title in ("digest", "± SE", "AUC", "EER", "TAR", "Brier", "trained", "epochs", "parameters"):
        assert title in full
