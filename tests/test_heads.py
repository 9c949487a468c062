"""Heads: what they decode, and that one image, point or scheme never touches another."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from kptool.config import Loss, ModelOptions
from kptool.errors import UsageError
from kptool.geometry import resize
from kptool.models.heads import Heatmap, Regression, SimCC, SoftArgmax
from kptool.models.net import build

W, H, K, S, B = 64, 48, 3, 2, 5
TINY = ModelOptions(width=8)
MODELS = [
    TINY,
    ModelOptions(width=8, head="regression"),
    ModelOptions(width=8, channels=3),
    ModelOptions(backbone="resnet10t", head="regression"),
    ModelOptions(backbone="resnet10t", head="soft-argmax", channels=3),
    ModelOptions(width=8, head="heatmap", upsample=2),
    ModelOptions(width=8, head="simcc"),
    ModelOptions(backbone="resnet10t", head="simcc"),
    ModelOptions(backbone="resnet10t", head="heatmap"),
    ModelOptions(width=8, upsample=4),
]


def images(channels: int = 1) -> torch.Tensor:
    return torch.from_numpy(np.random.default_rng(0).integers(0, 256, (B, channels, H, W), dtype=np.uint8))


def test_a_sharp_map_decodes_to_its_cell() -> None:
    cells = (8, 6)
    head = SoftArgmax(4, K, S, (W, H), cells, reach=1.0)
    raw = torch.full((B, S, K, 6, 8), -50.0)
    column, row = np.random.default_rng(1).integers(0, 8, (B, K)), np.random.default_rng(2).integers(0, 6, (B, K))
    for b in range(B):
        for k in range(K):
            raw[b, 1, k, row[b, k], column[b, k]] = 50
    points, spread = head.decode(raw, torch.ones(B, dtype=torch.long))
    wanted = resize(cells, (W, H))(np.stack([column, row], -1))
    assert np.abs(points.numpy() - wanted).max() < 1e-4
    assert float(spread.max()) < 1e-2


def test_reach_takes_points_past_the_edge() -> None:
    head = SoftArgmax(4, K, 1, (W, H), (8, 6))
    raw = torch.full((1, 1, K, 6, 8), -50.0)
    raw[..., 5, 7] = 50
    points, _ = head.decode(raw, torch.zeros(1, dtype=torch.long))
    assert (points[0, 0] > torch.tensor([W - 1.0, H - 1.0])).all()


@pytest.mark.parametrize("options", MODELS)
def test_a_batch_is_each_alone(options: ModelOptions) -> None:
    torch.manual_seed(0)
    net = build(options, K, S, (W, H)).eval()
    scheme = torch.tensor([0, 1, 1, 0, 1])
    with torch.no_grad():
        together, _ = net.head.decode(net(images()), scheme)
        for b in range(B):
            alone, _ = net.head.decode(net(images()[b : b + 1]), scheme[b : b + 1])
            assert (alone[0] - together[b]).abs().max() < 1e-3
    assert together.shape == (B, K, 2)


@pytest.mark.parametrize("options", MODELS)
def test_missing_points_and_other_schemes_get_no_gradient(options: ModelOptions) -> None:
    torch.manual_seed(0)
    net = build(options, K, S, (W, H)).train()
    points = torch.full((B, K, 2), torch.nan)
    points[:, 1] = 20
    raw = net(images()).detach().requires_grad_()
    net.head.loss(raw, points, torch.zeros(B, dtype=torch.long), "auto", 1.0).backward()  # type: ignore[no-untyped-call]
    assert raw.grad is not None
    moved = raw.grad.flatten(3).abs().sum(-1) if raw.ndim > 3 else raw.grad.abs()
    assert (moved[:, 0, 1] > 0).all()
    moved[:, 0, 1] = 0
    assert float(moved.sum()) == 0


def test_grey_and_colour_meet_any_backbone() -> None:
    torch.manual_seed(0)
    grey = build(TINY, K, 1, (W, H)).eval()
    colour = images().expand(-1, 3, -1, -1)
    with torch.no_grad():
        assert torch.allclose(grey(images()), grey(colour), atol=1e-3)
        assert build(ModelOptions(width=8, channels=3), K, 1, (W, H)).eval()(images()).shape[0] == B


def test_unknown_backbones_and_weights_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="resnet18"):
        build(ModelOptions(backbone="resnet81"), K, S, (W, H))
    with pytest.raises(UsageError, match="pickle"):
        build(ModelOptions(backbone="resnet10t", weights="x.pth"), K, S, (W, H))
    with pytest.raises(UsageError, match="no such file"):
        build(ModelOptions(backbone="resnet10t", weights="absent.safetensors"), K, S, (W, H))
    torn, other = tmp_path / "torn.safetensors", tmp_path / "other.safetensors"
    save_file({"x": torch.zeros(3)}, other)
    torn.write_bytes(other.read_bytes()[:-3])
    with pytest.raises(UsageError, match="not readable"):
        build(ModelOptions(backbone="resnet10t", weights=str(torn)), K, S, (W, H))
    with pytest.raises(UsageError, match=r"lacks .* more of resnet10t"):
        build(ModelOptions(backbone="resnet10t", weights=str(other)), K, S, (W, H))
    with pytest.raises(UsageError, match="at least"):
        build(TINY, K, S, (31, 48))


@pytest.mark.parametrize("name", ["vit_tiny_patch16_224", "swin_tiny_patch4_window7_224", "mobilenetv3_small_100"])
@pytest.mark.parametrize("head", ["regression", "soft-argmax"])
def test_backbones_of_other_makes_take_small_images(name: str, head: str) -> None:
    """Transformers are built for 224 px and hand out maps their own way; both are settled when the net is built."""
    options = ModelOptions.model_validate({"backbone": name, "head": head})
    net = build(options, K, S, (64, 96)).eval()
    with torch.no_grad():
        points, _ = net.head.decode(net(torch.zeros(2, 1, 96, 64, dtype=torch.uint8)), torch.tensor([0, 1]))
    assert points.shape == (2, K, 2)
    assert torch.isfinite(points).all()


def test_weights_from_a_file_are_the_ones_that_predict(tmp_path: Path) -> None:
    import timm

    torch.manual_seed(7)
    file = tmp_path / "w.safetensors"
    source = timm.create_model("resnet10t", num_classes=5).state_dict()
    save_file({n: t.contiguous() for n, t in source.items()}, file)
    net = build(ModelOptions(backbone="resnet10t", channels=3, weights=str(file)), K, S, (W, H))
    loaded = net.backbone.state_dict()
    assert all(torch.equal(loaded[n], source[n]) for n in loaded)


# --- what fits what ---

FLAT, MAPS = ["dense 9", "relu"], ["conv 4 5 stride 3", "relu"]


@pytest.mark.parametrize(("backbone", "layers"), [("kptiny", []), ("layers", MAPS), ("resnet10t", [])])
@pytest.mark.parametrize(
    ("head", "made"),
    [("soft-argmax", SoftArgmax), ("regression", Regression), ("heatmap", Heatmap), ("simcc", SimCC)],
)
def test_every_head_stands_on_every_kind_of_backbone(backbone: str, layers: list[str], head: str, made: type) -> None:
    options = ModelOptions.model_validate({"backbone": backbone, "layers": layers, "head": head, "width": 8})
    net = build(options, K, S, (W, H)).eval()
    assert type(net.head) is made
    with torch.no_grad():
        points, spread = net.head.decode(net(images()), torch.tensor([0, 1, 1, 0, 1]))
    assert points.shape == (B, K, 2)
    assert torch.isfinite(points).all()
    assert torch.isfinite(spread).all() == (head != "regression")


@pytest.mark.parametrize("head", ["regression", "simcc"])
def test_flat_features_serve_the_heads_that_need_no_maps(head: str) -> None:
    options = ModelOptions.model_validate({"backbone": "layers", "layers": FLAT, "head": head})
    net = build(options, K, S, (W, H))
    assert net.head.decode(net(images()), torch.zeros(B, dtype=torch.long))[0].shape == (B, K, 2)


def refusal(loss: Loss = "auto", size: tuple[int, int] = (W, H), **options: object) -> str:
    with pytest.raises(UsageError) as caught:
        build(ModelOptions.model_validate(options), K, S, size, loss)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_a_loss_that_a_head_does_not_know_is_refused_with_those_it_knows() -> None:
    wanted = "model.head heatmap cannot be trained with train.loss = wing; use mse, adaptive-wing or auto"
    assert refusal("wing", head="heatmap", backbone="no such model") == wanted  # before anything is built
    assert "simcc cannot be trained with train.loss = mse; use cross-entropy or auto" in refusal("mse", head="simcc")
    known = "use smooth-l1, mse, l1, wing, gaussian-nll, laplace-nll or auto"
    for head in ("auto", "soft-argmax", "regression"):
        for loss in ("adaptive-wing", "cross-entropy"):
            assert refusal(loss, head=head) == f"model.head {head} cannot be trained with train.loss = {loss}; {known}"


@pytest.mark.parametrize("head", ["soft-argmax", "heatmap"])
def test_heads_of_maps_refuse_flat_features(head: str) -> None:
    assert f"model.head is {head}, which needs maps" in refusal(backbone="layers", layers=FLAT, head=head)


def test_maps_of_too_few_cells_are_refused_and_finer_ones_are_not() -> None:
    lines = ["conv 8 5 stride 24", "norm", "relu"]
    assert "maps of 3x3 cells or more, these are 3x2" in refusal(backbone="layers", layers=lines, head="heatmap")
    finer = ModelOptions(backbone="layers", layers=lines, head="heatmap", upsample=2)
    assert build(finer, K, S, (W, H))(images()).shape == (B, S, K, 4, 6)


def test_what_cannot_be_made_finer_is_refused() -> None:
    for options in (
        {"head": "regression"}, {"backbone": "resnet10t"}, {"backbone": "layers", "layers": FLAT, "head": "simcc"},
    ):  # fmt: skip
        assert "model.upsample = 2 makes maps finer, but" in refusal(upsample=2, **options)


@pytest.mark.parametrize("head", ["soft-argmax", "heatmap", "simcc"])
@pytest.mark.parametrize("times", [2, 4])
def test_finer_maps_cover_the_same_frame(head: str, times: int) -> None:
    size = (68, 44)  # 8x5 cells of 8.5 and 8.8 px
    coarse, fine = (
        build(ModelOptions.model_validate({"width": 8, "head": head, "upsample": t}), K, 1, size) for t in (1, times)
    )
    if head == "simcc":  # its bins are the frame's own
        assert torch.equal(coarse.head.get_buffer("xs"), fine.head.get_buffer("xs"))
    else:
        for axis in ("xs", "ys"):
            cells, more = coarse.head.get_buffer(axis), fine.head.get_buffer(axis)
            assert len(more) == times * len(cells)
            assert torch.allclose(more.view(-1, times).mean(1), cells, atol=1e-4)
    assert fine.head.decode(fine(torch.zeros(B, 1, 44, 68)), torch.zeros(B, dtype=torch.long))[0].shape == (B, K, 2)


@pytest.mark.parametrize("head", ["soft-argmax", "regression", "heatmap", "simcc"])
def test_the_label_shift_is_learnt_under_every_head(head: str) -> None:
    net = build(ModelOptions.model_validate({"width": 8, "head": head}), K, S, (W, H))
    scheme = torch.tensor([0, 1, 1, 0, 1])
    wanted = torch.full((B, K, 2), 20.0) - net.label_shift(scheme)[:, None]
    net.head.loss(net(images()), wanted, scheme, "auto", 1.0).backward()  # type: ignore[no-untyped-call]
    assert net.shift_units.grad is not None
    assert torch.isfinite(net.shift_units.grad).all()
    assert (net.shift_units.grad != 0).all()
