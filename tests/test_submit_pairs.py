"""Law: a submission of pairs is read back as what was answered, and its record says what it scored and how often."""

from __future__ import annotations

import csv
import hashlib
import json
import math
import os
from collections.abc import Callable
from dataclasses import fields, replace
from datetime import date
from pathlib import Path

import numpy as np
import pytest

from kptool import submit
from kptool.config import Recipe
from kptool.dataset import Mask
from kptool.errors import DataError, QualityError, UsageError
from kptool.submit.pair_record import PairRecord, pair_record, write_pair_record
from kptool.submit.pairs import PairAnswers, check_pairs, refuse_other_forms, write_pairs
from kptool.submit.sealed import Sealed, earlier_looks, score_sealed
from kptool.verification.values import Figures, Histogram, PairAbout, PairFold, PairReport, RocCurve

DAY = date(2025, 1, 31)
IDS = ["Ann 1 2", 'O"Neil, J 3 4', "Ünal 1 Bo 2", "=1+1 1 x 2", "Bo 1 2", "Cy 1 Di 1", "Di 2 Bo 3"]
SCORES = [0.1 + 0.2, -1.5e-05, 0.5, math.nextafter(0.5, 0), 7.0, -0.0, 1e22]
THRESHOLD = 0.5
DECISIONS = [0, 0, 1, 0, 1, 0, 1]


def answers() -> PairAnswers:
    return PairAnswers(
        ids=np.array(IDS),
        score=np.array(SCORES),
        probability=np.linspace(0.1, 0.9, len(IDS)),
        threshold=THRESHOLD,
        places=np.array([f"pairsDevTest.txt:{n + 2}" for n in range(len(IDS))]),
    )


# --- the file ---


def test_rows_order_scores_and_decisions_are_those_of_the_answers(tmp_path: Path) -> None:
    path = tmp_path / "new" / "a.csv"
    write_pairs(path, answers())
    with path.open(encoding="utf-8", newline="") as file:
        header, *rows = csv.reader(file)
    assert header == ["pair", "score", "decision"]
    assert [row[0] for row in rows] == IDS
    assert [float(row[1]) for row in rows] == SCORES  # to the last bit
    assert [int(row[2]) for row in rows] == DECISIONS
    assert path.read_bytes().count(b"\n") == 1 + len(IDS)
    assert [p.name for p in path.parent.iterdir()] == ["a.csv"], "no temporary file stays"


@pytest.mark.parametrize("what", ["score", "probability"])
@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_a_pair_without_a_number_is_named_and_nothing_is_written(tmp_path: Path, what: str, bad: float) -> None:
    values = np.array(SCORES)
    values[[1, 4]] = bad
    broken = replace(answers(), score=values) if what == "score" else replace(answers(), probability=values)
    with pytest.raises(
        QualityError, match=rf"pairsDevTest.txt:3: pair 'O\"Neil, J 3 4': the {what} is .*\(2 of 7"
    ) as e:
        write_pairs(tmp_path / "a.csv", broken)
    assert e.value.exit_code == 5
    with pytest.raises(QualityError, match="the threshold is nan"):
        write_pairs(tmp_path / "a.csv", replace(answers(), threshold=np.nan))
    assert list(tmp_path.iterdir()) == []


HARM: dict[str, tuple[Callable[[str], str], str]] = {
    "missing row": (lambda t: t[: t[:-1].rindex("\n") + 1], r":7: the file ends here and lacks the row of Di 2 Bo 3"),
    "row too many": (lambda t: t + "x,1.0,1\n", r":9: a row too many, 'x'"),
    "another order": (lambda t: "\n".join([*(r := t.split("\n"))[:5], r[6], r[5], *r[7:]]), r":6: pair is 'Cy 1 Di 1'"),
    "another score": (lambda t: t.replace("0.30000000000000004", "0.3"), r":2: score of 'Ann 1 2' is 0.3, found was 0"),
    "another decision": (lambda t: t.replace("7.0,1", "7.0,0"), r":6: decision of 'Bo 1 2' is '0', expected 1: the t"),
    "a word": (lambda t: t.replace("7.0,1", "7.0,same"), r":6: decision of 'Bo 1 2' is 'same', expected 1"),
    "no number": (lambda t: t.replace("7.0,1", "nan,1"), r":6: score is 'nan', expected a number"),
    "four columns": (lambda t: t.replace("7.0,1", "7.0,1,1"), r":6: 4 columns, expected 3"),
    "another header": (lambda t: t.replace("decision", "same"), r":1: the header is 'pair,score,same'"),
    "bare quotes": (lambda t: t.replace('"O""Neil, J 3 4"', '"O"Neil, J 3 4"'), r":3: "),
    "nothing": (lambda _: "", r":1: the header is ''"),
}


@pytest.mark.parametrize("name", HARM)
def test_a_file_that_differs_is_refused_by_line(tmp_path: Path, name: str) -> None:
    harm, message = HARM[name]
    path = tmp_path / "a.csv"
    write_pairs(path, answers())
    harmed = harm(path.read_text(encoding="utf-8"))
    assert harmed != path.read_text(encoding="utf-8")
    path.write_text(harmed, encoding="utf-8")
    with pytest.raises(DataError, match=f"a.csv{message}") as error:
        check_pairs(path, answers())
    assert "\n" not in str(error.value)
    assert error.value.hint


def test_a_file_that_fails_its_check_does_not_stay(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("kptool.submit.pairs.repr", lambda score: f"{score:.3f}", raising=False)
    with pytest.raises(DataError, match=r"a.csv:2: score of 'Ann 1 2' is 0.300, found was 0.30000000000000004"):
        write_pairs(tmp_path / "a.csv", answers())
    assert list(tmp_path.iterdir()) == []
    monkeypatch.undo()
    write_pairs(tmp_path / "a.csv", answers())
    before = (tmp_path / "a.csv").read_bytes()
    monkeypatch.setattr(os, "fsync", lambda _: (_ for _ in ()).throw(OSError("disk full")))
    with pytest.raises(OSError, match="disk full"):
        write_pairs(tmp_path / "a.csv", replace(answers(), threshold=1.0))
    assert (tmp_path / "a.csv").read_bytes() == before


def test_points_and_pairs_have_forms_of_their_own() -> None:
    refuse_other_forms(["pairs"], "lfw-pairs")
    with pytest.raises(
        UsageError, match=r"--form wide: answers points, and lfw-pairs asks for pairs; leave --form out"
    ):
        refuse_other_forms(["pairs", "wide"], "lfw-pairs")
    with pytest.raises(
        UsageError, match=r"--form pairs: answers pairs, and this competition asks for points; known: c"
    ):
        submit.choose(["pairs"], "lookup")


# --- what it scored ---


def test_the_sealed_figures_are_those_of_the_answers() -> None:
    rng = np.random.default_rng(2)
    same: Mask = rng.random(301) < 0.4
    score, probability = same + rng.normal(0, 1, 301), rng.random(301)
    found = score_sealed(score, same, 0.4, probability)
    accuracy = float(((score >= 0.4) == same).mean())
    assert (found.pairs, found.same, found.accuracy) == (301, int(same.sum()), accuracy)
    assert found.standard_error == pytest.approx(math.sqrt(accuracy * (1 - accuracy) / 301))
    assert found.auc == pytest.approx((score[same][:, None] > score[~same]).mean())
    rates = [float((score[same] >= cut).mean()) for cut in score if (score[~same] >= cut).mean() <= 0.1]
    assert found.tar_at_far_10 == pytest.approx(max(rates))
    assert found.brier == pytest.approx(np.mean((probability - same) ** 2))
    assert found.eer is not None
    assert 0 < found.eer < 0.5


def test_what_few_pairs_or_one_kind_cannot_tell_is_left_open() -> None:
    score, probability = np.arange(40.0), np.full(40, 0.5)
    few = score_sealed(score, np.asarray(score > 11), 20.0, probability)
    assert few.auc == 1
    assert few.tar_at_far_10 is None  # 12 different pairs
    alone = score_sealed(score, np.ones(40, dtype=np.bool_), 20.0, probability)
    assert (alone.auc, alone.eer, alone.tar_at_far_10, alone.accuracy, alone.brier) == (None, None, None, 0.5, 0.25)


# --- the record ---


def report(folds: int = 3, accuracy: float = 0.7125) -> PairReport:
    """As of a finished run; with one fold there is no standard error."""
    nan = math.nan
    error = 0.01 if folds > 1 else nan
    model = Figures("model", accuracy, error, nan, nan, 0.79, 0.28, (), nan, nan, 0.25)
    about = PairAbout(
        title="Pairs of my own",
        run="run-1",
        recipe="mine",
        recipe_digest=Recipe(name="mine", seed=3).digest,
        data_digest="d1",
        protocol="made view, image-restricted, no outside data",
        alignment="cut by hand",
        pairs=211,
        scored=211,
        same=100,
        images=222,
        people=111,
        groups=37,
        naive_leak=0.5,
        own_leak=0.0,
        size=(48, 40),
        views="plain, each also mirrored",
        keep="last",
        device="cpu",
        precision="fp32",
        parameters=None,
        seconds=None,
        pairs_per_second=None,
    )
    each = [PairFold(k, 70, 33, 0.5, True, 0.7 + k / 100, nan, nan, nan, nan, nan, nan) for k in range(folds)]
    return PairReport(
        about=about,
        model=model,
        classical=None,
        gain=nan,
        gain_low=nan,
        gain_high=nan,
        folds=tuple(each),
        roc=RocCurve((), ()),
        classical_roc=None,
        histogram=Histogram((), (), (), nan),
        calibration=(),
        hardest=(),
        surest=(),
        people=(),
        curves=(),
        warnings=(),
    )


def record(path: Path, of: PairReport | None = None, sealed: Sealed | None = None, test: str = "t1") -> PairRecord:
    looks = earlier_looks(path.parent, test)
    return pair_record(
        path,
        answers(),
        Recipe(name="mine", seed=3),
        of or report(),
        competition="own-pairs",
        folds_used=[0, 1, 2],
        test_digest=test,
        protocol="made view test",
        alignment="cut by hand",
        sealed=sealed,
        classical=sealed and replace(sealed, accuracy=0.25),
        looks=looks,
        today=DAY,
    )


SEALED = Sealed(0.5, 0.1, None, None, None, 0.25, 7, 7)


def test_the_record_stands_beside_the_file_and_says_where_it_comes_from(tmp_path: Path) -> None:
    (path,) = submit.targets(tmp_path, "own-pairs", "run-1", DAY, [".csv"])
    write_pairs(path, answers())
    beside = write_pair_record(path, record(path, sealed=SEALED))
    assert beside == tmp_path / "own-pairs" / "2025-01-31-run-1.json"
    table = json.loads(beside.read_text())
    assert list(table) == [field.name for field in fields(PairRecord)]
    assert table["sha256"] == hashlib.sha256(path.read_bytes()).hexdigest()
    wanted = {"competition": "own-pairs", "run": "run-1", "form": "pairs", "file": path.name, "rows": len(IDS)}
    wanted |= {"date": "2025-01-31", "recipe_name": "mine", "data_digest": "d1", "test_digest": "t1"}
    wanted |= {"threshold": 0.5, "threshold_from": "best on the out-of-fold scores of all folds"}
    wanted |= {"protocol": "made view test", "alignment": "cut by hand", "looks": 0, "folds_used": [0, 1, 2]}
    assert {key: table[key] for key in wanted} == wanted
    assert table["views"] == ["plain, each also mirrored"]
    assert table["out_of_fold"] == {"accuracy": 0.7125, "standard_error": 0.01, "auc": 0.79, "eer": 0.28}
    assert table["score"] == {"name": "accuracy", "unit": "%", "value": 71.25}
    assert table["fold_scores"][2] == {"fold": 2, "accuracy": 0.72}
    assert table["sealed"]["standard_error"] == 0.1
    assert table["classical"] == table["sealed"] | {"accuracy": 0.25}
    again = Recipe.model_validate(table["recipe"])
    assert (again, again.digest) == (Recipe(name="mine", seed=3), table["recipe_digest"])
    assert submit.targets(tmp_path, "own-pairs", "run-1", DAY, [".csv"])[0].name == "2025-01-31-run-1-2.csv"


def test_one_fold_has_no_standard_error_and_no_accuracy_is_refused(tmp_path: Path) -> None:
    write_pairs(tmp_path / "a.csv", answers())
    told = record(tmp_path / "a.csv", report(folds=1))
    assert told.out_of_fold.standard_error is None
    assert "NaN" not in write_pair_record(tmp_path / "a.csv", told).read_text()
    with pytest.raises(QualityError, match="run run-1: the out-of-fold accuracy is nan"):
        record(tmp_path / "a.csv", report(accuracy=math.nan))


def test_every_earlier_look_at_the_same_test_pairs_is_counted(tmp_path: Path) -> None:
    assert earlier_looks(tmp_path / "nowhere", "t1") == 0
    looks = []
    for n, (sealed, test) in enumerate([(SEALED, "t1"), (None, "t1"), (SEALED, "t2"), (SEALED, "t1"), (SEALED, "t1")]):
        path = tmp_path / f"{n}.csv"
        write_pairs(path, answers())
        told = record(path, sealed=sealed, test=test)
        write_pair_record(path, told)
        looks.append(told.looks)
    assert looks == [0, 1, 0, 1, 2]


def test_foreign_files_are_no_looks(tmp_path: Path) -> None:
    for name, data in {
        "broken": b"{",
        "list": b'["test_digest", "t1"]',
        "number": b"1",
        "latin": b'{"test_digest": "t1", "sealed": {"name": "\xe9"}}',
        "deep": b"[" * 100_000,
        "empty": b"",
        "open": b'{"test_digest": "t1", "sealed": null}',
        "yes": b'{"test_digest": "t1", "sealed": true}',
        "huge": b'{"test_digest": "t1", "sealed": {}}' + b" " * (1 << 20),
    }.items():
        (tmp_path / f"{name}.json").write_bytes(data)
    (tmp_path / "folder.json").mkdir()
    (tmp_path / "gone.json").symlink_to(tmp_path / "nowhere")
    assert earlier_looks(tmp_path, "t1") == 0
    (tmp_path / "ours.json").write_text('{"test_digest": "t1", "sealed": {}}')
    assert earlier_looks(tmp_path, "t1") == 1
