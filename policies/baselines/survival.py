"""Send where it shortens the wait for the next visit: LinkedIn's survival threshold.

Decisions (by feedback) and visits (by :meth:`SurvivalThreshold.observe_visits`) enter. The time
from a decision to the user's next visit is Weibull, with its scale moved by the context and by
what was sent, and censored where none came. Holds and sends leave: the pair of the highest chance
of a visit, where it lifts that chance by more than a threshold of its own, else silence.
Reference: Yuan et al. (2019), "A state transition model for mobile notifications via survival
analysis", WSDM; the rule as Yuan et al. (2022), "Offline reinforcement learning for mobile
notifications", CIKM, state it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from bandit.actions import Request
from bandit.errors import BadInputError, StateError, expect_shape
from bandit.outcomes import Feedback, RewardScheme
from bandit.protocols import Estimate, State
from bandit.slots import HOUR_MS
from policies.baselines.one_component import first_learned, uplift_of_pairs
from policies.baselines.weibull_math import chance_within, fit
from policies.checks import check_feedback, check_request, check_scheme, check_state
from policies.exploration import best_action
from policies.parts import send_value
from policies.shape import PolicyShape

__all__ = ["SurvivalParams", "SurvivalThreshold"]

Array = NDArray[np.float64]
Whole = NDArray[np.int64]

_LEAST_H = 1.0 / 60.0
_NEVER_MS = np.iinfo(np.int64).max


@dataclass(frozen=True, slots=True, kw_only=True)
class SurvivalParams:
    """Threshold, horizon and what is kept.

    Parameters
    ----------
    threshold : float
        Least relative lift of the chance of a visit for which a push is sent.
    horizon_h : float
        Hours after a decision in which a visit counts; waits are censored there.
    penalty : float
        Ridge of the coefficients.
    n_rows : int
        Decisions that are fitted, the latest ones.
    """

    threshold: float = 0.05
    horizon_h: float = 24.0
    penalty: float = 1.0
    n_rows: int = 20_000

    def __post_init__(self) -> None:
        is_sound = 0 < self.horizon_h < np.inf and 0 < self.penalty < np.inf
        if not (is_sound and np.isfinite(self.threshold) and self.n_rows > 0):
            raise BadInputError(
                "expected a finite threshold, horizon_h and penalty above 0 and finite, n_rows of "
                f"at least 1, got {self}"
            )


class SurvivalThreshold:
    """Weibull waits for a visit, and a threshold on what a send does to them.

    Parameters
    ----------
    shape : PolicyShape
        Lengths of what requests will carry.
    scheme : RewardScheme
        A visit is worth the weight of the first component that is not a cost; a push that costs
        more than it brings is held.
    params : SurvivalParams, optional
        Threshold and fit.

    Notes
    -----
    The paper fits states of a badge; here the state is the context and the push, item and slot
    apart: ``[1, c, 1[send]·item, 1[send]·slot]``. Decisions are rows whether planned or carried
    out. The fit is made anew whenever visits are told, from nothing, over the rows that are kept.
    """

    policy_id = "survival"
    cannot: ClassVar[Mapping[str, str]] = {
        "learns_identity": "it learns from visits, and that world shows feedback only",
        "beats_uniform_on_tiny": "it learns from visits, and tiny shows feedback only",
        "turns_with_the_encoder": "its rows keep the context they were decided in",
    }

    def __init__(
        self, shape: PolicyShape, scheme: RewardScheme, *, params: SurvivalParams | None = None
    ) -> None:
        self.shape, self.scheme, self.params = shape, scheme, params or SurvivalParams()
        self.n_features = 1 + sum(self._lengths)
        self.decision_id, self.user, self.at_ms, self.visit_ms = np.zeros((4, 0), np.int64)
        self.features = np.zeros((0, self.n_features))
        self.visits = np.zeros((0, 2), np.int64)  # user and time, sorted
        self.now_ms = 0
        self.theta, self.weibull_shape = np.zeros(self.n_features), 1.0

    def pmf(self, request: Request, key: int) -> Array:
        """All mass on the send of the highest chance of a visit, or on hold, (N, A)."""
        before, after = self._chances(request)
        lift = after - before[:, None]
        worth = float(self.scheme.weights[first_learned(self.scheme)])
        is_sent = (lift > self.params.threshold * before[:, None]) & (
            worth * lift + send_value(self.scheme) > 0
        )
        # Those that are not to be sent stand below hold, for rows where holding is masked.
        values = np.where(is_sent, lift, lift - 2.0)
        hold = np.zeros((request.n_rows, 1))
        return best_action(np.concatenate([hold, values], axis=1), request.mask)

    def estimate(self, request: Request) -> Estimate:
        """Chance of a visit within the horizon, and what a send adds to it; no spread."""
        before, after = self._chances(request)
        lift = (after - before[:, None]).reshape(request.n_rows, request.n_items, request.n_slots)
        return uplift_of_pairs(
            request,
            self.scheme,
            base=(before, np.zeros_like(before)),
            uplift=(lift, np.zeros_like(lift)),
        )

    def update(self, feedback: Feedback) -> None:
        """Keep decisions; what followed is told by visits."""
        check_scheme(feedback.scheme, self.scheme)
        check_feedback(feedback, self._lengths)
        if np.isin(feedback.decision_id, self.decision_id).any():
            raise StateError("expected decisions learned once, got an id twice: call revise")
        sent = feedback.is_send[:, None]
        parts = [np.ones((feedback.n_rows, 1)), feedback.context]
        parts += [sent * feedback.item_features, sent * feedback.slot_features]
        first = self._first_visits(feedback.user, feedback.at_ms)
        ids = np.concatenate([self.decision_id, feedback.decision_id])
        kept = np.argsort(ids, kind="stable")[-self.params.n_rows :]
        self.decision_id = ids[kept]
        self.user = np.concatenate([self.user, feedback.user])[kept]
        self.at_ms = np.concatenate([self.at_ms, feedback.at_ms])[kept]
        self.visit_ms = np.concatenate([self.visit_ms, first])[kept]
        self.features = np.concatenate([self.features, np.concatenate(parts, axis=1)])[kept]

    def revise(self, feedback: Feedback) -> None:
        """Learn nothing: visits tell what followed, once."""

    def observe_visits(self, user: Whole, at_ms: Whole, *, now_ms: int) -> None:
        """Take all visits since the last call, and fit anew.

        Parameters
        ----------
        user, at_ms : ndarray of int, (M,)
            Who came when.
        now_ms : int
            By when all visits are told.
        """
        expect_shape("at_ms", at_ms, user.shape, "a time a visit")
        told = np.concatenate([self.visits, np.stack([user, at_ms], axis=1)])
        # As long as decisions may be told late by their own windows.
        recent = told[:, 1] >= now_ms - 20 * round(self.params.horizon_h * HOUR_MS)
        self.visits = np.unique(told[recent], axis=0)
        first = self._first_visits(self.user, self.at_ms)
        self.visit_ms = np.minimum(self.visit_ms, first)
        self.now_ms = now_ms
        self._fit()

    def state(self) -> State:
        """Return decisions, visits that are kept, and the fit."""
        return {
            "decision_id": self.decision_id.copy(),
            "user": self.user.copy(),
            "at_ms": self.at_ms.copy(),
            "visit_ms": self.visit_ms.copy(),
            "features": self.features.copy(),
            "visits": self.visits.copy(),
            "now_ms": np.array(self.now_ms),
            "theta": self.theta.copy(),
            "weibull_shape": np.array(self.weibull_shape),
        }

    def load(self, state: State) -> None:
        """Restore what :meth:`state` returned."""
        check_state(state, {"decision_id": (-1,), "visits": (-1, 2), "theta": self.theta.shape})
        n = len(state["decision_id"])
        columns = dict.fromkeys(("user", "at_ms", "visit_ms"), (n,))
        check_state(state, columns | {"features": (n, self.n_features)})
        check_state(state, {"now_ms": (), "weibull_shape": ()})
        for name in ("decision_id", "user", "at_ms", "visit_ms", "visits"):
            setattr(self, name, np.array(state[name], np.int64))
        self.features = np.array(state["features"], np.float64)
        self.theta = np.array(state["theta"], np.float64)
        self.now_ms, self.weibull_shape = int(state["now_ms"]), float(state["weibull_shape"])

    @property
    def _lengths(self) -> tuple[int, int, int]:
        shape = self.shape
        return shape.n_context, shape.n_item_features, shape.n_slot_features

    def _chances(self, request: Request) -> tuple[Array, Array]:
        """Chance of a visit within the horizon: by silence (N,), and by each send (N, K·S)."""
        check_request(request, self._lengths)
        n_context, n_item, _ = self._lengths
        of_base, of_item, of_slot = np.split(self.theta, [1 + n_context, 1 + n_context + n_item])
        base = of_base[0] + request.context @ of_base[1:]
        pairs = (request.item_features @ of_item)[:, :, None]
        pairs = pairs + (request.slot_features @ of_slot)[:, None, :]
        location = base[:, None] + pairs.reshape(request.n_rows, request.n_actions - 1)
        log_h = float(np.log(self.params.horizon_h))
        return (
            chance_within(log_h, self.weibull_shape, base),
            chance_within(log_h, self.weibull_shape, location),
        )

    def _first_visits(self, user: Whole, at_ms: Whole) -> Whole:
        """First visit of each user after an instant, or never, (N,)."""
        if not len(self.visits):
            return np.full(len(user), _NEVER_MS)
        place = _searched(self.visits, user, at_ms)
        next_user, next_ms = np.append(self.visits, [[-1, _NEVER_MS]], axis=0)[place].T
        return np.where(next_user == user, next_ms, _NEVER_MS)

    def _fit(self) -> None:
        """Fit waits of decisions that were watched for a while."""
        horizon_ms = round(self.params.horizon_h * HOUR_MS)
        until = np.minimum(self.at_ms + horizon_ms, self.now_ms)
        rows = np.flatnonzero(until > self.at_ms)
        ended = self.visit_ms[rows] <= until[rows]
        if not ended.any():
            return
        stop = np.where(ended, self.visit_ms[rows], until[rows])
        hours = np.maximum((stop - self.at_ms[rows]) / HOUR_MS, _LEAST_H)
        self.theta, self.weibull_shape = fit(
            self.features[rows], np.log(hours), ended, penalty=self.params.penalty
        )


def _searched(visits: Whole, user: Whole, at_ms: Whole) -> Whole:
    """Place of the first visit of (user, later than at_ms) in a table sorted by both, (N,)."""
    both = np.concatenate([visits, np.stack([user, at_ms], axis=1)])
    is_asked = np.repeat([False, True], [len(visits), len(user)])
    # Visits at the very instant come before the question, so that a later one is found.
    order = np.lexsort((is_asked, both[:, 1], both[:, 0]))
    n_before = np.cumsum(~is_asked[order])
    place = np.empty(len(user), np.int64)
    place[order[is_asked[order]] - len(visits)] = n_before[is_asked[order]]
    return place
