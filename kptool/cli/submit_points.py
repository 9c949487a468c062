"""`kptool submit` of a run of keypoints."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import typer
from rich.console import Console
from rich.markup import escape

from kptool.cli.answer import answer, find_all_bad, write_all
from kptool.cli.terminal import counting, make_console
from kptool.intake import read_test
from kptool.pixels import check_on_bad
from kptool.provenance import Provenance
from kptool.runs import Run
from kptool.submit import choose, kaggle_line
from kptool.submit.coco import ids_of


def submit_points(
    run: Run, data: Path | None, forms_asked: list[str], on_bad: str, out: Path, message: str, as_json: bool
) -> None:
    """Answer the test images, write each form, checked, with its record beside it, and say how to send it.

    Args:
        data: folder or zip with the test files.
        forms_asked: the names of the forms; none = the competition's own.
        on_bad: pictures that cannot be used: "fail" or "skip".
        out: where submissions are kept.
        message: the note that goes with the upload.

    Raises:
        KptoolError: as `answer` and `write_all` do.
    """
    competition = run.found.competition
    forms = choose(forms_asked, competition.form)
    check_on_bad(on_bad)  # before the pictures are run
    console = make_console(stderr=as_json)
    with counting(console, "reading the test files") as tick:
        test = read_test(run.found, data)
        test = find_all_bad(run, test, tick)
    ids = ids_of(competition, test.dataset, data)
    answers = replace(answer(console, run, test, on_bad), image_ids=ids)
    done = write_all(run, answers, forms, out)
    _say(console, run, done, message, as_json)


def _say(console: Console, run: Run, done: list[tuple[Path, Path, Provenance]], message: str, as_json: bool) -> None:
    if as_json:
        texts = [beside.read_text(encoding="utf-8") for _, beside, _ in done]
        typer.echo(texts[0] if len(texts) == 1 else f"[{','.join(texts)}]\n", nl=False)
        return
    competition = run.found.competition
    for path, beside, told in done:
        console.print(f"{escape(str(path))}: {told.rows} values, checked", soft_wrap=True)
        console.print(f"{escape(str(beside))}: where they come from", soft_wrap=True)
    sent = [(path, told) for path, _, told in done if told.form == competition.form and path.suffix == ".csv"]
    if (slug := competition.kaggle) and sent:
        path, told = sent[0]
        note = message or f"{run.path.name} {run.digest}, out-of-fold {told.score}"
        console.print(f"\nnext: {escape(kaggle_line(slug, path, note))}", soft_wrap=True)
