"""Law: `kptool data convert` says what it did and what is lost, and whatever goes wrong leaves OUT untouched."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from awkward import SIZES, awkward, same
from typer.testing import CliRunner

from kptool.annotations import kept
from kptool.cli.data import data_app
from kptool.errors import DataError, KptoolError, MissingFileError, UsageError
from kptool.formats import table


def run(*words: object) -> str:
    result = CliRunner().invoke(data_app, ["convert", *map(str, words)])
    if result.exception is not None:
        raise result.exception
    return result.stdout


def refused(kind: type[KptoolError], *words: object) -> str:
    with pytest.raises(kind) as caught:
        run(*words)
    assert caught.value.hint
    return str(caught.value)


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """A wide CSV with its pictures, in a folder of its own."""
    table.get("csv").write(awkward(tmp_path / "in"), tmp_path / "in" / "faces.csv")
    return tmp_path / "in" / "faces.csv"


def test_it_says_what_was_read_written_and_lost_and_where_names_point(tmp_path: Path, source: Path) -> None:
    out = tmp_path / "out" / "faces.csv"
    lines = run(source, out, "--to", "csv-long").splitlines()
    assert lines[0] == f"read {source} (csv): 6 faces in 5 pictures, 3 points each, 14 labelled, 5 boxes"
    assert lines[1] == f"wrote {out} (csv-long): 6 faces in 5 pictures, 3 points each, 14 labelled, 0 boxes"
    assert lines[2:4] == ["lost: long CSV cannot hold boxes (5)", "lost: long CSV cannot hold picture sizes"]
    assert lines[4].startswith(f"note: {out} looks for its pictures in {out.parent}, as {out.parent}/a,1/é'x.png: ")
    assert lines[4].endswith("5 of 5 pictures not there; --copy puts them there")
    assert len(lines) == 5
    same(table.get("csv-long").read(out), kept(table.get("csv").read(source), table.get("csv-long").holds))


def test_nothing_is_noted_beside_the_pictures(source: Path) -> None:
    assert run(source, source.with_name("new.json")).count("\n") == 2  # .json says coco


@pytest.mark.parametrize("to", ["coco", "csv-long", "deeplabcut", "dlib", "wflw", "pts", "asf", "yolo"])
def test_copied_pictures_make_the_new_place_whole(tmp_path: Path, source: Path, to: str) -> None:
    folder = to in table.FOLDERS
    out = tmp_path / "new" if folder else tmp_path / "new" / "f"
    said = run(source, out, "--to", to, "--copy")
    back = table.get(to).read(out)
    same(back, kept(table.get("csv").read(source), table.get(to).holds))
    files = set(back.files.tolist())
    assert all((back.root / f).read_bytes() == (source.parent / f).read_bytes() for f in files)
    assert f"copied {len(files)} pictures" in said
    assert "note:" not in said


def test_there_and_back_on_the_command_line(tmp_path: Path, source: Path) -> None:
    run(source, tmp_path / "b" / "f.json", "--copy")
    run(tmp_path / "b" / "f.json", tmp_path / "c" / "f.csv", "--from", "coco", "--to", "csv", "--copy")
    assert (tmp_path / "c" / "f.csv").read_bytes() == source.read_bytes()


def test_json_says_the_same(tmp_path: Path, source: Path) -> None:
    told = json.loads(run(source, tmp_path / "o.csv", "--to", "deeplabcut", "--copy", "--json"))
    side = {"faces": 6, "pictures": 5, "points": 3, "labelled": 14}
    assert told["read"] == side | {"path": str(source), "format": "csv", "boxes": 5}
    assert told["written"] == side | {"path": str(tmp_path / "o.csv"), "format": "deeplabcut", "boxes": 0}
    assert [line.partition(" hold ")[2].split(" ")[0] for line in told["lost"]] == ["boxes", "occlusion:", "picture"]
    assert (told["notes"], told["copied"]) == ([], 5)


def test_dropped_likelihood_is_noted(tmp_path: Path) -> None:
    (tmp_path / "p.csv").write_text("scorer,A,A,A\nbodyparts,n,n,n\ncoords,x,y,likelihood\na.png,1,2,0.5\n")
    said = run(tmp_path / "p.csv", tmp_path / "o.csv", "--to", "csv")
    assert f"note: {tmp_path / 'p.csv'}: the likelihood of its predictions is dropped" in said


def test_a_folder_of_pictures_becomes_a_table_to_fill(tmp_path: Path, source: Path) -> None:
    source.unlink()
    run(source.parent, tmp_path / "o.csv")
    assert (tmp_path / "o.csv").read_text().splitlines()[0] == "image"
    assert len(table.get("csv").read(tmp_path / "o.csv")) == len(SIZES)


def test_what_cannot_be_meant_is_refused_before_anything_is_written(tmp_path: Path, source: Path) -> None:
    out = tmp_path / "out.csv"
    assert "names no format" in refused(UsageError, source, tmp_path / "out.abc")
    assert "did you mean 'coco'" in refused(UsageError, source, out, "--to", "coko")
    assert "did you mean 'csv'" in refused(UsageError, source, out, "--from", "csvv")
    assert "hold no labels" in refused(UsageError, source, out, "--to", "images")
    assert "no such file" in refused(MissingFileError, tmp_path / "none.csv", out)
    assert "no such file" in refused(MissingFileError, tmp_path / "none.csv", out, "--from", "csv")
    assert "IN and OUT are the same" in refused(UsageError, source, source, "--force")
    assert "written as a file" in refused(UsageError, source, source.parent, "--to", "csv", "--force")
    assert "written as a folder" in refused(UsageError, source, source, "--to", "pts", "--force")
    assert "nothing of it can be written" in refused(DataError, source.parent, out, "--from", "images", "--to", "wflw")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["in"]


def test_what_exists_is_written_over_only_by_force(tmp_path: Path, source: Path) -> None:
    out = tmp_path / "out.csv"
    out.write_text("mine")
    assert "exists already" in refused(UsageError, source, out)
    assert out.read_text() == "mine"
    run(source, out, "--force")
    assert out.read_bytes() == source.read_bytes()
    (tmp_path / "empty").mkdir()
    run(source, tmp_path / "empty", "--to", "pts")
    assert "exists already" in refused(UsageError, source, tmp_path / "empty", "--to", "pts")


@pytest.mark.parametrize("fault", ["cell", "picture", "other", "name"])
def test_a_failure_leaves_out_untouched(tmp_path: Path, source: Path, fault: str) -> None:
    out, copied = tmp_path / "out" / "f.csv", tmp_path / "out" / "z" / "z" / "漢字.png"
    copied.parent.mkdir(parents=True)
    out.write_text("mine")
    if fault == "cell":
        source.write_text(source.read_text() + "z.png,1\n")
    if fault == "picture":
        (source.parent / "c.png").unlink()
    if fault == "other":
        copied.write_bytes(b"mine too")
    if fault == "name":
        source.write_text(source.read_text().replace("c.png", "../c.png"))
    refused(DataError, source, out, "--copy", "--force", "--to", "csv-long")
    assert out.read_text() == "mine"
    left = {p for p in (tmp_path / "out").rglob("*") if p.is_file()}
    assert left == ({out, copied} if fault == "other" else {out})
    assert fault != "other" or copied.read_bytes() == b"mine too"


def test_help_and_no_command(tmp_path: Path) -> None:
    assert "convert" in CliRunner().invoke(data_app, []).stdout
    said = CliRunner().invoke(data_app, ["convert", "--help"]).stdout
    assert all(name in said for name in table.NAMES if name != "images")
    assert list(tmp_path.iterdir()) == []
