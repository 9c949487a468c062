"""`kptool report`: where a run stands, point by point."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer


def report(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="A run's folder, as kptool cv printed it.")],
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of tables.")] = False,
) -> None:
    """Report a run's out-of-fold errors: score, baseline, schemes, points, worst faces.

    Example: kptool report runs/demo/20260131-120000-default
    """
    from kptool.runs import open_run

    opened = open_run(run)  # before anything heavy is loaded

    from kptool.cli.terminal import make_console
    from kptool.report import build, to_json
    from kptool.report.load import load
    from kptool.report.terminal import render

    result = build(load(opened))
    if as_json:
        typer.echo(json.dumps(to_json(result), indent=2, allow_nan=False))
        return
    render(result, make_console())
