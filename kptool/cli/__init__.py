"""The command line: a command a file; each takes arguments, calls, prints. Heavy imports wait inside the functions."""

from __future__ import annotations

import errno
import sys
from typing import Annotated, NoReturn

import typer

from kptool import __version__
from kptool.cli.app import make_app
from kptool.cli.audit import audit
from kptool.cli.catalogue import list_competitions, show
from kptool.cli.compare import compare
from kptool.cli.cv import cv
from kptool.cli.data import data_app
from kptool.cli.ensemble import ensemble
from kptool.cli.predict import predict
from kptool.cli.relabel import relabel
from kptool.cli.report import report
from kptool.cli.submit import submit
from kptool.errors import KptoolError, UsageError

app = make_app("kptool", "Cross-validate, report and submit image-keypoint models.\n\nStart with: kptool cv demo")


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"kptool {__version__}")
        raise typer.Exit


@app.callback()
def _root(
    context: typer.Context,
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version and stop.")
    ] = False,
) -> None:
    del version  # its callback has answered
    if context.invoked_subcommand is None:
        typer.echo(context.get_help())


app.command("cv", short_help="Train every fold, report the out-of-fold errors.")(cv)
app.command("report", short_help="Report a run's errors, point by point.")(report)
app.command("ensemble", short_help="Average or weigh several runs.")(ensemble)
app.command("compare", short_help="Hold runs against each other.")(compare)
app.command("audit", short_help="List labels that look wrong, with edits.")(audit)
app.command("relabel", short_help="Fill in missing labels.")(relabel)
app.command("submit", short_help="Write a run's submission.")(submit)
app.command("predict", short_help="Find the points in your own photos.")(predict)
app.add_typer(data_app, name="data", short_help="Check and convert annotation files.")
app.command("list", short_help="List the competitions and their recipes.")(list_competitions)
app.command("show", short_help="Show every setting of a recipe.")(show)

STOPPED = 130  # what shells report of a command that Ctrl-C ended: 128 + SIGINT
_WrongLine: type[Exception] = typer.BadParameter.__bases__[0]  # click's UsageError, of click or of typer's own copy


def main() -> None:
    """The `kptool` command: what the user can mend becomes one line on stderr and an exit code."""
    try:
        code = app(standalone_mode=False) or 0
    except KptoolError as error:
        _fail(str(error), error.exit_code)
    except _WrongLine as error:
        context = getattr(error, "ctx", None)
        _fail(_one_line(error), UsageError.exit_code, f"see {context.command_path if context else 'kptool'} --help")
    except OSError as error:
        if error.filename is None:
            raise
        hint = "free some room there, then go on" if error.errno == errno.ENOSPC else ""
        _fail(f"{error.filename}: {error.strerror}", KptoolError.exit_code, hint)
    except (KeyboardInterrupt, typer.Abort):
        code = STOPPED
    if code == STOPPED:
        _fail("stopped", STOPPED)
    sys.exit(code)


def _one_line(error: Exception) -> str:
    text = getattr(error, "format_message", error.__str__)()
    return " ".join(str(text).split()).rstrip(".")


def _fail(message: str, code: int, hint: str = "") -> NoReturn:
    message = "".join(c if c.isprintable() else " " for c in message)  # a file's bytes must not steer the terminal
    sys.stderr.write(f"kptool: {message}{'; ' if hint else ''}{hint}\n")
    sys.exit(code)
