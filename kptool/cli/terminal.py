"""The terminal as rich sees it."""

from __future__ import annotations

import io
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn


def make_console(stderr: bool = False) -> Console:
    """A console that is interactive only where its stream is a terminal, whatever FORCE_COLOR says."""
    stream = sys.stderr if stderr else sys.stdout
    if isinstance(stream, io.TextIOWrapper):  # rich cuts with an ellipsis, which old code pages do not have
        stream.reconfigure(errors="replace")
    return Console(stderr=stderr, highlight=False, force_interactive=stream.isatty())


@contextmanager
def counting(console: Console, doing: str) -> Iterator[Callable[[int, int], None]]:
    """Give a function to be told (done, of how many); a bar on a terminal, nothing elsewhere.

    Until it is first told there is only the word: what turns out to be cached never shows a bar.
    """
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as progress:
        task = progress.add_task(doing, total=None)
        yield lambda done, total: progress.update(task, completed=done, total=total)
