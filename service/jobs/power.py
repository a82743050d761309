"""``opportune power``: how many users and weeks a holdout needs to see an effect.

The share held out, the relative effect and what is known of a user-week enter; lines of a table
leave, a row a number of weeks. Maths: :mod:`bandit.power_math`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from bandit.errors import BadInputError
from bandit.power_math import Comparison, detectable_effect, power_of, rate_sd, users_needed

__all__ = ["PowerQuestion", "power_lines", "power_rows"]

_PERCENT = 100.0


@dataclass(frozen=True, slots=True, kw_only=True)
class PowerQuestion:
    """What is asked.

    Parameters
    ----------
    holdout_percent : float
        Users held out.
    effect_percent : float
        Effect looked for, relative to the mean of the holdout.
    rate : float, optional
        Chance that a user-week counts, such as at least one order; or else
    mean, sd : float, optional
        Mean and standard deviation of a user-week.
    icc : float
        Correlation of two weeks of one user.
    weeks : tuple of int
        Lengths to tell about.
    power_percent, level_percent : float
        Chance to see the effect; level of the two-sided test.
    users : int, optional
        Users there are: what they can see is told beside what is needed.

    Raises
    ------
    BadInputError
        For values outside their ranges, an effect that cannot be, or neither or both of rate and
        mean with sd.
    """

    holdout_percent: float
    effect_percent: float
    rate: float | None = None
    mean: float | None = None
    sd: float | None = None
    icc: float = 0.2
    weeks: tuple[int, ...] = (1, 2, 4, 8, 13, 26)
    power_percent: float = 80.0
    level_percent: float = 5.0
    users: int | None = None

    def __post_init__(self) -> None:
        for option in ("holdout_percent", "power_percent", "level_percent"):
            value = getattr(self, option)
            if not 0 < value < _PERCENT:
                name = option.removesuffix("_percent")
                raise BadInputError(f"expected --{name} between 0 and 100 percent, got {value:g}")
        has_mean = self.mean is not None and self.sd is not None
        if (self.mean is None) != (self.sd is None) or has_mean == (self.rate is not None):
            raise BadInputError(
                "expected --rate, or --mean together with --sd, of a user-week; got "
                f"--rate {self.rate}, --mean {self.mean}, --sd {self.sd}"
            )
        if self.mean is not None and not self.mean > 0:
            raise BadInputError(
                f"expected a mean above 0, got {self.mean}: an effect in percent is one of it"
            )
        if not math.isfinite(self.effect_percent) or self.effect_percent == 0:
            raise BadInputError(
                f"expected --effect in percent, not 0, got {self.effect_percent:g}: nothing shows "
                "that there is none"
            )
        if self.rate is not None and 0 < self.rate < 1:
            changed = self.rate + self.difference
            if not 0 <= changed < 1:
                raise BadInputError(
                    f"expected an effect that leaves a rate from 0 to below 1, got "
                    f"{self.effect_percent:+g} % of {self.rate:g}"
                )
        if not self.weeks:
            raise BadInputError("expected at least one number of weeks, got none")
        if self.users is not None and self.users < self.least_users:
            raise BadInputError(
                f"expected --users of {self.least_users} or more, so that two at least are in each "
                f"group, got {self.users}"
            )

    @property
    def least_users(self) -> int:
        """Users of whom two are in the smaller group: fewer have no spread to judge by."""
        share = self.holdout_percent / _PERCENT
        return math.ceil(2.0 / min(share, 1.0 - share) - 1e-9)

    @property
    def level(self) -> float:
        """Mean of a user-week in the holdout."""
        return float(self.rate if self.rate is not None else self.mean or 0.0)

    @property
    def difference(self) -> float:
        """Effect in the outcome's unit."""
        return self.level * self.effect_percent / _PERCENT

    def comparison(self, weeks: int) -> Comparison:
        """The two groups after so many weeks."""
        sd = rate_sd(self.rate) if self.rate is not None else float(self.sd or 0.0)
        return Comparison(
            sd=sd,
            holdout_share=self.holdout_percent / _PERCENT,
            weeks=weeks,
            icc=self.icc,
            alpha=self.level_percent / _PERCENT,
        )


def power_rows(question: PowerQuestion) -> list[dict[str, Any]]:
    """One row a number of weeks: users needed, and what the users there are can see."""
    power, rows = question.power_percent / _PERCENT, []
    for weeks in question.weeks:
        compared = question.comparison(weeks)
        users = max(
            users_needed(compared, difference=question.difference, power=power),
            question.least_users,
        )
        row: dict[str, Any] = {
            "weeks": weeks,
            "users": users,
            "held_out": round(users * compared.holdout_share),
            "user_weeks": users * weeks,
            "design_effect": compared.design_effect,
        }
        if question.users is not None:
            seen = detectable_effect(compared, n_users=question.users, power=power)
            row["power"] = power_of(
                compared, difference=question.difference, n_users=question.users
            )
            row["detectable_percent"] = _PERCENT * seen / question.level
        rows.append(row)
    return rows


def power_lines(question: PowerQuestion) -> Sequence[str]:
    """The rows as lines for the terminal, with what they rest on."""
    rows = power_rows(question)
    lines = [
        f"To see an effect of {question.effect_percent:+g} % on a user-week's mean of "
        f"{question.level:g} with a holdout of {question.holdout_percent:g} %, in "
        f"{question.power_percent:g} % of trials at a two-sided level of "
        f"{question.level_percent:g} %:",
        "",
        f"{'weeks':>6}{'users':>14}{'of them held out':>18}{'user-weeks':>15}{'design effect':>15}",
    ]
    if question.users is not None:
        lines[-1] += f"   {question.users:,} users: power, least effect seen"
    for row in rows:
        line = (
            f"{row['weeks']:>6}{row['users']:>14,}{row['held_out']:>18,}{row['user_weeks']:>15,}"
            f"{row['design_effect']:>15.2f}"
        )
        if question.users is not None:
            line += f"   {row['power']:.0%}, {row['detectable_percent']:.3g} %"
        lines.append(line)
    return [
        *lines,
        "",
        "At least two people are in each group. "
        f"Weeks of one user correlate by {question.icc:g} (--icc): design effect 1 + (weeks - 1) x "
        "icc. The groups' spreads are taken as equal, their means as normal.",
    ]
