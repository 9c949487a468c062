"""Law: a wrong word gets one line, a remedy and its exit code before any training; a right one runs to the end."""

from __future__ import annotations

import errno
import io
import json
import re
import shlex
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from in_process import RUN_FOLDS
from kaggle_files import kaggle_zip
from own_competition import FULL, ROWS, Own, lookup_rows, write_files, write_own
from typer.main import get_command

import kptool
from kptool import runs
from kptool.cli import app, main, sitting
from kptool.competitions import find, read_recipe
from kptool.engine.pool import WorkerError
from kptool.intake import take_in

HEAVY = ["torch", "timm", "cv2", "pandas", "sklearn", "scipy", "pyarrow", "pydantic", "numpy", "PIL", "yaml"]
COMMANDS = ["cv", "report", "ensemble", "compare", "audit", "relabel", "submit", "predict", "list", "show", "data"]
BELOW = {"data": ["check", "convert"]}
LEAVES = [f"{command} {below}".strip() for command in COMMANDS for below in BELOW.get(command, [""])]


class Said(NamedTuple):
    code: int
    out: str
    err: str


def run_kptool(*words: object) -> Said:
    """`kptool ...` in this process, from the parsing of the line to its exit code."""
    out, err = io.StringIO(), io.StringIO()
    with pytest.MonkeyPatch.context() as patch, redirect_stdout(out), redirect_stderr(err):
        patch.setattr(sys, "argv", ["kptool", *map(str, words)])
        with pytest.raises(SystemExit) as end:
            main()
    return Said(int(end.value.code or 0), out.getvalue(), err.getvalue())


def refused(code: int, *words: object) -> str:
    """The one line that a command says when it stops with `code`."""
    said = run_kptool(*words)
    assert said.code == code, said
    assert re.fullmatch(r"kptool: [^\n]+\n", said.err), said.err
    return said.err.removeprefix("kptool: ").rstrip("\n")


def python(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, *words], capture_output=True, text=True, timeout=60)


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> Own:
    return write_own(tmp_path_factory.mktemp("mine"))


class Done(NamedTuple):
    """A finished run, and the JSON that cv printed."""

    path: Path
    report: str


@pytest.fixture(scope="module")
def done(own: Own, tmp_path_factory: pytest.TempPathFactory) -> Done:
    root = tmp_path_factory.mktemp("runs")
    said = cv(own, root, "--json")
    assert said.code == 0, said
    (path,) = (root / "own-faces").iterdir()
    return Done(path, said.out)


def cv(own: Own, root: Path, *more: object) -> Said:
    """The one command line of these tests; --epochs differs from the recipe's."""
    return run_kptool("cv", own.competition, "--data", own.data, "--runs", root, "--epochs", 2, *more)


# --- help ---


def test_help_comes_at_once() -> None:
    seconds = []
    for _ in range(5):
        begun = time.perf_counter()
        said = python("-m", "kptool", "--help")
        seconds.append(time.perf_counter() - begun)
        assert said.returncode == 0
        assert "kptool cv demo" in said.stdout
    assert min(seconds) < 0.3, seconds


@pytest.mark.parametrize(
    "words",
    [["--help"], ["--version"], ["cv", "--help"], [], ["data"], ["data", "convert", "--help"], ["predict", "--help"]],
)
def test_help_loads_nothing_heavy(words: list[str]) -> None:
    heavy = [name for name in HEAVY if name != "pydantic" or words == ["--help"]]  # newer typers load it by themselves
    probe = (
        f"import sys; sys.argv = ['kptool', *{words}]\n"
        "from kptool.cli import main\n"
        "try: main()\n"
        f"except SystemExit: print([m for m in {heavy} if m in sys.modules], file=sys.stderr)"
    )
    assert python("-c", probe).stderr.strip() == "[]"


def test_the_commands_are_these() -> None:
    for group, known in [("", COMMANDS), *BELOW.items()]:
        said = run_kptool(*group.split(), "--help")
        listed = said.out.partition("Commands:")[2]
        assert re.findall(r"^  (\w+)  +\S", listed, flags=re.M) == known
        assert "..." not in listed, "a summary is cut off"
        assert run_kptool(*group.split()) == said


@pytest.mark.parametrize("command", LEAVES)
def test_every_help_has_an_example_and_explains_every_option(command: str) -> None:
    said = run_kptool(*command.split(), "--help")
    assert said.code == 0
    assert re.search(rf"^  Example: kptool {command}\b", said.out, flags=re.M)
    found: Any = get_command(app)
    for word in command.split():
        found = found.commands[word]
    assert all(parameter.help for parameter in found.params)


def test_version() -> None:
    assert run_kptool("--version") == Said(0, f"kptool {kptool.__version__}\n", "")


# --- wrong words ---


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ("cv dmo", "no competition is called 'dmo'; did you mean 'demo'?"),
        ("cv demo --recipe defualt", "did you mean 'default'?"),
        ("cv demo --recipe mine.toml", "mine.toml"),
        ("cv demo --set train.epoch=3", "unknown key 'train.epoch'; did you mean 'epochs'?"),
        ("cv demo --set epochs", "section.key=value"),
        ("cv demo --epochs 0", "train.epochs = 0 leaves a network of keypoints"),
        ("cv demo --seed -1", "seed is -1"),
        ("cv demo --folds 9", "folds 0 to 4"),
        ("cv demo --folds one", "--folds 0,2"),
        ("cv demo --device nonsense", "auto, cpu, cuda"),
        ("cv demo --weights none.safetensors", "none.safetensors: no such file"),
        ("cv demo --workers 0", "--workers"),
        ("cv demo --epoch 3", "--epochs"),
        ("cv facial-keypoints-detection", "kaggle competitions download -c facial-keypoints-detection"),
        ("cv", "--resume RUN"),
        ("cv --resume none", "none is not a run"),
        ("cv demo --resume .", ". is not a run"),
        ("report none", "none is not a run"),
        ("report .", ". is not a run"),
        ("report", "RUN"),
        ("submit none", "none is not a run"),
        ("submit .", ". is not a run"),
        ("predict none me.jpg", "none is not a run"),
        ("predict none", "IMAGES"),
        ("data cnovert a b", "cnovert"),
        ("data convert a.xml b.pts", "its ending names no format"),
        ("data convert a.xml b --to dilb", "did you mean 'dlib'?"),
        ("cv demo --on-bad ignore", "data.on_bad is 'ignore'"),
        ("show demo --set train.lr=fast", "train.lr is 'fast'"),
        ("show dmo", "did you mean 'demo'?"),
        ("shwo", "shwo"),
    ],
)
def test_a_wrong_word_is_answered_in_one_line(
    words: str, told: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert told in refused(2, *words.split())
    assert list(tmp_path.iterdir()) == [], "nothing was begun"


def test_the_exit_code_arrives_without_a_trace_and_before_torch_is_loaded() -> None:
    said = python("-X", "importtime", "-m", "kptool", "cv", "dmo")
    loaded = re.findall(r"\| +(\w+)$", said.stderr, flags=re.M)
    assert said.returncode == 2
    assert said.stderr.splitlines()[-1].startswith("kptool: no competition is called 'dmo'")
    assert "Traceback" not in said.stderr
    assert "pydantic" in loaded
    assert "torch" not in loaded


def test_a_folder_that_cannot_be_made_is_named(done: Done, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    assert f"{tmp_path / 'file'}" in refused(1, "submit", done.path, "--out", tmp_path / "file" / "below")


# --- wrong files ---


def replace_text(file: Path, old: str, new: str) -> None:
    text = file.read_text()
    assert old in text
    file.write_text(text.replace(old, new, 1))


def text_for_a_number(data: Path) -> Path:
    lines = (data / "training.csv").read_text().splitlines()
    cells = lines[4].split(",")
    cells[4] = "abc"
    lines[4] = ",".join(cells)
    (data / "training.csv").write_text("\n".join(lines) + "\n")
    return data


def empty_file(data: Path) -> Path:
    (data / "training.csv").write_bytes(b"")
    return data


def truncated_zip(data: Path) -> Path:
    whole = kaggle_zip(data, data.parent / "whole.zip").read_bytes()
    cut = data.parent / "facial.zip"
    cut.write_bytes(whole[: len(whole) // 2])
    return cut


def unknown_image(data: Path) -> Path:
    replace_text(data / "IdLookupTable.csv", "\n5,3,", "\n5,4,")
    return data


def unknown_feature(data: Path) -> Path:
    replace_text(data / "IdLookupTable.csv", "nose_x", "nsoe_x")
    return data


def cut_off_test_images(data: Path) -> Path:
    whole = (data / "test.csv").read_bytes()
    (data / "test.csv").write_bytes(whole[:-2000])
    return data


def sample_doubled(data: Path) -> Path:
    replace_text(data / "SampleSubmission.csv", "\n3,0", "\n2,0")
    return data


@pytest.mark.parametrize(
    ("damage", "told"),
    [
        (text_for_a_number, "training.csv:5: nose_x is 'abc', expected a number or blank"),
        (empty_file, "training.csv: the file is empty"),
        (truncated_zip, "facial.zip: truncated or damaged zip; download it again"),
        (unknown_image, "IdLookupTable.csv:6: ImageId '4' is not in test.csv"),
        (unknown_feature, "unknown FeatureName 'nsoe_x'; did you mean 'nose_x'?"),
        (cut_off_test_images, "test.csv:10: Image"),
        (sample_doubled, "SampleSubmission.csv:4: RowId 2 stands on line 3 too"),
    ],
)
def test_a_damaged_file_stops_before_training(
    damage: Callable[[Path], Path], told: str, own: Own, tmp_path: Path
) -> None:
    data = damage(Path(shutil.copytree(own.data, tmp_path / "data")))
    assert told in refused(3, "cv", own.competition, "--data", data, "--runs", tmp_path / "runs")
    assert not (tmp_path / "runs").exists()


def test_data_that_is_not_there_is_named(own: Own, tmp_path: Path) -> None:
    assert "nowhere: no such file or folder" in refused(3, "cv", own.competition, "--data", tmp_path / "nowhere")
    assert "no training.csv here, it is empty" in refused(3, "cv", own.competition, "--data", tmp_path)


@pytest.mark.parametrize("missing", ["test.csv", "IdLookupTable.csv"])
def test_training_alone_is_enough_and_said_so(missing: str, own: Own, tmp_path: Path) -> None:
    data = Path(shutil.copytree(own.data, tmp_path / "data"))
    found = find(str(own.competition))
    whole = take_in(found, read_recipe(found), data)
    assert whole.notes == []
    assert whole.test_mix == pytest.approx([24 / 48, 24 / 48])
    (data / missing).unlink()
    bare = take_in(found, read_recipe(found), data)
    assert bare.test_mix is None
    assert [note for note in bare.notes if "mix of marking schemes is not known" in note and missing in note]
    (data / "SampleSubmission.csv").unlink()
    assert take_in(found, read_recipe(found), data).test_mix is None
    shutil.copy(own.data / missing, data / missing)
    assert take_in(found, read_recipe(found), data).test_mix == whole.test_mix, "the sample alone may be missing"


def test_a_full_disk_is_one_line_whatever_it_stops(own: Own, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What stopped a fold is told, and not that the seconds could not be written down after it."""
    words = ["cv", own.competition, "--data", own.data, "--runs", tmp_path, "--set", "train.precision=fp32"]

    def no_room(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device", str(tmp_path / "timing.json"))

    def stopped(*_: object) -> None:
        raise WorkerError("a fold could not go on: no room", "mend that, then resume: the last epoch is kept")

    monkeypatch.setattr("kptool.engine.cross_validate.add_seconds", no_room)
    with monkeypatch.context() as patch:
        patch.setattr(RUN_FOLDS, stopped)
        assert refused(1, *words).startswith("a fold could not go on: no room; mend that")
    monkeypatch.setattr("kptool.engine.cross_validate.create", no_room)
    told = refused(1, *words)
    assert told == f"{tmp_path / 'timing.json'}: No space left on device; free some room there, then go on"


def test_mirroring_without_known_pairs_stops_before_training(own: Own, tmp_path: Path) -> None:
    unpaired = Path(shutil.copytree(own.competition, tmp_path / "own"))
    replace_text(unpaired / "competition.toml", "pairs =", "# pairs =")
    words = ["cv", unpaired, "--data", own.data, "--runs", tmp_path / "runs"]
    for more in ([], ["--set", "augment.mirror=0"], ["--set", "predict.mirror=false"]):
        told = refused(2, *words, *more)
        assert "no mirror pairs are known" in told
        assert "--set augment.mirror=0 --set predict.mirror=false" in told
    assert not (tmp_path / "runs").exists()


# --- one run, from the files to the submission ---


def test_cv_prints_its_report_as_json(done: Done) -> None:
    report = json.loads(done.report)
    assert report["about"]["run"] == done.path.name
    metrics, baseline = report["metrics"], report["baseline"]
    for name in ("rmse", "rmse_test_mix"):
        assert 0 < metrics[name] < 50
    assert 0 < baseline["rmse"] < 50
    assert set(metrics["by_scheme"]) == {"4 points", "2 points"}
    assert metrics["by_scheme"]["4 points"]["images"] == FULL
    assert metrics["values"] == 2 * (4 * FULL + 2 * (ROWS - FULL))
    assert [(p["name"], p["labelled"]) for p in report["points"]] == [
        ("left_eye", FULL), ("right_eye", FULL), ("nose", ROWS), ("chin", ROWS),
    ]  # fmt: skip
    assert [fold["fold"] for fold in report["folds"]] == [0, 1]
    assert sum(fold["images"] for fold in report["folds"]) == ROWS
    assert len(report["worst"]) == 10


def test_report_says_what_cv_said(done: Done) -> None:
    said = run_kptool("report", done.path, "--json")
    assert (said.code, said.err) == (0, "")
    assert json.loads(said.out) == json.loads(done.report)
    shown = run_kptool("report", done.path)
    rmse = json.loads(done.report)["metrics"]["rmse"]
    assert f"RMSE {rmse:.3f} px" in shown.out
    assert "left_eye" in shown.out


def test_the_folder_holds_what_is_documented(done: Done) -> None:
    documented = set(re.findall(r"[\w-]+\.\w+", runs.__doc__ or ""))
    found = {file.name for file in done.path.rglob("*") if file.is_file() and file.name != ".lock"}
    assert found - documented == set()
    assert {"config.toml", "env.json", "folds.parquet", "oof.parquet", "history.csv", "last.safetensors"} <= found


def test_submit_answers_the_lookup_table(done: Done, tmp_path: Path) -> None:
    said = run_kptool("submit", done.path, "--out", tmp_path)
    assert said.code == 0, said
    (csv,) = tmp_path.glob("own-faces/*.csv")
    header, *rows = csv.read_text().splitlines()
    assert header == "RowId,Location"
    assert [int(row.split(",")[0]) for row in rows] == list(range(1, len(lookup_rows()) + 1))
    assert all(0 <= float(row.split(",")[1]) <= 96 for row in rows)
    beside = json.loads(csv.with_suffix(".json").read_text())
    assert (beside["rows"], beside["run"], beside["folds_used"]) == (len(rows), done.path.name, [0, 1])
    assert beside["rmse_oof"] == json.loads(done.report)["metrics"]["rmse"]
    upload = shlex.split(said.out.rpartition("next: ")[2])
    assert upload[:7] == ["kaggle", "competitions", "submit", "-c", "own-faces", "-f", str(csv)]
    again = run_kptool("submit", done.path, "--out", tmp_path, "--json")
    assert json.loads(again.out) == beside | {"file": f"{csv.stem}-2.csv"}


def test_resuming_a_finished_run_only_reports(done: Done) -> None:
    before = {file: file.stat().st_mtime_ns for file in done.path.rglob("*.*") if file.name != ".lock"}
    said = run_kptool("cv", "--resume", done.path)
    assert said.code == 0, said
    assert run_kptool("report", done.path).out in said.out
    trained = [file for file, time in before.items() if file.stat().st_mtime_ns != time]
    assert [file.name for file in trained] in ([], ["oof.parquet"]), "the joined predictions may be written again"
    command = shlex.split(said.out.rpartition("next: ")[2])
    assert command[:4] == ["kptool", "submit", str(done.path), "--data"]
    assert (Path(command[4]) / "training.csv").is_file(), "the line can be pasted, whatever the folder is called"


def test_the_command_of_a_run_that_was_cut_off_goes_on_with_it(
    done: Done, own: Own, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cut = Path(shutil.copytree(done.path, tmp_path / "own-faces" / done.path.name))
    shutil.rmtree(cut / "fold-1")
    (cut / "oof.parquet").unlink()
    offered: list[Path] = []

    def accept(_: object, old: runs.Run) -> bool:
        offered.append(old.path)
        return True

    monkeypatch.setattr(sitting, "_wants_old", accept)
    said = cv(own, tmp_path, "--json")
    assert said.code == 0, said
    assert offered == [cut]
    assert list(cut.parent.iterdir()) == [cut]
    assert (cut / "oof.parquet").read_bytes() == (done.path / "oof.parquet").read_bytes()
    assert json.loads(said.out)["metrics"] == json.loads(done.report)["metrics"]


def test_a_run_that_another_process_holds_does_not_learn_of_more_folds(done: Done, tmp_path: Path) -> None:
    held = runs.open_run(Path(shutil.copytree(done.path, tmp_path / "held")))
    runs.write_env(held.path, held.env | {"folds": [0]})
    before = (held.path / "env.json").read_bytes()
    with runs.lock(held):
        assert "is being trained by another process" in refused(2, "cv", "--resume", held.path, "--folds", "1")
    assert (held.path / "env.json").read_bytes() == before


def test_a_run_goes_on_as_it_began_or_not_at_all(done: Done, own: Own, tmp_path: Path) -> None:
    resume = ["cv", "--resume", done.path]
    assert "train.epochs: 2 -> 5" in refused(2, *resume, "--epochs", 5)
    assert "train.epochs: 2 -> 3" in refused(2, *resume, "--recipe", own.competition / "recipes" / "default.toml")
    assert "is a run of own-faces, not of demo" in refused(2, "cv", "demo", "--resume", done.path)
    assert "--device" in refused(2, *resume, "--device", "meta")
    data = Path(shutil.copytree(own.data, tmp_path / "data"))
    write_files(data, seed=1)
    assert "folds.parquet was made for other data" in refused(3, *resume, "--data", data)


def test_a_shown_recipe_can_be_read_back(own: Own, tmp_path: Path) -> None:
    said = run_kptool("show", own.competition, "--set", "train.lr=1e-5", "--set", "predict.shift=0.25")
    file = tmp_path / "mine.toml"
    file.write_text(said.out)
    found = find(str(own.competition))
    recipe = read_recipe(found, str(file))
    assert recipe.digest == read_recipe(found, "default", ["train.lr=1e-5", "predict.shift=0.25"]).digest
    assert f"digest {recipe.digest}" in said.out
    as_json = run_kptool("show", own.competition, "--recipe", file, "--json")
    assert json.loads(as_json.out) == recipe.model_dump(mode="json")


def test_list_names_the_shipped_competitions() -> None:
    rows = json.loads(run_kptool("list", "--json").out)
    said = run_kptool("list").out
    assert {"demo", "facial-keypoints-detection"} <= {row["slug"] for row in rows}
    for row in rows:
        assert row["slug"] in said
        assert "default" in row["recipes"]
