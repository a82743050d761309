from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from simulator.config import load
from simulator.fidelity import fidelity, summaries
from simulator.logged import Logged
from simulator.replay import as_counted, replayed
from simulator.signals import view_of

SmallLog = Callable[[], Logged]


def test_two_simulations_of_one_world_agree_but_for_chance(small_log: SmallLog) -> None:
    """Of independent lives under the same constants about one line in twenty differs."""
    plan = small_log().plan
    config = as_counted(load("ecommerce", click={"rate": 0.1}), plan)
    one, two = (view_of(replayed(config, plan, seed=s), warmup_days=7) for s in (1, 2))
    lines = [line for line in fidelity(one, two) if line.verdict != "too few"]
    assert len(lines) > 50
    differ = np.mean([line.verdict == "differs" for line in lines])
    assert differ < 0.12


def test_a_world_with_other_clicks_is_told_apart(small_log: SmallLog) -> None:
    plan = small_log().plan
    views = [
        view_of(
            replayed(as_counted(load("ecommerce", click={"rate": r}), plan), plan, seed=1),
            warmup_days=7,
        )
        for r in (0.03, 0.09)
    ]
    lines = {(line.group, line.name): line for line in fidelity(views[0], views[1])}
    clicks = lines["clicks", "all"]
    assert clicks.verdict == "differs"
    assert clicks.z > 3
    assert clicks.observed_low < clicks.observed < clicks.observed_high
    assert lines["clicks", "delivered"].verdict == "agrees"


def test_the_summary_counts_the_lines_of_each_group(small_log: SmallLog) -> None:
    view = view_of(small_log(), warmup_days=7)
    lines = fidelity(view, view)
    told = summaries(lines)
    assert sum(group.lines for group in told) == len(lines)
    for group in told:
        assert group.differ == 0
        assert group.agree + group.too_few == group.lines
    assert told[0].worst.endswith("(+0.0 se)") or told[0].worst.endswith("(-0.0 se)")


def test_a_line_that_the_simulation_lacks_is_not_judged(small_log: SmallLog) -> None:
    """A log without a push to a user never sent to before may have a simulation with one."""
    view = view_of(small_log(), warmup_days=7)
    late = view_of(small_log(), warmup_days=20)
    lines = fidelity(view, late)
    assert all(np.isfinite(line.z) for line in lines if line.verdict != "too few")
    assert {line.verdict for line in lines} <= {"agrees", "differs", "too few"}


@pytest.mark.parametrize("place", [0, -1])
def test_lines_stand_in_the_order_of_the_moments(small_log: SmallLog, place: int) -> None:
    view = view_of(small_log(), warmup_days=7)
    lines = fidelity(view, view)
    assert lines[place].group == ("without a push" if place == 0 else "orders")
