"""The network of verification: pictures in, embeddings out, and how alike two of them are."""

from __future__ import annotations

from typing import cast

import torch
from torch import nn

from kptool.config import Loss, ModelOptions
from kptool.models.descriptors import Descriptors
from kptool.models.heads.choice import chosen_pair_head, make_pair_head
from kptool.models.heads.pairs import PairHead
from kptool.models.layers import Flow
from kptool.models.net import Body, Seeing, make_body
from kptool.pair_losses import all_pairs, arcface, bce, contrastive, distance, supcon


class PairNet(Seeing):
    """One backbone for both pictures of a pair (Bromley et al. 1993), and a head that compares what it tells of them.

    A picture is embedded once, in however many pairs it stands.

    Attributes:
        length: D, numbers of an embedding.
        classes: (people, D) ArcFace's directions, used in training alone; None for other losses.

    Args:
        body: the backbone and what it gives; maps are averaged over their cells.
        options: embedding, pool and dropout; embedding = 0: D is as many as the backbone gives.
        head: how embeddings are compared.
        people: M of `classes`; 0 = none.
    """

    def __init__(self, body: Body, options: ModelOptions, head: PairHead, people: int = 0) -> None:
        super().__init__(body)
        features = pooled_features(body.flow, options)
        self.flatten, self.dropout = options.pool == "flatten", nn.Dropout(options.dropout)
        self.length = options.embedding or features
        self.project = nn.Linear(features, options.embedding) if options.embedding else nn.Identity()
        self.head = head
        self.classes = nn.Parameter(torch.randn(people, self.length)) if people else None

    def embed(self, images: torch.Tensor) -> torch.Tensor:
        """Embeddings (B, D), float32, of images (B, C, H, W) as `features` takes them."""
        pooled = self.pooled(images)
        # autocast would round what is compared to three digits.
        with torch.autocast(pooled.device.type, enabled=False):
            return cast(torch.Tensor, self.project(self.dropout(pooled)))

    def pooled(self, images: torch.Tensor) -> torch.Tensor:
        """What the embedding is made of: (B, F), float32."""
        found = self.features(images).float()
        if found.ndim == 4:
            return found.flatten(1) if self.flatten else found.mean((2, 3))
        return found

    @property
    def parts(self) -> list[int]:
        """How many of the F numbers belong together, such as those of each descriptor."""
        backbone = self.backbone
        return backbone.lengths if isinstance(backbone, Descriptors) else [cast(nn.Linear, self.project).in_features]

    @torch.no_grad()
    def start_at(self, mean: torch.Tensor, matrix: torch.Tensor) -> None:
        """Let the embedding of x (F,) be (x - mean) @ matrix, of (F, d); the other D - d numbers are 0."""
        project = cast(nn.Linear, self.project)
        project.weight.zero_()
        project.bias.zero_()
        project.weight[: matrix.shape[1]] = matrix.T.to(project.weight)
        project.bias[: matrix.shape[1]] = -(mean @ matrix).to(project.bias)

    def compare(self, a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
        """Logits (n,) that embeddings (n, D) are of one person; higher = more alike, the same for (b, a)."""
        return cast(torch.Tensor, self.head(a, b))

    def forward(self, images: torch.Tensor, first: torch.Tensor, second: torch.Tensor) -> torch.Tensor:
        """Logits (n,) of pairs whose pictures are `first` and `second` (n,) of images (B, C, H, W)."""
        embedded = self.embed(images)
        return self.compare(embedded[first], embedded[second])

    def loss(
        self,
        embeddings: torch.Tensor,
        first: torch.Tensor,
        second: torch.Tensor,
        same: torch.Tensor,
        person: torch.Tensor,
        loss: Loss,
        every: bool,
        clip: float,
        temperature: float = 0.1,
    ) -> torch.Tensor:
        """The loss of a batch, a scalar.

        Args:
            embeddings: (B, D) of its distinct pictures.
            first, second: (n,) the pictures of each pair.
            same: (n,) bool.
            person: (B,) who is on each picture; of `every` and arcface alone.
            loss: bce, contrastive, supcon, or arcface, which knows no pairs; auto = bce.
            every: learn all pairs of the batch's pictures instead of the n given ones, both kinds weighing alike.
            clip: of bce, see `pair_losses.bce`.
            temperature: of supcon.
        """
        kind = self.head.known(loss)
        with torch.autocast(embeddings.device.type, enabled=False):
            embeddings = embeddings.float()
            if kind == "arcface":
                assert self.classes is not None, "the network was not built for arcface"
                return arcface(embeddings, self.classes, person)
            if kind == "supcon":
                return supcon(embeddings, person, temperature)
            weight = None
            if every:
                first, second, same, weight = all_pairs(person)
            a, b = embeddings[first], embeddings[second]
            if kind == "contrastive":
                return contrastive(distance(a, b), same, weight=weight)
            return bce(self.compare(a, b), same, clip, weight)


def build_pairs(options: ModelOptions, people: int, size: tuple[int, int], loss: Loss = "auto") -> PairNet:
    """The network of a recipe of verification, freshly initialised from torch's global generator.

    Args:
        options: the recipe's [model].
        people: M persons of the training pairs, ArcFace's classes.
        size: (W, H) of the model's frame.
        loss: what it will be trained with.

    Raises:
        UsageError: an unknown backbone or layer, a head or a loss that does not fit, or weights that do not.
    """
    named = chosen_pair_head(options, loss)
    body = make_body(options, size, maps=options.pool == "flatten")
    head = make_pair_head(named, options.embedding or pooled_features(body.flow, options))
    return PairNet(body, options, head, people if loss == "arcface" else 0)


def pooled_features(flow: Flow, options: ModelOptions) -> int:
    """How many numbers a backbone's output is after pooling."""
    if options.pool == "mean" or flow.cells is None:
        return flow.features
    return flow.features * flow.cells[0] * flow.cells[1]
