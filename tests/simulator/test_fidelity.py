from __future__ import annotations

import dataclasses
from collections.abc import Callable

import numpy as np
import pytest

from simulator import fidelity as fidelity_module
from simulator.config import load
from simulator.fidelity import fidelity, summaries
from simulator.logged import Logged
from simulator.moments import Moment
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


def _rate(events: float, chances: float, *, is_count: bool = True) -> Moment:
    """A rate of independent events, such as opt-outs a delivered push."""
    value, se = events / chances, np.sqrt(events) / chances
    return Moment(
        group="opt-outs",
        name="all",
        unit="opt-outs a delivered push",
        value=value,
        se=se,
        low=max(value - 1.96 * se, 0.0),
        high=value + 1.96 * se,
        n=events,
        chances=chances if is_count else 0.0,
    )


@pytest.mark.parametrize(
    ("seen", "made", "verdict"),
    [
        (_rate(0, 1e5), _rate(40, 2e5), "differs"),  # twenty would have been
        (_rate(40, 2e5), _rate(0, 1e5), "differs"),
        (_rate(0, 1e5), _rate(38, 2e5), "too few"),
        (_rate(0, 30), _rate(40, 2e5), "too few"),  # nothing could have been seen
        (_rate(12, 1e5), _rate(24, 2e5), "too few"),
        (_rate(15, 1e5), _rate(45, 2e5), "agrees"),
        (_rate(0, 1e5), _rate(0, 1e5), "too few"),
        (_rate(0, 1e5, is_count=False), _rate(40, 2e5, is_count=False), "too few"),
    ],
)
def test_none_where_many_should_be_is_told(
    seen: Moment, made: Moment, verdict: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A world that never opts anybody out is not like a log of leavers: no line is too few."""
    monkeypatch.setattr(fidelity_module, "moments_of", lambda view: (view,))
    (line,) = fidelity(seen, made)  # type: ignore[arg-type]
    assert line.verdict == verdict
    (group,) = summaries([line])
    assert dataclasses.astuple(group)[1:5] == (
        1,
        verdict == "agrees",
        verdict == "differs",
        verdict == "too few",
    )


def test_intervals_stay_within_what_a_number_can_be(small_log: SmallLog) -> None:
    """No share below 0 or above 1, no delay before its delivery; those of logarithms may."""
    view = view_of(small_log(), warmup_days=7)
    lines = [line for line in fidelity(view, view) if np.isfinite(line.observed)]
    for line in lines:
        assert line.observed_low <= line.observed <= line.observed_high
        assert line.observed_low >= 0.0 or line.unit.startswith("ln of")
        assert line.observed_high <= 1.0 or "share" not in line.unit


@pytest.mark.parametrize("place", [0, -1])
def test_lines_stand_in_the_order_of_the_moments(small_log: SmallLog, place: int) -> None:
    view = view_of(small_log(), warmup_days=7)
    lines = fidelity(view, view)
    assert lines[place].group == ("without a push" if place == 0 else "orders")
