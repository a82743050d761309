"""A Bayesian linear head for each item, and one for holding: nothing is shared but the noise.

Feedback enters; posteriors leave. What an arm is worth is linear in x = [1, c, slot], with
coefficients of its own, so the context ranks items as it likes and no item tells about another.
Moments are sums of outer products, in double precision: a row is one rank-one update of one arm,
exactly revised, and only arms that have learned are factorised again. Reference: Li, Chu, Langford
and Schapire (2010), alg. 1.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bandit.errors import BadInputError
from bandit.outcomes import Feedback, RewardScheme
from policies.checks import (
    check_feedback,
    check_scheme,
    check_state,
    check_turn,
    final_row,
    is_modest,
    learned_rows,
)
from policies.models.linear_head import HeadParams
from policies.models.linear_math import factor_of_covariance, posterior_mean, twins
from policies.models.open_rows import OpenRows
from policies.parts import learned_of
from policies.shape import PolicyShape

__all__ = ["ArmsHead"]

Array = NDArray[np.float64]
Whole = NDArray[np.int64]

_MOMENTS = ("precision", "moment", "square", "n_seen")


class ArmsHead:
    """Moments of J = 1 + I arms: holding first, then every item of the catalogue.

    Parameters
    ----------
    shape : PolicyShape
        D, Ds and the number of items; item features are not read.
    scheme : RewardScheme
        Names the components.
    params : HeadParams
        Prior and noise of every arm, and forgetting.
    """

    def __init__(self, shape: PolicyShape, scheme: RewardScheme, params: HeadParams) -> None:
        self.shape, self.scheme, self.params = shape, scheme, params
        self.learned = learned_of(scheme)
        self._learned = self.learned.tolist()
        r, j, width = len(self.learned), 1 + shape.n_items, self.n_features
        self.precision = np.zeros((r, j, width, width))
        self.moment = np.zeros((r, j, width))
        self.square, self.n_seen = np.zeros((2, r))
        self.log_discount = 0.0
        self.rows = OpenRows(
            {
                "context": shape.n_context,
                "slot": shape.n_slot_features,
                "arm": 1,
                "target": r,
                "weight": r,
                "log_discount": 1,
            }
        )
        self.version = 0  # counts changes, so that others know when what they keep is old
        self._factor, self._mean = np.zeros_like(self.precision), np.zeros_like(self.moment)
        self._is_stale = np.ones(j, np.bool_)

    @property
    def lengths(self) -> tuple[int, int, int]:
        """D, Di and Ds."""
        return self.shape.n_context, self.shape.n_item_features, self.shape.n_slot_features

    @property
    def n_features(self) -> int:
        """Length L of x = [1, c, slot]."""
        return 1 + self.shape.n_context + self.shape.n_slot_features

    def reweigh(self, scheme: RewardScheme) -> None:
        """Take other weights of the same components; what was learned stays."""
        check_scheme(scheme, self.scheme)
        self.scheme = scheme
        self.version += 1

    def learn(self, feedback: Feedback) -> None:
        """Take rows for the first time, after discounting what was learned before."""
        if feedback.n_rows == 0 or (feedback.n_rows == 1 and self._learned_one(feedback)):
            return
        target, weight = learned_rows(feedback, self.scheme)
        check_feedback(feedback, self.lengths)
        self.check_items(feedback.item)
        self.rows.expect_new(feedback.decision_id)
        self._discount(self.params.forget)
        columns = {
            "context": feedback.context,
            "slot": feedback.slot_features,
            "arm": np.where(feedback.is_send, 1 + feedback.item, 0)[:, None],
            "target": target,
            "weight": weight,
            "log_discount": np.full((feedback.n_rows, 1), self.log_discount),
        }
        self._add(columns, weight, weight * target, weight * target**2)
        is_open = np.asarray((weight < 1).any(axis=1))
        if is_open.any():
            kept = {name: column[is_open] for name, column in columns.items()}
            self.rows.add(feedback.decision_id[is_open], kept)

    def revise(self, feedback: Feedback) -> None:
        """Replace what was learned from rows that are still open."""
        if feedback.n_rows == 0:
            return
        target, weight = learned_rows(feedback, self.scheme)
        where = self.rows.positions(feedback.decision_id)
        columns = {name: self.rows.take(name, where) for name in self.rows.widths}
        decay = np.exp(self.log_discount - columns["log_discount"])  # (N, 1)
        old, knew = columns["target"], columns["weight"]
        self._add(
            columns,
            decay * (weight - knew),
            decay * (weight * target - knew * old),
            decay * (weight * target**2 - knew * old**2),
        )
        self.rows.put("target", where, target)
        self.rows.put("weight", where, weight)
        self.rows.drop(where[(weight >= 1).all(axis=1)])

    def rotate(self, basis: Array, kept: float) -> None:
        """Turn contexts into the new coordinates c' = Q·c, of which ρ = ``kept`` is explained."""
        d = self.shape.n_context
        check_turn(basis, kept, n_context=d)
        turn = np.eye(self.n_features)
        turn[1 : 1 + d, 1 : 1 + d] = basis
        self.precision = turn @ self.precision @ turn.T
        self.moment = self.moment @ turn.T
        self.rows.turn("context", basis)
        self._is_stale[:] = True
        self._discount(kept)
        self.version += 1

    def posterior(self) -> tuple[Array, Array]:
        """Means (R', J, L) and factors F of the covariances F·Fᵀ at unit noise, (R', J, L, L).

        Good until more is learned; only arms that have learned since are factorised.
        """
        for arm in np.flatnonzero(self._is_stale):
            for row, twin in enumerate(twins(self.precision[:, arm])):
                known = self._factor[twin, arm]
                if twin == row:
                    prior = self.params.prior_precision
                    known = factor_of_covariance(self.precision[row, arm], prior=prior)
                self._factor[row, arm] = known
                self._mean[row, arm] = posterior_mean(known, self.moment[row, arm])
        self._is_stale[:] = False
        return self._mean, self._factor

    def noise_sd(self) -> Array:
        """σ of each learned component, (R',): the guess, moved by the residuals of all arms.

        The inverse of the posterior mean of 1/σ² under a normal-inverse-gamma prior (Murphy 2007,
        §3), as in :class:`policies.models.linear_head.LinearHead`.
        """
        guess, rows = self.params.noise_sd, self.params.noise_rows
        if np.isinf(rows):
            return np.full(len(self.square), guess)
        fitted = (self.posterior()[0] * self.moment).sum(axis=(1, 2))
        residual = np.maximum(self.square - fitted, 0.0)
        return np.asarray(np.sqrt((rows * guess**2 + residual) / (rows + self.n_seen)))

    def check_items(self, items: Whole) -> None:
        """Raise :class:`BadInputError` for an item that has no arm."""
        if items.size and items.max() >= self.shape.n_items:
            raise BadInputError(
                f"expected item ids below {self.shape.n_items}, got {items.max()}: was the policy "
                "made for a smaller catalogue?"
            )

    def state(self) -> dict[str, NDArray[Any]]:
        """Return a copy of moments, clock and open rows, as named arrays."""
        kept = {name: getattr(self, name).copy() for name in _MOMENTS}
        return kept | {"log_discount": np.array(self.log_discount)} | self.rows.state()

    def load(self, state: Mapping[str, NDArray[Any]]) -> None:
        """Restore what :meth:`state` returned."""
        shapes = {name: getattr(self, name).shape for name in _MOMENTS}
        check_state(state, shapes | {"log_discount": ()})
        self.rows.load(state)
        for name in _MOMENTS:
            setattr(self, name, np.array(state[name], np.float64))
        self.log_discount = float(state["log_discount"])
        self._is_stale[:] = True
        self.version += 1

    def _learned_one(self, feedback: Feedback) -> bool:
        """Take one final row as a rank-one update; ``False`` where it is none of the usual."""
        context, item, slot = feedback.context, feedback.item_features, feedback.slot_features
        fits = (context.shape[1], item.shape[1], slot.shape[1]) == self.lengths
        arm = int(feedback.item[0]) + 1 if feedback.is_send[0] else 0
        if self.params.forget < 1 or not fits or arm > self.shape.n_items:
            return False
        target = final_row(feedback, self.scheme, learned=self._learned)
        row = np.empty(self.n_features)
        row[0] = 1.0
        row[1 : 1 + self.shape.n_context] = context[0]
        row[1 + self.shape.n_context :] = slot[0] if arm else 0.0
        is_usual = is_modest(row) and is_modest(item[0]) and is_modest(slot[0])
        if target is None or not is_usual:
            return False
        self.rows.expect_new(feedback.decision_id)
        outer = np.multiply.outer(row, row)
        for r, told in enumerate(target):
            self.precision[r, arm] += outer
            self.moment[r, arm] += told * row
            self.square[r] += told * told
        self.n_seen += 1.0
        self._is_stale[arm] = True
        self.version += 1
        return True

    def _add(
        self, columns: Mapping[str, Array], weight: Array, weighted: Array, squared: Array
    ) -> None:
        """Add Σ w·xxᵀ, Σ (w·y)·x of each arm, Σ w·y² and Σ w; weights may be differences."""
        arm = columns["arm"][:, 0].astype(np.int64)
        sent = columns["slot"] * (arm > 0)[:, None]
        features = np.concatenate([np.ones((len(arm), 1)), columns["context"], sent], axis=1)
        alike = twins(weight.T)
        for one, rows in _by_arm(arm):
            x = features[rows]
            grams: list[Array] = []
            for r, twin in enumerate(alike):
                # Components that are known equally well share one product.
                same = grams[twin] if twin < r else (x * weight[rows, r, None]).T @ x
                grams.append(same)
                self.precision[r, one] += same
                self.moment[r, one] += weighted[rows, r] @ x
            self._is_stale[one] = True
        self.square += squared.sum(axis=0)
        self.n_seen += weight.sum(axis=0)
        self.version += 1

    def _discount(self, kept: float) -> None:
        if kept < 1:
            self.precision *= kept
            self.moment *= kept
            self.square *= kept
            self.n_seen *= kept
            self.log_discount += float(np.log(kept))
            self._is_stale[:] = True
            self.version += 1


def _by_arm(arm: Whole) -> Iterator[tuple[int, Whole]]:
    """Each arm that has rows, with where they are."""
    order = np.argsort(arm, kind="stable")
    ends = np.flatnonzero(np.diff(arm[order], append=-1)) + 1
    start = 0
    for end in ends.tolist():
        yield int(arm[order[start]]), order[start:end]
        start = end
