"""Weekly budgets: a slow planner says how many sends, any inner policy says which.

Feedback of users whose volume was drawn at random teaches what a volume is worth; its feature is
the volume that was *allocated*, not what was sent, because who leaves stops being sent anything. At
a decision each user's volume is cut at the threshold that uses up the budget, spread evenly over
the week, and on its turns the inner policy chooses among sends; otherwise the push is held.
Reference: Zhao et al. (2018), "Notification volume control and optimization system at Pinterest".
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from bandit.actions import HOLD, Reason, Request, take_requests
from bandit.draws import Stream, key_of, mix64, uniforms
from bandit.errors import BadInputError
from bandit.outcomes import Feedback, RewardScheme
from bandit.protocols import Estimate, Policy, State
from bandit.slots import HOUR_MS
from policies.baselines.volume_math import WEEK_MS, is_due, threshold, volumes, worths
from policies.checks import check_request, check_state, part_of
from policies.models.linear_head import HeadParams, LinearHead
from policies.parts import send_value
from policies.shape import PolicyShape

__all__ = ["BudgetParams", "WeeklyBudget"]

Array = NDArray[np.float64]
Whole = NDArray[np.int64]

_N_CONTEXTS = 512


@dataclass(frozen=True, slots=True, kw_only=True)
class BudgetParams:
    """The budget, and how volumes are learned.

    Parameters
    ----------
    per_week : float
        Sends a user and week that are to be had on average.
    least, most : int
        Of any user's volume.
    explore : float
        Share of user-weeks whose volume is drawn evenly from ``least`` to ``most``; the head
        learns from no others.
    decision_h : float
        Hours between two decisions of a user.
    horizon_h : float
        Length of the slot grid: behaviour counts for that long and a component's window.
    seed : int
        Of the random volumes: who gets which is the same whatever has been learned.
    """

    per_week: float = 2.0
    least: int = 0
    most: int = 7
    explore: float = 0.1
    decision_h: float = 24.0
    horizon_h: float = 24.0
    seed: int = 0

    def __post_init__(self) -> None:
        if not 0 <= self.least < self.most or not self.least <= self.per_week < np.inf:
            raise BadInputError(
                "expected 0 ≤ least < most and a finite per_week of at least least, got "
                f"{self.least}, {self.most}, {self.per_week}"
            )
        if not 0 <= self.explore <= 1 or min(self.decision_h, self.horizon_h) <= 0:
            raise BadInputError(
                "expected explore in [0, 1], decision_h and horizon_h above 0, got "
                f"{self.explore}, {self.decision_h}, {self.horizon_h}"
            )


class WeeklyBudget:
    """Volumes around an inner policy.

    Parameters
    ----------
    shape : PolicyShape
        Lengths of what requests will carry.
    scheme : RewardScheme
        Components and weights; a week's utility is their weighted sum.
    inner : Policy
        Chooses among sends.
    params : BudgetParams, optional
        Budget and exploration.
    volume : HeadParams, optional
        Prior and noise of what a volume is worth.

    Notes
    -----
    The paper has three classifiers of activity over four weeks; here a linear head with the
    context crossed with ``log(1 + k)`` and ``k`` stands for them, an outcome counted once for
    every decision whose interval holds it, and scaled back to the week.
    """

    policy_id = "weekly_budget"

    def __init__(
        self,
        shape: PolicyShape,
        scheme: RewardScheme,
        *,
        inner: Policy,
        params: BudgetParams | None = None,
        volume: HeadParams | None = None,
    ) -> None:
        self.inner, self.shape, self.params = inner, shape, params or BudgetParams()
        self.head = LinearHead(
            shape.n_context, 1 + shape.n_context, 2, scheme, volume or HeadParams()
        )
        self.rank = np.zeros(0, np.uint64)  # of the contexts kept, ascending
        self.contexts = np.zeros((0, shape.n_context))

    @property
    def cannot(self) -> Mapping[str, str]:
        """Laws that the inner policy cannot meet, and those that volumes cannot."""
        return {
            **self.inner.cannot,
            "learns_identity": "two sends a week are all that it may spend",
            "beats_uniform_on_tiny": "its volumes are learned from a tenth of forty users",
            "holds_when_sends_are_dear": "random volumes are carried out whatever sends cost",
            "turns_with_the_encoder": "what a volume is worth is learned in the old coordinates",
        }

    @property
    def scheme(self) -> RewardScheme:
        """What a reward is; its weights apply from the next request on."""
        return self.head.scheme

    @scheme.setter
    def scheme(self, scheme: RewardScheme) -> None:
        self.head.reweigh(scheme)
        self.inner.scheme = scheme  # type: ignore[attr-defined]

    def pmf(self, request: Request, key: int) -> Array:
        """The inner pmf among sends where one is due, hold elsewhere, (N, A)."""
        check_request(request, self._lengths)
        reasons = request.reasons.copy()
        can_send = request.mask[:, 1:].any(axis=1)
        sends = can_send & (self._is_due(request) | ~request.mask[:, HOLD])
        reasons[sends, HOLD] |= np.uint16(Reason.TASK)
        pmf = np.zeros((request.n_rows, request.n_actions))
        pmf[~sends, HOLD] = 1.0
        rows = np.flatnonzero(sends)
        if len(rows):
            asked = take_requests(replace(request, reasons=reasons), rows)
            pmf[rows] = self.inner.pmf(asked, key)
        return pmf

    def volume(self, user: Whole, at_ms: Whole, context: Array) -> Whole:
        """Sends a week that users are allocated, (N,)."""
        drawn, is_drawn = self._drawn(user, at_ms)
        params, known = self.params, self._worths(self.contexts)
        above = threshold(known, per_user=params.per_week - params.least) if len(known) else 0.0
        chosen = volumes(self._worths(context), least=params.least, above=above)
        return np.where(is_drawn, drawn, chosen)

    def estimate(self, request: Request) -> Estimate:
        """Return what the inner policy believes."""
        return self.inner.estimate(request)

    def update(self, feedback: Feedback) -> None:
        """Let the inner policy learn all rows, and the head those of random volumes."""
        self.inner.update(feedback)
        self.head.learn(self._of_volume(feedback))
        self._keep(feedback)

    def revise(self, feedback: Feedback) -> None:
        """Replace what open rows taught."""
        self.inner.revise(feedback)
        self.head.revise(self._of_volume(feedback))

    def state(self) -> State:
        """Return the inner state, the head's, and contexts that the threshold is found on."""
        parts = {"inner": self.inner.state(), "volume": self.head.state()}
        named = {f"{p}.{name}": array for p, part in parts.items() for name, array in part.items()}
        return named | {"rank": self.rank.copy(), "contexts": self.contexts.copy()}

    def load(self, state: State) -> None:
        """Restore what :meth:`state` returned."""
        check_state(state, {"rank": (-1,)})
        check_state(state, {"contexts": (len(state["rank"]), self.shape.n_context)})
        self.head.load(part_of(state, "volume."))
        self.inner.load(part_of(state, "inner."))
        self.rank = np.array(state["rank"], np.uint64)
        self.contexts = np.array(state["contexts"], np.float64)

    @property
    def _lengths(self) -> tuple[int, int, int]:
        shape = self.shape
        return shape.n_context, shape.n_item_features, shape.n_slot_features

    def _is_due(self, request: Request) -> NDArray[np.bool_]:
        phase = uniforms(self._key("phase"), request.user, stream=Stream.TIE)
        return is_due(
            request.at_ms,
            self.volume(request.user, request.at_ms, request.context),
            phase_ms=(phase * WEEK_MS).astype(np.int64),
            every_ms=round(self.params.decision_h * HOUR_MS),
        )

    def _drawn(self, user: Whole, at_ms: Whole) -> tuple[Whole, NDArray[np.bool_]]:
        """Volume that a user's week would be given at random, and whether it is."""
        week = mix64(user) + (at_ms // WEEK_MS).astype(np.uint64)
        share, which = (
            uniforms(self._key(name), week, stream=Stream.TIE) for name in ("share", "which")
        )
        least, most = self.params.least, self.params.most
        drawn = least + (which * (most - least + 1)).astype(np.int64)
        return drawn, np.asarray(share < self.params.explore)

    def _key(self, name: str) -> int:
        return key_of("weekly_budget", name, self.params.seed)

    def _of_volume(self, feedback: Feedback) -> Feedback:
        """Rows of random volumes, as sends of that volume to who the context describes."""
        drawn, is_drawn = self._drawn(feedback.user, feedback.at_ms)
        rows = np.flatnonzero(is_drawn)
        kept = feedback.take(rows)
        return replace(
            kept,
            is_send=drawn[rows] > 0,
            item_features=_crossed(kept.context),
            slot_features=_shapes(drawn[rows]),
        )

    def _worths(self, context: Array) -> Array:
        """What each further send a week is worth to users, (N, most − least)."""
        mean, _ = self.head.posterior()
        theta = self._a_week() @ mean[:, self.head.pair_block()]
        amounts = np.arange(self.params.most + 1)
        gains = _crossed(context) @ theta.reshape(-1, 2) @ _shapes(amounts).T  # (N, most + 1)
        cost = send_value(self.scheme)
        return worths(gains + cost * amounts, least=self.params.least)

    def _a_week(self) -> Array:
        """Weights of the learned components, from one decision's interval to a week, (R',)."""
        scaled = []
        for component in (self.scheme.components[i] for i in self.head.learned):
            interval_ms = self.params.horizon_h * HOUR_MS + component.window_ms
            if component.joins_by_id:  # a response belongs to one decision alone
                interval_ms = self.params.decision_h * HOUR_MS
            scaled.append(component.weight * WEEK_MS / interval_ms)
        return np.array(scaled)

    def _keep(self, feedback: Feedback) -> None:
        """Keep the contexts of an even sample of decisions, whatever their order."""
        rank = np.concatenate([self.rank, mix64(feedback.decision_id)])
        order = np.argsort(rank)[:_N_CONTEXTS]
        self.rank = rank[order]
        self.contexts = np.concatenate([self.contexts, feedback.context])[order]


def _crossed(context: Array) -> Array:
    """The context with a one before it, (N, 1 + D)."""
    return np.concatenate([np.ones((len(context), 1)), context], axis=1)


def _shapes(volume: Whole) -> Array:
    """What of a volume worth is made of: log(1 + k) and k in weeks of daily sends, (N, 2)."""
    return np.stack([np.log1p(volume), volume / 7.0], axis=1)
