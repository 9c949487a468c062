"""An audit as files and as JSON."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final, NamedTuple

from kptool.audit.build import Audit, Found, tiles
from kptool.audit.recipe import all_edits, recipe_text
from kptool.audit.score import STRONG
from kptool.audit.sheet import write_sheets
from kptool.audit.suggestion import Suggestion
from kptool.compare.gain import Gain
from kptool.compare.gain import to_json as gains_json
from kptool.compare.plain import FORMULA
from kptool.edits import edits_text
from kptool.files import write_text
from kptool.runs import Run

HEAD: Final = (
    "rank", "id", "fold", "scheme", "action", "kind", "points", "to", "masked", "labelled", "evidence", "written",
    "reason",
)  # fmt: skip


FACES: Final = (
    "# In these images the models find no face to agree on. Their labels are mostly right, and left out of training",
    "# they are missed: look at each, and take the # away only where there is nothing to learn from.",
)


class Files(NamedTuple):
    """Where an audit was written; no recipe of an ensemble, no sheets where the pictures are gone."""

    suggestions: Path
    edits: Path
    recipe: Path | None
    sheets: tuple[Path, ...]


def write(folder: Path, run: Run, found: Found) -> Files:
    """Write suggestions.csv, edits.toml, a recipe.toml that names it, and the contact sheets."""
    suggestions, edits, recipe = (folder / name for name in ("suggestions.csv", "edits.toml", "recipe.toml"))
    write_text(suggestions, to_csv(found.audit.suggestions))
    write_text(edits, to_toml(run, found.audit))
    sheets = write_sheets(folder, tiles(found)) if found.arrays is not None else []
    if run.members is not None:
        return Files(suggestions, edits, None, tuple(sheets))
    write_text(recipe, recipe_text(run, edits.name))
    return Files(suggestions, edits, recipe, tuple(sheets))


def to_csv(suggestions: Sequence[Suggestion]) -> str:
    """A header and a line a suggestion.

    A text that a spreadsheet would take for a formula gets a ' before it, an id too; edits.toml has ids as they are.
    """
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(HEAD)
    for one in suggestions:
        places = " ".join(f"{x:g},{y:g}" for x, y in one.to)
        what = [one.action, one.kind, " ".join(one.points), places, " ".join(one.masked), one.labelled]
        cells = [one.rank, one.id, one.fold, one.scheme, *what, f"{one.score:.2f}", one.strong, one.reason]
        writer.writerow(map(_safe, cells))
    return text.getvalue()


def to_toml(run: Run, made: Audit) -> str:
    """The recipe's own edits, then those of the strong suggestions, as `edits.read_edits` reads them.

    Below them, as comments, the images in which the models find no face: whether to drop those is for a person to say.
    """
    edits, own = all_edits(run, made), len(all_edits(run, made)) - len(made.edits)
    before = f"; the first {own} are the recipe's own" if own else ""
    head = f"# Edits by kptool audit: of {len(made.suggestions)} suggestions the strong ones{before}.\n\n"
    body = edits_text(edits) if edits or made.faces else "edit = []\n"
    if not made.faces:
        return head + body
    asked = edits_text([edit for one in made.faces for edit in one.edits()])
    lines = [f"# {line}".rstrip() for line in asked.splitlines()]
    return "\n".join([head + body, *FACES, "#", *lines, ""])


def to_json(made: Audit, files: Files, gains: Sequence[Gain] = (), run: Path | None = None) -> dict[str, Any]:
    """Everything, for ``json.dumps(allow_nan=False)``; ids are as they are."""
    return {
        "format": 1,
        "run": made.run,
        "images": made.images,
        "suspects": made.suspects,
        "strong": STRONG,
        "suggestions": [{**asdict(one), "shown": one.shown} for one in made.suggestions],
        "files": {
            "suggestions": str(files.suggestions),
            "edits": str(files.edits),
            "recipe": str(files.recipe) if files.recipe else None,
            "sheets": [str(sheet) for sheet in files.sheets],
        },
        "notes": list(made.notes),
        "applied": None if run is None else {"run": str(run), "gains": gains_json(gains)},
    }


def _safe(value: object) -> object:
    return f"'{value}" if isinstance(value, str) and value.startswith(FORMULA) else value
