"""Runs side by side: `compare` makes the table and the paired bootstrap; `terminal`, `markdown` and `plain` show it.

`runs.compare_runs` takes folders of any task; `pairs.compare_pairs` is `compare` of runs of pairs.
"""

from kptool.compare.build import compare
from kptool.compare.read import Entry, read
from kptool.compare.values import Comparison, Difference, Line, Scores, Seeds

__all__ = ["Comparison", "Difference", "Entry", "Line", "Scores", "Seeds", "compare", "read"]
