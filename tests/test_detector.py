"""Law: a detector's boxes are the photo's own, whatever size it was looked at; a fetched file is the known one."""

from __future__ import annotations

import hashlib
import io
import subprocess
import sys
import urllib.request
from http.client import IncompleteRead
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from kptool import detector
from kptool.errors import KptoolError, UsageError
from kptool.geometry import Bytes, Floats

NETWORK = b"an honest network"


class Fake:
    """OpenCV's detector, that finds a face in the last fifth of every picture that is not black, and a surer one."""

    def __init__(self) -> None:
        self.sizes: list[tuple[int, int]] = []
        self.seen: list[Bytes] = []

    def create(self, *_: object) -> Fake:
        return self

    def setInputSize(self, size: tuple[int, int]) -> None:
        self.sizes.append(size)

    def detect(self, picture: Bytes) -> tuple[int, Floats | None]:
        self.seen.append(picture)
        if not picture.any():
            return 0, None
        height, width = picture.shape[:2]
        rows = np.zeros((2, 15), dtype=np.float32)
        rows[:, :4] = [[0.8 * width, 0.8 * height, 0.2 * width, 0.2 * height], [1, 2, 3, 4]]
        rows[:, 14] = 0.8, 0.9
        return 1, rows  # type: ignore[return-value]  # float32, as OpenCV gives it


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch) -> Fake:
    made = Fake()
    monkeypatch.setattr(cv2, "FaceDetectorYN", made)
    return made


@pytest.fixture
def onnx(tmp_path: Path) -> Path:
    path = tmp_path / "any.onnx"
    path.write_bytes(NETWORK)
    return path


@pytest.mark.parametrize(("width", "height"), [(300, 200), (3000, 1501), (1281, 37), (1, 1)])
def test_boxes_are_in_the_photos_own_pixels(fake: Fake, onnx: Path, width: int, height: int) -> None:
    found = detector.load(onnx)(np.full((height, width, 3), 90, dtype=np.uint8))
    small = fake.sizes[-1]
    assert max(small) <= detector.LONGEST
    assert small == (width, height) or max(width, height) > detector.LONGEST
    assert fake.seen[-1].shape[1::-1] == small
    shrunk = width / small[0], height / small[1]
    assert_allclose(found[0], [shrunk[0], 2 * shrunk[1], 3 * shrunk[0], 4 * shrunk[1]], rtol=1e-6)
    assert_allclose(found[1], [0.8 * width, 0.8 * height, 0.2 * width, 0.2 * height], rtol=1e-6)


def test_it_is_shown_blue_first_and_nothing_is_no_face(fake: Fake, onnx: Path) -> None:
    picture = np.zeros((7, 9, 3), dtype=np.uint8)
    detect = detector.load(onnx)
    assert detect(picture).shape == (0, 4)
    picture[..., 0] = 200
    detect(picture)
    assert_array_equal(fake.seen[-1][0, 0], [0, 0, 200])


def test_no_file_and_no_network_are_told(tmp_path: Path, onnx: Path) -> None:
    with pytest.raises(UsageError, match="no such file"):
        detector.load(tmp_path / "none.onnx")
    with pytest.raises(UsageError, match="not a YuNet network") as error:
        detector.load(onnx)
    assert "\n" not in str(error.value)


def test_another_network_is_told_in_one_line_and_opencv_keeps_quiet(tmp_path: Path) -> None:
    path = tmp_path / "relu.onnx"
    path.write_bytes(relu_onnx())
    words = f"from pathlib import Path\nfrom kptool.detector import load\nload(Path({str(path)!r}))"
    said = subprocess.run([sys.executable, "-c", words], capture_output=True, text=True, timeout=60)
    assert "UsageError" in said.stderr.splitlines()[-1]
    assert "not a YuNet network" in said.stderr.splitlines()[-1]
    assert "WARN" not in said.stderr
    assert "[ERROR" not in said.stderr


def relu_onnx() -> bytes:
    """An ONNX file of one layer, written by hand: https://github.com/onnx/onnx/blob/main/onnx/onnx.proto3"""

    def number(field: int, value: int) -> bytes:
        return varint(field << 3) + varint(value)

    def inner(field: int, data: bytes) -> bytes:
        return varint(field << 3 | 2) + varint(len(data)) + data

    def image(name: bytes) -> bytes:
        shape = b"".join(inner(1, number(1, side)) for side in (1, 3, 320, 320))
        return inner(1, name) + inner(2, inner(1, number(1, 1) + inner(2, shape)))

    node = inner(1, b"x") + inner(2, b"y") + inner(4, b"Relu")
    graph = inner(1, node) + inner(2, b"g") + inner(11, image(b"x")) + inner(12, image(b"y"))
    return number(1, 7) + inner(7, graph) + inner(8, number(2, 11))


def varint(value: int) -> bytes:
    """Seven bits a byte, least first."""
    return bytes([value]) if value < 128 else bytes([value & 127 | 128]) + varint(value >> 7)


# --- fetching ---


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("KPTOOL_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(detector, "SHA256", hashlib.sha256(NETWORK).hexdigest())
    return tmp_path / "cache"


def serve(monkeypatch: pytest.MonkeyPatch, answer: bytes | Exception) -> list[str]:
    """Answer every request so; the addresses that are asked for."""
    asked: list[str] = []

    def urlopen(url: str, **_: Any) -> io.BytesIO:
        asked.append(url)
        if isinstance(answer, Exception):
            raise answer
        return io.BytesIO(answer)

    monkeypatch.setattr(urllib.request, "urlopen", urlopen)
    return asked


def test_it_is_fetched_once(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = serve(monkeypatch, NETWORK)
    path = detector.fetch()
    assert path.read_bytes() == NETWORK
    assert path.is_relative_to(cache)
    assert detector.fetch() == path
    assert asked == [detector.URL]
    assert asked[0].startswith("https://")


@pytest.mark.usefixtures("cache")
def test_a_damaged_copy_is_fetched_again(monkeypatch: pytest.MonkeyPatch) -> None:
    serve(monkeypatch, NETWORK)
    path = detector.fetch()
    path.write_bytes(NETWORK[:-1])
    asked = serve(monkeypatch, NETWORK)
    assert detector.fetch().read_bytes() == NETWORK
    assert len(asked) == 1


@pytest.mark.parametrize("answer", [NETWORK + b"!", b"", b"<html>sign in</html>"])
def test_another_file_is_refused_and_not_kept(answer: bytes, cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    serve(monkeypatch, answer)
    with pytest.raises(KptoolError, match="another digest"):
        detector.fetch()
    assert not [path for path in cache.rglob("*") if path.is_file()]


@pytest.mark.parametrize("error", [OSError("no route"), TimeoutError("slow"), IncompleteRead(b"half")])
def test_no_connection_is_one_line(error: Exception, cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    serve(monkeypatch, error)
    with pytest.raises(KptoolError, match="cannot be fetched") as told:
        detector.fetch()
    assert "--detector FILE" in str(told.value)
    assert "\n" not in str(told.value)
    assert not cache.exists()
