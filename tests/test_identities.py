"""Law: pairs drawn from folders of people are balanced, seeded, and keep everyone in one block."""

from __future__ import annotations

import os
import shutil
from dataclasses import replace
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest
from lfw_lists import lfw, write_png

from kptool.config import DataOptions
from kptool.errors import DataError, LeakError, MissingFileError, UsageError
from kptool.formats.identities import Drawn, draw
from kptool.formats.lfw_folder import people_in
from kptool.formats.pairs import read_train
from kptool.pair_folds import make, own_leak

COUNTS = [5, 2, 4, 3, 7, 2, 3, 4, 2]  # pictures of each person


def people(root: Path, counts: list[int] = COUNTS) -> Path:
    """A folder of a person each, s0 to s8, no two pictures alike."""
    for person, count in enumerate(counts):
        (root / f"s{person}").mkdir(parents=True)
        for n in range(count):
            values = np.random.default_rng([person, n]).integers(0, 256, (9, 7)).astype(np.uint8)
            write_png(root / f"s{person}" / f"{n + 1}.png", values)
    return root


def laws(found: Drawn, each: int, blocks: int) -> None:
    own = found.person[np.stack([found.first, found.second])]
    same = own[0] == own[1]
    ends = list(zip(found.first.tolist(), found.second.tolist(), strict=True))
    assert len(set(ends)) == len(ends), "a pair stands there once"
    assert (found.first < found.second).all()
    assert sorted(set(found.fold.tolist())) == list(range(blocks))
    for block in range(blocks):
        assert same[found.fold == block].sum() == (~same)[found.fold == block].sum() > 0
    for person in range(len(found.names)):
        blocks_of = set(found.fold[(own == person).any(0)].tolist())
        assert len(blocks_of) == 1, "nobody stands in two blocks"
        pictures = int((found.person == person).sum())
        assert (own[0][same] == person).sum() == min(each, len(list(combinations(range(pictures), 2))))


@pytest.mark.parametrize(("each", "blocks"), [(1, 2), (2, 3), (3, 4), (4, 2)])
@pytest.mark.parametrize("seed", [0, 7])
def test_pairs_are_balanced_in_every_block_and_nobody_stands_in_two(
    tmp_path: Path, each: int, blocks: int, seed: int
) -> None:
    found = draw(people(tmp_path), each, blocks, seed)
    laws(found, each, blocks)
    assert found.names == [f"s{n}" for n in range(9)]
    assert found.person.tolist() == [row for row, count in enumerate(COUNTS) for _ in range(count)]
    assert found.alone == []


def test_one_seed_is_one_set_of_pairs(tmp_path: Path) -> None:
    root = people(tmp_path)
    one, again, other = (draw(root, 2, 3, seed) for seed in (3, 3, 4))
    for a, b in zip(one[2:6], again[2:6], strict=True):
        assert np.array_equal(np.asarray(a), np.asarray(b))
    assert not (np.array_equal(one.first, other.first) and np.array_equal(one.second, other.second))


def test_different_people_take_turns(tmp_path: Path) -> None:
    found = draw(people(tmp_path, [4] * 8), 5, 2, 0)
    own = found.person[np.stack([found.first, found.second], axis=1)]
    other = own[own[:, 0] != own[:, 1]]
    assert np.bincount(other.ravel()).tolist() == [10] * 8, "20 pairs of a block have 40 places for 4 people"


@pytest.mark.parametrize("counts", [[9, 2, 2, 3, 2, 5, 2], [3] * 23, [2, 7, 2, 2, 2]])
def test_nobody_has_two_turns_more_than_another_where_pictures_suffice(tmp_path: Path, counts: list[int]) -> None:
    found = draw(people(tmp_path, counts), 2, 1, 3)
    own = found.person[np.stack([found.first, found.second], axis=1)]
    turns = np.bincount(own[own[:, 0] != own[:, 1]].ravel(), minlength=len(counts))
    assert np.ptp(turns) <= 1, turns


def test_all_pairs_of_different_people_are_drawn_where_all_are_needed(tmp_path: Path) -> None:
    found = draw(people(tmp_path, [4, 2]), 6, 1, 0)
    assert len(found.first) == 14, "6 + 1 of one person, 7 of the 8 of two"
    with pytest.raises(DataError, match="11 same-person pairs, only 10 of different"):
        draw(people(tmp_path / "more", [5, 2]), 10, 1, 0)


def test_every_block_has_two_people_whatever_their_pictures(tmp_path: Path) -> None:
    root = people(tmp_path, [6, 6, 2, 2, 2, 2])
    for seed in range(4):
        laws(draw(root, 10, 3, seed), 10, 3)


def test_the_people_are_found_inside_lfw_or_in_the_only_folder(tmp_path: Path) -> None:
    root = people(tmp_path / "a" / "att_faces")
    for data in (root, root.parent):
        assert people_in(data) == root
    people(root.parent / "second")
    assert people_in(root.parent) == root.parent
    lfw_home = people(tmp_path / "b" / "LFW2").parent
    people(lfw_home / "other")
    assert people_in(lfw_home) == lfw_home / "LFW2"
    one = people(tmp_path / "c", [3])
    assert people_in(one) == one
    with pytest.raises(MissingFileError, match="no such folder"):
        people_in(tmp_path / "none")


def test_what_the_competition_declares_stands_in_the_protocol_and_the_alignment(tmp_path: Path) -> None:
    own = lfw().model_copy(update={"protocol": "AT&T faces", "alignment": "by hand"})
    options = DataOptions(pairs_from="identities", pairs_per_person=1)
    pairs, _ = read_train(own, people(tmp_path), options, 5, 2)
    assert (pairs.protocol, pairs.alignment) == ("AT&T faces, 18 pairs drawn from 9 identities, seed 5", "by hand")
    told, _ = read_train(lfw(), tmp_path, options, 5, 2)
    assert told.alignment == "alignment not known", "grey pictures of other people are no LFW-a"


def test_one_picture_of_two_people_is_refused(tmp_path: Path) -> None:
    root = people(tmp_path, [3, 3, 3, 3, 3, 3])
    options = DataOptions(pairs_from="identities", pairs_per_person=2)
    shutil.copy(root / "s1" / "2.png", root / "s1" / "3.png")
    _, notes = read_train(lfw(), root, options, 0, 3)
    assert len(notes) <= 2
    shutil.copy(root / "s0" / "1.png", root / "s5" / "3.png")
    for seed in range(3):
        with pytest.raises(DataError, match="same picture"):
            read_train(lfw(), root, options, seed, 3)


def test_people_with_one_picture_are_alone_and_told(tmp_path: Path) -> None:
    root = people(tmp_path, [3, 1, 3, 2, 3, 1])
    (root / ".hidden").mkdir()
    (root / "README").write_text("x")
    (root / "s0" / "Thumbs.db").write_text("x")
    found = draw(root, 2, 2, 0)
    laws(found, 2, 2)
    assert (found.names, found.alone) == (["s0", "s2", "s3", "s4"], ["s1", "s5"])
    pairs, notes = read_train(lfw(), root, DataOptions(pairs_from="identities", pairs_per_person=2), 0, 2)
    assert notes[-1] == "people left out, for they have one picture: 2, such as s1"
    assert pairs.protocol == f"{len(pairs)} pairs drawn from 4 identities, seed 0"


def test_too_few_people_or_pictures_are_refused_with_a_remedy(tmp_path: Path) -> None:
    with pytest.raises(MissingFileError, match="no such folder"):
        draw(tmp_path / "none", 2, 2, 0)
    (tmp_path / "bare").mkdir()
    with pytest.raises(DataError, match="no folder with pictures of a person"):
        draw(tmp_path / "bare", 2, 2, 0)
    with pytest.raises(DataError, match="s2: no picture in this folder"):
        draw(people(tmp_path / "hollow", [2, 3, 0, 2]), 2, 2, 0)
    root = people(tmp_path / "five", [2] * 5)
    with pytest.raises(DataError, match=r"5 people .* 3 folds need two people each") as caught:
        draw(root, 2, 3, 0)
    assert caught.value.hint == "set folds.count to 2"
    with pytest.raises(DataError, match=r"block \d has 4[56] same-person pairs, only \d+ of different") as caught:
        draw(people(tmp_path / "heavy", [10, 2, 2, 2]), 45, 2, 0)
    assert "pairs_per_person" in caught.value.hint
    with pytest.raises(UsageError, match="--data"):
        read_train(lfw(), None, DataOptions(pairs_from="identities"), 0, 2)


def test_drawn_pairs_are_values_like_those_of_a_list(tmp_path: Path) -> None:
    options = DataOptions(pairs_from="identities", pairs_per_person=3)
    pairs, notes = read_train(lfw(), people(tmp_path), options, 5, 3)
    assert len(notes) == 1
    assert pairs.fold is not None
    assert pairs.images.ids[:2].tolist() == ["s0/1", "s0/2"]
    assert (pairs.places == "").all()
    folds = make(pairs, 3, 0)
    assert np.array_equal(folds.fold, pairs.fold)
    assert own_leak(pairs, folds.fold) == 0
    other, _ = read_train(lfw(), tmp_path, options, 6, 3)
    assert other.digest != pairs.digest
    with pytest.raises(UsageError, match="3 folds of its own"):
        make(pairs, 4, 0)
    moved = pairs.fold.copy()
    moved[0] = (moved[0] + 1) % 3
    with pytest.raises(LeakError, match=r"^s\d stands in fold \d \(s\d/\d s\d/\d\) and in fold \d \(s\d/\d s\d/\d\)"):
        make(replace(pairs, fold=moved), 3, 0)


def test_orl_gives_five_blocks_of_eight_people() -> None:
    folder = os.environ.get("KPTOOL_DATA_ORL")
    if not folder:
        pytest.skip("KPTOOL_DATA_ORL names no folder")
    found = draw(people_in(Path(folder)), 10, 5, 0)
    laws(found, 10, 5)
    assert (len(found.files), len(found.names), len(found.first)) == (400, 40, 800)
    assert [len(set(found.person[found.first[found.fold == k]])) for k in range(5)] == [8] * 5
