"""Every error Opportune raises on purpose, and the one shape check that all borders share.

What enters is a value from outside; what leaves is nothing, or an error whose message says
what was expected, what came and what to do.
"""

from __future__ import annotations

from typing import Any

from numpy.typing import NDArray

__all__ = [
    "BadInputError",
    "BadPmfError",
    "BadShapeError",
    "ForeignFileError",
    "OpportuneError",
    "StateError",
    "expect_shape",
]


class OpportuneError(Exception):
    """Base of all errors that name something a caller can mend."""


class BadInputError(OpportuneError, ValueError):
    """A value from outside does not fit; nothing already accepted was lost."""


class BadShapeError(BadInputError):
    """An array has another shape than its neighbours demand."""


class BadPmfError(BadInputError):
    """A policy's probabilities are not a distribution over unmasked actions."""


class ForeignFileError(OpportuneError, ValueError):
    """A file is truncated, of another kind, or of another schema version."""


class StateError(OpportuneError, RuntimeError):
    """A thing was asked for in an order that cannot be served."""


def expect_shape(name: str, array: NDArray[Any], shape: tuple[int, ...], hint: str = "") -> None:
    """Raise :class:`BadShapeError` unless ``array`` has exactly ``shape``.

    Parameters
    ----------
    name : str
        What the array is, for the message.
    array : ndarray
        The array to look at.
    shape : tuple of int
        The expected shape; ``-1`` matches any length.
    hint : str
        What to do about it, appended to the message.
    """
    fits = array.ndim == len(shape) and all(
        want in (-1, got) for want, got in zip(shape, array.shape, strict=True)
    )
    if not fits:
        wanted = tuple("any" if want == -1 else want for want in shape)
        message = f"expected {name} of shape {wanted}, got {array.shape}"
        raise BadShapeError(f"{message}: {hint}" if hint else message)
