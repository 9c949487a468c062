"""A finished run's report as one HTML file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from markupsafe import Markup

from kptool.files import write_text
from kptool.page import faces, plots, provenance
from kptool.page.choice import Choice, choose
from kptool.page.gallery import Gallery, for_script, gather
from kptool.page.looking import Looking, looking, nothing
from kptool.page.shell import page_of
from kptool.pixels import Arrays, Tick
from kptool.report.outcome import Outcome
from kptool.report.scored import scored
from kptool.report.values import Report
from kptool.runs import Run


def write_page(
    path: Path,
    run: Run,
    report: Report,
    outcome: Outcome,
    arrays: Arrays | None,
    why: str = "",
    tick: Tick | None = None,
) -> int:
    """Write the page, whole or not at all; the same run gives the same bytes.

    Args:
        arrays: the run's pictures, see `pictures.open_frames`; None = a page without pictures and maps.
        why: in words, why there are none.
        tick: told how many steps of how many are done.

    Returns:
        The bytes written.

    Raises:
        DataError: as `report.build` does.
        OSError: the file cannot be written.
    """
    found = scored(outcome)
    of_run = np.flatnonzero(outcome.fold >= 0)
    choice = choose(found)
    total = 2 * len(choice.rows) + 1
    tell: Tick = tick or (lambda *_: None)
    gallery = gather(found, choice, of_run, arrays, lambda done: tell(done, total))
    if arrays is None:
        looked = nothing(provenance.at_home(why) or "the pictures are not there")
    else:
        looked = looking(run, arrays, gallery.rows, gallery.fold, lambda done: tell(len(choice.rows) + done, total))
    text = _render(run, report, choice, gallery, looked, why, for_script(gallery, looked, found, report))
    write_text(path, text)
    tell(total, total)
    return len(text.encode())


def _render(
    run: Run, report: Report, choice: Choice, gallery: Gallery, looked: Looking, why: str, data: dict[str, Any]
) -> str:
    return page_of(
        "report.html.jinja",
        run,
        styles=("page.css",),
        scripts=("shell.js", "page.js"),
        data=data,
        report=report,
        choice=choice,
        shown=len(gallery.faces),
        pictures=provenance.at_home(why) if not any("picture" in face for face in gallery.faces) else "",
        looked=looked,
        mapped=sum("maps" in face for face in gallery.faces),
        figures=_figures(report),
        members=len(run.members.each) if run.members else 0,
    )


def _figures(report: Report) -> dict[str, Markup]:
    """Every drawing of the page; "" where there is nothing to draw."""
    curves, none = report.curves, Markup()
    face, times = faces.mean_face(report.mean_face) if report.mean_face else (none, 1)
    return {
        "strip": plots.strip(report),
        "loss": plots.losses(curves) if curves else none,
        "heldout": plots.heldouts(curves) if curves else none,
        "rates": plots.rates(report.rates) if report.rates else none,
        "ced": plots.ced(report.ced) if report.ced else none,
        "bars": faces.bars(report.points, report.calibration),
        "face": face,
        "times": Markup(times),
        "kinds": faces.kinds(report.groups, report.lead) if report.groups else none,
    }
