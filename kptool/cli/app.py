"""How kptool's groups of commands are set up: plain help, no traceback decoration, no arguments needed."""

from __future__ import annotations

import typer


def make_app(name: str, text: str) -> typer.Typer:
    """A group of commands; its callback prints the help where no command is named."""
    return typer.Typer(
        name=name,
        help=text,
        invoke_without_command=True,
        pretty_exceptions_enable=False,
        add_completion=False,
        rich_markup_mode=None,
    )
