"""Linear regression on few features, with errors that do not trust the model to be linear. No torch."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
FOLDS = 5
NEAREST = 1e-3  # smallest 1 - leverage: a point that the fit goes through says nothing of the error


def least_squares(x: Floats, y: Floats) -> tuple[Floats, Floats] | None:
    """Coefficients (m,) of y (n,) on x (n, m), no intercept, and their covariance (m, m), which allows for residuals
    of unequal size and for the leverage of each point (HC3: MacKinnon & White 1985). None if x does not determine
    them."""
    if not x.shape[1]:
        return np.zeros(0), np.zeros((0, 0))
    if len(x) < x.shape[1] or np.linalg.matrix_rank(x.T @ x, hermitian=True) < x.shape[1]:
        return None
    return _fitted(x, y, np.ones(len(x)), 0.0)


def _fitted(x: Floats, y: Floats, weights: Floats, penalty: float) -> tuple[Floats, Floats]:
    inverse = np.linalg.inv(x.T @ (x * weights[:, None]) + penalty * np.eye(x.shape[1]))
    coefficients = inverse @ (x.T @ (weights * y))
    leverage = ((x @ inverse) * x).sum(1) * weights
    residuals = weights * (y - x @ coefficients) / np.maximum(1 - leverage, NEAREST)
    pulls = (x * residuals[:, None]) @ inverse
    return coefficients, pulls.T @ pulls


@dataclass(frozen=True)
class Local:
    """A weighted linear model. coefficients (m,), intercept, errors: standard errors (m,), None for the lasso.
    fidelity: R^2 on points left out of the fit (FOLDS parts, weighted): 1 is a model as good as the network near the
    instance, 0 or less one that is no better than a constant; None if scores do not vary."""

    coefficients: Floats
    intercept: float
    errors: Floats | None
    fidelity: float | None


def local_model(x: Floats, y: Floats, weights: Floats, alpha: float, *, sparse: bool) -> Local:
    """Fit y (n,) on x (n, m) with an intercept.

    Args:
        weights: (n,), not all 0. alpha: penalty; sparse: on sums of sizes (lasso), else on sums of squares (ridge), as
            Ridge(alpha * n) and Lasso(alpha) of scikit-learn on scores with a standard deviation of 1.
    """
    weights = weights * (len(weights) / weights.sum())
    fold = np.arange(len(x)) % FOLDS
    left = np.zeros(len(x))
    for part in range(FOLDS):
        out = fold == part
        if weights[~out].sum() > 0:
            found, constant = _local(x[~out], y[~out], weights[~out], alpha, sparse)
            left[out] = y[out] - constant - x[out] @ found
    spread = weights @ (y - weights @ y / weights.sum()) ** 2
    varies = spread > 1e-20 * max(float(weights @ y**2), 1e-20)
    fidelity = float(1 - weights @ left**2 / spread) if varies else None
    coefficients, intercept = _local(x, y, weights, alpha, sparse)
    return Local(coefficients, intercept, None if sparse else _errors(x, y, weights, alpha), fidelity)


def _local(x: Floats, y: Floats, weights: Floats, alpha: float, sparse: bool) -> tuple[Floats, float]:
    total, middle, level = _means(x, y, weights)
    scale = float(np.sqrt(weights @ (y - level) ** 2 / total))
    if scale == 0 or not x.shape[1]:
        return np.zeros(x.shape[1]), level
    if sparse:
        from sklearn.linear_model import Lasso  # takes a second to import, and the ridge needs none of it

        model = Lasso(alpha=alpha, max_iter=10_000).fit(x, y / scale, sample_weight=weights)
        coefficients = np.asarray(model.coef_, np.float64) * scale
    else:
        centred = x - middle
        left = centred.T @ (centred * weights[:, None]) + _penalty(alpha, total) * np.eye(x.shape[1])
        coefficients = np.asarray(np.linalg.solve(left, centred.T @ (weights * (y - level))), np.float64)
    return coefficients, float(level - middle @ coefficients)


def _errors(x: Floats, y: Floats, weights: Floats, alpha: float) -> Floats:
    total, middle, level = _means(x, y, weights)
    covariance = _fitted(x - middle, y - level, weights, _penalty(alpha, total))[1]
    return np.sqrt(np.maximum(np.diagonal(covariance), 0))


def _means(x: Floats, y: Floats, weights: Floats) -> tuple[float, Floats, float]:
    total = float(weights.sum())
    return total, weights @ x / total, float(weights @ y / total)


def _penalty(alpha: float, total: float) -> float:
    return max(alpha, 1e-9) * total  # never singular
