"""Folders of finished runs of pairs without any training: what kptool compare reads, with scores made to order."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import tomli_w

from kptool.config import Recipe, apply_set, parse
from kptool.dataset import Dataset, Ints
from kptool.engine.history import Epoch, write_history
from kptool.folds import Folds, save
from kptool.geometry import Floats
from kptool.pair_files import Scores, write_pairs, write_scores
from kptool.pairs import Pairs
from kptool.schema import Schema

COMPETITION = """
slug = "own-pairs"
title = "Pairs of my own"
task = "verification"
format = "lfw-pairs"
form = "pairs"
"""
FOLDS = 3
DIGEST = "77aa01d0c3ee5512" * 4
TRIOS = 37  # people who meet in pairs: no two trios share one
ALIGNMENT = "cut by hand"


def own(folder: Path, more: str = "", slug: str = "own-pairs") -> Path:
    """A competition's folder."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "competition.toml").write_text(COMPETITION.replace('slug = "own-pairs"', f'slug = "{slug}"') + more)
    return folder


def pairs(trios: int = TRIOS, digest: str = DIGEST) -> Pairs:
    """Trios of people with 2, 3 and 1 pictures: 3 same-person pairs and 3 others each, less one here and there."""
    first: list[int] = []
    second: list[int] = []
    person: list[int] = []
    for trio in range(trios):
        at, own = len(person), 3 * trio
        person += [own, own, own + 1, own + 1, own + 1, own + 2]
        ends = [(0, 1), (2, 3), (3, 4), (0, 2), (4, 5), (1, 5)]
        ends = ends[: 5 if trio % 4 == 0 else 6]
        first += [at + a for a, _ in ends]
        second += [at + b for _, b in ends]
    names = np.array([f"picture-{n}" for n in range(len(person))])
    images = Dataset(names, np.zeros((len(names), 1, 8, 6), np.uint8), np.zeros((len(names), 0, 2)), SCHEMA, digest)
    who = np.array(person)
    return Pairs(
        images=images,
        people=np.array([f"Person_{n}" for n in range(3 * trios)]),
        person=who,
        first=np.array(first),
        second=np.array(second),
        same=np.asarray(who[first] == who[second]),
        ids=np.array([f"{names[a]} {names[b]}" for a, b in zip(first, second, strict=True)]),
        places=np.array([f"pairs.txt:{n + 2}" for n in range(len(first))]),
        fold=None,
        protocol="made view",
        alignment=ALIGNMENT,
        digest=digest,
    )


SCHEMA = Schema("own-pairs", ())


def groups(data: Pairs) -> Ints:
    """(P,) the trio of each pair."""
    return np.asarray(data.person[data.first] // 3)


def drawn(data: Pairs, apart: float, seed: int = 0) -> Floats:
    """(P,) scores whose two kinds lie `apart` standard deviations apart."""
    return apart * data.same + np.random.default_rng(seed).normal(0, 1, len(data))


def write_run(
    path: Path,
    competition: Path,
    data: Pairs,
    score: Floats,
    settings: tuple[str, ...] = (),
    classical: Floats | None = None,
    finished: tuple[int, ...] = (0, 1, 2),
    fold: Ints | None = None,
    **env: Any,
) -> Path:
    """A run with these scores (P,) out of fold; `fold` (P,) are those of the trios otherwise."""
    path.mkdir(parents=True)
    recipe = parse(Recipe, apply_set({"folds": {"count": FOLDS}, "train": {"epochs": 4}}, list(settings)), "--set")
    table = {"competition": str(competition.resolve()), "recipe": recipe.model_dump()}
    (path / "config.toml").write_text(tomli_w.dumps(table))
    about: dict[str, Any] = {
        "data_digest": data.digest,
        "size": [48, 40],
        "device": "cpu",
        "precision": "fp32",
        "data": None,
    }
    about |= {"protocol": data.protocol, "alignment": data.alignment, "naive_leak": 0.5, "weights_digest": None}
    (path / "env.json").write_text(json.dumps(about | {"folds": list(range(FOLDS))} | env))
    group = groups(data)
    held = group % FOLDS if fold is None else fold
    write_pairs(path, data)
    save(Folds(held, FOLDS, group, data.digest), data.ids, np.zeros_like(held), path / "folds.parquet")
    hand_made = np.full(len(data), np.nan) if classical is None else classical
    for k in finished:
        own = held == k
        write_scores(path / f"fold-{k}" / "oof.parquet", Scores(data.ids[own], score[own], hand_made[own]))
        epochs = [Epoch(e, 1.0 / e, 30.0 + k if e == 4 else None, float(e), 500.0) for e in range(1, 5)]
        write_history(path / f"fold-{k}" / "history.csv", epochs)
    (path / "timing.json").write_text('{"seconds": 12.5}')
    return path
