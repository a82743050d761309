"""The join against a slow obvious one: every turn, every row, from all that was ever told."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from bandit.actions import ItemSet, Observation, SlotGrid, assemble
from bandit.decide import Decisions, Stamp, decide, decision_ids
from bandit.delays import DelayModel, expected_any
from bandit.floor import Floor
from bandit.identity import Links
from bandit.join import Emission, Joiner
from bandit.outcomes import Component, Feedback, Kind, Outcomes, RewardScheme
from bandit.slots import HOUR_MS

T0, HORIZON_H = 1_767_254_400_000, 3
EVERYTHING = RewardScheme(
    name="everything",
    objective="engagement",
    components=(
        Component(
            name="net",
            kinds=(Kind.CONVERTED,),
            measure="value",
            weight=1.0,
            window_ms=4 * HOUR_MS,
            subtracts=(Kind.REFUNDED,),
        ),
        Component(
            name="sessions",
            kinds=(Kind.SESSION,),
            measure="count",
            weight=0.1,
            window_ms=HOUR_MS,
        ),
        Component(
            name="left", kinds=(Kind.UNSUBSCRIBED,), measure="any", weight=-3, window_ms=9 * HOUR_MS
        ),
        Component(
            name="click", kinds=(Kind.CLICKED,), measure="any", weight=1.0, window_ms=5 * HOUR_MS
        ),
        Component(
            name="stopped", kinds=(Kind.CANCELLED,), measure="any", weight=0, window_ms=HOUR_MS
        ),
        Component(
            name="attributed",
            kinds=(Kind.CONVERTED,),
            measure="count",
            weight=1.0,
            window_ms=5 * HOUR_MS,
            is_attributed=True,
        ),
        Component(name="message", kinds=(), measure="send", weight=-0.1),
    ),
)
KINDS = (
    *(Kind.CONVERTED, Kind.CONVERTED, Kind.REFUNDED, Kind.SESSION, Kind.UNSUBSCRIBED),
    *(Kind.CLICKED, Kind.CANCELLED, Kind.DELIVERED),
)
LINKS = Links.of(np.array([3, 2, 1]), np.array([2, 1, 0]), at_ms=T0 + np.array([4, 9, 0]) * HOUR_MS)


def decided(users: list[int], at_ms: int, first: int) -> Decisions:
    """Two items, three hours; uniform."""
    n = len(users)
    start_ms = at_ms + np.tile(np.arange(HORIZON_H) * HOUR_MS, (n, 1))
    observation = Observation(
        user=np.array(users, np.int64),
        at_ms=np.full(n, at_ms),
        zone=np.full(n, "UTC"),
        context=np.arange(n, dtype=np.float64)[:, None],
        slot_features=np.zeros((n, HORIZON_H, 1)),
        grid=SlotGrid(start_ms=start_ms, end_ms=start_ms + HOUR_MS),
    )
    items = ItemSet(items=np.tile(np.arange(2), (n, 1)), features=np.zeros((n, 2, 1)))
    request = assemble(observation, items)
    return decide(
        request.mask / request.mask.sum(axis=1, keepdims=True),
        request,
        key=2,
        stamp=Stamp(policy="any", state_seq=0, floor=Floor()),
        decision_id=decision_ids(request.at_ms, first=first),
    )


@dataclass
class SlowRow:
    decision_id: int
    user: int
    at_ms: int
    planned_ms: int
    is_send: bool
    seen: list[float]
    is_emitted: bool = False
    next_ms: int = 0
    sent_ms: int = 0


@dataclass
class SlowJoin:
    """No index, no memory of what was counted: lists of all rows and all outcomes."""

    scheme: RewardScheme
    emission: Emission
    grace_ms: int
    links: Links | None = None
    rows: list[SlowRow] = field(default_factory=list)
    told: dict[int, dict[str, Any]] = field(default_factory=dict)
    ends: dict[int, bool] = field(default_factory=dict)  # decision → was it rewarded

    def __post_init__(self) -> None:
        ages = []
        for component in self.scheme.components:
            waits = component.name in ("click", "attributed", "message")
            ages.append(component.window_ms + (0 if waits else HORIZON_H * HOUR_MS) + self.grace_ms)
        self.delays = DelayModel(np.array(ages, np.float64))

    def add(self, decisions: Decisions) -> None:
        for n, decision_id in enumerate(decisions.decision_id.tolist()):
            self.rows.append(
                SlowRow(
                    decision_id=decision_id,
                    user=int(decisions.request.user[n]),
                    at_ms=int(decisions.request.at_ms[n]),
                    planned_ms=int(decisions.slot_start_ms[n]),
                    is_send=bool(decisions.is_send[n]),
                    seen=[0.0] * len(self.scheme),
                )
            )

    def receive(self, outcomes: Outcomes) -> None:
        for n, outcome_id in enumerate(outcomes.outcome_id.tolist()):
            columns = {name: getattr(outcomes, name)[n].item() for name in Outcomes.__slots__}
            self.told.setdefault(outcome_id, columns)

    def advance(self, now_ms: int) -> list[dict[int, tuple[list[float], list[float]]]]:
        """Components and maturity by decision: fresh, and revised."""
        emitted: list[dict[int, tuple[list[float], list[float]]]] = [{}, {}]
        outcomes, final = self._as_corrected(), []
        for row in self.rows:
            row.sent_ms = self._sent(row, outcomes)
            windows = [self._window(row, c) for c in self.scheme.components]
            is_final = max(end for _, end in windows) + self.grace_ms <= now_ms
            hits = [self._hits(row, n, outcomes) for n in range(len(windows))]
            seen = [self._seen(row, n, hits[n]) for n in range(len(windows))]
            if self.emission is Emission.WHEN_FINAL:
                is_due = is_final
            else:
                is_due = is_final or seen != row.seen or now_ms >= row.next_ms or not row.is_emitted
            row.seen = seen
            if is_due:
                emitted[row.is_emitted][row.decision_id] = self._expected(row, windows, now_ms)
                row.is_emitted = True
                row.next_ms = row.at_ms + 2 * max(now_ms - row.at_ms, HOUR_MS)
            if is_final:
                final.append((row, windows, hits))
        for row, windows, hits in final:
            self._learn(row, windows, hits)
            self.rows.remove(row)
        return emitted

    def _as_corrected(self) -> list[dict[str, Any]]:
        originals = {n: dict(o) for n, o in self.told.items() if o["corrects"] == -1}
        for outcome in sorted(self.told.values(), key=lambda o: (o["at_ms"], o["outcome_id"])):
            target, steps = outcome["outcome_id"], 0
            while target in self.told and self.told[target]["corrects"] != -1 and steps < 99:
                target, steps = self.told[target]["corrects"], steps + 1
            if outcome["corrects"] != -1 and target in originals:
                originals[target]["value"] = outcome["value"]
        return sorted(originals.values(), key=lambda o: (o["at_ms"], o["outcome_id"]))

    def _sent(self, row: SlowRow, outcomes: list[dict[str, Any]]) -> int:
        row.sent_ms = row.planned_ms
        last = max(end for _, end in (self._window(row, c) for c in self.scheme.components))
        came = [
            max(o["at_ms"], row.at_ms)
            for o in outcomes
            if o["kind"] == Kind.DELIVERED and o["decision_id"] == row.decision_id
        ]
        return min([at_ms for at_ms in came if at_ms < last], default=row.planned_ms)

    def _window(self, row: SlowRow, component: Component) -> tuple[int, int]:
        if component.name == "message":
            return row.at_ms, row.at_ms
        if component.name in ("click", "attributed"):
            return row.sent_ms, row.sent_ms + component.window_ms
        if component.name == "stopped":
            return row.at_ms, row.sent_ms + component.window_ms
        return row.at_ms, row.at_ms + HORIZON_H * HOUR_MS + component.window_ms

    def _hits(self, row: SlowRow, n: int, outcomes: list[dict[str, Any]]) -> list[dict[str, Any]]:
        component = self.scheme.components[n]
        start, end = self._window(row, component)
        found = []
        for outcome in outcomes:
            if component.joins_by_id:
                is_mine = outcome["decision_id"] == row.decision_id
            else:
                user = np.array([outcome["user"]])
                owner = user if self.links is None else self.links.resolve(user, at_ms=row.at_ms)
                is_mine = row.user in (outcome["user"], owner[0])
            if is_mine and outcome["kind"] in component.counted and start <= outcome["at_ms"] < end:
                found.append(outcome)
        return found

    def _mass(self, component: Component, outcome: dict[str, Any]) -> float:
        mass = outcome["value"] if component.measure == "value" else 1.0
        return -mass if outcome["kind"] in component.subtracts else float(mass)

    def _seen(self, row: SlowRow, n: int, hits: list[dict[str, Any]]) -> float:
        component = self.scheme.components[n]
        if component.measure == "send":
            return float(row.is_send)
        total = 0.0
        for hit in hits:
            total += self._mass(component, hit)
        return min(total, 1.0) if component.measure == "any" else total

    def _expected(
        self, row: SlowRow, windows: list[tuple[int, int]], now_ms: int
    ) -> tuple[list[float], list[float]]:
        components, maturity = [], []
        send = np.array([row.is_send])
        for n, component in enumerate(self.scheme.components):
            seen, age = np.array([row.seen[n]]), np.array([now_ms - windows[n][0]])
            if component.measure == "send" or windows[n][1] + self.grace_ms <= now_ms:
                expected, share = seen, np.ones(1)
            else:
                share = self.delays.share(n, age, is_send=send)
                rate = self.delays.mean(n, is_send=send)
                expected = (
                    expected_any(seen, share, rate)
                    if component.measure == "any"
                    else self.delays.expected(n, seen, age, is_send=send)
                )
            components.append(float(expected[0]))
            maturity.append(float(share[0]))
        return components, maturity

    def _learn(
        self, row: SlowRow, windows: list[tuple[int, int]], hits: list[list[dict[str, Any]]]
    ) -> None:
        self.delays.learn_rows(np.array([row.is_send]))
        for n, component in enumerate(self.scheme.components):
            arrived = [(o["received_ms"], self._mass(component, o)) for o in hits[n]]
            if component.measure == "any":
                arrived = sorted(arrived)[:1]
            for received_ms, mass in arrived:
                age = np.array([received_ms - windows[n][0]])
                self.delays.learn(n, age, np.array([mass]), is_send=np.array([row.is_send]))
        counted = [s for s, c in zip(row.seen, self.scheme.components, strict=True) if c.kinds]
        self.ends[row.decision_id] = any(seen != 0 for seen in counted)


a_turn = st.tuples(
    st.lists(st.integers(0, 3), max_size=3, unique=True),  # who is decided for
    # kind, whose or which decision, hours ago, hours on the way, value, what is corrected
    st.lists(
        st.tuples(
            st.integers(0, len(KINDS) - 1),
            st.integers(0, 7),
            st.integers(-5, 8),
            st.integers(0, 3),
            st.integers(1, 9),
            st.none() | st.integers(0, 40),
        ),
        max_size=4,
    ),
    st.integers(0, 40),  # tenths of an hour until the next turn
)


def turns_of(
    drawn: list[tuple[Any, ...]],
) -> Iterator[tuple[int, Decisions | None, Outcomes | None, int]]:
    """Decisions and outcomes of every turn, and the clock at its end."""
    now_ms, ids, n_told, users = T0, [], 0, []
    for who, told, tenths in drawn:
        decisions = decided(who, now_ms, len(ids)) if who else None
        if decisions is not None:
            ids += decisions.decision_id.tolist()
            users += who
        columns: dict[str, list[Any]] = {name: [] for name in Outcomes.__slots__}
        for kind, whose, ago_h, way_h, value, corrected in told:
            mine = whose % len(ids) if ids else -1
            at_ms = now_ms - ago_h * HOUR_MS // 2
            carries = mine >= 0 and (KINDS[kind].is_response or whose > 4)
            target = corrected if corrected is not None and corrected < n_told else -1
            row = {
                "outcome_id": n_told,
                "kind": KINDS[kind],
                "user": whose % 4,
                "at_ms": at_ms,
                "received_ms": max(at_ms, now_ms) + way_h * HOUR_MS // 3,
                "value": value,
                "decision_id": ids[mine] if carries else -1,
                "corrects": target,
                "currency": "",
            }
            n_told += 1
            for name, cell in row.items():
                columns[name].append(cell)
        outcomes = None
        if told:
            types = {"kind": np.uint8, "value": np.float64, "currency": np.str_}
            outcomes = Outcomes(
                **{n: np.array(c, types.get(n, np.int64)) for n, c in columns.items()}
            )
        now_ms += tenths * HOUR_MS // 10
        yield len(ids), decisions, outcomes, now_ms


def rows_of(feedback: Feedback) -> dict[int, tuple[list[float], list[float]]]:
    rows = zip(feedback.components.tolist(), feedback.maturity.tolist(), strict=True)
    return dict(zip(feedback.decision_id.tolist(), rows, strict=True))


@settings(max_examples=80, deadline=None)
@given(
    st.lists(a_turn, min_size=1, max_size=14),
    st.sampled_from(list(Emission)),
    st.sampled_from([0, HOUR_MS]),
    st.integers(0, 14),
    st.integers(0, 14),
)
def test_every_turn_says_what_a_plain_loop_over_everything_says(
    drawn: list[tuple[Any, ...]], emission: Emission, grace_ms: int, linked_at: int, saved_at: int
) -> None:
    """Who is learned, revised and final; sums exactly, expectations to the last digits.

    Links arrive in the middle, and once the state is saved and loaded into another join.
    """
    fast = Joiner(EVERYTHING, HORIZON_H * HOUR_MS, emission=emission, grace_ms=grace_ms)
    slow = SlowJoin(EVERYTHING, emission, grace_ms)
    turns = list(turns_of([*drawn, ([], [], 400), ([], [], 400)]))
    for turn, (_, decisions, outcomes, now_ms) in enumerate(turns):
        if turn == linked_at:
            fast.links = slow.links = LINKS
        if outcomes is not None:
            # Half of it before the decisions it may answer, all of it again afterwards.
            half = {n: getattr(outcomes, n)[::2] for n in Outcomes.__slots__}
            fast.receive(Outcomes(**half))
            slow.receive(outcomes)
        if turn == saved_at:
            saved, fast = fast.state(), replace(fast)
            fast.load(saved)
        if decisions is not None:
            fast.add(decisions)
            fast.add(decisions)
            slow.add(decisions)
        if outcomes is not None:
            fast.receive(outcomes)
        for found, expected in zip(fast.advance(now_ms), slow.advance(now_ms), strict=True):
            assert list(rows_of(found)) == list(expected)
            for decision_id, (components, maturity) in rows_of(found).items():
                np.testing.assert_allclose(components, expected[decision_id][0], rtol=1e-11)
                np.testing.assert_allclose(maturity, expected[decision_id][1], rtol=1e-11)
                is_done = decision_id in slow.ends
                assert (min(maturity) == 1.0) == is_done
                if is_done:
                    assert components == expected[decision_id][0]
    assert fast.states()["pending"] == 0
    states = fast.states()
    assert states["rewarded"] + states["defaulted"] + states["late"] == len(slow.ends)
