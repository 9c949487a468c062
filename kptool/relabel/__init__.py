"""Filling missing labels: a run's models answer what nobody marked, as soft labels that a recipe may train on."""

from __future__ import annotations

from kptool.relabel.making import relabel
from kptool.relabel.telling import lines, rows_json
from kptool.relabel.values import Check, Filled, Relabelled

__all__ = ["Check", "Filled", "Relabelled", "lines", "relabel", "rows_json"]
