"""The faces of a page as plain values for its script."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from kptool import metrics
from kptool.dataset import Ints, Mask
from kptool.geometry import Floats
from kptool.page.choice import KINDS, Choice
from kptool.page.images import picture_uri
from kptool.page.looking import Looking
from kptool.pictures import model_images, to_shown
from kptool.pixels import Arrays
from kptool.report.outcome import Outcome
from kptool.report.scored import Scored
from kptool.report.values import Report
from kptool.schemes import marked_by

BYTES: Final = 2_700_000  # of all faces with their pictures, without their maps


@dataclass(frozen=True)
class Gallery:
    """Faces with their pictures, in the order of the choice, as many as fit.

    Attributes:
        faces: plain values, one table a face.
        rows: (n,) of each, its row among the run's images.
        fold: (n,) of each, who held it out.
    """

    faces: list[dict[str, Any]]
    rows: Ints
    fold: Ints


def _taught(outcome: Outcome) -> Mask:
    """(S, K) the points that a scheme's outputs were trained on, as `saliency.look` has it: others answer by chance."""
    known: Mask = np.asarray(np.isfinite(outcome.truth).all(-1))
    if outcome.recipe is not None and not outcome.recipe.model.per_scheme:
        return np.ones((len(outcome.schemes), known.shape[1]), dtype=np.bool_)
    return marked_by(known, outcome.scheme, len(outcome.schemes))


def gather(
    found: Scored, choice: Choice, of_run: Ints, arrays: Arrays | None, tick: Callable[[int], object]
) -> Gallery:
    """Draw up the chosen faces until they fill their bytes.

    Args:
        of_run: (n,) for each image predicted, its row among the run's images.
        arrays: the run's pictures; None = faces are drawn without.
        tick: told how many are done.
    """
    outcome, rows = found.outcome, choice.rows
    to_frame = outcome.to_frame[rows] if arrays is None else to_shown(arrays, of_run[rows])
    truth, answer = to_frame(outcome.truth[rows]), to_frame(outcome.predicted[rows])
    answer = np.where(_taught(outcome)[outcome.scheme[rows], :, None], answer, np.nan)
    away = metrics.lengths(found.errors[rows])
    faces: list[dict[str, Any]] = []
    left = BYTES
    for n, row in enumerate(rows):
        face: dict[str, Any] = {
            "id": str(outcome.ids[row]),
            "fold": int(outcome.fold[row]),
            "scheme": int(outcome.scheme[row]),
            "kinds": list(choice.kinds[n]),
            "error": float(np.round(choice.errors[n], 4)),
            "truth": _plain(truth[n]),
            "answer": _plain(answer[n]),
            "away": _plain(away[n]),
        }
        if arrays is not None:
            face["picture"] = picture_uri(model_images(arrays, of_run[[row]])[0])
        left -= len(json.dumps(face))
        if left < 0 and faces:
            break
        faces.append(face)
        tick(n + 1)
    if len(faces) == choice.of:  # all are there, whatever for
        faces = [face | {"kinds": []} for face in faces]
    kept = rows[: len(faces)]
    return Gallery(faces, of_run[kept], outcome.fold[kept])


def _plain(values: Floats) -> list[float | None]:
    """A flat list to hundredths, None for NaN."""
    return [None if np.isnan(v) else float(v) for v in np.round(values.ravel(), 2)]


def for_script(gallery: Gallery, looked: Looking, found: Scored, report: Report) -> dict[str, Any]:
    """Everything that the page's script reads."""
    outcome, calibration = found.outcome, report.calibration
    for face, row in zip(gallery.faces, gallery.rows.tolist(), strict=True):
        if row in looked.maps:
            face["maps"] = looked.maps[row]
    width, height = looked.cells
    return {
        "metric": report.lead.score.name,
        "unit": report.lead.score.unit,
        "size": list(outcome.size),
        "points": list(outcome.schema.points),
        "edges": [list(edge) for edge in outcome.schema.edges],
        "schemes": list(outcome.schemes.names),
        "radii": [radius.frame for radius in calibration.radii] if calibration else [],
        "level": calibration.level if calibration else None,
        "kinds": list(KINDS),
        "looks": {"kind": looked.kind, "width": width, "height": height, "count": looked.count,
                  "columns": looked.columns} if looked.kind else None,
        "faces": gallery.faces,
    }  # fmt: skip
