"""The command line: a command a file; each takes arguments, calls, prints. Heavy imports wait inside the functions."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from kptool import __version__
from kptool.cli.catalogue import list_competitions, show
from kptool.cli.cv import cv
from kptool.cli.report import report
from kptool.cli.submit import submit
from kptool.errors import KptoolError

app = typer.Typer(
    name="kptool",
    help="Cross-validate, report and submit image-keypoint models.\n\nStart with: kptool cv demo",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
    rich_markup_mode=None,
)


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"kptool {__version__}")
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version and stop.")
    ] = False,
) -> None:
    del version  # its callback has answered


app.command("cv")(cv)
app.command("report")(report)
app.command("submit")(submit)
app.command("list")(list_competitions)
app.command("show")(show)


def main() -> None:
    """The `kptool` command: a KptoolError becomes one line on stderr and its exit code."""
    try:
        app()
    except KptoolError as error:
        sys.stderr.write(f"kptool: {error}\n")
        sys.exit(error.exit_code)
    except KeyboardInterrupt:
        sys.stderr.write("kptool: stopped\n")
        sys.exit(130)
