from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np
import pytest

from bandit.actions import HOLD, ItemSet, Observation, Reason, Request
from bandit.decide import Decisions, Mode, Stamp
from bandit.floor import Floor
from bandit.guardrails import Guardrails
from bandit.holdout import Holdout
from bandit.join import Emission, Joiner
from bandit.loop import Loop
from bandit.outcomes import UPLIFT, Component, Feedback, Kind, Outcomes, RewardScheme, outcomes_of
from bandit.permissions import Consent
from bandit.protocols import Estimate, Policy, World
from bandit.rules import Rules
from bandit.slots import DAY_MS, HOUR_MS, full_hours

T0, N = 1_767_254_400_000, 8
OPEN = Rules(quiet_start_min=0, quiet_end_min=0, min_gap_ms=0, caps=(), one_open_plan=False)


@dataclass
class Days:
    """Eight users once a day for three days; everyone sent to converts, and all is written down."""

    told: list[str]
    n_days: int = 3
    day: int = 0
    done: Decisions | None = None

    @property
    def now_ms(self) -> int:
        return T0 + self.day * DAY_MS

    def observe(self) -> Observation | None:
        if self.day == self.n_days:
            return None
        self.told.append("observe")
        at_ms = np.full(N, self.now_ms)
        return Observation(
            user=np.arange(N),
            at_ms=at_ms,
            zone=np.full(N, "UTC"),
            context=np.ones((N, 1)),
            slot_features=np.zeros((N, 2, 1)),
            grid=full_hours(at_ms, ["UTC"] * N, n_slots=2),
        )

    def step(self, decisions: Decisions) -> None:
        self.told.append("step")
        self.done, self.day = decisions, self.day + 1

    def arrived(self) -> Outcomes:
        assert self.done is not None
        sent = np.flatnonzero(self.done.executed != HOLD)
        return outcomes_of(
            Kind.CONVERTED,
            self.done.decision_id[sent],
            user=self.done.request.user[sent],
            at_ms=self.done.request.at_ms[sent] + HOUR_MS,
        )

    def expected(self) -> tuple[Any, Any]:
        raise NotImplementedError("nobody asks")


@dataclass
class Watched:
    """Uniform over what may be taken; remembers what it was asked and taught."""

    told: list[str]
    policy_id: str = "watched"
    keys: list[int] = field(default_factory=list)
    learned: list[Feedback] = field(default_factory=list)
    revised: list[Feedback] = field(default_factory=list)
    cannot: ClassVar[Mapping[str, str]] = {}

    def pmf(self, request: Request, key: int) -> np.ndarray:
        self.told.append("pmf")
        self.keys.append(key)
        return request.mask / request.mask.sum(axis=1, keepdims=True)

    def estimate(self, request: Request) -> Estimate:
        raise NotImplementedError("nobody asks")

    def update(self, feedback: Feedback) -> None:
        self.told.append("update")
        self.learned.append(feedback)

    def revise(self, feedback: Feedback) -> None:
        self.revised.append(feedback)

    def state(self) -> Mapping[str, np.ndarray]:
        return {}

    def load(self, state: Mapping[str, np.ndarray]) -> None:
        """Nothing to restore."""


@dataclass
class Shelf:
    """A store that writes down when it was given something, or breaks."""

    told: list[str]
    kept: list[Decisions] = field(default_factory=list)
    is_broken: bool = False

    def append(self, decisions: Decisions) -> None:
        if self.is_broken:
            raise OSError("the disk is full")
        self.told.append("store")
        self.kept.append(decisions)


def candidates(observation: Observation) -> ItemSet:
    n = len(observation.user)
    return ItemSet(items=np.tile([3, 4, 5], (n, 1)), features=np.zeros((n, 3, 1)))


def loop_of(told: list[str] | None = None, **more: Any) -> Loop:
    told = [] if told is None else told
    given: dict[str, Any] = {
        "world": Days(told),
        "policy": Watched(told),
        "candidates": candidates,
        "join": Joiner(UPLIFT, emission=Emission.WHEN_FINAL),
        "floor": Floor(),
        "key": 5,
    }
    return Loop(**(given | more))


def test_a_turn_has_one_order() -> None:
    """Observed, asked, stored, carried out, learned; what is carried out was durable before."""
    told: list[str] = []
    loop = loop_of(told, store=Shelf(told))
    assert len(list(loop.run())) == 3
    assert told == ["observe", "pmf", "store", "step", "update"] * 3
    assert loop.turn() is None


def test_nothing_is_carried_out_that_could_not_be_stored() -> None:
    """The log is the truth: no row, no send."""
    told: list[str] = []
    loop = loop_of(told, store=Shelf(told, is_broken=True))
    with pytest.raises(OSError, match="full"):
        loop.turn()
    assert "step" not in told


def test_the_same_key_decides_the_same_and_another_otherwise() -> None:
    """Whole walks, decision by decision; ids never repeat."""
    one, two, other = ([step.decisions for step in loop_of(key=key).run()] for key in (5, 5, 6))
    for a, b in zip(one, two, strict=True):
        np.testing.assert_array_equal(a.planned, b.planned)
    assert any((a.planned != b.planned).any() for a, b in zip(one, other, strict=True))
    ids = np.concatenate([step.decision_id for step in one])
    assert len(np.unique(ids)) == 3 * N


def test_the_state_counts_what_was_learned_and_keys_the_policys_draws() -> None:
    """The same state draws the same; a new state draws anew."""
    loop = loop_of(world=Days([], n_days=12))
    steps = list(loop.run())
    assert isinstance(loop.policy, Watched)
    learned = sum(step.fresh.n_rows + step.revised.n_rows for step in steps)
    assert loop.state_seq == learned > 0
    sequences = [step.decisions.stamp.state_seq for step in steps]
    for i in range(1, len(steps)):
        same = sequences[i] == sequences[i - 1]
        assert (loop.policy.keys[i] == loop.policy.keys[i - 1]) == same


def test_a_decision_says_what_it_was_made_with() -> None:
    """Versions, floor, topic and campaign reach the log as the loop was given them."""
    floor = Floor(hold=0.1)
    loop = loop_of(encoder="two_stream@7", topic="news", campaign="spring", floor=floor)
    stamp = next(loop.run()).decisions.stamp
    assert stamp == Stamp(
        policy="watched",
        state_seq=0,
        floor=floor,
        encoder="two_stream@7",
        scheme="uplift",
        campaign="spring",
        topic="news",
    )


def test_a_loop_that_is_resumed_gives_new_ids() -> None:
    """Also within the same millisecond."""
    first = loop_of()
    done = next(first.run()).decisions
    again = next(loop_of(n_decided=first.n_decided).run()).decisions
    assert not np.isin(again.decision_id, done.decision_id).any()
    assert (done.request.at_ms == again.request.at_ms).all()


def test_a_frozen_policy_is_taught_nothing() -> None:
    """Outcomes are joined and returned all the same."""
    loop = loop_of(world=Days([], n_days=12), learns=False)
    steps = list(loop.run())
    assert isinstance(loop.policy, Watched)
    assert not loop.policy.learned
    assert loop.state_seq == 0
    assert sum(step.fresh.n_rows for step in steps) > 0


class Stops(Guardrails):
    """Everything may be planned; at dispatch, users 0 … 3 have withdrawn their consent."""

    def dispatch(self, decisions: Decisions) -> Any:
        withdrawn = (decisions.request.user < 4) & decisions.is_send
        return np.where(withdrawn, Reason.CONSENT, 0).astype(np.uint16)


def test_a_cancelled_send_keeps_its_action_and_is_learned() -> None:
    """Intention to treat: plan, propensity and feedback stay; the cancellation is an outcome."""
    consent = Consent(("offers",))
    consent.answer(np.arange(N), "offers", granted=True)
    cancelled = Component(name="stopped", kinds=(Kind.CANCELLED,), measure="value", weight=1.0)
    bought = Component(name="bought", kinds=(Kind.CONVERTED,), measure="count", weight=1.0)
    scheme = RewardScheme(name="s", objective="engagement", components=(cancelled, bought))
    told: list[str] = []
    shelf = Shelf(told)
    loop = loop_of(
        told,
        world=Days(told, n_days=8),
        guard=Stops(rules=OPEN, consent=consent),
        store=shelf,
        join=Joiner(scheme, emission=Emission.WHEN_FINAL),
    )
    steps = list(loop.run())
    assert isinstance(loop.policy, Watched)
    for step, stored in zip(steps, shelf.kept, strict=True):
        np.testing.assert_array_equal(step.decisions.planned, stored.planned)
        np.testing.assert_array_equal(step.decisions.propensity, stored.propensity)
        assert not step.decisions.executed[:4].any()
    rows = [feedback for feedback in loop.policy.learned if feedback.n_rows]
    user = np.concatenate([feedback.user for feedback in rows])
    is_send = np.concatenate([feedback.is_send for feedback in rows])
    stopped = np.concatenate([feedback.components[:, 0] for feedback in rows])
    assert (is_send & (user < 4)).any()
    np.testing.assert_array_equal(stopped, np.where(is_send & (user < 4), Reason.CONSENT, 0))


def test_masked_sends_are_never_planned() -> None:
    """A guard that forbids all leaves silence, and says why in the log."""
    told: list[str] = []
    shelf = Shelf(told)
    nobody = Guardrails(rules=OPEN, consent=Consent(("offers",)))
    for step in loop_of(told, guard=nobody, store=shelf).run():
        assert not step.decisions.planned.any()
        assert (step.decisions.propensity == 1).all()
    assert (shelf.kept[0].request.reasons[:, 1:] == Reason.CONSENT).all()


def test_held_out_users_are_planned_for_and_never_sent_to() -> None:
    """Their rows carry the mode, execute hold, and teach nothing."""
    holdout = Holdout(share=0.5, key=2)
    loop = loop_of(world=Days([], n_days=8), modes=holdout)
    out = holdout.holds_out(np.arange(N))
    assert 0 < out.sum() < N
    planned_for_held_out = False
    for step in loop.run():
        np.testing.assert_array_equal(step.decisions.mode == Mode.HOLDOUT, out)
        assert not step.decisions.executed[out].any()
        planned_for_held_out |= bool(step.decisions.planned[out].any())
        assert not np.isin(step.fresh.user, np.flatnonzero(out)).any()
    assert planned_for_held_out


def test_world_and_policy_are_what_the_protocols_ask_for() -> None:
    """Any object with the methods will do."""
    assert isinstance(Watched([]), Policy)
    assert isinstance(Days([]), World)
