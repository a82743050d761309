"""Duolingo's recovering difference softmax with sleeping arms.

Requests enter; one reminder a row leaves, at a fixed hour of the user's clock: which of the items
that may be sent today (its templates; the others sleep) is drawn by a softmax over relative
scores, less a penalty for what this user was sent lately, from which an item recovers. Feedback
must say what else was on offer (``Joiner.list_width``): an item is compared with others within the
rounds in which it was eligible. Reference: Yancey and Settles (2020), "A sleeping, recovering
bandit algorithm for optimizing recurring notifications", KDD.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from bandit.actions import HOLD, Request
from bandit.errors import BadInputError
from bandit.outcomes import Feedback, RewardScheme
from bandit.protocols import Estimate, State
from bandit.short_lists import NO_ITEM
from bandit.slots import DAY_MS
from policies.baselines.clock import nearest_open_slot
from policies.baselines.one_component import (
    expect_feedback,
    expect_request,
    tell,
    uplift_of_pairs,
)
from policies.baselines.pair_table import PairTable
from policies.baselines.recovering_math import (
    N_SUMS,
    arm_means,
    recency_penalty,
    relative_difference,
    round_sums,
)
from policies.checks import check_state
from policies.exploration import softmax
from policies.models.open_rows import OpenRows
from policies.shape import PolicyShape

__all__ = ["RecoveringParams", "RecoveringSoftmax"]

Array = NDArray[np.float64]
Whole = NDArray[np.int64]

_NEVER_MS = -1


@dataclass(frozen=True, slots=True, kw_only=True)
class RecoveringParams:
    """Constants of the paper, and the hour of the reminder.

    Parameters
    ----------
    sigma : float
        Rounds that the mean reward of an item's rounds is worth.
    gamma : float
        Penalty of an item sent just now, in units of the relative score.
    half_life_days : float
        After which half of it is gone.
    temperature : float
        τ of the softmax.
    hour : float
        Of the user's clock; the open slot nearest to it is taken.
    """

    sigma: float = 105.0
    gamma: float = 0.017
    half_life_days: float = 15.0
    temperature: float = 0.0025
    hour: float = 20.0

    def __post_init__(self) -> None:
        is_sound = min(self.sigma, self.half_life_days, self.temperature) > 0
        if not (is_sound and np.isfinite(self.sigma) and 0 <= self.gamma < np.inf):
            raise BadInputError(
                "expected sigma, half_life_days and temperature above 0, sigma and gamma finite, "
                f"gamma of at least 0, got {self}"
            )
        if not 0 <= self.hour < 24:
            raise BadInputError(f"expected an hour in [0, 24), got {self.hour}")


class RecoveringSoftmax:
    """The recovering difference softmax.

    Parameters
    ----------
    shape : PolicyShape
        Ranges of users and items; item ids of requests are codes below ``n_items``.
    scheme : RewardScheme
        The reward is the first component that is not a cost, cut to [0, 1], at weight 1.
    params : RecoveringParams, optional
        Constants.

    Notes
    -----
    Rounds are sends: P(item) is divided by P(send), as the paper's logs never hold, and holds
    teach nothing. Days are counted between decisions, of rows that have been told. Weights are
    ``1 / P(item)``: the exploration floor bounds them. Learning from its own sends without one, the
    softmax forgets what it knew, because one send at a probability of 1e-6 outweighs a day.
    """

    policy_id = "recovering_softmax"
    reads_lists: ClassVar[bool] = True
    cannot: ClassVar[Mapping[str, str]] = {
        "learns_identity": "it sees which item was sent, not the context",
        "holds_when_sends_are_dear": "it chooses which reminder, not whether, by design",
        "turns_with_the_encoder": "it reads no context",
    }

    def __init__(
        self, shape: PolicyShape, scheme: RewardScheme, *, params: RecoveringParams | None = None
    ) -> None:
        self.scheme, self.shape, self.params = scheme, shape, params or RecoveringParams()
        self.sums = np.zeros((shape.n_items, N_SUMS))
        never = np.full(1, _NEVER_MS, np.int64)
        self.sent_ms = PairTable(shape.n_users, shape.n_items, combine=np.maximum, missing=never)
        self.rows = OpenRows({"told": 2})

    def pmf(self, request: Request, key: int) -> Array:
        """Softmax over the items that may be sent, each at its slot, (N, A)."""
        expect_request(request, self.shape)
        pmf = np.zeros((request.n_rows, request.n_actions))
        n, n_items, n_slots = request.n_rows, request.n_items, request.n_slots
        pairs = request.mask[:, 1:].reshape(n, n_items, n_slots)
        is_eligible = np.asarray(pairs.any(axis=2))  # (N, K)
        sends = np.flatnonzero(is_eligible.any(axis=1))
        pmf[:, HOLD] = 1.0
        if not len(sends):
            return pmf
        pmf[sends, HOLD] = 0.0
        chosen = softmax(
            self.scores(request)[sends],
            is_eligible[sends],
            inverse_temperature=1.0 / self.params.temperature,
        )
        slot = nearest_open_slot(request, hour=self.params.hour)[sends]
        pmf[sends[:, None], 1 + np.arange(n_items) * n_slots + slot] = chosen
        return pmf

    def scores(self, request: Request) -> Array:
        """Score of every item less its recency penalty, (N, K)."""
        score = relative_difference(self.sums, sigma=self.params.sigma)[request.items]
        sent_ms = self.sent_ms.take(request.user[:, None], request.items)[..., 0]
        days = np.where(sent_ms == _NEVER_MS, np.inf, (request.at_ms[:, None] - sent_ms) / DAY_MS)
        return np.asarray(
            score
            - recency_penalty(
                days, gamma=self.params.gamma, half_life_days=self.params.half_life_days
            )
        )

    def estimate(self, request: Request) -> Estimate:
        """Mean reward where an item was sent less where another was; silence is not known."""
        expect_request(request, self.shape)
        sent, instead = arm_means(self.sums, sigma=self.params.sigma)
        gain = (sent - instead)[request.items][:, :, None] * np.ones(request.n_slots)
        nothing = np.zeros(request.n_rows)
        return uplift_of_pairs(
            request, self.scheme, base=(nothing, nothing), uplift=(gain, np.zeros_like(gain))
        )

    def update(self, feedback: Feedback) -> None:
        """Learn rows seen for the first time."""
        told, is_open = tell(feedback, self.scheme)
        expect_feedback(feedback, self.shape)
        self._expect_lists(feedback)
        self.rows.expect_new(feedback.decision_id)
        self._add(feedback, told, sign=1.0)
        self.rows.add(feedback.decision_id[is_open], {"told": told[is_open]})
        sent = feedback.is_send
        self.sent_ms.add(feedback.user[sent], feedback.item[sent], feedback.at_ms[sent, None])

    def revise(self, feedback: Feedback) -> None:
        """Replace what open rows taught; their lists come with them again."""
        told, is_open = tell(feedback, self.scheme)
        self._expect_lists(feedback)
        where = self.rows.positions(feedback.decision_id)
        self._add(feedback, self.rows.take("told", where), sign=-1.0)
        self._add(feedback, told, sign=1.0)
        self.rows.put("told", where, told)
        self.rows.drop(where[~is_open])

    def state(self) -> State:
        """Return the sums of all items, last sends and open rows."""
        return {"sums": self.sums.copy()} | self.sent_ms.state("sent_ms") | self.rows.state()

    def load(self, state: State) -> None:
        """Restore what :meth:`state` returned."""
        check_state(state, {"sums": self.sums.shape})
        self.sent_ms.load(state, "sent_ms")
        self.rows.load(state)
        self.sums = np.array(state["sums"], np.float64)

    def _add(self, feedback: Feedback, told: Array, *, sign: float) -> None:
        """Add rounds to the sums of every item that was eligible in them, or take them out."""
        row, place = np.nonzero((feedback.short_list != NO_ITEM) & feedback.is_send[:, None])
        item, weight = feedback.short_list[row, place], told[row, 1]
        terms = round_sums(
            feedback.p_items[row, place] / feedback.p_send[row],
            item == feedback.item[row],
            reward=np.where(weight > 0, told[row, 0] / np.where(weight > 0, weight, 1.0), 0.0),
            weight=weight,
        )
        np.add.at(self.sums, item, sign * terms)

    def _expect_lists(self, feedback: Feedback) -> None:
        listed = feedback.short_list[feedback.is_send]
        is_there = (listed == feedback.item[feedback.is_send, None]).any(axis=1)
        if not is_there.all():
            raise BadInputError(
                "expected feedback whose short lists hold what was sent, got rows without: make "
                "the join with list_width, the most items of a short list"
            )
        if listed.max(initial=0) >= self.shape.n_items:
            raise BadInputError(
                f"expected item ids below {self.shape.n_items} in short lists, got {listed.max()}"
            )
