"""What young rows are said to end with, against how they end: right on average, in every way."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest

from bandit.actions import Request
from bandit.credit import Credit
from bandit.decide import Decisions
from bandit.errors import BadInputError
from bandit.floor import NO_FLOOR
from bandit.join import Emission, Joiner
from bandit.log import LogWriter, read_log
from bandit.outcomes import UPLIFT, Component, Feedback, Kind, Outcomes, RewardScheme, outcomes_of
from bandit.slots import DAY_MS, HOUR_MS
from policies.registry import build
from policies.shape import PolicyShape

Requests = Callable[..., Request]
Decides = Callable[..., Decisions]
Tells = Callable[[Decisions, np.random.Generator], list[Outcomes]]

T0, N, DAYS_APART = 1_767_254_400_000, 1000, 10


def scheme_of(**component: object) -> RewardScheme:
    fine = {"name": "c", "kinds": (Kind.CONVERTED,), "measure": "value", "weight": 1.0}
    return RewardScheme(
        name="one",
        objective="engagement",
        components=(Component(**(fine | component)),),  # type: ignore[arg-type]
    )


CLICKS = scheme_of(kinds=(Kind.CLICKED,), measure="any")
NET = scheme_of(subtracts=(Kind.REFUNDED,))


@dataclass(slots=True)
class Cohorts:
    """A thousand decisions every ten days, half of them holds, looked at young and final."""

    request_of: Requests
    decisions_of: Decides

    def walk(
        self, scheme: RewardScheme, tells: Tells, *, age_h: int, days: int = 12, taught: int = 6
    ) -> tuple[Feedback, Feedback]:
        """Feedback of all rows after the first cohorts: at an age, and as it ended."""
        rng, join = np.random.default_rng(4), Joiner(scheme)
        young: list[Feedback] = []
        ended: list[Feedback] = []
        for day in range(days):
            at_ms = T0 + day * DAYS_APART * DAY_MS
            decisions = self.decided(at_ms, first=N * day)
            join.add(decisions)
            looked_ms = at_ms + age_h * HOUR_MS
            told = tells(decisions, rng)
            for outcomes in told:
                join.receive(part(outcomes, outcomes.received_ms <= looked_ms))
            fresh, _ = join.advance(looked_ms)
            for outcomes in told:
                join.receive(part(outcomes, outcomes.received_ms > looked_ms))
            _, last = join.advance(at_ms + DAYS_APART * DAY_MS - 1)
            if day >= taught:
                young.append(fresh)
                ended.append(last)
        return joined(young), joined(ended)

    def decided(self, at_ms: int, *, first: int) -> Decisions:
        request = self.request_of(user=np.arange(N), at_ms=np.full(N, at_ms))
        pmf = np.zeros(request.mask.shape)
        pmf[::2, 0], pmf[1::2, 1] = 1.0, 1.0
        return self.decisions_of(request, pmf=pmf, floor=NO_FLOOR, first=first)


@pytest.fixture
def cohorts(request_of: Requests, decisions_of: Decides) -> Cohorts:
    return Cohorts(request_of, decisions_of)


def part(outcomes: Outcomes, rows: np.ndarray) -> Outcomes:
    return Outcomes(**{name: getattr(outcomes, name)[rows] for name in Outcomes.__slots__})


def joined(parts: list[Feedback]) -> Feedback:
    names = [name for name in Feedback.__slots__ if name != "scheme"]
    columns = {name: np.concatenate([getattr(p, name) for p in parts]) for name in names}
    return Feedback(**columns, scheme=parts[0].scheme)


def told(
    decisions: Decisions,
    rows: np.ndarray,
    after_h: np.ndarray,
    *,
    kind: Kind = Kind.CONVERTED,
    number: int = 0,
    way_h: float = 0.0,
    value: float = 1.0,
) -> Outcomes:
    """An outcome for some of the decisions, so many hours after each, heard of later."""
    at_ms = decisions.request.at_ms[rows] + (after_h * HOUR_MS).astype(np.int64)
    return outcomes_of(
        kind,
        decisions.decision_id[rows] * 4 + number,
        user=decisions.request.user[rows],
        at_ms=at_ms,
        received_ms=at_ms + int(way_h * HOUR_MS),
        value=value,
        decision_id=decisions.decision_id[rows] if kind.is_response else None,
    )


def clicks(p: float, *, scale_h: float, twice: bool = False) -> Tells:
    def tell(decisions: Decisions, rng: np.random.Generator) -> list[Outcomes]:
        sent = np.flatnonzero(decisions.is_send & (rng.random(N) < p))
        first = np.minimum(rng.exponential(scale_h, len(sent)), 23)
        outcomes = [told(decisions, sent, first, kind=Kind.CLICKED)]
        if twice:
            again = np.full(len(sent), 23.5)
            outcomes.append(told(decisions, sent, again, kind=Kind.CLICKED, number=1))
        return outcomes

    return tell


def gap_in_errors(young: Feedback, ended: Feedback, rows: np.ndarray) -> float:
    """How far the expected sum is from the sum in the end, in standard errors of the end."""
    off = young.components[rows, 0] - ended.components[rows, 0]
    return float(abs(off.sum()) / (np.sqrt(rows.sum()) * max(off.std(), 1e-12)))


def test_a_response_that_is_here_weighs_no_more_than_one_that_is_not(cohorts: Cohorts) -> None:
    """The mean of young rows under their maturity is the mean they end with.

    Were a click that is here known for sure and its absence only half, clicks would count twice
    as much as they should.
    """
    young, ended = cohorts.walk(CLICKS, clicks(0.1, scale_h=4.0), age_h=2)
    sent = ended.is_send
    weighted = np.average(young.components[sent, 0], weights=young.maturity[sent, 0])
    assert weighted == pytest.approx(ended.components[sent, 0].mean(), abs=0.015)
    assert len(np.unique(young.maturity[sent, 0].round(12))) == 6


def test_what_is_still_to_come_can_be_asked_between_two_looks(cohorts: Cohorts) -> None:
    """Nothing was heard of most rows since they were told: less is to come of them now."""
    join = Joiner(scheme_of(measure="count"))
    rng = np.random.default_rng(5)
    for day in range(4):
        decisions = cohorts.decided(T0 + day * DAYS_APART * DAY_MS, first=N * day)
        join.add(decisions)
        rows = np.flatnonzero(rng.random(N) < 0.3)
        join.receive(told(decisions, rows, 40.0 * rng.random(len(rows))))
        join.advance(T0 + (day + 1) * DAYS_APART * DAY_MS - 1)
    at_ms = T0 + 4 * DAYS_APART * DAY_MS
    decisions = cohorts.decided(at_ms, first=4 * N)
    join.add(decisions)
    views = {}
    for age_h in (16, 24):
        fresh, revised = join.advance(at_ms + age_h * HOUR_MS)
        views[age_h] = join.outlook(at_ms + age_h * HOUR_MS)
        assert views[age_h].n_rows == N
        assert revised.n_rows == 0
    young, older = (views[age_h].components.sum() for age_h in (16, 24))
    assert 0 < older < 0.85 * young
    assert (views[24].maturity > views[16].maturity).all()
    assert fresh.n_rows == 0
    assert join.advance(at_ms + 9 * DAY_MS)[1].n_rows == N


def test_records_that_travel_long_are_still_expected(cohorts: Cohorts) -> None:
    """Bought within the hour, heard of 20 hours later: at two hours all of it is to come."""

    def tell(decisions: Decisions, rng: np.random.Generator) -> list[Outcomes]:
        rows = np.flatnonzero(rng.random(N) < 0.4)
        return [told(decisions, rows, rng.random(len(rows)), way_h=20.0)]

    young, ended = cohorts.walk(scheme_of(measure="count"), tell, age_h=2)
    assert ended.components.mean() > 0.3
    assert young.components.mean() == pytest.approx(ended.components.mean(), rel=0.08)


def test_refunds_still_to_come_are_expected(cohorts: Cohorts) -> None:
    """Everything bought by hour 1 at 10, a third of it sent back at hour 40."""

    def tell(decisions: Decisions, rng: np.random.Generator) -> list[Outcomes]:
        bought = np.flatnonzero(rng.random(N) < 0.5)
        back = bought[rng.random(len(bought)) < 1 / 3]
        return [
            told(decisions, bought, np.full(len(bought), 1.0), value=10.0),
            told(
                decisions, back, np.full(len(back), 40.0), kind=Kind.REFUNDED, number=1, value=10.0
            ),
        ]

    young, ended = cohorts.walk(NET, tell, age_h=10)
    assert ended.components.mean() == pytest.approx(10 / 3, rel=0.1)
    assert young.components.mean() == pytest.approx(ended.components.mean(), rel=0.05)
    assert (young.maturity < 0.95).all()


def test_clicking_again_is_no_later_click(cohorts: Cohorts) -> None:
    """F is of the first: what comes after a click that is here changes nothing."""
    young, ended = cohorts.walk(CLICKS, clicks(0.3, scale_h=0.2, twice=True), age_h=6)
    sent = ended.is_send
    assert young.maturity[sent, 0].min() > 0.97
    expected, came = young.components[sent, 0].mean(), ended.components[sent, 0].mean()
    assert expected == pytest.approx(came, rel=0.02)


def test_a_send_whose_slot_is_to_come_is_expected_to_have_its_effect(cohorts: Cohorts) -> None:
    """Sends add .5 around hour 20; at hour 12 holds and sends have seen the same, and differ."""

    def tell(decisions: Decisions, rng: np.random.Generator) -> list[Outcomes]:
        base = np.flatnonzero(rng.random(N) < 0.8)
        added = np.flatnonzero(decisions.is_send & (rng.random(N) < 0.5))
        return [
            told(decisions, base, rng.random(len(base)) * 48),
            told(decisions, added, 19 + rng.random(len(added)), number=1),
        ]

    young, ended = cohorts.walk(scheme_of(measure="count"), tell, age_h=12, days=24, taught=12)
    for group in (False, True):
        assert gap_in_errors(young, ended, ended.is_send == group) < 4
    sent = ended.is_send
    uplift = young.components[sent, 0].mean() - young.components[~sent, 0].mean()
    assert uplift == pytest.approx(0.5, abs=0.05)


@pytest.mark.parametrize("grace_ms", [0, 6 * HOUR_MS])
@pytest.mark.parametrize("scheme", [CLICKS, UPLIFT], ids=["clicks", "uplift"])
def test_a_policy_can_follow_every_revision(
    request_of: Requests, decisions_of: Decides, scheme: RewardScheme, grace_ms: int
) -> None:
    """Not all of a row is mature before it is final, whatever was learned and whatever came.

    A head lets go of a row that is mature in all components; were it revised once more, that
    would be a row that was never learned.
    """
    shape = PolicyShape(
        n_context=2, n_item_features=3, n_slot_features=2, n_users=6, n_items=4, n_slots=3
    )
    policy = build("lints", shape, scheme=scheme)
    join = Joiner(scheme, grace_ms=grace_ms)
    # As if so many had come at once that the last bit of F would round up to 1.
    join.delays.rows[1] = 1e18
    join.delays.n_arrived[:, 1, 0] = join.delays.arrived[:, 1, 0, 0] = 1e18
    request = request_of(n_rows=6)
    pmf = np.zeros(request.mask.shape)
    pmf[:, 1] = 1.0
    sent = decisions_of(request, pmf=pmf, floor=NO_FLOOR)
    join.add(sent)
    last_ms = int(Credit(scheme, DAY_MS).last_age_ms(scheme.components[0]) + grace_ms)
    ages = [0, HOUR_MS, 30 * HOUR_MS, last_ms - 1, last_ms, 8 * DAY_MS + 1, 9 * DAY_MS]
    for number, age_ms in enumerate(sorted(ages)):
        one = number % 6
        for kind, outcome_id in ((Kind.CLICKED, number), (Kind.SESSION, 100 + number)):
            heard = told(sent, np.array([one]), np.array([1.0]), kind=kind)
            join.receive(replace(heard, outcome_id=np.array([outcome_id])))
        fresh, revised = join.advance(T0 + age_ms)
        policy.update(fresh)
        policy.revise(revised)
    assert join.states()["pending"] == 0
    assert len(policy.state()["open.decision_id"]) == 0


def test_a_delivery_dated_years_ahead_keeps_nothing_open(
    request_of: Requests, decisions_of: Decides
) -> None:
    """Nor does it keep every outcome since from being forgotten."""
    join, sent = Joiner(UPLIFT), decisions_of(request_of(n_rows=6))
    join.add(sent)
    join.receive(told(sent, np.arange(6), np.full(6, 24.0 * 4000), kind=Kind.DELIVERED))
    for day in range(60):
        row = np.array([0])
        session = told(sent, row, np.array([24.0 * day]), kind=Kind.SESSION)
        join.receive(replace(session, outcome_id=np.array([1000 + day])))
        join.advance(T0 + day * DAY_MS)
    assert join.states()["pending"] == 0
    assert join._heard.table.n_rows < 30


def test_outcomes_are_forgotten_though_nothing_is_decided() -> None:
    join = Joiner(UPLIFT)
    for day in range(100):
        one = np.array([day])
        join.receive(outcomes_of(Kind.SESSION, one, user=one, at_ms=T0 + one * DAY_MS))
        join.advance(T0 + day * DAY_MS)
    assert join._heard.table.n_rows < 20


@pytest.mark.parametrize("emission", list(Emission))
def test_a_turn_costs_what_came_and_memory_what_is_open(
    request_of: Requests,
    decisions_of: Decides,
    emission: Emission,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Sixty days, every six hours: rows that nothing happened to are not added up again."""
    looked: list[int] = []
    add_up = Credit.seen

    def watched(self: Credit, claims: object, near: object) -> np.ndarray:
        looked.append(claims.n_rows)  # type: ignore[attr-defined]
        return add_up(self, claims, near)  # type: ignore[arg-type]

    monkeypatch.setattr(Credit, "seen", watched)
    rng, join = np.random.default_rng(5), Joiner(UPLIFT, emission=emission)
    n_told, kept = 0, []
    for turn in range(60 * 4):
        at_ms = T0 + turn * 6 * HOUR_MS
        users = rng.permutation(400)[:100]
        request = request_of(user=users, at_ms=np.full(100, at_ms))
        join.add(decisions_of(request, first=100 * turn))
        who = rng.integers(400, size=20)
        ids = np.arange(n_told, n_told + 20)
        n_told += 20
        join.receive(outcomes_of(Kind.SESSION, ids, user=who, at_ms=np.full(20, at_ms + 5)))
        join.advance(at_ms + HOUR_MS)
        kept.append(join._heard.table.n_rows + join._closed.table.n_rows)
    # 8 days × 4 turns × 100 rows are open; of them the new ones, and those of two days whose
    # user had a session: about 20 users × 2 rows.
    assert max(looked[1:]) < 400
    assert join.states()["pending"] == 100 * 32
    assert max(kept) < 1.1 * kept[-1] < 8000


def test_a_grid_longer_than_the_joins_is_refused(
    request_of: Requests, decisions_of: Decides, tmp_path: Path
) -> None:
    """Where behaviour counts, fresh or from the log: its interval would end before the last slot.

    Told from the log again, decisions are the same decisions.
    """
    decisions = decisions_of(request_of(n_rows=2, n_slots=5))
    writer = LogWriter(tmp_path)
    writer.append(decisions)
    log = read_log(tmp_path)
    join = Joiner(UPLIFT, horizon_ms=2 * HOUR_MS)
    for add, told_by in ((join.add, decisions), (join.add_logged, log)):
        with pytest.raises(BadInputError, match="horizon_ms"):
            add(told_by)  # type: ignore[operator]
    join = Joiner(CLICKS, horizon_ms=2 * HOUR_MS)
    join.add(decisions)
    join.add_logged(log)
    assert (join.counts.decisions, join.counts.repeated) == (2, 2)
