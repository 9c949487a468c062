"""Laws of verification in the engine: a picture is seen once, held-out pairs teach nothing, a cut changes nothing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import cv2
import numpy as np
import pytest
import torch
from pair_competition import portrait
from safetensors.torch import load_file

from kptool.classical import Features, describe
from kptool.config import Recipe
from kptool.engine.fit import fit
from kptool.engine.progress import Progress
from kptool.engine.state import Job
from kptool.geometry import identity
from kptool.models.pairs import PairNet
from kptool.pair_files import read_scores
from kptool.pixels import Arrays
from kptool.schema import Schema
from kptool.tasks.verification import Verification
from kptool.views import make_views
from kptool.whitening import fit_whitening, fit_within

W, H, PEOPLE, EACH, EPOCHS = 36, 44, 9, 3, 4
N = PEOPLE * EACH
BASE: dict[str, Any] = {
    "model": {"width": 8, "embedding": 10, "head": "cosine"},
    "train": {"epochs": EPOCHS, "batch_size": 5, "ema": 0.9, "evaluate_every": 2, "precision": "fp32"},
    "predict": {"shift": 0.0},
}
DESCRIBED: dict[str, Any] = {
    "model": {
        "backbone": "descriptors", "layers": ["hog 8 6", "lbp 1 9 cut 2x3"], "embedding": 6, "start": "within",
        "shrink": 0.3,
    },
    "train": {"epochs": 0, "pairs": "all", "precision": "fp32"},
    "predict": {"shift": 0.0},
}  # fmt: skip


def recipe(table: Mapping[str, Any] = BASE, **train: object) -> Recipe:
    return Recipe.model_validate({**table} | {"train": table["train"] | train})


def verification(options: Recipe, features: Features | None = None) -> Verification:
    """Blocks of three people; pictures of one pair up, and people with the next of their block."""
    person = np.repeat(np.arange(PEOPLE), EACH)
    images = np.stack([cv2.resize(portrait(p, n), (W, H))[None] for p in range(PEOPLE) for n in range(EACH)])
    ends = [(EACH * p + n, EACH * p + n + 1) for p in range(PEOPLE) for n in range(EACH - 1)]
    for p in range(PEOPLE):
        after = p + 1 if (p + 1) % 3 else p - 2
        ends += [(EACH * p + n, EACH * after + n + 1) for n in range(EACH - 1)]
    first, second = np.array(ends).T
    names = np.array([f"picture {n}" for n in range(N)])
    schema = Schema("test", ())
    arrays = Arrays(names, images, np.empty((N, 0, 2)), identity(N), schema, identity(), (W, H))
    ids = np.array([f"{a} {b}" for a, b in ends])
    same = np.asarray(person[first] == person[second])
    return Verification(arrays, ids, first, second, same, person, PEOPLE, options, "cpu", "fp32", features)


def split(task: Verification, fold: int = 1) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    """Rows that a fold of three trains on, and those it holds out: a block of people."""
    block = task.person[task.first] // 3
    return np.flatnonzero(block != fold), np.flatnonzero(block == fold)


def job(out: Path, task: Verification) -> Job:
    return Job(out, 1, task.recipe, *split(task), "cpu", "fp32")


def no_watch(_: Progress) -> None:
    return


LOSSES: list[dict[str, object]] = [
    {"loss": "bce"},
    {"loss": "bce", "pairs": "all"},
    {"loss": "contrastive"},
    {"loss": "arcface"},
    {"loss": "supcon", "pairs": "all", "views": 2},
]


@pytest.mark.parametrize("train", LOSSES, ids=lambda t: " ".join(map(str, t.values())))
def test_a_fold_cut_off_and_resumed_ends_with_the_same_bytes(train: dict[str, object], tmp_path: Path) -> None:
    task = verification(recipe(BASE, **train))
    for name, stops in (("whole", [EPOCHS]), ("cut", [1, 3, EPOCHS])):
        for until in stops:
            finished = fit(job(tmp_path / name, task), verification(task.recipe), no_watch, until)
        assert finished
    whole, cut = (tmp_path / name for name in ("whole", "cut"))
    assert (whole / "oof.parquet").read_bytes() == (cut / "oof.parquet").read_bytes()
    one, two = (load_file(path / "last.safetensors") for path in (whole, cut))  # beside them stand the seconds
    assert one.keys() == two.keys()
    assert all(torch.equal(one[name], two[name]) for name in one)


def test_every_distinct_picture_is_embedded_once_and_with_two_views_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[int] = []
    embed = PairNet.embed

    def counted(net: PairNet, images: torch.Tensor) -> torch.Tensor:
        seen.append(len(images))
        return embed(net, images)

    monkeypatch.setattr(PairNet, "embed", counted)
    rows = np.array([0, 1, 2, 18, 19])
    for views in (1, 2):
        task = verification(recipe(pairs="all", views=views))
        distinct = len(np.unique([task.first[rows], task.second[rows]]))
        assert distinct < 2 * len(rows), "the pairs share pictures"
        task.loss(task.model(), rows, np.random.default_rng(0)).backward()  # type: ignore[no-untyped-call]
        assert seen.pop() == views * distinct


def test_a_pair_scores_alike_alone_and_among_others_and_either_way_round() -> None:
    task = verification(recipe())
    net = task.model().eval()
    views = make_views(task.recipe.predict, (W, H))
    rows = np.arange(task.rows)
    whole = task.answer(net, rows, views)
    alone = np.concatenate([task.answer(net, rows[[n]], views) for n in rows])
    np.testing.assert_allclose(alone, whole, atol=1e-5)
    turned = replace(task, first=task.second, second=task.first)
    np.testing.assert_allclose(turned.answer(net, rows, views), whole, atol=1e-6)


def test_mirrored_views_make_a_score_blind_to_mirroring() -> None:
    task = verification(recipe())
    net = task.model().eval()
    views = make_views(task.recipe.predict, (W, H))
    flipped = replace(task, arrays=replace(task.arrays, images=np.ascontiguousarray(task.arrays.images[..., ::-1])))
    rows = np.arange(7)
    np.testing.assert_allclose(flipped.answer(net, rows, views), task.answer(net, rows, views), atol=1e-5)


def test_a_whitened_start_is_the_closed_form_on_the_training_pictures() -> None:
    """The embedding equals numpy's on descriptors averaged over views, each part scaled to one total variance."""
    task = verification(recipe(DESCRIBED))
    training, _ = split(task)
    net = task.model()
    task.prime(net, training)
    net.eval()
    views = make_views(task.recipe.predict, (W, H))
    with torch.inference_mode():
        described = [net.pooled(torch.from_numpy(cv2_mirrored(task.arrays.images, bool(v.mirrors)))) for v in views]
    values = torch.stack(described).mean(0).numpy().astype(np.float64)
    pictures = np.unique([task.first[training], task.second[training]])
    own = values[pictures]
    scale = np.concatenate([np.full(n, 1 / np.sqrt(v)) for n, v in parts(own, net.parts)])
    found = fit_whitening(own * scale, 6, 1.0)
    within = fit_within(found(own * scale), task.person[pictures], 0.3)
    wanted = found(values * scale) @ within
    embedded = task.embed(net, np.arange(N), views).numpy()
    np.testing.assert_allclose(embedded, wanted, atol=2e-3 * np.abs(wanted).max())


def parts(values: np.ndarray[Any, Any], lengths: list[int]) -> list[tuple[int, float]]:
    ends = np.cumsum(lengths)
    return [(n, float(values[:, end - n : end].var(0).sum())) for n, end in zip(lengths, ends, strict=True)]


def cv2_mirrored(images: np.ndarray[Any, Any], mirrored: bool) -> np.ndarray[Any, Any]:
    return np.ascontiguousarray(images[..., ::-1] if mirrored else images)


@pytest.mark.parametrize("pairs", ["given", "all"])
def test_held_out_pictures_and_labels_play_no_part(pairs: str, tmp_path: Path) -> None:
    """Other pictures and other names in the held-out block leave every weight bit-identical, whitened start and all."""
    files: list[dict[str, torch.Tensor]] = []
    for changed in (False, True):
        task = verification(recipe(DESCRIBED, pairs=pairs))
        training, held_out = split(task)
        if changed:
            images, person = task.arrays.images.copy(), task.person.copy()
            strange = np.unique([task.first[held_out], task.second[held_out]])
            images[strange] = 255 - images[strange] // 3
            person[strange] = person[strange[::-1]]
            task = replace(task, arrays=replace(task.arrays, images=images), person=person)
        assert set(strange if changed else []).isdisjoint(task.first[training])
        out = tmp_path / f"{changed}"
        assert fit(Job(out, 1, task.recipe, training, held_out, "cpu", "fp32"), task, no_watch)
        files.append(load_file(out / "last.safetensors"))
    assert all(torch.equal(files[0][name], files[1][name]) for name in files[0])


def test_no_epochs_leave_a_checkpoint_and_no_curve(tmp_path: Path) -> None:
    task = verification(recipe(DESCRIBED))
    assert fit(job(tmp_path, task), task, no_watch)
    assert (tmp_path / "last.safetensors").is_file()
    assert (tmp_path / "history.csv").read_text().splitlines() == ["epoch,loss,heldout,seconds,images_per_second"]
    scores = read_scores(tmp_path / "oof.parquet")
    assert np.isfinite(scores.score).all()
    assert np.isnan(scores.classical).all(), "no features were given"


def test_the_baseline_is_scored_beside_and_knows_no_held_out_picture(tmp_path: Path) -> None:
    plain = verification(recipe())
    found = []
    for changed in (False, True):
        images = plain.arrays.images.copy()
        training, held_out = split(plain)
        if changed:
            images[plain.first[held_out[0]]] = 7
        file = tmp_path / f"{changed}.npy"
        np.save(file, describe(np.repeat(images, 1, axis=1)))
        task = replace(plain, features=Features(file, np.load(file, mmap_mode="r")))
        rows = held_out[~np.isin(task.first[held_out], task.first[held_out[0]])]
        rows = rows[~np.isin(task.second[rows], task.first[held_out[0]])]
        found.append(task._classical(training, rows))
    assert len(found[0])
    np.testing.assert_array_equal(found[0], found[1])


def test_the_held_out_figure_is_the_eer_in_per_cent() -> None:
    task = verification(recipe())

    class Knowing(torch.nn.Module):
        """Embeds every picture as its person."""

    rows = np.arange(task.rows)
    scores = iter([np.where(task.same, 1.0, 0.0), np.where(task.same, 0.0, 1.0)])
    monkey = pytest.MonkeyPatch()
    monkey.setattr(Verification, "answer", lambda *_: next(scores))
    try:
        assert task.score(cast(Any, Knowing()), rows) == 0
        assert task.score(cast(Any, Knowing()), rows) == 100
    finally:
        monkey.undo()
