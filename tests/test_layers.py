"""Law: a network told in lines has the layers, sizes and parameters that its lines say, or the wrong line is named."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from kptool.competitions import find, read_recipe
from kptool.config import ModelOptions, TrainOptions
from kptool.engine.optim import make_optimizers
from kptool.errors import UsageError
from kptool.models.heads import Regression, SoftArgmax
from kptool.models.kptiny import Kptiny
from kptool.models.layers import make_layers
from kptool.models.net import Net, build

W, H, K, B = 37, 29, 3, 5

NOSENET = ["conv {} 7", "relu", "pool 2", "conv 24 5", "relu", "pool 2", "conv 32 3", "relu", "pool 2"]
NOSENET += ["dense 120", "relu"]
FACENET = ["conv 12 7", "relu", "conv 20 5", "relu", "pool 2", "conv 25 5", "relu", "conv 32 5", "relu", "pool 2"]
FACENET += ["conv 32 5", "relu", "pool 2", "dense 300", "relu"]
HIDDEN = ["dense 500", "relu", "dropout 0.5", "dense 500", "relu"]


def theano(filters: list[str], pools: list[str], hidden: list[str]) -> list[str]:
    """The nets of the old Kaggle tutorials: filters, perhaps pools, dropout that grows, hidden layers."""
    lines = []
    for filter_, pool, chance in zip(filters, pools, ("0.1", "0.2", "0.3"), strict=True):
        lines += [f"conv {filter_}", "relu", *([pool] if pool else []), f"dropout {chance}"]
    return [*lines, *hidden]


NONE = ["", "", ""]
# name: lines, (W, H), K, and the number of parameters that the source prints (or that its shapes give)
PRINTED: dict[str, tuple[list[str], tuple[int, int], int, int]] = {
    "NoseNet 12": ([NOSENET[0].format(12), *NOSENET[1:]], (80, 60), 1, 122_650),
    "NoseNet 16": ([NOSENET[0].format(16), *NOSENET[1:]], (80, 60), 1, 125_250),
    "FaceNet": (FACENET, (160, 120), 58, 1_309_625),
    "Net6LP": (theano(["32 3", "64 2", "128 2"], ["pool 4"] * 3, HIDDEN), (96, 96), 15, 371_502),
    "Net6NP": (theano(["6 3", "12 2", "24 2"], NONE, HIDDEN), (96, 96), 15, 101_835_566),
    "Net6NPLF": (theano(["6 5", "12 5", "24 5"], NONE, HIDDEN), (96, 96), 15, 84_947_222),
    "Net6RHL": (theano(["6 5", "12 7", "36 9"], NONE, ["dense 500", "relu"]), (96, 96), 15, 109_566_254),
    "CNet_NPLFXL": (theano(["6 5", "12 7", "36 9"], NONE, HIDDEN), (96, 96), 15, 109_816_754),
    "Net6RPXL": (
        theano(["32 5", "64 7", "128 9"], [f"conv {n} 2 stride 2" for n in (32, 64, 128)], HIDDEN),
        (96, 96), 15, 3_421_198,
    ),
}  # fmt: skip


def parameters(module: nn.Module) -> int:
    return sum(p.numel() for p in module.parameters())


def from_lines(lines: list[str], size: tuple[int, int] = (W, H), points: int = K, head: str = "auto") -> Net:
    options = ModelOptions.model_validate({"backbone": "layers", "layers": lines, "head": head})
    return build(options, points, 1, size)


def refused(*lines: str, size: tuple[int, int] = (W, H)) -> str:
    with pytest.raises(UsageError) as caught:
        make_layers(lines, 1, size)
    assert "\n" not in str(caught.value)
    return str(caught.value)


# --- counts ---


@pytest.mark.parametrize("name", PRINTED)
def test_parameters_are_as_many_as_the_source_prints(name: str) -> None:
    lines, size, points, printed = PRINTED[name]
    with torch.device("meta"):  # shapes alone: some of these weigh 440 MB
        net = from_lines(lines, size, points)
    assert parameters(net.backbone) + parameters(net.head) == printed
    assert parameters(net) == printed + 1  # the label shift


def test_one_hidden_layer_stands_on_the_pixels() -> None:
    net = from_lines(["dense 100", "relu"], (96, 96), 15)
    assert parameters(net.backbone) + parameters(net.head) == 9216 * 100 + 100 + 100 * 30 + 30


def test_the_printed_sizes_of_nosenet_and_facenet_come_out() -> None:
    for name, inputs in (("NoseNet 16", 896), ("FaceNet", 4032)):
        lines, size, points, _ = PRINTED[name]
        net = from_lines(lines, size, points).eval()
        dense = [m for m in net.backbone.modules() if isinstance(m, nn.Linear)]
        assert dense[0].in_features == inputs
        raw = net(torch.zeros(2, 1, size[1], size[0], dtype=torch.uint8))
        assert net.head.decode(raw, torch.zeros(2, dtype=torch.long))[0].shape == (2, points, 2)


def test_the_siamese_half_of_the_verification_papers_fits_too() -> None:
    lines = ["conv 64 10", "relu", "pool 2", "conv 128 7", "relu", "pool 2", "conv 128 4", "relu", "pool 2"]
    with torch.device("meta"):
        module, flow = make_layers([*lines, "conv 256 4", "relu", "dense 4096", "sigmoid"], 1, (105, 105))
    assert parameters(module) + flow.features + 1 == 38_951_745  # one more unit joins the two halves


@pytest.mark.parametrize(
    ("recipe", "printed"),
    [
        ("net1", 924_730), ("net2", 8_051_502), ("net6", 8_051_502), ("net6lp", 371_502), ("net6np", 101_835_566),
        ("net6nplf", 84_947_222), ("net6rhl", 109_566_254), ("net6rpxl", 3_421_198), ("cnet-nplfxl", 109_816_754),
    ],
)  # fmt: skip
def test_the_shipped_recipes_have_as_many(recipe: str, printed: int) -> None:
    """Those of net1, net2 and net6, which the source does not count, follow from its printed sizes."""
    made = read_recipe(find("facial-keypoints-detection"), f"seed-{recipe}")
    with torch.device("meta"):
        module, flow = make_layers(made.model.layers, 1, (96, 96))
    assert parameters(module) + (flow.features + 1) * 30 == printed


# --- sizes ---


@pytest.mark.parametrize(
    ("lines", "printed"),
    [  # Net6, ConvNet_Stack and Net6RP: what the source prints behind every layer that changes the size
        (["conv 32 3", "pool 2", "conv 64 2", "pool 2", "conv 128 2", "pool 2"],
         [(32, 94), (32, 47), (64, 46), (64, 23), (128, 22), (128, 11)]),
        (["conv 32 3", "conv 64 5", "pool 2", "conv 128 2", "pool 2"],
         [(32, 94), (64, 90), (64, 45), (128, 44), (128, 22)]),
        (["conv 6 5", "conv 6 2 stride 2", "conv 12 5", "conv 12 2 stride 2", "conv 32 5", "conv 32 2 stride 2"],
         [(6, 92), (6, 46), (12, 42), (12, 21), (32, 17), (32, 8)]),
    ],
)  # fmt: skip
def test_sizes_are_the_printed_ones(lines: list[str], printed: list[tuple[int, int]]) -> None:
    found = [make_layers(lines[: n + 1], 1, (96, 96))[1] for n in range(len(lines))]
    assert [(flow.features, flow.cells) for flow in found] == [(n, (side, side)) for n, side in printed]


@pytest.mark.parametrize(
    "line",
    [
        "conv 6 3", "conv 6 5x3", "conv 6 3x5 stride 2", "conv 6 4 stride 3x2 pad 2x0", "conv 6 1 pad 3",
        "pool 2", "pool 3 stride 2", "pool 3x2", "pool 3x2 stride 1x2 pad 1x0", "pool 37x29",
        "norm", "relu", "sigmoid", "tanh", "dropout 0.25", "flatten", "dense 7",
    ],
)  # fmt: skip
@pytest.mark.parametrize("channels", [1, 3])
def test_what_a_layer_is_said_to_give_is_what_it_gives(line: str, channels: int) -> None:
    module, flow = make_layers([line], channels, (W, H))
    shape = module(torch.zeros(B, channels, H, W)).shape
    assert shape == ((B, flow.features, *flow.cells[::-1]) if flow.cells else (B, flow.features))


def test_across_comes_before_down() -> None:
    module, flow = make_layers(["conv 2 5x3 stride 2x1 pad 1x0"], 1, (W, H))
    (conv,) = module
    assert isinstance(conv, nn.Conv2d)
    assert (conv.kernel_size, conv.stride, conv.padding) == ((3, 5), (1, 2), (0, 1))
    assert flow == (2, ((W + 2 - 5) // 2 + 1, H - 3 + 1), ((1.0, 1.0), (2.0, 1.0)))


def test_the_layers_are_those_of_torch_in_order() -> None:
    lines = ["conv 4 3", "norm", "tanh", "pool 2", "dropout 0.3", "dense 6", "norm", "sigmoid", "dense 5"]
    kinds = [nn.Conv2d, nn.BatchNorm2d, nn.Tanh, nn.MaxPool2d, nn.Dropout, nn.Flatten, nn.Linear, nn.BatchNorm1d]
    module, flow = make_layers(lines, 1, (W, H))
    assert [type(m) for m in module] == [*kinds, nn.Sigmoid, nn.Linear]
    assert flow == (5, None, None)
    assert [m.p for m in module if isinstance(m, nn.Dropout)] == [0.3]


# --- heads ---


@pytest.mark.parametrize(
    ("lines", "head", "made"),
    [
        (["conv 4 5 stride 3", "relu"], "auto", SoftArgmax),
        (["conv 4 5 stride 3", "relu"], "soft-argmax", SoftArgmax),
        (["conv 4 5 stride 3", "relu"], "regression", Regression),
        (["conv 4 5 stride 3", "flatten"], "auto", Regression),
        (["dense 9", "tanh"], "regression", Regression),
    ],
)
def test_a_batch_is_each_alone_under_either_head(lines: list[str], head: str, made: type) -> None:
    torch.manual_seed(0)
    net = from_lines(lines, head=head).eval()
    assert type(net.head) is made
    images = torch.from_numpy(np.random.default_rng(0).integers(0, 256, (B, 1, H, W), dtype=np.uint8))
    scheme = torch.zeros(B, dtype=torch.long)
    with torch.no_grad():
        together = net.head.decode(net(images), scheme)[0]
        alone = torch.cat([net.head.decode(net(images[b : b + 1]), scheme[:1])[0] for b in range(B)])
    assert together.shape == (B, K, 2)
    assert (together - alone).abs().max() < 1e-3
    assert (together[0] - together[1]).abs().max() > 0


def test_a_few_steps_learn_where_a_square_stands() -> None:
    torch.manual_seed(0)
    options = TrainOptions(optimizer="adamw", lr=3e-3, weight_decay=0)
    net = from_lines(["conv 6 5 stride 2", "relu", "pool 2", "dense 20", "relu"], points=1)
    optimizers = make_optimizers(net, options)
    assert [type(one) for one in optimizers] == [torch.optim.AdamW]
    where = np.random.default_rng(1).integers(3, 25, (40, 2))
    images = torch.zeros(40, 1, H, W)
    for i, (x, y) in enumerate(where):
        images[i, 0, y - 2 : y + 3, x - 2 : x + 3] = 255
    wanted, scheme = torch.from_numpy(where[:, None]).float(), torch.zeros(40, dtype=torch.long)
    losses = []
    for _ in range(60):
        loss = net.head.loss(net(images), wanted, scheme, "mse", 1.0)
        optimizers[0].zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimizers[0].step()
        losses.append(float(loss.detach()))
    assert losses[-1] < 0.1 * losses[0]


def test_auto_is_adamw_for_layers() -> None:
    net = from_lines(["conv 6 5 stride 2", "norm", "relu", "conv 8 3", "norm", "relu"])
    assert [type(one) for one in make_optimizers(net, TrainOptions(optimizer="auto"))] == [torch.optim.AdamW]


# --- errors ---


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        (["conv 4 3", "relu", "norm", "pol 2"], "model.layers[3]: 'pol 2': no layer is called 'pol'; did you mean 'po"),
        (["Conv 4 3"], "model.layers[0]: 'Conv 4 3': no layer is called 'Conv'; did you mean 'conv'?"),
        ([""], "model.layers[0]: '': no layer is called ''; known: conv, dense"),
        (["conv 16"], "kernel is missing; write it as conv N K [stride S] [pad P], as in 'conv 16 7 stride 2'"),
        (["conv"], "filters is missing"),
        (["conv 0 3"], "filters is '0', expected a whole number of 1 or more; write it as conv N K"),
        (["conv 4.5 3"], "filters is '4.5'"),
        (["conv 4 0"], "kernel is '0', expected whole numbers of 1 or more, as 5 or 5x3"),
        (["conv 4 3x"], "kernel is '3x'"),
        (["conv 4 -3"], "kernel is '-3'"),
        (["conv 4 ³"], "kernel is '³'"),
        (["conv 4 3 strid 2"], "'strid' is not understood; did you mean 'stride'?"),
        (["conv 4 3 same"], "'same' is not understood; write it as conv N K"),
        (["conv 4 3 stride"], "stride has no value"),
        (["conv 4 3 pad 1 stride"], "stride has no value"),
        (["conv 4 3 stride 2 stride 2"], "stride stands there twice"),
        (["conv 4 3 stride 0"], "stride is '0'"),
        (["conv 4 3 pad x"], "pad is 'x', expected whole numbers of 0 or more"),
        (["pool 3 pad 2"], "pad is more than half of the 3x3; pad less"),
        (["relu 3"], "'3' is not understood; write 'relu' alone"),
        (["dropout 1"], "chance is '1', expected a fraction below 1; write it as dropout P"),
        (["dropout nan"], "chance is 'nan'"),
        (["dense 10 20"], "'20' is not understood; write it as dense N"),
        (["dense 10", "conv 4 3"], "model.layers[1]: 'conv 4 3': after dense or flatten no image is left; put conv "),
        (["flatten", "flatten"], "model.layers[1]: 'flatten': after dense or flatten"),
        ([], "model.layers is empty"),
    ],
)
def test_a_line_that_makes_no_sense_is_named(lines: list[str], message: str) -> None:
    assert message in refused(*lines)


def test_a_layer_that_leaves_nothing_says_what_it_got() -> None:
    lines = ["conv 4 7", "pool 2", "conv 4 7", "pool 2", "conv 4 5"]
    message = refused(*lines)
    assert message.startswith("model.layers[4]: 'conv 4 5': gets an image of 4x2 px, smaller than its 5x5; take larger")
    assert make_layers([*lines[:4], "conv 4 4x2"], 1, (W, H))[1][:2] == (4, (1, 1))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"layers": ["dense 5"], "head": "soft-argmax"}, "needs maps"),
        ({"layers": ["dense 5"], "pretrained": True}, "layers has no pretrained weights"),
        ({"layers": ["dense 5"], "weights": "w.safetensors"}, "layers has no pretrained weights"),
        ({"layers": ["dense 5"], "backbone": "kptiny"}, "model.layers is given, but model.backbone is 'kptiny'"),
        ({"layers": ["dense 5"], "backbone": "resnet10t"}, "leave model.layers out"),
        ({}, "model.layers is empty"),
    ],
)
def test_settings_that_contradict_each_other_are_refused(options: dict[str, object], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        build(ModelOptions.model_validate({"backbone": "layers"} | options), K, 1, (W, H))


# --- where cells lie ---


@pytest.mark.parametrize(
    "lines",
    [
        ["conv 3 7", "conv 2 7"],
        ["conv 3 3", "pool 2", "conv 3 2", "pool 2", "conv 2 2"],
        ["conv 3 5x3 stride 2x1 pad 1x0", "pool 3x2 stride 2", "conv 2 3 pad 1"],
    ],
)
def test_cells_lie_where_they_look(lines: list[str]) -> None:
    """The middle of the pixels that a cell's gradient reaches is where the lattice puts the cell."""
    module, flow = make_layers(lines, 1, (W, H))
    for part in module:
        if isinstance(part, nn.Conv2d):
            nn.init.ones_(part.weight)  # no gradient cancels another
    smooth = nn.Sequential(
        *(nn.AvgPool2d(p.kernel_size, p.stride) if isinstance(p, nn.MaxPool2d) else p for p in module)
    )
    assert flow.cells
    assert flow.lattice
    for i, j in ((flow.cells[0] // 2, flow.cells[1] // 2), (flow.cells[0] - 2, flow.cells[1] - 2)):
        images = torch.zeros(1, 1, H, W, requires_grad=True)
        smooth(images)[0, 0, j, i].backward()
        assert images.grad is not None
        seen = images.grad[0, 0].double()
        x = (seen.sum(0) * torch.arange(W)).sum() / seen.sum()
        y = (seen.sum(1) * torch.arange(H)).sum() / seen.sum()
        told = [flow.lattice.first[axis] + flow.lattice.step[axis] * n for axis, n in enumerate((i, j))]
        assert [float(x), float(y)] == pytest.approx(told, abs=1e-5)


def test_kptiny_has_its_cells_where_layers_like_its_own_have_them() -> None:
    _, flow = make_layers(["conv 4 4 stride 2 pad 1", "pool 2", "conv 4 3 pad 1", "pool 2"], 1, (W + 4, H + 4))
    assert flow.lattice == Kptiny.lattice
    assert flow.cells == Kptiny(1).cells((W + 4, H + 4))
