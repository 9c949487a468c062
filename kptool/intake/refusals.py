"""Settings and edits that a run of points could not begin with."""

from __future__ import annotations

import numpy as np

from kptool.config import Recipe
from kptool.dataset import Mask
from kptool.errors import UsageError
from kptool.intake.values import Intake
from kptool.schema import Schema


def refuse_settings_of_pairs(recipe: Recipe) -> None:
    """Raise UsageError for settings that a run of keypoints would silently ignore, or that leave it untrained."""
    plain = Recipe()
    for section, keys in (
        ("data", ("pairs_from", "pairs_per_person")),
        ("train", ("pairs", "views", "label_clip", "temperature")),
    ):
        for key in keys:
            if getattr(getattr(recipe, section), key) != getattr(getattr(plain, section), key):
                raise UsageError(
                    f"{section}.{key} is of verification, this competition asks for points", "leave it out"
                )
    if not recipe.train.epochs:
        raise UsageError("train.epochs = 0 leaves a network of keypoints as lot made it", "train an epoch or more")


def refuse_unknown_pairs(schema: Schema) -> None:
    """Raise UsageError where nothing says which points change places in a mirror."""
    if not schema.mirror:
        raise UsageError(
            f"{schema.name}: no mirror pairs are known, so nothing can be flipped",
            "give pairs in competition.toml, or --set augment.mirror=0 --set predict.mirror=false",
        )


def refuse_unlabelled(intake: Intake, per_scheme: bool) -> None:
    """Raise UsageError where edits take a fold's last label of a point: what it answers there would be noise."""
    if intake.labels is None:
        return
    left: Mask = np.asarray(np.isfinite(intake.labels).all(-1))
    masks, names = intake.schemes.masks, intake.schemes.names
    for fold in range(intake.folds.count):
        rows = intake.folds.train(fold)
        parts = [(rows, np.ones_like(masks[0]), "")]
        if per_scheme:  # each has outputs of its own
            scheme = intake.scheme[rows]
            parts += [(rows[scheme == s], masks[s], f" in images of {name}") for s, name in enumerate(names)]
        for own, mask, where in parts:
            lost = intake.dataset.labelled[own].any(0) & ~left[own].any(0) & mask
            if lost.any():
                point = intake.dataset.schema.points[int(lost.argmax())]
                raise UsageError(
                    f"data.edits leave fold {fold} no label of {point}{where} to train on",
                    "keep some, or leave the point out",
                )
