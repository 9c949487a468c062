"""What every page is set in: its head and foot, its policy, its style and script, and where its numbers come from."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Sequence
from functools import cache
from importlib.resources import files
from typing import Any

from jinja2 import Environment, FunctionLoader, StrictUndefined
from markupsafe import Markup

from kptool import __version__
from kptool.page import provenance
from kptool.page.spelling import script_json, spelt
from kptool.report.words import amount, count, duration, figure, ratio
from kptool.runs import Run
from kptool.verification.words import percent, several, span


def page_of(
    template: str, run: Run, styles: Sequence[str], scripts: Sequence[str], data: dict[str, Any], **values: object
) -> str:
    """The text of a page.

    Args:
        template: name of one that extends base.html.jinja.
        styles, scripts: names of the parts that its one style and its one script are made of, in this order.
        data: plain values that the script reads.
        values: what the template shows.
    """
    style, script = (Markup("\n".join(map(_part, names))) for names in (styles, scripts))
    return _environment().get_template(template).render(
        style=style,
        script=script,
        policy=_policy(style, script),
        data=script_json(data),
        version=__version__,
        recipes=provenance.recipes(run),
        environment=provenance.environment(run),
        digests=provenance.digests(run),
        **values,
    )  # fmt: skip


def _environment() -> Environment:
    """Everything that is put into the page is escaped, and nothing may be missing."""
    made = Environment(
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=lambda value: spelt(value) if type(value) is str else value,
        loader=FunctionLoader(_part),
    )
    made.filters |= {"amount": amount, "figure": figure, "number": count, "duration": duration, "ratio": ratio}
    made.filters |= {"percent": percent, "several": several}
    made.globals |= {"span": span}
    return made


def _policy(style: str, script: str) -> str:
    """What the page may do: show its own pictures, style and script. Nothing is ever asked of anyone."""
    return (
        f"default-src 'none'; img-src data:; style-src {_hash(style)}; script-src {_hash(script)}; "
        "base-uri 'none'; form-action 'none'"
    )


def _hash(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


@cache
def _part(name: str) -> str:
    return files("kptool.page").joinpath(name).read_text(encoding="utf-8")
