"""Law: an edit changes what is trained on and nothing else; every edit is done, told to be idle, or refused by name."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from own_competition import Own, write_own
from photo_competition import write_photos
from rich.console import Console
from test_cli import run_kptool

from kptool.competitions import change_recipe, find, read_recipe
from kptool.config import Edit, Recipe, differences, parse
from kptool.dataset import Dataset
from kptool.edits import apply_edits, check_edits, count_actions, read_edits, write_edits
from kptool.engine import cross_validate, of_points
from kptool.engine.fit import fit
from kptool.engine.history import read_history
from kptool.engine.state import Job
from kptool.errors import UsageError
from kptool.geometry import Floats, identity
from kptool.intake import Intake, take_in
from kptool.models.net import Net
from kptool.pixels import Arrays
from kptool.predictions import read_points, read_predictions
from kptool.report import build, to_json
from kptool.report.load import load
from kptool.report.terminal import render
from kptool.runs import Run, open_run
from kptool.schema import make_schema
from kptool.tasks.keypoints import Keypoints

W, H, N, B = 44, 36, 23, 5
SCHEMA = make_schema("faces", ["left", "right", "chin"], [("left", "right")])
DROP = Edit(image="f3", action="drop", reason="two faces")
MASK = Edit(image="f7", action="mask", points=["chin"])
MOVE = Edit(image="f1", action="move", points=["right", "left"], to=[[10.25, 11.0], [30.0, -2.5]], reason="swapped")
EVERY = [DROP, MASK, MOVE]
RECIPE = Recipe.model_validate(
    {"model": {"width": 8}, "train": {"epochs": 2, "batch_size": B, "precision": "fp32"}, "predict": {"shift": 0.0}}
)


def points_of(count: int = N) -> Floats:
    points = np.random.default_rng(4).uniform([6, 6], [W - 7, H - 7], (count, len(SCHEMA.points), 2))
    points[11, 0] = np.nan
    points[5] = np.nan
    return points


def dataset() -> Dataset:
    images = np.random.default_rng(0).integers(0, 256, (N, 1, H, W), dtype=np.uint8)
    return Dataset(np.array([f"f{n}" for n in range(N)]), images, points_of(), SCHEMA, "digest")


def edited(edits: list[Edit]) -> Floats:
    data = dataset()
    return apply_edits(edits, data, data.ids).points


def notes(*edits: Edit) -> list[str]:
    data = dataset()
    return apply_edits(edits, data, data.ids).notes


# --- meaning ---


def test_each_action_does_what_it_says_and_the_data_stays_as_read() -> None:
    data = dataset()
    before = data.points.copy()
    found = apply_edits(EVERY, data, data.ids).points
    np.testing.assert_array_equal(data.points, before)
    expected = before.copy()
    expected[3] = np.nan
    expected[7, 2] = np.nan
    expected[1, 1], expected[1, 0] = (10.25, 11.0), (30.0, -2.5)
    np.testing.assert_array_equal(found, expected)
    everything = [Edit(image="f7", action="mask")]
    assert np.isnan(edited(everything)[7]).all()
    np.testing.assert_array_equal(edited(everything)[8:], before[8:])


def test_the_order_of_edits_means_nothing() -> None:
    np.testing.assert_array_equal(edited(EVERY), edited(EVERY[::-1]))
    there, back = (
        parse(Recipe, {"data": {"edits": [edit.model_dump() for edit in edits]}}, "test")
        for edits in (EVERY, EVERY[::-1])
    )
    assert there.digest == back.digest
    assert differences(there, back) == []


def test_what_was_done_is_told() -> None:
    assert notes() == []
    assert notes(*EVERY) == ["3 label edits: 1 row dropped, 1 point masked, 2 points moved"]
    assert notes(DROP, Edit(image="f4", action="drop"), Edit(image="f6", action="mask")) == [
        "3 label edits: 2 rows dropped, 3 points masked"
    ]


@pytest.mark.parametrize(
    ("edit", "why"),
    [
        (Edit(image="f5", action="drop"), "nothing of image 'f5' is labelled"),
        (Edit(image="f11", action="mask", points=["left"]), "left of image 'f11' is not labelled"),
        (
            Edit(image="f2", action="move", points=["chin"], to=[points_of()[2, 2].tolist()]),
            "image 'f2' is labelled so already",
        ),
    ],
)
def test_an_edit_that_changes_nothing_is_told_and_not_refused(edit: Edit, why: str) -> None:
    np.testing.assert_array_equal(edited([edit]), points_of())
    assert notes(edit) == ["1 label edit: nothing changed", f"label edits that change nothing: edit 1 ({why})"]
    assert notes(DROP, edit)[1:] == [f"label edits that change nothing: edit 2 ({why})"]


def test_idle_edits_are_counted_and_not_all_named() -> None:
    same = [Edit(image="f3", action="mask", points=[p]) for p in SCHEMA.points] * 2
    assert notes(DROP, *same)[1].endswith(
        "edit 2 (another says the same), edit 3 (another says the same), edit 4 (another says the same) and 3 more"
    )


def test_a_point_that_was_not_labelled_can_be_placed() -> None:
    placed = Edit(image="f11", action="move", points=["left"], to=[[3.0, 4.0]])
    assert edited([placed])[11, 0].tolist() == [3.0, 4.0]
    assert notes(placed) == [
        "1 label edit: 1 point moved",
        "1 moved point was not labelled before, and now trained on",
    ]


def test_an_image_that_the_recipe_leaves_out_is_no_error_and_one_that_is_nowhere_is() -> None:
    data = dataset()
    less = data.take(np.arange(N) != 3)
    found = apply_edits([DROP], less, data.ids)
    np.testing.assert_array_equal(found.points, less.points)
    assert "edit 1 (image 'f3' is left out)" in found.notes[1]
    with pytest.raises(UsageError, match=r"no image is called 'f33'; images .* as in 'f3'"):
        apply_edits([Edit(image="f33", action="drop")], data, data.ids)
    with pytest.raises(UsageError, match="reports name them, as in 'f0'"):
        apply_edits([Edit(image="2048", action="drop")], data, data.ids)


@pytest.mark.parametrize(("to", "fits"), [((-W, -H), True), ((-W - 0.1, 0), False), ((2 * W, 0), False)])
def test_a_point_may_leave_its_image_by_no_more_than_the_size(to: tuple[float, float], fits: bool) -> None:
    edit = Edit(image="f2", action="move", points=["left", "chin"], to=[[0.0, 2.0 * H - 0.1], list(to)])
    if fits:
        assert edited([edit])[2, 2].tolist() == list(to)
        return
    with pytest.raises(UsageError, match=r"edit 1: chin of image 'f2' is moved to .* of a 44x36 image"):
        edited([edit])


# --- files ---


def hard() -> list[Edit]:
    name = 'a\\b "c" é\x1b[31m\n\x9b\x7f\t漢😀#.png'
    return [
        Edit(image=name, action="drop", reason=name),
        Edit(image="", action="mask", points=["left", "chin"]),
        Edit(image="1", action="mask"),
        Edit(image="2", action="move", points=["chin"], to=[[np.float64(0.1) + 0.2, -1e-17]]),
        Edit(image="3", action="move", points=["left", "chin"], to=[[1e22, 3], [1 / 3, -0.0]]),
    ]


@pytest.mark.parametrize("edits", [[], EVERY, hard(), hard()[:1]])
def test_edits_come_back_from_their_file(edits: list[Edit], tmp_path: Path) -> None:
    file = tmp_path / "new folder" / "e.toml"
    write_edits(file, edits)
    assert read_edits(file) == edits
    text = file.read_text(encoding="utf-8")
    assert all(c.isprintable() or c == "\n" for c in text)
    write_edits(file, read_edits(file))
    assert file.read_text(encoding="utf-8") == text


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ('[[edit]]\nimage = "1"\naction = "drpo"', "edit 1: action is 'drpo'; did you mean 'drop'?"),
        ('[[edit]]\nimage = 1\naction = "drop"', "edit 1: image is 1; input should be a valid string"),
        ('[[edit]]\naction = "drop"', "edit 1: no key 'image'; it has no default"),
        ('[[edit]]\nimage = "1"\naction = "drop"\nreson = ""', "edit 1: unknown key 'reson'; did you mean 'reason'?"),
        ('[[edit]]\nimage = "1"\naction = "drop"\npoints = ["chin"]', "edit 1: drop takes the whole image"),
        ('[[edit]]\nimage = "1"\naction = "mask"\nto = [[1, 2]]', "edit 1: mask moves nothing, yet has 'to'"),
        ('[[edit]]\nimage = "1"\naction = "move"\nto = [[1, 2]]', "edit 1: move without points"),
        (
            '[[edit]]\nimage = "1"\naction = "move"\npoints = ["chin"]\nto = [[1, 2], [3, 4]]',
            "edit 1: 'points' holds 1 and 'to' 2",
        ),
        ('[[edit]]\nimage = "1"\naction = "move"\npoints = ["chin"]', "edit 1: 'points' holds 1 and 'to' 0"),
        ('[[edit]]\nimage = "1"\naction = "move"\npoints = ["chin"]\nto = [[1]]', "edit 1: [1.0] is no place"),
        ('[[edit]]\nimage = "1"\naction = "move"\npoints = ["chin"]\nto = [[1, nan]]', "edit 1: [1.0, nan] is no"),
        ('[[edit]]\nimage = "1"\naction = "move"\npoints = ["chin"]\nto = [[inf, 1]]', "edit 1: [inf, 1.0] is no"),
        (
            '[[edit]]\nimage = "1"\naction = "mask"\npoints = ["chn"]',
            "edit 1: no point is called 'chn'; did you mean 'chin'",
        ),
        ('[[edit]]\nimage = "1"\naction = "mask"\npoints = ["chin", "chin"]', "edit 1: a point is named twice"),
        ("edit = 3", "the edits are no list of tables"),
        ("edit = [1]", "the edits are no list of tables"),
        ("edits = []", "unknown key 'edits'; did you mean 'edit'?"),
        ("[[edit]\n", "line 1"),
    ],
)
def test_a_bad_file_is_one_line_with_file_edit_and_remedy(text: str, told: str, tmp_path: Path) -> None:
    file = tmp_path / "e.toml"
    file.write_text(text)
    with pytest.raises(UsageError) as caught:
        check_edits(read_edits(file), SCHEMA, str(file))
    assert str(caught.value).startswith(f"{file}: ")
    assert told in str(caught.value)
    assert "\n" not in str(caught.value)


def moved(x: float, points: tuple[str, ...] = ("chin",)) -> Edit:
    return Edit(image="f1", action="move", points=list(points), to=[[x, 1.0]] * len(points))


@pytest.mark.parametrize(
    ("pair", "point"),
    [
        ((moved(1), moved(2)), "chin"),
        ((moved(1), Edit(image="f1", action="drop")), "chin"),
        ((Edit(image="f1", action="mask"), moved(1)), "chin"),
        ((Edit(image="f1", action="mask", points=["left"]), moved(1, ("chin", "left"))), "left"),
    ],
)
def test_two_edits_that_contradict_each_other_are_refused(pair: tuple[Edit, Edit], point: str) -> None:
    for edits in (pair, pair[::-1]):
        with pytest.raises(UsageError) as caught:
            check_edits([MASK, *edits], SCHEMA, "e.toml")
        assert str(caught.value) == f"e.toml: edits 2 and 3 contradict each other about {point} of image 'f1'; keep one"
    check_edits([pair[0], pair[0], moved(1).model_copy(update={"image": "f2"})], SCHEMA, "e.toml")


def test_only_toml_is_read_and_written(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"e\.json is no \.toml file"):
        write_edits(tmp_path / "e.json", [])
    with pytest.raises(UsageError, match=r"e\.json is no \.toml file"):
        read_edits(tmp_path / "e.json")
    with pytest.raises(UsageError, match=r"none\.toml: no such file") as caught:
        read_edits(tmp_path / "none.toml")
    assert "\n" not in str(caught.value)


# --- recipes ---


@pytest.fixture
def own(tmp_path: Path) -> Own:
    return write_own(tmp_path)


OWN = [
    Edit(image="1", action="drop", reason="blurred"),
    Edit(image="2", action="mask", points=["nose", "chin"]),
    Edit(image="5", action="move", points=["left_eye"], to=[[60.5, 40.0]]),
    Edit(image="30", action="mask", points=["left_eye"]),  # not labelled
]


def with_edits(own: Own, edits: list[Edit] = OWN, path: str = "edits.toml") -> Path:
    recipes = own.competition / "recipes"
    write_edits(recipes / path, edits)
    file = recipes / "clean.toml"
    file.write_text((recipes / "default.toml").read_text() + f"\n[data]\nedits = {json.dumps(path)}\n")
    return file


@pytest.mark.parametrize("path", ["edits.toml", "sub/by hand.toml"])
def test_a_recipe_takes_its_edits_in(own: Own, path: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file, found = with_edits(own, path=path), find(str(own.competition))
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    monkeypatch.chdir(elsewhere)  # the recipe's own folder counts, not the current one
    for name in ("clean", str(file)):
        recipe = read_recipe(found, name)
        assert recipe.data.edits == OWN
        assert read_recipe(found, name, ["train.epochs=7"]).data.edits == OWN
        assert read_recipe(found, name, ["data.edits=[]"]).data.edits == []
    assert found.recipes == ["clean", "default"], "edits beside recipes are none"
    write_edits(elsewhere / "mine.toml", OWN[:1])
    assert read_recipe(found, "clean", ["data.edits=mine.toml"]).data.edits == OWN[:1]
    assert read_recipe(found, "default", ["data.edits=../elsewhere/mine.toml"]).data.edits == OWN[:1]
    assert change_recipe(found, recipe, ["data.edits=mine.toml"]).data.edits == OWN[:1]
    one = read_recipe(found, "default", ['data.edits=[{image = "1", action = "drop", reason = "blurred"}]'])
    assert one.data.edits == OWN[:1]


@pytest.mark.parametrize("path", ["../edits.toml", "/tmp/edits.toml", "a/../../edits.toml", "..\\edits.toml"])
def test_a_path_in_a_recipe_stays_in_its_folder(own: Own, path: str) -> None:
    file = own.competition / "recipes" / "clean.toml"
    file.write_text(f"[data]\nedits = {json.dumps(path)}\n")
    with pytest.raises(UsageError, match=r"clean\.toml: data\.edits .* leaves the recipe's folder; put the file"):
        read_recipe(find(str(own.competition)), str(file))


def test_what_is_wrong_with_edits_is_told_of_their_own_file(own: Own) -> None:
    file, found = with_edits(own), find(str(own.competition))
    (file.parent / "edits.toml").write_text('[[edit]]\nimage = "1"\naction = "mask"\npoints = ["left_ey"]\n')
    with pytest.raises(UsageError, match=r"edits\.toml: edit 1: no point is called 'left_ey'; did you mean 'left_eye'"):
        read_recipe(found, "clean", ["train.epochs=3"])
    with pytest.raises(UsageError, match=r"^--set: data\.edits: edit 1: action is 'mvoe'; did you mean 'move'"):
        read_recipe(found, "default", ['data.edits=[{image = "1", action = "mvoe"}]'])
    with pytest.raises(UsageError, match=r"none\.toml: no such file"):
        read_recipe(found, "default", ["data.edits=none.toml"])
    with pytest.raises(UsageError, match=r"^--set: data\.edits is 3"):
        read_recipe(found, "default", ["data.edits=3"])


def test_the_digest_moves_with_every_field_but_the_reason() -> None:
    def recipe(**changes: Any) -> Recipe:
        return parse(Recipe, {"data": {"edits": [MOVE.model_dump() | changes]}}, "test")

    old = recipe()
    others = [
        recipe(image="f2"),
        recipe(points=["left", "right"]),
        recipe(to=[[10.25, 11.0], [30.0, -2.25]]),
        recipe(action="mask", to=[]),
        parse(Recipe, {"data": {"edits": [MOVE.model_dump(), DROP.model_dump()]}}, "test"),
        Recipe(),
    ]
    assert len({old.digest, *(other.digest for other in others)}) == len(others) + 1
    assert recipe(reason="another").digest == old.digest
    assert differences(old, recipe(reason="another")) == []


def test_a_difference_counts_edits_and_does_not_list_them() -> None:
    def recipe(edits: list[Edit]) -> Recipe:
        return parse(Recipe, {"data": {"edits": [edit.model_dump() for edit in edits]}}, "test")

    assert differences(recipe([]), recipe(EVERY)) == ["data.edits: 0 -> 3 edits"]
    assert differences(recipe(EVERY), recipe([])) == ["data.edits: 3 -> 0 edits"]
    assert differences(recipe(EVERY), recipe([DROP])) == ["data.edits: 3 -> 1 edit, 1 in common"]
    assert differences(recipe(EVERY), recipe([*EVERY[:2], moved(3)])) == ["data.edits: 3 -> 3 edits, 2 in common"]


def test_a_shown_recipe_with_edits_can_be_read_back(own: Own, tmp_path: Path) -> None:
    with_edits(own, [*OWN, hard()[0]])
    found = find(str(own.competition))
    said = run_kptool("show", own.competition, "--recipe", "clean", "--set", "train.epochs=9")
    assert said.code == 0, said
    assert all(c.isprintable() or c == "\n" for c in said.out)
    file = tmp_path / "clean.toml"
    file.write_text(said.out, encoding="utf-8")
    recipe = read_recipe(found, str(file))
    assert recipe == read_recipe(found, "clean", ["train.epochs=9"])
    assert recipe.data.edits[:-1] == OWN
    again = run_kptool("show", own.competition, "--recipe", file)
    assert again.out == said.out


# --- training ---


def keypoints(points: Floats, labels: Floats | None = None) -> Keypoints:
    data = dataset()
    arrays = Arrays(data.ids, data.pixels, points, identity(N), SCHEMA, identity(), (W, H))
    return Keypoints(arrays, (np.arange(N) % 2).astype(np.int64), 2, RECIPE, "cpu", "fp32", None, labels)


def loss_and_gradient(task: Keypoints, rows: np.ndarray[Any, Any]) -> tuple[float, list[bytes]]:
    torch.manual_seed(3)
    net = task.model().train()
    loss = task.loss(net, rows, np.random.default_rng(5))
    loss.backward()  # type: ignore[no-untyped-call]
    return float(loss.detach()), [p.grad.numpy().tobytes() for p in net.parameters() if p.grad is not None]


@pytest.mark.parametrize("edits", [[DROP], [MASK], [MOVE], EVERY, [*EVERY, Edit(image="f2", action="mask")]])
def test_training_on_edits_is_training_on_data_that_was_so(edits: list[Edit], tmp_path: Path) -> None:
    """Bit for bit, loss, gradient, baseline and predictions; and the held-out score is of the labels as read."""
    read, wanted = points_of(), edited(edits)
    one, two, plain = keypoints(read, wanted), keypoints(wanted), keypoints(read)
    rows = np.array([3, 7, 1, 2, 11, 5, 20])
    assert loss_and_gradient(one, rows) == loss_and_gradient(two, rows)
    assert loss_and_gradient(one, rows) != loss_and_gradient(plain, rows)
    untouched = np.array([0, 4, 6, 11, 12])
    assert loss_and_gradient(one, untouched) == loss_and_gradient(plain, untouched)
    held_out, training = np.arange(12, N), np.arange(12)
    assert one.baseline(training, held_out) == two.baseline(training, held_out) != plain.baseline(training, held_out)
    for task, name in ((one, "one"), (two, "two")):
        assert fit(Job(tmp_path / name, 0, RECIPE, training, held_out, "cpu", "fp32"), task, lambda _: None)
    assert (tmp_path / "one/oof.parquet").read_bytes() == (tmp_path / "two/oof.parquet").read_bytes()
    losses, others = ([row.loss for row in read_history(tmp_path / n / "history.csv")] for n in ("one", "two"))
    assert losses == others
    net = one.model().eval()
    assert isinstance(net, Net)
    assert one.score(net, np.array([1, 3, 7])) == plain.score(net, np.array([1, 3, 7]))


def test_a_batch_of_dropped_rows_teaches_nothing() -> None:
    rows = np.array([3, 5])
    for task in (keypoints(points_of(), edited([DROP])), keypoints(np.full_like(points_of(), np.nan))):
        loss, gradient = loss_and_gradient(task, rows)
        assert loss == 0
        assert all(not np.frombuffer(one, np.float32).any() for one in gradient)


def taken_in(own: Own, edits: list[Edit], *settings: str) -> tuple[Recipe, Intake]:
    recipe = read_recipe(find(str(own.competition)), "default", list(settings))
    recipe = recipe.model_copy(update={"data": recipe.data.model_copy(update={"edits": edits})})
    return recipe, take_in(find(str(own.competition)), recipe, own.data)


def test_folds_schemes_and_scored_labels_know_no_edits(own: Own) -> None:
    (_, plain), (_, clean) = taken_in(own, []), taken_in(own, OWN)
    assert plain.labels is None
    assert clean.labels is not None
    np.testing.assert_array_equal(clean.folds.fold, plain.folds.fold)
    np.testing.assert_array_equal(clean.folds.group, plain.folds.group)
    assert clean.folds.digest == plain.folds.digest
    np.testing.assert_array_equal(clean.scheme, plain.scheme)
    np.testing.assert_array_equal(clean.dataset.points, plain.dataset.points)
    assert clean.test_mix == plain.test_mix
    done = "4 label edits: 1 row dropped, 2 points masked, 1 point moved"
    idle = "label edits that change nothing: edit 4 (left_eye of image '30' is not labelled)"
    assert [note for note in clean.notes if note not in plain.notes] == [done, idle]
    dropped = clean.dataset.ids.tolist().index("1")
    for fold in range(2):
        rows = plain.folds.train(fold)
        np.testing.assert_array_equal(plain.training(fold), rows)
        np.testing.assert_array_equal(clean.training(fold), rows[rows != dropped])
    complete = taken_in(own, [*OWN[:3], Edit(image="50", action="drop")], "data.rows=complete")[1]
    assert complete.labels is not None
    assert complete.notes[-1] == "label edits that change nothing: edit 4 (image '50' is left out)"


def test_edits_of_other_data_and_edits_that_leave_a_fold_nothing_are_refused(own: Own) -> None:
    with pytest.raises(UsageError, match=r"^data\.edits: edit 1: no image is called '61'"):
        taken_in(own, [Edit(image="61", action="drop")])
    every = [Edit(image=str(n), action="mask", points=["right_eye"]) for n in range(1, 61)]
    with pytest.raises(UsageError, match=r"^data\.edits leave fold 0 no label of right_eye to train on"):
        taken_in(own, every)
    _, intake = taken_in(own, [])
    few = [str(intake.dataset.ids[row]) for row in np.flatnonzero(intake.scheme == 1)]
    dropped = [Edit(image=name, action="drop") for name in few]
    with pytest.raises(UsageError, match=rf"in images of {intake.schemes.names[1]} to train on"):
        taken_in(own, dropped)
    taken_in(own, dropped, "model.per_scheme=false")  # other images teach the points they share


def test_a_moved_point_is_trained_on_where_it_is_in_the_photo(tmp_path: Path) -> None:
    """Original px, through the crop; the frames on disk are those of a run without edits."""
    own = write_photos(tmp_path)
    found = find(str(own.competition))
    recipe = read_recipe(found)
    plain = take_in(found, recipe, own.data)
    image, to = str(plain.dataset.ids[6]), [[31.25, 17.0], [40.0, 52.5]]
    move = Edit(image=image, action="move", points=["chin", "left_eye"], to=to)
    mask = Edit(image=str(plain.dataset.ids[9]), action="mask", points=["nose"])
    edits = recipe.data.model_copy(update={"edits": [move, mask]})
    clean = take_in(found, recipe.model_copy(update={"data": edits}), own.data)
    frames = of_points.frames_of(plain.dataset, recipe)
    assert of_points.frames_of(clean.dataset, recipe) == frames
    labels = of_points.labels_frame(frames, clean)
    assert labels is not None
    assert of_points.labels_frame(frames, plain) is None
    task = of_points.make_task(frames, clean.dataset.schema, clean.scheme, 1, recipe, "cpu", labels=labels)
    assert isinstance(task, Keypoints)
    rows = np.arange(len(plain.dataset))
    there = task.arrays.to_frame.inverse()(task.trainable(rows))
    assert np.abs(there[6, [3, 0]] - to).max() < 1e-9
    assert np.abs(task.arrays.to_frame.matrix[6, 0, 0] - 1) > 0.1, "a crop that changes nothing proves nothing"
    same = np.ones(there.shape[:2], dtype=np.bool_)
    same[6, [3, 0]] = same[9, 2] = False
    np.testing.assert_array_equal(task.trainable(rows)[same], task.arrays.points_frame[same])
    assert np.isnan(there[9, 2]).all()


# --- runs and reports ---


def in_this_process(jobs: dict[int, Job], left: object, make: Callable[[], Keypoints], *_: object) -> None:
    del left
    for job in jobs.values():
        fit(job, make(), lambda _: None)


def run_of(own: Own, edits: list[Edit], root: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    monkeypatch.setattr(cross_validate, "run_folds", in_this_process)
    recipe, intake = taken_in(own, edits, "train.epochs=1", "predict.shift=0.0")
    env = {"data": str(own.data), "device": "cpu", "folds": [0, 1]}
    run = cross_validate.begin(root, find(str(own.competition)), recipe, intake, env)
    cross_validate.train(run, intake, lambda _: None)
    return open_run(run.path)


def test_a_run_keeps_its_edits_and_reports_both_figures(
    own: Own, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = run_of(own, OWN, tmp_path / "runs", monkeypatch)
    assert run.recipe.data.edits == OWN
    assert run.recipe.digest == taken_in(own, OWN, "train.epochs=1", "predict.shift=0.0")[0].digest
    schema = run.found.competition.schema_of_points
    ids, truth = read_points(run.path / "truth.parquet", schema)
    _, labels = read_points(run.path / "labels.parquet", schema)
    assert np.isfinite(truth[0]).all(), "what is scored stays as it was read"
    assert np.isnan(labels[0]).all()
    found = read_predictions(run.path / "oof.parquet", schema)
    assert found.ids.tolist() == ids.tolist(), "dropped rows are predicted too"
    outcome = load(run)
    report, plain = build(outcome), build(replace(outcome, edited=None))
    assert to_json(replace(report, edited=None)) == to_json(plain)
    assert report.edited is not None
    square = (found.points - labels)[np.isfinite(labels)] ** 2
    assert report.edited.value == pytest.approx(float(np.sqrt(square.mean())), rel=1e-12)
    assert report.edited.value != report.lead.score.value
    assert report.edited.edits == {"drop": 1, "mask": 2, "move": 1} == count_actions(OWN)
    assert (report.edited.left_out, report.edited.moved, report.edited.added) == (2 * (4 + 2), 2, 0)
    file = io.StringIO()
    render(report, Console(file=file, width=300))
    told = " ".join(file.getvalue().split())
    assert f"RMSE {report.lead.score.value:.3f} px" in told
    assert f"labels as given; on the edited labels it is {report.edited.value:.3f} px" in told
    assert "(coordinates of these images: 12 left out, 2 moved)" in told
    assert "by 4 edits: 1 drop, 2 mask, 1 move." in told
    assert json.loads(json.dumps(to_json(report), allow_nan=False))["edited"]["left_out"] == 12
    partial = build(replace(outcome, fold=np.where(outcome.fold == 0, 0, -1)))
    assert partial.edited is not None
    assert partial.edited.left_out <= 12


def test_a_run_without_edits_keeps_no_edited_labels(own: Own, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = run_of(own, [], tmp_path / "runs", monkeypatch)
    assert not (run.path / "labels.parquet").exists()
    assert build(load(run)).edited is None


@pytest.mark.parametrize("metric", ["rmse", "mae", "nme"])
def test_the_figure_on_edited_labels_is_the_leading_metric(metric: Any) -> None:
    from test_report import outcome

    from kptool.report.outcome import Edited

    made = outcome(metric=metric)
    if metric == "nme":
        made = replace(made, schema=replace(made.schema, scale_pair=(0, 3)))
    same = build(replace(made, edited=Edited(made.truth, {"mask": 1})))
    assert same.edited is not None
    assert same.edited.value == pytest.approx(same.lead.score.value, rel=1e-12)
    labels = made.truth.copy()
    labels[::2, 0] = np.nan  # an end of the length that NME divides by: it stays as given
    labels[1::2, 3] += [3, 0]
    labels[2, 4] = made.predicted[2, 4] if np.isnan(made.truth[2, 4]).all() else labels[2, 4]
    found = build(replace(made, edited=Edited(labels, {"mask": 1})))
    assert found.edited is not None
    errors = made.predicted - labels
    seen = np.isfinite(labels)
    away = np.hypot(*np.moveaxis(errors, -1, 0))
    lengths = np.linalg.norm(made.truth[:, 0] - made.truth[:, 3], axis=1)
    expected = {
        "rmse": float(np.sqrt((errors[seen] ** 2).mean())),
        "mae": float(np.abs(errors[seen]).mean()),
        "nme": float(100 * np.nanmean(np.nanmean(away, axis=1) / lengths)),
    }
    assert found.edited.value == pytest.approx(expected[metric], rel=1e-9)
    nothing = build(replace(made, edited=Edited(np.full_like(labels, np.nan), {"drop": 143})))
    assert nothing.edited is not None
    assert np.isnan(nothing.edited.value)
    assert to_json(nothing)["edited"]["value"] is None
