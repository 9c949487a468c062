"""Law: what is trained again differs from the run by the change alone: its data, folds, device and precision stay."""

from __future__ import annotations

import io
import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
import torch
from in_process import RUN_FOLDS, here
from own_competition import Own, write_own
from rich.console import Console

from kptool.cli.again import train_again
from kptool.competitions import change_recipe, find, read_recipe
from kptool.config import Recipe
from kptool.engine.cross_validate import begin, train
from kptool.errors import DataError, UsageError
from kptool.intake import take_in
from kptool.runs import Run, open_run, write_env

SAME = ("folds.parquet", "truth.parquet", "faces.parquet")


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> Own:
    return write_own(tmp_path_factory.mktemp("mine"))


@pytest.fixture(scope="module")
def done(own: Own, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A finished run of two folds whose precision is not what a run of its recipe would be given."""
    found = find(str(own.competition))
    recipe = read_recipe(found, "default", ["train.epochs=1", "predict.shift=0.0", "train.batch_size=30"])
    intake, env = take_in(found, recipe, own.data), {"data": str(own.data), "device": "cpu", "folds": [0, 1]}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(RUN_FOLDS, here)
        run = begin(tmp_path_factory.mktemp("runs"), found, recipe, intake, env)
        train(run, intake, lambda _: None)
    write_env(run.path, run.env | {"precision": "bf16"})
    return open_run(run.path)


@pytest.fixture(autouse=True)
def _no_processes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(RUN_FOLDS, here)


def changed(run: Run, seed: int = 1) -> Recipe:
    """Another seed: it would part the images otherwise, were the folds not the run's own."""
    return change_recipe(run.found, run.recipe, [f"seed={seed}", 'name="changed"'])


def again(run: Run, root: Path, recipe: Recipe | None = None) -> tuple[Run, str]:
    """The new run, and what was said."""
    said = io.StringIO()
    made = train_again(Console(file=said, width=80), run, recipe or changed(run), root, 1)
    return made, said.getvalue()


def copy_of(run: Run, folder: Path) -> Run:
    shutil.copytree(run.path, folder / "copy")
    return open_run(folder / "copy")


def edit_env(run: Run, **env: object) -> None:
    write_env(run.path, run.env | env)


@pytest.fixture(scope="module")
def cut_off(done: Run, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where a run that was trained again stands with a fold to go."""
    root = tmp_path_factory.mktemp("cut off")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(RUN_FOLDS, here)
        made, _ = again(done, root)
    shutil.rmtree(made.fold(1))
    return root


def test_only_the_change_parts_the_two(done: Run, tmp_path: Path) -> None:
    made, said = again(done, tmp_path)
    assert made.path.parent == tmp_path / "own-faces"
    assert (made.recipe, made.finished) == (changed(done), [0, 1])
    assert all((made.path / name).read_bytes() == (done.path / name).read_bytes() for name in SAME)
    assert {key: made.env[key] for key in ("data", "device", "precision", "data_digest")} == {
        key: done.env[key] for key in ("data", "device", "precision", "data_digest")
    }
    assert (made.path / "oof.parquet").read_bytes() != (done.path / "oof.parquet").read_bytes()
    assert "note:" not in said


def test_folds_that_the_run_has_not_finished_are_not_trained(done: Run, tmp_path: Path) -> None:
    run = copy_of(done, tmp_path)
    (run.fold(0) / "oof.parquet").unlink()
    made, _ = again(run, tmp_path)
    assert (made.wanted, made.finished) == ([1], [1])


def test_notes_of_the_data_are_said(done: Run, tmp_path: Path) -> None:
    run, edit = copy_of(done, tmp_path), {"image": "3", "action": "drop", "reason": "[b]none[/b]"}
    file = tmp_path / "edits.toml"
    file.write_text("[[edit]]\n" + "\n".join(f"{key} = {json.dumps(value)}" for key, value in edit.items()) + "\n")
    made, said = again(run, tmp_path, change_recipe(run.found, run.recipe, [f"data.edits={json.dumps(str(file))}"]))
    assert [one.image for one in made.recipe.data.edits] == ["3"]
    assert "note: 1 label edit: 1 row dropped\n" in said


def test_what_was_cut_off_is_gone_on_with(done: Run, cut_off: Path, tmp_path: Path) -> None:
    shutil.copytree(cut_off, tmp_path / "runs")
    (there,) = (tmp_path / "runs" / "own-faces").iterdir()
    first = (there / "fold-0" / "last.safetensors").read_bytes()
    made, _ = again(done, tmp_path / "runs")
    assert (made.path, made.finished) == (there, [0, 1])
    assert (there / "fold-0" / "last.safetensors").read_bytes() == first
    assert again(done, tmp_path / "runs")[0].path != there, "it is finished, and trained anew"


def other_folds(run: Run) -> None:
    table = pq.read_table(file := run.path / "folds.parquet")
    fold = 1 - table["fold"].to_numpy()
    made = table.set_column(table.schema.get_field_index("fold"), "fold", [fold.astype(np.int64)])
    pq.write_table(made.replace_schema_metadata(table.schema.metadata), file)


def no_folds(run: Run) -> None:
    (run.path / "folds.parquet").write_bytes(b"PAR1")


@pytest.mark.parametrize(
    "spoil",
    [
        lambda run: edit_env(run, folds=[0, 1, 2]),
        lambda run: edit_env(run, precision="fp32"),
        lambda run: edit_env(run, device="cuda"),
        lambda run: edit_env(run, weights_digest="of others"),
        other_folds,
        no_folds,
    ],
    ids=["folds wanted", "precision", "device", "weights", "folds", "no folds"],
)
def test_what_would_end_otherwise_is_not_gone_on_with(
    done: Run, cut_off: Path, tmp_path: Path, spoil: Callable[[Run], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(cut_off, tmp_path / "runs")
    (there,) = (tmp_path / "runs" / "own-faces").iterdir()
    spoil(open_run(there))
    monkeypatch.setattr("kptool.cli.again.train", lambda *_: None)
    made, _ = again(done, tmp_path / "runs")
    assert made.path != there
    assert made.wanted == [0, 1]


@pytest.mark.skipif(torch.cuda.is_available(), reason="needs a machine without a GPU")
def test_a_device_that_is_gone_is_told(done: Run, tmp_path: Path) -> None:
    run = copy_of(done, tmp_path)
    edit_env(run, device="cuda")
    made, said = again(run, tmp_path)
    assert (made.env["device"], made.env["precision"]) == ("cpu", "fp32")
    words = "note: copy was trained on cuda in bf16, this is on cpu in fp32: part of any difference"
    assert words in " ".join(said.split())


def test_other_data_schemes_and_weights_are_refused(done: Run, own: Own, tmp_path: Path) -> None:
    run = copy_of(done, tmp_path)
    edit_env(run, weights_digest="of others")
    with pytest.raises(DataError, match="has changed since"):
        again(run, tmp_path)
    edit_env(run, weights_digest=None, schemes=run.env["schemes"][:1])
    with pytest.raises(UsageError, match="the marking schemes have changed"):
        again(run, tmp_path)
    shutil.copytree(own.data, other := tmp_path / "other")
    lines = (other / "training.csv").read_text().splitlines()
    (other / "training.csv").write_text("\n".join(lines[:-1]) + "\n")
    edit_env(run, schemes=done.env["schemes"], data=str(other))
    with pytest.raises(DataError, match="was made for other data"):
        again(run, tmp_path)
    assert not (tmp_path / "own-faces").exists()
