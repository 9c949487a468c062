"""`kptool data check`: what is wrong with data, before anything is trained on it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer


def check(
    path: Annotated[
        Path, typer.Argument(metavar="PATH", help="An annotation file or folder; with --competition its data.")
    ],
    competition: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="Check PATH as kptool cv NAME --data PATH reads it, with its test set."),
    ] = None,
    format_: Annotated[
        str | None, typer.Option("--format", metavar="NAME", help="PATH's format, where its looks do not tell.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print everything as JSON, every row named.")] = False,
    strict: Annotated[bool, typer.Option("--strict", help="Exit with 3 for warnings too.")] = False,
) -> None:
    """Check pictures, boxes and labels, and say what is wrong with them, the most important first.

    Exit code 0: training works; 3: it would fail.

    Example: kptool data check labels_ibug_300W_train.xml
    """
    from kptool.cli.checking import render, run
    from kptool.cli.terminal import make_console
    from kptool.errors import UsageError

    if competition is not None and format_ is not None:
        raise UsageError("--competition and --format exclude each other", "the competition names its format")
    report = run(make_console(stderr=as_json), path, competition, format_)
    if as_json:
        typer.echo(json.dumps(report.to_json(), indent=2, ensure_ascii=False, allow_nan=False))
    else:
        render(make_console(), report)
    if code := report.exit_code(strict):
        raise typer.Exit(code)
