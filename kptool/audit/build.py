"""From a run to its list of labels to look at."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from kptool.audit.decide import contradicting, decide
from kptool.audit.evidence import Evidence, gather
from kptool.audit.score import LOST, STRONG
from kptool.audit.sheet import Tile
from kptool.audit.suggestion import Suggestion
from kptool.audit.voices import Voices, listen
from kptool.audit.words import reason
from kptool.config import Edit
from kptool.dataset import Ints, Mask, rows_of
from kptool.errors import KptoolError
from kptool.pictures import model_images, open_frames, to_shown
from kptool.pixels import Arrays, Tick
from kptool.report.load import load
from kptool.report.scored import scored
from kptool.runs import Run

LEAST: Final = 0.0  # score, from which an image is listed


@dataclass(frozen=True)
class Audit:
    """What a run says of its labels.

    Attributes:
        suggestions: the most suspicious first.
        suspects: how many images have a score above 0, listed or not.
        images: how many were looked at.
        notes: what a reader must know, a sentence each.
        voices: how many models answered every image; 0 where none could.
    """

    run: str
    suggestions: tuple[Suggestion, ...]
    suspects: int
    images: int
    notes: tuple[str, ...]
    voices: int = 0

    @property
    def strong(self) -> tuple[Suggestion, ...]:
        """Those whose edits are written."""
        return tuple(one for one in self.suggestions if one.strong)

    @property
    def faces(self) -> tuple[Suggestion, ...]:
        """Those in which the models find no face to agree on, as strong as those whose edits are written.

        Their labels are mostly right: left out of training, such images are missed. So that is for a person to say.
        """
        return tuple(one for one in self.suggestions if one.kind == "face" and one.score >= STRONG)

    @property
    def edits(self) -> list[Edit]:
        """Of the strong ones."""
        return [edit for one in self.strong for edit in one.edits()]


@dataclass(frozen=True)
class Found:
    """An audit with what it was made from, for pictures and scores; `arrays` is None where they are gone."""

    audit: Audit
    evidence: Evidence
    arrays: Arrays | None


def audit(run: Run, top: int = 100, tick: Tick | None = None) -> Found:
    """List the labels of a run that its own answers speak against.

    Images that the recipe already edits are not looked at again.

    Args:
        top: how many images to list at most.
        tick: called as the models answer, with (done, of how many).

    Raises:
        DataError: no fold is finished, or a file of the run is damaged. Pictures or weights that are gone are a note.
    """
    outcome, notes = scored(load(run)).outcome, list[str]()
    arrays = _frames(run, notes, tick)
    voices = listen(run, outcome, arrays, tick)
    if isinstance(voices, str):
        notes.append(f"How far several models agree is not known: {voices}.")
    evidence = gather(outcome, voices if isinstance(voices, Voices) else None, arrays)
    already = sorted({edit.image for edit in run.recipe.data.edits} if run.members is None else set())
    if already:
        notes.append(f"{len(already)} images that the recipe already edits are left out.")
    if np.isnan(evidence.doubt[evidence.labelled]).any():
        notes.append("Points with fewer than 20 labels in a marking scheme are not judged: too few to tell the usual.")
    rows = ranked(evidence, already)
    if more := int((evidence.score[rows[top:]] >= STRONG).sum()):
        notes.append(f"{more} more image{'s are' if more > 1 else ' is'} as strong as those edited: raise --top.")
    listed = [suggest(evidence, int(row), rank) for rank, row in enumerate(rows[:top], 1)]
    made = Audit(run.path.name, tuple(listed), len(rows), len(outcome.ids), tuple(notes), evidence.voices)
    return Found(made, evidence, arrays)


def ranked(evidence: Evidence, already: Sequence[str] = ()) -> Ints:
    """Rows with a score above 0 and something to do about them, the highest score first, ties by id.

    Args:
        already: ids that are left out.
    """
    ids, score = evidence.outcome.ids, evidence.score
    order = np.lexsort((ids, -score))
    reasons = (np.nan_to_num(evidence.doubt, nan=-np.inf) > 0).any(1) | (evidence.scatter >= LOST)
    left: Mask = (score > LEAST) & reasons & ~np.isin(ids, list(already))
    return np.asarray(order[left[order]])


def suggest(evidence: Evidence, row: int, rank: int) -> Suggestion:
    """What to do about one image, and why."""
    outcome, decision = evidence.outcome, decide(evidence, row)
    names, score = outcome.schema.points, float(evidence.score[row])
    moved = decision.action == "move"
    return Suggestion(
        rank=rank,
        row=row,
        id=str(outcome.ids[row]),
        fold=int(outcome.fold[row]),
        scheme=outcome.schemes.names[outcome.scheme[row]],
        labelled=int(evidence.labelled[row].sum()),
        action=decision.action,
        kind=decision.kind,
        points=tuple(names[k] for k in np.flatnonzero(decision.points)),
        to=tuple((float(x), float(y)) for x, y in decision.to[decision.points]) if moved else (),
        masked=tuple(names[k] for k in np.flatnonzero(decision.masked)),
        score=score,
        strong=score >= STRONG and decision.kind != "face" and _sure(evidence, row),
        reason=reason(evidence, row, decision),
    )


def _sure(evidence: Evidence, row: int) -> bool:
    """A label that most models take for right once they have learned it may well be right: a rare pose's."""
    return not evidence.voices or 2 * contradicting(evidence, row) > evidence.voices


def tiles(found: Found) -> list[Tile]:
    """The pictures of the suggestions, as the model is shown them; none where they are gone."""
    arrays, outcome, listed = found.arrays, found.evidence.outcome, found.audit.suggestions
    if arrays is None or not listed:
        return []
    rows = rows_of(arrays.ids, np.array([one.id for one in listed]))
    own = np.array([one.row for one in listed], dtype=np.int64)
    shown, pictures = to_shown(arrays, rows), model_images(arrays, rows)
    label, answer = (shown(points[own]) for points in (outcome.truth, outcome.predicted))
    doubted = [np.isin(outcome.schema.points, [*one.points, *one.masked]) for one in listed]
    titles = [f"{o.rank} · {o.id} · fold {o.fold} · {o.shown}{'*' if o.strong else ''} {o.score:.1f}" for o in listed]
    return [
        Tile(*each) for each in zip(pictures, label, answer, doubted, titles, [o.reason for o in listed], strict=True)
    ]


def _frames(run: Run, notes: list[str], tick: Tick | None) -> Arrays | None:
    try:
        return open_frames(run, tick)
    except (KptoolError, OSError) as error:
        why = error.message if isinstance(error, KptoolError) else f"{error.filename}: {error.strerror}"
        notes.append(f"The pictures are not to be had, so there is no sheet, and copies are not compared: {why}.")
        return None
