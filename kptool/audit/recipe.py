"""A run's recipe with an audit's edits in it."""

from __future__ import annotations

from typing import Final

import tomli_w

from kptool.audit.build import Audit
from kptool.config import Edit, Recipe, parse
from kptool.edits import check_edits
from kptool.runs import Run

SUFFIX: Final = "-audited"
LONGEST: Final = 100  # letters of a recipe's name


def all_edits(run: Run, made: Audit) -> list[Edit]:
    """The recipe's own edits, then the audit's; of an ensemble, whose runs may have other ones, the audit's alone."""
    own = run.recipe.data.edits if run.members is None else []
    edits = [*own, *made.edits]
    check_edits(edits, run.found.competition.schema_of_points, "the audit's edits beside the recipe's own")
    return edits


def audited(run: Run, made: Audit) -> Recipe:
    """The recipe of a run, no ensemble, with the edits; its name says that it was audited."""
    table = run.recipe.model_dump()
    data = table["data"] | {"edits": [edit.model_dump() for edit in all_edits(run, made)]}
    return parse(Recipe, table | {"name": _name(run), "data": data}, str(run.path))


def recipe_text(run: Run, edits: str) -> str:
    """The same as TOML, with the name of the file that holds the edits beside it."""
    table = run.recipe.model_dump()
    return tomli_w.dumps(table | {"name": _name(run), "data": table["data"] | {"edits": edits}})


def _name(run: Run) -> str:
    name = run.recipe.name.removesuffix(SUFFIX)
    return f"{name[: LONGEST - len(SUFFIX)]}{SUFFIX}"
