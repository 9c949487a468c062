"""`kptool ensemble`: several runs as one, averaged or weighed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer


def ensemble(
    members: Annotated[
        list[Path], typer.Argument(metavar="RUN...", help="Runs of one competition; ensembles may be among them.")
    ],
    weights: Annotated[
        str,
        typer.Option(
            metavar="HOW", help="equal, fit = by out-of-fold errors, or auto = fit, and equal where that gains nothing."
        ),
    ] = "auto",
    name: Annotated[str, typer.Option(metavar="NAME", help="What the run is called, after its date.")] = "ensemble",
    runs: Annotated[Path, typer.Option(metavar="FOLDER", help="Where runs are kept.")] = Path("runs"),
    as_json: Annotated[bool, typer.Option("--json", help="Print weights and report as JSON.")] = False,
) -> None:
    """Make one run of several: their folds, seeds and recipes averaged, or weighed per point out of fold.

    Fitted weights are kept where they gain more than the standard error of that, on folds that the fit never saw.

    Example: kptool ensemble runs/demo/20260131-120000-default runs/demo/20260131-130000-default
    """
    from kptool.runs import open_keypoint_run

    opened = [open_keypoint_run(path, "kptool ensemble") for path in members]  # before anything heavy is loaded

    import time

    from rich.markup import escape

    from kptool.cli.sitting import finish
    from kptool.cli.terminal import make_console
    from kptool.ensemble import check_weights, join, make, weigh
    from kptool.ensemble.telling import lines, to_json
    from kptool.report import build
    from kptool.report import to_json as report_json
    from kptool.report.load import load

    wanted, begun = check_weights(weights), time.perf_counter()
    joined = join(opened)
    weighed = weigh(joined, wanted)
    run = make(runs, joined, weighed, name, time.perf_counter() - begun)
    if as_json:
        table = {"run": str(run.path), **to_json(run, weighed), "report": report_json(build(load(run)))}
        typer.echo(json.dumps(table, indent=2, allow_nan=False))
        return
    console = make_console()
    for line in [f"run {run.path}", *lines(joined, weighed), ""]:
        console.print(escape(line), soft_wrap=True)
    finish(console, run, as_json=False)
