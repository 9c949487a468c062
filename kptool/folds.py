"""Who is held out when: a split that keeps every photo and every person whole, saved with the data it was made for."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from kptool.config import FoldOptions
from kptool.dataset import Dataset, Ints, Names
from kptool.duplicates import find_groups, unite
from kptool.errors import DataError, LeakError
from kptool.files import write_atomic
from kptool.geometry import Bytes


@dataclass(frozen=True)
class Folds:
    """A split of N rows for cross-validation.

    Attributes:
        fold: (N,) int in range(count); the fold that holds the row out.
        count: number of folds.
        group: (N,) int; rows that must share a fold.
        digest: the Dataset's digest; the split means nothing for other data.
    """

    fold: Ints
    count: int
    group: Ints
    digest: str

    def train(self, k: int) -> Ints:
        """(n,) rows that fold `k` trains on."""
        return np.flatnonzero(self.fold != k)

    def held_out(self, k: int) -> Ints:
        """(n,) rows that fold `k` holds out."""
        return np.flatnonzero(self.fold == k)


def make(dataset: Dataset, thumbnails: Bytes, scheme: Ints, options: FoldOptions, seed: int) -> Folds:
    """Split a dataset so that duplicates and the user's own groups stay whole.

    Args:
        dataset: N rows; `groups` are joined with the duplicates: a photo shared by two persons joins the persons.
        thumbnails: (N, C, h, w) uint8 in which duplicates are looked for: the images, or the faces cut out of photos.
        scheme: (N,) marking scheme of each row, spread evenly over the folds under `options.stratify`.
        options: the recipe's [folds].
        seed: one seed, one split.

    Raises:
        DataError: fewer groups than folds, or a fold without rows.
    """
    group = find_groups(thumbnails, options.near_duplicates).group
    if dataset.groups is not None:
        group = unite(group, dataset.groups)
    groups = len(np.unique(group))
    if groups < options.count:
        raise DataError(
            f"{len(dataset)} rows form {groups} groups of one photo or person, too few for {options.count} folds",
            f"set folds.count to {groups}" if groups > 1 else "bring images of more than one photo or person",
        )
    fold = _split(scheme if options.stratify else np.zeros_like(scheme), group, options.count, seed)
    _refuse_empty(fold, options.count)
    check_leak(fold, group, dataset.ids)
    return Folds(fold, options.count, group, dataset.digest)


def _split(stratum: Ints, group: Ints, count: int, seed: int) -> Ints:
    # Here, because a report reads folds and never makes any, and this import costs a second.
    from sklearn.model_selection import StratifiedGroupKFold

    if np.bincount(stratum).max() < count:  # the splitter refuses such strata, and nothing can be spread evenly
        stratum = np.zeros_like(stratum)
    splitter = StratifiedGroupKFold(n_splits=count, shuffle=True, random_state=seed)
    fold = np.full(len(group), -1, dtype=np.int64)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="The least populated class")  # a rare scheme misses some folds
        for k, (_, held_out) in enumerate(splitter.split(np.zeros(len(group)), stratum, group)):
            fold[held_out] = k
    return fold


def _refuse_empty(fold: Ints, count: int) -> None:
    sizes = np.bincount(fold, minlength=count)
    if (sizes == 0).any():
        raise DataError(
            f"fold {int(sizes.argmin())} of {count} holds no row: the groups are too large to fill every fold",
            "set folds.count lower",
        )


def check_leak(fold: Ints, group: Ints, ids: Names | None = None, thing: str = "image") -> None:
    """Make sure that no group (N,) stands in two folds (N,).

    Args:
        thing: what a row is, in words.

    Raises:
        LeakError: it does; names two of the group (by row where `ids` is not given) and their folds.
    """
    _, first, inverse = np.unique(group, return_index=True, return_inverse=True)
    parted = np.flatnonzero(fold != fold[first[inverse]])
    if not len(parted):
        return
    b = int(parted[0])
    a = int(first[inverse[b]])
    names = [f"row {row}" if ids is None else f"{thing} {ids[row]}" for row in (a, b)]
    raise LeakError(
        f"{names[0]} (fold {fold[a]}) and {names[1]} (fold {fold[b]}) belong to one group but to two folds",
        "start a new run: its folds keep groups whole",
    )


def leaky_share(fold: Ints, group: Ints) -> float:
    """Share of the rows whose group (N,) also stands in another fold (N,): held out, yet seen in training."""
    _, inverse = np.unique(group, return_inverse=True)
    pairs = np.unique(np.stack([inverse, fold], axis=1), axis=0)
    return float((np.bincount(pairs[:, 0])[inverse] > 1).mean())


def save(folds: Folds, ids: Names, scheme: Ints, path: Path) -> None:
    """Write folds.parquet: id, fold, group and scheme of each row, with the data's digest and the count beside them."""
    table = pa.table({"id": ids.tolist(), "fold": folds.fold, "group": folds.group, "scheme": scheme})
    table = table.replace_schema_metadata({"kptool.digest": folds.digest, "kptool.count": str(folds.count)})
    write_atomic(path, lambda temporary: pq.write_table(table, temporary))


def load(path: Path, digest: str, ids: Names, thing: str = "image") -> Folds:
    """Read folds.parquet; it is never made anew in silence.

    Args:
        path: the file that `save` wrote.
        digest: of the Dataset that is to be split.
        ids: (N,) of the same Dataset.
        thing: what a row is, in words.

    Raises:
        DataError: no such file, a damaged one, or one made for other data.
        LeakError: a group stands in two folds.
    """
    try:
        table = pq.read_table(path, columns=["id", "fold", "group"])
        metadata = {key.decode(): value.decode() for key, value in table.schema.metadata.items()}
        made_for, count = metadata["kptool.digest"], int(metadata["kptool.count"])
        names = table["id"].to_pylist()
        fold, group = (table[name].to_numpy().astype(np.int64) for name in ("fold", "group"))
    except (OSError, pa.ArrowException, KeyError, ValueError, AttributeError) as error:
        why = " ".join(str(error).split()) or type(error).__name__
        raise DataError(f"{path}: not readable as folds ({why})", "start a new run") from None
    if made_for != digest:
        raise DataError(
            f"{path} was made for other data ({made_for[:12]}… not {digest[:12]}…)",
            "bring back the data it was made for, or start a new run",
        )
    if names != ids.tolist():
        raise DataError(f"{path} lists other {thing}s than the data", "start a new run")
    if not ((fold >= 0) & (fold < count)).all():
        raise DataError(f"{path} names folds outside 0 to {count - 1}", "start a new run")
    _refuse_empty(fold, count)
    try:
        check_leak(fold, group, ids, thing)
    except LeakError as error:
        raise LeakError(f"{path}: {error.message}", error.hint) from None
    return Folds(fold, count, group, digest)
