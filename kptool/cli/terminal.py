"""The terminal as rich sees it."""

from __future__ import annotations

import sys

from rich.console import Console


def make_console(stderr: bool = False) -> Console:
    """A console that is interactive only where its stream is a terminal, whatever FORCE_COLOR says."""
    stream = sys.stderr if stderr else sys.stdout
    return Console(stderr=stderr, highlight=False, force_interactive=stream.isatty())
