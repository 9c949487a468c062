"""Test-time views: what a model is shown of an image, and the way back."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import torch

from kptool.config import PredictOptions
from kptool.dataset import Ints
from kptool.device import autocast
from kptool.geometry import Affine, Bytes, Floats, about, centre_of, identity, mirror, scale, shift, warp
from kptool.models.net import Net
from kptool.schema import Schema, mirror_points

Forward = Callable[[Bytes, Ints], tuple[Floats, Floats]]


def make_views(options: PredictOptions, size: tuple[int, int]) -> list[Affine]:
    """The maps from the model's frame to what it is shown: plain, four shifts, two sizes, and the mirror image of each.

    The sizes are 1 + s and 1 / (1 + s) about the frame's centre: growing and shrinking alike.
    """
    views = [identity()]
    if options.shift > 0:
        d = options.shift
        views += [shift(dx, dy) for dx, dy in ((d, 0), (-d, 0), (0, d), (0, -d))]
    if options.scale > 0:
        grown = 1 + options.scale
        views += [about(centre_of(size), scale(s, s)) for s in (grown, 1 / grown)]
    return views + [view.then(mirror(size[0])) for view in views] if options.mirror else views


def network(model: Net, device: str, precision: str) -> Forward:
    """A model as a function of bytes (B, C, H, W) and schemes (B,): points and spread in the model's frame."""

    def forward(images: Bytes, scheme: Ints) -> tuple[Floats, Floats]:
        with torch.inference_mode(), autocast(device, precision):
            raw = model(torch.from_numpy(np.ascontiguousarray(images)).to(device))
        points, spread = model.head.decode(raw.float(), torch.from_numpy(scheme).to(device))
        return points.cpu().double().numpy(), spread.cpu().double().numpy()

    return forward


def predict_frame(
    forward: Forward,
    images: Bytes,
    scheme: Ints,
    views: Sequence[Affine],
    schema: Schema,
    size: tuple[int, int],
    batch_size: int = 128,
) -> tuple[Floats, Floats]:
    """Points (N, K, 2) and spread (N, K) in the model's frame, averaged over views.

    Each view's points go back through the inverse of its map; where the map mirrors, they are renamed. The spread
    joins the models' own variance with the variance between views.

    Args:
        forward: the model, on images of its own size.
        images: (N, C, H', W') uint8: the model's frame with equal slack on either side, or without.
        scheme: (N,) marking scheme to answer in.
        views: maps of the model's frame onto itself.
        size: (W, H) of the model's frame.
    """
    points, spread = [], []
    for start in range(0, len(images), batch_size):
        part, asked = np.asarray(images[start : start + batch_size]), scheme[start : start + batch_size]
        seen = [_one_view(forward, part, asked, view, schema, size) for view in views]
        mean, deviation = pool(np.stack([p for p, _ in seen]), np.stack([s for _, s in seen]))
        points.append(mean)
        spread.append(deviation)
    return np.concatenate(points), np.concatenate(spread)


def pool(points: Floats, spread: Floats) -> tuple[Floats, Floats]:
    """Average several answers: points (V, N, K, 2), spread (V, N, K) -> (N, K, 2), (N, K).

    The variance of the mixture: the mean of the variances plus the variance of the means.
    """
    mean = points.mean(0)
    between = points.var(0).mean(-1)
    deviation: Floats = np.sqrt((spread**2).mean(0) + between)
    return mean, deviation


def shown(images: Bytes, view: Affine, size: tuple[int, int]) -> Bytes:
    """(B, C, H, W) what a view shows of images (B, C, H', W'), see `predict_frame`."""
    left, top = (images.shape[3] - size[0]) // 2, (images.shape[2] - size[1]) // 2
    if np.array_equal(view.matrix, np.eye(3)):
        return images[:, :, top : top + size[1], left : left + size[0]]
    return warp(images, shift(-left, -top).then(view), size)


def _one_view(
    forward: Forward, images: Bytes, scheme: Ints, view: Affine, schema: Schema, size: tuple[int, int]
) -> tuple[Floats, Floats]:
    points, spread = forward(shown(images, view, size), scheme)
    if view.mirrors:
        points, spread = mirror_points(points, schema), spread[:, list(schema.mirror)]
    px = np.sqrt(np.abs(np.linalg.det(view.matrix[:2, :2])))  # of the view that one of the frame covers
    return view.inverse()(points), spread / px
