"""What a reader must know before believing a comparison."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from kptool.compare.values import Best, Comparison
from kptool.report.words import count

# Beside an accuracy some figures are better where they are lower.
MARKED: Final[dict[Best, str]] = {"lowest": "the lowest", "highest": "the best"}


def notes(made: Comparison) -> tuple[str, ...]:
    """Sentences on the images, on folds that are missing, and on what the intervals do not know."""
    return tuple(sentence for about in (_images, _partial, _kept, _losses, _intervals) for sentence in about(made))


def _images(made: Comparison) -> Iterator[str]:
    if made.same_images:
        return
    shared = made.lines[0].common
    things, what = made.things, f"{count(shared.images)} {made.things}"
    if things == "images":
        what += f" with {count(shared.values)} labelled coordinates"
    if made.rows == "common":
        yield (
            f"Scores are over the {what} that all runs predicted; beside them each run's own score on all its {things}."
        )
    else:
        yield (
            f"Scores are over each run's own {things}, which are not the same, so none is marked as "
            f"{MARKED[made.best]}; all runs share {what} (--rows common)."
        )
    if len(made.differences) > 1:
        yield (
            f"Each difference is over the {things} that its two runs share, which may be more than those of the table."
        )


def _partial(made: Comparison) -> Iterator[str]:
    for line in made.trained:
        if line.folds[0] < line.folds[1]:
            yield f"{line.name}: {line.folds[0]} of {line.folds[1]} folds are finished."


def _kept(made: Comparison) -> Iterator[str]:
    best = [line.name for line in made.trained if line.keep == "best"]
    if best and len(best) < len(made.trained):
        yield (
            f"{_names(best)} kept each fold's best epoch, chosen by the held-out score itself: optimistic beside the "
            "others."
        )


def _losses(made: Comparison) -> Iterator[str]:
    if len({line.loss for line in made.lines if line.loss}) > 1:
        yield "Training losses of different kinds cannot be held against each other."


def _intervals(made: Comparison) -> Iterator[str]:
    together = "duplicates and persons" if made.things == "images" else "pairs whose people are joined by pairs"
    yield (
        f"Intervals are of a paired bootstrap over {made.things}: {made.resamples} resamples of whole groups "
        f"({together} stay together), seed {made.seed}, 95 % by percentiles."
    )
    several = " The rows of several seeds show some of it." if made.seeds else ""
    luck = f"They know the luck of the {made.things}."
    yield f"{luck} Each is of one training seed, whose luck they do not know.{several}"
    if len(made.differences) > 1:
        yield (
            f"No correction is made for {len(made.differences)} comparisons: of 20 runs that do not differ, about "
            "one is called better or worse."
        )


def _names(names: list[str]) -> str:
    return " and ".join(filter(None, [", ".join(names[:-1]), names[-1]]))
