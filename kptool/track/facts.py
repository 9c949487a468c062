"""What trackers are told of a run beyond its curves, as plain values."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Final

from kptool.compare.settings import text
from kptool.config import flat
from kptool.engine.progress import MEASURES
from kptool.report.values import Report
from kptool.runs import Run
from kptool.track.contract import Facts, Plain
from kptool.verification.values import PairReport

# Not the data's folder: a server is not told how a user's disk is laid out.
ENVIRONMENT: Final = (
    "kptool", "python", "torch", "numpy", "platform", "processor", "cores", "device", "precision", "parameters",
)  # fmt: skip
UNITS: Final = {"px": "_px", "%": "_percent", "1": ""}


def facts_of(run: Run) -> Facts:
    """The facts of a run whose folder was made."""
    env = run.env
    digests = {"recipe": run.recipe.digest, "data": env["data_digest"], "weights": env.get("weights_digest")}
    return Facts(
        run=run.path.resolve().name,
        folder=run.path,
        competition=run.found.competition.slug,
        recipe={key: _named(key, _plain(value)) for key, value in flat(run.recipe).items()},
        digests={name: str(digest) for name, digest in digests.items() if digest},
        environment={key: _plain(env[key]) for key in ENVIRONMENT if key in env},
        folds=tuple(run.wanted),
        measure=MEASURES[run.found.competition.task],
    )


def _named(key: str, value: Plain) -> Plain:
    """Of a file its name alone: where it stands is the user's own business, and its digest is told beside it."""
    return Path(str(value)).name if key in ("model.weights", "data.soft") and value else value


def scores_of(report: Report) -> dict[str, float]:
    """The report's scores by names such as "rmse_px", "fold_0/rmse_px" and "scheme/4 points/rmse_px".

    The competition's own metric is among them where it is another than these. What is not known is left out.
    """
    metrics, first = report.metrics, report.lead.score
    own = f"{first.name.lower()}{UNITS[first.unit]}"
    found = {"rmse_px": metrics.rmse, "mae_px": metrics.mae, own: first.value}
    found |= {f"{own}_low_95": report.lead.low, f"{own}_high_95": report.lead.high}
    found |= {"test_mix/rmse_px": metrics.rmse_test_mix, "complete/rmse_px": metrics.complete.rmse}
    found |= {"mean_shape/rmse_px": report.baseline.rmse, f"mean_shape/{own}": first.mean_shape}
    for fold in report.folds:
        found |= {f"fold_{fold.fold}/rmse_px": fold.rmse, f"fold_{fold.fold}/{own}": fold.lead}
    for name, part in metrics.by_scheme.items():
        found |= {f"scheme/{name}/rmse_px": part.rmse, f"scheme/{name}/{own}": part.lead}
    return {name: float(value) for name, value in found.items() if math.isfinite(value)}


def pair_scores_of(report: PairReport) -> dict[str, float]:
    """The scores of a report on pairs by names such as "accuracy", "eer", "classical/auc" and "fold_0/accuracy".

    Shares are 0 to 1. What is not known is left out.
    """
    found: dict[str, float] = {}
    for prefix, figures in (("", report.model), ("classical/", report.classical)):
        if figures is not None:
            names = ("accuracy", "standard_error", "auc", "eer", "brier", "log_loss")
            found |= {f"{prefix}{name}": getattr(figures, name) for name in names}
            found |= {f"{prefix}tar_at_far_{one.far:g}": one.tar for one in figures.accepted}
    for fold in report.folds:
        found |= {f"fold_{fold.fold}/accuracy": fold.accuracy, f"fold_{fold.fold}/eer": fold.eer}
    return {name: float(value) for name, value in found.items() if math.isfinite(value)}


def _plain(value: object) -> Plain:
    return value if isinstance(value, str | int | float) else text(value)
