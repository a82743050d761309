from __future__ import annotations

import numpy as np
import pytest

from bandit.actions import Reason
from simulator.kernel import Population
from simulator.rules_mask import names_of, reasons_of
from tests.simulator.conftest import Begin


def slow_reasons(lived: Population) -> np.ndarray:
    """Every reason by a loop over users, items and slots."""
    rules, state, offer = lived.ground.config.rules, lived.state, lived.offer()
    n, k = offer.items.shape
    offsets = lived.offsets_h
    bits = np.zeros((n, 1 + k * len(offsets)), np.uint16)
    for row in range(n):
        own = 0
        if not state.is_reachable[row]:
            own |= Reason.CONSENT
        if not state.is_alive[row]:
            own |= Reason.NOT_ELIGIBLE
        today = state.sent_by_day[row, state.hour[row] // 24 % 7]
        if today >= rules.cap_per_day or state.sent_by_day[row].sum() >= rules.cap_per_week:
            own |= Reason.CAP
        if rules.quiet_from_h != rules.quiet_to_h and not lived.traits.is_zone_known[row]:
            own |= Reason.UNKNOWN_ZONE
        for item in range(k):
            for slot, offset in enumerate(offsets):
                why = own
                local = (offer.hour_of_week[row] + offset) % 24
                if local >= rules.quiet_from_h or local < rules.quiet_to_h:
                    why |= Reason.QUIET_HOURS if rules.quiet_from_h != rules.quiet_to_h else 0
                if state.hour[row] + offset - state.send_h[row] < rules.gap_h:
                    why |= Reason.MIN_GAP
                if not offer.is_in_stock[row, item]:
                    why |= Reason.STOCK
                if offer.hours_left[row, item] <= offset:
                    why |= Reason.EXPIRED
                bits[row, 1 + item * len(offsets) + slot] = why
    return bits


@pytest.mark.parametrize("hours", [1, 24])
@pytest.mark.parametrize("lifetime_h", [0.0, 10.0])
def test_reasons_are_those_of_a_loop_over_all_actions(
    begin: Begin, hours: int, lifetime_h: float
) -> None:
    """After days of sends at random, with users who left, opted out or hide their zone."""
    lived = begin(
        "ecommerce",
        60,
        hours=hours,
        items={"stock_out_per_day": 0.2, "lifetime_h": lifetime_h},
        clock={"unknown_zone_share": 0.1, "n_candidates": 5},
        rules={"cap_per_week": 5, "cap_per_day": 1},
        opt_out={"hazard": 0.01},
        activity={"churn_per_day": 0.01},
    )
    rng = np.random.default_rng(0)
    seen = 0
    for _ in range(12):
        reasons = reasons_of(lived)
        slow = slow_reasons(lived)
        assert np.array_equal(reasons.whole(), slow)
        assert np.array_equal(reasons.mask(), slow == 0)
        action = rng.integers(0, slow.shape[1], 60)
        assert np.array_equal(reasons.of_actions(action), slow[np.arange(60), action])
        seen |= int(np.bitwise_or.reduce(slow, axis=None))
        lived.step(rng.integers(-1, 5, 60), rng.integers(0, len(lived.offsets_h), 60))
    expected = {"CONSENT", "NOT_ELIGIBLE", "CAP", "UNKNOWN_ZONE", "QUIET_HOURS", "MIN_GAP", "STOCK"}
    assert expected <= {reason.name for reason in Reason(seen)}


def test_quiet_hours_may_lie_within_a_day_and_need_no_zone_where_there_are_none(
    begin: Begin,
) -> None:
    """From 12 to 14 the slots of those hours are masked; without quiet hours none is."""
    noon = begin("ecommerce", 40, rules={"quiet_from_h": 12, "quiet_to_h": 14, "gap_h": 0})
    local = (noon.offer().hour_of_week[:, None] + noon.offsets_h) % 24
    is_quiet = reasons_of(noon).of_slot & np.uint16(Reason.QUIET_HOURS) != 0
    assert np.array_equal(is_quiet, (local >= 12) & (local < 14))
    loud = begin("ecommerce", 40, rules={"quiet_from_h": 0, "quiet_to_h": 24})
    no = np.uint16(Reason.QUIET_HOURS | Reason.UNKNOWN_ZONE)
    assert not (reasons_of(loud).of_slot & no).any()


def test_a_message_names_the_reasons() -> None:
    """In words, as an error shows them."""
    assert names_of(int(Reason.STOCK | Reason.CONSENT)) == "consent, stock"
