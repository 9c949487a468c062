"""What kptool raises on purpose.

::

    KptoolError               exit code 1   anything the user can mend
    ├── UsageError            exit code 2   a flag, a recipe or a competition file that makes no sense
    ├── DataError             exit code 3   a file whose contents cannot be trusted
    │   └── MissingFileError  exit code 3   a file that is not there
    ├── LeakError             exit code 4   training and held-out images are not disjoint
    └── QualityError          exit code 5   the numbers came out unusable
        └── DivergedError     exit code 5   a loss stopped being finite

Every message is one line that names the thing, the place and what is wrong; `hint` is the remedy. An `assert` is for
our own bugs and never for the user's.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class KptoolError(Exception):
    """A failure the user can mend.

    Args:
        message: one line: the thing, the place, what is wrong.
        hint: one line: what to do about it; may be empty.
    """

    exit_code = 1

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __reduce__(self) -> tuple[type[KptoolError], tuple[str, str]]:
        # A fold's worker sends its error to the parent process; the default would drop the hint.
        return type(self), (self.message, self.hint)

    def __str__(self) -> str:
        return f"{self.message}; {self.hint}" if self.hint else self.message


class UsageError(KptoolError):
    """A flag, recipe or competition file that makes no sense."""

    exit_code = 2


class DataError(KptoolError):
    """A file whose contents cannot be trusted."""

    exit_code = 3


class MissingFileError(DataError):
    """A file that is not there; where it was optional, the caller goes on without it and says so."""


class LeakError(KptoolError):
    """Training and held-out images are not disjoint."""

    exit_code = 4


class QualityError(KptoolError):
    """The numbers came out unusable."""

    exit_code = 5


class DivergedError(QualityError):
    """A loss stopped being finite."""


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """The remedy for a misspelt name: the closest spelling that works, else all of them."""
    known = sorted(known)
    close = difflib.get_close_matches(word, known, n=1, cutoff=0.5)
    return f"did you mean '{close[0]}'?" if close else f"known: {', '.join(known)}"
