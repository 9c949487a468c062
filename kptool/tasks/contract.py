"""What the engine must know of a task, and nothing else differs between tasks.

The engine speaks of rows: images for keypoints, pairs of images for verification. It never looks inside one.
"""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

import numpy as np
import torch
from torch import nn

from kptool.dataset import Ints


class Task(Protocol):
    """One competition's data on one device, as plain operations on rows."""

    @property
    def rows(self) -> int:
        """How many there are."""

    def of_fold(self, fold: int) -> Task:
        """The task as that fold may see it, before it is trained; itself where all folds see the same.

        One task serves all folds of a process. What was made for one of them, without a look at the rows that it holds
        out, comes in here and nowhere else: so no fold can come by what was made for another.
        """

    def model(self, fresh: bool = True) -> nn.Module:
        """A model, initialised from torch's global generator; not `fresh` = about to be filled from a checkpoint."""

    def prime(self, model: nn.Module, training: Ints) -> None:
        """Tell a fresh model what the training rows say without a picture."""

    def loss(self, model: nn.Module, rows: Ints, generator: np.random.Generator) -> torch.Tensor:
        """The training loss of a batch, augmented by numbers drawn from `generator`."""

    def score(self, model: nn.Module, rows: Ints) -> float:
        """The held-out score of a model in evaluation mode; lower is better."""

    def baseline(self, training: Ints, rows: Ints) -> float:
        """The score on `rows` of the best guess that never looks at a picture."""

    def learned(self, model: nn.Module) -> dict[str, list[float]]:
        """What a model found out about the data that a report should tell."""

    def write_predictions(self, model: nn.Module, rows: Ints, path: Path) -> None:
        """Write the out-of-fold predictions of `rows`."""
