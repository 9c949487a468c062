"""`kptool report` of a run of verification."""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from kptool.runs import Run


def report_pairs(run: Run, asked: list[str], page: Path | None, show: bool, as_json: bool) -> None:
    """Print the report of a run of verification, or write it as a page.

    Args:
        asked: the sections wanted; none = all.
        page: where the page goes; None = no page.
        show: open the page in the browser.

    Raises:
        UsageError: a section that such a report does not have.
    """
    from kptool import verification
    from kptool.cli.report_parts import frames_of, say_page, sections_of
    from kptool.cli.terminal import counting, make_console
    from kptool.pictures import model_images
    from kptool.report.half_blocks import can_show
    from kptool.report.pen import Pen
    from kptool.verification.load import load
    from kptool.verification.terminal import SECTIONS, render

    sections = sections_of(asked, SECTIONS, run)
    console, outcome = make_console(stderr=as_json), load(run)
    arrays, why = frames_of(run, console, wanted="pairs" in sections or page is not None)
    result = verification.build(outcome)
    if page is not None:
        from kptool.page import write_pairs_page  # matplotlib's second is only spent where it draws

        with counting(console, "writing the page") as tick:
            size = write_pairs_page(page, run, result, outcome, arrays, why, tick)
        say_page(console, page, size, why, show)
    if as_json:
        typer.echo(json.dumps(verification.to_json(result), indent=2, allow_nan=False))
    elif sections or page is None:
        drawn = "pairs" in sections or (console.is_terminal and can_show(Pen(console)))
        pictures = partial(model_images, arrays) if arrays is not None and drawn else None
        render(result, console, sections, pictures, why if "pairs" in sections else "")
