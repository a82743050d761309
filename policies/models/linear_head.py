"""One Bayesian linear head for all linear policies: shared base plus bilinear uplift.

Feedback enters; posteriors of ``value(a) = h(c) + 1[a ≠ hold]·u(c, item, slot)`` leave, with
h linear in [1, c] and u linear in ζ = item features ⊗ slot features (DESIGN §4 *Value*). Each
component of a reward scheme has a posterior of its own; what a send costs by definition is
known and is added, not learned. References: Rasmussen and Williams (2006), eq. 2.8.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bandit.actions import Request
from bandit.errors import BadInputError, expect_shape
from bandit.outcomes import Feedback, RewardScheme
from policies.checks import (
    check_feedback,
    check_request,
    check_scheme,
    check_state,
    check_turn,
    final_row,
    is_modest,
    learned_rows,
)
from policies.models.late_rows import LateRows
from policies.models.linear_math import (
    factor_of_covariance,
    joint_features,
    moments_of,
    posterior_mean,
    twins,
)
from policies.models.open_rows import OpenRows
from policies.parts import learned_of

__all__ = ["HeadParams", "LinearHead"]

Array = NDArray[np.float64]
_CHUNK_BYTES = 2**24


@dataclass(frozen=True, slots=True, kw_only=True)
class HeadParams:
    """Prior, noise and forgetting of a linear head.

    Parameters
    ----------
    prior_precision : float
        λ of the prior N(0, σ²/λ) on every coefficient.
    noise_sd : float
        σ of one observed component, as guessed before any row.
    noise_rows : float
        How many rows that guess is worth against what residuals say; infinite keeps the guess.
    forget : float
        γ by which data already learned are discounted at each batch; the prior is not.
    """

    prior_precision: float = 1.0
    noise_sd: float = 1.0
    noise_rows: float = 10.0
    forget: float = 1.0

    def __post_init__(self) -> None:
        is_sound = 0 < self.prior_precision < np.inf and 0 < self.noise_sd < np.inf
        if not (is_sound and self.noise_rows > 0 and 0 < self.forget <= 1):
            raise BadInputError(
                "expected prior_precision, noise_sd and noise_rows > 0, the first two finite, and "
                f"forget in (0, 1], got {self.prior_precision}, {self.noise_sd}, "
                f"{self.noise_rows}, {self.forget}"
            )


@dataclass(slots=True)
class LinearHead:
    """Moments of a shared base and a bilinear uplift, with exact revision.

    Parameters
    ----------
    n_context, n_item_features, n_slot_features : int
        D, Di and Ds of the requests to come.
    scheme : RewardScheme
        Names the components; weights are applied late: see :meth:`reweigh`.
    params : HeadParams
        Prior, noise and forgetting.
    """

    n_context: int
    n_item_features: int
    n_slot_features: int
    scheme: RewardScheme
    params: HeadParams
    precision: Array = field(init=False)  # (R', P, P) of the data, without the prior
    moment: Array = field(init=False)  # (R', P)
    square: Array = field(init=False)  # (R',) Σ w·y²
    n_seen: Array = field(init=False)  # (R',) Σ w
    log_discount: float = field(init=False, default=0.0)
    rows: OpenRows = field(init=False)
    late: LateRows = field(init=False)  # learned, and not yet in the moments above
    learned: NDArray[np.int64] = field(init=False)  # all components but costs of the send itself
    _learned: list[int] = field(init=False)
    _posterior: tuple[Array, Array] | None = field(init=False, default=None)
    _pair_covariance: Array | None = field(init=False, default=None)

    def __post_init__(self) -> None:
        self.learned = learned_of(self.scheme)
        self._learned = self.learned.tolist()
        n_components, n_features = len(self.learned), self.n_base + self.n_pairs
        self.late = LateRows(n_features, n_components)
        self.precision = np.zeros((n_components, n_features, n_features))
        self.moment = np.zeros((n_components, n_features))
        self.square, self.n_seen = np.zeros((2, n_components))
        self.rows = OpenRows(
            {
                "context": self.n_context,
                "item": self.n_item_features,
                "slot": self.n_slot_features,
                "is_send": 1,
                "target": n_components,
                "weight": n_components,
                "log_discount": 1,
            }
        )

    @property
    def lengths(self) -> tuple[int, int, int]:
        """D, Di and Ds."""
        return self.n_context, self.n_item_features, self.n_slot_features

    @property
    def n_base(self) -> int:
        """Length of ψ(c) = [1, c]."""
        return 1 + self.n_context

    @property
    def n_pairs(self) -> int:
        """Length of ζ = item ⊗ slot."""
        return self.n_item_features * self.n_slot_features

    def reweigh(self, scheme: RewardScheme) -> None:
        """Take other weights of the same components; what was learned stays."""
        check_scheme(scheme, self.scheme)
        self.scheme = scheme

    def learn(self, feedback: Feedback) -> None:
        """Take rows for the first time, after discounting what was learned before."""
        if feedback.n_rows == 0 or (feedback.n_rows == 1 and self._learned_late(feedback)):
            return
        target, weight = learned_rows(feedback, self.scheme)
        check_feedback(feedback, self.lengths)
        self.rows.expect_new(feedback.decision_id)
        self._discount(self.params.forget)
        columns = {
            "context": feedback.context,
            "item": feedback.item_features,
            "slot": feedback.slot_features,
            "is_send": feedback.is_send[:, None],
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
        old_target, old_weight = columns["target"], columns["weight"]
        self._add(
            columns,
            decay * (weight - old_weight),
            decay * (weight * target - old_weight * old_target),
            decay * (weight * target**2 - old_weight * old_target**2),
        )
        self.rows.put("target", where, target)
        self.rows.put("weight", where, weight)
        self.rows.drop(where[(weight >= 1).all(axis=1)])

    def settle(self) -> None:
        """Bring what was learned row by row into the moments."""
        late = self.late
        if late.n_rows:
            weight, target = late.weight, late.target
            self._add_features(late.features, weight * target, weight)
            self._note(weight * target**2, weight)
            late.clear()

    def absorb(
        self,
        precision: Array,
        moment: Array,
        *,
        square: Array | None = None,
        n_rows: float = 0.0,
    ) -> None:
        """Add moments of ζ computed elsewhere, for a warm start.

        Parameters
        ----------
        precision : ndarray, (Di·Ds, Di·Ds)
            Σ w·ζζᵀ over supervised rows.
        moment : ndarray, (R', Di·Ds)
            Σ w·ζ·y for each learned component.
        square : ndarray, (R',), optional
            Σ w·y²; without it the rows say nothing about the noise.
        n_rows : float
            Σ w, given with ``square``.
        """
        expect_shape("precision", precision, (self.n_pairs, self.n_pairs), "a row a pair feature")
        expect_shape("moment", moment, (len(self.learned), self.n_pairs), "a row a component")
        if not (np.isfinite(precision).all() and np.isfinite(moment).all()):
            raise BadInputError("expected finite moments, got NaN or infinity")
        if square is None:
            factor = factor_of_covariance(precision, prior=self.params.prior_precision)
            # The sum that leaves no residual: d·θ̂ of these rows alone.
            square = ((moment @ factor) ** 2).sum(axis=1)
        self.settle()
        pairs = self.pair_block()
        self.precision[:, pairs, pairs] += precision
        self.moment[:, pairs] += moment
        self.square += square
        self.n_seen += n_rows
        self._forget_belief()

    def rotate(self, basis: Array, kept: float) -> None:
        """Turn the context block into the new coordinates c' = Q·c.

        Parameters
        ----------
        basis : ndarray, (D, D)
            Q, orthogonal.
        kept : float
            ρ in (0, 1]: share of the old context that Q explains; data are discounted by it.

        Notes
        -----
        Coefficients of ζ stay as they are: item or slot features that hold coordinates of the
        encoder would have to turn as well, and do not.
        """
        check_turn(basis, kept, n_context=self.n_context)
        self.settle()
        turn = np.eye(self.n_base + self.n_pairs)
        turn[1 : self.n_base, 1 : self.n_base] = basis
        self.precision = turn @ self.precision @ turn.T
        self.moment = self.moment @ turn.T
        self.rows.turn("context", basis)
        self._discount(kept)

    def posterior(self) -> tuple[Array, Array]:
        """Mean (R', P) and factor F of the covariance F·Fᵀ, (R', P, P).

        Kept until more is learned, shared between callers and closed to writing.
        """
        if self._posterior is None:
            precision, moment = self._sums()
            factor = np.empty_like(precision)
            for row, twin in enumerate(twins(precision)):
                factor[row] = factor[twin] if twin < row else self._factor(precision[row])
            mean = np.empty_like(moment)
            for row, one in enumerate(moment):
                mean[row] = posterior_mean(factor[row], one)
            factor *= self.noise_sd(mean)[:, None, None]
            mean.flags.writeable = factor.flags.writeable = False
            self._posterior = mean, factor
        return self._posterior

    def pair_covariance(self) -> Array:
        """Covariance of the coefficients of ζ, (R', Di·Ds, Di·Ds); kept like the posterior."""
        if self._pair_covariance is None:
            factor = self.posterior()[1][:, self.pair_block()]
            self._pair_covariance = factor @ factor.transpose(0, 2, 1)
            self._pair_covariance.flags.writeable = False
        return self._pair_covariance

    def noise_sd(self, mean: Array) -> Array:
        """σ of each learned component, (R',): the guess, moved by the residuals.

        σ² = ``(ν·σ₀² + Σ w·y² − θ̂ᵀd) / (ν + Σ w)``, the inverse of the posterior mean of 1/σ²
        under a normal-inverse-gamma prior (Murphy 2007, §3); a row of weight w counts as w rows.
        """
        guess, rows = self.params.noise_sd, self.params.noise_rows
        if np.isinf(rows):
            return np.full(len(mean), guess)
        late = self.late
        weighted = late.weight * late.target
        moment = self.moment + weighted.T @ late.features
        square = self.square + (weighted * late.target).sum(axis=0)
        residual = np.maximum(square - (mean * moment).sum(axis=1), 0.0)
        n_seen = self.n_seen + late.weight.sum(axis=0)
        return np.asarray(np.sqrt((rows * guess**2 + residual) / (rows + n_seen)))

    def pair_block(self) -> slice:
        """Where the coefficients of ζ lie in θ."""
        return slice(self.n_base, None)

    def check(self, request: Request) -> None:
        """Raise :class:`BadInputError` unless the request fits this head and is finite."""
        check_request(request, self.lengths)

    def state(self) -> dict[str, NDArray[Any]]:
        """Return a copy of moments, clock and open rows, as named arrays."""
        return (
            {
                "precision": self.precision.copy(),
                "moment": self.moment.copy(),
                "square": self.square.copy(),
                "n_seen": self.n_seen.copy(),
                "log_discount": np.array(self.log_discount),
            }
            | self.late.state()
            | self.rows.state()
        )

    def load(self, state: Mapping[str, NDArray[Any]]) -> None:
        """Restore what :meth:`state` returned."""
        moments = ("precision", "moment", "square", "n_seen")
        shapes = {name: getattr(self, name).shape for name in moments}
        check_state(state, shapes | {"log_discount": ()})
        self.late.load(state)
        self.rows.load(state)
        for name in moments:
            setattr(self, name, np.array(state[name], np.float64))
        self.log_discount = float(state["log_discount"])
        self._forget_belief()

    def _learned_late(self, feedback: Feedback) -> bool:
        """Take one final row at the cost of writing it down; see :mod:`policies.models.late_rows`.

        ``False`` where it is none of the usual. When its moments are added hangs on what was
        learned alone, never on who asks in between.
        """
        context, item, slot = feedback.context, feedback.item_features, feedback.slot_features
        fits = (context.shape[1], item.shape[1], slot.shape[1]) == self.lengths
        if self.params.forget < 1 or not fits:
            return False
        target = final_row(feedback, self.scheme, learned=self._learned)
        if target is None:
            return False
        row, n_base = self.late.room(), self.n_base
        row[0] = 1.0
        row[1:n_base] = context[0]
        if feedback.is_send[0]:
            pairs = row[n_base:].reshape(self.n_item_features, self.n_slot_features)
            np.multiply(item[0][:, None], slot[0], out=pairs)
        elif is_modest(item[0]) and is_modest(slot[0]):
            row[n_base:] = 0.0
        else:
            return False
        if not is_modest(row):
            return False
        self.rows.expect_new(feedback.decision_id)
        self.late.add(target, 1.0)
        self._forget_belief()
        if self.late.is_full:
            self.settle()
        return True

    def _add(
        self, columns: Mapping[str, Array], weight: Array, weighted: Array, squared: Array
    ) -> None:
        """Add Σ w·φφᵀ, Σ (w·y)·φ, Σ w·y² and Σ w of rows; weights may be differences."""
        self.settle()
        context, item, slot = columns["context"], columns["item"], columns["slot"]
        is_send = columns["is_send"][:, 0] != 0
        step = max(1, _CHUNK_BYTES // (8 * self.moment.shape[1]))
        for start in range(0, len(weight), step):
            rows = slice(start, start + step)
            features = joint_features(context[rows], item[rows], slot[rows], is_send[rows])
            self._add_features(features, weighted[rows], weight[rows])
        self._note(squared, weight)

    def _add_features(self, features: Array, weighted: Array, weight: Array) -> None:
        precision, moment = moments_of(features, weighted, weight)
        self.precision += precision
        self.moment += moment
        self._forget_belief()

    def _note(self, squared: Array, weight: Array) -> None:
        self.square += squared.sum(axis=0)
        self.n_seen += weight.sum(axis=0)

    def _forget_belief(self) -> None:
        self._posterior = self._pair_covariance = None

    def _discount(self, kept: float) -> None:
        self.settle()
        if kept < 1:
            self.precision *= kept
            self.moment *= kept
            self.square *= kept
            self.n_seen *= kept
            self.log_discount += float(np.log(kept))
        self._forget_belief()

    def _sums(self) -> tuple[Array, Array]:
        """Σ w·φφᵀ (R', P, P) and Σ w·y·φ (R', P) of all rows, late ones included."""
        late = self.late
        if not late.n_rows:
            return self.precision, self.moment
        precision, moment = moments_of(late.features, late.weight * late.target, late.weight)
        return self.precision + precision, self.moment + moment

    def _factor(self, precision: Array) -> Array:
        return factor_of_covariance(precision, prior=self.params.prior_precision)
