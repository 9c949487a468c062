"""Where submissions are put, and the line that sends one."""

from __future__ import annotations

import re
import shlex
from collections.abc import Sequence
from datetime import date
from pathlib import Path

from kptool.errors import UsageError
from kptool.provenance import record_path
from kptool.submit.rows import shown

FILE_NAME = re.compile(r"\w[\w .+=,@()-]*")
LONGEST_NAME = 180  # bytes; file systems end at 255, and the date, the form and a temporary name's ending are added
RESERVED = re.compile(r"(con|prn|aux|nul|com[0-9]|lpt[0-9])(\..*)?", re.IGNORECASE)  # Windows devices


def targets(folder: Path, competition: str, run: str, today: date, tails: Sequence[str]) -> list[Path]:
    """Where the files of one submission go: <folder>/<competition>/<YYYY-MM-DD>-<run><tail>.

    Where a file or a provenance of one of these names stands already, all names get -2, -3 and so on before the tail:
    nothing is overwritten, and the files of one submission keep one number.

    Raises:
        UsageError: a name that could leave the folder or that a file system refuses.
    """
    for what, name in (("competition", competition), ("run", run)):
        if not _is_file_name(name):
            raise UsageError(
                f"{what} name {shown(name)} cannot be used in a file name", "use letters, digits, '-', '_' and '.'"
            )
    stem, count = f"{today.isoformat()}-{run}", 1
    while True:
        base = stem if count == 1 else f"{stem}-{count}"
        paths = [folder / competition / f"{base}{tail}" for tail in tails]
        beside = [record_path(path) for path in paths]
        if not any(file.exists() or file.is_symlink() for file in (*paths, *beside)):
            return paths
        count += 1


def target(folder: Path, competition: str, run: str, today: date, tail: str = ".csv") -> Path:
    """`targets` of one file."""
    return targets(folder, competition, run, today, [tail])[0]


def _is_file_name(name: str) -> bool:
    fits = FILE_NAME.fullmatch(name) and len(name.encode()) <= LONGEST_NAME
    return bool(fits) and not name.endswith((".", " ")) and not RESERVED.fullmatch(name)


def kaggle_line(competition_kaggle_name: str, path: Path, message: str) -> str:
    """The shell line that sends a submission, quoted for a POSIX shell; the message is put on one line."""
    words = ["kaggle", "competitions", "submit", "-c", competition_kaggle_name, "-f", str(path)]
    return shlex.join([*words, "-m", " ".join(message.split())])
