"""Law: kptool compare prints one thing at a time, plainly where nobody looks, and refuses in one line."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import numpy as np
import pytest
from compared_runs import own, photos, write_run
from test_cli import refused, run_kptool


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    root, data = tmp_path_factory.mktemp("runs"), photos()
    off = np.random.default_rng(0).normal(0, 2, data.truth.shape)
    folder = own(root / "own")
    return [write_run(root / name, folder, data, off * by) for name, by in (("a", 1), ("b", 1.5), ("c", 0.5))]


def test_a_pipe_gets_every_column_without_colour(runs: list[Path], monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("COLUMNS", "FORCE_COLOR"):
        monkeypatch.delenv(name, raising=False)
    said = run_kptool("compare", *runs)
    assert (said.code, said.err) == (0, "")
    assert "\x1b" not in said.out
    assert "Too wide" not in said.out
    assert all(word in said.out for word in ("digest", "device", "better", "worse", "2000 resamples", "seed 0"))


def test_columns_of_the_environment_are_kept_to(runs: list[Path], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    said = run_kptool("compare", *runs)
    assert max(map(len, said.out.splitlines())) <= 80
    assert "Too wide for 80 columns" in said.out


def test_against_names_the_run_that_the_others_are_held_against(runs: list[Path]) -> None:
    a, b, c = runs
    among = json.loads(run_kptool("compare", a, b, c, "--against", b, "--json").out)
    assert [(found["name"], found["word"]) for found in among["differences"]] == [("a", "better"), ("c", "better")]
    before = json.loads(run_kptool("compare", a, b, "--against", c, "--json").out)
    assert [run["run"] for run in before["runs"]] == ["c", "a", "b"]
    assert [found["word"] for found in before["differences"]] == ["worse", "worse"]


def test_the_same_command_prints_the_same_bytes(runs: list[Path]) -> None:
    for form in ("--json", "--md"):
        assert run_kptool("compare", *runs, form).out == run_kptool("compare", *runs, form).out


def test_csv_goes_to_a_file_or_alone_to_the_output(runs: list[Path], tmp_path: Path) -> None:
    file = tmp_path / "new" / "table.csv"
    said = run_kptool("compare", *runs, "--csv", file)
    assert "verdict" in said.out
    alone = run_kptool("compare", *runs, "--csv", "-").out
    assert file.read_text(encoding="utf-8") == alone
    assert [row["run"] for row in csv.DictReader(io.StringIO(alone))] == ["a", "b", "c"]
    beside = run_kptool("compare", *runs, "--csv", tmp_path / "more.csv", "--json")
    assert json.loads(beside.out)["format"] == 1
    assert (tmp_path / "more.csv").read_text(encoding="utf-8") == alone


def test_markdown_is_tables(runs: list[Path]) -> None:
    lines = run_kptool("compare", *runs, "--md").out.splitlines()
    assert lines[0].startswith("| run | ")
    assert sum(line.startswith("| ---") for line in lines) == 2


def test_what_makes_no_sense_is_refused(runs: list[Path], tmp_path: Path) -> None:
    assert "at least two runs" in refused(2, "compare", runs[0])
    assert "write common or all" in refused(2, "compare", *runs, "--rows", "some")
    assert "give one of them" in refused(2, "compare", *runs, "--md", "--csv", "-")
    assert "is not a run" in refused(2, "compare", runs[0], tmp_path)
    unfinished = write_run(tmp_path / "none", runs[0].parent / "own", photos(), 1.0, finished=())
    assert "no fold is finished" in refused(3, "compare", runs[0], unfinished)
