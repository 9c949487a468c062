"""The report of a run of verification as one HTML file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from kptool.files import write_text
from kptool.page import provenance
from kptool.page.pairs_gallery import KINDS, PairGallery, choose_pairs, gather_pairs
from kptool.page.pairs_plots import drawings
from kptool.page.shell import page_of
from kptool.pixels import Arrays, Tick
from kptool.runs import Run
from kptool.verification.figure_rows import figure_rows
from kptool.verification.judged import judge
from kptool.verification.outcome import PairOutcome
from kptool.verification.values import PairReport
from kptool.verification.words import leak, verdict


def write_pairs_page(
    path: Path,
    run: Run,
    report: PairReport,
    outcome: PairOutcome,
    arrays: Arrays | None,
    why: str = "",
    tick: Tick | None = None,
) -> int:
    """Write the page, whole or not at all; the same run gives the same bytes.

    Args:
        arrays: the run's pictures, see `pictures.open_frames`; None = a page without pictures.
        why: in words, why there are none.
        tick: told how many steps of how many are done.

    Returns:
        The bytes written.

    Raises:
        OSError: the file cannot be written.
    """
    found = judge(outcome, outcome.score)
    choice = choose_pairs(found)
    total = len(choice.places) + 1
    tell: Tick = tick or (lambda *_: None)
    gallery = gather_pairs(outcome, found, choice, arrays, lambda done: tell(done, total))
    text = page_of(
        "pairs.html.jinja",
        run,
        styles=("page.css", "pairs.css"),
        scripts=("shell.js", "pairs.js"),
        data=_for_script(report, gallery),
        report=report,
        leak=leak(report.about),
        verdict=verdict(report),
        figure_rows=list(figure_rows(report)),
        members=run.members is not None,
        shown=len(gallery.pairs),
        pictures="" if arrays is not None else provenance.at_home(why) or "the pictures are not there",
        figures=drawings(report),
    )
    write_text(path, text)
    tell(total, total)
    return len(text.encode())


def _for_script(report: PairReport, gallery: PairGallery) -> dict[str, Any]:
    """Everything that the page's script reads."""
    return {
        "size": list(report.about.size),
        "kinds": list(KINDS),
        "edges": list(report.histogram.edges),
        "counts": {"same": list(report.histogram.same), "different": list(report.histogram.different)},
        "pictures": gallery.pictures,
        "pairs": gallery.pairs,
    }
