"""The law of replay: the log is the truth, and a policy is rebuilt from it byte for byte.

A policy enters a walk of twelve days whose every decision is logged and whose every outcome is
written down as it is told; the law asks whether log and outcomes alone end in the same state.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from bandit.actions import Observation, Reason
from bandit.decide import Decisions
from bandit.draws import key_of
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
from policies.conformance.case import Case, bytes_of, expect
from policies.conformance.rows import request_of
from policies.conformance.world import HITS, StateWorld, tiny_world

__all__ = ["EMPTY_DAY", "LAWS", "N_DAYS", "N_USERS", "Walked", "join_of", "walk_logged"]

N_DAYS, N_USERS, CUT, EMPTY_DAY, ITEMS_LISTED = 12, 15, 7, 2, 2
OPEN = Rules(quiet_start_min=0, quiet_end_min=0, min_gap_ms=0, caps=(), one_open_plan=False)


@dataclass
class Told:
    """A join that writes down what it is told, and when it is looked at."""

    join: Joiner
    heard: list[Heard] = field(default_factory=list)
    waiting: list[Outcomes] = field(default_factory=list)
    batch: int = -1
    scheme: RewardScheme = HITS

    def add(self, decisions: Decisions) -> None:
        """Open decisions, and count the batch."""
        self.batch += decisions.n_rows > 0
        self.join.add(decisions)

    def receive(self, outcomes: Outcomes) -> None:
        """Take outcomes, and keep them until the next look."""
        self.waiting.append(outcomes)
        self.join.receive(outcomes)

    def advance(self, now_ms: int) -> tuple[Feedback, Feedback]:
        """Write down what was told since the last look, and look."""
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

    def dispatch(self, decisions: Decisions) -> NDArray[np.uint16]:
        """Return the reasons against each send, (N,)."""
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


class _Narrow:
    """A world in the encoder's own precision, and empty on the third day."""

    def __init__(self, world: StateWorld) -> None:
        self._world = world

    def __getattr__(self, name: str) -> Any:
        return getattr(self._world, name)

    def observe(self) -> Observation | None:
        self._world.n_users = 0 if self._world.day == EMPTY_DAY else N_USERS
        seen = self._world.observe()
        return seen and replace(seen, context=(seen.context / 3).astype(np.float32))


def join_of() -> Joiner:
    """Rows grow for three days: they are learned at once and revised."""
    return Joiner(
        HITS, horizon_ms=3 * DAY_MS, emission=Emission.DELAY_AWARE, list_width=ITEMS_LISTED
    )


def walk_logged(policy: Policy, folder: Path) -> Walked:
    """Twelve days of the loop, on one of which nobody is observed; contexts in float32."""
    world = tiny_world(n_days=N_DAYS, n_users=N_USERS)
    told = Told(join_of())
    consent = Consent(("offers",))
    consent.answer(np.arange(N_USERS), "offers", granted=True)

    with LogWriter(folder, batches_a_file=2) as store:
        loop = Loop(
            world=_Narrow(world),
            policy=policy,
            candidates=world.candidates,
            join=told,
            floor=Floor(),
            key=3,
            guard=Stops(rules=OPEN, consent=consent),
            store=store,
            modes=Holdout(share=0.2, key=4),
        )
        policies: list[Mapping[str, NDArray[Any]]] = []
        joins: list[Mapping[str, NDArray[Any]]] = []
        state_seq = []
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


def it_is_rebuilt_from_the_log_byte_for_byte(case: Case) -> None:
    """From nothing, and from a snapshot taken on the way; asked again it answers in the same bits.

    Fresh and revised rows, held-out users, cancelled sends, an empty day and float32 contexts.
    """
    shape = tiny_world(n_users=N_USERS).shape
    with TemporaryDirectory() as folder:
        walked = walk_logged(case.fresh(shape), Path(folder))
    n_rows = walked.log.num_rows
    expect(n_rows == N_USERS * (N_DAYS - 1), f"expected every decision in the log, got {n_rows}")
    policy, join = case.fresh(shape), join_of()
    n_consumed = relearn(walked.log, walked.heard, policy=policy, join=join)
    expect(
        n_consumed == walked.state_seq[-1] > n_rows,
        f"expected {walked.state_seq[-1]} rows of feedback from the log, got {n_consumed}",
    )
    _expect_same(policy.state(), walked.policies[-1], "the policy, relearned from the log")
    _expect_same(join.state(), walked.joins[-1], "the join, relearned from the log")
    asked = request_of(replace(shape, n_users=2), 20)
    key = key_of(policy.policy_id, n_consumed, 3)
    wanted = walked.policy.pmf(asked, key).tobytes()
    resumed = _resumed(case.fresh(shape), walked)
    for one, what in ((policy, "relearned"), (resumed, "resumed from a snapshot")):
        is_same = one.pmf(asked, key).tobytes() == wanted
        expect(is_same, f"expected the pmf of the policy that wrote the log, in bytes, from {what}")


def _resumed(resumed: Policy, walked: Walked) -> Policy:
    """From a snapshot on day seven and the rest of the log to the same end."""
    join = join_of()
    resumed.load(walked.policies[CUT])
    join.load(walked.joins[CUT])
    rest = walked.log.filter(pc.greater(walked.log["batch"], walked.heard[CUT].batch))
    n_more = relearn(rest, walked.heard[CUT + 1 :], policy=resumed, join=join)
    n_consumed = walked.state_seq[CUT] + n_more
    expect(
        n_consumed == walked.state_seq[-1],
        f"expected {walked.state_seq[-1]} rows of feedback in all, got {n_consumed}",
    )
    _expect_same(resumed.state(), walked.policies[-1], "the policy, resumed from a snapshot")
    _expect_same(join.state(), walked.joins[-1], "the join, resumed from a snapshot")
    return resumed


def _expect_same(got: Mapping[str, Any], wanted: Mapping[str, Any], what: str) -> None:
    apart = [name for name, told in bytes_of(wanted).items() if bytes_of(got).get(name) != told]
    expect(
        got.keys() == wanted.keys() and not apart,
        f"expected {what}, to be the same in bytes, got others: {apart or sorted(got)}",
    )


LAWS = (it_is_rebuilt_from_the_log_byte_for_byte,)
