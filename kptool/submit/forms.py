"""How a submission may look: a table of forms, each of which writes a file and reads it back to check it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import NamedTuple

from kptool.dataset import Lookup
from kptool.errors import UsageError, did_you_mean
from kptool.submit.answers import Answers

ENDINGS = {"lookup": ".csv", "long": ".csv", "wide": ".csv", "dlib": ".xml", "coco": ".json"}


class Form(NamedTuple):
    """One way to write answers.

    Attributes:
        write: makes the file, atomically.
        check: reads it back and holds ids, count, order and values against the answers; DataError where they differ.
    """

    name: str
    write: Callable[[Path, Answers], None]
    check: Callable[[Path, Answers], None]

    @property
    def ending(self) -> str:
        """Of the file's name."""
        return ENDINGS[self.name]

    def rows(self, answers: Answers) -> Lookup:
        """The values that the file answers."""
        return answers.lookup if self.name == "lookup" else answers.whole


def get(name: str) -> Form:
    """The form of that name; its module is imported here, not before.

    Raises:
        UsageError: no such form, with the closest name; or that of pairs, see `kptool.submit.pairs`.
    """
    if name == "lookup":
        from kptool.submit import lookup

        return Form(name, lookup.write_form, lookup.check_form)
    if name == "long":
        from kptool.submit import long

        return Form(name, long.write_form, long.check_form)
    if name == "wide":
        from kptool.submit import wide

        return Form(name, wide.write_form, wide.check_form)
    if name == "dlib":
        from kptool.submit import dlib

        return Form(name, dlib.write_form, dlib.check_form)
    if name == "coco":
        from kptool.submit import coco

        return Form(name, coco.write_form, coco.check_form)
    if name == "pairs":
        raise UsageError("--form pairs: answers pairs, and this competition asks for points", did_you_mean("", ENDINGS))
    raise UsageError(f"--form {name}: no such form", did_you_mean(name, ENDINGS))


def choose(names: Iterable[str], own: str) -> list[Form]:
    """The forms asked for, each once; the competition's own where none is.

    Raises:
        UsageError: no such form, with the closest name.
    """
    return [get(name) for name in list(dict.fromkeys(names)) or [own]]


def tail(name: str, own: str) -> str:
    """How the file's name ends: a form that is not the competition's own is named in it."""
    return ENDINGS[name] if name == own else f"-{name}{ENDINGS[name]}"


def write_checked(form: Form, path: Path, answers: Answers) -> None:
    """Write a file and read it back from disk; a file that fails does not stay."""
    checked(path, lambda: form.write(path, answers), lambda: form.check(path, answers))


def checked(path: Path, write: Callable[[], None], check: Callable[[], None]) -> None:
    """Write a file and hold it against what was meant; one that fails does not stay."""
    write()
    try:
        check()
    except BaseException:  # Ctrl-C during the check leaves no unchecked file either
        path.unlink(missing_ok=True)
        raise
