"""Keypoints, as the engine sees them: a row is an image."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import cast

import numpy as np
import torch
from torch import nn

from kptool.augment import Numbers, apply_images, apply_points, apply_tensor, sample
from kptool.config import Recipe
from kptool.dataset import Ints, Predictions
from kptool.device import autocast
from kptool.geometry import Affine, Bytes, Floats, identity
from kptool.metrics import mean_shape, residuals, rmse
from kptool.models.heads import Regression
from kptool.models.net import Net, build
from kptool.pixels import Arrays
from kptool.predictions import write_predictions
from kptool.tasks.across import FILE, sum_across, write_across
from kptool.tasks.soft import Soft, open_soft, repeated
from kptool.views import Forward, make_views, network, predict_frame


@dataclass(frozen=True)
class Keypoints:
    """A competition's images and labels, a recipe, and the device they meet on.

    Attributes:
        arrays: N prepared images.
        scheme: (N,) marking scheme of each: of a labelled row by which points it has, never by where they are; of a
            row to be answered by the points asked for.
        schemes: how many schemes there are.
        recipe: everything that decides a score.
        device: a torch device; on a GPU all images are put there at once.
        precision: "fp32" or "bf16", of predictions.
        labels: (N, K, 2) in the frame, what is trained on; None = the labels that scores are taken over.
        soft: what a fold may learn where labels are missing, see `of_fold`; None = nothing.
    """

    arrays: Arrays
    scheme: Ints
    schemes: int
    recipe: Recipe
    device: str
    precision: str
    resident: torch.Tensor | None = None
    labels: Floats | None = None
    soft: Soft | None = None

    @property
    def rows(self) -> int:
        """N."""
        return len(self.arrays.ids)

    @property
    def sets(self) -> int:
        """S sets of outputs: one per marking scheme, or one for all."""
        return self.schemes if self.recipe.model.per_scheme else 1

    def of_fold(self, fold: int) -> Keypoints:
        """With the recipe's soft labels for that fold, read from their file, which all processes share."""
        if not self.recipe.data.soft:
            return self
        soft = open_soft(self.recipe.data, fold, self.arrays, self.taught)
        return replace(self, soft=replace(soft, points=self._within(soft.points)))

    def model(self, fresh: bool = True) -> Net:
        """A network on the device; dense convolutions are fastest in channels_last."""
        options = self.recipe.model
        if not fresh:  # its weights come from a checkpoint: neither the hub nor a file is asked again
            options = options.model_copy(update={"pretrained": False, "weights": ""})
        net = build(options, len(self.arrays.schema.points), self.sets, self.arrays.size, self.recipe.train.loss)
        return net.to(self.device).to(memory_format=torch.channels_last)

    def prime(self, model: nn.Module, training: Ints) -> None:
        """Put a regression head's first answer on the mean shape of the training rows, where the recipe says so."""
        head = cast(Net, model).head
        if self.recipe.model.start == "middle" or not isinstance(head, Regression):
            return
        scheme = self.scheme[training] if head.schemes > 1 else np.zeros(len(training), dtype=np.int64)
        labels = self.arrays.to_model(self.trainable(training))
        shapes = [mean_shape(labels[scheme == s]) for s in range(head.schemes)]
        head.start_at(torch.from_numpy(np.stack(shapes)))

    def loss(self, model: nn.Module, rows: Ints, generator: np.random.Generator) -> torch.Tensor:
        """The masked loss of a batch under fresh augmentation, in px of the model's frame."""
        net, train, size = cast(Net, model), self.recipe.train, self.arrays.size
        numbers = sample(generator, len(rows), size, self.recipe.augment).after(self.arrays.to_model)
        if self.resident is None:
            images = apply_images(self.arrays.images[rows], numbers, size)
        else:
            images = apply_tensor(self.resident[torch.from_numpy(rows).to(self.device)], numbers, size)
        scheme = torch.from_numpy(self.scheme[rows]).to(self.device)
        labels = self.trainable(rows)
        wanted = self._wanted(net, labels, scheme, numbers)
        raw = net(images)
        loss = net.head.loss(raw, wanted, scheme, train.loss, train.loss_scale)
        if self.soft is None:
            return loss
        at, points, answered = self.soft.of(rows)
        if not len(at):  # no 0 is added either: it would turn the sign of gradients that are -0
            return loss
        scheme = torch.from_numpy(answered).to(self.device)
        own = Numbers(numbers.to_model[at], numbers.gain[at], numbers.lift[at])
        wanted = self._wanted(net, points, scheme, own)
        found = raw[torch.from_numpy(at).to(self.device)]
        soft = net.head.loss(found, wanted, scheme, train.loss, train.loss_scale)
        # Both are means. Weighed by how many they are of, a soft label counts soft_weight of a label in every batch.
        count, beside = (int(np.isfinite(each).all(-1).sum()) for each in (labels, points))
        share = self.recipe.data.soft_weight * beside
        return loss if not beside else (count * loss + share * soft) / (count + share)

    def _wanted(self, net: Net, points: Floats, scheme: torch.Tensor, numbers: Numbers) -> torch.Tensor:
        """(B, K, 2) px of the model's frame: what the head is to find, of points (B, K, 2) in the frame."""
        moved = apply_points(points, numbers, self.arrays.schema)
        wanted = torch.from_numpy(moved).float().to(self.device)
        if self.recipe.augment.mirror > 0:
            turn = torch.from_numpy(numbers.to_model.matrix[:, :2, :2]).float().to(self.device)
            # A product and a sum, not a matrix product, which autocast would round to bf16.
            wanted = wanted - (net.label_shift(scheme)[:, None] * turn).sum(-1)[:, None]
        return wanted

    def trainable(self, rows: Ints) -> Floats:
        """Labels (n, K, 2) in the frame, without those outside it where the recipe masks them."""
        return self._within(self.taught[rows])

    def _within(self, points: Floats) -> Floats:
        """Points (n, K, 2) in the frame; NaN outside it where the recipe masks labels there."""
        if self.recipe.crop.outside == "keep":
            return points
        frame = np.array(self.arrays.images.shape[:1:-1])
        inside = ((points >= -0.5) & (points <= frame - 0.5)).all(-1, keepdims=True)
        return np.where(inside, points, np.nan)

    def score(self, model: nn.Module, rows: Ints) -> float:
        """RMSE in original px over the labelled coordinates of `rows`, plain view."""
        points, _ = self.answer(cast(Net, model), rows, [identity()])
        return rmse(residuals(points, self.truth(rows)))

    def baseline(self, training: Ints, rows: Ints) -> float:
        """RMSE of the training rows' mean shape in the frame, in original px."""
        shape = mean_shape(self.taught[training])
        return rmse(self.arrays.to_frame[rows].inverse()(shape) - self.truth(rows))

    @property
    def taught(self) -> Floats:
        """Labels (N, K, 2) in the frame that are trained on."""
        return self.arrays.points_frame if self.labels is None else self.labels

    def truth(self, rows: Ints) -> Floats:
        """Labels (n, K, 2) in original px."""
        return self.arrays.to_frame[rows].inverse()(self.arrays.points_frame[rows])

    def write_predictions(self, model: nn.Module, rows: Ints, path: Path) -> None:
        """Out-of-fold predictions of `rows` under the recipe's views, in original px.

        Each row is answered in the scheme it was marked with, which is read from which of its points are labelled: as
        much as a test row tells by the points it is asked for, and nothing of where they are. Where several schemes
        have outputs and rows of their own, every row is answered in the others too, plain view, and the sums go to
        schemes.json beside `path`.
        """
        net, options = cast(Net, model), self.recipe.predict
        if self.sets > 1 and len(np.unique(self.scheme)) > 1:  # first, because `path` says that the fold is finished
            across = sum_across(self.answer_in_all(net, rows), self.truth(rows), self.scheme[rows])
            write_across(path.with_name(FILE), across)
        views = make_views(options, self.arrays.size)
        points, spread = self.answer(net, rows, views)
        write_predictions(path, Predictions(self.arrays.ids[rows], points, spread, self.arrays.schema))

    def learned(self, model: nn.Module) -> dict[str, list[float]]:
        """`label_shift`: px per set of outputs, see `Net`."""
        net = cast(Net, model)
        with torch.inference_mode():
            shifts = net.label_shift(torch.arange(net.head.schemes, device=self.device))[:, 0]
        return {"label_shift": [round(float(v), 4) for v in shifts.cpu()]}

    def answer(self, net: Net, rows: Ints, views: Sequence[Affine]) -> tuple[Floats, Floats]:
        """Points (n, K, 2) and spread (n, K) of `rows` over `views` of the model's frame, in original px."""
        forward, scheme = network(net, self.device, self.precision), self.scheme[rows]
        arrays = self.arrays
        points, spread = predict_frame(forward, arrays.images[rows], scheme, views, arrays.schema, arrays.size)
        to_original = self._to_original(rows)
        scale = np.sqrt(np.abs(np.linalg.det(to_original.matrix[:, :2, :2])))
        return to_original(points + self._habit(net, scheme)), spread * scale[:, None]

    def answer_in_all(self, net: Net, rows: Ints) -> Floats:
        """(S, n, K, 2) `rows` answered in each of the S schemes, plain view, in original px, at one pass each."""
        return self.answers(net, rows, [identity()])[0]

    def answers(self, net: Net, rows: Ints, views: Sequence[Affine]) -> tuple[Floats, Floats]:
        """`answer` in each of the S sets of outputs at once: points (S, n, K, 2) and spread (S, n, K)."""
        arrays, scheme = self.arrays, self.scheme[rows]
        forward, schema = _in_all(net, self.sets, self.device, self.precision), repeated(arrays.schema, self.sets)
        found, sure = predict_frame(forward, arrays.images[rows], scheme, views, schema, arrays.size)
        each = found.reshape(len(rows), self.sets, -1, 2).swapaxes(0, 1)
        to_original = self._to_original(rows)
        scale = np.sqrt(np.abs(np.linalg.det(to_original.matrix[:, :2, :2])))
        points = [to_original(at + self._habit(net, np.full_like(scheme, s))) for s, at in enumerate(each)]
        return np.stack(points), sure.reshape(len(rows), self.sets, -1).swapaxes(0, 1) * scale[:, None]

    def _to_original(self, rows: Ints) -> Affine:
        return self.arrays.to_frame[rows].then(self.arrays.to_model).inverse()

    def _habit(self, net: Net, scheme: Ints) -> Floats:
        """(n, 1, 2) px of the model's frame: the label shift of each row's scheme (n,)."""
        with torch.inference_mode():
            return net.label_shift(torch.from_numpy(scheme).to(self.device)).cpu().double().numpy()[:, None]


def _in_all(net: Net, sets: int, device: str, precision: str) -> Forward:
    """`network` with every set of outputs read from one raw output: points (B, S·K, 2) and spread (B, S·K)."""

    def forward(images: Bytes, _: Ints) -> tuple[Floats, Floats]:
        with torch.inference_mode(), autocast(device, precision):
            raw = net(torch.from_numpy(np.ascontiguousarray(images)).to(device)).float()
        each = [net.head.decode(raw, torch.full((len(raw),), s, device=device)) for s in range(sets)]
        points, spread = (torch.cat(parts, 1).cpu().double().numpy() for parts in zip(*each, strict=True))
        return points, spread

    return forward
