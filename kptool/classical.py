"""The classical baseline of verification: HOG on the middle of a picture, whitened PCA, cosine. No net, no label.

It is fitted on the pictures of the training pairs alone and is scored beside every run: what cannot beat it has learned
little. Its settings are fixed, the same for every recipe. Of LFW's pictures it sees the middle, where the face is, as
Nguyen & Bai do ("Cosine similarity metric learning for face verification", 2010); of others the whole.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import lru_cache, partial
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt
import torch

from kptool.config import CropOptions
from kptool.dataset import Dataset, Ints
from kptool.errors import KptoolError
from kptool.files import cache_folder, write_atomic
from kptool.geometry import Bytes, Floats
from kptool.models.hog import Hog
from kptool.pixels import Tick, open_arrays, prepare, refuse_faults
from kptool.whitening import cosines, fit_whitening

VERSION: Final = 1
LFW: Final = CropOptions(width=80, height=112, box="image", part=[0.34, 0.272, 0.32, 0.448], slack=0.0)
WHOLE: Final = LFW.model_copy(update={"part": [0.0, 0.0, 1.0, 1.0]})
COMPONENTS: Final = 400
POWER: Final = 0.5
BATCH: Final = 128
MEND: Final = "put the picture back: a protocol counts all of its pairs"


@dataclass(frozen=True)
class Features:
    """Descriptors in the cache.

    Attributes:
        file: where they lie.
        values: (N, F) float32, memory-mapped.
    """

    file: Path
    values: npt.NDArray[np.float32]


def prepare_features(images: Dataset, protocol: str, tick: Tick | None = None) -> Path:
    """Describe pictures, mirror images averaged in, into the cache; gives the file for `open_features`.

    Args:
        protocol: of the pairs the run was trained on; it tells whether the pictures are LFW's.

    Raises:
        DataError: a picture that cannot be used.
        KptoolError: the cache cannot be written.
    """
    prepared = prepare(images, LFW if protocol.startswith("LFW view") else WHOLE, 1, tick)
    refuse_faults(prepared.faults, MEND)
    key = hashlib.sha256(f"{VERSION} {prepared.folder.name}".encode()).hexdigest()[:24]
    file = cache_folder() / "features" / f"{key}.npy"
    if not file.is_file():
        values = describe(open_arrays(prepared.folder, images.schema).images, tick)
        try:
            write_atomic(file, partial(_save, values=values))
        except OSError as error:
            raise KptoolError(
                f"{file}: cannot be written ({error})", "set KPTOOL_CACHE to a folder with room"
            ) from None
    return file


def open_features(file: Path) -> Features:
    """Open prepared descriptors."""
    return Features(file, np.load(file, mmap_mode="r", allow_pickle=False))


def describe(images: Bytes, tick: Tick | None = None) -> npt.NDArray[np.float32]:
    """(N, F) descriptors of pictures (N, 1, H, W), the mean of each and of its mirror image."""
    hog, out = Hog(), list[npt.NDArray[np.float32]]()
    for start in range(0, len(images), BATCH):
        part = torch.from_numpy(np.array(images[start : start + BATCH]))
        with torch.inference_mode():
            out.append(((hog(part) + hog(part.flip(3))) / 2).numpy())
        if tick:
            tick(start + len(part), len(images))
    return np.concatenate(out)


def fitted_scores(features: Features, training: Ints, first: Ints, second: Ints) -> Floats:
    """(n,) cosines of pairs of pictures, with components fitted on the training pictures alone."""
    embedded = _embedded(features.file, training.astype("<i8").tobytes())
    return cosines(embedded[first], embedded[second])


@lru_cache(maxsize=2)
def _embedded(file: Path, training: bytes) -> Floats:
    """(N, D) all pictures. A fold asks before its first epoch and after its last, and a fit takes seconds."""
    values = open_features(file).values
    fitted = fit_whitening(values[np.frombuffer(training, dtype="<i8")], COMPONENTS, POWER)
    return fitted(values)


def _save(path: Path, values: npt.NDArray[np.float32]) -> None:
    with path.open("wb") as file:
        np.save(file, values, allow_pickle=False)
