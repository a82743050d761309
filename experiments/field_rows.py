"""The rows of the field: which policy stands for which baseline, how it is built and what it pays.

The twelve baselines of a fair comparison, silence and the default. Settings are those of the
registry unless a row says why not; each is given what it needs to be at its best in this world.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any

from policies.registry import DEFAULT

__all__ = ["ROWS", "Row", "row_of"]

_NETWORK = Path(__file__).parent / "results" / "double_dqn_2.npz"
_NOTHING: Mapping[str, Any] = MappingProxyType({})


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One policy of the table.

    Parameters
    ----------
    name : str
        What the table calls it.
    policy_id : str
        Of the registry.
    price : str
        Kind of its price, see :mod:`experiments.field_prices`.
    stands_for : str
        The baseline of the comparison; empty for a further row.
    options : mapping
        What differs from the policy's defaults.
    view : str
        ``templates`` where items are seen as their templates, ``scored`` where short lists come
        with the content-based score.
    """

    name: str
    policy_id: str
    price: str
    stands_for: str = ""
    options: Mapping[str, Any] = field(default_factory=lambda: _NOTHING)
    view: str = ""


def _counted(name: str, stands_for: str) -> tuple[Row, Row]:
    """A policy that counts behaviour: by its own score, and thinned, as that is no uplift."""
    by_hour = {"by_hour": True}
    return (
        Row(
            name=name,
            policy_id=name,
            price="value",
            stands_for=stands_for,
            options={"params": by_hour},
        ),
        Row(
            name=f"{name}, thinned",
            policy_id=name,
            price="keep",
            stands_for=stands_for,
            options={"params": by_hour, "always_sends": True},
        ),
    )


ROWS: tuple[Row, ...] = (
    Row(name="never_send", policy_id="never_send", price="keep"),
    Row(name=DEFAULT, policy_id=DEFAULT, price="value"),
    Row(name="surrogate_ts", policy_id="surrogate_ts", price="value"),
    Row(
        name="surrogate_ts, content score",
        policy_id="surrogate_ts",
        price="value",
        view="scored",
    ),
    Row(name="hybrid_ts, content score", policy_id=DEFAULT, price="value", view="scored"),
    Row(
        name="hybrid_ts, narrow counts",
        policy_id=DEFAULT,
        price="value",
        options={"model": {"block_sd": 0.01}},
    ),
    Row(
        name="hybrid_ts, narrow and drawn less",
        policy_id=DEFAULT,
        price="value",
        options={"model": {"block_sd": 0.01, "response_sd": 0.5}, "explorer": {"scale": 0.2}},
    ),
    Row(
        name="click_greedy",
        policy_id="lin_greedy",  # what click_greedy is once a click has a price
        price="click",
        stands_for="click-greedy",
    ),
    *_counted("content", "best of content and collaborative"),
    *_counted("collaborative", "best of content and collaborative"),
    *_counted("best_hour", "best hour + ranker"),
    *_counted("popular", "popular item at the popular hour"),
    *_counted("hour_factors", "168-hour factorisation"),
    Row(
        name="lp_planner",
        policy_id="lp_planner",
        price="value",
        stands_for="LP planner",
        # One decision a day: a second send of a day's plan would never be carried out.
        options={"explorer": {"per_day": 1}},
    ),
    Row(
        name="recovering_softmax",
        policy_id="recovering_softmax",
        price="keep",
        stands_for="Duolingo's recovering softmax",
        view="templates",
    ),
    Row(name="survival", policy_id="survival", price="tau", stands_for="survival threshold"),
    Row(name="weekly_budget", policy_id="weekly_budget", price="week", stands_for="weekly budget"),
    Row(
        name="double_dqn",
        policy_id="double_dqn",
        price="q",
        stands_for="double DQN",
        options={"params": {"network": str(_NETWORK)}},
    ),
    Row(
        name="user_beta_pooled",
        policy_id="user_beta_pooled",
        price="value",
        stands_for="per-user Beta-TS",
    ),
    Row(name="random", policy_id="random", price="keep", stands_for="random eligible"),
)
"""In order of importance: what is cut off leaves the least important rows out."""


def row_of(name: str) -> Row:
    """The row of that name."""
    (found,) = [row for row in ROWS if row.name == name]
    return found
