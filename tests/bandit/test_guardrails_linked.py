"""One user on several devices is one user to the guardrails: one cap, one gap, one answer."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from bandit.actions import ItemSet, Observation, Reason, assemble
from bandit.decide import Decisions
from bandit.floor import NO_FLOOR
from bandit.guardrails import Guardrails
from bandit.identity import Links
from bandit.permissions import Consent
from bandit.rules import Cap, Rules
from bandit.sends import NEVER_MS, RecentSends
from bandit.slots import DAY_MS, HOUR_MS, full_hours

NOON = 1_780_315_200_000
LINKS = Links.of(np.array([8, 9]), np.array([1, 1]), at_ms=np.array([0, 0]))
RULES = Rules(
    quiet_start_min=0,
    quiet_end_min=0,
    min_gap_ms=0,
    caps=(Cap(n_sends=2, window_ms=DAY_MS),),
    one_open_plan=False,
)
Decides = Callable[..., Decisions]


@pytest.fixture
def guard() -> Guardrails:
    """Two sends a day, and everybody has allowed them."""
    consent = Consent(("offers",))
    consent.answer(np.arange(12), "offers", granted=True)
    return Guardrails(rules=RULES, consent=consent)


def seen(user: list[int], at_ms: int) -> tuple[Observation, ItemSet]:
    n, at = len(user), np.full(len(user), at_ms)
    observation = Observation(
        user=np.array(user),
        at_ms=at,
        zone=np.full(n, "UTC"),
        context=np.zeros((n, 1)),
        slot_features=np.zeros((n, 2, 1)),
        grid=full_hours(at, ["UTC"] * n, n_slots=2),
    )
    return observation, ItemSet(items=np.full((n, 1), 5), features=np.zeros((n, 1, 1)))


def sent(decisions_of: Decides, user: list[int], at_ms: int) -> Decisions:
    request = assemble(*seen(user, at_ms))
    pmf = np.zeros(request.mask.shape)
    pmf[:, 1] = 1.0
    return decisions_of(request, pmf=pmf, floor=NO_FLOOR, first=at_ms // HOUR_MS % 1000)


def blocked(guard: Guardrails, user: list[int], reason: Reason) -> list[bool]:
    return ((guard.plan(*seen(user, NOON + 3 * HOUR_MS))[:, 1] & reason) != 0).tolist()


def test_sends_to_both_devices_count_under_one_cap(
    guard: Guardrails, decisions_of: Decides
) -> None:
    """One send each is under the cap of two; together they reach it."""
    for hour, device in enumerate((8, 9)):
        guard.record(sent(decisions_of, [device, 3], NOON + hour * HOUR_MS))
    assert blocked(guard, [1, 8, 9, 3, 4], Reason.CAP) == [False, False, False, True, False]
    guard.link(LINKS)
    assert blocked(guard, [1, 8, 9, 3, 4], Reason.CAP) == [True, True, True, True, False]


def test_what_is_sent_after_the_link_counts_for_the_user(
    guard: Guardrails, decisions_of: Decides
) -> None:
    """Also for a plan that was made for a device and is carried out later."""
    guard.link(LINKS)
    guard.record(sent(decisions_of, [1], NOON))
    late = sent(decisions_of, [8], NOON + HOUR_MS)
    guard.record(late)
    assert blocked(guard, [9], Reason.CAP) == [True]
    guard.withdraw(late)
    assert blocked(guard, [9], Reason.CAP) == [False]


def test_plans_for_two_devices_in_one_batch_know_of_each_other(
    guard: Guardrails, decisions_of: Decides
) -> None:
    """Three at once under a cap of two: the third is stopped."""
    batch = sent(decisions_of, [8, 9, 1, 4], NOON)
    assert (guard.dispatch(batch) == 0).all()
    guard.link(LINKS)
    assert (guard.dispatch(batch) == Reason.CAP).tolist() == [False, False, True, False]


def test_a_refusal_or_suppression_on_one_device_counts_for_the_user(guard: Guardrails) -> None:
    guard.consent.answer(np.array([9]), "offers", granted=False)
    guard.consent.suppress(np.array([8]))
    assert blocked(guard, [1, 8, 9], Reason.CONSENT) == [False, False, True]
    guard.link(LINKS)
    assert blocked(guard, [1, 8, 9, 4], Reason.CONSENT) == [True, True, True, False]
    assert blocked(guard, [1, 8, 9, 4], Reason.SUPPRESSED) == [True, True, True, False]
    guard.consent.answer(np.array([8]), "offers", granted=True)
    guard.consent.reinstate(np.array([9]))
    assert blocked(guard, [1, 8, 9], Reason.CONSENT | Reason.SUPPRESSED) == [False] * 3


def test_an_answer_on_one_device_is_enough_where_the_others_were_not_asked() -> None:
    consent = Consent(("offers", "news"))
    consent.answer(np.array([8]), "news", granted=True)
    consent.link(LINKS)
    asked = np.array([1, 9, 4])
    assert consent.allows(asked, "news", where_unknown=False).tolist() == [True, True, False]
    assert consent.allows(asked, "offers", where_unknown=True).tolist() == [True, True, True]


def test_a_linked_state_is_loaded_and_linked_again(
    guard: Guardrails, decisions_of: Decides
) -> None:
    """Linking twice changes nothing, and the newest sends are kept."""
    for hour in range(4):
        guard.record(sent(decisions_of, [8, 9], NOON - hour * HOUR_MS))
    guard.link(LINKS)
    once = guard.state()
    again = Guardrails(rules=RULES, consent=Consent(("offers",)))
    again.load(once)
    again.link(LINKS)
    for name, array in once.items():
        np.testing.assert_array_equal(again.state()[name], array)
    assert guard.sends.users.tolist() == [1]
    latest, _ = guard.sends.of(np.array([9]))
    assert latest[latest > NEVER_MS].min() >= NOON - DAY_MS


def test_nobody_known_can_be_linked() -> None:
    sends = RecentSends(DAY_MS)
    sends.link(LINKS)
    assert sends.of(np.array([8]))[0].tolist() == [[NEVER_MS]]
    consent = Consent(("offers",))
    consent.link(LINKS)
    assert consent.is_suppressed(np.array([8])).tolist() == [False]
