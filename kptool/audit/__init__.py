"""Labels to look at: what a finished run's own answers say of the labels it was trained on."""

from __future__ import annotations

from kptool.audit.build import Audit, audit
from kptool.audit.suggestion import Suggestion

__all__ = ["Audit", "Suggestion", "audit"]
