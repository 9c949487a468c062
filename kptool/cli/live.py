"""What a terminal shows while folds train: a table of them, or plain lines where there is no terminal."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from types import TracebackType
from typing import Self

from rich import live
from rich.console import Console, Group
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from kptool.cli.pace import Fold, duration, number, total_left
from kptool.engine.progress import Progress

REFRESH_PER_SECOND = 2  # the drawing shares its cores with the training
LINE_EVERY = 0.1  # of a fold's epochs, at most, where there is no terminal
LINE_AFTER = 600.0  # seconds without a line of a fold, then its next evaluation is told whatever its epoch


def say(console: Console, text: str) -> None:
    """Print a text as it is: no markup, no control characters, nothing that the console cannot encode."""
    clean = "".join(c if c.isprintable() or c == "\n" else " " for c in text)
    clean = clean.encode(console.encoding, "replace").decode(console.encoding)
    console.print(Text(clean), soft_wrap=True)


def _doing(fold: Fold, clock: float) -> str:
    """The last column, at most 13 characters: time left where the fold trains, else what it does or did."""
    if fold.now.state == "training":
        return duration(fold.left(clock))
    return f"done {duration(fold.now.seconds)}" if fold.now.state == "done" else fold.now.state


class Live:
    """Shows folds in training until the `with` block ends.

    Forking a process while the view is open is unsafe, since a thread draws it: start workers by "spawn", or first.

    Args:
        console: where to; a table is drawn on a terminal, plain lines without escapes are printed elsewhere.
        folds: their numbers, in the order in which they will run.
        epochs: epochs each is to run, until its own news says otherwise.
        unit: of the held-out score.
        metric: what the held-out score is called; lower is better.
        baseline: what the score without a network is called.
        rows: what is counted per second.
        workers: how many folds run side by side.
        clock: seconds that only ever grow.
    """

    def __init__(
        self,
        console: Console,
        folds: Sequence[int],
        epochs: int,
        unit: str = "px",
        metric: str = "held-out RMSE",
        baseline: str = "mean shape",
        rows: str = "img",
        workers: int = 1,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        assert workers >= 1, workers
        self._console, self._unit, self._metric = console, unit, metric
        self._baseline, self._rows = baseline, rows
        self._workers, self._clock = workers, clock
        nan = math.nan
        self._folds = {f: Fold(Progress(f, 0, epochs, nan, None, nan, 0.0, 0.0, "waiting")) for f in folds}
        self._lines: dict[int, tuple[Progress, float]] = {}  # the last line of each fold, and when
        self._began = clock()
        self._live: live.Live | None = None

    def __enter__(self) -> Self:
        self._began = self._clock()
        if self._console.is_terminal and self._console.is_interactive:
            self._live = live.Live(
                console=self._console, get_renderable=self._table, refresh_per_second=REFRESH_PER_SECOND
            )
            self._live.start(refresh=True)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._live is not None:
            self._live.stop()
            self._live = None

    def update(self, progress: Progress) -> None:
        """Take in news of a fold."""
        fold = self._folds[progress.fold].told(progress, self._clock())
        self._folds[progress.fold] = fold  # one assignment: the drawing thread sees the old value or the new
        if self._live is None and self._worth_a_line(fold):
            self._lines[progress.fold] = progress, self._clock()
            say(self._console, self._line(fold))

    def message(self, text: str) -> None:
        """Print a text above the table, as it is: no markup, no control characters."""
        say(self._console, text)

    def _worth_a_line(self, fold: Fold) -> bool:
        """The first and the last epoch and the end of a fold; between them, by epochs gone and by time."""
        now, clock = fold.now, self._clock()
        if now.state in ("waiting", "predicting") or now.epoch == 0:
            return False
        if now.fold not in self._lines:
            return True
        last, when = self._lines[now.fold]
        if now.state != "training" or now.epoch >= now.epochs:
            return (last.epoch, last.state) != (now.epoch, now.state)
        gone = (now.epoch - last.epoch) / now.epochs
        # An epoch that was not evaluated waits for one that is, but not for ever.
        return gone >= (LINE_EVERY if now.heldout is not None else 2 * LINE_EVERY) or (
            gone > 0 and now.heldout is not None and clock - when >= LINE_AFTER
        )

    def _line(self, fold: Fold) -> str:
        now, unit = fold.now, self._unit
        best = "" if fold.best is None else f"best {number(fold.best[0])} {unit} at epoch {fold.best[1]}"
        if now.state != "training":
            parts = [f"{now.state} after epoch {now.epoch}/{now.epochs}", f"{self._metric} {best}" if best else ""]
            parts += [f"{self._baseline} {number(fold.baseline)} {unit}", duration(now.seconds)]
        else:
            score = f"{self._metric} {number(fold.heldout)} {unit}" + (f" ({best})" if best else "")
            clock = self._clock()
            left = total_left(list(self._folds.values()), self._workers, clock)
            parts = [f"epoch {now.epoch}/{now.epochs}", f"loss {number(fold.loss, 4)}", score]
            parts += [
                f"{self._baseline} {number(fold.baseline)} {unit}",
                f"{number(fold.speed or None, 0)} {self._rows}/s",
            ]
            parts += [f"ETA {duration(fold.left(clock))}, all folds {duration(left)}"]
        return f"fold {now.fold}: " + "  ".join(part for part in parts if part)

    def _table(self) -> Group:
        """The table and the line under it, at most 80 columns wide."""
        folds, clock = list(self._folds.values()), self._clock()
        table = Table(box=None, padding=(0, 1, 0, 0), pad_edge=False)
        for title, width in (("fold", 4), ("epoch", 9), ("", 7), ("loss", 8)):
            table.add_column(title, width=width, justify="left" if not title else "right")
        scores = (f"{self._metric} {self._unit}", f"best {self._unit}", f"{self._baseline} {self._unit}")
        for title, width in zip((*scores, f"{self._rows}/s", "ETA"), (8, 7, 8, 7, 13), strict=True):
            table.add_column(Text(title), width=width, justify="right")
        for fold in folds:
            now = fold.now
            table.add_row(
                str(now.fold),
                f"{now.epoch}/{now.epochs}",
                ProgressBar(total=max(now.epochs, 1), completed=now.epoch, width=7),
                number(fold.loss, 4),
                number(fold.heldout),
                number(fold.best[0] if fold.best else None),
                number(fold.baseline),
                number(fold.speed or None, 0),
                _doing(fold, clock),
            )
        speed = number(sum(fold.speed for fold in folds) or None, 0)
        left = duration(total_left(folds, self._workers, clock))
        return Group(table, Text(f"{duration(clock - self._began)} elapsed, ETA {left}, {speed} {self._rows}/s"))
