"""Law: pairs drawn from folders of people are balanced, seeded, and keep everyone in one block."""

from __future__ import annotations

import os
from dataclasses import replace
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest
from lfw_lists import lfw, write_png

from kptool.config import DataOptions
from kptool.errors import DataError, LeakError, MissingFileError, UsageError
from kptool.formats.identities import Drawn, draw
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
    assert found.left_out == []


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
    met = [int((np.sort(other, axis=1) == pair).all(1).sum()) for pair in combinations(range(8), 2)]
    assert sorted(set(met)) == [0, 3, 4], "20 pairs over the 6 meetings of a block: 3 or 4 of each"


def test_people_with_one_picture_are_left_out_and_told(tmp_path: Path) -> None:
    root = people(tmp_path, [3, 1, 3, 2, 3, 0])
    (root / ".hidden").mkdir()
    (root / "README").write_text("x")
    (root / "s0" / "Thumbs.db").write_text("x")
    found = draw(root, 2, 2, 0)
    laws(found, 2, 2)
    assert (found.names, found.left_out) == (["s0", "s2", "s3", "s4"], ["s1", "s5"])
    pairs, notes = read_train(lfw(), root, DataOptions(pairs_from="identities", pairs_per_person=2), 0, 2)
    assert notes[-1] == "2 folders with fewer than two pictures are left out, such as s1"
    assert pairs.protocol == f"{len(pairs)} pairs drawn from 4 identities, seed 0"


def test_too_few_people_or_pictures_are_refused_with_a_remedy(tmp_path: Path) -> None:
    with pytest.raises(MissingFileError, match="no such folder"):
        draw(tmp_path / "none", 2, 2, 0)
    (tmp_path / "bare").mkdir()
    with pytest.raises(DataError, match="no folder with two pictures"):
        draw(tmp_path / "bare", 2, 2, 0)
    root = people(tmp_path / "five", [2] * 5)
    with pytest.raises(DataError, match="5 people .* 3 folds need two people each") as caught:
        draw(root, 2, 3, 0)
    assert caught.value.hint == "set folds.count to 2"
    with pytest.raises(DataError, match=r"block \d has 45 same-person pairs, only 0") as caught:
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
    found = draw(Path(folder), 10, 5, 0)
    laws(found, 10, 5)
    assert (len(found.files), len(found.names), len(found.first)) == (400, 40, 800)
    assert [len(set(found.person[found.first[found.fold == k]])) for k in range(5)] == [8] * 5
