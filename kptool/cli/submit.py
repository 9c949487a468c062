"""`kptool submit`: predict the test set with every fold and view, write and check it, say how to send it."""

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
    form: Annotated[
        list[str] | None,
        typer.Option(
            metavar="FORM",
            help="lookup, long, wide, dlib or coco; may be repeated; default: the competition's own.",
            show_default=False,
        ),
    ] = None,
    on_bad: Annotated[
        str,
        typer.Option(metavar="WHAT", help="Pictures that cannot be used: fail, or skip = the mean shape answers."),
    ] = "fail",
    message: Annotated[str, typer.Option(metavar="TEXT", help="The note that goes with the upload.")] = "",
    as_json: Annotated[
        bool, typer.Option("--json", help="Print the provenance as JSON, of several forms as a list.")
    ] = False,
) -> None:
    """Write a run's submission: all folds averaged, mirrored and shifted views, each row in the scheme it asks for.

    Example: kptool submit runs/demo/20260131-120000-default
    """
    from kptool.runs import open_run

    opened = open_run(run)  # before anything heavy is loaded
    out.mkdir(parents=True, exist_ok=True)  # nor is it time to learn after predicting that it cannot be made

    from dataclasses import replace

    from rich.markup import escape

    from kptool.cli.answer import answer, find_all_bad, write_all
    from kptool.cli.terminal import counting, make_console
    from kptool.intake import read_test
    from kptool.pixels import check_on_bad
    from kptool.submit import choose, kaggle_line
    from kptool.submit.coco import ids_of

    competition = opened.found.competition
    forms = choose(form or [], competition.form)
    check_on_bad(on_bad)  # before the pictures are opened
    console = make_console(stderr=as_json)
    known = opened.env["data"]
    folder = data or (Path(known) if known else None)
    with counting(console, "reading the test files") as tick:
        test = read_test(opened.found, folder)
        test = find_all_bad(opened, test, tick)
    ids = ids_of(competition, test.dataset, folder)
    answers = replace(answer(console, opened, test, on_bad), image_ids=ids)
    done = write_all(opened, answers, forms, out)
    if as_json:
        texts = [beside.read_text(encoding="utf-8") for _, beside, _ in done]
        typer.echo(texts[0] if len(texts) == 1 else f"[{','.join(texts)}]\n", nl=False)
        return
    for path, beside, told in done:
        console.print(f"{escape(str(path))}: {told.rows} values, checked", soft_wrap=True)
        console.print(f"{escape(str(beside))}: where they come from", soft_wrap=True)
    sent = [(path, told) for path, _, told in done if told.form == competition.form and path.suffix == ".csv"]
    if competition.kaggle and sent:
        path, told = sent[0]
        note = message or f"{opened.path.name} {opened.digest}, out-of-fold {told.score}"
        console.print(f"\nnext: {escape(kaggle_line(competition.kaggle, path, note))}", soft_wrap=True)
