"""`kptool submit`: predict the test set with every fold and view, write and check it, say how to send it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from kptool.errors import UsageError


def submit(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="A run's folder, as kptool cv printed it.")],
    data: Annotated[
        Path | None,
        typer.Option(metavar="PATH", help="Folder or zip with the test files; default: where the run's data was."),
    ] = None,
    out: Annotated[Path, typer.Option(metavar="FOLDER", help="Where submissions are kept.")] = Path("submissions"),
    form: Annotated[
        list[str] | None,
        typer.Option(
            metavar="FORM",
            help="lookup, long, wide, dlib, coco or pairs; may be repeated; default: the competition's own.",
            show_default=False,
        ),
    ] = None,
    on_bad: Annotated[
        str,
        typer.Option(metavar="WHAT", help="Pictures that cannot be used: fail, or skip = the mean shape answers."),
    ] = "fail",
    pairs: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Of verification: a list of pairs to answer instead of the competition's."),
    ] = None,
    message: Annotated[str, typer.Option(metavar="TEXT", help="The note that goes with the upload.")] = "",
    as_json: Annotated[
        bool, typer.Option("--json", help="Print the provenance as JSON, of several forms as a list.")
    ] = False,
) -> None:
    """Write a run's submission: all folds averaged, mirrored and shifted views, each row in the scheme it asks for.

    Of verification: score and decision of each pair; where the list tells the truth, what they score is printed once.

    Example: kptool submit runs/demo/20260131-120000-default
    """
    from kptool.runs import open_run

    opened = open_run(run)  # before anything heavy is loaded
    out.mkdir(parents=True, exist_ok=True)  # nor is it time to learn after predicting that it cannot be made
    known = opened.env["data"]
    folder = data or (Path(known) if known else None)
    if opened.found.competition.task == "verification":
        from kptool.cli.submit_pairs import submit_pairs
        from kptool.submit.pairs import refuse_other_forms

        refuse_other_forms(form or [], opened.found.competition.slug)
        for name, given in (("--on-bad", on_bad != "fail"), ("--message", bool(message))):
            if given:
                raise UsageError(f"{name}: {run} is a run of verification, which has no use for it", "leave it out")
        submit_pairs(opened, folder, pairs, out, as_json)
        return
    if pairs is not None:
        raise UsageError(f"--pairs {pairs}: {run} is a run of keypoints", "leave it out")
    from kptool.cli.submit_points import submit_points

    submit_points(opened, folder, form or [], on_bad, out, message, as_json)
