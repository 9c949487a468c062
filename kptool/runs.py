"""The folder of a run: the unit of everything that can be resumed, reported, compared and submitted.

::

    runs/<competition>/<run>/
        config.toml         competition, recipe, resolved
        env.json            data folder and digest, machine, versions, device, precision
        folds.parquet       who is held out when
        truth.parquet       the labels, so that a report needs no data
        labels.parquet      the labels after the recipe's edits; only where it has some
        faces.parquet       sizes of the images, boxes, and the map of each into the model's frame
        pairs.parquet       of verification, instead of the three above: the pairs
        pictures.parquet    of verification: their pictures, and who is on each
        fold-K/             last.safetensors, previous.safetensors, best.safetensors, history.csv,
                            learned.json, schemes.json, oof.parquet
        oof.parquet         all folds' out-of-fold predictions
        timing.json         seconds spent, over all sittings but killed ones
        track.json          under which ids trackers know the run; only after --track mlflow or wandb
        tensorboard/        event files; only after --track tensorboard
        wandb/              files of Weights & Biases; only after --track wandb
        audit/              suggestions.csv, edits.toml, recipe.toml, sheet.png; only after kptool audit
        soft-labels.parquet labels of points that nobody marked; only after kptool relabel

An ensemble's folder is one too; it has no checkpoints but the list of its runs, see `kptool.members`.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from kptool.competitions import Found, find, shipped
from kptool.config import Recipe, differences, parse, read_toml
from kptool.errors import DataError, KptoolError, UsageError
from kptool.files import file_digest, write_text
from kptool.machine import machine
from kptool.members import FILE, Member, Members, read_members


@dataclass(frozen=True)
class Run:
    """A run's folder with what decides its outcome."""

    path: Path
    found: Found
    recipe: Recipe

    def fold(self, fold: int) -> Path:
        """The folder of one fold."""
        return self.path / f"fold-{fold}"

    @property
    def env(self) -> dict[str, Any]:
        """env.json."""
        return dict(json.loads((self.path / "env.json").read_text(encoding="utf-8")))

    @property
    def wanted(self) -> list[int]:
        """The folds this run was asked for."""
        return [int(k) for k in self.env["folds"]]

    @property
    def finished(self) -> list[int]:
        """Folds whose out-of-fold predictions are written."""
        return [k for k in self.wanted if (self.fold(k) / "oof.parquet").is_file()]

    def of_finished(self, file: str) -> list[Path]:
        """The file of that name in the folder of each finished fold, there or not."""
        return [self.fold(k) / file for k in self.finished]

    @property
    def members(self) -> Members | None:
        """The runs of an ensemble and their weights; None for a run that was trained."""
        return read_members(self.path, *self.weighed) if (self.path / FILE).is_file() else None

    @property
    def weighed(self) -> tuple[list[str], list[str]]:
        """What an ensemble's weights are told of: its marking schemes and points; a pair has one kind and one score."""
        competition = self.found.competition
        if competition.task == "verification":
            return ["pair"], ["score"]
        return [str(one["name"]) for one in self.env["schemes"]], list(competition.schema_of_points.points)

    @property
    def digest(self) -> str:
        """12 hex digits over what decides the answers: the recipe's, or those of an ensemble's runs and weights."""
        members = self.members
        return self.recipe.digest if members is None else members.digest

    @property
    def models(self) -> int:
        """How many folds' models answer together: the finished ones, or those of all the runs of an ensemble."""
        members = self.members
        return len(self.finished) if members is None else sum(member.folds for member in members.each)


def create(root: Path, found: Found, recipe: Recipe, env: dict[str, Any]) -> Run:
    """Make a run's folder, named by date and recipe, with its config.toml and env.json."""
    import tomli_w

    base = root / found.competition.slug / f"{datetime.now():%Y%m%d-%H%M%S}-{recipe.name}"
    path, number = base, 1
    while path.exists():
        number += 1
        path = base.with_name(f"{base.name}-{number}")
    path.mkdir(parents=True)
    shipped_one = found.folder.parent == shipped()
    name = found.competition.slug if shipped_one else str(found.folder.resolve())
    write_text(path / "config.toml", tomli_w.dumps({"competition": name, "recipe": recipe.model_dump()}))
    write_env(path, env | machine())
    return Run(path, found, recipe)


def open_run(path: Path) -> Run:
    """Open a run's folder.

    Raises:
        UsageError: not a run, or one whose config.toml this version cannot read.
    """
    config = path / "config.toml"
    if not config.is_file():
        raise UsageError(f"{path} is not a run: it has no config.toml", "runs stand in runs/<competition>/")
    table = read_toml(config)
    found = find(str(table.get("competition", "")))
    return Run(path, found, parse(Recipe, table.get("recipe", {}), str(config)))


def open_keypoint_run(path: Path, command: str) -> Run:
    """`open_run` for a command that only knows keypoints, such as "kptool audit".

    Raises:
        UsageError: not a run, or one of verification.
    """
    run = open_run(path)
    if run.found.competition.task != "keypoints":
        raise UsageError(
            f"{command} works on keypoints, {path} is a run of {run.found.competition.task}",
            "kptool report, compare, ensemble and submit take it",
        )
    return run


def open_members(run: Run) -> list[Run]:
    """The runs whose models answer: those of an ensemble, each as it was when that was made, or else the run itself.

    Raises:
        DataError: a run of the ensemble has moved or changed.
    """
    members = run.members
    return [run] if members is None else [_open_member(run, member) for member in members.each]


def _open_member(run: Run, member: Member) -> Run:
    path = Path(os.path.normpath(run.path.resolve() / member.path))
    remedy = "bring it back as it was, or make the ensemble again with kptool ensemble"
    try:
        own = open_run(path)
        same = (own.recipe.digest, len(own.finished)) == (member.recipe_digest, member.folds)
        same = same and not (path / FILE).is_file() and file_digest(path / "oof.parquet") == member.oof_digest
    except (KptoolError, OSError):
        raise DataError(f"{run.path}: its run {member.name} is no longer at {path}", remedy) from None
    if not same:
        raise DataError(f"{run.path}: its run {path} has changed since the ensemble was made", remedy)
    return own


def write_env(path: Path, env: dict[str, Any]) -> None:
    """Write a run's env.json."""
    write_text(path / "env.json", json.dumps(env, indent=2, sort_keys=True) + "\n")


def refuse_changes(run: Run, recipe: Recipe) -> None:
    """A resumed run must go on as it began.

    Raises:
        UsageError: the recipe differs, with every difference; or the run is an ensemble.
    """
    if run.members is not None:
        raise UsageError(f"{run.path} is an ensemble and has nothing to train", "resume one of its runs")
    if changed := differences(run.recipe, recipe):
        raise UsageError(
            f"{run.path}: the recipe has changed ({'; '.join(changed)})",
            "resume without the changes, or start a new run",
        )


def unfinished(root: Path, found: Found, recipe: Recipe) -> Run | None:
    """The newest run of this very recipe that was cut off, if there is one."""
    for path in sorted((root / found.competition.slug).glob("*/config.toml"), reverse=True):
        if (path.parent / FILE).is_file():
            continue  # an ensemble has nothing to train
        try:
            run = open_run(path.parent)
        except UsageError:
            continue  # another version's run is no reason to stop
        begun = (run.path / "folds.parquet").is_file()
        if run.recipe.digest == recipe.digest and begun and len(run.finished) < len(run.wanted):
            return run
    return None


def add_seconds(run: Run, seconds: float) -> float:
    """Add a sitting to timing.json; the total so far."""
    file = run.path / "timing.json"
    total = seconds + (json.loads(file.read_text())["seconds"] if file.is_file() else 0.0)
    write_text(file, json.dumps({"seconds": total}))
    return total


@contextmanager
def lock(run: Run) -> Iterator[None]:
    """Hold a run, so that two processes never train into one folder.

    Raises:
        UsageError: another process holds it.
    """
    from filelock import FileLock, Timeout

    held = FileLock(run.path / ".lock")
    try:
        held.acquire(timeout=0)
    except Timeout:
        raise UsageError(f"{run.path} is being trained by another process", "wait for it, or stop it first") from None
    try:
        yield
    finally:
        held.release()
