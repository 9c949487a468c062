"""What a report says first: the score in words, and all that must be known before believing it."""

from __future__ import annotations

import math

from rich.console import Group, RenderableType

from kptool.report import tables
from kptool.report.pen import BLUE, ORANGE, Pen
from kptool.report.scores import Score
from kptool.report.values import About, Report
from kptool.report.words import amount, count, duration, figure, ratio

WORTH_SAYING = 0.2  # px


def headline(report: Report) -> str:
    """The score in one line of plain text, as a log may hold it."""
    score = report.lead.score
    parts = [f"mean shape {amount(score.mean_shape, score.unit)}", *_beside(report)]
    if score.name == "NME":
        return f"{_words(score)}, out of fold ({', '.join([*parts, *_left_out(score)])})"
    return f"{score.name} {amount(score.value, score.unit)}, {score.pooling} ({', '.join(parts)})"


def heading(pen: Pen, report: Report) -> list[RenderableType]:
    """What was run, its score, the warnings with what to try, and notes."""
    warnings = [pen.hang("WARNING", words, ORANGE) for words in report.warnings]
    tries = [pen.hang("TRY", _try(remedy.tries, remedy.seen), f"bold {BLUE}") for remedy in report.remedies]
    return [
        _about(pen, report.about),
        _score(pen, report),
        *warnings,
        *tries,
        *_edited(pen, report),
        *_habits(pen, report),
    ]


def _try(tries: tuple[str, ...], seen: str) -> str:
    return f"{'; or '.join(tries)}: {seen}" if tries else seen


def _about(pen: Pen, about: About) -> RenderableType:
    speed = "" if about.images_per_second is None else f" at {about.images_per_second:,.0f} images/s"
    facts = [
        f"recipe {about.recipe} {about.recipe_digest[:12]}",
        f"data {about.data_digest[:12]}",
        _images(about),
        f"views {about.views}",
        f"weights of the {about.keep} epoch",
        f"{about.precision} on {about.device}",
        *([] if about.seconds is None else [f"trained in {duration(about.seconds)}{speed}"]),
    ]
    return Group(pen.flow([about.title, f"run {about.run}"], "bold"), pen.flow(facts, "dim"))


def _images(about: About) -> str:
    """How many there are, of which sizes, and what of them the model is shown."""
    groups = f" in {count(about.groups)} groups" if about.groups and about.groups != about.images else ""
    frame, small, large = (f"{width} × {height}" for width, height in (about.size, *about.sizes))
    if small == large == frame:
        return f"{count(about.images)} images of {frame} px{groups}"
    sizes = small if small == large else f"{small} to {large}"
    return f"{count(about.images)} photos of {sizes} px{groups}, frames of {frame} px"


def _habits(pen: Pen, report: Report) -> list[RenderableType]:
    """What was learned of how the labels were placed, where it is worth a word."""
    if all(abs(v) < WORTH_SAYING for v in report.label_shift.values()):
        return []
    places = ", ".join(f"{v:+.2f} px ({name})" for name, v in report.label_shift.items())
    words = (
        f"Labels sit to the right of the pixels they mean by {places} of the model's frame: mirrored copies showed it. "
        "It is taken off in training and put back into predictions, so it costs no score; half a pixel means counting "
        "from pixel corners."
    )
    return [pen.hang("NOTE", words, "bold")]


def _edited(pen: Pen, report: Report) -> list[RenderableType]:
    """Both figures in words, where edits make two of one."""
    edited, score = report.edited, report.lead.score
    if edited is None:
        return []
    total = sum(edited.edits.values())
    done = ((edited.left_out, "left out"), (edited.moved, "moved"), (edited.added, "added"))
    values = ", ".join(f"{count(number)} {what}" for number, what in done if number) or "none changed"
    actions = ", ".join(f"{count(number)} {action}" for action, number in edited.edits.items())
    words = (
        f"The score above is on the labels as given; on the edited labels it is {amount(edited.value, score.unit)} "
        f"(coordinates of these images: {values}). The recipe edits labels to train on by "
        f"{count(total)} edit{'s' * (total != 1)}: {actions}."
    )
    return [pen.hang("NOTE", words, "bold")]


def _score(pen: Pen, report: Report) -> RenderableType:
    score = report.lead.score
    times = (
        f"{figure(ratio(score.value, score.mean_shape))} times the mean shape's {amount(score.mean_shape, score.unit)}"
    )
    if score.name == "RMSE":
        lead = pen.text(f"{score.name} {amount(score.value, score.unit)}", "bold").append(pen.text(f"   {times}"))
        beside = [pen.text(f"pooled over {_labels(report)}, out of fold"), *_lines(pen, _beside(report))]
        return Group(lead, *beside)
    lead = pen.text(_words(score), "bold")
    if score.name == "MAE":
        lead.append(pen.text(f"   mean over {_labels(report)}"))
    facts = [times, "out of fold", *_beside(report), *_left_out(score)] if score.images else []
    return Group(lead, *_lines(pen, facts), "", tables.beside(pen, report))


def _lines(pen: Pen, facts: list[str]) -> list[RenderableType]:
    return [pen.flow(facts)] if facts else []


def _labels(report: Report) -> str:
    return f"all {count(report.metrics.values)} labelled coordinates of {count(report.metrics.images)} images"


def _words(score: Score) -> str:
    """A score with what it was divided by and taken over, as far as its name does not say it."""
    words = f"{score.name} {amount(score.value, score.unit)}"
    if score.normaliser is None:
        return words
    if not score.images:
        return f"{score.name} not known: no image has the {score.normaliser}"
    return f"{words} of the {score.normaliser}, mean over {count(score.images)} images"


def _left_out(score: Score) -> list[str]:
    if not (score.left_out and score.images and score.normaliser):
        return []
    return [f"{count(score.left_out)} image{'s' if score.left_out > 1 else ''} left out for want of it"]


def _beside(report: Report) -> list[str]:
    """The figures that belong beside the score."""
    score, lead, figures = report.metrics, report.lead, []
    if not math.isnan(lead.low):
        low = amount(lead.low, lead.score.unit).removesuffix(f" {lead.score.unit}")
        figures.append(f"95% interval {low} to {amount(lead.high, lead.score.unit)}")
    if not math.isnan(lead.fold_std):
        spread = amount(lead.fold_std, lead.score.unit)
        mean = amount(lead.fold_mean, lead.score.unit).removesuffix(f" {lead.score.unit}")
        figures.append(f"mean of {len(report.folds)} folds {mean} ± {spread}")
    if len(score.by_scheme) > 1 and score.rmse_test_mix_reason is None and lead.score.name == "RMSE":
        figures.append(f"at the test set's mix of schemes {score.rmse_test_mix:.3f} px")
    return figures
