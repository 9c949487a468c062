"""`kptool submit`: predict the test set with every fold and view, write the CSV, check it, say how to send it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def submit(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="A run's folder, as kptool cv printed it.")],
    data: Annotated[
        Path | None,
        typer.Option(metavar="PATH", help="Folder or zip with the test files; default: where the run's data was."),
    ] = None,
    out: Annotated[Path, typer.Option(metavar="FOLDER", help="Where submissions are kept.")] = Path("submissions"),
    message: Annotated[str, typer.Option(metavar="TEXT", help="The note that goes with the upload.")] = "",
    as_json: Annotated[bool, typer.Option("--json", help="Print the provenance as JSON.")] = False,
) -> None:
    """Write a run's submission: all folds averaged, mirrored and shifted views, each row in the scheme it asks for.

    Example: kptool submit runs/demo/20260131-120000-default
    """
    from kptool.runs import open_run

    opened = open_run(run)  # before anything heavy is loaded
    out.mkdir(parents=True, exist_ok=True)  # nor is it time to learn after predicting that it cannot be made

    from rich.markup import escape

    from kptool.cli.answer import answer, record, write_checked
    from kptool.cli.terminal import make_console
    from kptool.intake import read_test
    from kptool.provenance import write_provenance
    from kptool.submit import kaggle_line

    console = make_console(stderr=as_json)
    known = opened.env["data"]
    with console.status("reading the test files"):
        test = read_test(opened.found, data or (Path(known) if known else None))
    predictions = answer(console, opened, test)
    csv = write_checked(opened, test, predictions, out)
    provenance = record(opened, test, csv)
    beside = write_provenance(csv, provenance)
    if as_json:
        typer.echo(beside.read_text(encoding="utf-8"), nl=False)
        return
    console.print(f"{escape(str(csv))}: {len(test.lookup.row_ids)} rows, checked", soft_wrap=True)
    console.print(f"{escape(str(beside))}: where they come from", soft_wrap=True)
    if opened.found.competition.kaggle:
        score = provenance.rmse_test_mix or provenance.rmse_oof
        told = "" if score is None else f", out-of-fold {score:.3f} px"
        note = message or f"{opened.path.name} {opened.recipe.digest}{told}"
        line = kaggle_line(opened.found.competition.kaggle, csv, note)
        console.print(f"\nnext: {escape(line)}", soft_wrap=True)
