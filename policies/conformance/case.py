"""A policy under examination: how to make, teach and question it, and what it may be excused.

An entry enters; policies leave, fresh or taught a little, and verdicts on single laws: nothing,
the reason why the policy declares that it cannot, or :class:`LawBrokenError`.
"""

from __future__ import annotations

from collections.abc import Mapping
from copy import copy
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from bandit.actions import Request
from bandit.outcomes import RewardScheme
from bandit.protocols import Policy, State
from policies.baselines.taste_at_hour import TasteAtHour
from policies.conformance.rows import feedback_of
from policies.conformance.world import HITS
from policies.entry import Entry
from policies.explored import Explored
from policies.explorers.thompson import Thompson
from policies.registry import build_entry
from policies.shape import PolicyShape

__all__ = [
    "ANY_SHAPE",
    "EXCUSABLE",
    "Case",
    "LawBrokenError",
    "assert_close",
    "bytes_of",
    "expect",
    "expect_same_belief",
]

EXCUSABLE = frozenset(
    {
        "beats_uniform_on_tiny",
        "holds_when_sends_are_dear",
        "learns_identity",
        "permutes_slots",
        "refuses_nan",
        "revises_closely",
        "revises_exactly",
        "turns_with_the_encoder",
    }
)
"""What a policy may declare that it cannot, in ``cannot``; all other laws bind everyone."""

ANY_SHAPE = PolicyShape(
    n_context=3, n_item_features=4, n_slot_features=3, n_users=7, n_items=5, n_slots=4
)
"""Lengths of the requests that most laws ask with: A = 21 actions."""


class LawBrokenError(AssertionError):
    """A policy does not do what every policy must; the message says what was expected and came."""


def expect(is_so: bool | np.bool_, words: str) -> None:
    """Raise :class:`LawBrokenError` with these words unless it is so."""
    if not is_so:
        raise LawBrokenError(words)


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One policy under examination.

    Parameters
    ----------
    entry : Entry
        How it is built.
    shape : PolicyShape
        Lengths of the requests it is asked with; laws that walk in a world take the world's.
    options : mapping
        What differs from the entry's defaults, as read from TOML.
    """

    entry: Entry
    shape: PolicyShape = ANY_SHAPE
    options: Mapping[str, Any] = field(default_factory=dict)

    def fresh(self, shape: PolicyShape | None = None, scheme: RewardScheme = HITS) -> Policy:
        """Return the policy as built from its entry, with nothing learned."""
        return build_entry(self.entry, shape or self.shape, scheme=scheme, options=self.options)

    def taught(self, shape: PolicyShape | None = None) -> Policy:
        """Return the policy after fifty decisions, and what else it reads.

        A vector of each item, and a week of behaviour.
        """
        shape = shape or self.shape
        policy = self.fresh(shape)
        policy.update(feedback_of(shape, 50))
        if isinstance(policy, TasteAtHour) and policy.reads_vectors:
            policy.describe(np.random.default_rng(12).normal(size=(shape.n_items, shape.n_context)))
        counts: Any = getattr(policy, "counts", None)
        if hasattr(counts, "observe"):
            rng = np.random.default_rng(11)
            for _ in range(7):
                user = rng.integers(0, shape.n_users, 30)
                counts.observe(
                    item_user=user,
                    item=rng.integers(0, shape.n_items, 30),
                    slot_user=user,
                    slot=rng.integers(0, shape.n_slots, 30),
                )
        return policy

    def cannot(self, law: str) -> str | None:
        """Why the policy declares that it cannot meet a law; ``None`` if it can."""
        return self.fresh().cannot.get(law)

    def obeys(self, law: str, *, is_met: bool | np.bool_, words: str) -> str | None:
        """Return the declared reason against a law, ``None`` where it is met.

        Raises
        ------
        LawBrokenError
            If it is neither met nor declared, with these words; or if it is both.
        """
        reason = self.cannot(law)
        if reason is None:
            expect(is_met, f"{words}; a policy that cannot says so: `cannot = {{{law!r}: why}}`")
        else:
            expect(
                not is_met,
                f"expected {law} to fail, as `cannot` declares: it is met, drop it there",
            )
        return reason


def bytes_of(state: State) -> dict[str, tuple[str, tuple[int, ...], bytes]]:
    """Type, shape and bytes of every array of a state, to be compared with ``==``."""
    return {name: (a.dtype.str, a.shape, a.tobytes()) for name, a in state.items()}


def assert_close(got: State, wanted: State) -> None:
    """Raise unless two states have the same arrays, to 1e-10."""
    expect(got.keys() == wanted.keys(), f"expected arrays {sorted(wanted)}, got {sorted(got)}")
    for name, array in wanted.items():
        np.testing.assert_allclose(got[name], array, rtol=1e-10, atol=1e-10, err_msg=name)


def expect_same_belief(case: Case, asked: Request, got: Policy, wanted: Policy) -> str | None:
    """The same state; or, where a policy declares that it cannot, the same choices within 1 %.

    Entries of the pmf above .01, with draws enough for their share to be that exact; every entry
    within .05 where a policy declares that it cannot revise closely either.
    """
    apart = _difference(got.state(), wanted.state())
    words = f"expected both ways to end in one state, to 1e-10, got {apart}"
    reason = case.obeys("revises_exactly", is_met=not apart, words=words)
    if reason is not None:
        here, there = (_finely(one).pmf(asked, 9) for one in (got, wanted))
        if case.cannot("revises_closely"):
            np.testing.assert_allclose(here, there, rtol=0.0, atol=0.05)
            return reason
        counts = there > 0.01
        np.testing.assert_allclose(here[counts], there[counts], rtol=0.01, atol=0.0)
    return reason


def _finely(policy: Policy) -> Policy:
    """The same belief, asked with many more posterior draws."""
    if isinstance(policy, Explored) and isinstance(policy.explorer, Thompson):
        return Explored(policy.model, replace(policy.explorer, n_draws=50_000))
    if hasattr(policy, "inner"):
        around: Any = copy(policy)
        around.inner = _finely(around.inner)
        return around  # type: ignore[no-any-return]
    return policy


def _difference(got: State, wanted: State) -> str:
    """What sets two states apart, in words; empty where nothing does."""
    try:
        assert_close(got, wanted)
    except AssertionError as error:
        return " ".join(str(error).split())
    return ""
