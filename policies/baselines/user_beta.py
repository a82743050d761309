"""One Beta–Thompson agent a user, over the parts of a push: its item, its slot, and silence.

Feedback of one component enters; the exact share of M posterior draws under which each action is
best leaves. In every draw the user's best item is taken, then the best of its open slots, and the
push is held unless the item's draw is worth more than that of silence. Alone, every user starts
at Beta(1, 1); pooled, at the population's rate of the part, worth ``concentration`` rows.
Reference: Thompson (1933); Russo et al. (2018), "A tutorial on Thompson sampling", §3;
Aampe's agents, one a user over parts of messages. Pooling is empirical Bayes.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from bandit.actions import Request, take_requests
from bandit.errors import BadInputError
from bandit.outcomes import Feedback, RewardScheme
from bandit.protocols import Estimate, State
from policies.baselines.beta_draws import beta_draws, lanes
from policies.baselines.one_component import (
    expect_feedback,
    expect_request,
    first_learned,
    tell,
    uplift_of_pairs,
)
from policies.baselines.pair_table import PairTable
from policies.checks import check_state
from policies.models.linear_math import row_chunks
from policies.models.open_rows import OpenRows
from policies.parts import send_value
from policies.shape import PolicyShape

__all__ = ["BetaParams", "UserBeta"]

Array = NDArray[np.float64]
Whole = NDArray[np.int64]


@dataclass(frozen=True, slots=True, kw_only=True)
class BetaParams:
    """Prior and draws.

    Parameters
    ----------
    concentration : float
        Rows that the population's rates are worth to a user (push simulations use 6 to 30).
    n_draws : int
        M; the pmf's resolution is 1/M.
    """

    concentration: float = 12.0
    n_draws: int = 32

    def __post_init__(self) -> None:
        if not 0 < self.concentration < np.inf or self.n_draws < 1:
            raise BadInputError(
                "expected a finite concentration above 0 and n_draws of at least 1, got "
                f"{self.concentration}, {self.n_draws}"
            )


class UserBeta:
    """Beta–Thompson over the parts of a push.

    Parameters
    ----------
    shape : PolicyShape
        Ranges of users, items and slots; item ids of requests are codes below ``n_items``.
    scheme : RewardScheme
        A success is the first component that is not a cost, cut to [0, 1]; its weight, and known
        costs of sending, apply when asked.
    params : BetaParams, optional
        Prior and draws.
    is_pooled : bool
        Whether users start from the population's rates.
    """

    policy_id: str = "user_beta"
    cannot: ClassVar[Mapping[str, str]] = {
        "learns_identity": "an agent sees its user, not the context",
        "permutes_slots": "an agent knows a slot by its position",
        "turns_with_the_encoder": "agents read no context",
    }

    def __init__(
        self,
        shape: PolicyShape,
        scheme: RewardScheme,
        *,
        params: BetaParams | None = None,
        is_pooled: bool = True,
    ) -> None:
        self.scheme, self.params, self.is_pooled = scheme, params or BetaParams(), is_pooled
        self.shape = shape
        # Items, then slots, then silence: successes and rows of each user's parts.
        self.n_parts = shape.n_items + shape.n_slots + 1
        self.own = PairTable(shape.n_users, self.n_parts, combine=np.add, missing=np.zeros(2))
        self.everybody = np.zeros((self.n_parts, 2))
        self.rows = OpenRows({"told": 2})

    def pmf(self, request: Request, key: int) -> Array:
        """Share of M posterior draws under which each unmasked action is best, (N, A)."""
        expect_request(request, self.shape)
        pmf = np.zeros((request.n_rows, request.n_actions))
        bytes_a_row = 16 * self.params.n_draws * request.n_actions
        for rows in row_chunks(request.n_rows, bytes_a_row):
            asked = take_requests(request, np.arange(request.n_rows)[rows])
            pmf[rows] = self._best_shares(asked, key)
        return pmf

    def estimate(self, request: Request) -> Estimate:
        """Mean and spread of the component; a pair is judged by its item, less silence."""
        expect_request(request, self.shape)
        mean, variance = _moments(*self._posterior(request.user, self._parts(request)))
        n_items, pairs = request.n_items, np.ones((1, 1, request.n_slots))
        gain = mean[:, :n_items] - mean[:, -1:]
        spread = np.sqrt(variance[:, :n_items] + variance[:, -1:])
        return uplift_of_pairs(
            request,
            self.scheme,
            base=(mean[:, -1], np.sqrt(variance[:, -1])),
            uplift=(gain[:, :, None] * pairs, spread[:, :, None] * pairs),
        )

    def update(self, feedback: Feedback) -> None:
        """Learn rows seen for the first time."""
        told, is_open = tell(feedback, self.scheme)
        expect_feedback(feedback, self.shape)
        self.rows.expect_new(feedback.decision_id)
        self._add(feedback, told)
        self.rows.add(feedback.decision_id[is_open], {"told": told[is_open]})

    def revise(self, feedback: Feedback) -> None:
        """Replace what open rows taught."""
        told, is_open = tell(feedback, self.scheme)
        where = self.rows.positions(feedback.decision_id)
        self._add(feedback, told - self.rows.take("told", where))
        self.rows.put("told", where, told)
        self.rows.drop(where[~is_open])

    def state(self) -> State:
        """Return successes and rows of all parts, and open rows."""
        return self.own.state("own") | {"everybody": self.everybody.copy()} | self.rows.state()

    def load(self, state: State) -> None:
        """Restore what :meth:`state` returned."""
        check_state(state, {"everybody": self.everybody.shape})
        self.own.load(state, "own")
        self.rows.load(state)
        self.everybody = np.array(state["everybody"], np.float64)

    def _add(self, feedback: Feedback, told: Array) -> None:
        """Add successes and rows to the item and slot of sends, and to silence of holds."""
        is_send = feedback.is_send
        first_slot, silence = self.shape.n_items, self.n_parts - 1
        for rows, part in (
            (is_send, feedback.item),
            (is_send, first_slot + feedback.slot),
            (~is_send, np.full(feedback.n_rows, silence)),
        ):
            self.own.add(feedback.user[rows], part[rows], told[rows])
            np.add.at(self.everybody, part[rows], told[rows])

    def _parts(self, request: Request) -> Whole:
        """Codes of the parts of each row: its items, the slots, silence, (N, K + S + 1)."""
        others = self.shape.n_items + np.arange(request.n_slots + 1)
        tiled = np.broadcast_to(others, (request.n_rows, len(others)))
        return np.concatenate([request.items, tiled], axis=1)

    def _posterior(self, user: Whole, part: Whole) -> tuple[Array, Array]:
        """Parameters a and b of the parts of each row, (N, K + S + 1) each."""
        seen = self.own.take(user[:, None], part)
        prior = self._priors()[part]  # (N, K + S + 1, 2)
        successes, n_rows = seen[..., 0], seen[..., 1]
        # Revisions leave rounding errors where the rows of a part are taken out again.
        return (
            prior[..., 0] + np.maximum(successes, 0.0),
            prior[..., 1] + np.maximum(n_rows - successes, 0.0),
        )

    def _priors(self) -> Array:
        """Parameters a and b that every user starts with, (parts, 2)."""
        if not self.is_pooled:
            return np.ones((self.n_parts, 2))
        successes, n_rows = self.everybody.T
        is_item = np.arange(self.n_parts) < self.shape.n_items
        overall = (1.0 + successes[is_item].sum()) / (2.0 + n_rows[is_item].sum())
        kappa = self.params.concentration
        rate = (kappa * overall + successes) / (kappa + n_rows)
        rate = np.clip(rate, 1e-9, 1.0 - 1e-9)
        return kappa * np.stack([rate, 1.0 - rate], axis=1)

    def _best_shares(self, request: Request, key: int) -> Array:
        n, n_items = request.n_rows, request.n_items
        part = self._parts(request)
        a, b = self._posterior(request.user, part)
        draw = np.arange(self.params.n_draws)[None, :, None]
        lane = lanes(request.user[:, None, None], part[:, None, :], draw)
        drawn = beta_draws(a[:, None, :], b[:, None, :], lane=lane, key=key)  # (N, M, parts)
        worth = float(self.scheme.weights[first_learned(self.scheme)]) * drawn
        is_open = request.mask[:, 1:].reshape(n, n_items, request.n_slots)
        best, top = _best_pairs(worth[..., :n_items], worth[..., n_items:-1], is_open)
        is_worth_it = top + send_value(self.scheme) > worth[..., -1]
        is_held = np.asarray(request.mask[:, :1] & ~is_worth_it)  # (N, M)
        sends = (best * ~is_held[..., None]).mean(axis=1)
        return np.concatenate([is_held.mean(axis=1)[:, None], sends], axis=1)


def _best_pairs(items: Array, slots: Array, is_open: NDArray[np.bool_]) -> tuple[Array, Array]:
    """The best open item's best open slot in each draw, ties alike, and what the item is worth.

    Parameters
    ----------
    items, slots : ndarray, (N, M, K) and (N, M, S)
        What parts are worth in each draw.
    is_open : ndarray of bool, (N, K, S)
        Pairs that may be sent.

    Returns
    -------
    best : ndarray, (N, M, K·S)
        1 on the best pair, or shares of it; zeros where no pair is open.
    top : ndarray, (N, M)
        Worth of its item, −∞ where no pair is open.
    """
    has_open = np.asarray(is_open.any(axis=2))  # (N, K)
    reachable = np.where(has_open[:, None, :], items, -np.inf)
    top = reachable.max(axis=2, initial=-np.inf)
    is_top = (reachable == top[..., None]) & np.isfinite(reachable)
    pairs = is_top[..., None] & is_open[:, None]  # (N, M, K, S)
    by_slot = np.where(pairs, slots[:, :, None, :], -np.inf)
    pairs &= by_slot == by_slot.max(axis=(2, 3), keepdims=True, initial=-np.inf)
    best = pairs / np.maximum(pairs.sum(axis=(2, 3), keepdims=True), 1)
    return best.reshape(*top.shape, -1), top


def _moments(a: Array, b: Array) -> tuple[Array, Array]:
    """Mean and variance of Beta(a, b)."""
    mean = a / (a + b)
    return mean, mean * (1.0 - mean) / (a + b + 1.0)
