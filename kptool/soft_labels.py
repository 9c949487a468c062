"""Soft labels: what a run's models found where nobody marked a point, in a file that a recipe may train on.

Every fold has a set of its own, made by the model of the same fold of another run, the teacher. That model never saw a
label of the images its fold holds out. So a student that learns from set g, and is judged on fold g, has learned
nothing that came from the labels it is judged by; sets and students must therefore be of the very same folds. A teacher
whose best epoch or last one was chosen by its held-out score is the exception, and `kptool relabel` says so.

A file is a parquet table with a line for each fold, image and marking scheme that answered: fold, id, scheme, and of
each point <point>_x, <point>_y and <point>_radius, in px of the original image. A point is NaN where it has a label,
or was answered in another scheme, or could not be answered; a radius also where too few errors tell one.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from kptool.dataset import Dataset, Ints, Mask, Names
from kptool.errors import DataError, UsageError
from kptool.files import write_atomic
from kptool.geometry import Floats
from kptool.schema import Schema
from kptool.schemes import Schemes

FILE: Final = "soft-labels.parquet"
_ABOUT: Final = b"kptool.soft"
_AGAIN: Final = "make it again with kptool relabel"


@dataclass(frozen=True)
class About:
    """What soft labels were made of.

    Attributes:
        data_digest: of the teacher's data.
        fold_digest: see `digest_of_folds`.
        schemes: the points of each marking scheme, by its name, in the data's order.
        folds: those that have a set.
        teacher: name of the run.
        teacher_digest: of its recipe.
        level: share of labels that a radius is to hold.
    """

    data_digest: str
    fold_digest: str
    schemes: dict[str, list[str]]
    folds: list[int]
    teacher: str
    teacher_digest: str
    level: float


@dataclass(frozen=True)
class SoftSet:
    """The soft labels of one fold; an image has a line for every scheme that answered it.

    Attributes:
        row: (M,) ascending rows of the data.
        scheme: (M,) the marking scheme by whose rules the points are placed.
        points: (M, K, 2) px of the original image; NaN = none.
        radius: (M, K) px of the original image that hold the truth by `About.level`; NaN = none, or not known.
    """

    row: Ints
    scheme: Ints
    points: Floats
    radius: Floats

    def __post_init__(self) -> None:
        m, k = self.radius.shape
        assert self.row.shape == self.scheme.shape == (m,), (self.row.shape, self.scheme.shape)
        assert self.points.shape == (m, k, 2), self.points.shape

    def usable(self, radius: float) -> Mask:
        """(M, K) which points there are, of a known radius within `radius` px unless that is 0."""
        there: Mask = np.asarray(np.isfinite(self.points).all(-1))
        return there & (self.radius <= radius) if radius > 0 else there  # NaN compares false


def digest_of_folds(ids: Names, fold: Ints) -> str:
    """sha256 over who is held out when: ids (N,) and folds (N,)."""
    return hashlib.sha256(json.dumps([ids.tolist(), fold.tolist()]).encode()).hexdigest()


def schemes_of(schemes: Schemes, schema: Schema) -> dict[str, list[str]]:
    """The points of each scheme by its name, as `About` holds them."""
    pairs = zip(schemes.names, schemes.masks, strict=True)
    return {name: [p for p, on in zip(schema.points, mask, strict=True) if on] for name, mask in pairs}


def write_soft(path: Path, sets: Mapping[int, SoftSet], ids: Names, schema: Schema, about: About) -> None:
    """Write one set a fold; the same sets, the same bytes."""
    names = list(about.schemes)
    columns: dict[str, Any] = {
        "fold": np.concatenate([np.full(len(own.row), fold) for fold, own in sets.items()]),
        "id": [str(v) for own in sets.values() for v in ids[own.row]],
        "scheme": [names[s] for own in sets.values() for s in own.scheme],
    }
    points, radius = (np.concatenate([getattr(own, name) for own in sets.values()]) for name in ("points", "radius"))
    for k, point in enumerate(schema.points):
        columns |= {f"{point}_x": points[:, k, 0], f"{point}_y": points[:, k, 1], f"{point}_radius": radius[:, k]}
    table = pa.table(columns).replace_schema_metadata({_ABOUT: json.dumps(asdict(about), sort_keys=False)})
    write_atomic(path, lambda temporary: pq.write_table(table, temporary))


def read_about(path: Path) -> About:
    """What a file of soft labels was made of; raises DataError where it is no such file."""
    try:
        return About(**json.loads(pq.read_schema(path).metadata[_ABOUT]))
    except (OSError, pa.ArrowException, KeyError, ValueError, TypeError) as error:
        raise DataError(f"{path}: not readable as soft labels ({_why(error)})", _AGAIN) from None


def read_set(path: Path, fold: int, ids: Names, schema: Schema) -> SoftSet:
    """The set of one fold; an empty one where the file has none.

    Args:
        ids: (N,) of the data whose rows are meant.

    Raises:
        DataError: not such a file, or one of other images or points.
    """
    names = list(read_about(path).schemes)
    columns = [f"{point}_{what}" for point in schema.points for what in ("x", "y", "radius")]
    place, number = {str(v): n for n, v in enumerate(ids)}, {name: s for s, name in enumerate(names)}
    try:
        table = pq.read_table(path, columns=["id", "scheme", *columns], filters=[("fold", "==", fold)])
        row = np.array([place[v] for v in table["id"].to_pylist()], dtype=np.int64)
        scheme = np.array([number[v] for v in table["scheme"].to_pylist()], dtype=np.int64)
        values = np.stack([table[name].to_numpy().astype(np.float64) for name in columns], axis=1)
    except (OSError, pa.ArrowException, KeyError, ValueError) as error:
        raise DataError(f"{path}: not readable as soft labels of these images ({_why(error)})", _AGAIN) from None
    order = np.lexsort((scheme, row))
    values = values[order].reshape(len(row), len(schema.points), 3)
    return SoftSet(row[order], scheme[order], values[..., :2], values[..., 2])


def refuse_other_soft(path: Path, dataset: Dataset, schemes: Schemes, fold: Ints) -> About:
    """Hold a file of soft labels against the data and the folds (N,) of a student.

    Raises:
        DataError: it was made for other data, folds or marking schemes, or is no such file.
    """
    about = read_about(path)
    if about.data_digest != dataset.digest:
        raise DataError(
            f"{path} was made for other data ({about.data_digest[:12]}… not {dataset.digest[:12]}…)",
            "relabel a run of the same files and rows",
        )
    if about.fold_digest != digest_of_folds(dataset.ids, fold):
        raise DataError(
            f"{path} was made for other folds, so a student would learn from labels it is judged by",
            "relabel a run of the same seed and [folds]",
        )
    if about.schemes != schemes_of(schemes, dataset.schema):
        raise DataError(f"{path} was made for other marking schemes", "restore competition.toml, or relabel again")
    return about


def notes_on_soft(path: Path, about: About, radius: float, dataset: Dataset, count: int) -> list[str]:
    """What to tell of soft labels that `refuse_other_soft` passed, a line each.

    Args:
        radius: px, the recipe's data.soft_radius.
        count: how many folds there are.

    Raises:
        UsageError: none of them is used.
    """
    sets = [read_set(path, fold, dataset.ids, dataset.schema) for fold in about.folds]
    used = [int(own.usable(radius).sum()) for own in sets]
    if not any(used):
        why = f": no radius is within data.soft_radius = {radius:g} px" if radius > 0 else ""
        raise UsageError(f"data.soft {path} holds no soft label to train on{why}", "leave data.soft out")
    mean, images = sum(used) / len(used), np.mean([len(np.unique(own.row)) for own in sets])
    notes = [
        f"soft labels by {about.teacher} ({about.teacher_digest}): {mean:.0f} points of {images:.0f} images a fold"
    ]
    if without := sorted(set(range(count)) - set(about.folds)):
        some = f"fold{'s' * (len(without) > 1)} {', '.join(map(str, without))}"
        notes.append(f"no soft labels for {some}: the teacher of the same fold was not trained")
    return notes


def _why(error: Exception) -> str:
    return " ".join(str(error).split())[:120] or type(error).__name__
