"""The folder of an ensemble: a run's, with the list of its runs and their weights where a run has checkpoints."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from kptool.config import Recipe, parse
from kptool.files import file_digest, write_atomic
from kptool.geometry import Floats
from kptool.members import How, Member, Members, write_members
from kptool.runs import Run, add_seconds, create, open_members


def leaves_of(runs: Sequence[Run], weights: Floats) -> tuple[list[Run], Floats]:
    """The runs that were trained (L of them), each once, and what each counts (L, S, K).

    The runs of an ensemble are listed in its place, with the products of both weights, so that members are never
    ensembles themselves.

    Raises:
        DataError: a run of an ensemble among them has moved or changed.
    """
    found, counts = dict[Path, Run](), dict[Path, Floats]()
    for run, weight in zip(runs, weights, strict=True):
        members = run.members
        inner = np.ones((1, *weight.shape)) if members is None else members.weights
        for leaf, part in zip(open_members(run), inner, strict=True):
            place = leaf.path.resolve()
            found[place] = leaf
            counts[place] = counts.get(place, np.zeros(weight.shape)) + weight * part
    return list(found.values()), np.stack(list(counts.values()))


def make_folder(
    root: Path,
    runs: Sequence[Run],
    leaves: Sequence[Run],
    weights: Floats,
    how: How,
    name: str,
    env: dict[str, Any],
    copied: Sequence[str],
) -> Run:
    """Make an ensemble's folder, as yet without predictions; what its runs have in common is the first one's.

    Args:
        root: the folder of all runs.
        runs: as they were named.
        leaves: the L runs whose models answer.
        weights: (L, S, K) what each counts; not negative, sum 1 over the runs.
        name: of the folder and of the recipe that stands for the ensemble's.
        env: what env.json holds beside what every ensemble's does.
        copied: files that are alike in all runs; one that an older run lacks is left out.

    Raises:
        UsageError: a name that cannot be a folder's.
    """
    first = runs[0]
    # What stands for a recipe tells whether any run was chosen by what it is judged on.
    chosen = next((run for run in leaves if run.recipe.train.keep == "best"), first)
    settings = first.recipe.model_dump() | {"name": name, "train": chosen.recipe.train.model_dump()}
    run = create(root, first.found, parse(Recipe, settings, "--name"), env | _env(runs, leaves))
    each = tuple(_member(root, run, leaf) for leaf in leaves)
    write_members(run.path, Members(each, weights, how), *run.weighed)
    for file in copied:
        if (first.path / file).is_file():
            _copy(first.path / file, run.path / file)
    return run


def tell_seconds(run: Run, seconds: float) -> None:
    """Write what the runs' training took and `seconds` more; nothing where one of them does not tell."""
    files = [leaf.path / "timing.json" for leaf in open_members(run)]
    if not all(file.is_file() for file in files):
        return
    add_seconds(run, seconds + sum(float(json.loads(file.read_text(encoding="utf-8"))["seconds"]) for file in files))


def first_known(values: Iterable[Any]) -> Any:
    """The first that is not None, if there is one."""
    return next((value for value in values if value is not None), None)


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
    each = [leaf.env for leaf in leaves]
    parameters = [one["parameters"] for one in each if one.get("parameters") is not None]
    return {
        "data": first_known(run.env["data"] for run in runs),
        "device": " and ".join(sorted({str(one["device"]) for one in each})),
        "precision": " and ".join(sorted({str(one["precision"]) for one in each})),
        "folds": list(range(runs[0].recipe.folds.count)),
        "parameters": sum(parameters) if len(parameters) == len(each) else None,
        "weights_digest": None,
    }


def _copy(source: Path, target: Path) -> None:
    write_atomic(target, lambda temporary: shutil.copyfile(source, temporary))
