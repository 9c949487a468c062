"""What runs are called in a table: as short as each is still its own."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

_DATED = re.compile(r"[0-9]{8}-([0-9]{6}-)?(.+)", re.DOTALL)


def short_names(paths: Sequence[Path]) -> tuple[str, ...]:
    """default, 155440-default, 20261122-155440-default or the whole path: the first kind in which all differ.

    A run that is given twice is numbered.
    """
    folders = [path.resolve().name for path in paths]
    timed = [name.partition("-")[2] if _DATED.fullmatch(name) else name for name in folders]
    bare = [found[2] if (found := _DATED.fullmatch(name)) else name for name in folders]
    distinct = len({path.resolve() for path in paths})
    for names in (bare, timed, folders):
        if len(set(names)) == distinct:
            return _numbered(names)
    return _numbered([str(path) for path in paths])


def _numbered(names: Sequence[str]) -> tuple[str, ...]:
    seen: Counter[str] = Counter()
    out = []
    for name in names:
        seen[name] += 1
        out.append(name if seen[name] == 1 else f"{name} ({seen[name]})")
    return tuple(out)
