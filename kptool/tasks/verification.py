"""Face verification, as the engine sees it: a row is a pair of pictures."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import cast

import numpy as np
import torch
from torch import nn

from kptool.augment import apply_images, apply_tensor, sample
from kptool.classical import Features, fitted_scores
from kptool.config import Recipe
from kptool.dataset import Ints, Mask, Names
from kptool.device import autocast
from kptool.geometry import Affine, Floats, identity
from kptool.metrics.verification import eer
from kptool.models.pairs import PairNet, build_pairs
from kptool.pair_files import Scores, write_scores
from kptool.pixels import Arrays
from kptool.views import make_views, shown
from kptool.whitening import Singles, fit_whitening, fit_within

BATCH = 128  # pictures embedded at once, where nothing is learned


@dataclass(frozen=True)
class Verification:
    """A competition's pairs, a recipe, and the device they meet on.

    Attributes:
        arrays: N prepared pictures, each once, however many pairs it stands in.
        ids: (P,) what each pair is called.
        first, second: (P,) the pictures of each pair.
        same: (P,) True where a pair shows one person.
        person: (N,) who is on each picture.
        people: how many persons there are.
        recipe: everything that decides a score.
        device: a torch device; on a GPU all pictures are put there at once.
        precision: "fp32" or "bf16", of predictions.
        features: of the classical baseline, for each picture; None = no baseline is scored.
    """

    arrays: Arrays
    ids: Names
    first: Ints
    second: Ints
    same: Mask
    person: Ints
    people: int
    recipe: Recipe
    device: str
    precision: str
    features: Features | None = None

    @property
    def rows(self) -> int:
        """P."""
        return len(self.ids)

    @cached_property
    def resident(self) -> torch.Tensor | None:
        """The pictures on a GPU; None on a CPU, which warps them where they lie."""
        if torch.device(self.device).type == "cpu":
            return None
        return torch.from_numpy(np.array(self.arrays.images)).to(self.device)

    def of_fold(self, fold: int) -> Verification:
        """Itself: all folds see the same pictures and pairs."""
        del fold
        return self

    def model(self, fresh: bool = True) -> PairNet:
        """A network on the device; dense convolutions are fastest in channels_last."""
        options = self.recipe.model
        if not fresh:  # its weights come from a checkpoint: neither the hub nor a file is asked again
            options = options.model_copy(update={"pretrained": False, "weights": ""})
        net = build_pairs(options, self.people, self.arrays.size, self.recipe.train.loss)
        return net.to(self.device).to(memory_format=torch.channels_last)

    def prime(self, model: nn.Module, training: Ints) -> None:
        """Let the embedding begin as components of the training pairs' pictures, where the recipe says so.

        What is known of people is as much as `train.pairs` lets training know: "given" = that both pictures of a pair
        show one person, "all" = who is on every picture.
        """
        options, net = self.recipe.model, cast(PairNet, model)
        if options.start == "middle":
            return
        pictures, (first, second) = self._pictures(training)
        views = make_views(self.recipe.predict, self.arrays.size)
        net.eval()  # as it will answer: no dropout, and norms that the probe does not move
        values = self._over_views(net.pooled, pictures, views).cpu().numpy()
        net.train()
        scale = _levelled(values, net.parts)
        found = fit_whitening(values, options.embedding, options.power)
        matrix = found.matrix
        if options.start == "within":
            own, same = found(values), self.same[training]
            if self.recipe.train.pairs == "all":
                matrix = matrix @ fit_within(own, self.person[pictures], options.shrink)
            else:
                both = np.concatenate([first[same], second[same]])
                each = np.tile(np.arange(int(same.sum())), 2)
                matrix = matrix @ fit_within(own[both], each, options.shrink)
        net.start_at(torch.from_numpy(found.mean / scale), torch.from_numpy(matrix * scale[:, None]))

    def loss(self, model: nn.Module, rows: Ints, generator: np.random.Generator) -> torch.Tensor:
        """The loss of a batch of pairs under fresh augmentation; each distinct picture is embedded once."""
        net, train, size = cast(PairNet, model), self.recipe.train, self.arrays.size
        pictures, at = self._pictures(rows)
        pictures = np.tile(pictures, train.views)  # every picture again, to be augmented anew
        numbers = sample(generator, len(pictures), size, self.recipe.augment).after(self.arrays.to_model)
        if self.resident is None:
            images = apply_images(self.arrays.images[pictures], numbers, size)
        else:
            images = apply_tensor(self.resident[torch.from_numpy(pictures).to(self.device)], numbers, size)
        first, second, same, person = (
            torch.from_numpy(values).to(self.device) for values in (*at, self.same[rows], self.person[pictures])
        )
        every = train.pairs == "all"
        return net.loss(
            net.embed(images), first, second, same, person, train.loss, every, train.label_clip, train.temperature
        )

    def score(self, model: nn.Module, rows: Ints) -> float:
        """EER in % over `rows`, plain view."""
        return 100 * eer(self.answer(cast(PairNet, model), rows, [identity()]), self.same[rows])

    def baseline(self, training: Ints, rows: Ints) -> float:
        """EER in % of the classical baseline, fitted on the pictures of the training pairs; NaN where there is none."""
        return (
            100 * eer(self._classical(training, rows), self.same[rows]) if self.features is not None else float("nan")
        )

    def learned(self, model: nn.Module) -> dict[str, list[float]]:
        """Nothing that a report would tell."""
        del model
        return {}

    def write_predictions(self, model: nn.Module, rows: Ints, path: Path) -> None:
        """Out-of-fold scores of `rows` under the recipe's views, and the classical baseline's beside them."""
        views = make_views(self.recipe.predict, self.arrays.size)
        score = self.answer(cast(PairNet, model), rows, views)
        classical = self._classical(np.setdiff1d(np.arange(self.rows), rows), rows)
        write_scores(path, Scores(self.ids[rows], score, classical))

    def answer(self, net: PairNet, rows: Ints, views: Sequence[Affine]) -> Floats:
        """(n,) scores of pairs: logits of one person, of embeddings averaged over `views` of each picture."""
        pictures, (first, second) = self._pictures(rows)
        embedded = self.embed(net, pictures, views)
        with torch.inference_mode():
            logits = net.compare(embedded[torch.from_numpy(first)], embedded[torch.from_numpy(second)])
        return logits.cpu().double().numpy()

    def embed(self, net: PairNet, pictures: Ints, views: Sequence[Affine]) -> torch.Tensor:
        """(n, D) float32 embeddings of pictures, each the mean over its views."""
        return self._over_views(net.embed, pictures, views)

    def _over_views(
        self, tell: Callable[[torch.Tensor], torch.Tensor], pictures: Ints, views: Sequence[Affine]
    ) -> torch.Tensor:
        """(n, F) what a network tells of pictures, averaged over views."""
        parts = []
        for start in range(0, len(pictures), BATCH):
            own = pictures[start : start + BATCH]
            with torch.inference_mode(), autocast(self.device, self.precision):
                each = [tell(self._shown(own, view)).float() for view in views]
            parts.append(torch.stack(each).mean(0))
        return torch.cat(parts)

    def _shown(self, pictures: Ints, view: Affine) -> torch.Tensor:
        seen = shown(np.asarray(self.arrays.images[pictures]), view, self.arrays.size)
        return torch.from_numpy(np.ascontiguousarray(seen)).to(self.device)

    def _pictures(self, rows: Ints) -> tuple[Ints, tuple[Ints, Ints]]:
        """The distinct pictures of some pairs, and for each pair the places of its two among them."""
        both = np.concatenate([self.first[rows], self.second[rows]])
        pictures, at = np.unique(both, return_inverse=True)
        at = at.reshape(-1)
        return pictures, (at[: len(rows)], at[len(rows) :])

    def _classical(self, training: Ints, rows: Ints) -> Floats:
        if self.features is None:
            return np.full(len(rows), np.nan)
        pictures, _ = self._pictures(training)
        return fitted_scores(self.features, pictures, self.first[rows], self.second[rows])


def _levelled(values: Singles, parts: Sequence[int]) -> Floats:
    """(F,) what was multiplied with values (n, F), in place, so that all parts vary alike in all."""
    scale, start = np.ones(values.shape[1]), 0
    for length in parts:
        own = values[:, start : start + length]
        total = float(own.var(0, dtype=np.float64).sum())
        scale[start : start + length] = 1 / np.sqrt(total) if total > 0 else 1.0
        own *= scale[start]
        start += length
    return scale
