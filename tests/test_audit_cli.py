"""Law: kptool audit prints plainly, writes what a recipe takes, does without pictures, and --apply scores honestly."""

from __future__ import annotations

import csv
import json
import shlex
import shutil
import tomllib
from pathlib import Path

import numpy as np
import pytest
import tomli_w
from compared_runs import own as own_folder
from compared_runs import photos, write_run
from in_process import RUN_FOLDS, here
from own_competition import Own, write_own
from test_cli import refused, run_kptool

from kptool.competitions import read_recipe
from kptool.config import Edit, differences
from kptool.edits import read_edits, write_edits
from kptool.engine.of_points import join_folds
from kptool.ensemble import join, make, weigh
from kptool.predictions import read_points
from kptool.runs import open_run

WRONG = "7"  # an image of own_competition with all four points, marked 40 px off


@pytest.fixture(scope="module")
def made_up(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run without pictures or weights; a point of face-4 is 30 px off."""
    root, data = tmp_path_factory.mktemp("made up"), photos(150)
    off = np.random.default_rng(0).normal(0, 0.6, data.truth.shape)
    off[4, 3] = (30.0, 2.0)
    return write_run(root / "run", own_folder(root / "own"), data, off)


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> Own:
    """A competition with one face's labels far off."""
    own = write_own(tmp_path_factory.mktemp("mine"))
    file = own.data / "training.csv"
    lines = file.read_text().splitlines()
    cells = lines[int(WRONG)].split(",")
    lines[int(WRONG)] = ",".join([*(f"{float(v) / 3:.3f}" for v in cells[:8]), cells[8]])
    file.write_text("\n".join(lines) + "\n")
    return own


@pytest.fixture(scope="module")
def trained(own: Own, tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("runs")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(RUN_FOLDS, here)
        said = run_kptool("cv", own.competition, "--data", own.data, "--runs", root, "--epochs", 12)
    assert said.code == 0, said
    (path,) = (root / "own-faces").iterdir()
    return path


def test_without_pictures_there_is_a_note_and_no_sheet(made_up: Path, tmp_path: Path) -> None:
    said = run_kptool("audit", made_up, "--out", tmp_path)
    assert (said.code, said.err) == (0, "")
    assert "The pictures are not to be had" in said.out
    assert "How far several models agree is not known" in said.out
    assert sorted(path.name for path in tmp_path.iterdir()) == ["edits.toml", "recipe.toml", "suggestions.csv"]
    (edit,) = read_edits(tmp_path / "edits.toml")
    assert (edit.image, edit.action, edit.points) == ("face-4", "mask", ["chin"])


def test_a_pipe_gets_a_line_a_suggestion_without_colour(
    made_up: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("COLUMNS", raising=False)
    lines = run_kptool("audit", made_up, "--out", tmp_path).out.splitlines()
    (line,) = (line for line in lines if " face-4 " in line)
    assert line.split()[:2] == ["1", "face-4"]
    assert "chin 30" in line
    assert "\x1b" not in "".join(lines)


def test_columns_of_the_environment_are_kept_to(made_up: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    lines = run_kptool("audit", made_up, "--out", tmp_path).out.splitlines()
    assert max(len(line) for line in lines[: lines.index("")]) <= 80
    assert any(line.startswith("      chin 30") for line in lines)


def test_json_and_csv_say_the_same(made_up: Path, tmp_path: Path) -> None:
    said = json.loads(run_kptool("audit", made_up, "--out", tmp_path, "--json").out)
    with (tmp_path / "suggestions.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [(row["id"], row["action"], row["reason"]) for row in rows] == [
        (one["id"], one["action"], one["reason"]) for one in said["suggestions"]
    ]
    assert (said["format"], said["images"], said["applied"], said["files"]["sheets"]) == (1, 150, None, [])
    first = (tmp_path / "suggestions.csv").read_bytes()
    run_kptool("audit", made_up, "--out", tmp_path)
    assert (tmp_path / "suggestions.csv").read_bytes() == first


def test_images_that_are_edited_already_are_left_out(made_up: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    shutil.copytree(made_up, run)
    shutil.copyfile(run / "truth.parquet", run / "labels.parquet")
    edits = tmp_path / "mine.toml"
    write_edits(edits, [Edit(image="face-4", action="drop", reason="mine")])
    with (run / "config.toml").open("rb") as file:
        table = tomllib.load(file)
    table["recipe"]["data"]["edits"] = [edit.model_dump() for edit in read_edits(edits)]
    (run / "config.toml").write_text(tomli_w.dumps(table))
    said = json.loads(run_kptool("audit", run, "--json").out)
    assert "face-4" not in [one["id"] for one in said["suggestions"]]
    assert any("already edits" in note for note in said["notes"])
    assert [edit.image for edit in read_edits(run / "audit" / "edits.toml")] == ["face-4"]


def test_apply_trains_on_the_edits_and_scores_the_labels_as_given(
    trained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(RUN_FOLDS, here)
    said = run_kptool("audit", trained, "--top", 20, "--apply", "--runs", tmp_path, "--workers", 1)
    assert said.code == 0, said
    for words in ("all images, labels as given", "without an edit", "edited labels", "flattering", "kptool compare"):
        assert words in said.out
    (path,) = (tmp_path / "own-faces").iterdir()
    old, new = open_run(trained), open_run(path)
    schema = old.found.competition.schema_of_points
    assert (trained / "truth.parquet").read_bytes() == (path / "truth.parquet").read_bytes()
    assert (trained / "folds.parquet").read_bytes() == (path / "folds.parquet").read_bytes()
    assert new.recipe.data.edits == read_edits(trained / "audit" / "edits.toml")
    assert new.recipe.seed == old.recipe.seed
    assert new.env["precision"] == old.env["precision"]
    ids, labels = read_points(path / "labels.parquet", schema)
    row = ids.tolist().index(WRONG)
    assert not np.isfinite(labels[row]).all()
    assert (trained / "audit" / "sheet.png").is_file()
    with (trained / "audit" / "suggestions.csv").open(encoding="utf-8", newline="") as file:
        first = next(csv.DictReader(file))
    assert (first["id"], first["written"]) == (WRONG, "True")


def test_the_recipe_that_is_written_is_the_runs_with_the_edits(trained: Path, tmp_path: Path) -> None:
    out, run = tmp_path / "audit of mine", open_run(trained)
    said = run_kptool("audit", trained, "--out", out)
    assert shlex.join(["--recipe", str(out / "recipe.toml")]) in said.out
    recipe = read_recipe(run.found, str(out / "recipe.toml"))
    edits = read_edits(out / "edits.toml")
    assert edits
    assert recipe.data.edits == edits
    same = recipe.model_copy(update={"data": run.recipe.data})
    assert differences(run.recipe, same) == ["name: 'default' -> 'default-audited'"]


def test_weights_that_are_gone_are_a_note(trained: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    shutil.copytree(trained, run)
    for file in run.glob("fold-1/*.safetensors"):
        file.unlink()
    said = json.loads(run_kptool("audit", run, "--json").out)
    assert any("no whole checkpoint" in note for note in said["notes"])
    assert said["suggestions"][0]["id"] == WRONG


def test_an_ensemble_listens_to_its_runs_and_is_not_trained(made_up: Path, tmp_path: Path) -> None:
    runs, data = [], photos(150)
    for seed in (0, 1):
        off = np.random.default_rng(seed).normal(0, 0.6, data.truth.shape)
        off[4, 3] = (30.0, 2.0 + seed)
        run = open_run(write_run(tmp_path / f"run {seed}", made_up.parent / "own", data, off))
        join_folds(run, run.found.competition.schema_of_points, np.array(data.ids))
        runs.append(run)
    joined = join(runs)
    both = make(tmp_path, joined, weigh(joined, "equal"), "both", 0.0)
    said = json.loads(run_kptool("audit", both.path, "--json").out)
    assert "all 2 runs contradict it" in said["suggestions"][0]["reason"]
    assert said["files"]["recipe"] is None
    assert "audit one of its runs" in refused(2, "audit", both.path, "--apply")


def test_what_makes_no_sense_is_refused(made_up: Path, tmp_path: Path) -> None:
    assert "is not a run" in refused(2, "audit", tmp_path)
    assert "--workers without --apply" in refused(2, "audit", made_up, "--workers", 2)
    unfinished = write_run(tmp_path / "none", made_up.parent / "own", photos(), 1.0, finished=())
    assert "no fold is finished" in refused(3, "audit", unfinished)
    sound = write_run(tmp_path / "sound", made_up.parent / "own", photos(), 0.5)
    assert "strong enough" in refused(2, "audit", sound, "--apply")
