"""`kptool data`: annotation files, checked and brought from one format to another."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from kptool.cli.app import make_app
from kptool.cli.data_check import check

data_app = make_app("data", "Annotation files: check them, convert them from one format to another.")


@data_app.callback()
def _root(context: typer.Context) -> None:
    if context.invoked_subcommand is None:
        typer.echo(context.get_help())


data_app.command("check", short_help="Look for what is wrong in pictures and labels.")(check)


@data_app.command("convert", short_help="Write annotations in another format.")
def convert(
    source: Annotated[Path, typer.Argument(metavar="IN", help="An annotation file, or a folder of them.")],
    out: Annotated[Path, typer.Argument(metavar="OUT", help="What to write: a file, or a folder for pts, asf, yolo.")],
    to: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="dlib, pts, asf, coco, wflw, yolo, deeplabcut, csv or csv-long; "
            "may be left out where OUT ends in .xml (dlib), .json (coco) or .csv (csv).",
        ),
    ] = None,
    from_: Annotated[
        str | None, typer.Option("--from", metavar="NAME", help="IN's format, where its looks do not tell.")
    ] = None,
    copy: Annotated[bool, typer.Option("--copy", help="Copy the pictures to where OUT looks for them.")] = False,
    force: Annotated[
        bool, typer.Option("--force", help="Write over OUT; other files in a folder stay as they are.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print what was done as JSON.")] = False,
) -> None:
    """Write annotations in another format, and say what that format cannot hold.

    Example: kptool data convert labels_ibug_300W_train.xml train.json --to coco
    """
    from kptool.cli.conversion import convert as run
    from kptool.cli.conversion import plan, render, to_json
    from kptool.cli.terminal import make_console

    wish = plan(source, out, from_, to, force)
    console = make_console(stderr=as_json)
    done = run(console, wish, copy)
    if as_json:
        typer.echo(json.dumps(to_json(done), indent=2, ensure_ascii=False))
        return
    render(console, done)
