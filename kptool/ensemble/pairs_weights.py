"""Weights for the scores of several runs of pairs, by logistic regression.

The usual linear fusion of verification (Pigeon, Druyts & Verlinde, "Applying logistic regression to the fusion of the
NIST'99 1-speaker submissions", Digital Signal Processing 10, 2000): the u and b that make

    mean ln(1 + exp(-y (sum u_m z_m + b)))        y = 1 for one person, -1 for two

least, z_m being a run's scores in their own scale. Here u >= 0: a run's scores rise as pairs grow alike, and a negative
weight would only play alike runs off against each other. The weights are u / sum u; b and the length of u are left to
the threshold and to Platt's fit, which every run has.
"""

from __future__ import annotations

import numpy as np
from scipy.optimize import minimize

from kptool.dataset import Mask
from kptool.geometry import Floats
from kptool.metrics.fusion import standardise


def fit_fusion(scores: Floats, same: Mask) -> Floats:
    """(M,) weights, not negative and of sum 1, fitted on n pairs; equal ones where no run tells the pairs apart.

    Args:
        scores: (M, n) higher = more alike.
        same: (n,) the truth.
    """
    runs, sign = len(scores), np.where(same, 1.0, -1.0)
    z = np.vstack([standardise(scores, scores), np.ones(scores.shape[1])])

    def loss(at: Floats) -> tuple[float, Floats]:
        margin = sign * (at @ z)
        slope = -sign * np.exp(-np.logaddexp(0, margin))  # -y / (1 + exp(margin)), without overflow
        return float(np.logaddexp(0, -margin).mean()), z @ slope / len(sign)

    bounds = [(0, None)] * runs + [(None, None)]
    found = minimize(loss, np.zeros(runs + 1), jac=True, method="L-BFGS-B", bounds=bounds, tol=1e-12)
    u: Floats = found.x[:runs]
    return u / u.sum() if u.sum() > 1e-9 else np.full(runs, 1 / runs)
