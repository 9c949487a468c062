"""Law: the report on pairs says every figure it has, in words, at every width, in every console, and nothing else."""

from __future__ import annotations

import io
import math
import re
from dataclasses import replace
from typing import Any, get_args

import numpy as np
import pytest
from rich.cells import cell_len
from rich.console import Console

from kptool.dataset import Ints
from kptool.geometry import Bytes
from kptool.report.pen import Pen
from kptool.verification.histogram import HEIGHT, histogram
from kptool.verification.plots import rare
from kptool.verification.terminal import SECTIONS, PairSection, headline, render
from kptool.verification.values import (
    Accepted,
    Bin,
    Figures,
    Histogram,
    PairAbout,
    PairCurve,
    PairFold,
    PairReport,
    PairRow,
    PersonFailures,
    RocCurve,
)

WIDTHS = [80, 100, 130, 200]
NAN = math.nan
# Words that only one section says.
OWN: dict[PairSection, str] = {
    "folds": "Held-out folds",
    "pairs": "Hardest wrong pairs",
    "people": "People with most wrong pairs",
    "curves": "Calibration",
}


def about(**changes: Any) -> PairAbout:
    made = PairAbout(
        title="Faces of a village",
        run="20260131-120000-small",
        recipe="small",
        recipe_digest="28d5d7042a35ffff",
        data_digest="eeedbc68b20b0000",
        protocol="village view 1, image-restricted",
        alignment="cut by hand",
        pairs=2211,
        scored=2211,
        same=1099,
        images=3443,
        people=2132,
        groups=1032,
        naive_leak=0.683,
        own_leak=0.0,
        size=(105, 97),
        views="plain, each also mirrored",
        keep="best",
        device="cpu",
        precision="bf16",
        parameters=38_951_745,
        seconds=366.0,
        pairs_per_second=311.4,
    )
    return replace(made, **changes)


def row(number: int, same: bool, decision: bool, **changes: Any) -> PairRow:
    made = PairRow(
        row=number,
        id=f"Ann_{number} 1 Bob_{number} 2",
        fold=number % 3,
        first=f"Ann_{number}_0001",
        second=f"Bob_{number}_0002",
        first_image=2 * number,
        second_image=2 * number + 1,
        same=same,
        score=0.9 - number / 37,
        probability=0.97 - number / 41 if decision else 0.03 + number / 41,
        decision=decision,
        confidence=0.97 - number / 41,
    )
    return replace(made, **changes)


def full(**changes: Any) -> PairReport:
    """A report in which nothing is missing."""
    taken = (Accepted(0.1, 0.7021, 0.4, 111), Accepted(0.01, 0.4032, 0.6, 11))
    others = (Accepted(0.1, 0.5043, 0.4, 111), Accepted(0.01, 0.2054, 0.6, 11))
    steps = np.linspace(0, 1, 31)
    different = (741, 1, 370)
    details: dict[str, Any] = {
        "about": about(),
        "model": Figures("model", 0.8141, 0.0093, 0.7972, 0.8304, 0.8925, 0.1862, taken, 0.1352, 0.4261, 0.2505),
        "classical": Figures("HOG, cosine", 0.7233, 0.0104, 0.7055, 0.7416, 0.7887, 0.2774, others, 0.189, 0.566, 0.25),
        "gain": 0.0912,
        "gain_low": 0.0683,
        "gain_high": 0.1144,
        "folds": tuple(
            PairFold(k, 737, 366 + k // 2, 0.413 + k / 100, True, 0.8 + k / 70, 0.83, 0.15 + k / 90, 0.2 + k / 80,
                     0.88 + k / 60, 0.19 - k / 50, 0.71 + k / 77)
            for k in range(3)
        ),
        "roc": RocCurve(tuple(map(float, steps)), tuple(map(float, steps**0.25))),
        "classical_roc": RocCurve(tuple(map(float, steps)), tuple(map(float, steps**0.5))),
        "histogram": Histogram((-0.52, 0.1, 0.3, 0.94), (5, 300, 794), different, 0.2231),
        "calibration": (Bin(0.0, 0.1, 411, 0.055, 0.063), Bin(0.5, 0.6, 97, 0.547, 0.512), Bin(0.9, 1, 505, 1, 1)),
        "hardest": tuple(row(k, k % 2 == 0, k % 2 == 1) for k in range(12)),
        "surest": tuple(row(20 + k, k % 2 == 0, k % 2 == 0, confidence=0.99 - k / 100) for k in range(13)),
        "people": tuple(
            PersonFailures(f"Zoe_{k}", 40 - k, 22 - k, 15 - k, 7, f"Zoe_{k}_0003", 9 + k) for k in range(14)
        ),
        "curves": tuple(
            PairCurve(k, (1, 2, 3, 4), (0.8, 0.4, 0.2, 0.1), (NAN, 0.31 * 100, NAN, 19.4 + k), 4) for k in range(3)
        ),
        "warnings": ("Fold 0 is much worse than the others.",),
    }  # fmt: skip
    return PairReport(**(details | changes))


def shown(report: PairReport, width: int = 100, *sections: PairSection, **options: Any) -> str:
    file = io.StringIO()
    given = {name: options.pop(name) for name in ("pictures", "why") if name in options}
    render(report, Console(file=file, width=width, **options), sections, **given)
    return file.getvalue()


def in_ascii(report: PairReport, width: int, **given: Any) -> str:
    raw = io.BytesIO()
    file = io.TextIOWrapper(raw, encoding="ascii", errors="strict")
    render(report, Console(file=file, width=width), SECTIONS, **given)
    file.flush()
    return raw.getvalue().decode("ascii")


def words(text: str) -> str:
    return " ".join(text.split())


def line_of(text: str, *start: str) -> list[str]:
    (found,) = [line.split() for line in text.splitlines() if line.split()[: len(start)] == list(start)]
    return [cell for cell in found[len(start) :] if re.search(r"\w|–", cell)]


def noise(rows: Ints) -> Bytes:
    """Pictures that are not square, of three channels."""
    return np.random.default_rng(3).integers(0, 256, (len(rows), 3, 23, 31), dtype=np.uint8)


def hostile(report: PairReport, name: str) -> PairReport:
    """The report with one text in every place that a file fills."""
    assert report.classical is not None
    return replace(
        report,
        about=replace(
            report.about, title=name, run=name, recipe=name, protocol=name, alignment=name, views=name, device=name
        ),
        classical=replace(report.classical, name=name),
        hardest=(replace(report.hardest[0], id=name, first=name, second=name),),
        surest=(replace(report.surest[0], id=name, first=name, second=name),),
        people=(replace(report.people[0], person=name, worst=name),),
        warnings=(name,),
    )


LONG = "Marie-Christine_Wilhelmina_" * 6
WIDE = "張三李四王五" * 12


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("name", [None, LONG, WIDE])
@pytest.mark.parametrize("ascii_only", [False, True])
def test_every_line_fits_and_nothing_is_cut(width: int, name: str | None, ascii_only: bool) -> None:
    report = full() if name is None else hostile(full(), name)
    text = (in_ascii if ascii_only else shown)(report, width, *(() if ascii_only else SECTIONS), pictures=noise)
    assert max(map(cell_len, text.splitlines())) <= width
    assert "…" not in text
    for said in (*OWN.values(), "Training", "ROC at rare FAR", "Held-out EER", "Surest right pairs", "NO LEAK"):
        assert said in text, said
    assert ascii_only is text.isascii()


@pytest.mark.parametrize("width", [80, 160])
def test_colour_says_nothing_that_words_do_not(width: int) -> None:
    coloured = shown(full(), width, force_terminal=True, color_system="256")
    assert "\x1b[" in coloured
    assert re.sub(r"\x1b\[[0-9;]*m", "", coloured) == shown(full(), width)


@pytest.mark.parametrize("name", ["[bold]x[/]", "\x1b[31mred", "a\nb", "\u202egnp.exe", ":smile:"])
def test_hostile_words_stay_text(name: str) -> None:
    report = hostile(full(), name)
    spelt = "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in name)
    for text in (shown(report, 200, *SECTIONS, pictures=noise, why=name), in_ascii(report, 200, pictures=noise)):
        assert not [c for c in text if c != "\n" and not c.isprintable()]
        assert text.count(spelt) >= 16  # about 7, baseline, tables 2 + 2, pictures 4, warning
    assert spelt in headline(report)


# --- what comes first ---


def test_the_score_names_protocol_alignment_and_threshold() -> None:
    line = "accuracy 81.4 % ± 0.9 (SE over 3 folds) · village view 1, image-restricted · cut by hand"
    assert headline(full()) == f"{line} · threshold from the other folds"
    assert headline(full()) in words(shown(full(), 200))
    part = full(about=about(scored=737))
    assert headline(part).endswith(" · over 737 of 2211 pairs")


def test_the_heading_says_what_was_run() -> None:
    text = words(shown(full(), 200, "folds"))
    for said in (
        "Faces of a village · run 20260131-120000-small",
        "recipe small 28d5d7042a35 · data eeedbc68b20b",
        "2211 pairs: 1099 same, 1112 different · 3443 pictures of 2132 people in 1032 groups · frames of 105 × 97 px",
        "38,951,745 parameters",
        "views plain, each also mirrored",
        "weights of the best epoch · bf16 on cpu",
        "trained in 6 min 6 s at 311 pairs/s",
        "WARNING Fold 0 is much worse than the others.",
    ):
        assert said in text, said
    bare = about(parameters=None, seconds=None, pairs_per_second=None)
    text = shown(full(about=bare), 200, "folds")
    assert not [said for said in ("parameters", "trained", "pairs/s") if said in text]


@pytest.mark.parametrize("width", WIDTHS)
def test_every_figure_stands_beside_the_baselines(width: int) -> None:
    text = shown(full(), width, "people")
    for name, cells in {
        "accuracy %": ["81.4", "72.3", "+9.1"],
        "95% interval": ["79.7", "to", "83.0", "70.5", "to", "74.2", "+6.8", "to", "+11.4"],
        "± SE over 3 folds": ["0.9", "1.0"],
        "AUC": ["0.892", "0.789", "+0.104"],
        "EER %": ["18.6", "27.7", "-9.1"],
        "TAR % at FAR 10 %": ["70.2", "50.4", "+19.8"],
        "TAR % at FAR 1 %": ["40.3", "20.5", "+19.8"],
        "Brier": ["0.135", "0.189", "-0.054"],
        "log loss": ["0.426", "0.566", "-0.140"],
    }.items():
        (found,) = [line for line in text.splitlines() if re.match(rf"{re.escape(name)}  ", line)]
        assert found.split()[len(name.split()) :] == cells
    assert "Brier of answering the share of same 0.25" in words(text)


@pytest.mark.parametrize(
    ("low", "high", "said"),
    [
        (
            0.02,
            0.05,
            "The model beats the hand-made baseline (HOG, cosine): +3.0 points of accuracy, 95% interval +2.0",
        ),
        (-0.02, 0.05, "The model does NOT beat the hand-made baseline beyond chance (HOG, cosine): +3.0 points"),
        (-0.05, -0.01, "The model is WORSE than the hand-made baseline (HOG, cosine): +3.0 points"),
        (
            NAN,
            NAN,
            "Too few groups of pairs to tell whether the model beats the hand-made baseline (HOG, cosine): +3.0",
        ),
    ],
)
def test_a_plain_word_says_whether_the_model_beats_the_baseline(low: float, high: float, said: str) -> None:
    text = words(shown(full(gain=0.03, gain_low=low, gain_high=high), 200, "folds"))
    assert f"BASELINE {said}" in text
    assert ("interval" in text.split("BASELINE")[1].split(".)")[0][:150]) is not math.isnan(low)


@pytest.mark.parametrize(
    ("different", "accepted", "said"),
    [
        (1112, 2, "no TAR at a lower FAR: 1112 different pairs, FAR 0.1 % would be 1 pair"),
        (9999, 2, "no TAR at a lower FAR: 9999 different pairs, FAR 0.1 % would be 9 pairs"),
        (450, 1, "no TAR at a lower FAR: 450 different pairs, FAR 1 % would be 4 pairs"),
        (60, 0, "no TAR at a FAR: 60 different pairs, FAR 10 % would be 6 pairs"),
        (11_000, 2, None),
    ],
)
def test_why_no_rarer_rate_is_given(different: int, accepted: int, said: str | None) -> None:
    made = full()
    one = replace(made.folds[0], pairs=different + 13, same=13)
    text = words(shown(replace(made, folds=(one,), model=replace(made.model, accepted=made.model.accepted[:accepted]))))
    assert (said in text) if said else ("no TAR" not in text)


def test_leaks_are_told_with_what_a_careless_split_would_leak() -> None:
    said = "0 of 2211 held-out pairs show a person seen in training"
    assert f"NO LEAK {said}; a random split would have 68 %." in words(shown(full()))
    assert f"{said}." in words(shown(full(about=about(naive_leak=NAN))))
    text = words(shown(full(about=about(own_leak=30 / 2211))))
    assert "NO LEAK" not in text
    assert "LEAK 30 of 2211 held-out pairs" in text


# --- sections ---


@pytest.mark.parametrize("section", get_args(PairSection))
def test_a_section_shows_itself_and_no_other(section: PairSection) -> None:
    text = shown(full(), 100, section)
    assert OWN[section] in text
    assert not [other for other, said in OWN.items() if other != section and said in text]
    assert text.index("accuracy ") < text.index(OWN[section])


def test_without_sections_all_stand_in_their_order() -> None:
    text = shown(full(), 100)
    order = ["accuracy ", "NO LEAK", "WARNING", OWN["folds"], "\nROC", OWN["curves"], OWN["pairs"], OWN["people"]]
    places = [text.index(said) for said in (*order, "Held-out EER", "Training")]
    assert places == sorted(places)


@pytest.mark.parametrize("width", WIDTHS)
def test_each_fold_has_its_figures(width: int) -> None:
    report = full()
    table = shown(report, width, "folds").split("Held-out folds")[1]
    for fold in report.folds:
        shares = [f"{100 * v:.1f}" for v in (fold.accuracy, fold.false_accept, fold.false_reject, fold.eer)]
        assert line_of(table, str(fold.fold)) == [
            "737", str(fold.same), f"{fold.threshold:.3f}", shares[0], *shares[1:3], f"{fold.auc:.3f}", shares[3],
            f"{100 * fold.classical:.1f}",
        ]  # fmt: skip
    assert line_of(table, "mean") == ["81.4", "0.9", "SE", "72.3"]


def test_a_folds_bar_runs_from_an_even_chance_to_all() -> None:
    made = full()
    each = [replace(made.folds[0], fold=k, accuracy=a) for k, a in enumerate((0.4, 0.5, 0.75, 1.0))]
    table = shown(replace(made, folds=tuple(each)), 200, "folds").split("Held-out folds")[1]
    lengths = [re.sub(r"[^━╸]", "", line) for line in table.splitlines() if "─" in line or "━" in line]
    assert [len(drawn) for drawn in lengths] == [0, 0, 14, 28]


def test_pairs_have_their_truth_answer_confidence_and_score() -> None:
    report = full()
    text = shown(report, 100, "pairs")
    assert len([line for line in text.splitlines() if line.startswith("Ann_")]) == 25
    for one in (*report.hardest, *report.surest):
        truth, answer = ("same" if same else "different" for same in (one.same, one.decision))
        figures = [str(one.fold), truth, answer, f"{100 * one.confidence:.1f}", f"{one.score:.3f}"]
        assert line_of(text, *one.id.split()) == figures
    short = shown(report, 100)
    assert "the first 10 of 12" in short
    assert "Ann_9 1" in short
    assert not [said for said in ("Ann_10 1", "Surest") if said in short]
    assert "Surest right pairs" in shown(report, 200)


def test_people_have_their_failures() -> None:
    report = full()
    for width in WIDTHS:
        text = shown(report, width, "people")
        for one in report.people:
            counts = (one.pairs, one.wrong, one.false_accepts, one.false_rejects)
            assert line_of(text, one.person) == [*map(str, counts), one.worst, str(one.worst_pairs)]
    assert "the first 10 of 14" in shown(report, 100)


def test_calibration_and_training_have_their_figures() -> None:
    report = full()
    text = shown(report, 80, "curves")
    assert line_of(text, "0", "to", "10") == ["5.5", "6.3", "411"]
    assert line_of(text, "50", "to", "60") == ["54.7", "51.2", "97"]
    assert line_of(text, "90", "to", "100") == ["100.0", "100.0", "505"]
    training = text[text.index("\nTraining") :]
    for curve in report.curves:
        assert line_of(training, str(curve.fold)) == [
            "0.800",
            "0.100",
            "4",
            f"{curve.eer[3]:.1f}",
            "4",
            f"{curve.eer[3]:.1f}",
        ]
    assert "31.0 %" in text  # the highest EER, at the end of its axis
    assert "AUC 0.892, EER 18.6 %" in text
    assert "AUC 0.789, EER 27.7 %" in text


# --- what may be missing ---


def test_without_a_baseline_nothing_speaks_of_its_figures() -> None:
    bare = full(classical=None, classical_roc=None, gain=NAN, gain_low=NAN, gain_high=NAN)
    for width in WIDTHS:
        text = shown(bare, width, *SECTIONS)
        assert max(map(cell_len, text.splitlines())) <= width
        assert "BASELINE None was made in this run" in words(text)
        assert not [said for said in ("difference ", "72.3", "╌", "/baseline") if said in text.replace("different", "")]
        assert re.search(r"^EER % +18\.6 *$", text, re.MULTILINE)


def test_a_single_fold_says_that_its_threshold_is_its_own() -> None:
    made = full()
    model = replace(made.model, standard_error=NAN, low=NAN, high=NAN, brier=NAN, log_loss=NAN)
    one = replace(made.folds[0], honest=False, accuracy_in=NAN, auc=NAN, eer=NAN, false_accept=NAN)
    lost = [replace(row, probability=NAN, confidence=NAN) for row in made.hardest]
    alone = replace(
        made, model=model, folds=(one,), calibration=(), hardest=tuple(lost), surest=(), people=(), curves=(),
        warnings=(), gain_low=NAN, gain_high=NAN,
    )  # fmt: skip
    for width in WIDTHS:
        text = shown(alone, width, *SECTIONS, pictures=noise)
        assert max(map(cell_len, text.splitlines())) <= width
        assert "nan" not in text.lower()
        for said in ("mean", "Calibration", "Surest", "People", "Training", "Held-out EER", "WARNING", "± 0"):
            assert said not in text.split("Held-out folds")[1], said
    assert headline(alone).startswith("accuracy 81.4 % · village")
    assert headline(alone).endswith("threshold from the fold's own pairs, which flatters")
    assert line_of(shown(alone, 80, "folds").split("Held-out folds")[1], "0")[4:8] == ["–", "20.0", "–", "–"]


# --- plots ---


def drawn(made: Histogram, width: int, ascii_only: bool = False) -> list[str]:
    file = io.TextIOWrapper(io.BytesIO(), encoding="ascii" if ascii_only else "utf-8")
    console = Console(file=file, width=width)
    with console.capture() as capture:
        console.print(histogram(Pen(console), made))
    return capture.get().splitlines()


@pytest.mark.parametrize("width", [35, 47, 80, 200])
def test_bars_are_as_high_as_their_counts_and_the_threshold_stands_between_them(width: int) -> None:
    made = Histogram((0.0, 1.0, 2.0, 3.0, 4.0), (0, 6, 12, 1), (12, 3, 0, 0), 4.0)
    lines = drawn(made, width)
    rows = [line.split("│")[1] for line in lines if "│" in line]
    assert len(rows) == 2 * HEIGHT + 1
    assert {len(row) for row in rows} == {len(rows[0])}
    columns = ["".join(row[round((k + 0.5) / 4 * len(row)) - 1] for row in rows) for k in range(4)]
    blank, axis = " " * HEIGHT, "─"
    assert columns[0] == f"{blank}{axis}{'█' * 6}"
    assert columns[1] == f"   ███{axis}█▀    "  # 3 of 12 are a quarter of six cells, one and a half
    assert columns[2] == f"{'█' * 6}{axis}{blank}"
    assert columns[3] == f"     ▄{axis}{blank}"
    assert {row[-1] for row in rows} == {"┆"}, "the highest score is at the right end"
    assert words(lines[-1]) == "┆ threshold 4.000"
    assert "same person, 19 pairs" in lines[-3]
    assert "different people, 15 pairs" in lines[-2]


def test_more_bins_than_cells_lose_no_pair() -> None:
    made = Histogram(tuple(map(float, range(101))), (1, *[0] * 98, 1), (0,) * 100, -3.0)
    rows = [line.split("│")[1] for line in drawn(made, 30) if "│" in line]
    assert {row[0] for row in rows} == {"┆"}, "a threshold under all scores is at the left end"
    assert rows[0].rstrip()[-1] == "█"
    assert rows[0].count("█") >= 1


def test_the_roc_at_rare_rates_starts_where_one_pair_counts() -> None:
    console = Console(file=io.StringIO(), width=60)
    for different, lowest in ((5, None), (99, None), (100, "1%"), (1112, "0.1%"), (10**7, "0.01%")):
        made = full(histogram=Histogram((0.0, 0.5, 1.0), (0, 9), (different, 0), 0.5))
        block = rare(Pen(console), made)
        with console.capture() as capture:
            console.print("" if block is None else block)
        foot = capture.get().splitlines()[-1].split()
        assert foot == ([] if lowest is None else ["0.01%", "0.1%", "1%", "10%", "100%"][-len(foot) :])
        assert (foot[0] if foot else None) == lowest


# --- pictures ---


@pytest.mark.parametrize("width", WIDTHS)
def test_as_many_pairs_as_fit_stand_in_a_row(width: int) -> None:
    asked: list[list[int]] = []

    def given(rows: Ints) -> Bytes:
        asked.append(rows.tolist())
        return noise(rows)

    report, fitting = full(), (width + 2) // 41
    shown(report, width, pictures=given, force_terminal=True, color_system="truecolor")
    assert asked == [[image for row in report.hardest[:fitting] for image in (row.first_image, row.second_image)]]
    text = shown(report, width, "pairs", pictures=given, force_terminal=True, color_system="truecolor")
    assert [len(rows) for rows in asked[1:]] == [4 * fitting, 4 * fitting]
    plain = re.sub(r"\x1b\[[0-9;]*m", "", text)
    assert max(map(cell_len, plain.splitlines())) <= width
    captions = [line for line in plain.splitlines() if "said" in line and "%" in line]
    assert [len(re.findall(r"\d %", line)) for line in captions] == [fitting] * 4
    assert captions[0].startswith("97.0 % said different, is same")
    assert captions[2].startswith("99.0 % said same, right")


def test_a_pairs_two_faces_stand_left_and_right() -> None:
    def halves(rows: Ints) -> Bytes:
        return np.where(rows % 2, 200, 60).astype(np.uint8)[:, None, None, None] * np.ones((1, 1, 30, 30), np.uint8)

    report = replace(full(), hardest=full().hardest[:1], surest=())
    text = shown(report, 80, "pairs", pictures=halves)
    left, right = text.split("as the model sees them")[1].splitlines()[3].split()
    assert (set(left), set(right), len(left)) == ({":"}, {"#"}, len(right))
    assert text.count("no colours here") == 1


def test_why_there_are_no_pictures_is_said() -> None:
    assert "NOTE No pictures of pairs: the data is gone" in shown(full(), 100, "pairs", why="the data is gone")
    assert "No pictures" not in shown(full(), 100, "pairs")
