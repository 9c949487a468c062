"""Corrections of training labels: read from and written to TOML, checked, and put into labels.

An edit changes what is trained on and never what is scored::

    [[edit]]
    image = "1748"          # its id, as reports name it
    action = "move"         # drop = not trained on, mask = points taken as not labelled, move = points put elsewhere
    points = ["nose_tip"]   # of mask and move; mask without any = all points
    to = [[48.5, 61.0]]     # of move: x and y of each point in the image's own px
    reason = "on the lip"   # for the reader

Edits of one file must agree, so their order means nothing.
"""

from __future__ import annotations

from kptool.edits.checks import check_edits, count_actions
from kptool.edits.labels import Edited, apply_edits
from kptool.edits.text import edits_text, parse_edits, read_edits, write_edits

__all__ = [
    "Edited",
    "apply_edits",
    "check_edits",
    "count_actions",
    "edits_text",
    "parse_edits",
    "read_edits",
    "write_edits",
]
