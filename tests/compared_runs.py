"""Folders of finished runs without any training: what kptool compare reads, with errors made to order."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import tomli_w
from own_competition import COMPETITION, POINTS, SHAPE

from kptool.competitions import find
from kptool.config import Recipe, apply_set, parse
from kptool.dataset import Dataset, Ints, Predictions
from kptool.engine.history import Epoch, write_history
from kptool.folds import Folds, save
from kptool.geometry import Floats, identity
from kptool.predictions import Faces, write_faces, write_points, write_predictions
from kptool.schemes import discover

NME = 'metric = "nme"\nscale_pair = ["left_eye", "right_eye"]\n'
FOLDS = 3
DIGEST = "41d09be0c3aa5512" * 4


class Photos(NamedTuple):
    """N images: ids, labels (N, 4, 2) px, the group of each, and the digest of all that."""

    ids: list[str]
    truth: Floats
    group: Ints
    digest: str

    def take(self, rows: Ints) -> Photos:
        """Some rows, with the digest that a recipe's choice of rows gives them."""
        pixels = np.zeros((len(self.ids), 1, 0, 0), dtype=np.uint8)
        schema = find_schema()
        part = Dataset(np.array(self.ids), pixels, self.truth, schema, self.digest).take(rows)
        return Photos(part.ids.tolist(), part.points, self.group[rows], part.digest)


def photos(n: int = 101, seed: int = 3) -> Photos:
    """Faces in two schemes, a third with every point; every other two are copies of one photo."""
    rng = np.random.default_rng(seed)
    truth = SHAPE + rng.normal(0, 4, (n, 1, 2)) + rng.normal(0, 1.5, (n, 4, 2))
    truth[n // 3 :, :2] = np.nan
    return Photos([f"face-{i}" for i in range(n)], truth, np.arange(n) // 2, DIGEST)


def own(folder: Path, more: str = "", slug: str = "own-faces") -> Path:
    """A competition's folder."""
    folder.mkdir(parents=True, exist_ok=True)
    text = COMPETITION.replace('slug = "own-faces"', f'slug = "{slug}"')
    (folder / "competition.toml").write_text(text + more)
    return folder


def find_schema() -> Any:
    """The four points."""
    from kptool.schema import make_schema

    return make_schema("own-faces", list(POINTS), [("left_eye", "right_eye")], None, [], None)


def write_run(
    path: Path,
    competition: Path,
    data: Photos,
    errors: Floats | float,
    settings: tuple[str, ...] = (),
    finished: tuple[int, ...] = (0, 1, 2),
    history: bool = True,
    **env: Any,
) -> Path:
    """A run whose predictions are off by `errors` px, which broadcasts to (N, 4, 2)."""
    n, schema = len(data.ids), find(str(competition)).competition.schema_of_points
    recipe = parse(Recipe, apply_set({"folds": {"count": FOLDS}, "train": {"epochs": 4}}, list(settings)), "--set")
    path.mkdir(parents=True)
    table = {"competition": str(competition.resolve()), "recipe": recipe.model_dump()}
    (path / "config.toml").write_text(tomli_w.dumps(table))
    schemes = discover(np.asarray(np.isfinite(data.truth).all(-1)))
    named = zip(schemes.names, schemes.masks, strict=True)
    told = [{"name": name, "points": [p for p, on in zip(POINTS, mask, strict=True) if on]} for name, mask in named]
    about = {"data_digest": data.digest, "size": [96, 96], "schemes": told, "test_mix": None, "device": "cpu"}
    about |= {"folds": list(range(FOLDS)), "precision": "fp32", "data": None, "weights_digest": None}
    (path / "env.json").write_text(json.dumps(about | env))
    ids, fold = np.array(data.ids), data.group % FOLDS
    write_points(path / "truth.parquet", ids, data.truth, schema)
    write_faces(path / "faces.parquet", Faces(ids, identity(n), np.full((n, 4), np.nan), np.full((n, 2), 96)))
    save(Folds(fold, FOLDS, data.group, data.digest), ids, np.zeros(n, dtype=np.int64), path / "folds.parquet")
    predicted = np.nan_to_num(data.truth, nan=48.0) + errors
    for k in finished:
        rows = fold == k
        made = Predictions(ids[rows], predicted[rows], np.full((int(rows.sum()), 4), np.nan), schema)
        write_predictions(path / f"fold-{k}" / "oof.parquet", made)
        if history:
            epochs = [Epoch(e, 4.0 / e + k, 2.0 + k if e == 4 else None, float(e), 100.0) for e in range(1, 5)]
            write_history(path / f"fold-{k}" / "history.csv", epochs)
    (path / "timing.json").write_text('{"seconds": 12.5}')
    return path
