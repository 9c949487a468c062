"""`kptool ensemble`: several runs as one, averaged or weighed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from kptool.ensemble.pairs_weighing import WeighedPairs
    from kptool.ensemble.weighing import Wanted, Weighed
    from kptool.runs import Run

    Made = tuple[Run, Weighed | WeighedPairs, list[str]]


def ensemble(
    members: Annotated[
        list[Path], typer.Argument(metavar="RUN...", help="Runs of one competition; ensembles may be among them.")
    ],
    weights: Annotated[
        str,
        typer.Option(
            metavar="HOW",
            help="equal, fit = by out-of-fold predictions, or auto = fit, and equal where that gains nothing.",
        ),
    ] = "auto",
    name: Annotated[str, typer.Option(metavar="NAME", help="What the run is called, after its date.")] = "ensemble",
    runs: Annotated[Path, typer.Option(metavar="FOLDER", help="Where runs are kept.")] = Path("runs"),
    as_json: Annotated[bool, typer.Option("--json", help="Print weights and report as JSON.")] = False,
) -> None:
    """Make one run of several: their folds, seeds and recipes averaged, or weighed per point out of fold.

    Fitted weights are kept where they gain more than the standard error of that, on folds that the fit never saw. Of
    verification the runs' scores are averaged or weighed, each in its own scale.

    Example: kptool ensemble runs/demo/20260131-120000-default runs/demo/20260131-130000-default
    """
    from kptool.runs import open_run

    opened = [open_run(path) for path in members]  # before anything heavy is loaded

    import time

    from rich.markup import escape

    from kptool.cli.sitting import finish
    from kptool.cli.terminal import make_console
    from kptool.ensemble import check_weights
    from kptool.ensemble.telling import to_json

    wanted, begun = check_weights(weights), time.perf_counter()
    of_pairs = opened[0].found.competition.task == "verification"
    run, weighed, lines = (_of_pairs if of_pairs else _of_points)(opened, wanted, runs, name, begun)
    if as_json:
        table = {"run": str(run.path), **to_json(run, weighed), "report": report_json(run)}
        typer.echo(json.dumps(table, indent=2, allow_nan=False))
        return
    console = make_console()
    for line in [f"run {run.path}", *lines, ""]:
        console.print(escape(line), soft_wrap=True)
    finish(console, run, as_json=False)


def _of_points(opened: list[Run], wanted: Wanted, root: Path, name: str, begun: float) -> Made:
    import time

    from kptool.ensemble import join, make, weigh
    from kptool.ensemble.telling import lines

    joined = join(opened)
    weighed = weigh(joined, wanted)
    run = make(root, joined, weighed, name, time.perf_counter() - begun)
    return run, weighed, lines(joined, weighed)


def _of_pairs(opened: list[Run], wanted: Wanted, root: Path, name: str, begun: float) -> Made:
    import time

    from kptool.ensemble import join_pairs, make_pairs, weigh_pairs
    from kptool.ensemble.telling import pair_lines

    joined = join_pairs(opened)
    weighed = weigh_pairs(joined, wanted)
    run = make_pairs(root, joined, weighed, name, time.perf_counter() - begun)
    return run, weighed, pair_lines(joined, weighed)


def report_json(run: Run) -> dict[str, Any]:
    """A run's report as JSON, whatever its task."""
    if run.found.competition.task == "verification":
        from kptool import verification
        from kptool.verification.load import load as load_pairs

        return verification.to_json(verification.build(load_pairs(run)))
    from kptool.report import build, to_json
    from kptool.report.load import load

    return to_json(build(load(run)))
