"""Weights & Biases: one run, online or, with WANDB_MODE=offline, as files for `wandb sync`."""

from __future__ import annotations

import os
import shlex
import uuid
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from kptool.track.contract import Begun, Facts, Point
from kptool.track.kept import Kept, read_kept, write_kept

NAME: Final = "wandb"
SECONDS: Final = 30  # for the server to answer before the training begins


class WandB:
    """Curves fold_K/loss and so on over the epoch; the recipe as config; the scores as summary.

    The project is called as the competition, or as WANDB_PROJECT says. Files go to RUN/wandb, or to WANDB_DIR. Which
    epochs were sent stands in track.json, since an offline run has no server to ask. It is written once all is safe at
    wandb, which keeps the last blocks in memory: after a kill -9 a resumed run sends that sitting's epochs again, the
    same values at the same epochs, and leaves no gap.
    """

    def __init__(self) -> None:
        import wandb

        self._wandb = wandb
        self._run: Any = None
        self._finished = False

    def begin(self, facts: Facts) -> Begun:
        """Go on with the run that track.json names, or begin one."""
        self._folder = facts.folder
        kept = read_kept(facts.folder, NAME)
        self._kept = kept or Kept(uuid.uuid4().hex[:12], {})
        self._run = self._wandb.init(
            project=os.environ.get("WANDB_PROJECT") or facts.competition,
            name=facts.run,
            id=self._kept.id,
            resume="allow",
            dir=os.environ.get("WANDB_DIR") or str(facts.folder),
            config=dict(facts.recipe)
            | {f"digest.{key}": digest for key, digest in facts.digests.items()}
            | {f"environment.{key}": value for key, value in facts.environment.items()},
            # What kptool prints, and the repository it happens to be started in, are no part of the run.
            settings=self._wandb.Settings(
                silent=True, console="off", disable_git=True, disable_code=True, init_timeout=SECONDS
            ),
        )
        write_kept(facts.folder, NAME, self._kept)
        self._run.define_metric("epoch")
        for fold in facts.folds:
            self._run.define_metric(f"fold_{fold}/*", step_metric="epoch")
        return Begun(dict(self._kept.epochs), self._where())

    def epoch(self, point: Point) -> None:
        """Log an epoch's values; wandb sends them from a process of its own."""
        self._run.log({"epoch": point.epoch} | {f"fold_{point.fold}/{n}": value for n, value in point.values.items()})
        self._kept.epochs[point.fold] = point.epoch

    def finish(self, scores: Mapping[str, float]) -> None:
        """Put the scores into the run's summary."""
        self._run.summary.update(dict(scores))
        self._finished = True

    def close(self) -> None:
        """Wait until everything is sent; a run that was not finished is marked so."""
        if self._run is not None:
            self._run.finish(exit_code=0 if self._finished else 1)
            self._run = None
            write_kept(self._folder, NAME, self._kept)

    def _where(self) -> str:
        if getattr(self._run, "offline", False):
            return shlex.join(["wandb", "sync", str(Path(self._run.dir).parent)])
        return str(self._run.url)
