"""MLflow: one run, to wherever MLFLOW_TRACKING_URI points."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from typing import Any, Final

from kptool.track.contract import Begun, Facts, Point
from kptool.track.kept import Kept, read_kept, write_kept
from kptool.track.words import without_login

NAME: Final = "mlflow"
AT_ONCE: Final = 100  # params that a server takes in one request
LONGEST: Final = 500  # characters of a param: the limit of every server
# MLflow's own patience is minutes a call, and who trains does not wait for a curve. What the user has set stays.
PATIENCE: Final = {"MLFLOW_HTTP_REQUEST_MAX_RETRIES": "2", "MLFLOW_HTTP_REQUEST_TIMEOUT": "10"}


class MLflow:
    """Metrics fold_K/loss and so on with the epoch for a step; the recipe as params; digests as tags.

    The experiment is called as the competition, or as MLFLOW_EXPERIMENT_NAME says. Of a resumed run the server is
    asked which epochs it has.
    """

    def __init__(self) -> None:
        for name, value in PATIENCE.items():
            os.environ.setdefault(name, value)
        import mlflow
        from mlflow import entities

        self._mlflow, self._entities = mlflow, entities
        self._client: Any = None
        self._run = ""
        self._finished = False

    def begin(self, facts: Facts) -> Begun:
        """Go on with the run that track.json names, or create one."""
        self._client = self._mlflow.MlflowClient()
        kept = read_kept(facts.folder, NAME)
        if kept is not None and self._knows(kept.id):
            self._run = kept.id
            self._client.update_run(self._run, status="RUNNING")
        else:
            self._run = self._create(facts)
            write_kept(facts.folder, NAME, Kept(self._run, {}))
        held = {fold: self._last(fold) for fold in facts.folds}
        place = without_login(str(self._mlflow.get_tracking_uri()))
        return Begun(held, f"run {facts.run} of experiment {_experiment(facts)}, in {place}")

    def epoch(self, point: Point) -> None:
        """Send an epoch's metrics in one request."""
        values = {f"fold_{point.fold}/{name}": value for name, value in point.values.items()}
        self._send(values, point.at, point.epoch)

    def finish(self, scores: Mapping[str, float]) -> None:
        """Send the scores as metrics."""
        self._send(scores, time.time(), 0)
        self._finished = True

    def close(self) -> None:
        """Say how the run ended; one that may be resumed as killed."""
        if self._run:
            self._client.set_terminated(self._run, "FINISHED" if self._finished else "KILLED")
            self._run = ""

    def _knows(self, run: str) -> bool:
        """Whether the server has the run: track.json may come from another one, or it was deleted."""
        try:
            return bool(self._client.get_run(run).info.lifecycle_stage == "active")
        except self._mlflow.MlflowException as error:
            if error.error_code == "RESOURCE_DOES_NOT_EXIST":
                return False
            raise

    def _create(self, facts: Facts) -> str:
        name = _experiment(facts)
        found = self._client.get_experiment_by_name(name)
        experiment = found.experiment_id if found else self._client.create_experiment(name)
        tags = {f"kptool.{key}_digest": digest for key, digest in facts.digests.items()}
        tags |= {f"kptool.{key}": str(value) for key, value in facts.environment.items()}
        tags |= {"kptool.competition": facts.competition, "kptool.run": facts.run}
        run = str(self._client.create_run(experiment, tags=tags, run_name=facts.run).info.run_id)
        params = [self._entities.Param(key, str(value)[:LONGEST]) for key, value in facts.recipe.items()]
        for first in range(0, len(params), AT_ONCE):
            self._client.log_batch(run, params=params[first : first + AT_ONCE])
        return run

    def _last(self, fold: int) -> int:
        return max(
            (int(one.step) for one in self._client.get_metric_history(self._run, f"fold_{fold}/loss")), default=0
        )

    def _send(self, values: Mapping[str, float], at: float, step: int) -> None:
        when = round(1000 * at)
        self._client.log_batch(
            self._run, metrics=[self._entities.Metric(name, value, when, step) for name, value in values.items()]
        )


def _experiment(facts: Facts) -> str:
    return os.environ.get("MLFLOW_EXPERIMENT_NAME") or facts.competition
