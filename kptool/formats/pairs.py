"""The pairs of a competition of verification, as values: what `kptool cv` learns from and what `submit` answers."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path, PurePosixPath
from typing import Final, NamedTuple

import numpy as np

from kptool.config import Competition, DataOptions
from kptool.dataset import Dataset, Names
from kptool.errors import DataError, MissingFileError, UsageError
from kptool.formats import equal_pictures, identities, lfw_folder
from kptool.formats.lfw_folder import Found, alignment_by_name, alignment_by_pixels
from kptool.formats.lfw_pairs import parse
from kptool.formats.text_file import read_text
from kptool.pairs import UNKNOWN, Pairs
from kptool.photos import digest_files, open_photos
from kptool.schema import Schema

VIEWS: Final = {
    ("pairsDevTrain.txt", False): "LFW view 1",
    ("pairsDevTest.txt", False): "LFW view 1",
    ("pairs.txt", True): "LFW view 2",
}
"""LFW's protocols, by the list's name and whether it has folds of its own."""


class _Rows(NamedTuple):
    """N pictures under a root, M people, P pairs: `ends` are rows of pictures, `names` an id and a place of each."""

    root: Path
    files: Names
    ids: list[str]
    people: list[str]
    person: list[int]
    ends: list[tuple[int, int]]
    names: list[tuple[str, str]]
    fold: list[int] | None


def read_train(
    competition: Competition, data: Path | None, options: DataOptions, seed: int, folds: int
) -> tuple[Pairs, list[str]]:
    """The labelled pairs, and what to tell of them.

    Args:
        options: the recipe's [data]: pairs as the list has them, or drawn from identities.
        seed, folds: of drawn pairs.

    Raises:
        UsageError: no data.
        DataError: a file that cannot be trusted, a missing picture, or equal pictures of "different" people.
    """
    if options.pairs_from == "identities":
        pairs, notes = _drawn(competition, data, options.pairs_per_person, folds, seed)
    else:
        found = lfw_folder.find(data, competition.train)
        pairs, notes = _listed(competition, found), []
        if found.others:
            unused = ", ".join(other.name for other in found.others)
            notes = [f"pictures are those of {found.pictures}; not used, for --data names none of them: {unused}"]
    pairs, more = equal_pictures.look(pairs)
    if options.pairs_from == "identities":
        equal_pictures.refuse_two_names(pairs)  # their blocks are drawn already, and could part the two
    return pairs, [*notes, *more]


def read_test(competition: Competition, data: Path | None, file: Path | None = None) -> Pairs:
    """The pairs to be answered: the competition's own, or those of a list that the user names.

    Raises:
        MissingFileError: no such list, or a competition without one.
        DataError: a file that cannot be trusted, a missing picture, or equal pictures of "different" people.
    """
    if file is not None:
        found = lfw_folder.beside(file, data)
    elif competition.test:
        found = lfw_folder.find(data, competition.test)
    else:
        raise MissingFileError(f"{competition.slug} has no test pairs", "name a list with --pairs")
    return equal_pictures.look(_listed(competition, found))[0]


def _listed(competition: Competition, found: Found) -> Pairs:
    listed = parse(read_text(found.list), found.list.name)
    pictures = sorted({picture for pair in listed for picture in pair[:2]})
    place = {picture: row for row, picture in enumerate(pictures)}
    people = sorted({picture.name for picture in pictures})
    number = {name: row for row, name in enumerate(people)}
    given = [pair.fold for pair in listed if pair.fold is not None]
    rows = _Rows(
        root=found.pictures,
        files=lfw_folder.files_of(pictures, listed, found.pictures),
        ids=[picture.id for picture in pictures],
        people=people,
        person=[number[picture.name] for picture in pictures],
        ends=[(place[pair.first], place[pair.second]) for pair in listed],
        names=[(pair.id, pair.place) for pair in listed],
        fold=given or None,
    )
    view = VIEWS.get((found.list.name, bool(given)))
    own = competition.protocol if found.list.name in (competition.train, competition.test) else ""
    told = alignment_by_name(rows.root)
    by_pixels = not competition.alignment and not told and view  # of other people's pictures grey says nothing
    return _pairs(
        competition,
        rows,
        protocol=own or view or f"pairs of {found.list.name}",
        alignment=alignment_by_pixels(rows.root, rows.files) if by_pixels else told or UNKNOWN,
    )


def _drawn(competition: Competition, data: Path | None, each: int, folds: int, seed: int) -> tuple[Pairs, list[str]]:
    if data is None:
        raise UsageError(
            "--pairs-from identities needs --data DIR, a folder with a folder of pictures for each person",
            "name it",
        )
    root = lfw_folder.people_in(data)
    found = identities.draw(root, each, folds, seed)
    ids = [str(PurePosixPath(name).with_suffix("")) for name in found.files]
    if len(set(ids)) < len(ids):
        ids = found.files  # two pictures that differ by their ending alone
    ends = list(zip(found.first.tolist(), found.second.tolist(), strict=True))
    files = np.array(found.files, dtype=np.str_)
    names = [(f"{ids[a]} {ids[b]}", "") for a, b in ends]
    rows = _Rows(root, files, ids, found.names, found.person.tolist(), ends, names, found.fold.tolist())
    notes = [
        f"{len(ends) // 2} pairs of each kind were drawn; people were dealt into {folds} blocks first, and different "
        "people paired only within a block, so that folds can keep persons apart"
    ]
    if found.alone:
        notes.append(f"people left out, for they have one picture: {len(found.alone)}, such as {found.alone[0]}")
    named = f"{competition.protocol}, " if competition.protocol else ""
    protocol = f"{named}{len(ends)} pairs drawn from {len(found.names)} identities, seed {seed}"
    return _pairs(competition, rows, protocol, alignment_by_name(root) or UNKNOWN), notes


def _pairs(competition: Competition, rows: _Rows, protocol: str, alignment: str) -> Pairs:
    """The value; an alignment that the competition declares goes before the one that was found."""
    photos, _ = open_photos(rows.root, rows.files, competition.slug)  # faults are told by `pixels.prepare`
    names = [name for name, _ in rows.names]
    content = hashlib.sha256(digest_files(rows.root, rows.files).encode())
    content.update(json.dumps([rows.ids, rows.people, rows.person, rows.ends, names, rows.fold]).encode())
    digest = content.hexdigest()
    if len(set(names)) < len(names):
        twice = next(name for name in names if names.count(name) > 1)
        raise DataError(f"{rows.root}: two pairs would both be called '{twice}'", "rename people: no spaces in names")
    ids = np.array(rows.ids, dtype=np.str_)
    images = Dataset(ids, photos, np.empty((len(ids), 0, 2)), Schema(competition.slug, ()), digest)
    who = np.array(rows.person, dtype=np.int64)
    first, second = np.array(rows.ends, dtype=np.int64).T
    return Pairs(
        images=images,
        people=np.array(rows.people, dtype=np.str_),
        person=who,
        first=first,
        second=second,
        same=np.asarray(who[first] == who[second]),
        ids=np.array(names, dtype=np.str_),
        places=np.array([place for _, place in rows.names], dtype=np.str_),
        fold=None if rows.fold is None else np.array(rows.fold, dtype=np.int64),
        protocol=protocol,
        alignment=competition.alignment or alignment,
        digest=digest,
    )
