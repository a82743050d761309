"""What being live adds to being held out: a randomised comparison of two groups of users.

One value a user and period, and the user's group, enter; the difference of the two means with
an interval leaves. Users were drawn into groups, so users are the clusters; those who turned
out to be several ids in different groups are left out and counted. Every outcome is counted
once, in its user's total. Reference: Neyman (1923), the difference of means of a randomised
experiment; Liang and Zeger (1986) for the clustered error; Welch (1947) for the quantile of two
groups that are spread differently, users counted.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from bandit.errors import BadInputError, expect_shape
from bandit.identity import Comparable
from bandit.ope.intervals import clustered_error, student_reach

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
        If a group has fewer than two users, a user is in both, or a value is no number.
    """
    if not np.isfinite(value).all():
        raise BadInputError("expected finite values, got NaN or infinity: leave such rows out")
    is_holdout = np.asarray(is_holdout, np.bool_)
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
    variance = freedom = 0.0
    for name, rows in (("live", ~is_holdout), ("holdout", is_holdout)):
        n_users = len(np.unique(user[rows]))
        if n_users < 2:
            raise BadInputError(f"expected at least two {name} users to compare, got {n_users}")
        found |= {f"n_{name}": int(rows.sum()), f"n_users_{name}": n_users}
        found[f"value_{name}"] = float(value[rows].mean())
        of_group = float(clustered_error(value[rows], user[rows])) ** 2
        variance += of_group
        freedom += of_group**2 / (n_users - 1)
    uplift = found["value_live"] - found["value_holdout"]
    # Groups that do not vary at all leave nothing to be uncertain of.
    freedom = variance**2 / freedom if freedom > 0 else np.inf
    reach = student_reach(freedom, alpha=alpha) * np.sqrt(variance)
    interval = {"uplift": uplift, "lower": float(uplift - reach), "upper": float(uplift + reach)}
    return interval | found | left_out
