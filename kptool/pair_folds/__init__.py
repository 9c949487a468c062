"""Folds of pairs that keep people apart, and what a split that does not would leak."""

from kptool.pair_folds.leaks import leaking, naive_leak, own_leak, shared_people
from kptool.pair_folds.split import components, make, uneven

__all__ = ["components", "leaking", "make", "naive_leak", "own_leak", "shared_people", "uneven"]
