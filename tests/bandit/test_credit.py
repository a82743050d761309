from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bandit.credit import Claims, Credit, Near, Owners, _in_order
from bandit.heard_outcomes import HeardOutcomes
from bandit.identity import Links
from bandit.outcomes import ENGAGEMENT, UPLIFT, Component, Kind, RewardScheme, outcomes_of
from bandit.slots import DAY_MS, HOUR_MS

H = HOUR_MS
ALONE = Owners(None)
a_row = st.tuples(st.integers(0, 3), st.integers(0, 20))
an_outcome = st.tuples(st.integers(0, 4), st.integers(0, 25), st.integers(-3, 3))


def claims_of(user: list[int], at_ms: list[int], sent_ms: list[int] | None = None) -> Claims:
    at = np.array(at_ms, np.int64)
    return Claims(
        decision_id=np.arange(100, 100 + len(user)),
        user=np.array(user, np.int64),
        at_ms=at,
        sent_ms=at if sent_ms is None else np.array(sent_ms, np.int64),
        is_send=np.ones(len(user), np.bool_),
    )


def scheme_of(**component: object) -> RewardScheme:
    fine = {"name": "c", "kinds": (Kind.CONVERTED,), "measure": "value", "weight": 1.0}
    return RewardScheme(
        name="s",
        objective="engagement",
        components=(Component(**(fine | component)),),  # type: ignore[arg-type]
    )


def near_of(claims: Claims, heard: HeardOutcomes, owners: Owners = ALONE) -> Near:
    return Near.of(claims, heard, owners, until_ms=claims.at_ms + 30 * DAY_MS)


@settings(deadline=None)
@given(
    st.lists(a_row, min_size=1, max_size=15),
    st.lists(an_outcome, min_size=1, max_size=20),
    st.integers(1, 8),
)
def test_sums_by_time_are_what_a_plain_loop_says(
    rows: list[tuple[int, int]], told: list[tuple[int, int, int]], window: int
) -> None:
    """Users with several rows and none, outcomes of strangers, intervals that overlap."""
    heard = HeardOutcomes()
    user, at_ms, value = (np.array(c, np.int64) for c in zip(*told, strict=True))
    heard.tell(
        outcomes_of(Kind.CONVERTED, np.arange(len(told)), user=user, at_ms=at_ms, value=value * 1.0)
    )
    claims = claims_of([u for u, _ in rows], [t for _, t in rows])
    credit = Credit(scheme_of(window_ms=window), horizon_ms=2)
    seen = credit.seen(claims, near_of(claims, heard))[:, 0]
    for n, (owner, begin) in enumerate(rows):
        inside = [v for u, t, v in told if u == owner and begin <= t < begin + 2 + window]
        assert seen[n] == sum(inside)


@settings(deadline=None)
@given(st.permutations(range(4)), st.lists(an_outcome, min_size=1, max_size=20))
def test_sums_by_id_are_what_a_plain_loop_says(
    sent: list[int], told: list[tuple[int, int, int]]
) -> None:
    """Answers to unknown decisions, each row's own window."""
    heard = HeardOutcomes()
    which, at_ms, _ = (np.array(c, np.int64) for c in zip(*told, strict=True))
    heard.tell(
        outcomes_of(
            Kind.CLICKED,
            np.arange(len(told)),
            user=which,
            at_ms=at_ms,
            decision_id=100 + which,
        )
    )
    claims = claims_of([0, 1, 2, 3], [0] * 4, sent)
    credit = Credit(scheme_of(kinds=(Kind.CLICKED,), measure="count", window_ms=10), horizon_ms=9)
    seen = credit.seen(claims, near_of(claims, heard))[:, 0]
    for n, begin in enumerate(sent):
        assert seen[n] == sum(1 for d, t, _ in told if d == n and begin <= t < begin + 10)


def test_nothing_heard_and_nobody_open_add_up_to_nothing() -> None:
    credit = Credit(UPLIFT, DAY_MS)
    nobody, somebody = claims_of([], []), claims_of([1, 2], [0, 0])
    heard = HeardOutcomes()
    assert credit.seen(nobody, near_of(nobody, heard)).shape == (0, len(UPLIFT))
    seen = credit.seen(somebody, near_of(somebody, heard))
    assert seen[:, :4].sum() == 0
    arrivals = list(credit.arrivals(somebody, near_of(somebody, heard)))
    assert sum(len(hits.row) for _, hits in arrivals) == 0


def test_windows_by_hand() -> None:
    """Behaviour from the decision over the grid, answers from delivery; final with the last."""
    claims = claims_of([1], [1000 * H], [1005 * H])
    start, end = Credit(UPLIFT, DAY_MS).windows(claims)
    hours = {c.name: n for n, c in enumerate(UPLIFT.components)}
    for name, first, last in (
        ("session", 1000, 1048),
        ("conversion", 1000, 1048),
        ("opt_out", 1000, 1192),
        ("click", 1005, 1029),
        ("message", 1000, 1000),
    ):
        n = hours[name]
        assert (start[0, n] // H, end[0, n] // H) == (first, last)
    assert Credit(UPLIFT, DAY_MS).final_ms(claims).tolist() == [1192 * H]
    assert Credit(ENGAGEMENT, DAY_MS).final_ms(claims).tolist() == [1029 * H]


def test_what_stops_a_plan_counts_from_the_decision_on() -> None:
    claims = claims_of([1], [0], [5])
    for kinds, first in (((Kind.CANCELLED,), 0), ((Kind.CLICKED,), 5)):
        credit = Credit(scheme_of(kinds=kinds, measure="any", window_ms=10), horizon_ms=7)
        start, end = credit.windows(claims)
        assert (start.item(), end.item()) == (first, 15)
        assert credit.last_age_ms(credit.scheme.components[0]) == (17 if first == 0 else 10)


@pytest.mark.parametrize(
    ("delivered", "sent"),
    [
        ([], 5 * H),
        ([7 * H], 7 * H),
        ([9 * H, 7 * H, 8 * H], 7 * H),  # the first of several, in whichever order
        ([-2 * H], 0),  # a clock that is behind
        ([5 * H + DAY_MS - 1], 5 * H + DAY_MS - 1),
        ([5 * H + DAY_MS], 5 * H),  # after the row was final without it
        ([4000 * DAY_MS, 6 * H], 6 * H),
    ],
)
def test_a_plan_was_sent_when_it_was_first_delivered(delivered: list[int], sent: int) -> None:
    credit = Credit(
        scheme_of(kinds=(Kind.CLICKED,), measure="any", window_ms=DAY_MS), horizon_ms=DAY_MS
    )
    planned = claims_of([1], [1000 * DAY_MS], [1000 * DAY_MS + 5 * H])
    at_ms = 1000 * DAY_MS + np.array(delivered, np.int64)
    found = credit.sent_ms(planned, np.zeros(len(delivered), np.int64), at_ms)
    assert (found - 1000 * DAY_MS).tolist() == [sent]


def test_the_first_heard_of_answers_of_a_kind_is_what_teaches() -> None:
    """Two clicks are one that is there; two purchases are two."""
    heard = HeardOutcomes()
    for n, (kind, at, received) in enumerate(
        [
            (Kind.CLICKED, 3, 90),
            (Kind.CLICKED, 7, 8),
            (Kind.CONVERTED, 3, 4),
            (Kind.CONVERTED, 5, 6),
        ]
    ):
        heard.tell(
            outcomes_of(
                kind,
                np.array([n]),
                user=np.array([1]),
                at_ms=np.array([at]),
                received_ms=np.array([received]),
                decision_id=np.array([100 if kind == Kind.CLICKED else -1]),
            )
        )
    click = Component(name="a", kinds=(Kind.CLICKED,), measure="any", weight=1.0, window_ms=50)
    bought = Component(name="b", kinds=(Kind.CONVERTED,), measure="count", weight=1.0, window_ms=50)
    scheme = RewardScheme(name="s", objective="engagement", components=(click, bought))
    claims = claims_of([1], [0])
    found = [
        (r, hits.received_ms.tolist())
        for r, hits in Credit(scheme, horizon_ms=2).arrivals(claims, near_of(claims, heard))
    ]
    assert found == [(0, [8]), (1, [4, 6])]


def test_attributed_purchases_count_for_the_decision_they_name_alone() -> None:
    """And those that name none for no one; by time, every one of them counts for everybody."""
    heard = HeardOutcomes()
    heard.tell(
        outcomes_of(
            Kind.CONVERTED,
            np.arange(3),
            user=np.array([1, 1, 1]),
            at_ms=np.array([5, 6, 7]),
            decision_id=np.array([100, 101, -1]),
        )
    )
    claims = claims_of([1, 1], [0, 0], [6, 6])
    by_id = Credit(scheme_of(measure="count", is_attributed=True), horizon_ms=10)
    by_time = Credit(scheme_of(measure="count"), horizon_ms=10)
    assert by_id.seen(claims, near_of(claims, heard))[:, 0].tolist() == [0.0, 1.0]
    assert by_time.seen(claims, near_of(claims, heard))[:, 0].tolist() == [3.0, 3.0]


@given(
    st.lists(
        st.tuples(st.integers(0, 3), st.integers(0, 4), st.integers(0, 10**6)),
        max_size=30,
        unique_by=lambda told: told[2],
    ),
    st.sampled_from([1, 1 << 40]),
)
def test_outcomes_are_in_order_of_whose_time_and_id(
    told: list[tuple[int, int, int]], apart: int
) -> None:
    """Ties of time by id; also where whose and time fit into no one key."""
    whose, at_ms, ids = (
        np.array(c, np.int64) for c in (zip(*told, strict=True) if told else ([], [], []))
    )
    whose = whose * apart
    found = _in_order({"at_ms": at_ms * apart, "outcome_id": ids}, whose)
    expected = [n for *_, n in sorted((w, a, n) for w, a, n in told)]
    assert found["outcome_id"].tolist() == expected


def test_owners_are_found_both_ways_and_as_of_a_time() -> None:
    """A device of a user who turned out to be another: chains, and when they held."""
    links = Links.of(np.array([7, 8]), np.array([1, 7]), at_ms=np.array([200, 100]))
    owners = Owners(links)
    position, owner = owners.of(np.array([8, 9]))
    assert sorted(zip(position.tolist(), owner.tolist(), strict=True)) == [
        (0, 1),
        (0, 7),
        (0, 8),
        (1, 9),
    ]
    position, ids = owners.ids_of(np.array([1, 7, 9]))
    assert sorted(zip(position.tolist(), ids.tolist(), strict=True)) == [
        (0, 1),
        (0, 7),
        (0, 8),
        (1, 7),
        (1, 8),
        (2, 9),
    ]
    asked = {(8, 7): [False, True, False], (8, 1): [False, False, True], (8, 8): [True] * 3}
    for (device, user), expected in asked.items():
        at = np.array([50, 150, 250])
        owned = owners.owned(np.full(3, device), np.full(3, user), at)
        assert owned.tolist() == expected


def test_users_whose_ids_changed_are_those_a_changed_link_leads_to() -> None:
    """The same links in another object change nobody; a later time, or a link more, does."""

    def made(device: list[int], user: list[int], at_ms: list[int]) -> Owners:
        return Owners(Links.of(np.array(device), np.array(user), at_ms=np.array(at_ms)))

    old = made([7, 8, 5], [1, 7, 4], [200, 100, 100])
    assert made([5, 8, 7], [4, 7, 1], [100, 100, 200]).changed_since(old).tolist() == []
    # Every id that 8 leads to, now or before, among them itself.
    assert made([7, 8, 5], [1, 7, 4], [200, 150, 100]).changed_since(old).tolist() == [1, 7, 8]
    assert made([7, 8, 5, 9], [1, 7, 4, 5], [200, 100, 100, 5]).changed_since(old).tolist() == [
        4,
        5,
        9,
    ]
    assert old.changed_since(ALONE).tolist() == [1, 4, 5, 7, 8]
    assert ALONE.changed_since(ALONE).tolist() == []


def test_a_user_of_a_hundred_thousand_events_is_counted_in_bounded_memory() -> None:
    """Forty decisions × 100,000 sessions are four million pairs; they are never all there."""
    heard = HeardOutcomes()
    n = 100_000
    heard.tell(
        outcomes_of(Kind.SESSION, np.arange(n), user=np.zeros(n, np.int64), at_ms=np.arange(n))
    )
    claims = claims_of([0] * 60, list(range(60)))
    credit = Credit(scheme_of(kinds=(Kind.SESSION,), measure="count"), horizon_ms=DAY_MS)
    near = near_of(claims, heard)
    parts = [len(hits.row) for _, hits in credit.arrivals(claims, near)]
    assert max(parts) <= 1 << 22
    assert credit.seen(claims, near)[:, 0].tolist() == [float(n - k) for k in range(60)]
