"""Faces found by OpenCV's YuNet, where a photo comes without a box.

The network is an ONNX file of 230 kB (Wu, Peng and Yu, "YuNet: a tiny millisecond-level face detector", Machine
Intelligence Research 20, 2023; MIT licence), from OpenCV's model zoo. It is not shipped: the user names a file, or has
it fetched once, checked against the digest that the zoo's repository holds.
"""

from __future__ import annotations

import hashlib
import http.client
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Final

import cv2
import numpy as np

from kptool.errors import KptoolError, UsageError
from kptool.files import cache_folder, write_atomic
from kptool.geometry import Bytes, Floats, resize

NAME: Final = "face_detection_yunet_2023mar.onnx"
URL: Final = f"https://huggingface.co/opencv/face_detection_yunet/resolve/main/{NAME}"
SHA256: Final = "8f2383e4dd3cfbb4553ea8718107fc0423210dc964f9f4280604804ed2552fa4"
SURE: Final = 0.7
"""Least confidence of a detection that is taken for a face."""
LONGEST: Final = 1280
"""px, the longer side that a photo is looked at in; YuNet finds faces of 10 to 300 px."""

Detect = Callable[[Bytes], Floats]


def load(path: Path) -> Detect:
    """A detector: a picture (H, W, 3) uint8 RGB -> boxes (F, 4) left, top, width, height in its px, surest first.

    Raises:
        UsageError: no such file, or no YuNet.
    """
    if not path.is_file():
        raise UsageError(f"--detector {path}: no such file", "name YuNet's .onnx file, or use --fetch-detector")
    network = _open(path)

    def detect(picture: Bytes) -> Floats:
        size = picture.shape[1], picture.shape[0]
        shrink = min(1.0, LONGEST / max(size))
        small = max(1, round(size[0] * shrink)), max(1, round(size[1] * shrink))
        shown = cv2.resize(picture, small, interpolation=cv2.INTER_AREA) if small != size else picture
        network.setInputSize(small)
        _, found = network.detect(np.ascontiguousarray(shown[:, :, ::-1]))
        return to_boxes(found, size, small)

    return detect


def _open(path: Path) -> cv2.FaceDetectorYN:
    """The network, tried on a black picture: another ONNX file loads as well, and fails only when it is run."""
    level = cv2.utils.logging.getLogLevel()
    # OpenCV would print to stderr what is told below in one line.
    cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)
    try:
        network = cv2.FaceDetectorYN.create(str(path), "", (320, 320), SURE)
        network.detect(np.zeros((320, 320, 3), dtype=np.uint8))
    except (cv2.error, SystemError) as error:
        told = str(error).strip().splitlines()
        why = " ".join(told[0].rpartition("error: ")[2].split()) if told else "OpenCV cannot run it"
        raise UsageError(f"--detector {path}: not a YuNet network ({why})", "use --fetch-detector") from None
    finally:
        cv2.utils.logging.setLogLevel(level)
    return network


def to_boxes(found: Floats | None, size: tuple[int, int], small: tuple[int, int]) -> Floats:
    """YuNet's rows (F, 15), x, y, w, h first and the score last, as boxes (F, 4) of the full picture, surest first."""
    if found is None or not len(found):
        return np.empty((0, 4))
    rows = np.asarray(found, dtype=np.float64)
    rows = rows[np.argsort(-rows[:, 14], kind="stable")]
    # YuNet counts from the first pixel's corner, as a box's left and top do.
    back = resize(small, size).matrix
    factor = np.array([back[0, 0], back[1, 1]])
    return np.concatenate([rows[:, :2] * factor, rows[:, 2:4] * factor], axis=1)


def fetch() -> Path:
    """Download the network into the cache, unless it is there; the path.

    Raises:
        KptoolError: no network, or a file with another digest.
    """
    path = cache_folder() / "detector" / NAME
    if path.is_file() and hashlib.sha256(path.read_bytes()).hexdigest() == SHA256:
        return path
    try:
        with urllib.request.urlopen(URL, timeout=30) as answer:
            data = answer.read(10_000_000)
    except (OSError, http.client.HTTPException) as error:  # urllib's URLError is an OSError
        raise KptoolError(f"{URL}: cannot be fetched ({error})", "fetch it by hand and use --detector FILE") from None
    if hashlib.sha256(data).hexdigest() != SHA256:
        raise KptoolError(f"{URL}: has another digest than the one known", "fetch it by hand and use --detector FILE")
    write_atomic(path, lambda temporary: temporary.write_bytes(data))
    return path
