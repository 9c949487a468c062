"""A comparison as plain values: one flat record a run, for CSV and JSON alike, every figure in full."""

from __future__ import annotations

import csv
import io
import json
import math
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any, Final

import numpy as np

from kptool.compare.values import Comparison, Line, Scores, Seeds
from kptool.report.bootstrap import LEVEL

Record = dict[str, object]
OF_POINTS: Final = ("score_values", "compared_values", "values", "heldout_mse", "heldout_mse_unit_px")
FORMULA: Final = ("=", "+", "-", "@", "\t", "\r", "\n")  # what a spreadsheet would run, were it a cell's beginning


def records(made: Comparison) -> list[Record]:
    """One flat record a run; all have the same keys in one order. None = not known.

    `score` and what begins with it are over the images that the table shows; `own_` and `common_` give both. The
    difference and what follows it are against the run named by `against`, whose own are None.
    """
    found = dict(zip(_others(made), made.differences, strict=True))
    out: list[Record] = []
    for place, line in enumerate(made.lines):
        one = found.get(place)
        names = ("difference", "low", "high", "word", "value", "base", "images", "values", "groups")
        compared = {f"compared_{n}" if n in names[4:] else n: one and getattr(one, n) for n in names}
        out.append(
            _who(line)
            | {key: line.settings.get(key) for key in made.settings if key != "seed"}
            | {"metric": made.metric, "unit": made.unit, "normaliser": made.normaliser}
            | _scores(made, made.scores(line))
            | {"own_score": line.own.lead, "own_images": line.own.images}
            | {"common_score": line.common.lead, "common_images": line.common.images}
            | _training(made, line)
            | ({"protocol": line.protocol} if made.things == "pairs" else {})
            | {"against": made.lines[made.base].name}
            | compared
        )
    return [{key: _known(value) for key, value in _called(made, record).items()} for record in out]


def to_csv(made: Comparison) -> str:
    """A header and a line a run. A text that a spreadsheet would take for a formula gets a ' before it."""
    table = records(made)
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(map(_safe, table[0]))
    for record in table:
        writer.writerow(map(_safe, record.values()))
    return text.getvalue()


def to_json(made: Comparison) -> dict[str, Any]:
    """Everything, as a table of plain values that ``json.dumps(allow_nan=False)`` takes; NaN becomes null."""
    table, trained = records(made), len(made.trained)
    return {
        "format": 1,
        "competition": made.competition,
        "metric": _metric(made),
        "settings": list(made.settings),
        "rows": made.rows,
        "runs": table[:trained],
        **({"baselines": table[trained:]} if made.things == "pairs" else {}),
        "seeds": [_of_seeds(made, group, table) for group in made.seeds],
        "bootstrap": {
            "against": made.lines[made.base].name,
            "resamples": made.resamples,
            "seed": made.seed,
            "level": LEVEL,
            "interval": "percentile",
            "resampled": f"groups of {made.things}",
            "correction": None,
        },
        "differences": [_called(made, asdict(found)) for found in made.differences],
        "notes": list(made.notes),
    }


def _metric(made: Comparison) -> Record:
    told: Record = {"name": made.metric, "unit": made.unit, "normaliser": made.normaliser}
    told["lower_is_better"] = not made.higher_is_better
    return told | ({"protocol": made.protocol, "alignment": made.alignment} if made.things == "pairs" else {})


def _called(made: Comparison, record: Record) -> Record:
    """A record with its keys in the words of the task: pairs are counted as pairs, and each has one label."""
    if made.things == "images":
        return record
    return {key.replace("images", made.things): value for key, value in record.items() if key not in OF_POINTS}


def _others(made: Comparison) -> list[int]:
    return [place for place in range(len(made.lines)) if place != made.base]


def _who(line: Line) -> Record:
    return {
        "run": line.name,
        "path": str(line.path),
        "recipe": line.recipe,
        "digest": line.digest,
        "seed": line.seed,
        "folds": line.folds[0],
        "folds_of": line.folds[1],
    }


def _scores(made: Comparison, shown: Scores) -> Record:
    return {
        "score": shown.lead,
        "score_images": shown.images,
        "score_values": shown.values,
        "score_fold_mean": shown.fold_mean,
        "score_fold_std": shown.fold_std,
        **{measure.key: shown[measure] for measure in made.measures},
    }


def _training(made: Comparison, line: Line) -> Record:
    return {
        "parameters": int(line.parameters) if line.parameters == line.parameters else None,
        "epochs": line.epochs,
        "loss": line.loss,
        "train_loss": line.train_loss,
        made.heldout.key: line.heldout,
        "heldout_mse": line.heldout_mse,
        "heldout_mse_unit_px": line.half,
        "seconds": line.seconds,
        "images_per_second": line.images_per_second,
        "device": line.device,
        "precision": line.precision,
        "keep": line.keep,
    }


def _of_seeds(made: Comparison, group: Seeds, table: Sequence[Record]) -> Record:
    """Mean and sample deviation over the seeds of every measured figure that all of them have."""
    own = [table[place] for place in group.lines]
    measured = [key for key in table[0] if key.startswith(("score", "own_score", "common_score", made.heldout.key))]
    figures = _called(made, dict.fromkeys(("epochs", "train_loss", "heldout_mse", "seconds", "images_per_second")))
    out: Record = {"name": group.name, "runs": [r["run"] for r in own], "seeds": [r["seed"] for r in own]}
    for key in [key for key in (*measured, *figures) if not key.endswith((made.things, "values"))]:
        values = [value for r in own if isinstance(value := r[key], float)]
        whole = len(values) == len(own)
        out[key] = {"mean": float(np.mean(values)), "std": float(np.std(values, ddof=1))} if whole else None
    return out


def _known(value: object) -> object:
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _safe(value: object) -> object:
    if isinstance(value, str):
        return f"'{value}" if value.startswith(FORMULA) else value
    return json.dumps(value) if isinstance(value, bool | list | dict) else value
