"""What being live adds to being held out: a randomised comparison of two groups of users.

One value a user and period, and the user's group, enter; the difference of the two means with
an interval leaves. Users were drawn into groups, so users are the clusters; those who turned
out to be several ids in different groups are left out and counted. Every outcome is counted
once, in its user's total. Reference: Neyman (1923), the difference of means of a randomised
experiment; Liang and Zeger (1986) for the clustered error.
"""

from __future__ import annotations

from statistics import NormalDist
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bandit.errors import BadInputError, expect_shape
from bandit.identity import Comparable
from bandit.ope.intervals import clustered_error

__all__ = ["uplift_against_holdout"]

Array = NDArray[np.float64]


def uplift_against_holdout(
    value: Array,
    user: NDArray[np.int64],
    *,
    is_holdout: NDArray[np.bool_],
    compared: Comparable | None = None,
    alpha: float = 0.05,
) -> dict[str, Any]:
    """Compare the mean value of live rows with that of holdout rows.

    Parameters
    ----------
    value : ndarray, (N,)
        Such as the summed reward of a user and week; rows of both groups mean the same.
    user : ndarray of int64, (N,)
        Whose row it is.
    is_holdout : ndarray of bool, (N,)
        Group of the row.
    compared : Comparable, optional
        Which rows may enter, see :func:`bandit.identity.comparable`.
    alpha : float
        One minus the level of the interval.

    Returns
    -------
    dict
        ``uplift`` a row with ``lower, upper``; the two means; numbers of rows and users of
        both groups; ``n_users_left_out, n_rows_left_out``.

    Raises
    ------
    BadInputError
        If a group has fewer than two users, or a user is in both.
    """
    expect_shape("user", user, value.shape, "one user a value")
    expect_shape("is_holdout", is_holdout, value.shape, "one group a value")
    left_out = {"n_users_left_out": 0, "n_rows_left_out": 0}
    if compared is not None:
        expect_shape("compared.rows", compared.rows, value.shape, "made from the same rows")
        left_out = {name: getattr(compared, name) for name in left_out}
        rows, user = compared.rows, compared.user[compared.rows]
        value, is_holdout = value[rows], is_holdout[rows]
    n_both = len(np.intersect1d(user[is_holdout], user[~is_holdout]))
    if n_both:
        raise BadInputError(
            f"expected every user in one group, got {n_both} in both: leave merged users out with "
            "bandit.identity.comparable, and end the comparison where the share was changed"
        )
    found: dict[str, Any] = {}
    variance = 0.0
    for name, rows in (("live", ~is_holdout), ("holdout", is_holdout)):
        n_users = len(np.unique(user[rows]))
        if n_users < 2:
            raise BadInputError(f"expected at least two {name} users to compare, got {n_users}")
        found |= {f"n_{name}": int(rows.sum()), f"n_users_{name}": n_users}
        found[f"value_{name}"] = float(value[rows].mean())
        variance += float(clustered_error(value[rows], user[rows])) ** 2
    uplift = found["value_live"] - found["value_holdout"]
    reach = NormalDist().inv_cdf(1 - alpha / 2) * np.sqrt(variance)
    interval = {"uplift": uplift, "lower": float(uplift - reach), "upper": float(uplift + reach)}
    return interval | found | left_out
