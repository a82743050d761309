from __future__ import annotations

from collections.abc import Callable

import numpy as np

from bandit.slots import DAY_MS, HOUR_MS
from simulator.exposure import exposure_of
from simulator.logged import Logged


def test_what_came_before_a_push_is_that_of_a_slow_count(small_log: Callable[[], Logged]) -> None:
    """The week, the last push and the same item of the first three hundred pushes."""
    logged = small_log()
    plan = logged.plan
    from_ms = plan.start_ms + 7 * DAY_MS
    found = exposure_of(logged, from_ms=from_ms)
    assert (plan.send_ms[found.row] >= from_ms).all()
    for place in range(300):
        row = found.row[place]
        own = np.flatnonzero(plan.is_sent & (plan.user == plan.user[row]))
        at = plan.send_ms[own]
        before = at[at < plan.send_ms[row]]
        assert found.before[place] == len(before)
        assert found.in_week[place] == (before >= plan.send_ms[row] - 7 * DAY_MS).sum()
        last = (plan.send_ms[row] - before.max()) / HOUR_MS if len(before) else np.inf
        assert found.since_h[place] == last
        same = at[(plan.item[own] == plan.item[row]) & (at < plan.send_ms[row])]
        days = (plan.send_ms[row] - same.max()) / DAY_MS if len(same) else np.inf
        assert found.same_item_days[place] == days
