"""Law: the competitions of photos name their points as the pictures show them; their recipes build the nets told."""

from __future__ import annotations

import os
import re
from functools import cache
from pathlib import Path

import numpy as np
import pytest
import torch

from kptool.competitions import find, names, read_recipe
from kptool.config import Recipe
from kptool.geometry import Floats
from kptool.models.net import build
from kptool.schema import check_mirror, mirror_points

PHOTOS = ["ibug-300w", "imm-faces", "imm-nose"]
SEEDS = [(name, recipe) for name in PHOTOS for recipe in find(name).recipes if recipe.startswith("seed-")]
# Parameters of backbone and head: layers that the sources print, or count up to with what their comments chose.
COUNTS = {
    "seed-nosenet12-lr1e-3": 122_650, "seed-nosenet12-lr5e-5": 122_650, "seed-nosenet16-lr5e-5": 125_250,
    "seed-facenet-lr2e-5": 1_309_625, "seed-resnet18-mse": 11_240_008, "seed-resnet18-smooth-l1": 11_240_008,
}  # fmt: skip


def folder(variable: str) -> Path:
    named = os.environ.get(variable)
    if not named:
        pytest.skip(f"{variable} names no folder")
    return Path(named)


@cache
def imm(root: Path) -> tuple[list[str], Floats]:
    """(240, 58, 2) px by name: lines of 7 or 10 fields, of which the third and fourth are fractions of 640, 480."""
    files = sorted(root.glob("*.asf"))
    lines = [[line.split() for line in file.read_text().splitlines() if not line.startswith("#")] for file in files]
    points = [[[float(f[2]) * 640, float(f[3]) * 480] for f in fields if len(f) in (7, 10)] for fields in lines]
    return [file.stem for file in files], np.array(points)


@cache
def ibug(root: Path) -> Floats:
    """(2012, 68, 2) px, parts in file order."""
    text = (root / "labels_ibug_300W_train.xml").read_text(encoding="iso-8859-1")
    parts = re.findall(r"<part name='(\d\d)' x='(-?\d+)' y='(-?\d+)'/>", text)
    table = np.array(parts, dtype=np.float64).reshape(-1, 68, 3)
    assert (table[..., 0] == np.arange(68)).all()
    return table[..., 1:]


# --- competitions ---


def test_they_are_shipped_with_recipes() -> None:
    assert set(PHOTOS) <= set(names())
    assert len(SEEDS) == 11


@pytest.mark.parametrize(("name", "count", "middle"), [("imm-faces", 58, 4), ("ibug-300w", 68, 10)])
def test_points_pairs_and_drawing_are_whole(name: str, count: int, middle: int) -> None:
    schema = find(name).competition.schema_of_points
    assert len(schema.points) == count
    alone = [point for k, point in enumerate(schema.points) if schema.mirror[k] == k]
    assert len(alone) == middle, alone
    assert {k for edge in schema.edges for k in edge} == set(range(count))
    mirrored = {frozenset(schema.mirror[k] for k in edge) for edge in schema.edges}
    assert mirrored == {frozenset(edge) for edge in schema.edges}, "a drawing of a face is symmetric"
    assert schema.pupils is not None
    assert {schema.mirror[k] for k in schema.pupils[0]} == set(schema.pupils[1])
    assert schema.scale_pair is not None
    assert schema.mirror[schema.scale_pair[0]] == schema.scale_pair[1]
    for point, partner in zip(schema.points, schema.mirror, strict=True):
        other = "".join({"left": "right", "right": "left"}.get(part, part) for part in re.split("(left|right)", point))
        assert re.sub(r"\d", "", other) == re.sub(r"\d", "", schema.points[partner])


def test_the_300_w_scheme_keeps_its_numbers() -> None:
    competition = find("ibug-300w").competition
    assert [int(point[-2:]) for point in competition.points] == list(range(68))
    schema = competition.schema_of_points
    assert schema.scale_pair == (36, 45)
    assert schema.pupils == (tuple(range(36, 42)), tuple(range(42, 48)))
    assert schema.mirror[:17] == tuple(range(16, -1, -1))
    assert (competition.form, competition.header, competition.metric) == ("long", "Id,Predicted", "nme")


def test_the_nose_is_one_of_the_faces_points() -> None:
    faces, nose = find("imm-faces").competition, find("imm-nose").competition
    assert nose.points == faces.points
    assert nose.pairs == faces.pairs
    assert nose.points.index(nose.only[0]) == 58 - 6
    assert nose.schema_of_points.points == ("nose_base",)
    assert nose.schema_of_points.mirror == (0,)


@pytest.mark.parametrize("name", ["imm-faces", "imm-nose"])
def test_a_picture_tells_its_person(name: str) -> None:
    pattern = find(name).competition.person
    persons = [re.search(pattern, file) for file in ("01-1m.jpg", "33-6f.jpg", "1m.jpg")]
    assert [found and found.group(1) for found in persons] == ["01", "33", None]


# --- recipes ---


@pytest.mark.parametrize(("name", "recipe"), SEEDS)
def test_a_seed_net_is_built_and_answers(name: str, recipe: str) -> None:
    found = find(name)
    made, points = read_recipe(found, recipe), len(found.competition.schema_of_points.points)
    size = made.crop.width, made.crop.height or made.crop.width
    net = build(made.model, points, 1, size).eval()
    with torch.no_grad():
        raw = net(torch.zeros(2, 1, size[1], size[0], dtype=torch.uint8))
        answer, _ = net.head.decode(raw, torch.zeros(2, dtype=torch.long))
    assert answer.shape == (2, points, 2)
    count = sum(p.numel() for part in (net.backbone, net.head) for p in part.parameters())
    assert COUNTS.get(recipe, count) == count


@pytest.mark.parametrize(("name", "recipe"), SEEDS)
def test_a_seed_recipe_is_plain_adam_on_plain_views(name: str, recipe: str) -> None:
    made = read_recipe(find(name), recipe)
    train, views = made.train, made.predict
    assert (train.optimizer, train.weight_decay, train.schedule, train.warmup) == ("adamw", 0, "constant", 0)
    assert (views.mirror, views.shift, made.model.per_scheme, train.ema) == (False, 0, False, 0)
    told = re.search(r"-lr(\S+)", recipe)
    assert told is None or train.lr == float(told[1])
    if name.startswith("imm"):
        assert train.batch_size == 1
        assert (made.crop.box, made.crop.width * 3, train.loss) == ("image", made.crop.height * 4, "mse")
    if name == "imm-nose":
        assert Recipe().augment != made.augment
        sizes = {"high_pass_window", "low_pass_window"}  # of what is off
        assert not any(made.augment.model_dump(exclude=sizes).values())


# --- real labels ---


@pytest.mark.parametrize("view", ["frontal", "all"])
def test_imm_pairs_agree_with_the_mean_face(view: str) -> None:
    stems, points = imm(folder("KPTOOL_DATA_IMM"))
    assert points.shape == (240, 58, 2)
    rows = [view == "all" or stem[3] in "125" for stem in stems]
    assert sum(rows) == (240 if view == "all" else 120)
    agrees("imm-faces", points[rows])


def test_300_w_pairs_agree_with_the_mean_face() -> None:
    points = ibug(folder("KPTOOL_DATA_IBUG"))
    assert points.shape == (2012, 68, 2)
    agrees("ibug-300w", points)


def agrees(name: str, points: Floats) -> None:
    """The pairs pass `check_mirror`; and each point of the mean face, mirrored, lands nearest to its partner."""
    schema = find(name).competition.schema_of_points
    check_mirror(schema, points)
    mean = points.mean(0)
    assert schema.scale_pair is not None
    left, right = schema.scale_pair if "left" in schema.points[schema.scale_pair[0]] else schema.scale_pair[::-1]
    assert mean[left, 0] > mean[right, 0], "the person's left is the picture's right"
    middle = (mean[:, 0].max() + mean[:, 0].min()) / 2
    turned = np.stack([2 * middle - mean[:, 0], mean[:, 1]], axis=-1)
    shape = mirror_points(turned, schema)
    shape += (mean - shape).mean(0)
    nearest = np.linalg.norm(shape[:, None] - mean, axis=-1).argmin(1)
    assert (nearest == np.arange(len(mean))).all(), nearest


def test_the_names_of_imm_say_where_points_stand() -> None:
    stems, points = imm(folder("KPTOOL_DATA_IMM"))
    schema = find("imm-faces").competition.schema_of_points
    mean = points[[stem[3] == "1" for stem in stems]].mean(0)
    x, y = (dict(zip(schema.points, mean[:, axis], strict=True)) for axis in (0, 1))
    for side, outward in (("left", 1), ("right", -1)):
        eye, brow, nose = f"{side}_eye", f"{side}_brow", f"nose_{side}"
        upper, lower = (
            [f"{eye}_{half}_{part}" for part in ("inner", "middle", "outer")] for half in ("upper", "lower")
        )
        for half in (upper, lower):
            row = [f"{eye}_inner_corner", *half, f"{eye}_outer_corner"]
            assert (np.diff([outward * x[point] for point in row]) > 0).all()
        assert all(y[high] < y[low] for high, low in zip(upper, lower, strict=True))
        row = [f"{brow}_{part}" for part in ("inner_end", "inner", "middle", "outer", "outer_end")]
        assert (np.diff([outward * x[point] for point in row]) > 0).all()
        assert max(y[point] for point in row) < y[f"{eye}_lower_middle"]
        down = [f"{nose}_{part}" for part in ("bridge", "side", "wing_top", "wing", "nostril")]
        assert (np.diff([y[point] for point in [*down, "nose_base"]]) > 0).all()
        assert outward * (x[f"mouth_{side}_corner"] - x["upper_lip_middle"]) > 0
        assert outward * (x[f"lower_lip_{side}"] - x["lower_lip_middle"]) > 0
    assert max(y, key=y.__getitem__) == "jaw_06"
    assert y["nose_base"] < y["upper_lip_middle"] < y["lower_lip_middle"]
