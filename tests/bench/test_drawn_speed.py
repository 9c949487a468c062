"""How long the drawn faces take; run with -m bench -s."""

from __future__ import annotations

import time

import pytest

from kptool.drawn.collection import draw


@pytest.mark.bench
def test_drawing_both_sets() -> None:
    wall, cpu = time.perf_counter(), time.process_time()
    drawn = draw()
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    print(f"\n{len(drawn.train_images) + len(drawn.test_images)} faces: {wall:.2f} s, {cpu:.2f} s of CPU")
