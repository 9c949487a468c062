"""The pairs of a competition of verification, as values: what `kptool cv` learns from and what `submit` answers."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Final

import numpy as np

from kptool.config import Competition, DataOptions
from kptool.dataset import Dataset, Names
from kptool.errors import DataError, MissingFileError, UsageError
from kptool.formats import identities, lfw_folder
from kptool.formats.lfw_folder import Found, alignment_of, files_of
from kptool.formats.lfw_pairs import parse
from kptool.formats.text_file import read_text
from kptool.pairs import Pairs
from kptool.photos import decode, digest_files, open_photos
from kptool.schema import Schema

VIEW_1: Final = "LFW view 1"
VIEW_2: Final = "LFW view 2"


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
        pairs, notes = _listed(competition, lfw_folder.find(data, competition.train)), []
    return pairs, [*notes, *_same_pictures(pairs)]


def read_test(competition: Competition, data: Path | None, file: Path | None = None) -> Pairs:
    """The pairs to be answered: the competition's own, or those of a list that the user names.

    Raises:
        MissingFileError: no such list, or a competition without one.
        DataError: a file that cannot be trusted, or a missing picture.
    """
    if file is not None:
        return _listed(competition, lfw_folder.beside(file, data))
    if not competition.test:
        raise MissingFileError(f"{competition.slug} has no test pairs", "name a list with --pairs")
    return _listed(competition, lfw_folder.find(data, competition.test))


def _listed(competition: Competition, found: Found) -> Pairs:
    listed = parse(read_text(found.list), found.list.name)
    pictures = sorted({picture for pair in listed for picture in pair[:2]})
    place = {picture: row for row, picture in enumerate(pictures)}
    people = sorted({picture.name for picture in pictures})
    number = {name: row for row, name in enumerate(people)}
    files = files_of(pictures, listed, found.pictures)
    given = [pair.fold for pair in listed if pair.fold is not None]
    return _pairs(
        competition,
        found.pictures,
        files,
        ids=[picture.id for picture in pictures],
        people=people,
        person=[number[picture.name] for picture in pictures],
        ends=[(place[pair.first], place[pair.second]) for pair in listed],
        names=[(pair.id, pair.place) for pair in listed],
        fold=given or None,
        protocol=competition.protocol or (VIEW_2 if given else VIEW_1),
        alignment=competition.alignment or alignment_of(found.pictures, found.pictures / str(files[0])),
    )


def _drawn(competition: Competition, data: Path | None, each: int, folds: int, seed: int) -> tuple[Pairs, list[str]]:
    if data is None:
        raise UsageError("--pairs-from identities needs --data DIR, a folder of pictures for each person", "name it")
    found = identities.draw(data, each, folds, seed)
    ids = [str(Path(name).with_suffix("").as_posix()) for name in found.files]
    if len(set(ids)) < len(ids):
        ids = list(found.files)  # two pictures that differ by their ending alone
    ends = list(zip(found.first.tolist(), found.second.tolist(), strict=True))
    pairs = _pairs(
        competition,
        data,
        np.array(found.files, dtype=np.str_),
        ids=ids,
        people=found.names,
        person=found.person.tolist(),
        ends=ends,
        names=[(f"{ids[a]} {ids[b]}", "") for a, b in ends],
        fold=found.fold.tolist(),
        protocol=f"{len(ends)} pairs drawn from {len(found.names)} identities, seed {seed}",
        alignment="not known",
    )
    note = (
        f"people were dealt into {folds} blocks, and pairs of different people drawn within a block, so that folds can "
        f"keep persons apart; {len(ends) // 2} pairs of each kind"
    )
    alone = found.left_out
    left = f"{len(alone)} folders with fewer than two pictures are left out, such as {alone[0]}"
    return pairs, [note, *([left] if alone else [])]


def _pairs(
    competition: Competition,
    root: Path,
    files: Names,
    *,
    ids: list[str],
    people: list[str],
    person: list[int],
    ends: list[tuple[int, int]],
    names: list[tuple[str, str]],
    fold: list[int] | None,
    protocol: str,
    alignment: str,
) -> Pairs:
    photos, _ = open_photos(root, files, competition.slug)  # what cannot be opened is told by `pixels.prepare`
    content = hashlib.sha256(digest_files(root, files).encode())
    content.update(json.dumps([ids, people, person, ends, [name for name, _ in names], fold]).encode())
    digest = content.hexdigest()
    schema = Schema(competition.slug, ())
    images = Dataset(np.array(ids, dtype=np.str_), photos, np.empty((len(ids), 0, 2)), schema, digest)
    who = np.array(person, dtype=np.int64)
    first, second = np.array(ends, dtype=np.int64).T
    return Pairs(
        images=images,
        people=np.array(people, dtype=np.str_),
        person=who,
        first=first,
        second=second,
        same=np.asarray(who[first] == who[second]),
        ids=np.array([name for name, _ in names], dtype=np.str_),
        places=np.array([place for _, place in names], dtype=np.str_),
        fold=None if fold is None else np.array(fold, dtype=np.int64),
        protocol=protocol,
        alignment=alignment,
        digest=digest,
    )


def _same_pictures(pairs: Pairs) -> list[str]:
    """Notes on pairs of two equal pictures; raises DataError where they are called different people."""
    equal = [row for row in range(len(pairs)) if _equal(pairs, int(pairs.first[row]), int(pairs.second[row]))]
    for row in equal:
        if not pairs.same[row]:
            first, second = pairs.images.ids[[pairs.first[row], pairs.second[row]]]
            place = str(pairs.places[row]) or str(pairs.ids[row])
            raise DataError(
                f"{place}: {first} and {second} are one and the same picture, in a pair of different people",
                "take the pair out, or put the right picture back",
            )
    if not equal:
        return []
    if len(equal) == 1:
        return [f"1 same-person pair is of two equal pictures: {pairs.ids[equal[0]]}"]
    return [f"{len(equal)} same-person pairs are of two equal pictures, such as {pairs.ids[equal[0]]}"]


def _equal(pairs: Pairs, first: int, second: int) -> bool:
    """Whether two pictures hold the same grey levels; files of another size in px are not decoded for it."""
    photos = pairs.images.images
    assert not isinstance(photos, np.ndarray)
    one, two = photos.path(first), photos.path(second)
    if not (photos.sizes[first] == photos.sizes[second]).all() or not photos.sizes[first].all():
        return False
    jpeg = one.suffix == two.suffix and one.suffix.lower() in (".jpg", ".jpeg")
    if jpeg and one.stat().st_size != two.stat().st_size:
        return False  # encoding a JPEG again changes its pixels, so equal ones are copies
    return bool(np.array_equal(decode(one, 1).pixels, decode(two, 1).pixels))
