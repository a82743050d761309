"""A policy with its companions: plans for whom it is shown, and learns from what it is told.

Observed users and candidate items enter, then outcomes; logged decisions and feedback leave. It
is the part of the one loop that knows no world (:mod:`bandit.loop` adds one), for who brings
users and outcomes of their own. DESIGN §1.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from bandit.actions import HOLD, ItemSet, Observation, assemble
from bandit.decide import Decisions, Stamp, decide, decision_ids, with_executed
from bandit.draws import key_of
from bandit.floor import Floor
from bandit.guardrails import cancellations
from bandit.outcomes import Feedback, Outcomes
from bandit.protocols import Guard, Join, Policy, Store

__all__ = ["Agent"]


@dataclass(slots=True, kw_only=True)
class Agent:
    """A policy at work.

    Parameters
    ----------
    policy, join
        See :mod:`bandit.protocols`.
    key : int
        Secret under which decisions are drawn.
    floor : Floor
        Exploration floor; one for every policy of a comparison.
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
        Running number of the next decision, for its id: an agent that is resumed goes on from it.
    """

    policy: Policy
    join: Join
    key: int
    floor: Floor = field(default_factory=Floor)
    guard: Guard | None = None
    store: Store | None = None
    modes: Callable[[NDArray[np.int64]], NDArray[np.uint8]] | None = None
    learns: bool = True
    encoder: str = ""
    topic: str = "offers"
    campaign: str = ""
    state_seq: int = 0
    n_decided: int = 0

    def decide(
        self, observation: Observation, items: ItemSet, *, now_ms: int | None = None
    ) -> Decisions:
        """Plan, log, ask the guard again, and open the decisions to outcomes.

        Parameters
        ----------
        observation : Observation
            N users at their decision times.
        items : ItemSet
            K candidates for each of them.
        now_ms : int, optional
            The clock, for sends that are stopped; the latest decision time without it.

        Returns
        -------
        Decisions
            ``executed`` says what is to be carried out.
        """
        decisions = self._plan(observation, items)
        latest_ms = int(observation.at_ms.max(initial=0))
        carried = self._dispatch(decisions, latest_ms if now_ms is None else now_ms)
        self.join.add(carried)
        return carried

    def learn(self, outcomes: Outcomes, *, now_ms: int) -> tuple[Feedback, Feedback]:
        """Join what has been heard by now and let the policy learn it.

        Returns
        -------
        fresh, revised : Feedback
            Rows learned for the first time, and rows learned anew.
        """
        self.join.receive(outcomes)
        fresh, revised = self.join.advance(now_ms)
        if self.learns:
            self.policy.update(fresh)
            self.policy.revise(revised)
            self.state_seq += fresh.n_rows + revised.n_rows
        return fresh, revised

    def _plan(self, observation: Observation, items: ItemSet) -> Decisions:
        """Draw once for everyone observed, and log the plans before anything is carried out."""
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

    def _dispatch(self, decisions: Decisions, now_ms: int) -> Decisions:
        """Ask the guard again; a cancelled send keeps its plan, its propensity and its row."""
        if self.guard is None:
            return decisions
        reasons: NDArray[np.uint16] = self.guard.dispatch(decisions)
        stopped = cancellations(decisions, reasons, now_ms=now_ms)
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
