"""The one loop: observe → candidates → guard → pmf → decide → log → dispatch → join → learn.

The main job, the simulator, the evaluator and the service all run this file, over the
protocols of :mod:`bandit.protocols`. What enters is a world, a policy and their companions;
what leaves is a log of decisions and a policy that has learned. DESIGN §1.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from bandit.agent import Agent
from bandit.decide import Decisions
from bandit.outcomes import Feedback
from bandit.protocols import Candidates, World

__all__ = ["Loop", "Step"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One turn of the loop: what was decided, and what was learned afterwards."""

    decisions: Decisions
    fresh: Feedback
    revised: Feedback


@dataclass(slots=True, kw_only=True)
class Loop(Agent):
    """A policy at work in a world.

    Parameters
    ----------
    world, candidates
        See :mod:`bandit.protocols`; the rest is that of :class:`bandit.agent.Agent`.
    """

    world: World
    candidates: Candidates

    def run(self) -> Iterator[Step]:
        """Turn until the world ends, yielding each step; stop early by leaving the iterator."""
        while (step := self.turn()) is not None:
            yield step

    def turn(self) -> Step | None:
        """Decide once for everyone observed, then learn what has arrived; ``None`` at the end."""
        observation = self.world.observe()
        if observation is None:
            return None
        items = self.candidates(observation)
        decisions = self.decide(observation, items, now_ms=self.world.now_ms)
        self.world.step(decisions)
        fresh, revised = self.learn(self.world.arrived(), now_ms=self.world.now_ms)
        return Step(decisions=decisions, fresh=fresh, revised=revised)
