"""Law: a descriptor is its lines' numbers after each other, each of length 1; a wrong line is told by its number."""

from __future__ import annotations

import pytest
import torch

from kptool.errors import UsageError
from kptool.models.codes import Lbp, Lpq
from kptool.models.descriptors import make_descriptors
from kptool.models.hog import Hog

WIDTH, HEIGHT = 37, 46
SIZE = (WIDTH, HEIGHT)
LINES = ["hog 6 9", "lbp 2 10 cut 3", "lpq 5 11 cut 2x4", "hog 7 5 cut 1x2"]


def pictures(count: int = 3) -> torch.Tensor:
    return torch.rand(count, 1, HEIGHT, WIDTH, generator=torch.Generator().manual_seed(1)) * 255


def test_the_numbers_are_those_of_each_line_on_what_its_cut_leaves() -> None:
    images = pictures()
    made = make_descriptors(LINES, 1, SIZE)
    alone = [
        Hog(6, 9)(images),
        Lbp(2, 10)(images[:, :, 3:-3, 3:-3]),
        Lpq(5, 11)(images[:, :, 4:-4, 2:-2]),
        Hog(7, 5)(images[:, :, 2:-2, 1:-1]),
    ]
    assert made.lengths == [one.shape[1] for one in alone]
    parts = made(images).split(made.lengths, 1)
    for part, one in zip(parts, alone, strict=True):
        torch.testing.assert_close(part, one / one.norm(dim=1, keepdim=True))
    assert not list(made.parameters()), "there is nothing to learn"
    assert not made.state_dict()


def test_a_batch_is_each_alone_and_autocast_changes_nothing() -> None:
    made, images = make_descriptors(LINES, 1, SIZE), pictures(4)
    torch.testing.assert_close(made(images), torch.cat([made(image[None]) for image in images]))
    with torch.autocast("cpu", dtype=torch.bfloat16):
        found = made(images)
    assert found.dtype == torch.float32
    torch.testing.assert_close(found, made(images))


@pytest.mark.parametrize(
    ("line", "words", "remedy"),
    [
        ("hoge 8 16", "no descriptor is called 'hoge'", "did you mean 'hog'"),
        ("", "no descriptor is called ''", "hog"),
        ("hog 8", "bins is missing", "write it as hog CELL BINS"),
        ("lbp", "radius is missing", "write it as lbp RADIUS CELL"),
        ("hog 0 16", "cell is '0', expected a whole number", "hog CELL BINS"),
        ("hog 8 1", "bins is 1, expected 2 or more", "hog CELL BINS"),
        ("lpq 8 9", "window is 8, expected an odd number", "lpq WINDOW CELL"),
        ("lpq 1 9", "window is 1, expected an odd number", "lpq WINDOW CELL"),
        ("lbp 2.5 9", "radius is '2.5'", "lbp RADIUS CELL"),
        ("hog 8 16 cut", "cut has no value", "hog CELL BINS"),
        ("hog 8 16 cut 1 cut 2", "cut stands there twice", "hog CELL BINS"),
        ("hog 8 16 cut -1", "cut is '-1'", "hog CELL BINS"),
        ("hog 8 16 trim 3", "'trim' is not understood", "hog CELL BINS"),
        ("hog 38 9", "no whole cell fits into 37x46 px", "larger frame or smaller cells"),
        ("lbp 2 34", "no whole cell fits into 37x46 px", "larger frame or smaller cells"),
        ("lpq 7 32", "no whole cell fits into 37x46 px", "larger frame or smaller cells"),
        ("hog 6 9 cut 17x5", "no whole cell fits into 3x36 px", "larger frame or smaller cells"),
        ("lbp 2 5 cut 19", "no whole cell fits into -1x8 px", "larger frame or smaller cells"),
        ("lbp 30 8", "no whole cell fits into 37x46 px", "larger frame or smaller cells"),
    ],
)
def test_a_wrong_line_is_told_by_its_number_and_how_to_write_it(line: str, words: str, remedy: str) -> None:
    with pytest.raises(UsageError) as caught:
        make_descriptors(["hog 6 9", line], 1, SIZE)
    assert caught.value.message.startswith(f"model.layers[1]: '{line}': ")
    assert words in caught.value.message
    assert remedy in caught.value.hint


def test_colour_and_no_lines_are_refused() -> None:
    with pytest.raises(UsageError, match=r"model\.channels is 3"):
        make_descriptors(LINES, 3, SIZE)
    with pytest.raises(UsageError, match=r"model\.layers is empty"):
        make_descriptors([], 1, SIZE)


@pytest.mark.parametrize("size", [(37, 46), (38, 45), (40, 50)])
def test_the_lengths_are_told_before_any_picture(size: tuple[int, int]) -> None:
    made = make_descriptors(LINES, 1, size)
    assert made(torch.zeros(2, 1, size[1], size[0])).shape == (2, sum(made.lengths))
