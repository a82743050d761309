"""The log is the truth: every policy and its join are rebuilt from it, byte for byte."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest

from bandit.actions import Observation, Reason
from bandit.decide import Decisions
from bandit.draws import key_of
from bandit.errors import BadInputError
from bandit.floor import Floor
from bandit.guardrails import Guardrails
from bandit.holdout import Holdout
from bandit.join import Emission, Joiner
from bandit.log import LogWriter, read_log
from bandit.loop import Loop
from bandit.outcomes import Feedback, Outcomes, RewardScheme, no_outcomes
from bandit.permissions import Consent
from bandit.protocols import Policy
from bandit.replay import Heard, relearn
from bandit.rules import Rules
from bandit.slots import DAY_MS
from policies.registry import build

N_DAYS, N_USERS, CUT, EMPTY_DAY = 12, 15, 7, 2
OPEN = Rules(quiet_start_min=0, quiet_end_min=0, min_gap_ms=0, caps=(), one_open_plan=False)


@dataclass
class Told:
    """A join that writes down what it is told, and when it is looked at."""

    join: Joiner
    heard: list[Heard] = field(default_factory=list)
    waiting: list[Outcomes] = field(default_factory=list)
    batch: int = -1

    @property
    def scheme(self) -> RewardScheme:
        return self.join.scheme

    def add(self, decisions: Decisions) -> None:
        self.batch += decisions.n_rows > 0
        self.join.add(decisions)

    def receive(self, outcomes: Outcomes) -> None:
        self.waiting.append(outcomes)
        self.join.receive(outcomes)

    def advance(self, now_ms: int) -> tuple[Feedback, Feedback]:
        parts = [no_outcomes(), *self.waiting]
        columns = {
            name: np.concatenate([getattr(part, name) for part in parts])
            for name in Outcomes.__slots__
        }
        self.heard.append(Heard(batch=self.batch, outcomes=Outcomes(**columns), now_ms=now_ms))
        self.waiting.clear()
        return self.join.advance(now_ms)


class Stops(Guardrails):
    """At dispatch, every third user has withdrawn consent."""

    def dispatch(self, decisions: Decisions) -> Any:
        withdrawn = (decisions.request.user % 3 == 0) & decisions.is_send
        return np.where(withdrawn, Reason.CONSENT, 0).astype(np.uint16)


@dataclass(frozen=True, kw_only=True)
class Walked:
    """What a walk leaves: its log, what was heard, and where policy and join stood, day by day."""

    log: pa.Table
    heard: list[Heard]
    policies: list[Mapping[str, np.ndarray]]
    joins: list[Mapping[str, np.ndarray]]
    state_seq: list[int]
    policy: Policy


def join_of(scheme: RewardScheme) -> Joiner:
    """Rows grow for three days: they are learned at once and revised."""
    return Joiner(scheme, horizon_ms=3 * DAY_MS, emission=Emission.DELAY_AWARE)


def walk(policy: Policy, bench: Any, folder: Path) -> Walked:
    """Twelve days of the loop, on one of which nobody is observed; contexts in float32."""
    world = bench.tiny(n_days=N_DAYS, n_users=N_USERS)
    told = Told(join_of(bench.scheme))
    consent = Consent(("offers",))
    consent.answer(np.arange(N_USERS), "offers", granted=True)

    class Narrow:
        """The world, in the encoder's own precision, and empty on the third day."""

        def __getattr__(self, name: str) -> Any:
            return getattr(world, name)

        def observe(self) -> Observation | None:
            world.n_users = 0 if world.day == EMPTY_DAY else N_USERS
            seen = world.observe()
            return seen and replace(seen, context=(seen.context / 3).astype(np.float32))

    with LogWriter(folder, batches_a_file=2) as store:
        loop = Loop(
            world=Narrow(),
            policy=policy,
            candidates=world.candidates,
            join=told,
            floor=Floor(),
            key=3,
            guard=Stops(rules=OPEN, consent=consent),
            store=store,
            modes=Holdout(share=0.2, key=4),
        )
        policies, joins, state_seq = [], [], []
        while loop.turn() is not None:
            policies.append(policy.state())
            joins.append(told.join.state())
            state_seq.append(loop.state_seq)
    return Walked(
        log=read_log(folder),
        heard=told.heard,
        policies=policies,
        joins=joins,
        state_seq=state_seq,
        policy=policy,
    )


def _bytes(state: Mapping[str, np.ndarray]) -> dict[str, tuple[str, tuple[int, ...], bytes]]:
    return {name: (a.dtype.str, a.shape, a.tobytes()) for name, a in state.items()}


def test_a_policy_is_rebuilt_from_the_log_byte_for_byte(
    case: Any, bench: Any, tmp_path: Path
) -> None:
    """From nothing, and from a snapshot taken on the way; asked again it answers in the same bits.

    Fresh and revised rows, held-out users, cancelled sends, an empty day and float32 contexts.
    """
    shape = bench.tiny(n_users=N_USERS).shape
    walked = walk(case.fresh(shape), bench, tmp_path)
    assert len(walked.heard) == N_DAYS
    assert walked.log.num_rows == N_USERS * (N_DAYS - 1)
    policy, join = case.fresh(shape), join_of(bench.scheme)
    n_consumed = relearn(walked.log, walked.heard, policy=policy, join=join)
    assert n_consumed == walked.state_seq[-1] > walked.log.num_rows
    assert _bytes(policy.state()) == _bytes(walked.policies[-1])
    assert _bytes(join.state()) == _bytes(walked.joins[-1])
    key = key_of(policy.policy_id, n_consumed, 3)
    asked = bench.request_of(replace(shape, n_users=2), 20)
    assert policy.pmf(asked, key).tobytes() == walked.policy.pmf(asked, key).tobytes()

    resumed, its_join = case.fresh(shape), join_of(bench.scheme)
    resumed.load(walked.policies[CUT])
    its_join.load(walked.joins[CUT])
    rest = walked.log.filter(pc.greater(walked.log["batch"], walked.heard[CUT].batch))
    n_more = relearn(rest, walked.heard[CUT + 1 :], policy=resumed, join=its_join)
    assert walked.state_seq[CUT] + n_more == walked.state_seq[-1]
    assert _bytes(resumed.state()) == _bytes(policy.state())
    assert _bytes(its_join.state()) == _bytes(join.state())


@pytest.fixture(scope="module")
def walked(bench: Any, tmp_path_factory: pytest.TempPathFactory) -> Walked:
    """Twelve days of Thompson sampling."""
    return walk(fresh(bench), bench, tmp_path_factory.mktemp("log"))


def fresh(bench: Any) -> Policy:
    return build("lints", bench.tiny(n_users=N_USERS).shape, scheme=bench.scheme)


def test_the_log_says_how_much_had_been_learned_before_each_batch(walked: Walked) -> None:
    """``state_seq`` of its rows is what a replay of all that was heard until then consumes."""
    batch, state_seq = (np.asarray(walked.log[name]) for name in ("batch", "state_seq"))
    before = [0, *walked.state_seq]
    days = [day for day in range(N_DAYS) if day != EMPTY_DAY]
    assert np.unique(batch).tolist() == list(range(N_DAYS - 1))
    for number, day in enumerate(days):
        assert np.unique(state_seq[batch == number]).tolist() == [before[day]]


def test_rows_that_are_left_out_are_not_learned(walked: Walked, bench: Any) -> None:
    """As those of an erased user: the replay is of a world without them."""
    kept = walked.log.filter(pc.not_equal(walked.log["user"], 4))
    join = join_of(bench.scheme)
    n_consumed = relearn(kept, walked.heard, policy=fresh(bench), join=join)
    assert 0 < n_consumed < walked.state_seq[-1]
    assert join.counts.decisions == walked.log.num_rows - (N_DAYS - 1)


def test_what_is_out_of_order_is_refused(walked: Walked, bench: Any) -> None:
    """Batches of the log, and looks at the outcomes."""
    turned = walked.log.take(np.arange(walked.log.num_rows)[::-1])
    with pytest.raises(BadInputError, match="batches in log order, got 9 after 10"):
        relearn(turned, walked.heard, policy=fresh(bench), join=join_of(bench.scheme))
    with pytest.raises(BadInputError, match="looks in the order"):
        relearn(walked.log, walked.heard[::-1], policy=fresh(bench), join=join_of(bench.scheme))


def test_rows_of_two_encoders_are_not_mixed(walked: Walked, bench: Any) -> None:
    """Contexts of different lengths in one batch are refused by name."""
    n = walked.log.num_rows
    ragged = pa.array([[0.5]] + [[0.5, 0.5]] * (n - 1), pa.list_(pa.float64()))
    mixed = walked.log.set_column(
        walked.log.schema.get_field_index("context"), walked.log.schema.field("context"), ragged
    )
    with pytest.raises(BadInputError, match=r"context of one length, got rows of \[1, 2\]"):
        relearn(mixed, walked.heard, policy=fresh(bench), join=join_of(bench.scheme))
