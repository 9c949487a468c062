"""Law: which pictures and which protocol a list of pairs means is told, and never guessed in silence."""

from __future__ import annotations

import os
import shutil
import time
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from lfw_lists import LINES, lfw, text, write_pictures, write_png, write_small

from kptool.config import DataOptions
from kptool.dataset import Photos
from kptool.errors import DataError, MissingFileError
from kptool.formats.equal_pictures import equal_pictures
from kptool.formats.lfw_folder import find
from kptool.formats.pairs import read_test, read_train
from kptool.pair_folds import components, make, shared_people
from kptool.pairs import Pairs

TWO = ["2", "Ann_Lee\t1\t2", "Bo.Ek-Å\t1\t2", "Ann_Lee\t1\tBo.Ek-Å\t1", "Ann_Lee\t2\tBo.Ek-Å\t3"]


def read(root: Path, **declared: str) -> tuple[Pairs, list[str]]:
    return read_train(lfw().model_copy(update=declared), root, DataOptions(), 0, 3)


def test_of_two_folders_of_pictures_one_is_used_and_the_other_told(tmp_path: Path) -> None:
    write_small(tmp_path, "lfw_funneled")
    write_pictures(tmp_path, "LFW-A")
    pairs, notes = read(tmp_path)
    assert pairs.alignment == "LFW-a"
    assert len(notes) == 1
    assert f"{tmp_path / 'LFW-A'};" in notes[0]
    assert notes[0].endswith(": lfw_funneled")
    pairs, notes = read(tmp_path / "lfw_funneled")
    assert (pairs.alignment, notes) == ("funneled", [])
    assert isinstance(pairs.images.images, Photos)
    assert pairs.images.images.root == tmp_path / "lfw_funneled"


def test_a_picture_that_stands_there_twice_is_named_by_its_line(tmp_path: Path) -> None:
    folder = write_small(tmp_path) / "lfw" / "Ann_Lee"
    (folder / "._Ann_Lee_0003.png").write_bytes(b"what macOS puts beside it")
    (folder / "Ann_Lee_0003.txt").write_text("no picture")
    read(tmp_path)
    shutil.copy(folder / "Ann_Lee_0003.png", folder / "Ann_Lee_0003.JPG")
    with pytest.raises(DataError, match=r"^pairsDevTrain\.txt:4: .* Ann_Lee_0003\.JPG or Ann_Lee_0003\.png"):
        read(tmp_path)


@pytest.mark.parametrize("ending", [".jpg", ".pgm", ".bmp"])
def test_pictures_may_have_any_ending_and_the_missing_one_is_called_like_the_others(
    tmp_path: Path, ending: str
) -> None:
    for file in sorted((write_small(tmp_path) / "lfw").rglob("*.png")):
        assert cv2.imwrite(str(file.with_suffix(ending)), cv2.imread(str(file), cv2.IMREAD_GRAYSCALE))
        file.unlink()
    assert len(read(tmp_path)[0].images) == 7
    (tmp_path / "lfw" / "Cy" / f"Cy_0001{ending}").unlink()
    with pytest.raises(DataError, match=rf"^pairsDevTrain\.txt:6: Cy_0001\{ending} is not in lfw/Cy;"):
        read(tmp_path)


def test_nothing_that_is_no_folder_passes_for_one(tmp_path: Path) -> None:
    file = tmp_path / "lfw.zip"
    file.write_bytes(b"PK")
    with pytest.raises(MissingFileError, match=r"lfw\.zip: is a file"):
        find(file, "pairsDevTrain.txt")
    write_small(tmp_path / "a")
    shutil.rmtree(tmp_path / "a" / "lfw" / "Ann_Lee")
    (tmp_path / "a" / "lfw" / "Ann_Lee").write_text("a file")
    with pytest.raises(DataError, match=r"^pairsDevTrain\.txt:2: Ann_Lee_0001\.png is not in .* 2 more are missing"):
        read(tmp_path / "a")


def test_only_lfws_own_lists_are_called_lfws(tmp_path: Path) -> None:
    write_small(tmp_path)
    for name, protocol, alignment in (
        ("mine.txt", "pairs of mine.txt", "alignment not known"),
        ("pairs.txt", "pairs of pairs.txt", "alignment not known"),
        ("pairsDevTest.txt", "LFW view 1", "LFW-a (aligned, grey)"),
    ):
        (tmp_path / name).write_text(text(LINES), "utf-8")
        found = read_test(lfw(), tmp_path, tmp_path / name)
        assert (found.protocol, found.alignment) == (protocol, alignment)
    own = lfw().model_copy(update={"protocol": "ours", "alignment": "by eye"})
    assert read(tmp_path, protocol="ours", alignment="by eye")[0].protocol == "ours"
    assert read_test(own, tmp_path).alignment == "by eye"
    assert read_test(own, tmp_path, tmp_path / "mine.txt").protocol == "pairs of mine.txt"
    with pytest.raises(MissingFileError, match="no test pairs"):
        read_test(lfw().model_copy(update={"test": ""}), tmp_path)


def test_names_that_would_make_two_pairs_one_are_refused(tmp_path: Path) -> None:
    for name, count in (("A", 3), ("A 1", 3), ("2", 3)):
        (tmp_path / "lfw" / name).mkdir(parents=True)
        for n in range(1, count + 1):
            write_png(
                tmp_path / "lfw" / name / f"{name}_{n:04d}.png",
                np.random.default_rng([len(name), n]).integers(0, 255, (9, 8)).astype(np.uint8),
            )
    (tmp_path / "pairsDevTrain.txt").write_text("1\nA 1\t2\t3\nA\t1\t2\t3\n")
    with pytest.raises(DataError, match="two pairs would both be called 'A 1 2 3'"):
        read(tmp_path)


def test_equal_pictures_are_equal_grey_levels_of_equal_shape(tmp_path: Path) -> None:
    root = write_small(tmp_path) / "lfw"
    grey = np.random.default_rng(1).integers(0, 256, (12, 10)).astype(np.uint8)
    write_png(root / "Ann_Lee" / "Ann_Lee_0001.png", grey)
    (root / "Ann_Lee" / "Ann_Lee_0002.png").unlink()
    assert cv2.imwrite(str(root / "Ann_Lee" / "Ann_Lee_0002.bmp"), np.repeat(grey[..., None], 3, axis=2))
    write_png(root / "Ann_Lee" / "Ann_Lee_0003.png", grey.reshape(10, 12))
    write_png(root / "Bo.Ek-Å" / "Bo.Ek-Å_0001.png", grey[::-1].copy())
    pairs, notes = read(tmp_path)
    assert notes == ["same-person pairs of two equal pictures: 1, such as Ann_Lee 1 2"]
    photos = pairs.images.images
    assert isinstance(photos, Photos)
    assert equal_pictures(photos).tolist() == [0, 0, 2, 3, 4, 5, 6]
    assert equal_pictures(replace(photos, sizes=np.zeros_like(photos.sizes))).tolist() == list(range(7))


def test_one_picture_of_two_people_keeps_them_in_one_fold(tmp_path: Path) -> None:
    write_small(tmp_path, lines=["2", "Ann_Lee\t1\t2", "Bo.Ek-Å\t2\t3", "Ann_Lee\t1\tCy\t1", "Ann_Lee\t2\tCy\t1"])
    apart, notes = read(tmp_path)
    assert (notes, sorted(components(apart).tolist())) == ([], [0, 0, 0, 1])
    folder = tmp_path / "lfw"
    shutil.copy(folder / "Cy" / "Cy_0001.png", folder / "Bo.Ek-Å" / "Bo.Ek-Å_0003.png")
    joined, notes = read(tmp_path)
    assert notes == ["pictures that also stand there as another person: 1, such as Bo.Ek-Å_0003 = Cy_0001"]
    assert components(joined).tolist() == [0] * 4
    with pytest.raises(DataError, match="into 1 groups"):
        make(joined, 2, 0)
    given = replace(joined, fold=components(apart))
    assert make(given, 2, 0).fold.tolist() == components(apart).tolist(), "folds of the list are taken as they are"


def test_a_sealed_list_with_one_picture_as_two_people_is_refused_too(tmp_path: Path) -> None:
    write_small(tmp_path)
    (tmp_path / "pairsDevTest.txt").write_text(text(LINES), "utf-8")
    shutil.copy(tmp_path / "lfw" / "Cy" / "Cy_0001.png", tmp_path / "lfw" / "Ann_Lee" / "Ann_Lee_0003.png")
    with pytest.raises(DataError, match=r"^pairsDevTest\.txt:7: .* one and the same picture"):
        read_test(lfw(), tmp_path)


def test_a_picture_that_cannot_be_decoded_is_named(tmp_path: Path) -> None:
    file = write_small(tmp_path) / "lfw" / "Ann_Lee" / "Ann_Lee_0002.png"
    file.write_bytes(file.read_bytes()[:60])
    with pytest.raises(DataError, match=r"Ann_Lee_0002\.png: cannot be decoded"):
        read(tmp_path)


def test_people_shared_by_two_lists_are_those_of_their_pairs(tmp_path: Path) -> None:
    write_small(tmp_path)
    (tmp_path / "two.txt").write_text(text(TWO), "utf-8")
    pairs, other = read(tmp_path)[0], read_test(lfw(), tmp_path, tmp_path / "two.txt")
    assert shared_people(pairs, other) == shared_people(other, pairs) == ["Ann_Lee", "Bo.Ek-Å"]
    assert shared_people(pairs, other.take([1])) == ["Bo.Ek-Å"]
    assert shared_people(pairs.take([0]), other.take([1])) == []


def test_lfw_itself_is_read_in_seconds_and_its_two_lists_share_nobody() -> None:
    folder = os.environ.get("KPTOOL_DATA_LFW")
    if not folder:
        pytest.skip("KPTOOL_DATA_LFW names no folder")
    start = time.process_time()
    train, test = read(Path(folder))[0], read_test(lfw(), Path(folder))
    assert time.process_time() - start < 20
    assert (len(train), len(train.images), len(train.people)) == (2200, 3443, 2132)
    assert (len(test), len(test.images), len(test.people)) == (1000, 1549, 963)
    assert shared_people(train, test) == []
    assert {train.protocol, test.protocol} == {"LFW view 1"}
    assert {train.alignment, test.alignment} == {"LFW-a (aligned, grey)"}
