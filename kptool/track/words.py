"""What others say, made fit for one line of a terminal."""

from __future__ import annotations

import re
from typing import Final

LONGEST: Final = 200


def one_line(error: BaseException) -> str:
    """An error's name and the beginning of what it says, without logins."""
    text = without_login(" ".join(str(error).split()))
    text = f"{type(error).__name__}: {text}" if text else type(error).__name__
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 1]}…"


def without_login(text: str) -> str:
    """The text with `user:password@` taken out of its addresses."""
    return re.sub(r"://[^/\s]*@", "://", text)
