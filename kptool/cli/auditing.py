"""The steps of an audit at the terminal."""

from __future__ import annotations

import os
import shlex
import sys
from pathlib import Path
from typing import NamedTuple

from rich.console import Console
from rich.markup import escape

from kptool.audit.build import Audit, audit
from kptool.audit.gain import parts
from kptool.audit.recipe import audited
from kptool.audit.terminal import render
from kptool.audit.write import Files, write
from kptool.cli.again import say_gains, train_again
from kptool.cli.terminal import counting
from kptool.compare.gain import Gain, gains
from kptool.compare.read import read
from kptool.competitions import shipped
from kptool.errors import UsageError
from kptool.runs import Run


class Applied(NamedTuple):
    """A run of the same recipe with the audit's edits, and what that gained."""

    run: Run
    gains: list[Gain]


def look(console: Console, run: Run, top: int, out: Path | None, quiet: bool) -> tuple[Audit, Files]:
    """Audit a run, write its files, and print it unless `quiet`."""
    with counting(console, "letting every fold's model answer every image") as tick:
        found = audit(run, top, tick)
    files = write(out or run.path / "audit", run, found)
    if not quiet:
        # A file or a pipe has no width, unless someone says one.
        render(found.audit, console, fit=sys.stdout.isatty() or "COLUMNS" in os.environ)
    return found.audit, files


def again(console: Console, run: Run, made: Audit, root: Path, workers: int | None) -> Applied:
    """Train a run's recipe with the edits of an audit added, on the same folds, and hold the two against each other.

    Raises:
        UsageError: the audit has no edits, or its run is not finished.
        KptoolError: see `train_again`.
    """
    if not made.edits:
        raise UsageError(f"{run.path}: no suggestion is strong enough to be applied", "look at suggestions.csv")
    if len(run.finished) == 1:
        raise UsageError(
            f"{run.path}: a single fold is finished, and all edits are of images that it holds out",
            f"kptool cv --resume {run.path} --folds 0,1",
        )
    if left := sorted(set(run.wanted) - set(run.finished)):
        raise UsageError(f"{run.path}: fold {left[0]} is not finished", f"kptool cv --resume {run.path}")
    trained = train_again(console, run, audited(run, made), root, workers)
    old, new = read([run.path, trained.path])
    asked = parts(old.outcome, new.outcome, {edit.image for edit in made.edits})
    return Applied(trained, gains(old, new, asked))


def say_next(console: Console, run: Run, made: Audit, files: Files, applied: Applied | None) -> None:
    """Say where the files are, what the edits gained, and what to type next."""
    for name, path in (("list", files.suggestions), ("edits", files.edits), *(("sheet", s) for s in files.sheets)):
        console.print(f"{name}: {escape(str(path))}", soft_wrap=True)
    if applied is not None:
        say_gains(console, run, applied.run, applied.gains)
    elif made.strong and files.recipe:
        seen = "look at the sheet" if files.sheets else f"read {files.suggestions.name}"
        words = f"{seen}, take out of {files.edits.name} what is no mistake, then type"
        console.print(f"\n{escape(words)}: {_typed(*_train_words(run, files.recipe))}", soft_wrap=True)
        console.print(f"or, with all of them: {_typed('kptool', 'audit', run.path, '--apply')}", soft_wrap=True)


def _train_words(run: Run, recipe: Path) -> list[object]:
    data, folder = run.env["data"], run.found.folder
    competition = run.found.competition.slug if folder.parent == shipped() else folder
    return ["kptool", "cv", competition, *(["--data", data] if data else []), "--recipe", recipe]


def _typed(*words: object) -> str:
    return escape(shlex.join(str(word) for word in words))
