"""Turning with the encoder: whoever holds coordinates of the context turns them, or says so.

A model, a basis and a share enter; the model is turned, or an error says what to do instead.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from bandit.errors import BadInputError

__all__ = ["turn"]


def turn(model: object, basis: NDArray[np.float64], kept: float) -> None:
    """Let a model follow the encoder's new basis.

    Parameters
    ----------
    model : object
        With a ``rotate(basis, kept)`` of its own, where it can turn.
    basis : ndarray, (D, D)
        Q, orthogonal: the new context is Q·c.
    kept : float
        Share of the old context that Q explains.

    Raises
    ------
    BadInputError
        If the model has no coordinates that could turn.
    """
    rotate = getattr(model, "rotate", None)
    if rotate is None:
        raise BadInputError(
            f"expected a model that turns with the encoder, got {type(model).__name__}: "
            "refit the policy by replay"
        )
    rotate(basis, kept)
