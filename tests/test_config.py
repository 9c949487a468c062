"""Law: a setting is what the user wrote or an error that says so; every setting that can move a score is digested."""

from __future__ import annotations

from pathlib import Path
from typing import Any, get_args

import pytest
import tomli_w
from pydantic import BaseModel

from kptool.competitions import find, names, read_recipe
from kptool.config import Competition, Recipe, apply_set, differences, flat, parse, read_toml
from kptool.config.recipe import DEFAULTS
from kptool.errors import UsageError

SHIPPED = [(name, recipe) for name in names() for recipe in find(name).recipes]


def refused(settings: list[str], table: dict[str, Any] | None = None) -> str:
    with pytest.raises(UsageError) as caught:
        parse(Recipe, apply_set(table or {}, settings), "--set")
    assert caught.value.exit_code == 2
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize(
    ("setting", "key", "remedy"),
    [
        ("train.epoch=3", "train.epoch", "did you mean 'epochs'?"),
        ("trian.epochs=3", "trian", "did you mean 'train'?"),
        ("augment.mirorr=0", "augment.mirorr", "did you mean 'mirror'?"),
        ("zzz=1", "zzz", "known: augment, crop, data, folds, image, model, name, predict, seed, train"),
    ],
)
def test_an_unknown_key_is_refused_with_the_closest_one(setting: str, key: str, remedy: str) -> None:
    assert refused([setting]) == f"--set: unknown key '{key}'; {remedy}"


@pytest.mark.parametrize(
    ("setting", "key", "value"),
    [
        ("train.epochs=7", "train.epochs", 7),
        ("train.lr=1e-3", "train.lr", 0.001),
        ("train.lr=3", "train.lr", 3.0),
        ("augment.rotate = 12.5", "augment.rotate", 12.5),
        ("model.backbone=resnet18", "model.backbone", "resnet18"),
        ('model.backbone="resnet18"', "model.backbone", "resnet18"),
        ("model.weights=/tmp/a=b c.safetensors", "model.weights", "/tmp/a=b c.safetensors"),
        ("train.schedule=one-cycle", "train.schedule", "one-cycle"),
        ("model.pretrained=true", "model.pretrained", True),
        ("predict.mirror=false", "predict.mirror", False),
        ("seed=41", "seed", 41),
        ("name=mine", "name", "mine"),
        ("crop.width=112", "crop.width", 112),
        ('model.layers=["conv 16 7", "relu"]', "model.layers", ["conv 16 7", "relu"]),
        ("model.layers=[]", "model.layers", []),
    ],
)
def test_set_puts_in_ints_floats_strings_and_bools(setting: str, key: str, value: object) -> None:
    found = flat(parse(Recipe, apply_set({}, [setting]), "--set"))[key]
    assert found == value
    assert type(found) is type(value)


@pytest.mark.parametrize("setting", ["train.epochs", "=3", " =3", "train.epochs 3", ""])
def test_set_without_key_and_value_is_refused(setting: str) -> None:
    assert "--set train.epochs=30" in refused([setting])


@pytest.mark.parametrize("setting", ["seed.x=1", "train.epochs.x=1", "name.first=a"])
def test_set_below_a_value_is_refused(setting: str) -> None:
    assert "is no section" in refused([setting], Recipe().model_dump())


@pytest.mark.parametrize(
    ("setting", "key"),
    [
        ("train=3", "train is 3"),
        ("train.epochs=-1", "train.epochs is -1"),
        ("train.epochs=2.5", "train.epochs is 2.5"),
        ("train.epochs=many", "train.epochs is 'many'"),
        ("train.loss=huber", "train.loss is 'huber'"),
        ("train.lr=nan", "train.lr is nan"),
        ("train.lr=-1", "train.lr is -1"),
        ("augment.mirror=1.5", "augment.mirror is 1.5"),
        ("augment.mirror=nan", "augment.mirror is nan"),
        ("augment.scale=1", "augment.scale is 1"),
        ("model.channels=2", "model.channels is 2"),
        ("folds.count=1", "folds.count is 1"),
        ("seed=-1", "seed is -1"),
        ("crop.margin=-0.5", "crop.margin is -0.5"),
        ("crop.box=face", "crop.box is 'face'"),
        ("model.layers=conv", "model.layers is 'conv'"),
        ("model.layers=[3]", "model.layers.0 is 3"),
        ("data.on_bad=ignore", "data.on_bad is 'ignore'"),
    ],
)
def test_an_impossible_value_is_refused_by_name(setting: str, key: str) -> None:
    assert refused([setting]).startswith(f"--set: {key}; ")


def test_set_leaves_its_argument_alone_and_the_last_word_counts() -> None:
    table = {"train": {"epochs": 3}}
    assert apply_set(table, ["train.epochs=5", "train.epochs=9", "seed=2"]) == {"train": {"epochs": 9}, "seed": 2}
    assert table == {"train": {"epochs": 3}}


def other_values() -> dict[str, object]:
    """For every setting another value that is allowed."""
    recipe, out = Recipe(), dict[str, object]()
    for section, value in recipe:
        fields: dict[str, tuple[type[BaseModel], BaseModel]] = {section: (Recipe, recipe)}
        if isinstance(value, BaseModel):
            fields = {name: (type(value), value) for name in type(value).model_fields}
        for name, (kind, owner) in fields.items():
            old = getattr(owner, name)
            choices = [v for v in get_args(kind.model_fields[name].annotation) if v != old]
            if isinstance(old, bool):
                new: object = not old
            elif name == "edits":
                new = [{"image": "7", "action": "drop", "points": [], "to": []}]
            elif name in ("part", "drop_at"):
                new = [0.25, 0.0, 0.5, 1.0] if name == "part" else [3]
            elif isinstance(old, list):
                new = [*old, "relu"]
            elif choices:
                new = choices[0]
            elif isinstance(old, str):
                new = old + "x"
            else:
                new = old + 1 if isinstance(old, int) else (0.75 * old or 0.25)
            out[name if name == section else f"{section}.{name}"] = new
    return out


def test_the_digest_moves_with_every_setting_but_the_name() -> None:
    # A frame's width is given, because its height and its box mean nothing without one.
    old, others = parse(Recipe, {"crop": {"width": 9}}, "test"), other_values()
    assert set(others) == set(flat(old))
    seen = {old.digest: "default"}
    for key, value in others.items():
        table = apply_set(old.model_dump(), [])
        section, _, last = key.rpartition(".")
        (table[section] if section else table)[last] = value
        # These two go with no other value of a second setting.
        name, other = {"train.drop_at": ("schedule", "step"), "train.views": ("pairs", "all")}.get(key, ("", ""))
        more = [f"train.{name}: {table['train'][name]!r} -> {other!r}"] if name else []
        table["train"] |= {name: other} if name else {}
        new = parse(Recipe, table, "test")
        told = "0 -> 1 edit" if key == "data.edits" else f"{flat(old)[key]!r} -> {value!r}"
        assert differences(old, new) == [*more, f"{key}: {told}"]
        if key == "name":
            assert new.digest == old.digest
        else:
            assert new.digest not in seen, (key, seen.get(new.digest))
            seen[new.digest] = key


# What every setting was when DEFAULTS took the value beside it: runs made since then share digests with these.
PINNED_AT = 1
PINNED: dict[str, object] = {
    "name": "default",
    "seed": 0,
    "data.rows": "all",
    "data.outside": "fail",
    "data.on_bad": "fail",
    "data.edits": [],
    "data.soft": "",
    "data.soft_digest": "",
    "data.soft_weight": 0.5,
    "data.soft_radius": 0.0,
    "data.pairs_from": "file",
    "data.pairs_per_person": 10,
    "crop.width": 0,
    "crop.height": 0,
    "crop.box": "auto",
    "crop.margin": 0.2,
    "crop.aspect": "keep",
    "crop.part": [0.0, 0.0, 1.0, 1.0],
    "crop.slack": 0.2,
    "crop.outside": "keep",
    "image.contrast": "none",
    "image.low": 2.0,
    "image.high": 98.0,
    "image.clahe_clip": 2.0,
    "image.clahe_tiles": 8,
    "model.backbone": "kptiny",
    "model.layers": [],
    "model.head": "auto",
    "model.embedding": 0,
    "model.pool": "mean",
    "model.dropout": 0.0,
    "model.start": "middle",
    "model.power": 1.0,
    "model.shrink": 0.05,
    "model.init": "torch",
    "model.upsample": 1,
    "model.sigma": 2.0,
    "model.bins": 2.0,
    "model.width": 32,
    "model.channels": 1,
    "model.per_scheme": True,
    "model.pretrained": False,
    "model.weights": "",
    "train.epochs": 16,
    "train.batch_size": 64,
    "train.optimizer": "auto",
    "train.lr": 0.002,
    "train.momentum": 0.9,
    "train.muon_lr": 0.15,
    "train.weight_decay": 0.01,
    "train.schedule": "linear",
    "train.warmup": 0.05,
    "train.loss": "auto",
    "train.loss_scale": 1.0,
    "train.pairs": "given",
    "train.views": 1,
    "train.temperature": 0.1,
    "train.label_clip": 0.0,
    "train.drop_at": [],
    "train.ema": 0.0,
    "train.clip": 0.0,
    "train.patience": 0,
    "train.keep": "last",
    "train.evaluate_every": 1,
    "train.precision": "auto",
    "augment.rotate": 15.0,
    "augment.scale": 0.12,
    "augment.stretch": 0.05,
    "augment.shift": 0.06,
    "augment.mirror": 0.5,
    "augment.crop": 0.0,
    "augment.high_pass": 0.0,
    "augment.high_pass_window": 4,
    "augment.low_pass": 0.0,
    "augment.low_pass_window": 32,
    "augment.brightness": 0.15,
    "augment.contrast": 0.2,
    "augment.shear": 0.0,
    "folds.count": 5,
    "folds.near_duplicates": True,
    "folds.stratify": True,
    "predict.mirror": True,
    "predict.shift": 2.0,
    "predict.scale": 0.0,
}


def test_a_default_changes_only_with_the_number_that_digests_hold() -> None:
    """A digest leaves out what is the default: were a default changed alone, two recipes would share a digest."""
    now = flat(Recipe())
    changed = [f"{key}: {value!r} -> {now[key]!r}" for key, value in PINNED.items() if key in now and now[key] != value]
    assert not changed, (
        f"add 1 to DEFAULTS in recipe.py and to PINNED_AT here, and write the new defaults here: {changed}"
    )
    assert DEFAULTS == PINNED_AT, "DEFAULTS counts the changes of defaults: write the same number in PINNED_AT"
    assert set(now) == set(PINNED), (
        "write new settings with their defaults into PINNED, and take out those that are gone"
    )


def test_equal_recipes_have_one_digest_and_no_differences() -> None:
    assert Recipe().digest == parse(Recipe, Recipe().model_dump(), "test").digest
    assert parse(Recipe, {"augment": {"rotate": 15}}, "test").digest == Recipe().digest
    assert differences(Recipe(), Recipe()) == []


@pytest.mark.parametrize(("competition", "recipe"), SHIPPED)
def test_every_shipped_recipe_survives_toml(competition: str, recipe: str, tmp_path: Path) -> None:
    found = read_recipe(find(competition), recipe)
    file = tmp_path / f"{recipe}.toml"
    file.write_text(tomli_w.dumps(found.model_dump()))
    again = read_recipe(find(competition), str(file))
    assert again == found
    assert again.digest == found.digest


@pytest.mark.parametrize("name", names())
def test_every_shipped_competition_survives_toml(name: str, tmp_path: Path) -> None:
    found = find(name).competition
    assert found.slug == name
    (tmp_path / "competition.toml").write_text(tomli_w.dumps(found.model_dump(exclude_none=True)))
    assert find(str(tmp_path)).competition == found


def test_bad_toml_is_one_line_that_names_file_and_place(tmp_path: Path) -> None:
    file = tmp_path / "mine.toml"
    file.write_text("seed = 3\n[train]\nepochs : 4\n")
    with pytest.raises(UsageError, match=r"mine\.toml: .*line 3") as caught:
        read_recipe(find("demo"), str(file))
    assert "\n" not in str(caught.value)
    file.write_bytes(b"name = '\xff\xfe'\n")
    with pytest.raises(UsageError, match=r"mine\.toml"):
        read_toml(file)
    with pytest.raises(UsageError, match=r"none\.toml"):
        read_toml(tmp_path / "none.toml")


def test_a_wrong_key_in_a_file_is_blamed_on_the_file_and_one_in_set_on_set(tmp_path: Path) -> None:
    file = tmp_path / "mine.toml"
    file.write_text("[train]\nepoch = 4\n")
    with pytest.raises(UsageError, match=r"mine\.toml: unknown key 'train\.epoch'; did you mean 'epochs'"):
        read_recipe(find("demo"), str(file), ["train.lr=1"])
    with pytest.raises(UsageError, match=r"^--set: unknown key"):
        read_recipe(find("demo"), "default", ["train.epoch=1"])


def test_a_misspelt_competition_or_recipe_gets_the_closest_one() -> None:
    with pytest.raises(UsageError, match="did you mean 'facial-keypoints-detection'"):
        find("facial-keypoint-detection")
    with pytest.raises(UsageError, match="did you mean 'default'"):
        read_recipe(find("demo"), "defualt")


def test_a_competition_with_a_misspelt_pair_is_refused() -> None:
    table = find("demo").competition.model_dump(exclude_none=True) | {"pairs": [["left_eye_centre", "nose_tip"]]}
    with pytest.raises(UsageError, match="did you mean 'left_eye_center'"):
        parse(Competition, table, "competition.toml")


# --- competitions ---

EYES = {
    "slug": "eyes",
    "title": "Eyes",
    "format": "dlib",
    "points": ["nose", "left_in", "left_out", "right_in", "right_out"],
    "pairs": [["left_in", "right_in"], ["left_out", "right_out"]],
}
PAIR = ["left_out", "right_out"]
PUPILS = [["left_in", "left_out"], ["right_in", "right_out"]]


def competition(**more: object) -> Competition:
    return parse(Competition, EYES | more, "competition.toml")


@pytest.mark.parametrize(
    ("normaliser", "needs", "given"),
    [("inter-ocular", "scale_pair", PAIR), ("inter-pupil", "pupils", PUPILS)],
)
def test_a_metric_needs_the_points_it_divides_by(normaliser: str, needs: str, given: object) -> None:
    nme: dict[str, object] = {"metric": "nme", "normaliser": normaliser}
    with pytest.raises(UsageError, match=f"'nme' by {normaliser} needs {needs}") as caught:
        competition(**nme)
    assert "\n" not in str(caught.value)
    assert competition(**nme, **{needs: given}).metric == "nme"
    both: dict[str, object] = {"scale_pair": PAIR, "pupils": PUPILS}
    with pytest.raises(UsageError, match=f"needs {needs}"):  # another one's points do not serve
        competition(**nme, **{key: value for key, value in both.items() if key != needs})
    with pytest.raises(UsageError, match=f"needs {needs}"):  # nor do points that are not learned
        competition(**nme, **both, only=["nose"])
    for metric in ("rmse", "mae"):
        assert competition(metric=metric, normaliser=normaliser).metric == metric


@pytest.mark.parametrize("normaliser", ["box", "diagonal"])
def test_a_box_needs_no_points(normaliser: str) -> None:
    assert competition(metric="nme", normaliser=normaliser).normaliser == normaliser


def test_points_of_a_normaliser_must_exist() -> None:
    for key, wrong in (("scale_pair", ["left_out", "rihgt_out"]), ("pupils", [["left_in"], ["rihgt_out"]])):
        with pytest.raises(UsageError, match="did you mean 'right_out'"):
            competition(**{key: wrong})
    with pytest.raises(UsageError, match="did you mean 'nose'"):
        competition(only=["nsoe"])


@pytest.mark.parametrize(
    ("person", "told"), [("^([0-9]+-", "is no regular expression"), ("^[0-9]+-", "needs a group in parentheses")]
)
def test_a_pattern_that_finds_no_person_is_refused(person: str, told: str) -> None:
    with pytest.raises(UsageError, match=told) as caught:
        competition(person=person)
    assert str(caught.value).startswith(f"competition.toml: person is {person!r}; ")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("person", ["", r"^(\d+)-"])
def test_a_pattern_with_a_group_is_taken(person: str) -> None:
    assert competition(person=person).person == person


def test_only_a_competition_with_test_files_has_something_to_submit() -> None:
    assert {name for name in names() if not find(name).competition.has_test} == {"imm-faces", "imm-nose", "lfw-view2"}
    assert not competition().has_test
    assert competition(test="labels_test.xml").has_test


def test_what_the_files_call_the_points_follows_their_own_order() -> None:
    assert competition(only=["right_in", "nose"]).names_in_files == ("right_in", "nose")
    assert competition(numbered=True, only=["right_in", "nose"]).names_in_files == ("03", "00")
    assert competition(numbered=True).names_in_files == ("00", "01", "02", "03", "04")
    many = [f"p{k}" for k in range(101)]
    assert competition(points=many, pairs=[], numbered=True).names_in_files[-1] == "100"
    assert competition(points=many, pairs=[], numbered=True).names_in_files[7] == "007"


@pytest.mark.parametrize("setting", ["crop.height=40", 'crop.box="file"'])
def test_crop_settings_that_would_do_nothing_are_refused(setting: str) -> None:
    with pytest.raises(UsageError, match=r"without crop\.width; set crop\.width too"):
        parse(Recipe, apply_set({}, [setting]), "--set")
    parse(Recipe, apply_set({}, [setting, "crop.width=40"]), "--set")


@pytest.mark.parametrize("text", ["edit = " + "[" * 5000, f"seed = {'9' * 5000}"])
def test_a_file_too_deep_or_a_number_too_long_is_one_line(text: str, tmp_path: Path) -> None:
    file = tmp_path / "deep.toml"
    file.write_text(text)
    with pytest.raises(UsageError, match="mend or name another file"):
        read_toml(file)
    refused([f"seed={text.partition(' = ')[2]}"])
