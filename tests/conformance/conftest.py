"""Every registered policy, and the small worlds of the suite: what the laws are run on."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import pytest

from bandit.actions import Request, assemble
from bandit.loop import Loop, Step
from bandit.outcomes import Feedback, RewardScheme
from policies.conformance.case import Case
from policies.conformance.rows import feedback_of, request_of
from policies.conformance.walks import loop_of, walk
from policies.conformance.world import HITS, StateWorld, identity_world, tiny_world
from policies.registry import Entry, policies


@dataclass(frozen=True, slots=True, kw_only=True)
class Bench:
    """What the suite works with, in one fixture."""

    scheme: RewardScheme = HITS
    identity: Callable[..., StateWorld] = identity_world
    tiny: Callable[..., StateWorld] = tiny_world
    loop: Callable[..., Loop] = loop_of
    run: Callable[..., Iterator[tuple[Step, float]]] = walk
    request_of: Callable[..., Request] = request_of
    feedback_of: Callable[..., Feedback] = feedback_of
    assembled: Callable[..., Request] = assemble


@pytest.fixture(scope="session")
def bench() -> Bench:
    """Worlds, requests and feedback."""
    return Bench()


@pytest.fixture(scope="session")
def case_of() -> Callable[[Entry], Case]:
    """Make the case of one entry."""
    return lambda entry: Case(entry=entry)


@pytest.fixture(params=policies(), ids=lambda entry: entry.policy_id)
def case(request: pytest.FixtureRequest) -> Case:
    """Every registered policy in turn: nothing is skipped."""
    return Case(entry=request.param)
