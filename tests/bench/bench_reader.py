"""The first and the second read of training.csv against the usual ways: pandas, then a loop over the rows.

Run with the real files: KPTOOL_DATA_FKD=DIR pytest tests/bench/bench_reader.py -m bench -s
Every way runs in a process of its own; wall time and peak resident memory are the whole process's, imports included.
All end with the pixels as one array and the labels as float64; the pixels' sum, equal for all, is
taken after the memory was (it touches our mapped file, another 65 MB that the system can drop at will).
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path
from typing import NamedTuple

import pytest

ROUNDS = 2

OURS = """
from kptool.competitions import find
from kptool.formats.kaggle_faces import read_train
schema = find("facial-keypoints-detection").competition.schema_of_points
images = read_train(Path(folder), schema).images
"""

# As in the competition's tutorials.
FROMSTRING = """
import warnings
import numpy as np, pandas as pd
warnings.simplefilter("ignore")
frame = pd.read_csv(folder + "/training.csv")
frame["Image"] = frame["Image"].apply(lambda text: np.fromstring(text, sep=" "))
images = np.vstack(frame["Image"].values)
labels = frame[frame.columns[:-1]].values
"""

# The thrifty version: small integers from the start.
SPLIT = """
import numpy as np, pandas as pd
frame = pd.read_csv(folder + "/training.csv")
images = np.stack([np.array(text.split(), dtype=np.uint8) for text in frame["Image"]])
labels = frame[frame.columns[:-1]].to_numpy()
"""

# ru_maxrss of a child begins at its parent's; Linux also tells the peak of the process's own memory.
FRAME = """
import resource, sys
from pathlib import Path
folder = sys.argv[1]
{body}
status = Path("/proc/self/status")
own = [line for line in status.read_text().splitlines() if line.startswith("VmHWM")] if status.exists() else []
unit = 1024 if sys.platform != "darwin" else 1
peak = int(own[0].split()[1]) * 1024 if own else resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit
print(int(images.sum(dtype="int64")), peak)
"""


class Run(NamedTuple):
    seconds: float
    peak: int
    total: int


def run(body: str, folder: str, cache: Path) -> Run:
    start = time.perf_counter()
    out = subprocess.run(
        [sys.executable, "-c", FRAME.format(body=body), folder],
        env=os.environ | {"KPTOOL_CACHE": str(cache)},
        capture_output=True,
        text=True,
        check=True,
    )
    seconds = time.perf_counter() - start
    total, peak = (int(word) for word in out.stdout.split())
    return Run(seconds, peak, total)


@pytest.mark.bench
def test_reading_against_pandas(tmp_path: Path) -> None:
    folder = os.environ.get("KPTOOL_DATA_FKD")
    if not folder:
        pytest.skip("KPTOOL_DATA_FKD names no folder")
    found: dict[str, list[Run]] = {}
    for n in range(ROUNDS):  # interleaved, so that a busy neighbour touches all alike
        for name, body, cache in (
            ("kptool, first read", OURS, tmp_path / str(n)),
            ("kptool, second read", OURS, tmp_path / str(n)),
            ("pandas + np.fromstring", FROMSTRING, tmp_path),
            ("pandas + split", SPLIT, tmp_path),
        ):
            found.setdefault(name, []).append(run(body, folder, cache))
    assert len({r.total for runs in found.values() for r in runs}) == 1
    best = {name: Run(min(r.seconds for r in runs), max(r.peak for r in runs), 0) for name, runs in found.items()}
    first = best["kptool, first read"]
    print(f"\nbest of {ROUNDS} interleaved runs; whole processes; ratios to our first read")
    for name, result in best.items():
        times, memory = result.seconds / first.seconds, result.peak / first.peak
        print(f"{name:24s} {result.seconds:6.2f} s {result.peak / 1e6:7.0f} MB   {times:5.2f}x s {memory:5.2f}x MB")
