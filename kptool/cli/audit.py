"""`kptool audit`: labels to look at, and edits of them that a recipe can take."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from kptool.errors import UsageError


def audit(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="A run's folder, as kptool cv printed it.")],
    top: Annotated[int, typer.Option(min=1, metavar="N", help="How many images to list at most.")] = 100,
    out: Annotated[
        Path | None, typer.Option(metavar="FOLDER", help="Where the files go; default: audit in the run's folder.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print everything as JSON.")] = False,
    apply: Annotated[
        bool, typer.Option("--apply", help="Train the run's recipe again with the edits, and say what they gained.")
    ] = False,
    workers: Annotated[
        int | None,
        typer.Option(min=1, metavar="N", help="With --apply: folds side by side; default: one a core, one on a GPU."),
    ] = None,
    runs: Annotated[Path, typer.Option(metavar="FOLDER", help="With --apply: where the new run is kept.")] = Path(
        "runs"
    ),
) -> None:
    """List the labels that a run's own answers speak against, with the reasons, a contact sheet and edits.

    What counts: how far the label is from the out-of-fold answer, whether the models that were trained on it contradict
    it too and agree with each other, equal pictures marked otherwise, left and right exchanged, and the shape of the
    set's faces. Points move only to where labels say they belong; else they are masked, or the image is dropped.

    --apply scores both runs on the labels as given, on all images: edits change what is trained on, never what is
    scored, and those of a fold's own rows play no part in the model that is judged on it. A slight leak is left: the
    edits of the other folds came from models that had seen its labels, so the gain is, if anything, a little too large.

    Example: kptool audit runs/demo/20260131-120000-default
    """
    from kptool.runs import open_keypoint_run

    opened = open_keypoint_run(run, "kptool audit")  # before anything heavy is loaded
    if apply and opened.members is not None:
        raise UsageError(f"{run} is an ensemble and has no recipe to train again", "audit one of its runs with --apply")
    if not apply and workers is not None:
        raise UsageError("--workers without --apply: nothing is trained", "leave it out, or add --apply")

    from kptool.cli.auditing import again, look, say_next
    from kptool.cli.terminal import make_console

    console = make_console(stderr=as_json)
    made, files = look(console, opened, top, out, as_json)
    applied = again(console, opened, made, runs, workers) if apply else None
    if as_json:
        from kptool.audit.write import to_json

        gains, path = (applied.gains, applied.run.path) if applied else ((), None)
        typer.echo(json.dumps(to_json(made, files, gains, path), indent=2, allow_nan=False))
    else:
        say_next(console, opened, made, files, applied)
