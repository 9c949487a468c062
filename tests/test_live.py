"""The live view: honest arithmetic, 80 columns, few plain lines, and no escape where there is no terminal."""

from __future__ import annotations

import io
import math
import re
from collections.abc import Callable
from itertools import count

import pytest
from rich.console import Console

from kptool.cli.live import Live
from kptool.cli.pace import Fold, duration, number, total_left
from kptool.engine.progress import Progress


def news(fold: int = 0, epoch: int = 0, epochs: int = 10, **changes: object) -> Progress:
    """A fold that takes 3 s an epoch, unless told otherwise."""
    plain = Progress(fold, epoch, epochs, 0.5, 2.0, 3.5, 400.0, 3.0 * epoch, "training" if epoch else "waiting")
    return plain._replace(**changes)  # type: ignore[arg-type]


def fold_after(*all_news: Progress, at: float = 0.0) -> Fold:
    fold = Fold(all_news[0])
    for one in all_news:
        fold = fold.told(one, at)
    return fold


def plain_console(width: int = 80) -> tuple[Console, io.StringIO]:
    file = io.StringIO()
    return Console(file=file, force_terminal=False, color_system="truecolor", width=width), file


def terminal(width: int = 80) -> tuple[Console, io.StringIO]:
    file = io.StringIO()
    return Console(file=file, force_terminal=True, force_interactive=True, width=width, height=40, record=True), file


def ticking(step: float = 0.0) -> Callable[[], float]:
    ticks = count()
    return lambda: next(ticks) * step


# --- arithmetic ---


def test_a_fold_s_time_left_is_its_epochs_times_its_speed_and_runs_down_between_news() -> None:
    fold = fold_after(news(epoch=1), news(epoch=4), at=100.0)
    assert fold.left(100.0) == pytest.approx(18.0)
    assert fold.left(105.0) == pytest.approx(13.0)
    assert fold.left(1000.0) == 0.0


def test_a_resumed_fold_reckons_only_with_what_it_has_seen() -> None:
    resumed = fold_after(news(epoch=6, seconds=1.0))
    assert resumed.left(0.0) is None
    assert resumed.told(news(epoch=8, seconds=11.0), 0.0).left(0.0) == pytest.approx(2 * 5.0)


def test_a_fold_that_has_stopped_has_nothing_left() -> None:
    for state in ("predicting", "done", "stopped early"):
        assert fold_after(news(epoch=4), news(epoch=5, state=state)).left(0.0) == 0.0


@pytest.mark.parametrize(("workers", "expected"), [(1, 108), (2, 60), (3, 48), (4, 30), (9, 30)])
def test_waiting_folds_start_when_a_worker_is_free(workers: int, expected: float) -> None:
    folds = [fold_after(news(epoch=1), news(epoch=4)), *(fold_after(news(k)) for k in (1, 2, 3))]
    # One fold runs with 18 s left, three wait with 30 s each: two workers do 18 + 30 and 30 + 30.
    assert total_left(folds, workers, 0.0) == pytest.approx(expected)


def test_total_takes_the_average_speed_for_a_fold_without_its_own() -> None:
    slow = fold_after(news(0, 1, seconds=5.0), news(0, 2, seconds=10.0))
    fast = fold_after(news(1, 1, seconds=1.0), news(1, 2, seconds=2.0))
    resumed = fold_after(news(2, 4))
    assert total_left([slow, fast, resumed], 3, 0.0) == pytest.approx(8 * 5.0)
    assert total_left([fast, resumed], 2, 0.0) == pytest.approx(8.0)
    assert total_left([resumed], 1, 0.0) is None
    assert total_left([fold_after(news(0)), fold_after(news(1))], 2, 0.0) is None


def test_best_is_the_lowest_score_and_ignores_nan_and_unevaluated_epochs() -> None:
    scores = [None, math.nan, 2.5, 1.25, None, 1.75]
    fold = fold_after(*(news(epoch=e, heldout=score) for e, score in enumerate(scores, 1)))
    assert fold.best == (1.25, 4)
    assert fold.heldout == 1.75


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(None, "-"), (math.nan, "-"), (0.4, "0:00"), (59.6, "1:00"), (750, "12:30"), (3723, "1:02:03"), (97200, "1d 03h")],
)
def test_duration(seconds: float | None, text: str) -> None:
    assert duration(seconds) == text


@pytest.mark.parametrize("value", [0.0, 1.23456, 999.9996, -123.456, 1e9, -1e9, math.inf, -math.inf, math.nan, None])
def test_numbers_fit_their_column(value: float | None) -> None:
    assert 0 < len(number(value)) <= 8
    assert 0 < len(number(value, 4)) <= 8


# --- without a terminal ---


@pytest.mark.parametrize("step", [0.0, 0.5])  # 5000 evaluated epochs in no time, and in well over an hour
def test_plain_lines_are_few_and_hold_no_escape(step: float) -> None:
    console, file = plain_console()
    with Live(console, list(range(5)), 1000, workers=5, clock=ticking(step)) as view:
        for epoch in range(1, 1001):
            for fold in range(5):
                view.update(news(fold, epoch, 1000))
        for fold in range(5):
            view.update(news(fold, 1000, 1000, state="predicting"))
            view.update(news(fold, 1000, 1000, state="done"))
    lines = file.getvalue().splitlines()
    assert "\x1b" not in file.getvalue()
    for fold in range(5):
        mine = [line for line in lines if line.startswith(f"fold {fold}:")]
        assert 4 <= len(mine) <= 30
        assert "epoch 1/1000 " in mine[0]
        assert "epoch 1000/1000 " in mine[-2]
        assert "done after epoch 1000/1000" in mine[-1]
    assert len(lines) <= 150


def test_a_short_run_prints_every_evaluated_epoch_once() -> None:
    console, file = plain_console()
    with Live(console, [3], 4, clock=ticking()) as view:
        view.update(news(3, 0, 4, heldout=None))
        for epoch in range(1, 5):
            view.update(news(3, epoch, 4, heldout=5.0 - epoch))
            view.update(news(3, epoch, 4, heldout=5.0 - epoch))
        view.update(news(3, 4, 4, state="stopped early", heldout=None))
    lines = file.getvalue().splitlines()
    assert [line.split("  ")[0] for line in lines] == [
        "fold 3: epoch 1/4",
        "fold 3: epoch 2/4",
        "fold 3: epoch 3/4",
        "fold 3: epoch 4/4",
        "fold 3: stopped early after epoch 4/4",
    ]
    assert "loss 0.5000  held-out RMSE 3.000 px (best 3.000 px at epoch 2)  mean shape 3.500 px  400 img/s" in lines[1]
    assert lines[1].endswith("ETA 0:06, all folds 0:06")
    assert "held-out RMSE best 1.000 px at epoch 4" in lines[4]


def test_lines_without_evaluation_are_told_but_rarer() -> None:
    console, file = plain_console()
    with Live(console, [0], 1000, clock=ticking()) as view:
        for epoch in range(1, 1000):
            view.update(news(0, epoch, 1000, heldout=None, images_per_second=math.nan))
    lines = file.getvalue().splitlines()
    assert [line.split("  ")[0] for line in lines] == [f"fold 0: epoch {e}/1000" for e in (1, 201, 401, 601, 801)]
    assert all("held-out RMSE - px  mean shape" in line and "- img/s" in line for line in lines)


def test_a_slow_run_is_heard_of_every_ten_minutes() -> None:
    console, file = plain_console()
    clock = iter(range(0, 10**6, 700))
    now = [0.0]
    with Live(console, [0], 1000, clock=lambda: now[0]) as view:
        for epoch in range(1, 6):
            now[0] = float(next(clock))
            view.update(news(0, epoch, 1000))
    assert len(file.getvalue().splitlines()) == 5


@pytest.mark.parametrize("make", [plain_console, terminal])
def test_messages_are_text_whatever_they_hold(make: Callable[[], tuple[Console, io.StringIO]]) -> None:
    console, file = make()
    with Live(console, [0], 4) as view:
        view.message("[bold red]a[/] :smile: \x1b]0;title\x07 [/nothing] 1234")
        view.message("x" * 200)
    assert "[bold red]a[/] :smile:  ]0;title  [/nothing] 1234" in file.getvalue()
    assert "x" * 200 in file.getvalue()
    assert "\x1b]0" not in file.getvalue()


def test_a_console_that_knows_only_ascii_still_gets_its_message() -> None:
    raw = io.BytesIO()
    file = io.TextIOWrapper(raw, encoding="ascii")
    with Live(Console(file=file, force_terminal=False), [0], 4) as view:
        view.message("mañana")
    file.flush()
    assert raw.getvalue() == b"ma?ana\n"


# --- on a terminal ---


def shown(view_of: Callable[[Live], None], folds: list[int], epochs: int, width: int = 80) -> list[str]:
    """The last frame, as text."""
    console, _ = terminal(width)
    with Live(console, folds, epochs, workers=2, clock=ticking()) as view:
        view_of(view)
        console.export_text(clear=True)  # frames so far
        frame = Console(file=io.StringIO(), width=width, record=True)
        frame.print(view._table())
    assert console.export_text().strip(), "the last frame is drawn on leaving"
    return [line.rstrip() for line in frame.export_text().splitlines()]


def test_the_table_shows_every_fold_within_80_columns() -> None:
    def fill(view: Live) -> None:
        huge = {"loss": -1.234e9, "baseline": 123456.0, "images_per_second": 1e9, "seconds": 1e6}
        view.update(news(0, 1, 1000, heldout=98765.4, **huge))
        view.update(news(1, 1000, 1000, state="stopped early", heldout=1.234))
        view.update(news(2, 7, 1000, state="predicting", loss=math.nan))
        view.update(news(13, 8, 1000, heldout=None))

    lines = shown(fill, [0, 1, 2, 13, 4], 1000)
    assert max(len(line) for line in lines) <= 80
    rows = [line.split() for line in lines]
    assert [row[0] for row in rows[-6:-1]] == ["0", "1", "2", "13", "4"]
    assert rows[-6][1] == "1/1000"
    assert "stopped early" in lines[-5]
    assert "1.234" in rows[-5]
    assert "predicting" in rows[-4]
    assert "nan" in rows[-4]
    assert rows[-2][0:2] == ["4", "0/1000"]
    assert rows[-2][-1] == "waiting"
    heading = " ".join(" ".join(row) for row in rows[:-6])
    for word in ("fold", "epoch", "loss", "held-out", "best", "mean", "shape", "px", "img/s", "ETA"):
        assert word in heading


def test_the_line_under_the_table_adds_up() -> None:
    def fill(view: Live) -> None:
        for fold in (0, 1):
            view.update(news(fold, 1, 10))
            view.update(news(fold, 4, 10, images_per_second=100.0 + fold))

    lines = shown(fill, [0, 1, 2], 10)
    assert lines[-1] == "0:00 elapsed, ETA 0:48, 201 img/s"  # 6 epochs of 3 s, then the third fold's 10
    assert lines[-4].split()[-2:] == ["100", "0:18"]


def test_the_terminal_s_frames_stay_within_80_columns() -> None:
    console, file = terminal()
    with Live(console, [0, 1], 10) as view:
        view.update(news(0, 1, heldout=None))
        view.message("hello")
    drawn = re.sub(r"\x1b\[[0-9;]*m", "", file.getvalue())  # colours
    lines = [line.rstrip() for line in re.split(r"[\r\n]|\x1b\[[?0-9]*[A-Za-z]", drawn)]  # cursor movements
    assert max(len(line) for line in lines) <= 80
    assert "hello" in lines
    assert any(line.startswith("   1      0/10") and line.endswith("waiting") for line in lines)
