"""The one loop: observe → candidates → guard → pmf → decide → log → dispatch → join → learn.

The main job, the simulator, the evaluator and the service all run this file, over the
protocols of :mod:`bandit.protocols`. What enters is a world, a policy and their companions;
what leaves is a log of decisions and a policy that has learned. DESIGN §1.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bandit.actions import HOLD, assemble
from bandit.decide import Decisions, Stamp, decide, decision_ids, with_executed
from bandit.draws import key_of
from bandit.floor import Floor
from bandit.guardrails import cancellations
from bandit.outcomes import Feedback
from bandit.protocols import Candidates, Guard, Join, Policy, Store, World

__all__ = ["Loop", "Step"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One turn of the loop: what was decided, and what was learned afterwards."""

    decisions: Decisions
    fresh: Feedback
    revised: Feedback


@dataclass(slots=True, kw_only=True)
class Loop:
    """A policy at work in a world.

    Parameters
    ----------
    world, policy, candidates, join
        See :mod:`bandit.protocols`.
    floor : Floor
        Exploration floor; one for every policy of a comparison.
    key : int
        Secret under which decisions are drawn.
    guard : Guard, optional
        Guardrails; everything is allowed without one.
    store : Store, optional
        Where decisions are made durable before they are carried out.
    modes : callable, optional
        Mode of each user's decisions, such as :class:`bandit.holdout.Holdout`; live without it.
    learns : bool
        False freezes the policy: outcomes are joined and returned, not learned.
    encoder : str
        Version of the encoder that made the contexts, for the log.
    topic, campaign : str
        Consent class of the messages, the one that the guard is asked about, and what they belong
        to, for the log.
    state_seq : int
        Log position of the last feedback the policy has consumed.
    n_decided : int
        Running number of the next decision, for its id: a loop that is resumed goes on from it.
    """

    world: World
    policy: Policy
    candidates: Candidates
    join: Join
    floor: Floor
    key: int
    guard: Guard | None = None
    store: Store | None = None
    modes: Callable[[NDArray[np.int64]], NDArray[np.uint8]] | None = None
    learns: bool = True
    encoder: str = ""
    topic: str = "offers"
    campaign: str = ""
    state_seq: int = 0
    n_decided: int = 0

    def run(self) -> Iterator[Step]:
        """Turn until the world ends, yielding each step; stop early by leaving the iterator."""
        while (step := self.turn()) is not None:
            yield step

    def turn(self) -> Step | None:
        """Decide once for everyone observed, then learn what has arrived; ``None`` at the end."""
        decisions = self.decide()
        if decisions is None:
            return None
        decisions = self._dispatch(decisions)
        self.world.step(decisions)
        self.join.add(decisions)
        fresh, revised = self.learn()
        return Step(decisions=decisions, fresh=fresh, revised=revised)

    def decide(self) -> Decisions | None:
        """Plan for everyone observed, and log the plans before anything is carried out."""
        observation = self.world.observe()
        if observation is None:
            return None
        items = self.candidates(observation)
        reasons = None if self.guard is None else self.guard.plan(observation, items)
        request = assemble(observation, items, reasons=reasons)
        draws = key_of(self.policy.policy_id, self.state_seq, self.key)
        decisions = decide(
            self.policy.pmf(request, draws),
            request,
            key=self.key,
            stamp=self._stamp(),
            decision_id=decision_ids(request.at_ms, first=self.n_decided),
            mode=None if self.modes is None else self.modes(request.user),
        )
        self.n_decided += decisions.n_rows
        if self.store is not None:
            self.store.append(decisions)
        return decisions

    def learn(self) -> tuple[Feedback, Feedback]:
        """Join what has arrived by the world's clock and let the policy learn it."""
        self.join.receive(self.world.arrived())
        fresh, revised = self.join.advance(self.world.now_ms)
        if self.learns:
            self.policy.update(fresh)
            self.policy.revise(revised)
            self.state_seq += fresh.n_rows + revised.n_rows
        return fresh, revised

    def _dispatch(self, decisions: Decisions) -> Decisions:
        """Ask the guard again; a cancelled send keeps its plan, its propensity and its row."""
        if self.guard is None:
            return decisions
        reasons: NDArray[np.uint16] = self.guard.dispatch(decisions)
        stopped = cancellations(decisions, reasons, now_ms=self.world.now_ms)
        if stopped.n_rows:
            self.join.receive(stopped)
        carried = with_executed(decisions, np.where(reasons == 0, decisions.executed, HOLD))
        self.guard.record(carried)
        return carried

    def _stamp(self) -> Stamp:
        return Stamp(
            policy=self.policy.policy_id,
            state_seq=self.state_seq,
            floor=self.floor,
            encoder=self.encoder,
            scheme=self.join.scheme.name,
            campaign=self.campaign,
            topic=self.topic,
        )
