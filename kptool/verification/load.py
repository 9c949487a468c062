"""A verification run's folder as the outcome that a report is made of; the data itself is not needed."""

from __future__ import annotations

import json
from typing import NamedTuple

import numpy as np

from kptool.engine.history import Epoch, read_history
from kptool.errors import DataError
from kptool.folds import load as load_folds
from kptool.pair_files import join_scores, read_pairs, read_scores
from kptool.report.load import called, views_of
from kptool.runs import Run
from kptool.verification.outcome import PairOutcome


def load(run: Run) -> PairOutcome:
    """Read what a run has reached, finished or not.

    Raises:
        DataError: no fold has predicted yet, or a file of the run is damaged.
    """
    env, recipe = run.env, run.recipe
    if not run.finished:
        raise DataError(f"{run.path}: no fold is finished", f"kptool cv --resume {run.path}")
    pairs = read_pairs(run.path)
    folds = load_folds(run.path / "folds.parquet", env["data_digest"], pairs.ids, "pair")
    rows, found = join_scores([read_scores(file) for file in run.of_finished("oof.parquet")], pairs.ids)
    score, classical = np.full((2, len(pairs.ids)), np.nan)
    score[rows], classical[rows] = found.score, found.classical
    history = _history(run)
    return PairOutcome(
        title=run.found.competition.title,
        run=run.path.name,
        recipe_name=called(run),
        recipe_digest=run.digest,
        data_digest=env["data_digest"],
        protocol=protocol_of(run, str(env["protocol"]), str(env["alignment"])),
        alignment=str(env["alignment"]),
        size=(int(env["size"][0]), int(env["size"][1])),
        ids=pairs.ids,
        images=pairs.images,
        people=pairs.people,
        person=pairs.person,
        first=pairs.first,
        second=pairs.second,
        same=pairs.same,
        score=score,
        classical=classical,
        fold=np.where(np.isin(np.arange(len(pairs.ids)), rows), folds.fold, -1),
        group=folds.group,
        naive_leak=float(env["naive_leak"]),
        seconds=_seconds(run),
        pairs_per_second=_speed(history),
        device=str(env["device"]),
        precision=str(env["precision"]),
        keep=recipe.train.keep,
        views=views_of(run),
        parameters=env.get("parameters"),
        history=history,
        recipe=recipe if run.members is None else None,
    )


class Knew(NamedTuple):
    """What training was told beyond the pairs of the list: who is on the pictures, and weights from elsewhere."""

    names: bool
    weights: bool


def knew(run: Run) -> Knew:
    """What a run's training knew; of an ensemble, what that of any of its runs did."""
    if run.members is not None:
        try:
            return Knew(**run.env["knew"])
        except (KeyError, TypeError):
            raise DataError(
                f"{run.path}: env.json does not tell what its runs knew", "make the ensemble again"
            ) from None
    recipe = run.recipe
    return Knew(
        names=recipe.train.pairs == "all" or recipe.train.loss == "arcface",
        weights=recipe.model.pretrained or bool(recipe.model.weights),
    )


def protocol_of(run: Run, pairs: str, alignment: str) -> str:
    """What the pairs are, and what training knew, in the words of Huang & Learned-Miller's LFW protocols (2014).

    Where only the pairs of the list are learned, training is image-restricted; where names make more pairs or classes
    of the same pictures, it is unrestricted. No other picture is used, unless the recipe starts from weights; but LFW-a
    was aligned by a system trained on pictures of its own, which their results page counts as label-free outside data.

    Args:
        pairs: what they are called, such as "LFW view 1".
        alignment: of their pictures.
    """
    known, outside = knew(run), "no outside data"
    if alignment.startswith("LFW-a"):
        outside = "label-free outside data (its alignment)"
    if known.weights:
        outside = "outside data (pretrained weights)"
    return f"{pairs}, {'unrestricted' if known.names else 'image-restricted'}, {outside}"


def _seconds(run: Run) -> float | None:
    file = run.path / "timing.json"
    return float(json.loads(file.read_text())["seconds"]) if file.is_file() else None


def _history(run: Run) -> dict[int, list[Epoch]]:
    files = {k: run.fold(k) / "history.csv" for k in run.finished}
    return {k: read_history(file) for k, file in files.items() if file.is_file()}


def _speed(history: dict[int, list[Epoch]]) -> float | None:
    speeds = [row.images_per_second for rows in history.values() for row in rows]
    return float(np.median(speeds)) if speeds else None
