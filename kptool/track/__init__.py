"""Curves sent elsewhere while folds train: TensorBoard, MLflow, Weights & Biases.

`history.csv` is the one source. What a tracker shows is copied from there, so a run that began without one, or was cut
off, has whole curves as soon as it is trained or resumed with one. The training knows nothing of trackers, and a
tracker that breaks is switched off.
"""

from kptool.track.contract import Begun, Facts, Plain, Point, Tracker
from kptool.track.making import TRACKERS, make

__all__ = ["TRACKERS", "Begun", "Facts", "Plain", "Point", "Tracker", "make"]
