"""What every test shares: a cache of its own, and one thread, so that two cores run two tests well."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest


@pytest.fixture(scope="session", autouse=True)
def _own_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """No test reads or fills the user's cache."""
    folder = tmp_path_factory.mktemp("cache")
    before = os.environ.get("KPTOOL_CACHE")
    os.environ["KPTOOL_CACHE"] = str(folder)
    yield
    if before is None:
        del os.environ["KPTOOL_CACHE"]
    else:
        os.environ["KPTOOL_CACHE"] = before


@pytest.fixture(scope="session", autouse=True)
def _one_thread() -> None:
    import cv2
    import torch

    torch.set_num_threads(1)
    cv2.setNumThreads(1)


@pytest.fixture(scope="session")
def fkd() -> Path:
    """The real Kaggle files, where the environment names them."""
    folder = os.environ.get("KPTOOL_DATA_FKD")
    if not folder:
        pytest.skip("KPTOOL_DATA_FKD names no folder")
    return Path(folder)
