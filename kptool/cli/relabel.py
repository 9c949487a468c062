"""`kptool relabel`: a run's models fill in missing labels, for a recipe to learn from."""

from __future__ import annotations

import json
import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from kptool.errors import UsageError

if TYPE_CHECKING:
    from rich.console import Console

    from kptool.config import Recipe
    from kptool.relabel import Relabelled
    from kptool.runs import Run


def relabel(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="A run's folder, as kptool cv printed it.")],
    out: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Where the soft labels go; default: RUN/soft-labels.parquet.")
    ] = None,
    level: Annotated[
        float, typer.Option(metavar="SHARE", help="Share of the truth that each soft label's radius is to hold.")
    ] = 0.9,
    apply: Annotated[
        bool, typer.Option("--apply", help="Train the run's recipe with the soft labels, and tell the gain.")
    ] = False,
    workers: Annotated[
        int | None, typer.Option(min=1, metavar="N", help="Of --apply: folds side by side, as in kptool cv.")
    ] = None,
    runs: Annotated[Path, typer.Option(metavar="FOLDER", help="Where --apply keeps its run.")] = Path("runs"),
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of tables.")] = False,
) -> None:
    """Fill missing labels with what the run's own models find there: soft labels that a recipe may train on.

    Each fold gets its own, from the model that never saw the labels that the fold is judged by.

    Example: kptool relabel runs/demo/20260131-120000-default --apply
    """
    from kptool.runs import open_keypoint_run

    opened = open_keypoint_run(run, "kptool relabel")  # before anything heavy is loaded

    from kptool.cli.terminal import counting, make_console
    from kptool.relabel import relabel as fill
    from kptool.relabel.telling import rows_json
    from kptool.soft_labels import FILE, write_soft

    file, console = out or run / FILE, make_console(stderr=as_json)
    if opened.recipe.data.soft and file.resolve() == Path(opened.recipe.data.soft):
        raise UsageError(f"{file} is what {run} itself has learned from", "give another file with --out")
    with counting(console, "the run's models answer again") as tick:
        made = fill(opened, tick, level)
    if not made.filled:
        _nothing(console, opened, made, as_json)
        return
    write_soft(file, made.sets, made.ids, made.schema, made.about)
    told = {"file": str(file), **rows_json(made)}
    if not as_json:
        _show(console, made, file)
    if apply:
        told["applied"] = _apply(console, opened, file, workers, runs, as_json)
    elif not as_json:
        line = shlex.join(["kptool", "relabel", str(run), *(["--out", str(out)] if out else []), "--apply"])
        _say(console, f"\nnext: {line}")
    if as_json:
        typer.echo(json.dumps(told, indent=2, allow_nan=False))


def _say(console: Console, words: str) -> None:
    from rich.markup import escape

    console.print(escape(words), soft_wrap=True)


def _nothing(console: Console, run: Run, made: Relabelled, as_json: bool) -> None:
    from kptool.relabel.telling import rows_json

    if as_json:
        typer.echo(json.dumps({"file": None, **rows_json(made)}, indent=2, allow_nan=False))
        return
    why = "no scheme marks what is missing" if made.points else "every point of every training image is labelled"
    _say(console, f"{run.path}: {why}, so there is nothing to fill")


def _show(console: Console, made: Relabelled, file: Path) -> None:
    from kptool.relabel.telling import lines, table
    from kptool.report.pen import Pen
    from kptool.report.words import count

    pen = Pen(console)
    console.print(pen.section("Missing labels", f"{count(made.filled)} filled by {made.about.teacher}"))
    console.print(table(pen, made))
    for words in ["", *lines(made), "", f"soft labels: {file}"]:
        console.print(pen.text(words), soft_wrap=not console.is_terminal)


def _apply(console: Console, run: Run, file: Path, workers: int | None, runs: Path, quiet: bool) -> dict[str, object]:
    """Train the run's own recipe with the soft labels beside the labels, and tell the gain."""
    from kptool.cli.again import say_gains, train_again
    from kptool.compare.gain import gains, to_json
    from kptool.compare.read import read
    from kptool.relabel.gain import parts

    made = train_again(console, run, _with_soft(run, file), runs, workers)
    old, new = read([run.path, made.path])
    found = gains(old, new, parts(old.outcome))
    if not quiet:
        say_gains(console, run, made, found)
    return {"run": str(made.path), "gains": to_json(found)}


def _with_soft(run: Run, file: Path) -> Recipe:
    from kptool.competitions import change_recipe

    name = f"{run.recipe.name.removesuffix('-relabelled')[:80].rstrip()}-relabelled"
    changes = [f"data.soft={json.dumps(str(file.resolve()))}", f"name={json.dumps(name)}"]
    return change_recipe(run.found, run.recipe, changes)
