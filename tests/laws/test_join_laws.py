"""Whatever the order, the repeats and the clock: the join ends with the same feedback."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from bandit.actions import ItemSet, Observation, assemble
from bandit.decide import Decisions, Stamp, decide, decision_ids
from bandit.floor import Floor
from bandit.join import Emission, Joiner
from bandit.outcomes import UPLIFT, Component, Kind, Outcomes, RewardScheme, outcomes_of
from bandit.slots import DAY_MS, HOUR_MS, full_hours

N_USERS, T0 = 6, 1_767_254_400_000
KINDS = (Kind.SESSION, Kind.CONVERTED, Kind.UNSUBSCRIBED, Kind.CLICKED, Kind.DELIVERED)


def decided() -> Decisions:
    at_ms = T0 + np.arange(N_USERS) * HOUR_MS
    observation = Observation(
        user=np.arange(N_USERS) // 2,
        at_ms=at_ms,
        zone=np.full(N_USERS, "UTC"),
        context=np.zeros((N_USERS, 1)),
        slot_features=np.zeros((N_USERS, 3, 1)),
        grid=full_hours(at_ms, ["UTC"] * N_USERS, n_slots=3),
    )
    items = ItemSet(items=np.tile([0, 1], (N_USERS, 1)), features=np.zeros((N_USERS, 2, 1)))
    request = assemble(observation, items)
    return decide(
        request.mask / request.mask.sum(axis=1, keepdims=True),
        request,
        key=2,
        stamp=Stamp(policy="any", state_seq=0, floor=Floor()),
        decision_id=decision_ids(at_ms),
    )


DECISIONS = decided()


def heard(number: int, row: int, kind: int, after_h: int) -> Outcomes:
    is_response = KINDS[kind].is_response
    return outcomes_of(
        KINDS[kind],
        np.array([number]),
        user=DECISIONS.request.user[[row]],
        at_ms=np.array([T0 + after_h * HOUR_MS]),
        value=2.0,
        decision_id=DECISIONS.decision_id[[row]] if is_response else None,
    )


Ends = dict[int, tuple[np.ndarray, np.ndarray]]


def ended(
    batches: Iterable[Outcomes],
    *,
    add_at: int,
    clocks: list[int],
    emission: Emission,
    scheme: RewardScheme = UPLIFT,
) -> Ends:
    """Final components by decision, told in this order, looking at the clock in between."""
    join = Joiner(scheme, emission=emission)
    ends: Ends = {}

    def look(at_ms: int) -> None:
        for feedback in join.advance(at_ms):
            for row, decision in enumerate(feedback.decision_id):
                ends[int(decision)] = (feedback.components[row], feedback.maturity[row])

    now_ms = T0
    for number, batch in enumerate(batches):
        if number == add_at:
            join.add(DECISIONS)
        join.receive(batch)
        if clocks:
            now_ms += clocks[number % len(clocks)] * HOUR_MS // 24
            look(min(now_ms, T0 + HOUR_MS * 20))
    if add_at >= number + 1:
        join.add(DECISIONS)
    look(T0 + 60 * DAY_MS)
    return ends


outcome = st.tuples(
    st.integers(0, N_USERS - 1), st.integers(0, len(KINDS) - 1), st.integers(0, 200)
)


@settings(max_examples=150, deadline=None)
@given(
    st.lists(outcome, min_size=1, max_size=12),
    st.randoms(use_true_random=False),
    st.lists(st.integers(0, 30), max_size=4),
    st.sampled_from(list(Emission)),
    st.integers(0, 12),
)
def test_order_repeats_and_clock_do_not_change_what_is_learned_in_the_end(
    drawn: list[tuple[int, int, int]],
    random: object,
    clocks: list[int],
    emission: Emission,
    add_at: int,
) -> None:
    """Outcomes shuffled and repeated, decisions added late, rows looked at early and often."""
    told = [heard(number, *what) for number, what in enumerate(drawn)]
    plain = ended(told, add_at=0, clocks=[], emission=Emission.WHEN_FINAL)
    muddled = told + told[: len(told) // 2]
    random.shuffle(muddled)  # type: ignore[attr-defined]
    found = ended(muddled, add_at=min(add_at, len(muddled)), clocks=clocks, emission=emission)
    assert set(found) == set(plain)
    for decision, (components, maturity) in plain.items():
        np.testing.assert_array_equal(found[decision][0], components)
        np.testing.assert_array_equal(found[decision][1], maturity)
        assert (maturity == 1).all()


NET = RewardScheme(
    name="net",
    objective="uplift",
    components=(
        Component(
            name="net",
            kinds=(Kind.CONVERTED,),
            measure="value",
            weight=1.0,
            subtracts=(Kind.REFUNDED,),
        ),
    ),
)

# (row, is a refund, hours after, value, which earlier record it corrects if any)
record = st.tuples(
    st.integers(0, N_USERS - 1),
    st.booleans(),
    st.integers(0, 60),
    st.integers(1, 50),
    st.none() | st.integers(0, 11),
)


def told_of(records: list[tuple[int, bool, int, int, int | None]]) -> list[Outcomes]:
    """Purchases, refunds, and corrections of any earlier record, itself a correction or not."""
    told = []
    for number, (row, is_refund, after_h, value, corrected) in enumerate(records):
        outcome = outcomes_of(
            Kind.REFUNDED if is_refund else Kind.CONVERTED,
            np.array([number]),
            user=DECISIONS.request.user[[row]],
            at_ms=np.array([T0 + after_h * HOUR_MS]),
            value=float(value),
        )
        target = -1 if corrected is None or corrected >= number else corrected
        told.append(replace(outcome, corrects=np.array([target])))
    return told


@settings(max_examples=150, deadline=None)
@given(
    st.lists(record, min_size=1, max_size=12),
    st.randoms(use_true_random=False),
    st.lists(st.integers(0, 30), max_size=4),
    st.sampled_from(list(Emission)),
)
def test_refunds_and_corrections_in_any_order_end_the_same(
    records: list[tuple[int, bool, int, int, int | None]],
    random: object,
    clocks: list[int],
    emission: Emission,
) -> None:
    """Chains of corrections too; the end is what a plain ledger says."""
    told = told_of(records)
    muddled = told + told[: len(told) // 2]
    random.shuffle(muddled)  # type: ignore[attr-defined]
    found = ended(muddled, add_at=0, clocks=clocks, emission=emission, scheme=NET)
    value = [float(r[3]) for r in records]
    roots = list(range(len(records)))
    for number, outcome in enumerate(told):
        if outcome.corrects[0] >= 0:
            roots[number] = roots[int(outcome.corrects[0])]
    for number in sorted(range(len(records)), key=lambda n: (records[n][2], n)):
        if roots[number] != number:
            value[roots[number]] = float(records[number][3])
    for row, decision in enumerate(DECISIONS.decision_id):
        at_ms, user = int(DECISIONS.request.at_ms[row]), int(DECISIONS.request.user[row])
        net = 0.0
        for number, outcome in enumerate(told):
            inside = at_ms <= outcome.at_ms[0] < at_ms + 2 * DAY_MS
            if roots[number] == number and outcome.user[0] == user and inside:
                net += -value[number] if records[number][1] else value[number]
        assert found[int(decision)][0][0] == net
