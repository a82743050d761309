from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from bandit.outcomes import UPLIFT
from service.jobs.simulation_tables import (
    MEASURED,
    best_static,
    compared,
    rewards_by_day,
    rows_of,
    summary,
)

USERS, DAYS = 10, 14


def cell(policy: str, seed: int, **sums: float) -> dict[str, Any]:
    """Everything zero but what is named, spread evenly over the days."""
    names = ("decisions", "sends", "worth", "best", "silence", "sessions", "orders", "value")
    names += ("clicks", "dismissals", "opt_outs", "uninstalls", "delivered", "attributed")
    by_day = {name: [sums.get(name, 0.0) / DAYS] * DAYS for name in names}
    by_day |= {"reachable": [sums.get("reachable", 5.0)] * DAYS, "alive": [10.0] * DAYS}
    static = [0.0] * 25
    static[3] = sums.get("static", 0.0)
    sent_at = [0] * 24
    sent_at[9] = int(sums.get("sends", 0))
    return {
        "policy": policy,
        "seed": seed,
        "users": USERS,
        "by_day": by_day,
        "static": static,
        "sent_at": sent_at,
    }


def results() -> dict[str, list[dict[str, Any]]]:
    """Three seeds whose levels differ by far more than the policies do."""
    found: dict[str, list[dict[str, Any]]] = {}
    for seed, level in enumerate((10.0, 40.0, 20.0)):
        base = {"decisions": 140.0, "silence": 1.4, "static": 2.8, "best": 7.0, "worth": 1.4}
        found.setdefault("quiet", []).append(cell("quiet", seed, orders=level, **base))
        bandit = base | {"worth": 4.2, "sends": 70.0, "delivered": 50.0, "clicks": 5.0}
        found.setdefault("bandit", []).append(
            cell("bandit", seed, orders=level + 2 + 0.1 * seed, attributed=4, opt_outs=1, **bandit)
        )
        if seed != 1:
            found.setdefault("one", []).append(cell("one", seed, orders=level + 1, **base))
        found.setdefault("two", []).append(cell("two", seed, orders=level + 0.5, **base))
    return found


def test_reward_counts_what_came_by_the_schemes_weights() -> None:
    """Worked by hand: 14 orders, 28 sessions, an opt-out, 70 sends over 10 users and 14 days."""
    one = cell("p", 1, orders=14.0, sessions=28.0, opt_outs=1.0, sends=70.0, clicks=9.0)
    total = 14 + 28 * 0.05 - 3 - 70 * 0.0005
    by_day = rewards_by_day(one, UPLIFT)
    assert by_day == pytest.approx(np.full(DAYS, total / USERS / DAYS))


def test_rows_hold_every_metric_in_its_own_unit() -> None:
    """Worked by hand: 20 user-weeks a seed."""
    row = next(r for r in rows_of(results(), scheme=UPLIFT) if r["policy"] == "bandit")
    assert row["sends_per_user_week"] == pytest.approx(70 / 20)
    assert row["click_rate"] == pytest.approx(0.1)
    assert row["opt_outs_per_1000_sends"] == pytest.approx(1000 / 70)
    assert row["value_per_decision"] == pytest.approx(4.2 / 140)
    assert row["regret_myopic"] == pytest.approx(2.8 / 140)
    assert row["gap_to_silence"] == pytest.approx(2.8 / 140)
    assert row["gap_to_best_static"] == pytest.approx(1.4 / 140)
    assert row["reachable_at_end"] == pytest.approx(0.5)
    assert row["regret_dp"] is None  # such a world is not solved
    assert set(MEASURED) < set(row)
    quiet = next(r for r in rows_of(results(), scheme=UPLIFT) if r["policy"] == "quiet")
    assert quiet["click_rate"] is None  # nothing was delivered
    assert quiet["opt_outs_per_1000_sends_lower"] is None


def test_the_regret_of_solved_worlds_is_a_users_whole_run() -> None:
    """Sums by day over users, whatever the number of days; interval over seeds."""
    found = results()
    for seed, lived in enumerate(found["bandit"]):
        lived["by_day"]["regret_dp"] = [0.25 + 0.01 * seed] * DAYS
    rows = {r["policy"]: r for r in rows_of(found, scheme=UPLIFT)}
    assert rows["bandit"]["regret_dp"] == pytest.approx(0.26 * DAYS / USERS)
    assert (
        rows["bandit"]["regret_dp_lower"] < 0.26 * DAYS / USERS < rows["bandit"]["regret_dp_upper"]
    )
    assert rows["quiet"]["regret_dp"] is None


def test_differences_are_paired_by_seed_and_use_the_seeds_of_both() -> None:
    """Levels of seeds fall out: +2, +2.1, +2.2 orders in 20 user-weeks, less opt-out and sends."""
    found = compared(results(), "bandit", "quiet", scheme=UPLIFT)
    assert found.mean == pytest.approx((2.1 - 3 - 0.035) / 20)
    assert found.upper - found.lower < 0.1
    assert compared(results(), "one", "quiet", scheme=UPLIFT).n_seeds == 2


def test_the_best_static_is_chosen_on_the_seeds_that_all_of_them_walked() -> None:
    """By level alone *two* would win: it also walked the third seed."""
    assert best_static(results(), ["one", "two"], scheme=UPLIFT) == "one"


def test_the_summary_orders_by_what_is_within_seeds_and_tells_of_attribution() -> None:
    """Rows of fewer seeds have other levels; orders attributed are no orders brought."""
    tables = summary(results(), scheme=UPLIFT, silence="quiet", statics=["one", "two"])
    names = [row["policy"] for row in tables["table"]]
    assert names == ["one", "two", "quiet", "bandit"]
    rows = {row["policy"]: row for row in tables["table"]}
    assert rows["quiet"]["less_silence"] is None
    assert rows["one"]["less_best_static"] is None
    assert rows["bandit"]["orders_brought"] == pytest.approx(2.1 / 20)
    assert rows["bandit"]["orders_attributed"] == pytest.approx(4 / 20)
    assert tables["best_static"] == "one"
    assert tables["sent_at"]["bandit"][9] == 210
    assert tables["curves"]["bandit"]["sends"] == pytest.approx([3.5] * DAYS)
    assert tables["curves"]["bandit"]["reachable"] == pytest.approx([0.5] * DAYS)


def test_one_seed_has_numbers_and_no_intervals() -> None:
    """Rather than an interval of no width."""
    single = {name: cells[:1] for name, cells in results().items()}
    tables = summary(single, scheme=UPLIFT, silence="quiet", statics=["one", "two"])
    row = next(row for row in tables["table"] if row["policy"] == "bandit")
    assert row["less_silence"] is not None
    assert row["less_silence_lower"] is None
    assert row["less_silence_p"] is None
