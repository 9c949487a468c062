"""Law: soft labels add where a label is missing and nowhere else, and to each fold only its own."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from own_competition import Own, write_own
from test_cli import refused

from kptool.augment import sample
from kptool.competitions import change_recipe, find, read_recipe
from kptool.config import Recipe, parse
from kptool.dataset import Dataset
from kptool.engine.checkpoint import load_newest
from kptool.engine.fit import Watch, fit
from kptool.engine.progress import Progress
from kptool.engine.state import Job
from kptool.errors import DataError, KptoolError, UsageError
from kptool.files import file_digest
from kptool.geometry import Floats, about, identity, mirror, scale
from kptool.intake import take_in
from kptool.models.heads import Head
from kptool.pixels import Arrays
from kptool.schema import make_schema, mirror_points
from kptool.schemes import Schemes, of_masks
from kptool.soft_labels import (
    About,
    SoftSet,
    digest_of_folds,
    read_about,
    read_set,
    refuse_other_soft,
    schemes_of,
    write_soft,
)
from kptool.tasks.keypoints import Keypoints
from kptool.tasks.soft import Soft

W, H, K, N, FOLDS = 44, 36, 4, 30, 3
SCHEMA = make_schema("test", ["left", "right", "nose", "chin"], [("left", "right")])
# Hostile ids: markup, a terminal's escape, a path, another alphabet, SQL, an empty one, one that a float would change.
IDS = np.array(["[red]x[/]", "\x1b[2J", "../../etc", "ħé\u202e", "';--", "", "007", *(f"f{n}" for n in range(7, N))])
SCHEMES = of_masks(np.array([[True] * 4, [False, False, True, True]]))
SCHEME = (np.arange(N) % 3 > 0).astype(np.int64)  # two of three rows lack both eyes
FOLD = (np.arange(N) // 3 % FOLDS).astype(np.int64)
RECIPE: dict[str, dict[str, object]] = {
    "model": {"width": 8},
    "train": {"epochs": 2, "batch_size": 8, "precision": "fp32", "ema": 0.9},
    "folds": {"count": FOLDS},
}


def recipe(file: Path | None = None, **more: dict[str, object]) -> Recipe:
    table = {key: value | more.pop(key, {}) for key, value in RECIPE.items()} | more
    if file is not None:
        table["data"] = {"soft": str(file), "soft_digest": file_digest(file)[:12]} | table.get("data", {})
    return parse(Recipe, table, "test")


def points() -> Floats:
    """(N, K, 2) where all points lie."""
    generator = np.random.default_rng(0)
    middle = generator.uniform([18, 14], [W - 19, H - 19], (N, 1, 2))
    away = np.array([[7, 0], [-7, 0], [0, 4], [0, 9]]) + generator.normal(0, 0.7, (N, K, 2))
    return np.asarray(middle + away)


def task(made: Recipe, labels: Floats | None = None) -> Keypoints:
    """Bright chins and dark eyes, cut at half their size from larger photos."""
    every = points()
    y, x = np.mgrid[:H, :W]
    away = (x - every[..., 0, None, None]) ** 2 + (y - every[..., 1, None, None]) ** 2
    glow = (np.exp(-away / 8) * np.array([-90, -60, 60, 110])[None, :, None, None]).sum(1, keepdims=True)
    given = np.where(SCHEMES.masks[SCHEME][..., None], every, np.nan) if labels is None else labels
    to_frame = about((-0.5, -0.5), scale(np.full(N, 0.5), np.full(N, 0.5)))
    images = np.clip(128 + glow, 0, 255).astype(np.uint8)
    arrays = Arrays(IDS, images, given, to_frame, SCHEMA, identity(), (W, H))
    return Keypoints(arrays, SCHEME, 2, made, "cpu", "fp32")


def soft_set(fold: int, off: float = 0.0) -> SoftSet:
    """The eyes that are not labelled, of every image that the fold trains on, `off` px too far to the right."""
    rows = np.flatnonzero((SCHEME == 1) & (fold != FOLD))
    found = (2 * (points()[rows] + 0.5) - 0.5) + [off, 0.0]
    found[:, 2:] = np.nan
    radius = np.where(np.isnan(found[..., 0]), np.nan, 1.0 + np.arange(K))
    return SoftSet(rows, np.zeros(len(rows), dtype=np.int64), found, radius)


def about_them(folds: list[int] | None = None, digest: str = "d") -> About:
    told = digest_of_folds(IDS, FOLD), schemes_of(SCHEMES, SCHEMA), list(range(FOLDS)) if folds is None else folds
    return About(digest, told[0], told[1], told[2], "teacher [b]", "abc", 0.9)


def write(path: Path, off: tuple[float, ...] = (0.0, 2.0, 4.0)) -> Path:
    write_soft(path, {fold: soft_set(fold, d) for fold, d in enumerate(off)}, IDS, SCHEMA, about_them())
    return path


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write(tmp_path_factory.mktemp("soft") / "soft labels.parquet")


def loss_of(made: Keypoints, rows: np.ndarray) -> tuple[bytes, list[bytes]]:
    """The bytes of a batch's loss and of every gradient."""
    torch.manual_seed(0)
    net = made.model().train()
    loss = made.loss(net, rows, np.random.default_rng(4))
    loss.backward()  # type: ignore[no-untyped-call]
    grads = [p.grad.numpy().tobytes() for p in net.parameters() if p.grad is not None]
    return loss.detach().numpy().tobytes(), grads


# --- the file ---


def test_a_file_gives_back_what_was_written(file: Path, tmp_path: Path) -> None:
    assert read_about(file) == about_them()
    for fold in range(FOLDS):
        there, back = soft_set(fold, 2.0 * fold), read_set(file, fold, IDS, SCHEMA)
        for name in ("row", "scheme", "points", "radius"):
            np.testing.assert_array_equal(getattr(back, name), getattr(there, name))
    assert write(tmp_path / "again.parquet").read_bytes() == file.read_bytes()
    assert not len(read_set(file, FOLDS, IDS, SCHEMA).row), "a fold without a teacher gets none"
    turned = read_set(file, 1, IDS[::-1], SCHEMA)  # by name, not by place
    np.testing.assert_array_equal(IDS[::-1][turned.row], IDS[soft_set(1).row][::-1])


def test_two_schemes_may_answer_one_image(tmp_path: Path) -> None:
    one = soft_set(0)
    both = np.concatenate([one.row, one.row[:3]])
    order = np.lexsort((np.r_[one.scheme, 1, 1, 1], both))
    twice = SoftSet(
        both[order],
        np.r_[one.scheme, 1, 1, 1][order],
        np.concatenate([one.points, one.points[:3, ::-1]])[order],
        np.concatenate([one.radius, one.radius[:3, ::-1]])[order],
    )
    write_soft(tmp_path / "two.parquet", {0: twice}, IDS, SCHEMA, about_them([0]))
    labels = np.full((N, K, 2), np.nan)
    made = task(recipe(tmp_path / "two.parquet"), labels).of_fold(0)
    assert made.soft is not None
    rows = np.array([int(one.row[1]), 0, int(one.row[5])])
    at, found, scheme = made.soft.of(rows)
    assert at.tolist() == [0, 0, 2]
    assert scheme.tolist() == [0, 1, 0]
    expected = made.arrays.to_frame[rows[at]](np.stack([one.points[1], one.points[1, ::-1], one.points[5]]))
    np.testing.assert_array_equal(found, expected)


def damaged(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-40])


@pytest.mark.parametrize("break_it", [damaged, lambda path: path.write_text("fold,id\n")])
def test_a_damaged_file_is_refused_in_one_line(file: Path, tmp_path: Path, break_it: Callable[[Path], object]) -> None:
    copy = tmp_path / "copy.parquet"
    copy.write_bytes(file.read_bytes())
    break_it(copy)
    for read in (lambda: read_about(copy), lambda: read_set(copy, 0, IDS, SCHEMA)):
        with pytest.raises(DataError, match=r"copy.parquet: not readable as soft labels .*; make it again") as error:
            read()
        assert "\n" not in str(error.value)


def test_other_data_folds_and_schemes_are_refused(file: Path) -> None:
    pixels = np.zeros((N, 1, 0, 0), dtype=np.uint8)
    data = Dataset(IDS, pixels, np.where(SCHEMES.masks[SCHEME][..., None], points(), np.nan), SCHEMA, "d")
    assert refuse_other_soft(file, data, SCHEMES, FOLD) == about_them()
    moved = FOLD.copy()
    moved[0] = 1
    cases: list[tuple[Dataset, Schemes, np.ndarray, str]] = [
        (replace(data, digest="e"), SCHEMES, FOLD, "other data"),
        (data, SCHEMES, moved, "other folds, so a student would learn from labels it is judged by"),
        (data, of_masks(SCHEMES.masks[:1]), FOLD, "other marking schemes"),
    ]
    for dataset, schemes, fold, words in cases:
        with pytest.raises(DataError, match=words) as error:
            refuse_other_soft(file, dataset, schemes, fold)
        assert "\n" not in str(error.value)
    with pytest.raises(DataError, match="of these images"):
        read_set(file, 0, np.array(["other"] * N), SCHEMA)


# --- training ---


def test_each_fold_sees_its_own_set(file: Path) -> None:
    made = task(recipe(file))
    assert made.soft is None
    seen = [made.of_fold(fold).soft for fold in range(FOLDS)]
    for fold, soft in enumerate(seen):
        assert soft is not None
        _, found, _ = soft.of(np.arange(N))
        expected = made.arrays.to_frame[soft_set(fold).row](soft_set(fold, 2.0 * fold).points)
        np.testing.assert_array_equal(found, expected)
        at, _, _ = soft.of(np.flatnonzero(fold == FOLD))
        assert not len(at), "nothing of the images that the fold is judged by"
    plain = task(recipe())
    assert plain.of_fold(1) is plain


def test_a_batch_without_a_missing_label_is_what_it_was(file: Path) -> None:
    rows = np.flatnonzero(SCHEME == 0)
    with_soft = task(recipe(file)).of_fold(0)
    assert loss_of(with_soft, rows) == loss_of(task(recipe()), rows)
    mixed = np.arange(12)
    assert loss_of(with_soft, mixed) != loss_of(task(recipe()), mixed)
    # Labels win over what the file says, also where it has something for every one of them.
    given = points()
    assert loss_of(task(recipe(file), given).of_fold(0), mixed) == loss_of(task(recipe(), given), mixed)


def test_training_on_full_labels_ends_with_the_same_bytes(file: Path, tmp_path: Path) -> None:
    given, outs = points(), [tmp_path / "with", tmp_path / "without"]
    for out, made in zip(outs, (recipe(file), recipe()), strict=True):
        train(out, made, task(made, given))
    assert outs[0].joinpath("oof.parquet").read_bytes() == outs[1].joinpath("oof.parquet").read_bytes()
    states = []
    for out in outs:
        found = load_newest(out / "last.safetensors")
        assert found is not None
        states.append({name: tensor.numpy().tobytes() for name, tensor in found[0].items()})
    assert states[0] == states[1]


def train(out: Path, made: Recipe, own: Keypoints, watch: Watch = lambda _: None) -> None:
    job = Job(out, 1, made, np.flatnonzero(FOLD != 1), np.flatnonzero(FOLD == 1), "cpu", "fp32")
    fit(job, own, watch)


@pytest.mark.parametrize("junk", [np.nan, 1e9, -np.inf])
def test_nothing_behind_a_missing_soft_label_counts(file: Path, tmp_path: Path, junk: float) -> None:
    """Half a point is none, whatever its other half is."""
    plain = {fold: soft_set(fold, 2.0 * fold) for fold in range(FOLDS)}
    dirty = {fold: replace(one, points=one.points.copy(), radius=one.radius.copy()) for fold, one in plain.items()}
    for one in dirty.values():
        one.points[:, 2, 1], one.points[:, 3, 0] = junk, junk
        one.radius[:, 2:] = junk
    write_soft(tmp_path / "dirty.parquet", dirty, IDS, SCHEMA, about_them())
    rows = np.arange(20)
    losses = [loss_of(task(recipe(f)).of_fold(1), rows) for f in (file, tmp_path / "dirty.parquet")]
    assert losses[0] == losses[1]


def test_radii_choose_what_is_used(file: Path, tmp_path: Path) -> None:
    def used(made: Recipe) -> list[int]:
        soft = task(made).of_fold(2).soft
        assert isinstance(soft, Soft)
        return [int(v) for v in np.asarray(np.isfinite(soft.points).all(-1)).sum(0)]

    count = len(soft_set(2).row)
    assert used(recipe(file)) == [count, count, 0, 0]
    assert used(recipe(file, data={"soft_radius": 1.0})) == [count, 0, 0, 0]  # the second point's is 2 px
    unknown = replace(soft_set(2), radius=np.full_like(soft_set(2).radius, np.nan))
    write_soft(tmp_path / "unknown.parquet", {2: unknown}, IDS, SCHEMA, about_them([2]))
    assert used(recipe(tmp_path / "unknown.parquet")) == [count, count, 0, 0]
    assert used(recipe(tmp_path / "unknown.parquet", data={"soft_radius": 99.0})) == [0, 0, 0, 0]


def test_the_soft_loss_is_that_of_labels_in_the_scheme_that_gave_them(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Against the head's own loss on images and points mirrored by hand; the label shift is that scheme's."""
    flips: dict[str, object] = dict.fromkeys(["rotate", "scale", "stretch", "shift", "brightness", "contrast"], 0.0)
    given = np.where(SCHEMES.masks[SCHEME][..., None], points(), np.nan)
    given[soft_set(0).row[0], 3] = np.nan
    made = task(recipe(file, augment=flips | {"mirror": 1.0}, data={"soft_weight": 0.7}), given).of_fold(0)
    assert sample(np.random.default_rng(4), 6, (W, H), made.recipe.augment).to_model.mirrors.all()
    rows = soft_set(0).row[:6]
    torch.manual_seed(0)
    net = made.model().eval()
    with torch.no_grad():
        net.shift_units.copy_(torch.tensor([0.11, -0.23]))
    parts: list[float] = []
    plain = Head.loss

    def noted(self: Head, *args: object) -> torch.Tensor:
        parts.append(float((found := plain(self, *args)).detach()))  # type: ignore[arg-type]
        return found

    monkeypatch.setattr(Head, "loss", noted)
    total = float(made.loss(net, rows, np.random.default_rng(4)).detach())
    flipped = np.ascontiguousarray(made.arrays.images[rows][:, :, :, ::-1])
    found = mirror_points(mirror(W)(made.arrays.to_frame[rows](soft_set(0).points[:6])), SCHEMA)
    with torch.no_grad():
        wanted = torch.from_numpy(found).float() + net.label_shift(torch.zeros(6, dtype=torch.int64))[:, None]
        raw = net(torch.from_numpy(flipped))
        expected = float(plain(net.head, raw, wanted, torch.zeros(6, dtype=torch.int64), "auto", 1.0))
    assert parts[1] == pytest.approx(expected, rel=1e-5)
    # A mean over both, in which a soft label counts 0.7 of a label, however many there are of either.
    labels, softs = (int(np.isfinite(p).all(-1).sum()) for p in (made.trainable(rows), soft_set(0).points[:6]))
    assert labels != softs
    assert total == pytest.approx((labels * parts[0] + 0.7 * softs * parts[1]) / (labels + 0.7 * softs), rel=1e-6)
    assert parts[1] > 1, "the two losses would be hard to tell apart"


def test_one_set_of_outputs_is_filled_up(file: Path) -> None:
    """With one head for all schemes, soft points count as labels of the same outputs."""
    made = task(recipe(file, model={"per_scheme": False}, data={"soft_weight": 1.0})).of_fold(0)
    assert made.sets == 1
    rows = soft_set(0).row[:6]
    grads = loss_of(made, rows)[1]
    assert grads != loss_of(replace(made, soft=None), rows)[1]


def test_soft_labels_are_learned_and_resumed(file: Path, tmp_path: Path) -> None:
    made = recipe(file)
    train(tmp_path / "whole", made, task(made))

    class Cut(BaseException):
        pass

    def cut(progress: Progress) -> None:
        if progress.epoch == 1:
            raise Cut

    with pytest.raises(Cut):
        train(tmp_path / "cut", made, task(made), cut)
    train(tmp_path / "cut", made, task(made))
    train(tmp_path / "plain", recipe(), task(recipe()))
    parts = [(tmp_path / name / "oof.parquet").read_bytes() for name in ("whole", "cut", "plain")]
    assert parts[0] == parts[1] != parts[2]


def test_soft_labels_outside_the_frame_go_by_the_policy_of_labels(tmp_path: Path) -> None:
    one = soft_set(2)
    one.points[0, 1] = [2.0 * W + 3, 9.0]
    write_soft(tmp_path / "far.parquet", {2: one}, IDS, SCHEMA, about_them([2]))
    for policy, there in (("keep", True), ("mask", False)):
        soft = task(recipe(tmp_path / "far.parquet", crop={"width": W, "outside": policy})).of_fold(2).soft
        assert soft is not None
        seen = np.asarray(np.isfinite(soft.points).all(-1))
        assert seen[0, :2].tolist() == [True, there]
        assert seen[1:, :2].all()


def test_a_file_that_changes_under_a_run_is_refused(tmp_path: Path) -> None:
    own = write(tmp_path / "own.parquet")
    made = task(recipe(own))
    write(own, (9.0, 2.0, 4.0))
    with pytest.raises(DataError, match="is gone or has changed; restore it"):
        made.of_fold(0)
    own.unlink()
    with pytest.raises(DataError, match="is gone or has changed"):
        made.of_fold(0)


# --- the recipe ---


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> Own:
    return write_own(tmp_path_factory.mktemp("mine"))


def in_toml(own: Own, *lines: str) -> Path:
    out = own.competition / "recipes" / "soft.toml"
    out.write_text("\n".join(["[data]", *lines]) + "\n")
    return out


def test_a_recipe_finds_its_file_and_counts_its_content(own: Own, tmp_path: Path) -> None:
    found, folder = find(str(own.competition)), own.competition / "recipes"
    beside = write(folder / "beside.parquet")
    in_toml(own, 'soft = "beside.parquet"')
    here = read_recipe(found, "soft")
    assert (here.data.soft, here.data.soft_digest) == (str(beside.resolve()), file_digest(beside)[:12])
    there = tmp_path / "elsewhere.parquet"
    there.write_bytes(beside.read_bytes())
    moved = change_recipe(found, here, [f"data.soft={json.dumps(str(there))}"])
    assert moved.data.soft == str(there.resolve())
    assert moved.digest == here.digest, "the same labels elsewhere are the same recipe"
    write(there, (1.0, 1.0, 1.0))
    assert change_recipe(found, here, [f"data.soft={json.dumps(str(there))}"]).digest != here.digest
    without = change_recipe(found, here, ["data.soft="])
    assert (without.data, without.digest) == (Recipe().data, Recipe().digest)
    in_toml(own, f"soft = {json.dumps(str(there))}", f'soft_digest = "{file_digest(there)[:12]}"')
    assert read_recipe(found, "soft").data.soft == str(there.resolve())


@pytest.mark.parametrize(
    ("lines", "words"),
    [
        (('soft = "../beside.parquet"',), "leaves the recipe's folder"),
        (('soft = "nothing.parquet"',), "no such file; put it back, or write it again with kptool relabel RUN"),
        (('soft = "beside.parquet"', 'soft_digest = "00"'), "is not the file that data.soft_digest names"),
        (('soft_digest = "00"',), "data.soft_digest without data.soft"),
        (("soft = 3",), "data.soft is 3"),
        (('soft = "beside.parquet"', "soft_weight = 0"), "data.soft_weight is 0"),
        (('soft = "beside.parquet"', "soft_radius = -1"), "data.soft_radius is -1"),
    ],
)
def test_what_makes_no_sense_is_refused_in_one_line(own: Own, lines: tuple[str, ...], words: str) -> None:
    write(own.competition / "recipes" / "beside.parquet")
    in_toml(own, *lines)
    with pytest.raises(KptoolError) as error:
        read_recipe(find(str(own.competition)), "soft")
    assert words in str(error.value)
    assert "\n" not in str(error.value)


def test_soft_labels_of_other_data_stop_a_run_before_it_begins(own: Own, tmp_path: Path) -> None:
    file = write(tmp_path / "soft.parquet")
    said = refused(
        3, "cv", own.competition, "--data", own.data, "--runs", tmp_path / "runs", "--set", f"data.soft={file}"
    )
    assert "was made for other data" in said
    assert not (tmp_path / "runs").exists()


def intake_with(own: Own, file: Path, *settings: str) -> list[str]:
    found = find(str(own.competition))
    made = read_recipe(found, "default", [f"data.soft={json.dumps(str(file))}", *settings])
    return take_in(found, made, own.data).notes


def test_the_notes_tell_what_is_used_and_who_gets_none(own: Own, tmp_path: Path) -> None:
    found = find(str(own.competition))
    plain = take_in(found, read_recipe(found), own.data)
    data, schemes = plain.dataset, plain.schemes
    rows = np.flatnonzero((plain.scheme == 1) & (plain.folds.fold != 0))
    at = np.full((len(rows), K, 2), np.nan)
    at[:, :2] = 40.0
    one = SoftSet(rows, np.zeros(len(rows), dtype=np.int64), at, np.where(np.isnan(at[..., 0]), np.nan, 3.0))
    told = schemes_of(schemes, data.schema)
    made = About(data.digest, digest_of_folds(data.ids, plain.folds.fold), told, [0], "old run", "abc", 0.9)
    file = tmp_path / "soft.parquet"
    write_soft(file, {0: one}, data.ids, data.schema, made)
    notes = intake_with(own, file)
    assert f"soft labels by old run (abc): {2 * len(rows)} points of {len(rows)} images a fold" in notes
    assert "no soft labels for fold 1: the teacher of the same fold was not trained" in notes
    with pytest.raises(UsageError, match=r"no radius is within data.soft_radius = 2.5 px; leave data.soft out"):
        intake_with(own, file, "data.soft_radius=2.5")
    with pytest.raises(DataError, match="made for other folds"):
        intake_with(own, file, "seed=5")
