"""The error report: `build` makes the data, `to_json` and `terminal.render` show it."""

from kptool.report.build import build
from kptool.report.outcome import Outcome
from kptool.report.values import Report, to_json

__all__ = ["Outcome", "Report", "build", "to_json"]
