"""What training on soft labels gained: over all images, and scheme by scheme, for only some schemes lack labels."""

from __future__ import annotations

from kptool.compare.gain import Part, everything
from kptool.report.outcome import Outcome


def parts(old: Outcome) -> list[Part]:
    """What the gain is told over, on the labels as given: all images, then each scheme's where there are two."""
    names = old.schemes.names if len(old.schemes) > 1 else []
    each = [Part(f"images of {name}", old.scheme == s) for s, name in enumerate(names)]
    return [Part("all images", everything(old)), *each]
