"""Where a page's numbers come from, as a reader wants it: recipe, environment, digests."""

from __future__ import annotations

import json
from pathlib import Path

from kptool import __version__
from kptool.errors import KptoolError
from kptool.runs import Run, open_members

Row = tuple[str, str]


def recipes(run: Run) -> list[Row]:
    """(name, TOML) of the run's resolved recipe; of an ensemble, of each of its runs that is still there."""
    import tomli_w

    try:
        each = open_members(run)
    except KptoolError:
        return []
    return [(f"{one.recipe.name} ({one.path.name})", at_home(tomli_w.dumps(one.recipe.model_dump()))) for one in each]


def environment(run: Run) -> list[Row]:
    """env.json, a row a key, without what the page tells elsewhere; the user's own folder is written ~."""
    rows = []
    for key, value in run.env.items():
        if key == "schemes":
            text = ", ".join(f"{one['name']} ({one['rows']} rows)" if "rows" in one else str(one["name"])
                             for one in value)  # fmt: skip
        elif value is None:
            text = "none"
        else:
            text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
        rows.append((key.replace("_", " "), at_home(text)))
    return rows


def digests(run: Run) -> list[Row]:
    """What tells this run from another."""
    rows = [("recipe", run.digest), ("data", str(run.env["data_digest"]))]
    members = run.members
    for member in members.each if members else ():
        rows.append((f"run {member.name}", f"recipe {member.recipe_digest}, predictions {member.oof_digest}"))
    return [*rows, ("written by", f"kptool {__version__}")]


def at_home(text: str) -> str:
    """A page is made to be shared: the name of the user's home is nobody's business."""
    home = str(Path.home())
    return text.replace(home, "~") if len(home) > 1 else text
