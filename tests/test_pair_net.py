"""Law: a picture is told by the same numbers in whatever pair and batch it stands; a pair has no first and second."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from kptool.config import Loss, ModelOptions, TrainOptions
from kptool.engine.optim import make_optimizers
from kptool.errors import UsageError
from kptool.models.layers import make_layers
from kptool.models.net import build
from kptool.models.pairs import PairNet, build_pairs
from kptool.pair_losses import arcface, bce, contrastive, cosine, distance, supcon

W, H, B, M = 44, 36, 5, 3
PERSON = torch.tensor([1, 0, 1, 2, 0])
FIRST, SECOND = torch.tensor([0, 1, 3, 0]), torch.tensor([2, 4, 2, 4])
SAME = PERSON[FIRST] == PERSON[SECOND]
NETS: list[dict[str, Any]] = [
    {"width": 8},
    {"width": 8, "embedding": 7},
    {"width": 8, "head": "l1"},
    {"width": 8, "head": "l1", "embedding": 6, "channels": 3},
    {"backbone": "resnet10t", "head": "cosine", "embedding": 9},
    {"backbone": "layers", "layers": ["conv 6 5 stride 3", "norm", "relu"], "head": "l1"},
    {"width": 8, "pool": "flatten", "embedding": 5},
    {"backbone": "layers", "layers": ["conv 4 4 stride 2 pad same", "relu", "dense 11", "sigmoid"], "head": "l1"},
]


def images(channels: int = 1, seed: int = 0) -> torch.Tensor:
    return torch.from_numpy(np.random.default_rng(seed).integers(0, 256, (B, channels, H, W), dtype=np.uint8))


def made(settings: dict[str, Any], loss: Loss = "auto", seed: int = 0) -> PairNet:
    torch.manual_seed(seed)
    return build_pairs(ModelOptions.model_validate(settings), M, (W, H), loss)


@pytest.mark.parametrize("settings", NETS)
def test_a_batch_is_each_alone_and_pairs_read_its_embeddings(settings: dict[str, Any]) -> None:
    net = made(settings).eval()
    shown = images()
    with torch.no_grad():
        together = net.embed(shown)
        alone = torch.cat([net.embed(shown[b : b + 1]) for b in range(B)])
        logits = net(shown, FIRST, SECOND)
    assert together.shape == (B, net.length)
    assert together.dtype == torch.float32
    assert torch.allclose(together, alone, atol=1e-4)
    assert (together[0] - together[1]).abs().max() > 0
    assert logits.shape == SAME.shape
    assert torch.equal(logits, net.compare(together[FIRST], together[SECOND]).detach())


@pytest.mark.parametrize("settings", NETS)
def test_a_pair_has_no_first_and_second(settings: dict[str, Any]) -> None:
    net = made(settings).eval()
    with torch.no_grad():
        assert torch.equal(net(images(), FIRST, SECOND), net(images(), SECOND, FIRST))


def test_embeddings_are_as_long_as_asked_or_as_the_backbone_gives() -> None:
    lengths = [made(settings).length for settings in NETS]
    assert lengths == [32, 7, 32, 6, 9, 6, 5, 11]
    assert isinstance(made({"width": 8, "embedding": 7}).project, nn.Linear)


def test_maps_are_averaged_and_flat_lists_are_not() -> None:
    net = made({"width": 8}).eval()
    with torch.no_grad():
        assert torch.allclose(net.embed(images()), net.features(images()).mean((2, 3)), atol=1e-6)
    whole = made({"width": 8, "pool": "flatten"}).eval()
    with torch.no_grad():
        assert torch.equal(whole.embed(images()), whole.features(images()).flatten(1))
    assert whole.length == 32 * 5 * 4
    flat = made(NETS[-1]).eval()
    with torch.no_grad():
        assert torch.equal(flat.embed(images()), flat.features(images()))


def test_the_backbone_is_the_one_of_keypoints() -> None:
    for settings in ({"width": 8}, NETS[5] | {"head": "regression"}, {"backbone": "resnet10t"}):
        torch.manual_seed(3)
        points = build(ModelOptions.model_validate(settings), 4, 1, (W, H))
        pairs = made({**settings, "head": "cosine"}, seed=3)
        ours, theirs = (net.backbone.state_dict() for net in (pairs, points))
        assert ours.keys() == theirs.keys()
        assert all(torch.equal(ours[name], theirs[name]) for name in ours)


def test_an_embedding_can_be_told_where_to_begin() -> None:
    net = made({"width": 8, "embedding": 7}).eval()
    mean, matrix = torch.randn(32), torch.randn(32, 4)
    net.start_at(mean, matrix)
    with torch.no_grad():
        found, wanted = net.embed(images()), (net.pooled(images()) - mean) @ matrix
    assert torch.allclose(found[:, :4], wanted, atol=1e-4)
    assert torch.equal(found[:, 4:], torch.zeros(B, 3)), "components that there are not"


def test_one_channel_or_three() -> None:
    net = made({"width": 8, "channels": 3, "embedding": 4}).eval()
    with torch.no_grad():
        assert torch.equal(net.embed(images()), net.embed(images().expand(-1, 3, -1, -1)))


def test_what_is_compared_is_float32_inside_autocast() -> None:
    net = made({"width": 8, "embedding": 7}).eval()
    a, b = torch.randn(9, 7), torch.randn(9, 7)
    with torch.no_grad():
        plain = net.compare(a, b)
        with torch.autocast("cpu", dtype=torch.bfloat16):
            assert torch.equal(net.compare(a, b), plain)
            assert net.embed(images()).dtype == torch.float32
            assert net.compare(a.bfloat16(), b.bfloat16()).dtype == torch.float32


# --- heads ---


def test_the_cosine_head_begins_at_ten_cosines_with_zero_at_three_tenths() -> None:
    net = made({"width": 8, "embedding": 2})
    angle = torch.tensor([0.0, math.acos(0.3), math.pi])
    a, b = torch.tensor([[2.0, 0.0]]).expand(3, 2), 3 * torch.stack([angle.cos(), angle.sin()], 1)
    assert torch.allclose(net.compare(a, b), torch.tensor([7.0, 0.0, -13.0]), atol=1e-5)


def test_the_l1_head_weighs_differences() -> None:
    net = made({"width": 8, "embedding": 3, "head": "l1"})
    with torch.no_grad():
        net.head.linear.weight.copy_(torch.tensor([[2.0, -1.0, 0.5]]))  # type: ignore[union-attr,operator]
        net.head.linear.bias.fill_(0.25)  # type: ignore[union-attr,operator]
    a, b = torch.tensor([[1.0, 5.0, -2.0]]), torch.tensor([[4.0, 1.0, -2.0]])
    assert float(net.compare(a, b).detach()) == pytest.approx(2 * 3 - 4 + 0.25)


# --- losses ---


def loss_of(net: PairNet, values: torch.Tensor, loss: Loss, every: bool = False, clip: float = 0.0) -> torch.Tensor:
    return net.loss(values, FIRST, SECOND, SAME, PERSON, loss, every, clip)


def test_the_front_is_the_loss_of_its_name() -> None:
    net, values = made({"width": 8, "embedding": 4}, "arcface"), torch.randn(B, 4)
    logits = net.compare(values[FIRST], values[SECOND])
    assert torch.equal(loss_of(net, values, "auto"), bce(logits, SAME))
    assert torch.equal(loss_of(net, values, "bce", clip=0.03), bce(logits, SAME, 0.03))
    apart = distance(values[FIRST], values[SECOND])
    assert torch.equal(loss_of(net, values, "contrastive"), contrastive(apart, SAME))
    assert net.classes is not None
    assert torch.equal(loss_of(net, values, "arcface"), arcface(values, net.classes, PERSON))
    assert torch.equal(loss_of(net, values, "supcon", every=True), supcon(values, PERSON, 0.1))


def test_all_pairs_weigh_both_kinds_alike() -> None:
    net, values = made({"width": 8, "embedding": 4}), torch.randn(B, 4)
    kinds: dict[bool, list[float]] = {True: [], False: []}
    for i in range(B):
        for j in range(i + 1, B):
            same = PERSON[i : i + 1] == PERSON[j : j + 1]
            logit = net.compare(values[i : i + 1], values[j : j + 1])
            kinds[bool(same)].append(float(bce(logit, same).detach()))
    wanted = (np.mean(kinds[True]) + np.mean(kinds[False])) / 2
    assert (len(kinds[True]), len(kinds[False])) == (2, 8)
    assert float(loss_of(net, values, "bce", every=True).detach()) == pytest.approx(wanted, rel=1e-5)


def test_classes_are_there_for_arcface_alone() -> None:
    counts = {
        loss: sum(p.numel() for p in made({"width": 8, "embedding": 4}, loss).parameters())
        for loss in ("bce", "contrastive", "arcface")
    }
    assert counts["arcface"] - counts["bce"] == M * 4
    assert counts["contrastive"] == counts["bce"]
    assert made({"width": 8}, "bce").classes is None


@pytest.mark.parametrize(
    ("loss", "every"),
    [("bce", False), ("bce", True), ("contrastive", False), ("contrastive", True), ("arcface", False),
     ("supcon", True)],
)  # fmt: skip
def test_a_few_steps_learn_who_is_who(loss: Loss, every: bool) -> None:
    """Three people as three gratings in noise; pictures that were never shown are told apart afterwards."""
    generator = np.random.default_rng(5)
    wave = np.sin(np.arange(W) / np.array([2.0, 3.0, 4.5])[:, None])

    def draw() -> torch.Tensor:
        pictures = 128 + 60 * wave[PERSON.numpy()][:, None, None] + generator.normal(0, 25, (B, 1, H, W))
        return torch.from_numpy(np.clip(pictures, 0, 255).astype(np.uint8))

    net = made({"width": 8, "embedding": 6}, loss)
    optimizers = make_optimizers(net, TrainOptions(optimizer="adamw", lr=3e-3))
    losses = []
    for _ in range(60):
        found = loss_of(net, net.embed(draw()), loss, every)
        for optimizer in optimizers:
            optimizer.zero_grad()
        found.backward()  # type: ignore[no-untyped-call]
        for optimizer in optimizers:
            optimizer.step()
        losses.append(float(found.detach()))
    assert np.mean(losses[-5:]) < 0.5 * np.mean(losses[:5])
    net.eval()
    with torch.no_grad():
        values = net.embed(draw())
    alike = cosine(values[FIRST], values[SECOND])
    assert alike[SAME].min() > alike[~SAME].max()


# --- Koch's network and the source's ---

PAPER = ["conv 64 10", "{}", "pool 2", "conv 128 7", "{}", "pool 2", "conv 128 4", "{}", "pool 2", "conv 256 4", "{}"]
SAME_PAD = [f"{line} pad same" if line.startswith("conv") else line for line in PAPER]
STRIDE_2 = ["conv 64 10 stride 2 pad same", *SAME_PAD[1:]]
LAST = ["dense 4096", "sigmoid"]
PRINTED = 38_951_745


def siamese(lines: list[str], act: str = "relu", pooled: str = "pool 2") -> PairNet:
    each = [part for line in lines for part in line.replace("{}", act).replace("pool 2", pooled).split(", ")]
    options = ModelOptions.model_validate({"backbone": "layers", "layers": [*each, *LAST], "head": "l1"})
    with torch.device("meta"):  # shapes alone: they weigh 156 MB
        return build_pairs(options, 9, (105, 105), "bce")


def parameters(module: nn.Module) -> int:
    return sum(p.numel() for p in module.parameters())


def test_both_readings_of_the_sources_network_have_the_parameters_that_it_prints() -> None:
    assert parameters(siamese(PAPER)) == PRINTED
    assert parameters(siamese(STRIDE_2)) == PRINTED


def test_stride_one_has_thirteen_by_thirteen_cells_before_the_dense_layer() -> None:
    net = siamese(SAME_PAD)
    dense = [m for m in net.modules() if isinstance(m, nn.Linear)]
    assert dense[0].in_features == 13 * 13 * 256
    assert parameters(net) == PRINTED + (13 * 13 - 6 * 6) * 256 * 4096


@pytest.mark.parametrize(
    ("act", "pooled", "norms"),
    [
        ("norm, relu", "pool 2", 64 + 128 + 128 + 256),
        ("relu, norm", "pool 2", 64 + 128 + 128 + 256),
        ("relu, norm", "pool 2, norm", 64 + 128 + 128 + 256 + 64 + 128 + 128),
    ],
)
@pytest.mark.parametrize("lines", [PAPER, STRIDE_2])
def test_norms_add_a_gain_and_a_shift_a_channel(lines: list[str], act: str, pooled: str, norms: int) -> None:
    net = siamese(lines, act, pooled)
    inside = [m for m in net.modules() if isinstance(m, nn.BatchNorm2d)]
    assert parameters(net) - sum(parameters(m) for m in inside) == PRINTED
    assert sum(m.num_features for m in inside) == norms


# --- pad same ---


@pytest.mark.parametrize("word", ["conv 3", "pool"])
@pytest.mark.parametrize(("kernel", "stride"), [("4", "1"), ("10", "2"), ("5x3", "2x3"), ("2", "2"), ("3x6", "4x1")])
def test_same_gives_as_many_cells_as_strides_begin(word: str, kernel: str, stride: str) -> None:
    module, flow = make_layers([f"{word} {kernel} stride {stride} pad same"], 1, (W, 29))
    across, down = (int(n) for n in (stride.split("x") * 2)[:2])
    assert flow.cells == (math.ceil(W / across), math.ceil(29 / down))
    assert module(torch.zeros(2, 1, 29, W)).shape == (2, flow.features, *flow.cells[::-1])


@pytest.mark.parametrize("kernel", [1, 3, 4, 7, 10])
def test_same_is_torchs_where_torch_has_it(kernel: int) -> None:
    module, _ = make_layers([f"conv 3 {kernel} pad same"], 2, (W, 29))
    (conv,) = [m for m in module.modules() if isinstance(m, nn.Conv2d)]
    theirs = nn.Conv2d(2, 3, kernel, padding="same")
    theirs.load_state_dict(conv.state_dict())
    shown = torch.randn(2, 2, 29, W)
    assert torch.allclose(module(shown), theirs(shown), atol=1e-5)


def test_the_larger_half_is_at_the_right_and_bottom() -> None:
    """7 px by strides of 2 with kernels of 4: 3 missing, 1 before and 2 after, as TensorFlow pads."""
    module, flow = make_layers(["conv 1 4 stride 2 pad same"], 1, (7, 7))
    (conv,) = [m for m in module.modules() if isinstance(m, nn.Conv2d)]
    nn.init.ones_(conv.weight)
    nn.init.zeros_(conv.bias)  # type: ignore[arg-type]
    shown = torch.arange(1.0, 8.0).expand(1, 1, 7, 7)
    wanted = torch.tensor([0 + 1 + 2 + 3, 2 + 3 + 4 + 5, 4 + 5 + 6 + 7, 6 + 7.0])
    assert torch.allclose(module(shown)[0, 0, 1] / 4, wanted)
    assert flow.lattice is not None
    assert flow.lattice == ((0.5, 0.5), (2.0, 2.0))


def test_a_pool_takes_nothing_padded_for_the_largest() -> None:
    module, _ = make_layers(["pool 4 stride 2 pad same"], 1, (7, 9))
    shown = -1 - torch.rand(2, 1, 9, 7)
    assert float(module(shown).max()) < -1
    assert torch.isfinite(module(shown)).all()


def test_cells_of_same_lie_where_they_look() -> None:
    lines = ["conv 2 10 stride 2 pad same", "conv 2 4x7 pad same", "conv 2 4 stride 3x2 pad same"]
    module, flow = make_layers(lines, 1, (97, 83))
    for part in module.modules():
        if isinstance(part, nn.Conv2d):
            nn.init.ones_(part.weight)
    assert flow.cells
    assert flow.lattice
    i, j = flow.cells[0] // 2, flow.cells[1] // 2
    shown = torch.zeros(1, 1, 83, 97, requires_grad=True)
    module(shown)[0, 0, j, i].backward()
    assert shown.grad is not None
    seen = shown.grad[0, 0].double()
    x, y = (seen.sum(0) * torch.arange(97)).sum() / seen.sum(), (seen.sum(1) * torch.arange(83)).sum() / seen.sum()
    told = [flow.lattice.first[axis] + flow.lattice.step[axis] * n for axis, n in enumerate((i, j))]
    assert [float(x), float(y)] == pytest.approx(told, abs=1e-5)


def test_pads_that_make_no_sense_are_named() -> None:
    with pytest.raises(UsageError, match=r"pad is 'sam', expected whole numbers of 0 or more, as 5 or 5x3, or same"):
        make_layers(["conv 4 3 pad sam"], 1, (W, H))
    with pytest.raises(UsageError, match=r"stride is 'same', expected whole numbers of 1 or more, as 5 or 5x3; "):
        make_layers(["conv 4 3 stride same"], 1, (W, H))


# --- what does not fit ---


@pytest.mark.parametrize(
    ("settings", "loss", "message"),
    [
        ({"head": "heatmap"}, "auto", "model.head heatmap finds keypoints, .* use auto, cosine, l1"),
        ({"head": "l1"}, "contrastive", "model.head l1 cannot be trained with train.loss = contrastive; use bce or au"),
        ({"head": "l1"}, "arcface", "model.head l1 cannot be trained with train.loss = arcface"),
        ({}, "smooth-l1", "model.head auto cannot be trained with train.loss = smooth-l1; use bce, contrastive, "),
        ({"upsample": 2}, "auto", "model.upsample = 2 is of keypoints"),
        ({"start": "mean-shape"}, "auto", "model.start = mean-shape is of keypoints"),
        ({"backbone": "layers"}, "auto", "model.layers is empty"),
        ({"backbone": "resnet10x"}, "auto", "timm has no model called 'resnet10x'"),
    ],
)
def test_recipes_of_points_are_refused_for_pairs(settings: dict[str, Any], loss: Loss, message: str) -> None:
    with pytest.raises(UsageError, match=message) as caught:
        made(settings, loss)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("settings", "loss", "message"),
    [
        ({"head": "cosine"}, "auto", "model.head cosine compares pictures, .* use auto, soft-argmax, regression, heat"),
        ({"head": "l1"}, "bce", "model.head l1 compares pictures"),
        ({"embedding": 64}, "auto", "model.embedding = 64 is of verification"),
        ({}, "arcface", "model.head auto cannot be trained with train.loss = arcface; use smooth-l1"),
        ({"head": "simcc"}, "bce", "model.head simcc cannot be trained with train.loss = bce; use cross-entropy"),
    ],
)
def test_recipes_of_pairs_are_refused_for_points(settings: dict[str, Any], loss: Loss, message: str) -> None:
    with pytest.raises(UsageError, match=message) as caught:
        build(ModelOptions.model_validate(settings), 4, 1, (W, H), loss)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"loss": "arcface", "pairs": "all"}, "train.pairs = all with train.loss = arcface"),
        ({"loss": "supcon"}, "train.pairs = given with train.loss = supcon"),
        ({"loss": "contrastive", "label_clip": 0.03}, "train.label_clip = 0.03 with train.loss = contrastive"),
        ({"loss": "bce", "views": 2}, "train.views = 2 with train.pairs = given"),
    ],
)
def test_terms_that_a_loss_does_not_know_are_refused(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError, match=message) as caught:
        TrainOptions.model_validate(settings)
    assert "\n" not in str(caught.value)
