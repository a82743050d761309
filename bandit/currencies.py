"""Currencies of values, as three-letter codes: money of two currencies is never added up.

Codes enter; a claim about each leaves. Reference: ISO 4217.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["NO_CURRENCY", "is_currency", "no_currency"]

NO_CURRENCY = ""
"""Of a value that is no money, or whose currency goes without saying."""

_N_LETTERS = 3


def no_currency(n_rows: int) -> NDArray[np.str_]:
    """N values without a currency, (N,)."""
    return np.full(n_rows, NO_CURRENCY, f"U{_N_LETTERS}")


def is_currency(codes: NDArray[np.str_]) -> NDArray[np.bool_]:
    """True for three capital letters and for none, (N,).

    The list of currencies changes from year to year, so a code is not looked up.

    Examples
    --------
    >>> is_currency(np.array(["EUR", "", "euro", "12€"])).tolist()
    [True, True, False, False]
    """
    if codes.dtype.kind != "U":
        return np.zeros(len(codes), np.bool_)
    is_code = np.strings.isalpha(codes) & np.strings.isupper(codes)
    is_code &= np.strings.str_len(codes) == _N_LETTERS
    return np.asarray(is_code | (codes == NO_CURRENCY))
