"""A run's report as one HTML file that anyone can open: no server, no link, no request.

The template is jinja2's, with autoescape on and nothing undefined. The charts are matplotlib's SVG, not those of a
JavaScript library: they are there without a script and on paper, a screen reader finds a title and a sentence in each,
a chart is 7 to 22 kB of a page of 15 points and up to 100 kB of one of 68, and the same run gives the same bytes.
What matplotlib cannot do, the gallery, is plain JavaScript: shell.js for every page, page.js for faces with points,
pairs.js for pairs of faces. `figures` makes the drawings follow the page's colours and its Content-Security-Policy,
which names the page's one style and one script by their sha256. What pages share is in base.html.jinja and
parts.html.jinja, set by `shell`.
"""

from __future__ import annotations

from kptool.page.pairs_write import write_pairs_page
from kptool.page.write import write_page

__all__ = ["write_page", "write_pairs_page"]
