"""A finished run's report as one HTML file."""

from __future__ import annotations

import base64
import hashlib
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np
from jinja2 import Environment, StrictUndefined
from markupsafe import Markup

from kptool import __version__
from kptool.files import write_text
from kptool.page import faces, plots, provenance
from kptool.page.choice import Choice, choose
from kptool.page.gallery import Gallery, for_script, gather
from kptool.page.looking import Looking, looking, nothing
from kptool.page.spelling import script_json, spelt
from kptool.pixels import Arrays, Tick
from kptool.report.outcome import Outcome
from kptool.report.scored import scored
from kptool.report.values import Report
from kptool.report.words import amount, count, duration, figure, ratio
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
    style, script = (Markup(_part(name)) for name in ("page.css", "page.js"))
    return _environment().from_string(_part("report.html.jinja")).render(
        report=report,
        style=style,
        script=script,
        policy=_policy(style, script),
        data=script_json(data),
        version=__version__,
        choice=choice,
        shown=len(gallery.faces),
        pictures=provenance.at_home(why) if not any("picture" in face for face in gallery.faces) else "",
        looked=looked,
        mapped=sum("maps" in face for face in gallery.faces),
        figures=_figures(report),
        recipes=provenance.recipes(run),
        environment=provenance.environment(run),
        digests=provenance.digests(run),
        members=len(run.members.each) if run.members else 0,
    )  # fmt: skip


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


def _environment() -> Environment:
    """Everything that is put into the page is escaped, and nothing may be missing."""
    made = Environment(
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=lambda value: spelt(value) if type(value) is str else value,
    )
    made.filters |= {"amount": amount, "figure": figure, "number": count, "duration": duration, "ratio": ratio}
    return made


def _policy(style: str, script: str) -> str:
    """What the page may do: show its own pictures, style and script. Nothing is ever asked of anyone."""
    return (
        f"default-src 'none'; img-src data:; style-src {_hash(style)}; script-src {_hash(script)}; "
        "base-uri 'none'; form-action 'none'"
    )


def _hash(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


@cache
def _part(name: str) -> str:
    return files("kptool.page").joinpath(name).read_text(encoding="utf-8")
