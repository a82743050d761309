"""How many users a holdout needs: normal power of two groups of unlike size.

Mean and spread of a user-week, the effect looked for and the share held out enter; numbers of
users, the power they give and the effect they can show leave. Users are randomised once and seen
for some weeks, so a user's weeks are averaged first: they are no independent rows. References:
Kish (1965) for the design effect; Cohen (1988), chapter 2, for the power of two means.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from statistics import NormalDist

from bandit.errors import BadInputError

__all__ = ["Comparison", "detectable_effect", "power_of", "rate_sd", "users_needed"]

_NORMAL = NormalDist()
_MOST = 1e12
_MOST_WEEKS = 5200


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """Two groups of users, compared by the means of their user-weeks.

    Parameters
    ----------
    sd : float
        Standard deviation of one user-week; that of the holdout, taken for both groups.
    holdout_share : float
        Share of users held out, strictly between 0 and 1.
    weeks : int
        Weeks that every user is seen.
    icc : float
        Correlation of two weeks of one user, 0 to 1.
    alpha : float
        Level of the two-sided test.
    """

    sd: float
    holdout_share: float
    weeks: int = 1
    icc: float = 0.0
    alpha: float = 0.05

    def __post_init__(self) -> None:
        _check("a standard deviation above 0", self.sd, is_fit=0 < self.sd < math.inf)
        _between("a holdout share", self.holdout_share)
        _check(f"1 to {_MOST_WEEKS} weeks", self.weeks, is_fit=1 <= self.weeks <= _MOST_WEEKS)
        _check("a correlation of weeks from 0 to 1", self.icc, is_fit=0 <= self.icc <= 1)
        _between("a level alpha", self.alpha)

    @property
    def design_effect(self) -> float:
        """What the correlation of a user's weeks multiplies the variance by: 1 + (weeks - 1) icc.

        Examples
        --------
        >>> Comparison(sd=1.0, holdout_share=0.5, weeks=5, icc=0.25).design_effect
        2.0
        """
        return 1.0 + (self.weeks - 1) * self.icc

    @property
    def user_variance(self) -> float:
        """Variance of the mean of one user's weeks."""
        return self.sd**2 * self.design_effect / self.weeks

    def error(self, n_users: float) -> float:
        """Standard error of the difference when ``n_users`` are split between the groups."""
        _check("a number of users above 0", n_users, is_fit=0 < n_users < math.inf)
        share = self.holdout_share
        return math.sqrt(self.user_variance / (n_users * share * (1.0 - share)))


def rate_sd(rate: float) -> float:
    """Standard deviation of something that happens in a user-week or not.

    Examples
    --------
    >>> rate_sd(0.5)
    0.5
    """
    _between("a rate", rate)
    return math.sqrt(rate * (1.0 - rate))


def users_needed(comparison: Comparison, *, difference: float, power: float = 0.8) -> int:
    """Users of both groups together that show a true ``difference`` with this power.

    Parameters
    ----------
    comparison : Comparison
        See there.
    difference : float
        True difference of means, in the outcome's unit; its sign does not matter.
    power : float
        Chance that the test sees it, above ``alpha``.

    Raises
    ------
    BadInputError
        For a difference of zero or a power that no test has.

    Examples
    --------
    A click rate of 3 %, 5 % better, halves of equal size: about 16 p(1 − p)/d² each.

    >>> users_needed(Comparison(sd=rate_sd(0.03), holdout_share=0.5), difference=0.0015)
    406049
    """
    _check("a difference other than 0", difference, is_fit=0 < abs(difference) < math.inf)
    # The error falls with the root of the users.
    root = _reach(comparison, power) * comparison.error(1.0) / abs(difference)
    _check("a difference that fewer than 1e12 users show", difference, is_fit=root < _MOST**0.5)
    return math.ceil(root**2)


def power_of(comparison: Comparison, *, difference: float, n_users: float) -> float:
    """Chance that the two-sided test sees a true ``difference``, either way it may err.

    Examples
    --------
    >>> half = Comparison(sd=rate_sd(0.03), holdout_share=0.5)
    >>> round(power_of(half, difference=0.0015, n_users=406049), 3)
    0.8
    """
    _check("a difference that is a number", difference, is_fit=math.isfinite(difference))
    shift = abs(difference) / comparison.error(n_users)
    cut = _NORMAL.inv_cdf(1.0 - comparison.alpha / 2.0)
    return _NORMAL.cdf(shift - cut) + _NORMAL.cdf(-shift - cut)


def detectable_effect(comparison: Comparison, *, n_users: float, power: float = 0.8) -> float:
    """Smallest true difference that so many users show with this power."""
    return _reach(comparison, power) * comparison.error(n_users)


def _reach(comparison: Comparison, power: float) -> float:
    """Standard errors between zero and the difference: z of the level plus z of the power."""
    _between("a power", power)
    if power <= comparison.alpha:
        raise BadInputError(
            f"expected a power above the level {comparison.alpha}, got {power}: a test that sees "
            "nothing has that much"
        )
    return _NORMAL.inv_cdf(1.0 - comparison.alpha / 2.0) + _NORMAL.inv_cdf(power)


def _between(what: str, value: float) -> None:
    _check(f"{what} strictly between 0 and 1", value, is_fit=0 < value < 1)


def _check(what: str, value: float, *, is_fit: bool) -> None:
    if not is_fit:
        raise BadInputError(f"expected {what}, got {value}")
