"""What budgets cost: each limit's price beside what there was, what was used and what is assured.

A budget enters; rows and lines for a person leave. A price is what one more send would be worth:
where it is zero the limit costs nothing, where it is high more volume would pay.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from policies.budgets.budget import Budget
from policies.budgets.dual_math import overuse_bound

__all__ = ["PriceRow", "price_lines", "price_report"]


@dataclass(frozen=True, slots=True, kw_only=True)
class PriceRow:
    """One price, after so many closed periods; sends are those allocated, not those delivered."""

    limit: str
    hour: int  # of the day, UTC; −1 where it is the same all day
    price_a_send: float  # reward
    price_a_unit: float  # reward for one unit more of what the limit counts
    budget: float  # sends a period
    used: float  # sends a closed period, in the mean
    last: float  # sends in the last closed period
    periods: int
    periods_priced: int  # how many of them had a price above zero
    excess: float  # beyond all budgets so far, in budgets of one period
    excess_bound: float  # what it can have been at most, by the ascent itself


def price_report(policy: Budget) -> tuple[PriceRow, ...]:
    """Describe every price of a budget, limits in their order, then hours."""
    ledger = policy.ledger
    bound = overuse_bound(ledger.prices, step=ledger.step, growth=ledger.growth)
    closed = ledger.use[: len(ledger.excess)]
    rows: list[PriceRow] = []
    for limit in ledger.limits:
        for hour in range(limit.n_prices):
            at = len(rows)
            rows.append(
                PriceRow(
                    limit=limit.name,
                    hour=hour if limit.each_hour else -1,
                    price_a_send=float(ledger.in_force[at]),
                    price_a_unit=float(ledger.in_force[at]) / limit.cost,
                    budget=float(ledger.budget[at]),
                    used=float(closed[:, at].mean()) if len(closed) else 0.0,
                    last=float(closed[-1, at]) if len(closed) else 0.0,
                    periods=len(closed),
                    periods_priced=int((ledger.prices[:-1, at] > 0).sum()),
                    excess=float(ledger.excess[:, at].sum()),
                    excess_bound=float(bound[at]),
                )
            )
    return tuple(rows)


def price_lines(policy: Budget) -> Iterator[str]:
    """Return the report as a table for a person."""
    yield (
        f"{'limit':<24}{'price a send':>14}{'a unit':>12}{'budget':>12}{'used':>12}{'last':>12}"
        f"{'periods priced':>18}{'excess':>10}{'at most':>10}"
    )
    for row in price_report(policy):
        name = row.limit if row.hour < 0 else f"{row.limit} {row.hour:02d}h"
        share = f"{row.periods_priced} of {row.periods}"
        yield (
            f"{name:<24}{row.price_a_send:>14.5f}{row.price_a_unit:>12.5f}{row.budget:>12.1f}"
            f"{row.used:>12.1f}{row.last:>12.1f}{share:>18}{row.excess:>10.2f}"
            f"{row.excess_bound:>10.2f}"
        )
