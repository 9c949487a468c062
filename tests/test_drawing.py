"""Law: a dot stands on its point to a quarter of a pixel, and what is not near a point keeps its colour."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from PIL import Image

from kptool.drawing import BOX, FOUND, JOINED, MOST_SIDE, draw_face, drawn_path, save_jpeg
from kptool.errors import DataError
from kptool.geometry import Bytes

W, H = 173, 119


def grey(width: int = W, height: int = H) -> Bytes:
    return np.full((height, width, 3), 128, dtype=np.uint8)


def changed(picture: Bytes) -> Bytes:
    return np.argwhere((picture != 128).any(-1))[:, ::-1].astype(np.uint8)


@pytest.mark.parametrize("point", [(60.0, 40.0), (60.5, 40.25), (100.3125, 7.9375)])
def test_a_dot_stands_on_its_point(point: tuple[float, float]) -> None:
    picture = grey()
    draw_face(picture, np.array([point, [100.0, 100.0]]))
    weight = np.abs(picture[: H // 2].astype(float) - 128).sum(-1)
    y, x = np.mgrid[: H // 2, :W]
    centroid = (weight * x).sum() / weight.sum(), (weight * y).sum() / weight.sum()
    assert_allclose(centroid, point, atol=0.25)


def test_only_pixels_near_points_change() -> None:
    picture, points = grey(), np.array([[20.0, 30.0], [150.0, 90.0]])
    draw_face(picture, points)
    there = changed(picture)
    assert len(there)
    assert np.linalg.norm(there[:, None] - points, axis=-1).min(1).max() < 5


def test_lines_and_boxes_are_drawn_in_their_colours() -> None:
    picture = grey()
    draw_face(picture, np.array([[20.0, 30.0], [150.0, 30.0]]), ((0, 1),), np.array([10.0, 20.0, 150.0, 60.0]))
    assert_allclose(picture[30, 85], JOINED, atol=12)  # its edges are smoothed
    assert_array_equal(picture[30, 20], FOUND)
    lines = {int(np.abs(picture[50].astype(int) - BOX).sum(-1).argsort()[n]) for n in range(2)}
    assert {min(lines) // 2, max(lines) // 2} <= {4, 5, 79, 80}, "left and right edge, between pixels 9|10 and 159|160"
    assert_array_equal(picture[60, 60:100], grey()[60, 60:100])


def test_what_is_not_labelled_is_left_out() -> None:
    points = np.array([[20.0, 30.0], [np.nan, np.nan], [90.0, 30.0]])
    one, other = grey(), grey()
    draw_face(one, points, ((0, 1), (1, 2)))
    draw_face(other, points[[0, 2]])
    assert_array_equal(one, other)
    none = grey()
    draw_face(none, np.full((3, 2), np.nan), ((0, 1),), np.array([np.nan] * 4))
    assert_array_equal(none, grey())
    draw_face(none, np.full((3, 2), np.nan), (), np.array([10.0, 10.0, 50.0, 50.0]))
    assert len(changed(none)), "a box is drawn without points too"


@pytest.mark.parametrize("far", [1e3, 1e9, -1e12, 1e300])
def test_points_far_off_do_no_harm(far: float) -> None:
    picture = grey()
    draw_face(picture, np.array([[20.0, 30.0], [far, far], [60.0, 30.0]]), ((0, 2),))
    assert_array_equal(picture[30, 20], FOUND)
    assert (picture != 128).any(-1).mean() < 0.2


def test_dots_grow_with_the_face() -> None:
    areas = []
    for side in (30, 300, 3000):
        picture = grey(side, side)
        draw_face(picture, np.array([[0.2, 0.5], [0.8, 0.5]]) * side)
        areas.append((picture != 128).any(-1).sum())
    assert areas[0] < areas[1] < areas[2]
    assert areas[2] < 2 * 900, "12 px at the most"


def test_a_drawing_keeps_its_name_and_is_a_jpeg(tmp_path: Path) -> None:
    assert drawn_path(tmp_path, "a/b.JPG") == tmp_path / "a/b.JPG"
    assert drawn_path(tmp_path, "a/b c.png") == tmp_path / "a/b c.png.jpg"
    picture = grey()
    picture[:, :60] = 250, 20, 30
    save_jpeg(picture, tmp_path / "new" / "é.jpg")
    back = Image.open(tmp_path / "new" / "é.jpg")
    assert (back.format, back.size) == ("JPEG", (W, H))
    assert_allclose(np.asarray(back)[60, 20], [250, 20, 30], atol=6)
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["é.jpg"], "nothing temporary is left"


def test_a_picture_too_long_for_a_jpeg_is_refused(tmp_path: Path) -> None:
    save_jpeg(grey(MOST_SIDE, 1), tmp_path / "long.jpg")
    with pytest.raises(DataError, match="65501x1 px"):
        save_jpeg(grey(MOST_SIDE + 1, 1), tmp_path / "longer.jpg")
    assert not (tmp_path / "longer.jpg").exists()
