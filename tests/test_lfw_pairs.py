"""Law: LFW's lists are read pair for pair with their places, and what is wrong with one is told by its line."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from lfw_lists import LINES, OTHER, SAME, lfw, text, write_png, write_small
from pair_competition import listing, write_lfw

from kptool.config import DataOptions
from kptool.errors import DataError, MissingFileError, UsageError
from kptool.formats.lfw_folder import beside, find
from kptool.formats.lfw_pairs import Picture, parse
from kptool.formats.pairs import read_test, read_train
from kptool.pairs import Pairs

VIEW_2 = [
    "2\t2",
    *["Ann_Lee\t1\t2", "Ann_Lee\t1\t3", "Ann_Lee\t2\tBo.Ek-Å\t1", "Ann_Lee\t2\tBo.Ek-Å\t2"],
    *["Cy\t1\t2", "Di\t3\t2", "Cy\t1\tDi\t2", "Cy\t2\tDi\t2"],
]


def read(root: Path | None) -> tuple[Pairs, list[str]]:
    return read_train(lfw(), root, DataOptions(), 0, 3)


@pytest.mark.parametrize("newline", ["\n", "\r\n"])
@pytest.mark.parametrize("last", [True, False])
def test_a_list_is_read_pair_for_pair(newline: str, last: bool) -> None:
    found = parse(text(LINES, newline, last), "x.txt")
    assert [pair.id for pair in found] == [line.replace("\t", " ") for line in [*SAME, *OTHER]]
    assert found[1][:2] == (Picture("Bo.Ek-Å", 1), Picture("Bo.Ek-Å", 3))
    assert found[4][:2] == (Picture("Cy", 1), Picture("Bo.Ek-Å", 2))
    assert [pair.place for pair in found] == [f"x.txt:{n}" for n in range(2, 8)]
    assert {pair.fold for pair in found} == {None}
    assert found[1].second.id == "Bo.Ek-Å_0003"


def test_fields_may_stand_apart_by_blanks_too_and_empty_lines_may_end_the_file() -> None:
    plain = parse(text(LINES), "x.txt")
    assert parse(text([line.replace("\t", "  ") for line in LINES]), "x.txt") == plain
    assert parse(text([*LINES, "", " "]), "x.txt") == plain


def test_a_list_with_folds_says_of_each_pair_its_own() -> None:
    found = parse(text(VIEW_2), "pairs.txt")
    assert [pair.fold for pair in found] == [0, 0, 0, 0, 1, 1, 1, 1]
    same = [pair.first.name == pair.second.name for pair in found]
    assert same == [True, True, False, False] * 2


@pytest.mark.parametrize(
    ("line", "broken", "words"),
    [
        (1, "three", "'three', expected the number of pairs"),
        (1, "", "expected the number of pairs"),
        (1, "1 2 3", "expected the number of pairs"),
        (1, "-3", "expected the number of pairs"),
        (1, "0", "announces 0 pairs"),
        (1, "9999999", "announces 19999998 pairs"),
        (2, "Ann_Lee\t1", "2 fields, expected the 3 of name i j"),
        (2, "", "fields, expected the 3"),
        (3, "Ann_Lee\t1\tCy\t1", "4 fields, expected the 3 of name i j"),
        (5, "Ann_Lee\t1\t2", "3 fields, expected the 4 of name1 i name2 j"),
        (7, "Ann_Lee\t3\tCy\t1\t5", "5 fields, expected the 4"),
        (2, "Ann_Lee\tone\t2", "'one' is no picture's number"),
        (2, "Ann_Lee\t0\t2", "'0' is no picture's number"),
        (2, "Ann_Lee\t1\t-2", "'-2' is no picture's number"),
        (2, "Ann_Lee\t1\t٢", "is no picture's number"),
        (2, "Ann_Lee\t1.0\t2", "'1.0' is no picture's number"),
        (2, "Ann_Lee\t1\t1234567", "is no picture's number"),
        (2, "Ann_Lee\t2\t2", "Ann_Lee_0002 is paired with itself"),
        (6, "Cy\t1\tCy\t01", "Cy_0001 is paired with itself"),
        (6, "Cy\t1\tCy\t2", "both pictures are of Cy, in the part of different people"),
        (4, "Ann_Lee\t1\t2", "Ann_Lee 1 2 stands in x.txt:2 already"),
        (4, "Ann_Lee\t2\t1", "Ann_Lee 2 1 stands in x.txt:2 already"),
        (7, "Bo.Ek-Å\t1\tAnn_Lee\t01", "Bo.Ek-Å 1 Ann_Lee 1 stands in x.txt:5 already"),
        (2, "../etc\t1\t2", "'../etc' is no person's name"),
        (2, "..\t1\t2", "'..' is no person's name"),
        (2, ".\t1\t2", "'.' is no person's name"),
        (5, "Cy\t1\ta\\b\t1", "is no person's name"),
        (5, "Cy\t1\t\t1", "'' is no person's name"),
        (5, "Cy\t1\tA\x1b[31m\t1", "is no person's name"),
        (5, "Cy\t1\tC:x\t1", "'C:x' is no person's name"),
    ],
)
def test_a_malformed_line_is_named(line: int, broken: str, words: str) -> None:
    lines = list(LINES)
    lines[line - 1] = broken
    with pytest.raises(DataError) as caught:
        parse(text(lines), "x.txt")
    assert caught.value.message.startswith(f"x.txt:{line}: ")
    assert words in caught.value.message
    assert caught.value.hint
    assert "\n" not in str(caught.value)
    assert "\x1b" not in str(caught.value)


@pytest.mark.parametrize(
    ("head", "lines", "line", "words"),
    [
        ("3", [*SAME, *OTHER[:2]], 6, "the list ends after 5 pairs, but line 1 announces 6"),
        ("3", [*SAME, *OTHER, "Cy\t1\tDi\t1"], 8, "'Cy\\t1\\tDi\\t1' follows the 6 pairs"),
        ("2", [*SAME, *OTHER], 4, "4 of name1 i name2 j: line 1 announces 2 pairs of one person"),
        ("4", [*SAME, *OTHER], 5, "3 of name i j"),
        ("2 2", [*SAME[:2], *OTHER[:2], SAME[2]], 6, "the list ends after 5 pairs, but line 1 announces 8"),
        ("3 3", [*SAME, *OTHER], 7, "the list ends after 6 pairs, but line 1 announces 18"),
        ("3", SAME, 4, "the list ends after 3 pairs"),
        ("3", [*SAME[:2], *OTHER], 4, "3 of name i j"),
    ],
)
def test_wrong_counts_are_told_where_they_show(head: str, lines: list[str], line: int, words: str) -> None:
    with pytest.raises(DataError) as caught:
        parse(text([head, *lines]), "x.txt")
    assert caught.value.message.startswith(f"x.txt:{line}: ")
    assert words in caught.value.message


def test_an_empty_list_is_refused() -> None:
    for empty in ("", "\n\n", " \r\n"):
        with pytest.raises(DataError, match=r"x\.txt:1: "):
            parse(empty, "x.txt")


def test_pairs_stand_on_the_pictures_they_name(tmp_path: Path) -> None:
    pairs, notes = read(write_small(tmp_path))
    assert notes == []
    assert (len(pairs), len(pairs.images), pairs.people.tolist()) == (6, 7, ["Ann_Lee", "Bo.Ek-Å", "Cy"])
    assert pairs.same.tolist() == [True] * 3 + [False] * 3
    names = pairs.images.ids
    assert [f"{names[a]} {names[b]}" for a, b in zip(pairs.first, pairs.second, strict=True)][4] == (
        "Cy_0001 Bo.Ek-Å_0002"
    )
    assert pairs.places[4] == "pairsDevTrain.txt:6"
    assert (pairs.protocol, pairs.alignment, pairs.fold) == ("LFW view 1", "LFW-a (aligned, grey)", None)
    photos = pairs.images.images
    assert not isinstance(photos, np.ndarray)
    assert [photos.path(row).stem for row in range(7)] == names.tolist()
    assert (photos.sizes == (10, 12)).all()


def test_missing_pictures_are_told_by_the_first_line_that_names_one(tmp_path: Path) -> None:
    root = write_small(tmp_path)
    (root / "lfw" / "Bo.Ek-Å" / "Bo.Ek-Å_0002.png").unlink()
    with pytest.raises(DataError, match=r"^pairsDevTrain\.txt:6: Bo\.Ek-Å_0002\.png is not in lfw/Bo\.Ek-Å(?!, and)"):
        read(root)
    shutil.rmtree(root / "lfw" / "Cy")
    (root / "lfw" / "Ann_Lee" / "Ann_Lee_0003.png").rename(root / "lfw" / "Ann_Lee" / "Ann_Lee_3.png")
    with pytest.raises(DataError, match=r"^pairsDevTrain\.txt:4: Ann_Lee_0003.png .* and 2 more are missing"):
        read(root)


def test_lists_and_pictures_are_found_where_they_usually_stand(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SCIKIT_LEARN_DATA", str(tmp_path / "cache"))
    with pytest.raises(UsageError, match="--data"):
        find(None, "pairsDevTrain.txt")
    with pytest.raises(MissingFileError, match="no such folder"):
        find(tmp_path / "nowhere", "pairsDevTrain.txt")
    home = write_small(tmp_path / "cache" / "lfw_home", "lfw_funneled")
    for data in (None, tmp_path / "cache", home):
        found = find(data, "pairsDevTrain.txt")
        assert found == (home / "pairsDevTrain.txt", home / "lfw_funneled", ())
    with pytest.raises(MissingFileError, match=r"pairsDevTest\.txt"):
        find(None, "pairsDevTest.txt")
    inside = write_small(tmp_path / "own" / "lfw", ".")
    assert find(tmp_path / "own", "pairsDevTrain.txt").pictures == inside
    (tmp_path / "bare").mkdir()
    (tmp_path / "bare" / "pairsDevTrain.txt").write_text(text(LINES))
    with pytest.raises(DataError, match="no folder of pictures"):
        find(tmp_path / "bare", "pairsDevTrain.txt")


def test_a_list_of_the_users_goes_with_pictures_of_data_or_beside_it(tmp_path: Path) -> None:
    root = write_small(tmp_path / "a")
    other = tmp_path / "b" / "mine.txt"
    other.parent.mkdir()
    other.write_text(text(LINES))
    assert beside(root / "pairsDevTrain.txt", None) == (root / "pairsDevTrain.txt", root / "lfw", ())
    assert beside(other, root) == (other, root / "lfw", ())
    with pytest.raises(MissingFileError, match="no such file"):
        beside(tmp_path / "none.txt", root)
    with pytest.raises(MissingFileError, match="no such folder"):
        beside(other, tmp_path / "nowhere")
    with pytest.raises(DataError, match="no folder of pictures"):
        beside(other, None)
    home = write_small(tmp_path / "sk" / "lfw_home", "lfw_funneled")
    assert beside(other, tmp_path / "sk").pictures == home / "lfw_funneled"
    mine = read_test(lfw(), root, other)
    assert mine.places[0] == "mine.txt:2"


@pytest.mark.parametrize(
    ("folder", "colour", "alignment"),
    [
        ("lfw", False, "LFW-a (aligned, grey)"),
        ("lfw", True, "as downloaded, not aligned"),
        ("lfw2", True, "LFW-a"),
        ("lfw_funneled", True, "funneled"),
        ("lfw-deepfunneled", False, "deep funneled"),
    ],
)
def test_the_alignment_is_told_by_folder_or_colour(tmp_path: Path, folder: str, colour: bool, alignment: str) -> None:
    pairs, _ = read(write_small(tmp_path, folder, colour=colour))
    assert pairs.alignment == alignment


def test_an_equal_picture_of_a_different_person_is_named(tmp_path: Path) -> None:
    root = write_small(tmp_path)
    shutil.copy(root / "lfw" / "Ann_Lee" / "Ann_Lee_0001.png", root / "lfw" / "Bo.Ek-Å" / "Bo.Ek-Å_0001.png")
    with pytest.raises(DataError, match=r"^pairsDevTrain\.txt:5: Ann_Lee_0001 and Bo\.Ek-Å_0001 are one and the same"):
        read(root)


def test_equal_pictures_are_found_in_other_files_and_told_where_they_are_one_persons(tmp_path: Path) -> None:
    root = write_small(tmp_path)
    for number, effort in ((1, 0), (2, 9)):
        found = cv2.imencode(".png", np.zeros((40, 40), np.uint8), [cv2.IMWRITE_PNG_COMPRESSION, effort])[1].tobytes()
        (root / "lfw" / "Ann_Lee" / f"Ann_Lee_000{number}.png").write_bytes(found)
    _, notes = read(root)
    assert notes == ["same-person pairs of two equal pictures: 1, such as Ann_Lee 1 2"]


def test_the_digest_moves_with_pixels_and_pairs_and_not_with_the_place(tmp_path: Path) -> None:
    first, _ = read(write_small(tmp_path / "a"))
    again, _ = read(write_small(tmp_path / "elsewhere" / "b"))
    assert again.digest == first.digest == first.images.digest
    swapped, _ = read(write_small(tmp_path / "c", lines=["3", *SAME[::-1], *OTHER]))
    fewer, _ = read(write_small(tmp_path / "d", lines=["2", *SAME[:2], *OTHER[:2]]))
    pixel = write_small(tmp_path / "e")
    values = np.random.default_rng([2, 1]).integers(0, 256, (12, 10)).astype(np.uint8)
    values[3, 4] ^= 1
    write_png(pixel / "lfw" / "Cy" / "Cy_0001.png", values)
    changed, _ = read(pixel)
    digests = [first.digest, swapped.digest, fewer.digest, changed.digest]
    assert len(set(digests)) == 4
    part = first.take(np.array([0, 4]))
    assert part.digest not in digests
    assert part.digest != first.take(np.array([4, 0])).digest


def test_pairs_of_view_2_bring_their_folds_and_their_name(tmp_path: Path) -> None:
    write_small(tmp_path)
    lines = ["2\t1", "Ann_Lee\t1\t2", "Ann_Lee\t1\tCy\t1", "Bo.Ek-Å\t1\t2", "Bo.Ek-Å\t3\tCy\t1"]
    (tmp_path / "pairs.txt").write_text(text(lines), "utf-8")
    pairs, _ = read_train(lfw().model_copy(update={"train": "pairs.txt"}), tmp_path, DataOptions(), 0, 3)
    assert pairs.protocol == "LFW view 2"
    assert pairs.fold is not None
    assert pairs.fold.tolist() == [0, 0, 1, 1]
    assert replace(pairs, fold=None).take([True, False, True, False]).ids.tolist() == ["Ann_Lee 1 2", "Bo.Ek-Å 1 2"]


def test_both_lists_of_a_made_lfw_are_read(tmp_path: Path) -> None:
    root = write_lfw(tmp_path, people=9, pictures=3, test=3)
    pairs, notes = read(root)
    test = read_test(lfw(), root)
    assert notes == []
    assert (len(pairs), int(pairs.same.sum()), len(pairs.people)) == (36, 18, 9)
    assert (len(test), int(test.same.sum()), len(test.people)) == (12, 6, 3)
    assert not set(test.people) & set(pairs.people)
    assert test.digest != pairs.digest
    assert parse(listing(["a", "b", "c"], 2), "x")[0].id == "a 1 2"
