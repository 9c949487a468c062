"""Law: any timm backbone takes any W and H, and its maps lie over the image without drift, as finer maps do."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
import torch
from torch import nn

from kptool.config import ModelOptions, TrainOptions
from kptool.engine.optim import Muon, make_optimizers
from kptool.errors import UsageError
from kptool.geometry import resize
from kptool.models.net import build
from kptool.models.pyramid import Padding, Pyramid, padding_to
from kptool.models.timm_backbone import make_timm
from kptool.models.upsample import FEWEST, Upsample

B, K, S = 2, 3, 2

# One of each family that differs in a way of its own; timm makes these test models small for the purpose.
NAMES = ["test_byobnet", "test_coatnet", "test_convnext", "test_efficientnet", "test_efficientnet_ln", "test_mambaout"]
NAMES += ["test_maxvit", "test_nfnet", "test_resnet", "test_vit", "test_vit3", "test_vit_relpos"]
NAMES += ["mobilenetv3_small_050", "resnet18"]


@pytest.mark.parametrize("size", [(96, 64), (100, 76)])
@pytest.mark.parametrize("name", NAMES)
def test_any_backbone_at_any_size(name: str, size: tuple[int, int]) -> None:
    """As maps and pooled; 76 is no multiple of 8, 100 none of 16."""
    for head in ("soft-argmax", "regression"):
        net = build(ModelOptions.model_validate({"backbone": name, "head": head}), K, S, size).eval()
        images = torch.zeros(B, 1, size[1], size[0], dtype=torch.uint8)
        with torch.no_grad():
            points, _ = net.head.decode(net(images), torch.tensor([0, 1]))
            features = net.backbone(images.float())
        assert points.shape == (B, K, 2)
        assert torch.isfinite(points).all()
        stride = 16 if "vit" in name and "max" not in name else 8
        cells = -(-size[1] // stride), -(-size[0] // stride)
        assert features.shape[2:] == (cells if head == "soft-argmax" else ())


def test_maps_of_transformers_are_those_of_their_last_blocks() -> None:
    made = make_timm(ModelOptions(backbone="test_vit"), True, (96, 64))
    assert isinstance(made.module, Pyramid)
    levels = made.module.levels
    assert isinstance(levels, nn.Module)
    assert list(levels.feature_info.out_indices) == [3, 4, 5]  # type: ignore[union-attr, arg-type]


def test_a_name_may_carry_the_tag_of_its_weights() -> None:
    plain, tagged = (
        make_timm(ModelOptions(backbone=name, channels=3), True, (64, 40))
        for name in ("test_resnet", "test_resnet.r160_in1k")
    )
    assert tagged.module.state_dict().keys() == plain.module.state_dict().keys()
    assert (tagged.mean, tagged.std) == (plain.mean, plain.std)


@pytest.mark.parametrize(
    ("name", "maps", "expected"),
    [
        ("resnet18.a1_in1", True, "timm has no weights of resnet18 tagged 'a1_in1'; did you mean 'a1_in1k'"),
        ("test_resnett.r160_in1k", True, "timm has no model called 'test_resnett'; did you mean 'test_resnet'"),
        ("nest_tiny", False, r"nest_tiny takes no images of 100x76 px: .*; it was made for 224x224 px: set crop.width"),
    ],
)
def test_what_timm_cannot_do_is_one_line_with_its_remedy(name: str, maps: bool, expected: str) -> None:
    with pytest.raises(UsageError, match=expected) as caught:
        make_timm(ModelOptions(backbone=name), maps, (100, 76))
    assert "\n" not in str(caught.value)


class Places(nn.Module):
    """Levels whose two channels are the x and y, in px, of each cell's middle in the image as they see it."""

    def __init__(self, strides: Sequence[int], trim: int = 0) -> None:
        super().__init__()
        self.strides, self.trim = strides, trim

    def forward(self, images: torch.Tensor) -> list[torch.Tensor]:
        out = []
        for stride in self.strides:
            height, width = ((side - 2 * self.trim + stride - 1) // stride for side in images.shape[-2:])
            x, y = ((torch.arange(n) + 0.5) * stride - 0.5 + self.trim for n in (width, height))
            grid = torch.stack([x.expand(height, width), y[:, None].expand(height, width)])
            out.append(grid.expand(len(images), -1, -1, -1))
        return out


def laid_over(levels: nn.Module, strides: Sequence[int], size: tuple[int, int], **more: object) -> torch.Tensor:
    """(2, h, w): where the cells of a pyramid over these levels are, in px, averaged over its levels."""
    pyramid = Pyramid(levels, [2] * len(strides), strides, features=2, **more)  # type: ignore[arg-type]
    pyramid.join = nn.Sequential()
    for lateral in pyramid.lateral:
        assert isinstance(lateral, nn.Conv2d)
        nn.init.dirac_(lateral.weight)
    with torch.no_grad():
        out: torch.Tensor = pyramid(torch.zeros(1, 1, size[1], size[0]))[0] / len(strides)
    return out


def middles(size: tuple[int, int], stride: int) -> tuple[np.ndarray, np.ndarray]:
    """x and y, in px, of the cells that divide an image evenly."""
    cells = -(-size[0] // stride), -(-size[1] // stride)
    line = np.arange(max(cells), dtype=np.float64)
    places = resize(cells, size)(np.stack([line, line], -1))
    return places[: cells[0], 0], places[: cells[1], 1]


@pytest.mark.parametrize(
    ("strides", "size"),
    [([8], (100, 76)), ([16], (100, 76)), ([8, 16], (112, 120)), ([16, 32], (75, 101)), ([14], (96, 64))],
)
def test_maps_lie_over_the_image_whatever_its_sides(strides: list[int], size: tuple[int, int]) -> None:
    """Each cell says where it is, so a map tells how far off it was put: nowhere, but within its outermost cells."""
    for padding in (Padding(), padding_to(max(strides), size)):
        offset = torch.tensor([padding.left, padding.top]).view(2, 1, 1)
        found = (laid_over(Places(strides), strides, size, padding=padding) - offset).numpy()
        x, y = middles(size, strides[0])
        edge = -(-max(strides) // strides[0])
        inner = slice(edge, -edge)
        assert found.shape[1:] == (len(y), len(x))
        assert found[0, inner, inner] == pytest.approx(np.broadcast_to(x, found.shape[1:])[inner, inner], abs=1e-3)
        assert found[1, inner, inner] == pytest.approx(
            np.broadcast_to(y[:, None], found.shape[1:])[inner, inner], abs=1e-3
        )


def test_levels_that_end_before_the_image_are_refused_or_taken_as_central() -> None:
    size = (104, 88)
    with pytest.raises(ValueError, match="stride 8 leave out an edge"):
        laid_over(Places([8], trim=8), [8], size)
    found = laid_over(Places([8], trim=8), [8], size, trimmed=True).numpy()
    x, y = middles(size, 8)
    assert found[0, 5, 1:-1] == pytest.approx(x[1:-1], abs=1e-3)
    assert found[1, 1:-1, 5] == pytest.approx(y[1:-1], abs=1e-3)


def test_padding_is_even_and_enough() -> None:
    assert padding_to(32, (96, 64)) == (0, 0, 0, 0)
    assert padding_to(16, (97, 75)) == (7, 8, 2, 3)
    assert padding_to(14, (97, 75)).grown((97, 75)) == (98, 84)


@pytest.mark.parametrize(("features", "times", "out"), [(128, 2, 64), (128, 4, 32), (48, 2, FEWEST), (20, 4, 20)])
def test_finer_maps_are_so_many_times_finer(features: int, times: int, out: int) -> None:
    upsample = Upsample(features, times)
    assert upsample.features == out
    assert upsample(torch.randn(3, features, 5, 7)).shape == (3, out, 5 * times, 7 * times)


@pytest.mark.parametrize("times", [2, 4])
def test_finer_cells_lie_where_the_image_is_resized_to(times: int) -> None:
    """Coarse cells that say where they are, passed on unchanged, say where the fine ones are: no half cell of drift."""
    width, height = 9, 7
    upsample = Upsample(2, times).eval()
    for module in upsample.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.dirac_(module.weight)
    x, y = torch.arange(width).expand(height, width), torch.arange(height)[:, None].expand(height, width)
    with torch.no_grad():
        found = upsample(torch.stack([x, y]).float()[None])[0].numpy()
    line = np.arange(width * times, dtype=np.float64)
    wanted = resize((width * times, height * times), (width, height))(np.stack([line, line], -1))
    inner = slice(times, -times)  # at the border the outermost coarse cell is repeated
    assert found[0, times, inner] == pytest.approx(wanted[inner, 0], abs=1e-3)
    assert found[1, inner, times] == pytest.approx(wanted[: height * times, 1][inner], abs=1e-3)


@pytest.mark.parametrize("times", [2, 4])
def test_finer_maps_of_a_mirrored_map_are_mirrored(times: int) -> None:
    """With mirrored kernels, to the border: a drift would go the same way in both."""
    torch.manual_seed(5)
    upsample, mirrored = Upsample(6, times).eval(), Upsample(6, times).eval()
    mirrored.load_state_dict({n: t.flip(-1) if t.ndim == 4 else t for n, t in upsample.state_dict().items()})
    maps = torch.randn(2, 6, 5, 7)
    with torch.no_grad():
        assert torch.allclose(mirrored(maps.flip(-1)).flip(-1), upsample(maps), atol=1e-5)


def test_muon_may_have_the_kernels_of_finer_maps() -> None:
    model = nn.Sequential(nn.Conv2d(1, 12, 3, bias=False), Upsample(12, 4))
    (muon,) = (o for o in make_optimizers(model, TrainOptions(optimizer="muon")) if isinstance(o, Muon))
    assert len(muon.param_groups[0]["params"]) == 4
