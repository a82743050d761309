"""Laws of gaps, caps and open plans: what is masked is what a memory without end would mask."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from bandit.actions import ItemSet, Observation, Reason, assemble
from bandit.decide import Stamp, decide, decision_ids
from bandit.floor import NO_FLOOR
from bandit.guardrails import Guardrails
from bandit.permissions import Consent
from bandit.rules import Cap, Rules
from bandit.slots import HOUR_MS, full_hours

T0 = 1_780_315_200_000  # a full hour
WATCHED = Reason.MIN_GAP | Reason.CAP | Reason.OPEN_PLAN
HOURS = st.sampled_from([0, 1, 4, 30])
CAPS = st.builds(
    lambda n, hours: Cap(n_sends=n, window_ms=hours * HOUR_MS),
    st.integers(1, 3),
    st.sampled_from([2, 6, 24, 72]),
)
RULES = st.builds(
    lambda gap_h, caps, is_one: Rules(
        quiet_start_min=0,
        quiet_end_min=0,
        min_gap_ms=gap_h * HOUR_MS,
        caps=tuple(caps),
        one_open_plan=is_one,
    ),
    HOURS,
    st.lists(CAPS, max_size=2),
    st.booleans(),
)


def by_the_book(rules: Rules, sent_ms: list[int], *, now_ms: int, at_ms: int) -> int:
    """Reasons against one send, from all that were ever made."""
    bits = 0
    if any(abs(at_ms - other) < rules.min_gap_ms for other in sent_ms):
        bits |= Reason.MIN_GAP
    for cap in rules.caps:
        for first in (at_ms, *sent_ms):
            inside = [t for t in (at_ms, *sent_ms) if first <= t < first + cap.window_ms]
            if at_ms in inside and len(inside) > cap.n_sends:
                bits |= Reason.CAP
    if rules.one_open_plan and any(other > now_ms for other in sent_ms):
        bits |= Reason.OPEN_PLAN
    return bits


@settings(deadline=None, max_examples=60)
@given(RULES, st.lists(st.integers(0, 9), min_size=1, max_size=25), st.integers(0, 2**32 - 1))
def test_what_is_masked_is_what_all_sends_ever_made_would_mask(
    rules: Rules, pauses_h: list[int], seed: int
) -> None:
    """Two users, decided for every few hours; whatever is free may be planned, near or far."""
    rng = np.random.default_rng(seed)
    consent = Consent(("offers",))
    consent.answer(np.arange(2), "offers", granted=True)
    guard = Guardrails(rules=rules, consent=consent)
    sent: list[list[int]] = [[], []]
    for turn, now_ms in enumerate(T0 + np.cumsum(pauses_h) * HOUR_MS):
        at_ms = np.full(2, now_ms)
        observation = Observation(
            user=np.arange(2),
            at_ms=at_ms,
            zone=np.full(2, "UTC"),
            context=np.zeros((2, 1)),
            slot_features=np.zeros((2, 24, 1)),
            grid=full_hours(at_ms, ["UTC", "UTC"]),
        )
        items = ItemSet(items=np.full((2, 1), 5), features=np.zeros((2, 1, 1)))
        reasons = guard.plan(observation, items)
        for user in range(2):
            for slot, start_ms in enumerate(observation.grid.start_ms[user]):
                wanted = by_the_book(rules, sent[user], now_ms=int(now_ms), at_ms=int(start_ms))
                assert reasons[user, 1 + slot] & WATCHED == wanted
        request = assemble(observation, items, reasons=reasons)
        weights = request.mask * rng.random(request.mask.shape)
        decisions = decide(
            weights / weights.sum(axis=1, keepdims=True),
            request,
            key=seed,
            stamp=Stamp(policy="any", state_seq=0, floor=NO_FLOOR),
            decision_id=decision_ids(at_ms, first=2 * turn),
        )
        assert not guard.dispatch(decisions).any()
        guard.record(decisions)
        for user in np.flatnonzero(decisions.is_send):
            sent[user].append(int(decisions.slot_start_ms[user]))
