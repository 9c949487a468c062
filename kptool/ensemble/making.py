"""An ensemble's folder: a run's, with the list of its runs and their weights where a run has checkpoints."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from kptool.config import Recipe, parse
from kptool.dataset import Predictions
from kptool.engine.of_points import join_folds
from kptool.ensemble.joining import Joined
from kptool.ensemble.weighing import Weighed
from kptool.files import file_digest, write_atomic
from kptool.geometry import Floats
from kptool.members import Member, Members, write_members
from kptool.predictions import write_predictions
from kptool.runs import Run, add_seconds, create, open_members

COPIED = ("truth.parquet", "faces.parquet", "folds.parquet")  # a run of an older version has no faces


def make(root: Path, joined: Joined, weighed: Weighed, name: str = "ensemble", seconds: float = 0.0) -> Run:
    """Write an ensemble's folder; what the runs have in common is the first one's.

    The runs of an ensemble are listed in its place, with the products of both weights, so that members are never
    ensembles themselves; a run that comes twice is listed once.

    Args:
        root: the folder of all runs.
        name: of the folder and of the recipe that stands for the ensemble's.
        seconds: that joining and weighing took; the runs' own are added.

    Raises:
        UsageError: a name that cannot be a folder's.
        DataError: a run of an ensemble among them has moved or changed.
    """
    first = joined.runs[0]
    leaves, weights = _leaves(joined.runs, weighed.weights)
    keep = "best" if any(run.recipe.train.keep == "best" for run in leaves) else "last"
    settings = first.recipe.model_dump()
    settings |= {"name": name, "train": settings["train"] | {"keep": keep}}
    run = create(root, first.found, parse(Recipe, settings, "--name"), _env(joined.runs, leaves))
    each = tuple(_member(root, run, leaf) for leaf in leaves)
    schema = joined.first.schema
    write_members(run.path, Members(each, weights, weighed.how), joined.first.schemes.names, schema.points)
    for file in COPIED:
        if (first.path / file).is_file():
            _copy(first.path / file, run.path / file)
    for fold in run.wanted:
        rows = joined.first.fold == fold
        part = Predictions(joined.first.ids[rows], weighed.points[rows], weighed.spread[rows], schema)
        write_predictions(run.fold(fold) / "oof.parquet", part)
    join_folds(run, schema, joined.first.ids)
    if (spent := _spent(leaves)) is not None:
        add_seconds(run, seconds + spent)
    return run


def _leaves(runs: Sequence[Run], weights: Floats) -> tuple[list[Run], Floats]:
    """The runs that were trained (L of them), and what each counts (L, S, K)."""
    found, counts = dict[Path, Run](), dict[Path, Floats]()
    for run, weight in zip(runs, weights, strict=True):
        members = run.members
        inner = np.ones((1, *weight.shape)) if members is None else members.weights
        for leaf, part in zip(open_members(run), inner, strict=True):
            place = leaf.path.resolve()
            found[place] = leaf
            counts[place] = counts.get(place, np.zeros(weight.shape)) + weight * part
    return list(found.values()), np.stack(list(counts.values()))


def _member(root: Path, run: Run, leaf: Run) -> Member:
    place, home = leaf.path.resolve(), run.path.resolve()
    near = place.is_relative_to(root.resolve())
    return Member(
        path=Path(os.path.relpath(place, home)).as_posix() if near else str(place),
        name=place.name,
        recipe_digest=leaf.recipe.digest,
        oof_digest=file_digest(leaf.path / "oof.parquet"),
        folds=len(leaf.finished),
    )


def _env(runs: Sequence[Run], leaves: Sequence[Run]) -> dict[str, Any]:
    first, each = runs[0], [leaf.env for leaf in leaves]
    parameters = [one["parameters"] for one in each if one.get("parameters") is not None]
    kept = ("data_digest", "size", "crop_box", "schemes")
    return {key: first.env[key] for key in kept if key in first.env} | {
        "data": _known(run.env["data"] for run in runs),
        "test_mix": _known(run.env["test_mix"] for run in runs),
        "device": " and ".join(sorted({str(one["device"]) for one in each})),
        "precision": " and ".join(sorted({str(one["precision"]) for one in each})),
        "folds": list(range(first.recipe.folds.count)),
        "parameters": sum(parameters) if len(parameters) == len(each) else None,
        "weights_digest": None,
    }


def _known(values: Iterable[Any]) -> Any:
    return next((value for value in values if value is not None), None)


def _spent(leaves: Sequence[Run]) -> float | None:
    """Seconds that training all of them took; None where one does not tell."""
    files = [leaf.path / "timing.json" for leaf in leaves]
    if not all(file.is_file() for file in files):
        return None
    return sum(float(json.loads(file.read_text(encoding="utf-8"))["seconds"]) for file in files)


def _copy(source: Path, target: Path) -> None:
    write_atomic(target, lambda temporary: shutil.copyfile(source, temporary))
