"""The other side of the training benchmark: the loop a Kaggler writes in a hurry, and writes well.

pandas reads the CSV; a Dataset parses and augments one picture at a time; a DataLoader with two workers batches them;
plain fp32 and AdamW. Nothing of kptool is used here. The ranges of the augmentation are kptool's defaults, and all
geometry but the flip is one resample.
"""

from __future__ import annotations

import random
from collections.abc import Iterator

import cv2
import numpy as np
import numpy.typing as npt
import pandas as pd
import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.data import DataLoader, Dataset

SIDE = 96
Sample = tuple[torch.Tensor, torch.Tensor]


class Faces(Dataset[Sample]):
    """The rows of training.csv.

    Args:
        csv: Kaggle's file.
        images: (N, 96, 96) uint8 to take the pixels from; None = parse each row's text whenever it is asked for.
    """

    def __init__(self, csv: str, images: npt.NDArray[np.uint8] | None = None) -> None:
        frame = pd.read_csv(csv)
        self.texts = frame.pop("Image").tolist()
        self.images = images
        self.points = frame.to_numpy(np.float32).reshape(len(frame), -1, 2)
        names = [column[:-2] for column in frame.columns[::2]]
        partner = [name.replace("left", "*").replace("right", "left").replace("*", "right") for name in names]
        self.flip = [names.index(name) for name in partner]

    def __len__(self) -> int:
        return len(self.points)

    def __getitem__(self, row: int) -> Sample:
        if self.images is None:
            image = np.array(self.texts[row].split(), dtype=np.uint8).reshape(SIDE, SIDE)
        else:
            image = self.images[row]
        points = self.points[row]
        matrix = random_affine()
        image = cv2.warpAffine(image, matrix, (SIDE, SIDE), borderMode=cv2.BORDER_REPLICATE)
        points = points @ matrix[:, :2].T + matrix[:, 2]
        if random.random() < 0.5:
            image = image[:, ::-1]
            points[:, 0] = SIDE - 1 - points[:, 0]
            points = points[self.flip]
        return torch.from_numpy(brightness(image))[None], torch.from_numpy(points.astype(np.float32))


def random_affine() -> npt.NDArray[np.float64]:
    """(2, 3): rotation, scale and stretch about the middle, then a shift."""
    size, stretch = 1 + random.uniform(-0.12, 0.12), 1 + random.uniform(-0.05, 0.05)
    middle = (SIDE - 1) / 2
    matrix = cv2.getRotationMatrix2D((middle, middle), random.uniform(-15, 15), size)
    linear = matrix[:, :2] * [stretch, 1 / stretch]
    moved = middle + random.uniform(-0.06, 0.06) * SIDE, middle + random.uniform(-0.06, 0.06) * SIDE
    offset = np.array(moved) - linear @ [middle, middle]
    return np.column_stack([linear, offset])


def brightness(image: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
    """Contrast about the mean and brightness; 0 to 1."""
    out = image.astype(np.float32) / 255
    mean = out.mean()
    out = (out - mean) * (1 + random.uniform(-0.2, 0.2)) + mean + random.uniform(-0.15, 0.15)
    kept: npt.NDArray[np.float32] = np.clip(out, 0, 1)
    return kept


def train(model: nn.Module, faces: Faces, batch_size: int) -> Iterator[int]:
    """Train for ever; yields the images of each step as it is done.

    Args:
        model: images (B, 1, 96, 96), 0 to 1 -> points (B, K, 2) in px.
        faces: what to train on.
        batch_size: as the other side's.
    """
    loader = DataLoader(faces, batch_size=batch_size, shuffle=True, num_workers=2, drop_last=True)
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3)
    model.train()
    while True:
        for images, points in loader:
            predicted = model(images)
            known = ~torch.isnan(points)
            loss = F.smooth_l1_loss(predicted[known], points[known])
            optimizer.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            optimizer.step()
            loss.item()
            yield len(images)
