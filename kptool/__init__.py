"""kptool: cross-validate, report and submit image-keypoint models.

Importing the package loads nothing heavy; torch, timm and OpenCV come in with the functions that need them.
"""

__version__ = "0.1.0"
