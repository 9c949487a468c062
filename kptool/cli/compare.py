"""`kptool compare`: runs side by side, and whether what parts them is real."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from kptool.errors import UsageError

if TYPE_CHECKING:
    from kptool.compare.values import Comparison


def compare(
    runs: Annotated[list[Path], typer.Argument(metavar="RUN...", help="Folders of two or more runs.")],
    against: Annotated[
        Path | None,
        typer.Option(metavar="RUN", help="The run that the others are held against; default: the first."),
    ] = None,
    rows: Annotated[
        str,
        typer.Option(
            metavar="WHICH",
            help="Images or pairs scored: common = what all runs predicted, or all = each its own.",
        ),
    ] = "common",
    csv: Annotated[
        str | None, typer.Option("--csv", metavar="FILE", help="Write one line a run, in full; - = print it instead.")
    ] = None,
    markdown: Annotated[bool, typer.Option("--md", help="Print Markdown instead of tables.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of tables.")] = False,
) -> None:
    """Compare runs: what differs in their recipes, their scores, and which differences the images can show.

    Example: kptool compare runs/demo/20260131-120000-default runs/demo/20260131-130000-default
    """
    if rows not in ("common", "all"):
        raise UsageError(f"--rows {rows}", "write common or all")
    if sum((markdown, as_json, csv == "-")) > 1:
        raise UsageError("--md, --json and --csv - would print over one another", "give one of them")
    if csv not in (None, "-") and Path(str(csv)).is_dir():
        raise UsageError(f"--csv {csv}: is a folder", "name a file")

    from kptool.compare.plain import to_csv
    from kptool.compare.runs import compare_runs
    from kptool.files import write_text

    paths, base = _order(runs, against)
    made = compare_runs(paths, base, "all" if rows == "all" else "common")
    if csv not in (None, "-"):
        write_text(Path(str(csv)), to_csv(made))
    _show(made, csv == "-", markdown, as_json)


def _order(runs: list[Path], against: Path | None) -> tuple[list[Path], int]:
    """The runs, with `against` before them where it is none of them, and its place."""
    if against is None:
        return runs, 0
    known = [run.resolve() for run in runs]
    if against.resolve() in known:
        return runs, known.index(against.resolve())
    return [against, *runs], 0


def _show(made: Comparison, as_csv: bool, markdown: bool, as_json: bool) -> None:
    from kptool.cli.terminal import make_console
    from kptool.compare.markdown import to_markdown
    from kptool.compare.plain import to_csv, to_json
    from kptool.compare.terminal import render

    if as_json:
        typer.echo(json.dumps(to_json(made), indent=2, allow_nan=False))
    elif as_csv or markdown:
        typer.echo(to_csv(made) if as_csv else to_markdown(made), nl=False)
    else:
        # A file or a pipe has no width, unless someone says one.
        render(made, make_console(), fit=sys.stdout.isatty() or "COLUMNS" in os.environ)
