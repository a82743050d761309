"""What is known of pairs of user and arm, kept for the pairs that have occurred.

Rows of values enter under their pair and are added up, or the larger is kept; the values of asked
pairs leave. Users times items would fill memory, and most pairs never occur.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bandit.errors import BadInputError
from policies.checks import check_state

__all__ = ["PairTable"]

Whole = NDArray[np.int64]


class PairTable:
    """A sparse table of users × codes.

    Parameters
    ----------
    n_users, n_codes : int
        Ranges of the codes.
    combine : numpy.ufunc
        ``np.add`` or ``np.maximum``.
    missing : ndarray, (W,)
        What a pair that never occurred has; its type is the table's.

    Examples
    --------
    >>> table = PairTable(2, 3, combine=np.add, missing=np.zeros(1))
    >>> table.add(np.array([1, 1]), np.array([2, 2]), np.array([[0.5], [0.25]]))
    >>> table.take(np.array([1, 0]), np.array([2, 2]))[:, 0].tolist()
    [0.75, 0.0]
    """

    __slots__ = ("_combine", "_key", "_missing", "_values", "n_codes", "n_users")

    def __init__(
        self, n_users: int, n_codes: int, *, combine: np.ufunc, missing: NDArray[Any]
    ) -> None:
        self.n_users, self.n_codes = n_users, n_codes
        self._combine, self._missing = combine, missing
        self._key: Whole = np.zeros(0, np.int64)  # (P,) ascending
        self._values = np.zeros((0, len(missing)), missing.dtype)  # (P, W)

    def add(self, user: Whole, code: Whole, values: NDArray[Any]) -> None:
        """Combine N rows into their pairs."""
        keys, where = np.unique(self._keys(user, code), return_inverse=True)
        new = keys[~np.isin(keys, self._key, assume_unique=True)]
        at = np.searchsorted(self._key, new)
        self._key = np.insert(self._key, at, new)
        self._values = np.insert(self._values, at, self._missing, axis=0)
        self._combine.at(self._values, np.searchsorted(self._key, keys)[where], values)

    def take(self, user: Whole, code: Whole) -> NDArray[Any]:
        """Values of pairs, (…, W), of codes that broadcast together."""
        key = self._keys(user, code)
        at = np.searchsorted(self._key, key)
        is_here = np.append(self._key, -1)[at] == key
        values = np.concatenate([self._values, self._missing[None]])
        return np.asarray(values[np.where(is_here, at, len(self._key))])

    def state(self, name: str) -> dict[str, NDArray[Any]]:
        """Return copies of pairs and values, named after ``name``."""
        return {f"{name}.key": self._key.copy(), f"{name}.values": self._values.copy()}

    def load(self, state: Mapping[str, NDArray[Any]], name: str) -> None:
        """Restore what :meth:`state` returned."""
        check_state(state, {f"{name}.key": (-1,)})
        n = len(state[f"{name}.key"])
        check_state(state, {f"{name}.values": (n, len(self._missing))})
        self._key = np.array(state[f"{name}.key"], np.int64)
        self._values = np.array(state[f"{name}.values"], self._missing.dtype)

    def _keys(self, user: Whole, code: Whole) -> Whole:
        for what, codes, limit in (("user", user, self.n_users), ("item", code, self.n_codes)):
            if codes.size and (codes.min() < 0 or codes.max() >= limit):
                raise BadInputError(
                    f"expected {what} codes in [0, {limit}), got {codes.min()} to {codes.max()}"
                )
        return np.asarray(user * self.n_codes + code)
