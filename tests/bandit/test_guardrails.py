from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from typing import Any

import numpy as np
import pytest

from bandit.actions import HOLD, ItemSet, Observation, Reason, Request
from bandit.decide import Decisions, Mode, with_executed
from bandit.errors import BadInputError, BadShapeError
from bandit.floor import NO_FLOOR
from bandit.guardrails import Guardrails, cancellations, count_reasons
from bandit.outcomes import Kind
from bandit.permissions import NO_EXPIRY_MS, Consent, Stock
from bandit.rules import Cap, Rules
from bandit.slots import DAY_MS, HOUR_MS, full_hours

OPEN = Rules(quiet_start_min=0, quiet_end_min=0, min_gap_ms=0, caps=(), one_open_plan=False)
Decides = Callable[..., Decisions]


def ms(text: str) -> int:
    return round(datetime.fromisoformat(text).timestamp() * 1000)


NOON = ms("2026-06-01T12:00+00:00")


def asked(consent: Consent, n: int = 50) -> Consent:
    consent.answer(np.arange(n), "offers", granted=True)
    return consent


def guard_of(rules: Rules, **more: Any) -> Guardrails:
    return Guardrails(rules=rules, consent=asked(Consent(("offers", "news"))), **more)


def seen(
    user: list[int], *, at_ms: int = NOON, zone: str = "UTC", n_slots: int = 24
) -> tuple[Observation, ItemSet]:
    n = len(user)
    at = np.full(n, at_ms)
    observation = Observation(
        user=np.array(user),
        at_ms=at,
        zone=np.full(n, zone),
        context=np.zeros((n, 1)),
        slot_features=np.zeros((n, n_slots, 1)),
        grid=full_hours(at, ["UTC" if zone in {"", "Nowhere"} else zone] * n, n_slots=n_slots),
    )
    items = ItemSet(items=np.tile([5, 6], (n, 1)), features=np.zeros((n, 2, 1)))
    return observation, items


def reasons_of(guard: Guardrails, *args: Any, **more: Any) -> np.ndarray:
    """Reasons a send, (N, K, S)."""
    observation, items = seen(*args, **more)
    bits = guard.plan(observation, items)
    assert (bits[:, HOLD] == 0).all()
    return bits[:, 1:].reshape(len(bits), 2, -1)


def sent(
    decisions_of: Decides, user: list[int], *, at_ms: int, slot: int = 0, mode: int = Mode.LIVE
) -> Decisions:
    """Decisions that plan item 0 at one slot for every user."""
    observation, items = seen(user, at_ms=at_ms)
    from bandit.actions import assemble

    request: Request = assemble(observation, items)
    pmf = np.zeros(request.mask.shape)
    pmf[:, 1 + slot] = 1.0
    return decisions_of(
        request,
        pmf=pmf,
        floor=NO_FLOOR,
        first=at_ms // HOUR_MS % 1000,
        mode=np.full(len(user), mode, np.uint8),
    )


def test_nothing_is_masked_where_nothing_forbids() -> None:
    """Open rules, consent given."""
    assert not reasons_of(guard_of(OPEN), [1, 2]).any()


def test_no_consent_masks_every_send_and_unknown_fails_closed() -> None:
    """Answered no, never asked, and asked about another topic only."""
    guard = guard_of(OPEN)
    guard.consent.answer(np.array([1]), "offers", granted=False)
    guard.consent.answer(np.array([70]), "news", granted=True)
    bits = reasons_of(guard, [0, 1, 60, 70])
    assert not bits[0].any()
    assert (bits[1:] == Reason.CONSENT).all()
    lenient = guard_of(replace(OPEN, consents_where_unknown=True))
    assert not reasons_of(lenient, [60]).any()


def test_a_suppressed_user_gets_nothing_until_reinstated() -> None:
    """Bounced, objected or erased; consent stays what it was."""
    guard = guard_of(OPEN)
    guard.consent.suppress(np.array([1]))
    bits = reasons_of(guard, [0, 1])
    assert not bits[0].any()
    assert (bits[1] == Reason.SUPPRESSED).all()
    guard.consent.reinstate(np.array([1]))
    assert not reasons_of(guard, [1]).any()


def test_quiet_hours_are_those_of_the_users_wall_clock() -> None:
    """22:00 to 08:00 in New York, across midnight and the night the clock changes."""
    guard = guard_of(replace(OPEN, quiet_start_min=22 * 60, quiet_end_min=8 * 60))
    at = ms("2026-03-07T20:30-05:00")  # the clock goes forward at 2:00 the next morning
    bits = reasons_of(guard, [1], at_ms=at, zone="America/New_York", n_slots=24)[0, 0]
    # 20:30, 21:00, then quiet 22:00 … 07:00: nine real hours, since 02:00 is skipped.
    assert (bits == Reason.QUIET_HOURS).tolist() == [False] * 2 + [True] * 9 + [False] * 13


def test_an_unknown_zone_fails_closed_or_takes_the_one_assumed() -> None:
    """Empty and invalid alike, without refusing the rest of the batch."""
    rules = replace(OPEN, quiet_start_min=22 * 60, quiet_end_min=8 * 60)
    for zone in ("", "Nowhere"):
        assert (reasons_of(guard_of(rules), [1], zone=zone) == Reason.UNKNOWN_ZONE).all()
    assumed = guard_of(replace(rules, zone_where_unknown="Europe/Berlin"))
    bits = reasons_of(assumed, [1], zone="")
    assert set(np.unique(bits)) == {0, Reason.QUIET_HOURS}


def test_a_gap_holds_to_the_millisecond(decisions_of: Decides) -> None:
    """Exactly the gap apart is allowed, one hour less is not, before and after."""
    guard = guard_of(replace(OPEN, min_gap_ms=4 * HOUR_MS))
    guard.record(sent(decisions_of, [1], at_ms=NOON, slot=6))  # 18:00
    bits = reasons_of(guard, [1, 2])
    assert not bits[1].any()
    blocked = np.flatnonzero(bits[0, 0] == Reason.MIN_GAP)
    assert blocked.tolist() == [3, 4, 5, 6, 7, 8, 9]  # 15:00 … 21:00; 14:00 and 22:00 are free


def test_a_cap_rolls_and_does_not_follow_the_calendar(decisions_of: Decides) -> None:
    """Two in any 24 hours: a third fits only a whole day after the first."""
    cap = Cap(n_sends=2, window_ms=DAY_MS)
    guard = guard_of(replace(OPEN, caps=(cap,)))
    guard.record(sent(decisions_of, [1], at_ms=NOON))
    guard.record(sent(decisions_of, [1], at_ms=NOON + 10 * HOUR_MS))
    bits = reasons_of(guard, [1], at_ms=NOON + 12 * HOUR_MS)[0, 0]
    assert (bits == Reason.CAP).tolist() == [True] * 12 + [False] * 12


def test_caps_agree_with_counting_every_window() -> None:
    """Random sends and caps: a proposed send is masked where some window would hold too many."""
    from bandit.sends import NEVER_MS, breaks_cap

    rng = np.random.default_rng(3)
    for _ in range(300):
        n, window = int(rng.integers(1, 4)), int(rng.integers(1, 30))
        others = np.sort(rng.integers(0, 60, rng.integers(0, 6)))
        at = int(rng.integers(0, 60))
        every = np.sort(np.append(others, at))
        naive = any(
            start <= at < start + window and ((every >= start) & (every < start + window)).sum() > n
            for start in range(-window, 61)
        )
        padded = np.full((1, 6), NEVER_MS)
        padded[0, : len(others)] = others
        found = breaks_cap(np.array([[at]]), padded, cap=Cap(n_sends=n, window_ms=window))[0, 0]
        assert found == naive


def test_an_open_plan_keeps_a_second_one_away(decisions_of: Decides) -> None:
    """Until its slot has passed."""
    guard = guard_of(replace(OPEN, one_open_plan=True))
    guard.record(sent(decisions_of, [1], at_ms=NOON, slot=6))
    assert (reasons_of(guard, [1], at_ms=NOON + HOUR_MS) == Reason.OPEN_PLAN).all()
    assert not reasons_of(guard, [1], at_ms=NOON + 7 * HOUR_MS).any()


def test_items_that_are_out_or_expire_are_masked_where_they_do() -> None:
    """Out of stock at every slot; expired from its instant on."""
    stock = Stock(
        item=np.array([6, 5]),
        expires_ms=np.array([NOON + 10 * DAY_MS, NOON + 3 * HOUR_MS]),
        is_available=np.array([False, True]),
    )
    bits = reasons_of(guard_of(OPEN, stock=stock), [1])[0]
    assert (bits[0] == Reason.EXPIRED).tolist() == [False] * 3 + [True] * 21
    assert (bits[1] == Reason.STOCK).all()


def test_items_that_never_expire_are_masked_by_stock_alone() -> None:
    """At every slot alike, and items that are not listed nowhere."""
    stock = Stock(
        item=np.array([6]), expires_ms=np.array([NO_EXPIRY_MS]), is_available=np.array([False])
    )
    bits = reasons_of(guard_of(OPEN, stock=stock), [1, 2])
    assert not bits[:, 0].any()
    assert (bits[:, 1] == Reason.STOCK).all()


def test_an_item_that_ran_out_or_expired_since_the_plan_stops_its_send(
    decisions_of: Decides,
) -> None:
    """By its slot, not by the time of asking; the other sends go on."""
    guard = guard_of(OPEN)
    planned = sent(decisions_of, [1, 2], at_ms=NOON, slot=5)
    assert not guard.dispatch(planned).any()
    item, due_ms = planned.item[:1], planned.slot_start_ms[:1]
    for expires_ms, is_available, says in (
        (due_ms + 1, True, 0),
        (due_ms, True, Reason.EXPIRED),
        (due_ms + 1, False, Reason.STOCK),
    ):
        guard.stock = Stock(item=item, expires_ms=expires_ms, is_available=np.array([is_available]))
        expected = np.where(planned.item == item, says, 0)
        assert guard.dispatch(planned).tolist() == expected.tolist()


def test_slots_of_the_past_are_masked() -> None:
    """A grid may begin before the decision."""
    observation, items = seen([1], n_slots=3)
    late = replace(observation, at_ms=observation.at_ms + HOUR_MS)
    bits = guard_of(OPEN).plan(late, items)[0, 1:].reshape(2, 3)
    assert (bits[0] == Reason.PAST).tolist() == [True, False, False]


def test_a_task_without_silence_masks_hold_only_where_a_send_is_possible() -> None:
    """Otherwise there would be nothing left to do."""
    guard = guard_of(replace(OPEN, may_hold=False))
    guard.consent.suppress(np.array([2]))
    observation, items = seen([1, 2])
    bits = guard.plan(observation, items)
    assert bits[:, HOLD].tolist() == [Reason.TASK, 0]


def test_dispatch_asks_again(decisions_of: Decides) -> None:
    """Consent withdrawn between plan and slot stops the send, and says why."""
    guard = guard_of(OPEN)
    planned = sent(decisions_of, [1, 2], at_ms=NOON, slot=5)
    assert not guard.dispatch(planned).any()
    guard.consent.answer(np.array([2]), "offers", granted=False)
    assert guard.dispatch(planned).tolist() == [0, Reason.CONSENT]


def test_two_rows_of_one_user_in_a_batch_know_each_other(decisions_of: Decides) -> None:
    """A cap of one a day lets the first through and stops the second."""
    guard = guard_of(replace(OPEN, caps=(Cap(n_sends=1, window_ms=DAY_MS),)))
    twice = sent(decisions_of, [1, 1, 2], at_ms=NOON)
    assert guard.dispatch(twice).tolist() == [0, Reason.CAP, 0]
    assert guard.dispatch(twice).tolist() == [0, Reason.CAP, 0]


def test_a_decision_recorded_twice_counts_once_and_can_be_withdrawn(
    decisions_of: Decides,
) -> None:
    """Retries are normal; so are supersessions."""
    guard = guard_of(replace(OPEN, caps=(Cap(n_sends=2, window_ms=DAY_MS),)))
    planned = sent(decisions_of, [1], at_ms=NOON)
    guard.record(planned)
    guard.record(planned)
    later = sent(decisions_of, [1], at_ms=NOON + HOUR_MS)
    assert not guard.dispatch(later).any()
    guard.record(later)
    third = sent(decisions_of, [1], at_ms=NOON + 2 * HOUR_MS)
    assert guard.dispatch(third).tolist() == [Reason.CAP]
    guard.withdraw(later)
    assert not guard.dispatch(third).any()


@pytest.mark.parametrize(("mode", "counts"), [(Mode.HOLDOUT, True), (Mode.SHADOW, False)])
def test_holdout_plans_use_virtual_caps_and_shadow_plans_none(
    decisions_of: Decides, mode: Mode, counts: bool
) -> None:
    """So that live and held-out users pass the same caps."""
    guard = guard_of(replace(OPEN, caps=(Cap(n_sends=1, window_ms=DAY_MS),)))
    guard.record(sent(decisions_of, [1], at_ms=NOON, mode=mode))
    assert (reasons_of(guard, [1], at_ms=NOON + HOUR_MS, n_slots=2) != 0).all() == counts


def test_a_cancellation_is_an_outcome_with_its_reasons(decisions_of: Decides) -> None:
    """By decision id, the same id however often it is told, the bits as value."""
    planned = sent(decisions_of, [1, 2, 3], at_ms=NOON)
    reasons = np.array([0, Reason.CONSENT | Reason.CAP, 0], np.uint16)
    told = cancellations(planned, reasons, now_ms=NOON)
    assert told.kind.tolist() == [Kind.CANCELLED]
    assert told.value.tolist() == [Reason.CONSENT | Reason.CAP]
    assert told.decision_id.tolist() == [planned.decision_id[1]]
    again = cancellations(planned, reasons, now_ms=NOON + 5)
    assert told.outcome_id.tolist() == again.outcome_id.tolist()
    with pytest.raises(BadShapeError):
        cancellations(planned, reasons[:2], now_ms=NOON)


def test_state_goes_on_where_it_was_and_only_under_its_rules(decisions_of: Decides) -> None:
    """Sends and consent come back; rules that look further back need sends that were let go."""
    rules = replace(OPEN, caps=(Cap(n_sends=1, window_ms=DAY_MS),))
    guard = guard_of(rules)
    guard.record(sent(decisions_of, [1], at_ms=NOON))
    guard.consent.suppress(np.array([7]))
    other = Guardrails(rules=rules, consent=Consent(("offers",)))
    other.load(guard.state())
    for users in ([1], [7], [2]):
        np.testing.assert_array_equal(reasons_of(other, users), reasons_of(guard, users))
    guard_of(replace(OPEN, caps=(Cap(n_sends=9, window_ms=HOUR_MS),))).load(guard.state())
    longer = guard_of(replace(OPEN, min_gap_ms=DAY_MS + 1))
    with pytest.raises(BadInputError, match="86400001 ms, as these rules need, got 86400000"):
        longer.load(guard.state())
    assert not reasons_of(longer, [1]).any()


def test_a_topic_that_was_not_declared_is_refused() -> None:
    """A misspelt topic never counts as allowed."""
    with pytest.raises(BadInputError, match="ofers"):
        guard_of(OPEN, topic="ofers")


def test_a_hold_is_never_stopped(decisions_of: Decides) -> None:
    """There is nothing to stop, and nothing to record."""
    guard = guard_of(replace(OPEN, caps=(Cap(n_sends=0, window_ms=DAY_MS),)))
    planned = sent(decisions_of, [1], at_ms=NOON)
    held = with_executed(replace(planned, planned=np.zeros(1, np.int64)), np.zeros(1, np.int64))
    assert guard.dispatch(held).tolist() == [0]
    assert guard.dispatch(planned).tolist() == [Reason.CAP]


def test_reasons_are_counted_by_name() -> None:
    """An entry with two reasons counts under both."""
    bits = np.array([[0, Reason.CAP, Reason.CAP | Reason.STOCK]], np.uint16)
    assert count_reasons(bits) == {"cap": 2, "stock": 1}
