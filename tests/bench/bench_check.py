"""How long `kptool data check` takes, and what it finds, on the real data that the environment names."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest
from rich.console import Console

from kptool.cli.checking import run

SETS = [("KPTOOL_DATA_FKD", "facial-keypoints-detection"), ("KPTOOL_DATA_IBUG", "ibug-300w")]


@pytest.mark.bench
@pytest.mark.parametrize(("variable", "competition"), SETS)
def test_seconds_and_findings(variable: str, competition: str) -> None:
    if not (folder := os.environ.get(variable)):
        pytest.skip(f"{variable} names no folder")
    for cache in ("empty", "filled"):
        start = time.perf_counter()
        report = run(Console(quiet=True), Path(folder), competition, None)
        print(f"\n{competition}, cache {cache}: {time.perf_counter() - start:.1f} s")
    for finding in report.findings:
        print(f"  {finding.level} {finding.kind}: {len(finding.items)}")
