"""A table of rows by a few factors that all rows share, each row shrunk to the mean.

Reference: Tipping and Bishop (1999), "Probabilistic principal component analysis".
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["smoothed"]

Array = NDArray[np.float64]


def smoothed(table: Array, *, n_factors: int) -> Array:
    """Posterior means of the rows under probabilistic principal components, (U, C).

    With λ the eigenvalues of the covariance of columns and σ² the mean of all but the first d,
    ``μ + V·diag((λ − σ²) / λ)·Vᵀ·(x − μ)``: what a row has of a factor counts by the share of that
    factor's variance that is not noise.

    Parameters
    ----------
    table : ndarray, (U, C)
        Every cell observed.
    n_factors : int
        d; the noise is what more factors would have to stand for.
    """
    mean = table.mean(axis=0)
    off = table - mean
    values, vectors = np.linalg.eigh(off.T @ off / len(table))  # ascending
    d = min(n_factors, len(values) - 1)
    noise = values[: len(values) - d].clip(min=0.0).mean()
    values, vectors = values[len(values) - d :], vectors[:, len(vectors) - d :]
    kept = np.where(values > noise, 1.0 - noise / np.where(values > noise, values, 1.0), 0.0)
    return np.asarray(mean + (off @ vectors * kept) @ vectors.T)
