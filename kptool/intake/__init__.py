"""From files to everything a cross-validation needs to know of them, with every check made before any training."""

from __future__ import annotations

from kptool.intake.asked import TestSet, find_bad, read_test
from kptool.intake.rows import THUMBNAIL, Rows, Sound, read_rows, sound, whole_schemes
from kptool.intake.taking import take_in
from kptool.intake.values import Intake

__all__ = [
    "THUMBNAIL",
    "Intake",
    "Rows",
    "Sound",
    "TestSet",
    "find_bad",
    "read_rows",
    "read_test",
    "sound",
    "take_in",
    "whole_schemes",
]
