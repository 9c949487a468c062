"""The file a competition scores: written in one of its forms, and read back before it is called done.

The order of use: `Answers` from a test set and its predictions (`guesses`, `fallback` and `fill` where pictures cannot
be seen), `choose` the forms, `targets`, `write_checked`, then `kptool.provenance` for the record beside each file, and
`kaggle_line`. `values`, `write` and `validate` are the form `lookup` by itself.
"""

from __future__ import annotations

from kptool.formats.whole import whole_lookup
from kptool.submit.answers import Answers, asked
from kptool.submit.forms import ENDINGS, Form, choose, get, tail, write_checked
from kptool.submit.lookup import HEADER, validate, values, write
from kptool.submit.mean_face import fallback, fill, guesses, mean_faces
from kptool.submit.names import kaggle_line, target, targets

__all__ = [
    "ENDINGS",
    "HEADER",
    "Answers",
    "Form",
    "asked",
    "choose",
    "fallback",
    "fill",
    "get",
    "guesses",
    "kaggle_line",
    "mean_faces",
    "tail",
    "target",
    "targets",
    "validate",
    "values",
    "whole_lookup",
    "write",
    "write_checked",
]
