"""Law: what a run keeps of its pairs and scores comes back as it was, and a damaged file is told by its name."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from compared_pairs import pairs

from kptool.errors import DataError
from kptool.pair_files import PAIRS, PICTURES, Scores, join_scores, read_pairs, read_scores, write_pairs, write_scores

MADE = pairs(7)


def scores(rows: list[int], seed: int = 0) -> Scores:
    """Scores of some rows of the made pairs, in the order given."""
    rng = np.random.default_rng(seed)
    return Scores(MADE.ids[rows], rng.normal(0, 1, len(rows)), rng.normal(0, 1, len(rows)))


def test_pairs_come_back_as_they_were(tmp_path: Path) -> None:
    write_pairs(tmp_path, MADE)
    found = read_pairs(tmp_path)
    assert found.ids.tolist() == MADE.ids.tolist()
    assert found.images.tolist() == MADE.images.ids.tolist()
    assert found.people[found.person].tolist() == MADE.people[MADE.person].tolist()
    assert sorted(found.people.tolist()) == found.people.tolist()
    for name in ("first", "second", "same"):
        assert np.array_equal(getattr(found, name), getattr(MADE, name)), name
    assert pd.read_parquet(tmp_path / PAIRS)["place"].tolist() == MADE.places.tolist()
    write_pairs(tmp_path / "again", MADE)
    assert (tmp_path / "again" / PAIRS).read_bytes() == (tmp_path / PAIRS).read_bytes()


def test_scores_come_back_to_the_bit_with_what_is_not_known(tmp_path: Path) -> None:
    made = scores([4, 1, 9])
    made.classical[1] = np.nan
    write_scores(tmp_path / "oof.parquet", made)
    found = read_scores(tmp_path / "oof.parquet")
    assert found.ids.tolist() == made.ids.tolist()
    assert np.array_equal(found.score, made.score)
    assert np.array_equal(found.classical, made.classical, equal_nan=True)


def test_folds_are_joined_in_the_datas_order_whatever_theirs() -> None:
    a, b = scores([8, 2, 5], 1), scores([0, 11], 2)
    for parts in ([a, b], [b, a]):
        rows, found = join_scores(parts, MADE.ids)
        assert rows.tolist() == [0, 2, 5, 8, 11]
        assert found.ids.tolist() == MADE.ids[rows].tolist()
        assert found.score.tolist() == [b.score[0], a.score[1], a.score[2], a.score[0], b.score[1]]
        assert found.classical.tolist() == [b.classical[0], *a.classical[[1, 2, 0]], b.classical[1]]


def test_scores_of_strange_or_doubled_pairs_are_refused() -> None:
    strange = scores([3])._replace(ids=np.array(["Nobody 1 2"]))
    with pytest.raises(DataError, match="pair Nobody 1 2 is scored, but not one of the run's"):
        join_scores([scores([0, 1]), strange], MADE.ids)
    with pytest.raises(DataError, match=f"pair {MADE.ids[1]} is scored twice"):
        join_scores([scores([0, 1]), scores([1, 2])], MADE.ids)


@pytest.mark.parametrize("name", [PAIRS, PICTURES])
def test_a_damaged_file_is_told_by_its_name(tmp_path: Path, name: str) -> None:
    write_pairs(tmp_path, MADE)
    whole = (tmp_path / name).read_bytes()
    for content in (b"", whole[:100], b"PAR1 no more"):
        (tmp_path / name).write_bytes(content)
        with pytest.raises(DataError, match=name) as caught:
            read_pairs(tmp_path)
        assert "\n" not in str(caught.value)
        assert caught.value.hint
    (tmp_path / name).unlink()
    with pytest.raises(DataError, match=name):
        read_pairs(tmp_path)


def test_a_missing_column_is_named(tmp_path: Path) -> None:
    write_pairs(tmp_path, MADE)
    for name, column in ((PAIRS, "same"), (PICTURES, "person")):
        table = pd.read_parquet(tmp_path / name)
        table.drop(columns=column).to_parquet(tmp_path / name)
        with pytest.raises(DataError, match=f"{name}: no column '{column}'"):
            read_pairs(tmp_path)
        table.to_parquet(tmp_path / name)
    write_scores(tmp_path / "s", scores([1]))
    pd.read_parquet(tmp_path / "s").drop(columns="classical").to_parquet(tmp_path / "s")
    with pytest.raises(DataError, match="no column 'classical'"):
        read_scores(tmp_path / "s")


def test_columns_of_another_kind_are_refused(tmp_path: Path) -> None:
    pd.DataFrame({"id": ["a"], "score": ["high"], "classical": [0.0]}).to_parquet(tmp_path / "s")
    with pytest.raises(DataError, match="column 'score' holds no numbers"):
        read_scores(tmp_path / "s")
    write_pairs(tmp_path, MADE)
    table = pd.read_parquet(tmp_path / PAIRS)
    for wrong in ("yes", None):
        table.assign(same=wrong).to_parquet(tmp_path / PAIRS)
        with pytest.raises(DataError, match="column 'same' is not of true and false"):
            read_pairs(tmp_path)


def test_a_pair_of_a_picture_that_is_not_there_is_refused(tmp_path: Path) -> None:
    write_pairs(tmp_path, MADE)
    pictures = pd.read_parquet(tmp_path / PICTURES)
    pictures[pictures["id"] != "picture-4"].to_parquet(tmp_path / PICTURES)
    with pytest.raises(DataError, match=r"picture picture-4 is not in pictures\.parquet"):
        read_pairs(tmp_path)


def test_kinds_that_do_not_go_with_the_people_are_refused(tmp_path: Path) -> None:
    write_pairs(tmp_path, MADE)
    table = pd.read_parquet(tmp_path / PAIRS)
    table.loc[5, "same"] = not table.loc[5, "same"]
    table.to_parquet(tmp_path / PAIRS)
    with pytest.raises(DataError, match=f"pair {MADE.ids[5]} says .*, its pictures' people the other"):
        read_pairs(tmp_path)
