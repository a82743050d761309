"""A policy over a policy: as much of it as cannot cost more than a share of a baseline's value.

Feedback of both enters. Each day some decisions are the policy's and all others the baseline's, by
a coin of user and day; their rewards, measured as in an experiment, bound from below what the
policy adds, at all times at once, and that bound says how many decisions are the policy's on later
days. No model is trusted, so it holds for any policy. References: Wu, Shariff, Lattimore
and Szepesvári (2016), "Conservative bandits"; Kazerouni, Ghavamzadeh, Abbasi-Yadkori and Van Roy
(2017), "Conservative contextual linear bandits".
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bandit.actions import Request
from bandit.errors import BadInputError
from bandit.outcomes import Feedback, RewardScheme
from bandit.protocols import Estimate, Policy, State
from policies.checks import part_of
from policies.conservative.bound_math import allowed_share, lower_bound
from policies.conservative.evidence import POLICY, Evidence
from policies.turning import turn

__all__ = ["Conservative", "ConservativeParams"]

Array = NDArray[np.float64]
_PARTS = ("inner", "baseline", "evidence")


@dataclass(frozen=True, slots=True, kw_only=True)
class ConservativeParams:
    """What may be lost, and how surely it is not.

    Parameters
    ----------
    slack : float
        Share of the baseline's value that may be lost.
    alpha : float
        Chance that the bound fails at any time.
    worst_loss : float
        Share of the baseline's value that the policy can lose at most, so that the policy's first
        share is ``slack / worst_loss``; 1 where rewards are never negative, less where it is known
        what any choice loses.
    baseline_share : float
        Of decisions that stay the baseline's for ever: the price of seeing when the policy fails.
    half_life_days : float
        After which what was measured counts half.
    drift : float
        Share of the baseline's value by which the difference may have moved since it was measured:
        0 where the world stands still.
    tuned_at : float
        Rows of the smaller group at which the bound is tightest.
    """

    slack: float = 0.02
    alpha: float = 0.05
    worst_loss: float = 1.0
    baseline_share: float = 0.05
    half_life_days: float = 28.0
    drift: float = 0.0
    tuned_at: float = 2000.0

    def __post_init__(self) -> None:
        positive = (self.slack, self.worst_loss, self.half_life_days, self.tuned_at)
        is_sound = all(0 < x < np.inf for x in positive) and self.slack < self.worst_loss
        is_sound &= 0 <= self.drift < np.inf
        if not (is_sound and 0 < self.alpha < 0.5 and 0 < self.baseline_share < 0.5):
            settings = (*positive, self.drift, self.alpha, self.baseline_share)
            raise BadInputError(
                "expected slack, worst_loss, half_life_days and tuned_at above 0, slack below "
                "worst_loss, drift of at least 0, alpha and baseline_share in (0, .5), got "
                f"{settings}"
            )


class Conservative:
    """An inner policy that is trusted as far as it was measured against a baseline.

    Parameters
    ----------
    inner : Policy
        Would decide.
    baseline : Policy
        Decides where the inner one is not trusted; both learn from all rows.
    params : ConservativeParams, optional
        How much may be lost.

    Notes
    -----
    Every row's pmf is that of the one or the other, so it is exact. The coin is tossed anew every
    day, so a decision's effect on later days is shared by both groups and not measured. A policy
    that turns bad faster than rows become final costs what it costs until then. A day's share is
    fixed when the first row of the day before is learned.

    Examples
    --------
    >>> from bandit.outcomes import ENGAGEMENT
    >>> from policies.baselines.fixed import NeverSend, RandomEligible
    >>> from policies.shape import PolicyShape
    >>> shape = PolicyShape(n_context=2, n_item_features=1, n_slot_features=1,
    ...                     n_users=7, n_items=1, n_slots=1)
    >>> Conservative(RandomEligible(shape, ENGAGEMENT), NeverSend(shape, ENGAGEMENT)).share
    0.02
    """

    policy_id = "conservative"

    def __init__(
        self, inner: Policy, baseline: Policy, *, params: ConservativeParams | None = None
    ) -> None:
        self.inner: Any = inner
        self.baseline: Any = baseline
        self.params = params or ConservativeParams()
        self.evidence = Evidence(
            n_components=len(self.scheme),
            share=self.params.slack / self.params.worst_loss,
            half_life_days=self.params.half_life_days,
        )

    def __getattr__(self, name: str) -> Any:
        """Whatever else the inner policy has, such as counts of behaviour that it is shown."""
        if name == "inner":  # not there yet, as in a copy that is being made
            raise AttributeError(name)
        return getattr(self.inner, name)

    @property
    def cannot(self) -> Mapping[str, str]:
        """Laws that the inner policy cannot meet, and what the baseline does instead of it."""
        theirs = {
            law: f"its baseline: {reason}"
            for law, reason in self.baseline.cannot.items()
            if law not in ("refuses_nan", "turns_with_the_encoder")
        }
        return {**theirs, **self.inner.cannot}

    @property
    def scheme(self) -> RewardScheme:
        """What a reward is; its weights apply from the next request on, measurements included."""
        scheme: RewardScheme = self.inner.scheme
        return scheme

    @scheme.setter
    def scheme(self, scheme: RewardScheme) -> None:
        self.inner.scheme = scheme
        self.baseline.scheme = scheme

    @property
    def share(self) -> float:
        """The inner policy's share of the decisions of coming days."""
        return self.evidence.share

    def allowed(self) -> float:
        """The share that what has been measured so far allows."""
        params = self.params
        policy, baseline = self.evidence.samples(self.scheme)
        lower = lower_bound(policy, baseline, alpha=params.alpha, tuned_at=params.tuned_at)
        lower -= params.drift * max(baseline.mean, 0.0)
        share = allowed_share(
            baseline.mean, lower, slack=params.slack, worst_loss=params.worst_loss
        )
        return min(share, 1.0 - params.baseline_share)

    def pmf(self, request: Request, key: int) -> Array:
        """That of the inner policy or of the baseline, row by row, (N, A)."""
        group = self.evidence.groups(request.user, request.at_ms)
        theirs = self.inner.pmf(request, key)
        base = self.baseline.pmf(request, key)
        return np.asarray(np.where((group == POLICY)[:, None], theirs, base))

    def estimate(self, request: Request) -> Estimate:
        """Return what the inner policy believes."""
        guess: Estimate = self.inner.estimate(request)
        return guess

    def update(self, feedback: Feedback) -> None:
        """Let both learn rows seen for the first time, and count what is final."""
        self.inner.update(feedback)
        self.baseline.update(feedback)
        days = self.evidence.new_days(feedback)
        if len(days):
            self.evidence.begin(days, self.allowed())
        self.evidence.add(feedback)

    def revise(self, feedback: Feedback) -> None:
        """Replace what open rows taught both, and count what has become final."""
        self.inner.revise(feedback)
        self.baseline.revise(feedback)
        self.evidence.add(feedback)

    def rotate(self, basis: Array, kept: float) -> None:
        """Follow the encoder's new basis, if the inner policy can; a baseline may read none."""
        turn(self.inner, basis, kept)
        if hasattr(self.baseline, "rotate"):
            self.baseline.rotate(basis, kept)

    def state(self) -> State:
        """Return the states of both policies and what was measured."""
        return {
            f"{part}.{name}": array
            for part in _PARTS
            for name, array in getattr(self, part).state().items()
        }

    def load(self, state: State) -> None:
        """Restore what :meth:`state` returned."""
        for part in _PARTS:
            getattr(self, part).load(part_of(state, f"{part}."))
