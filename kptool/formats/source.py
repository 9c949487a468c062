"""Finding a competition's file wherever the user keeps it: in a folder, in a zip, or in a zip inside a zip.

Kaggle serves one zip per competition whose large members are zips themselves. Nothing is ever unpacked to disk; a
member is read as a stream of bytes, block by block, so that memory stays bounded and no path in an archive matters.
"""

from __future__ import annotations

import hashlib
import lzma
import struct
import zipfile
import zlib
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO

from kptool.errors import DataError, MissingFileError
from kptool.files import file_digest

# What zipfile and its decompressors raise on bytes that are no zip. NotImplementedError and RuntimeError mean an
# unknown compression method and a password; random damage produces these too.
_DAMAGE = (
    zipfile.BadZipFile,
    zlib.error,
    lzma.LZMAError,
    struct.error,
    EOFError,
    NotImplementedError,
    RuntimeError,
    ValueError,
)


@dataclass(frozen=True)
class Member:
    """One file of a competition.

    Attributes:
        file: the file on disk.
        inside: names of the zip members to go through, outermost first; empty where `file` is the thing itself.
    """

    file: Path
    inside: tuple[str, ...] = ()

    @property
    def place(self) -> str:
        """What messages call it, such as training.csv or training.zip/training.csv."""
        return "/".join((self.file.name, *self.inside))

    def key(self) -> str:
        """sha256 hex that changes with the bytes on disk; for a plain file it is the digest of its contents.

        A zip is keyed by its own bytes, so that finding a cache entry again needs no inflating.
        """
        try:
            digest = file_digest(self.file)
        except OSError as error:
            raise _unreadable(self.file, error) from None
        return hashlib.sha256("\0".join((digest, *self.inside)).encode()).hexdigest() if self.inside else digest

    def stamp(self) -> tuple[int, int]:
        """Size and time of change (ns) of the file on disk: equal before and after a read, it was not written to."""
        try:
            status = self.file.stat()
        except OSError as error:
            raise _unreadable(self.file, error) from None
        return status.st_size, status.st_mtime_ns

    def chunks(self, size: int) -> Iterator[bytes]:
        """The contents, at most `size` bytes at a time.

        Raises:
            DataError: the zip is truncated or damaged, or the file cannot be read.
        """
        try:
            with ExitStack() as stack:
                file: IO[bytes] = stack.enter_context(self.file.open("rb"))
                for name in self.inside:
                    archive = stack.enter_context(_opened(file))
                    file = stack.enter_context(archive.open(name))
                while data := file.read(size):
                    yield data
        except OSError as error:
            raise _unreadable(self.file, error) from None
        except _DAMAGE:
            raise _damaged(self.file) from None


def hashed(chunks: Iterable[bytes], hasher: hashlib._Hash) -> Iterator[bytes]:
    """The same chunks; `hasher` has seen all of them when they end."""
    for chunk in chunks:
        hasher.update(chunk)
        yield chunk


def find(source: Path, name: str, known: Iterable[str]) -> Member:
    """The file called `name`. Arguments as in `look`.

    Raises:
        MissingFileError: it is not there; says what was looked for and what is.
        DataError: as `look` does.
    """
    member = look(source, name, known)
    if member is None:
        raise MissingFileError(
            f"{source}: no {name} here, {_contents(source)}", "name the folder or the zip that holds it"
        )
    return member


def look(source: Path, name: str, known: Iterable[str]) -> Member | None:
    """The file called `name`, or None.

    Args:
        source: a folder, a zip, or one of the competition's files.
        name: such as training.csv. A folder is searched for training.csv, training/training.csv, training.zip, then
            every other zip; a zip for a member of that name, then for training.zip.
        known: names of the competition's files. One of these (or its zip) given by itself stands for its folder too,
            so that `--data training.csv` also finds the test.csv beside it; any other file stands for itself alone.

    Raises:
        MissingFileError: no such path.
        DataError: a damaged zip, a member that stands there twice.
    """
    if source.is_dir():
        return _in_folder(source, name)
    if not source.exists():
        raise MissingFileError(f"{source}: no such file or folder", "name the folder or the zip that Kaggle served")
    if source.name == name:
        return Member(source)
    is_zip = source.suffix.lower() == ".zip"
    member = _in_zip(source, name) if is_zip else None
    stands_for_folder = {form for other in known for form in (other, f"{other}.zip", _zip_of(other))}
    if member is None and source.name in stands_for_folder:
        return _in_folder(source.parent, name)
    if not is_zip:
        raise DataError(f"{source}: looked for {name}, a zip or a folder", f"name the file {name} or give its folder")
    return member


def _zip_of(name: str) -> str:
    return f"{PurePosixPath(name).stem}.zip"


def _in_folder(folder: Path, name: str) -> Member | None:
    for plain in (folder / name, folder / PurePosixPath(name).stem / name):
        if plain.is_file():
            return Member(plain)
    for archive in sorted(folder.glob("*.zip"), key=lambda path: (path.name != _zip_of(name), path.name)):
        if (member := _in_zip(archive, name)) is not None:
            return member
    return None


def _in_zip(path: Path, name: str) -> Member | None:
    try:
        with path.open("rb") as file:
            inside = _inside(file, name, path.name)
    except OSError as error:
        raise _unreadable(path, error) from None
    except _DAMAGE:
        raise _damaged(path) from None
    return None if inside is None else Member(path, inside)


def _inside(file: IO[bytes], name: str, place: str) -> tuple[str, ...] | None:
    """The way to `name` in an open zip; goes one zip deeper, only into the one that carries the same stem."""
    with _opened(file) as archive:
        if (direct := _only(archive, name, place)) is not None:
            return (direct,)
        if (nested := _only(archive, _zip_of(name), place)) is None:
            return None
        with archive.open(nested) as inner, _opened(inner) as deeper:
            found = _only(deeper, name, f"{place}/{nested}")
            return None if found is None else (nested, found)


def _opened(file: IO[bytes]) -> zipfile.ZipFile:
    """A zip that begins where its file does.

    zipfile also takes a zip with something before it, and so would take the last whole zip inside a truncated one.
    """
    archive = zipfile.ZipFile(file)
    if min((member.header_offset for member in archive.infolist()), default=0):
        raise zipfile.BadZipFile
    return archive


def _only(archive: zipfile.ZipFile, name: str, place: str) -> str | None:
    # macOS archives hold a shadow of every file under __MACOSX.
    found = [n for n in archive.namelist() if PurePosixPath(n).name == name and not n.startswith("__MACOSX/")]
    if len(found) > 1:
        raise DataError(f"{place}: holds {name} twice, as {found[0]} and {found[1]}", "keep one of them")
    return found[0] if found else None


def _contents(source: Path) -> str:
    if source.suffix.lower() == ".zip" and source.is_file():
        with source.open("rb") as file, _opened(file) as archive:
            names = archive.namelist()
    else:
        names = sorted(path.name for path in (source if source.is_dir() else source.parent).iterdir())
    return f"only {', '.join(names[:8])}{', ...' if len(names) > 8 else ''}" if names else "it is empty"


def _damaged(path: Path) -> DataError:
    return DataError(f"{path.name}: truncated or damaged zip", "download it again")


def _unreadable(path: Path, error: OSError) -> DataError:
    return DataError(f"{path}: cannot be read ({error.strerror or error})", "check the path and its permissions")
