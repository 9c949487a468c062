"""Law: planted label errors are listed before every sound row, with what to do about them, whatever the rows' order."""

from __future__ import annotations

import csv
import io
import tomllib
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
from compared_runs import Photos, own, photos, write_run
from own_competition import POINTS
from PIL import Image

from kptool.audit import Audit, Suggestion
from kptool.audit import sheet as sheets
from kptool.audit.build import LEAST, Found, ranked, suggest
from kptool.audit.decide import decide
from kptool.audit.evidence import Evidence, gather
from kptool.audit.gain import parts
from kptool.audit.recipe import audited, recipe_text
from kptool.audit.score import STRONG, of_labels, together
from kptool.audit.sheet import SIDE, Tile, write_sheets
from kptool.audit.tails import fit_tails
from kptool.audit.voices import Voices
from kptool.audit.write import to_csv, to_toml, write
from kptool.compare.gain import gains
from kptool.compare.read import Entry
from kptool.dataset import Dataset, Ints
from kptool.edits import apply_edits, check_edits, read_edits
from kptool.geometry import Floats, identity, scale, shift
from kptool.pixels import Arrays
from kptool.report.load import load
from kptool.report.outcome import Edited, Outcome
from kptool.report.scored import scored
from kptool.runs import Run, open_run

N, MODELS, SIGMA = 241, 5, 0.5
SWAPPED, MOVED, FOREIGN, COPIED, ORIGINAL = 6, 13, 20, 31, 32  # rows with all four points
PLANTED = {SWAPPED, MOVED, FOREIGN, COPIED}


class Case(NamedTuple):
    """A made-up run: what it handed over, what its models said, its pictures."""

    run: Run
    outcome: Outcome
    voices: Voices
    arrays: Arrays


def noise(shape: tuple[int, ...], seed: int) -> Floats:
    return np.random.default_rng(seed).normal(0, SIGMA, shape)


@pytest.fixture(scope="module")
def clean(tmp_path_factory: pytest.TempPathFactory) -> Case:
    """Labels that are right but for noise; every third row has four points, the others two."""
    root, data = tmp_path_factory.mktemp("runs"), photos(N)
    data = Photos(data.ids, data.truth, np.arange(N), data.digest)
    data.truth[ORIGINAL] = data.truth[COPIED]
    run = open_run(write_run(root / "run", own(root / "own"), data, noise(data.truth.shape, 1)))
    outcome = scored(load(run)).outcome
    right = np.nan_to_num(outcome.truth, nan=40.0)
    voices = Voices(np.stack([right + noise(right.shape, 10 + m) for m in range(MODELS)]), "folds' models")
    images = np.random.default_rng(3).integers(0, 256, (N, 1, 24, 32), dtype=np.uint8)
    images[ORIGINAL] = images[COPIED]
    arrays = Arrays(outcome.ids, images, outcome.truth, identity(N), outcome.schema, identity(), (32, 24))
    return Case(run, outcome, voices, arrays)


@pytest.fixture(scope="module")
def planted(clean: Case) -> Case:
    """The same with four wrong rows."""
    truth = clean.outcome.truth.copy()
    full = np.flatnonzero(np.isfinite(truth).all((1, 2)))
    truth[SWAPPED] = truth[SWAPPED][[1, 0, 2, 3]]
    truth[MOVED, 2] += (25.0, -9.0)
    truth[FOREIGN] = truth[full[np.linalg.norm(truth[full] - truth[FOREIGN], axis=(1, 2)).argmax()]]
    truth[COPIED] += (9.0, 14.0)
    return clean._replace(outcome=replace(clean.outcome, truth=truth))


def found(case: Case) -> Evidence:
    return gather(case.outcome, case.voices, case.arrays)


def listed(case: Case) -> list[Suggestion]:
    evidence = found(case)
    return [suggest(evidence, int(row), rank) for rank, row in enumerate(ranked(evidence), 1)]


def made(case: Case) -> Found:
    suggestions = tuple(listed(case))
    return Found(Audit("run", suggestions, len(suggestions), N, ()), found(case), case.arrays)


def by_row(case: Case) -> dict[int, Suggestion]:
    return {one.row: one for one in listed(case)}


def test_what_was_planted_comes_before_every_sound_row(planted: Case) -> None:
    first = [one.row for one in listed(planted)[: len(PLANTED)]]
    assert set(first) == PLANTED
    assert all(one.strong for one in listed(planted)[: len(PLANTED)])


def test_a_swapped_face_is_swapped_back(planted: Case, clean: Case) -> None:
    one = by_row(planted)[SWAPPED]
    assert (one.action, one.kind, one.points, one.masked) == ("move", "swap", POINTS[:2], ())
    np.testing.assert_array_equal(one.to, clean.outcome.truth[SWAPPED, :2])
    assert "left and right are exchanged (1 pair)" in one.reason


def test_a_point_far_off_is_masked_alone(planted: Case) -> None:
    one = by_row(planted)[MOVED]
    assert (one.action, one.kind, one.points, one.to) == ("mask", "points", ("nose",), ())
    assert "nose 2" in one.reason
    assert "all 5 folds' models contradict it; they agree with each other" in one.reason


def test_the_labels_of_another_face_are_dropped(planted: Case) -> None:
    one = by_row(planted)[FOREIGN]
    assert (one.action, one.kind) == ("drop", "labels")
    assert [edit.points for edit in one.edits()] == [[]]


def test_a_copy_marked_elsewhere_gets_the_labels_of_the_better_one(planted: Case, clean: Case) -> None:
    one = by_row(planted)[COPIED]
    assert (one.action, one.kind, one.points) == ("move", "copy", POINTS)
    np.testing.assert_allclose(one.to, clean.outcome.truth[ORIGINAL], atol=1e-4)
    assert f"its copy face-{ORIGINAL} is marked up to 16.6 px elsewhere, where the models are" in one.reason
    assert ORIGINAL not in by_row(planted)


def test_without_pictures_a_copy_is_no_evidence(planted: Case) -> None:
    evidence = gather(planted.outcome, planted.voices, None)
    assert not evidence.copies
    assert decide(evidence, COPIED).action == "drop"
    assert {int(row) for row in ranked(evidence)[: len(PLANTED)]} == PLANTED


def test_models_that_scatter_have_lost_the_face(planted: Case) -> None:
    points = planted.voices.points.copy()
    points[:, MOVED] += np.random.default_rng(5).normal(0, 20 * SIGMA, points[:, MOVED].shape)
    one = by_row(planted._replace(voices=Voices(points, "folds' models")))[MOVED]
    assert (one.action, one.kind) == ("drop", "face")
    assert "no usable face" in one.reason
    assert one.score > STRONG
    assert not one.strong


def test_a_face_in_doubt_is_edited_only_once_a_person_takes_the_comment_away(planted: Case, tmp_path: Path) -> None:
    points = planted.voices.points.copy()
    points[:, MOVED] += np.random.default_rng(5).normal(0, 20 * SIGMA, points[:, MOVED].shape)
    whole = made(planted._replace(voices=Voices(points, "folds' models")))
    own = str(planted.outcome.ids[MOVED])
    for audit in (whole.audit, replace(whole.audit, suggestions=whole.audit.faces)):  # beside other edits, and alone
        file = write(tmp_path, planted.run, replace(whole, audit=audit)).edits
        written, before = file.read_text(), read_edits(file)
        assert own not in [edit.image for edit in before]
        head, _, asked = written.partition("#\n# [[edit]]")
        file.write_text(f"{head}\n[[edit]]" + asked.replace("\n# ", "\n").replace("\n#\n", "\n\n"))
        after = read_edits(file)
        assert after[: len(before)] == before
        assert [(edit.image, edit.action) for edit in after[len(before) :]] == [(own, "drop")]


def test_a_label_that_models_take_for_right_once_learned_is_not_edited(planted: Case) -> None:
    learned = np.where(np.isfinite(planted.outcome.truth), planted.outcome.truth, 40.0)
    points = learned + noise(planted.voices.points.shape, 7)
    one = by_row(planted._replace(voices=Voices(points, "folds' models")))[MOVED]
    assert one.score > STRONG
    assert not one.strong
    assert "none of 5 folds' models contradict it" in one.reason


def test_a_sound_run_has_no_strong_suggestion(clean: Case) -> None:
    assert [one for one in listed(clean) if one.strong] == []
    assert len(listed(clean)) <= 5


def test_without_voices_the_residuals_alone_rank(planted: Case) -> None:
    evidence = gather(planted.outcome, None, planted.arrays)
    assert {int(row) for row in ranked(evidence)[: len(PLANTED)]} == PLANTED
    assert np.isnan(evidence.scatter).all()
    assert "models" not in suggest(evidence, MOVED, 1).reason


def permuted(case: Case, order: Ints) -> Case:
    a, o = case.arrays, case.outcome
    rows = {n: getattr(o, n)[order] for n in ("ids", "truth", "predicted", "spread", "fold", "scheme", "sizes")}
    outcome = replace(o, to_frame=o.to_frame[order], group=None, **rows)
    arrays = replace(a, ids=a.ids[order], images=a.images[order], points_frame=a.points_frame[order])
    return Case(case.run, outcome, case.voices._replace(points=case.voices.points[:, order]), arrays)


def test_the_order_of_rows_does_not_matter(planted: Case) -> None:
    mixed = permuted(planted, np.random.default_rng(11).permutation(N))
    one, other = listed(planted), listed(mixed)
    assert [s.id for s in one] == [s.id for s in other]
    assert [(s.action, s.points, s.reason) for s in one] == [(s.action, s.points, s.reason) for s in other]
    np.testing.assert_allclose([s.score for s in one], [s.score for s in other], rtol=1e-9)


def test_the_size_and_place_of_photos_do_not_matter(planted: Case) -> None:
    rng = np.random.default_rng(2)
    to_photo = scale(s := rng.uniform(0.5, 7, N), s).then(shift(*rng.uniform(-90, 90, (2, N))))
    o = planted.outcome
    truth, predicted = to_photo(o.truth), to_photo(o.predicted)
    outcome = replace(o, to_frame=to_photo.inverse(), sizes=np.full((N, 2), 900), truth=truth, predicted=predicted)
    voices = planted.voices._replace(points=np.stack([to_photo(p) for p in planted.voices.points]))
    one, other = found(planted), found(planted._replace(outcome=outcome, voices=voices))
    np.testing.assert_array_equal(ranked(one), ranked(other))
    np.testing.assert_allclose(one.score, other.score, rtol=1e-6, atol=1e-6)
    assert suggest(other, MOVED, 1).reason.startswith("nose 25.7 px of the frame from the")
    back = suggest(other, SWAPPED, 1)
    np.testing.assert_array_equal(back.to, truth[SWAPPED][[1, 0]])


def test_points_without_label_never_appear(planted: Case) -> None:
    truth = planted.outcome.truth.copy()
    truth[FOREIGN, 1], truth[MOVED] = np.nan, np.nan
    case = planted._replace(outcome=replace(planted.outcome, truth=truth))
    assert np.isneginf(found(case).score[MOVED])
    assert MOVED not in by_row(case)
    for one in listed(case):
        names = {POINTS[k] for k in np.flatnonzero(np.isfinite(truth[one.row]).all(-1))}
        assert {*one.points, *one.masked} <= names
        assert one.labelled == len(names)


def test_edits_round_trip_and_are_taken(planted: Case, tmp_path: Path) -> None:
    whole = made(planted)
    files = write(tmp_path, planted.run, whole)
    edits = read_edits(files.edits)
    assert edits == whole.audit.edits
    assert len(edits) >= len(PLANTED)
    check_edits(edits, planted.outcome.schema, "here")
    pixels = np.zeros((N, 1, 96, 96), dtype=np.uint8)
    data = Dataset(planted.outcome.ids, pixels, planted.outcome.truth, planted.outcome.schema, "digest")
    labels = apply_edits(edits, data, data.ids).points
    assert np.isnan(labels[FOREIGN]).all()
    assert np.isnan(labels[MOVED]).all(1).tolist() == [False, False, True, False]
    sound = np.setdiff1d(np.arange(N), [one.row for one in whole.audit.strong])
    np.testing.assert_array_equal(labels[sound], data.points[sound])


def test_the_recipe_is_the_runs_own_but_for_edits_and_name(planted: Case) -> None:
    whole, run = made(planted).audit, planted.run
    recipe = audited(run, whole)
    assert recipe.name == f"{run.recipe.name}-audited"
    assert recipe.data.edits == whole.edits
    same = recipe.model_copy(update={"name": run.recipe.name, "data": run.recipe.data})
    assert same == run.recipe
    table = tomllib.loads(recipe_text(run, "edits.toml"))
    assert (table["data"]["edits"], table["train"]) == ("edits.toml", run.recipe.model_dump()["train"])


@pytest.mark.parametrize("name", ["=cmd()", "+1", "-x", "@a", '"; rm', "[bold]x[/bold]", "\x1b[31mred", "a,b\nc"])
def test_hostile_ids_stay_text(planted: Case, name: str) -> None:
    ids = planted.outcome.ids.astype(object)
    ids[MOVED] = name
    outcome = replace(planted.outcome, ids=ids.astype(np.str_))
    case = planted._replace(outcome=outcome, arrays=replace(planted.arrays, ids=outcome.ids))
    whole = made(case)
    toml = to_toml(case.run, whole.audit)
    assert "\x1b" not in toml
    assert name in [edit["image"] for edit in tomllib.loads(toml)["edit"]]
    row = next(csv.DictReader(io.StringIO(to_csv([one for one in whole.audit.suggestions if one.row == MOVED]))))
    assert row["id"] == (f"'{name}" if name[0] in "=+-@" else name)


def test_a_sheet_holds_every_tile_grey_or_coloured(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(0)
    label = rng.uniform(0, 40, (4, 2))
    label[3] = np.nan
    far = label + np.array([1e9, -1e9])
    doubted = np.array([True, False, True, True])
    tiles = [
        Tile(rng.integers(0, 256, (c, 44, 61), dtype=np.uint8), label, far, doubted, t, "why " * 99)
        for c, t in ((1, "漢字\x1b"), (3, "b"), (1, "c"), (3, "d"), (1, "e"), (3, "f"))
    ]
    (tmp_path / "sheet-2.png").write_bytes(b"of an earlier audit")
    (path,) = write_sheets(tmp_path, tiles)
    with Image.open(path) as sheet:
        assert sheet.width >= 5 * SIDE
        assert sheet.height >= 2 * 44 * SIDE // 61
        assert len(np.unique(np.asarray(sheet.convert("L")))) > 200
    assert not (tmp_path / "sheet-2.png").exists()
    first = path.read_bytes()
    assert write_sheets(tmp_path, tiles)[0].read_bytes() == first
    monkeypatch.setattr(sheets, "FACES", 4)
    assert [p.name for p in write_sheets(tmp_path, tiles)] == ["sheet.png", "sheet-2.png"]


def test_tails_are_those_of_the_set_and_doubt_grows_with_distance() -> None:
    rng = np.random.default_rng(0)
    freedom, scale_px, n = 4.0, 1.7, 40_000
    # The plane's t: a Gaussian over the root of a chi-squared by its degrees of freedom.
    points = rng.normal(0, scale_px, (n, 2)) / np.sqrt(rng.chisquare(freedom, (n, 1)) / freedom)
    away = np.linalg.norm(points, axis=1)[:, None]
    tails = fit_tails(away, np.zeros(n, dtype=np.int64), 1, 68.0)
    assert tails.freedom[0, 0] == pytest.approx(freedom, rel=0.15)
    assert tails.scale[0, 0] == pytest.approx(scale_px, rel=0.05)
    doubt = tails.doubt(np.array([[0.1], [5.0], [20.0], [60.0]]), np.zeros(4, dtype=np.int64))[:, 0]
    assert (np.diff(doubt) > 0).all()
    assert doubt[0] < LEAST < doubt[-1]


def test_points_that_err_together_count_as_one_witness() -> None:
    rng = np.random.default_rng(0)
    alone, shared = rng.normal(size=(500, 7)), np.repeat(rng.normal(size=(500, 1)), 7, axis=1)
    assert together(alone) < 0.03
    assert together(shared) == pytest.approx(1, abs=0.01)
    assert together(alone[:, :1]) == 0
    few, many = np.full((1, 2), 5.0), np.full((1, 60), 5.0)
    assert of_labels(many, 1.0)[0] == pytest.approx(of_labels(few, 1.0)[0])
    assert of_labels(many, 0.1)[0] > of_labels(few, 0.1)[0]


def test_gains_are_over_labels_as_given_and_a_dropped_row_still_counts(planted: Case) -> None:
    old, questioned = load(planted.run), {f"face-{FOREIGN}"}
    labels = old.truth.copy()
    labels[FOREIGN] = np.nan
    better = old.truth + 0.5 * (old.predicted - old.truth)
    new = replace(old, predicted=better, edited=Edited(labels, {"drop": 1}))
    pair = [Entry(name, planted.run, one, ()) for name, one in (("old", old), ("new", new))]
    found = gains(pair[0], pair[1], parts(old, new, questioned))
    whole, calm, flat = (gain.found for gain in found)
    assert (whole.images, calm.images, flat.images) == (N, N - 1, N - 1)
    assert whole.value == pytest.approx(whole.base / 2)
    assert whole.low < whole.difference < whole.high < 0
    assert (whole.word, [gain.flattering for gain in found]) == ("better", [False, False, True])
    assert [gain.over for gain in gains(pair[0], pair[1], parts(old, old, set()))] == ["all images, labels as given"]
