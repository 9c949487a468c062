"""Law: runs of pairs are fused in their own scales, by weights that never saw the fold, and what follows is a run."""

from __future__ import annotations

import json
import math
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from compared_pairs import DIGEST, FOLDS, drawn, own, pairs, write_run
from test_cli import refused, run_kptool

from kptool.compare.runs import compare_runs
from kptool.dataset import Mask
from kptool.ensemble import join_pairs, make_pairs, weigh_pairs
from kptool.ensemble.pairs_joining import JoinedPairs
from kptool.ensemble.pairs_weights import fit_fusion
from kptool.errors import DataError, LeakError, QualityError, UsageError
from kptool.geometry import Floats
from kptool.metrics.fusion import fuse, scale_of, standardise
from kptool.metrics.verification import accuracy, auc, fold_probabilities, fold_thresholds
from kptool.pair_files import read_scores, write_scores
from kptool.runs import Run, open_members, open_run
from kptool.verification import build
from kptool.verification.load import load


@pytest.fixture
def three(tmp_path: Path) -> list[Run]:
    """A good run, one nearly as good in another scale, and one that is all noise."""
    folder, data = own(tmp_path / "own"), pairs()
    scores = [drawn(data, 1.8, 1), 40 * drawn(data, 1.2, 2) - 900, drawn(data, 0.0, 3)]
    paths = [tmp_path / "runs" / "own-pairs" / name for name in ("good", "wide", "noise")]
    settings: list[tuple[str, ...]] = [(), ('train.pairs="all"',), ("seed=5",)]
    for path, score, more in zip(paths, scores, settings, strict=True):
        write_run(path, folder, data, score, more, drawn(data, 0.7, 9), parameters=7)
        join(path, data.ids.tolist())
    return [open_run(path) for path in paths]


def join(path: Path, order: list[str]) -> None:
    """Write the run's oof.parquet."""
    from kptool.engine.of_pairs import join_pair_folds

    join_pair_folds(open_run(path), np.array(order))


def noisy(rows: int, *apart: float) -> tuple[Floats, Mask]:
    """Scores (M, rows) of runs whose kinds lie so far apart, and the truth."""
    rng, same = np.random.default_rng(0), np.arange(rows) % 3 == 0
    return np.stack([width * same + rng.normal(0, 1, rows) for width in apart]), same


def loss(u: Floats, b: float, z: Floats, same: Mask) -> float:
    p = 1 / (1 + np.exp(-(u @ z + b)))
    return float(-np.log(np.where(same, p, 1 - p)).mean())


# --- scales and weights ---


def test_a_scale_is_mean_and_deviation_and_flat_scores_say_nothing() -> None:
    assert scale_of(np.array([1.0, 3.0, 5.0])) == pytest.approx((3, math.sqrt(8 / 3)))
    np.testing.assert_array_equal(standardise(np.full((1, 3), 4.0), np.full((1, 2), 4.0)), np.zeros((1, 3)))


def test_neither_scale_nor_place_of_a_runs_scores_matters() -> None:
    scores, same = noisy(301, 1.5, 0.9)
    other = np.stack([scores[0] * 250 - 7, scores[1] / 900 + 3])
    weights = fit_fusion(scores, same)
    np.testing.assert_allclose(fit_fusion(other, same), weights, rtol=0, atol=1e-6)
    np.testing.assert_allclose(fuse(other, other, weights), fuse(scores, scores, weights), rtol=0, atol=1e-9)


def test_a_run_of_no_weight_plays_no_part() -> None:
    scores = np.array([[1.0, 2.0, 4.0], [np.nan, np.inf, 0.0]])
    np.testing.assert_array_equal(fuse(scores, scores, np.array([1.0, 0.0])), standardise(scores[:1], scores[:1])[0])


def test_no_other_weights_have_a_smaller_loss() -> None:
    scores, same = noisy(301, 1.5, 0.9, 0.1)
    z, weights = standardise(scores, scores), fit_fusion(scores, same)
    assert weights.min() >= 0
    assert weights.sum() == pytest.approx(1)
    lengths, shifts = np.linspace(0.2, 4, 39), np.linspace(-2, 1, 31)

    def best(w: Floats) -> float:
        return min(loss(length * w, b, z, same) for length in lengths for b in shifts)

    own = best(weights)
    rng = np.random.default_rng(1)
    assert all(best(other) > own - 2e-4 for other in rng.dirichlet([1, 1, 1], 60))


def test_order_is_followed_noise_gets_little_and_what_is_worse_than_lot_nothing() -> None:
    scores, same = noisy(3001, 1.5, 0.0, 1.0, -0.8)
    weights = fit_fusion(scores, same)
    assert weights[0] > weights[2] > 0.2
    assert weights[1] < 0.03
    assert weights[3] == 0
    turn = [2, 0, 3, 1]
    np.testing.assert_allclose(fit_fusion(scores[turn], same), weights[turn], rtol=0, atol=1e-5)


def test_a_run_that_says_the_same_of_all_pairs_has_no_weight() -> None:
    scores, same = noisy(301, 1.5, 0.9)
    weights = fit_fusion(np.vstack([scores, np.full((1, 301), 0.1)]), same)
    assert weights[2] == 0
    np.testing.assert_allclose(weights[:2], fit_fusion(scores, same), rtol=0, atol=1e-6)


def test_where_no_run_tells_pairs_apart_all_count_alike() -> None:
    scores, same = noisy(301, -1.0, -2.0, -0.5)
    np.testing.assert_array_equal(fit_fusion(scores, same), np.full(3, 1 / 3))


# --- out of fold ---


def test_equal_weights_are_the_mean_of_scaled_scores(three: list[Run]) -> None:
    joined = join_pairs(three)
    found = weigh_pairs(joined, "equal")
    assert found.gain is None
    z = [(s - s.mean()) / s.std() for s in joined.scores]
    np.testing.assert_allclose(found.scores, np.mean(z, axis=0), rtol=0, atol=1e-12)


def relabelled(joined: JoinedPairs, fold: int) -> JoinedPairs:
    """Every ninth label of a fold turned round."""
    turned = joined.first.same ^ ((joined.first.fold == fold) & (np.arange(len(joined.first.same)) % 9 == 4))
    outcomes = tuple(replace(one, same=turned) for one in joined.outcomes)
    return replace(joined, outcomes=outcomes)


def test_no_folds_scores_know_its_labels(three: list[Run]) -> None:
    joined = join_pairs(three)
    found = weigh_pairs(joined, "fit")
    for fold in range(FOLDS):
        rows, other = joined.first.fold == fold, weigh_pairs(relabelled(joined, fold), "fit")
        np.testing.assert_array_equal(other.scores[rows], found.scores[rows])
        assert not np.isclose(other.scores[~rows], found.scores[~rows], rtol=0, atol=1e-6).all()


def test_the_gain_is_the_log_loss_and_its_error_the_jackknife(three: list[Run]) -> None:
    joined = join_pairs(three)
    found, plain = weigh_pairs(joined, "fit"), weigh_pairs(joined, "equal")
    first, gain = joined.first, found.gain
    assert gain is not None
    each = []
    for scores in (plain.scores, found.scores):
        p = fold_probabilities(scores, first.same, first.fold)
        each.append(-np.log(np.where(first.same, p, 1 - p)))
    assert (gain.equal, gain.fitted) == pytest.approx([own.mean() for own in each])
    groups = np.unique(first.group)
    left = np.array([np.subtract(*(own[first.group != g].mean() for own in each)) for g in groups])
    error = math.sqrt((len(groups) - 1) * left.var())
    assert gain.error == pytest.approx(error)
    assert "log loss" in gain.words()
    assert gain.words().startswith("gain 0.")


def test_noise_is_weighed_away_and_alike_runs_are_averaged(three: list[Run], tmp_path: Path) -> None:
    found = weigh_pairs(join_pairs(three))
    assert found.how == "fit"
    assert found.weights[2] < 0.1
    twin = open_run(Path(shutil.copytree(three[0].path, tmp_path / "runs" / "own-pairs" / "twin")))
    same = weigh_pairs(join_pairs([three[0], twin]))
    assert same.how == "equal"
    assert same.weights.tolist() == [0.5, 0.5]
    with pytest.raises(QualityError, match=r"fitted weights gain .* --weights equal"):
        weigh_pairs(join_pairs([three[0], twin]), "fit")


def test_one_run_is_itself(three: list[Run], tmp_path: Path) -> None:
    found = weigh_pairs(join_pairs(three[:1]))
    own = load(three[0])
    assert (found.how, found.gain, found.weights.tolist()) == ("equal", None, [1.0])
    assert auc(found.scores, own.same) == auc(own.score, own.same)
    same = load(made(three[:1], tmp_path / "runs"))
    assert build(same).model.accuracy == build(own).model.accuracy


# --- the folder ---


def made(runs: list[Run], root: Path, how: str = "auto", name: str = "ensemble") -> Run:
    joined = join_pairs(runs)
    return make_pairs(root, joined, weigh_pairs(joined, how), name, 1.5)  # type: ignore[arg-type]


def test_an_ensemble_is_a_run_that_reports_and_compares(three: list[Run], tmp_path: Path) -> None:
    run = open_run(made(three[:2], tmp_path / "runs", "equal", "both").path)
    assert run.models == 2 * FOLDS
    outcome, first = load(run), load(three[0])
    scores = weigh_pairs(join_pairs(three[:2]), "equal").scores
    np.testing.assert_array_equal(outcome.score, scores)
    np.testing.assert_array_equal(outcome.classical, first.classical)
    np.testing.assert_array_equal(outcome.fold, first.fold)
    assert outcome.recipe is None
    assert outcome.recipe_name == "both, ensemble of 2 runs"
    assert outcome.seconds == 1.5 + 12.5 + 12.5
    assert outcome.parameters == 14
    thresholds = fold_thresholds(scores, first.same, first.fold)
    each = [accuracy(scores[first.fold == k], first.same[first.fold == k], at) for k, at in thresholds.items()]
    assert build(outcome).model.accuracy == pytest.approx(np.mean(each))
    table = compare_runs([three[0].path, run.path])
    assert table.lines[1].settings == {}
    assert table.lines[1].own.lead == pytest.approx(100 * np.mean(each))


def test_names_that_one_run_knew_the_ensemble_knew(three: list[Run], tmp_path: Path) -> None:
    root = tmp_path / "runs"
    listed, named, _ = three
    assert "image-restricted" in load(listed).protocol
    assert "unrestricted" in load(named).protocol
    assert "unrestricted" in load(made([listed, named], root)).protocol
    assert "image-restricted" in load(made([listed, three[2]], root, "equal")).protocol
    inner = made([listed, named], root)
    assert "unrestricted" in load(made([listed, inner], root, "equal")).protocol


def test_neither_order_nor_repeats_change_an_average(three: list[Run], tmp_path: Path) -> None:
    root = tmp_path / "runs"
    there, back = made(three[:2], root, "equal"), made(three[1::-1], root, "equal")
    assert there.digest == back.digest
    np.testing.assert_allclose(load(there).score, load(back).score, rtol=0, atol=1e-12)
    twice = made([three[0], three[0]], root, "equal").members
    assert twice is not None
    assert [(one.name, weight) for one, weight in zip(twice.each, twice.weights[:, 0, 0], strict=True)] == [("good", 1)]


def test_an_ensembles_runs_are_listed_in_its_place(three: list[Run], tmp_path: Path) -> None:
    root = tmp_path / "runs"
    inner = made(three[:2], root, "equal")
    outer = made([inner, three[2]], root, "equal")
    members = outer.members
    assert members is not None
    assert [one.name for one in members.each] == ["good", "wide", "noise"]
    # Of the sum of two scaled scores the deviation is under 1, which is what the third one's is.
    spread = float(load(inner).score.std())
    weights = np.array([0.5 / spread, 0.5 / spread, 1.0])
    np.testing.assert_allclose(members.weights[:, 0, 0], weights / weights.sum(), rtol=0, atol=1e-12)
    # What it answers to other pairs, which is this sum, has the scale that its threshold is chosen in.
    scores = np.stack([load(run).score for run in three])
    np.testing.assert_allclose(load(outer).score, fuse(scores, scores, members.weights[:, 0, 0]), rtol=0, atol=1e-12)
    alone = load(made([inner], root, "equal"))
    np.testing.assert_allclose(alone.score, load(inner).score, rtol=0, atol=1e-12)


def test_the_command_says_what_became_of_each_run(three: list[Run], tmp_path: Path) -> None:
    root = tmp_path / "runs"
    said = run_kptool("ensemble", *(run.path for run in three), "--runs", root)
    assert said.code == 0, said
    assert "weights fitted by logistic regression: they gain" in said.out
    for run in three:
        assert f"  {run.path.name} {run.digest}: accuracy " in said.out
    assert "ensemble of 3 runs" in said.out
    table = json.loads(run_kptool("ensemble", *(run.path for run in three), "--runs", root, "--json").out)
    shares = [one["weights"]["pair"]["score"] for one in table["members"]]
    assert sum(shares) == pytest.approx(1)
    assert table["fit"]["gain"] == pytest.approx(table["fit"]["equal"] - table["fit"]["fitted"])
    assert table["report"]["model"]["accuracy"] == build(load(open_run(Path(table["run"])))).model.accuracy


# --- refusals ---


def test_other_data_unfinished_runs_and_other_competitions_are_refused(three: list[Run], tmp_path: Path) -> None:
    folder, data = own(tmp_path / "own"), pairs()
    part = write_run(tmp_path / "part", folder, data, drawn(data, 1.0), finished=(0, 2))
    with pytest.raises(DataError, match="fold 1 of 3 not finished, so not all of the data has a prediction"):
        join_pairs([three[0], open_run(part)])
    far = pairs(digest="88" + DIGEST[2:])
    other = write_run(tmp_path / "other", folder, far, drawn(far, 1.0))
    join(other, far.ids.tolist())
    with pytest.raises(DataError, match="was made of other data than"):
        join_pairs([three[0], open_run(other)])
    elsewhere = own(tmp_path / "elsewhere", slug="others")
    stranger = write_run(tmp_path / "stranger", elsewhere, data, drawn(data, 1.0))
    with pytest.raises(UsageError, match="is a run of others"):
        join_pairs([three[0], open_run(stranger)])


def test_other_lists_of_pairs_are_refused_and_lfw_a_is_not_hidden(three: list[Run], tmp_path: Path) -> None:
    folder, data, root = own(tmp_path / "own"), pairs(), tmp_path / "runs"
    write_run(root / "own-pairs" / "aligned", folder, data, drawn(data, 1.0, 7), alignment="LFW-a (by name)")
    write_run(root / "own-pairs" / "listed", folder, data, drawn(data, 1.0, 7), protocol="another view")
    for name in ("aligned", "listed"):
        join(root / "own-pairs" / name, data.ids.tolist())
    aligned = open_run(root / "own-pairs" / "aligned")
    for order in ([three[0], aligned], [aligned, three[0]]):
        assert load(made(order, root, "equal")).protocol.endswith("label-free outside data (its alignment)")
    with pytest.raises(DataError, match=r"listed is of another view, .*good of made view; name runs of one list"):
        join_pairs([three[0], open_run(root / "own-pairs" / "listed")])


def test_a_run_chosen_by_its_held_out_pairs_is_told_beside_one_of_no_epochs(three: list[Run], tmp_path: Path) -> None:
    folder, data, root = own(tmp_path / "own"), pairs(), tmp_path / "runs"
    for name, settings in (("closed", ("train.epochs=0",)), ("chosen", ('train.keep="best"',))):
        write_run(root / "own-pairs" / name, folder, data, drawn(data, 1.0, len(name)), settings)
        join(root / "own-pairs" / name, data.ids.tolist())
    closed, chosen = (open_run(root / "own-pairs" / name) for name in ("closed", "chosen"))
    assert {load(made(order, root, "equal")).keep for order in ([closed, chosen], [chosen, closed])} == {"best"}
    assert load(made([closed, three[0]], root, "equal")).keep == "last"


@pytest.mark.parametrize("damage", ["knew", "score"])
def test_a_damaged_folder_is_one_line(three: list[Run], tmp_path: Path, damage: str) -> None:
    run = made(three[:2], tmp_path / "runs")
    if damage == "knew":
        (run.path / "env.json").write_text(json.dumps({k: v for k, v in run.env.items() if k != "knew"}))
        assert "does not tell what its runs knew" in refused(3, "report", run.path)
        return
    file = run.path / "fold-1" / "oof.parquet"
    scores = read_scores(file)
    write_scores(file, scores._replace(score=np.where(np.arange(len(scores.ids)) == 4, np.nan, scores.score)))
    assert f"the score of pair {scores.ids[4]} is nan" in refused(3, "report", run.path)


def test_a_run_that_parted_people_is_refused(three: list[Run], tmp_path: Path) -> None:
    folder, data = own(tmp_path / "own"), pairs()
    path = write_run(tmp_path / "leak", folder, data, drawn(data, 3.0), fold=np.arange(len(data)) % FOLDS)
    join(path, data.ids.tolist())
    with pytest.raises(LeakError, match="belong to one group but to two folds"):
        join_pairs([three[0], open_run(path)])


def test_a_run_that_has_changed_since_is_refused(three: list[Run], tmp_path: Path) -> None:
    run = made(three[:2], tmp_path / "runs")
    assert [one.path.name for one in open_members(run)] == ["good", "wide"]
    scores = read_scores(three[1].path / "oof.parquet")
    assert len(scores.ids) == len(pairs())
    shutil.copy(three[0].path / "oof.parquet", three[1].path / "oof.parquet")
    with pytest.raises(DataError, match="has changed since the ensemble was made"):
        open_members(run)
    assert "has nothing to train" in refused(2, "cv", "--resume", run.path)
