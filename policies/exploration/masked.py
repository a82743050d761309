"""Scores as an exploration sees them: checked, and minus infinity where an action is masked."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from bandit.errors import BadInputError, BadShapeError

__all__ = ["Mask", "Scores", "visible"]

Scores = NDArray[np.float64]
Mask = NDArray[np.bool_]


def visible(scores: Scores, mask: Mask) -> Scores:
    """Return a copy of the scores (N, A) with −∞ on masked actions.

    Raises
    ------
    BadShapeError
        If scores and mask differ in shape.
    BadInputError
        If the score of an unmasked action is not finite.
    """
    if scores.shape != mask.shape:
        raise BadShapeError(
            f"expected scores of shape {mask.shape}, got {scores.shape}: "
            "did you forget the hold column?"
        )
    if not np.isfinite(scores[mask]).all():
        raise BadInputError(
            "expected finite scores, got NaN or infinity: look at the features of the request"
        )
    return np.where(mask, scores, -np.inf)
