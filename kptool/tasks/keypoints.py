"""Keypoints, as the engine sees them: a row is an image."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import numpy as np
import torch
from torch import nn

from kptool.augment import apply_images, apply_points, apply_tensor, sample
from kptool.config import Recipe
from kptool.dataset import Ints, Predictions
from kptool.geometry import Affine, Floats, identity
from kptool.metrics import mean_shape, residuals, rmse
from kptool.models.net import Net, build
from kptool.pixels import Arrays
from kptool.predictions import write_predictions
from kptool.views import make_views, network, predict_frame


@dataclass(frozen=True)
class Keypoints:
    """A competition's images and labels, a recipe, and the device they meet on.

    Attributes:
        arrays: N prepared images.
        scheme: (N,) marking scheme of each.
        schemes: how many schemes there are.
        recipe: everything that decides a score.
        device: a torch device; on a GPU all images are put there at once.
        precision: "fp32" or "bf16", of predictions.
    """

    arrays: Arrays
    scheme: Ints
    schemes: int
    recipe: Recipe
    device: str
    precision: str
    resident: torch.Tensor | None = None

    @property
    def rows(self) -> int:
        """N."""
        return len(self.arrays.ids)

    def model(self, fresh: bool = True) -> Net:
        """A network on the device; dense convolutions are fastest in channels_last."""
        options = self.recipe.model
        if not fresh:  # its weights come from a checkpoint: neither the hub nor a file is asked again
            options = options.model_copy(update={"pretrained": False, "weights": ""})
        count = self.schemes if options.per_scheme else 1
        net = build(options, len(self.arrays.schema.points), count, self.arrays.size, self.recipe.train.loss)
        return net.to(self.device).to(memory_format=torch.channels_last)

    def loss(self, model: nn.Module, rows: Ints, generator: np.random.Generator) -> torch.Tensor:
        """The masked loss of a batch under fresh augmentation, in px of the model's frame."""
        net, train = cast(Net, model), self.recipe.train
        size, schema = self.arrays.size, self.arrays.schema
        numbers = sample(generator, len(rows), size, self.recipe.augment).after(self.arrays.to_model)
        if self.resident is None:
            images = apply_images(self.arrays.images[rows], numbers, size)
        else:
            images = apply_tensor(self.resident[torch.from_numpy(rows).to(self.device)], numbers, size)
        scheme = torch.from_numpy(self.scheme[rows]).to(self.device)
        points = apply_points(self.trainable(rows), numbers, schema)
        wanted = torch.from_numpy(points).float().to(self.device)
        if self.recipe.augment.mirror > 0:
            turn = torch.from_numpy(numbers.to_model.matrix[:, :2, :2]).float().to(self.device)
            # A product and a sum, not a matrix product, which autocast would round to bf16.
            wanted = wanted - (net.label_shift(scheme)[:, None] * turn).sum(-1)[:, None]
        return net.head.loss(net(images), wanted, scheme, train.loss, train.loss_scale)

    def trainable(self, rows: Ints) -> Floats:
        """Labels (n, K, 2) in the frame, without those outside it where the recipe masks them."""
        points = self.arrays.points_frame[rows]
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
        shape = mean_shape(self.arrays.points_frame[training])
        return rmse(self.arrays.to_frame[rows].inverse()(shape) - self.truth(rows))

    def truth(self, rows: Ints) -> Floats:
        """Labels (n, K, 2) in original px."""
        return self.arrays.to_frame[rows].inverse()(self.arrays.points_frame[rows])

    def write_predictions(self, model: nn.Module, rows: Ints, path: Path) -> None:
        """Out-of-fold predictions of `rows` under the recipe's views, in original px."""
        options = self.recipe.predict
        views = make_views(options, self.arrays.size)
        points, spread = self.answer(cast(Net, model), rows, views)
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
        with torch.inference_mode():
            habit = net.label_shift(torch.from_numpy(scheme).to(self.device)).cpu().double().numpy()
        to_original = arrays.to_frame[rows].then(arrays.to_model).inverse()
        scale = np.sqrt(np.abs(np.linalg.det(to_original.matrix[:, :2, :2])))
        return to_original(points + habit[:, None]), spread * scale[:, None]
