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
from bandit.errors import BadInputError, BadShapeError
from bandit.outcomes import Feedback, RewardScheme
from policies.linear_math import (
    factor_of_covariance,
    joint_features,
    moments_of,
    posterior_mean,
)
from policies.open_rows import OpenRows

__all__ = ["HeadParams", "LinearHead"]

Array = NDArray[np.float64]
_CHUNK_ROWS = 65_536


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
        least = min(self.prior_precision, self.noise_sd, self.noise_rows)
        if least <= 0 or not 0 < self.forget <= 1:
            raise BadInputError(
                "expected prior_precision, noise_sd and noise_rows > 0 and forget in (0, 1], got "
                f"{self.prior_precision}, {self.noise_sd}, {self.noise_rows}, {self.forget}"
            )


@dataclass(slots=True)
class LinearHead:
    """Moments of a shared base and a bilinear uplift, with exact revision.

    Parameters
    ----------
    n_context, n_item_features, n_slot_features : int
        D, Di and Ds of the requests to come.
    scheme : RewardScheme
        Names the components; weights are applied by the policies, late.
    params : HeadParams
        Prior, noise and forgetting.
    """

    n_context: int
    n_item_features: int
    n_slot_features: int
    scheme: RewardScheme
    params: HeadParams
    precision: Array = field(init=False)  # (R, P, P) of the data, without the prior
    moment: Array = field(init=False)  # (R, P)
    square: Array = field(init=False)  # (R,) Σ w·y²
    n_seen: Array = field(init=False)  # (R,) Σ w
    log_discount: float = field(init=False, default=0.0)
    rows: OpenRows = field(init=False)

    def __post_init__(self) -> None:
        n_components, n_features = len(self.learned), self.n_base + self.n_pairs
        self.precision = np.zeros((n_components, n_features, n_features))
        self.moment = np.zeros((n_components, n_features))
        self.square, self.n_seen = np.zeros((2, n_components))
        self.rows = OpenRows(n_features, n_components)

    @property
    def n_base(self) -> int:
        """Length of ψ(c) = [1, c]."""
        return 1 + self.n_context

    @property
    def n_pairs(self) -> int:
        """Length of ζ = item ⊗ slot."""
        return self.n_item_features * self.n_slot_features

    @property
    def learned(self) -> NDArray[np.int64]:
        """Positions of the components that are learned: all but costs of the send itself."""
        measures = [component.measure for component in self.scheme.components]
        return np.flatnonzero(np.array(measures) != "send")

    def send_value(self) -> float:
        """Weighted worth of sending as such: costs that are known, not learned."""
        return sum(c.weight for c in self.scheme.components if c.measure == "send")

    def learn(self, feedback: Feedback) -> None:
        """Take rows for the first time, after discounting what was learned before."""
        if feedback.n_rows == 0:
            return
        target, weight = self._seen(feedback)
        is_open = np.asarray((weight < 1).any(axis=1))
        self._expect_fit(feedback)
        self.rows.expect_new(feedback.decision_id[is_open])
        self._discount()
        for start in range(0, feedback.n_rows, _CHUNK_ROWS):
            chunk = slice(start, start + _CHUNK_ROWS)
            features = _joint(feedback, chunk)
            precision, moment = moments_of(features, target[chunk], weight[chunk])
            self.precision += precision
            self.moment += moment
        self.square += (weight * target**2).sum(axis=0)
        self.n_seen += weight.sum(axis=0)
        if is_open.any():
            self.rows.add(
                feedback.decision_id[is_open],
                features=_joint(feedback, is_open),
                target=target[is_open],
                weight=weight[is_open],
                log_discount=self.log_discount,
            )

    def revise(self, feedback: Feedback) -> None:
        """Replace what was learned from rows that are still open."""
        if feedback.n_rows == 0:
            return
        target, weight = self._seen(feedback)
        where = self.rows.positions(feedback.decision_id)
        features = self.rows.features[where]
        decay = np.exp(self.log_discount - self.rows.log_discount[where])[:, None]
        old_weight, old_target = self.rows.weight[where], self.rows.target[where]
        precision, _ = moments_of(features, target, (weight - old_weight) * decay)
        self.precision += precision
        self.moment += (decay * (weight * target - old_weight * old_target)).T @ features
        self.square += (decay * (weight * target**2 - old_weight * old_target**2)).sum(axis=0)
        self.n_seen += (decay * (weight - old_weight)).sum(axis=0)
        self.rows.target[where] = target
        self.rows.weight[where] = weight
        self.rows.drop(where[(weight >= 1).all(axis=1)])

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
        if precision.shape != (self.n_pairs, self.n_pairs):
            raise BadShapeError(
                f"expected moments of {self.n_pairs} pair features, got {precision.shape}"
            )
        if square is None:
            prior = self.params.prior_precision * np.eye(self.n_pairs)
            # The sum that leaves no residual: d·θ̂ of these rows alone.
            square = (moment * posterior_mean(precision + prior, moment)).sum(axis=1)
        pairs = self.pair_block()
        self.precision[:, pairs, pairs] += precision
        self.moment[:, pairs] += moment
        self.square += square
        self.n_seen += n_rows

    def rotate(self, basis: Array, kept: float) -> None:
        """Turn the context block into the new coordinates c' = Q·c.

        Parameters
        ----------
        basis : ndarray, (D, D)
            Q, orthogonal.
        kept : float
            ρ in (0, 1]: share of the old context that Q explains; data are discounted by it.
        """
        turn = np.eye(self.n_base + self.n_pairs)
        turn[1 : self.n_base, 1 : self.n_base] = basis
        self.precision = kept * (turn @ self.precision @ turn.T)
        self.moment = kept * (self.moment @ turn.T)
        self.square, self.n_seen = kept * self.square, kept * self.n_seen
        self.log_discount += float(np.log(kept))
        self.rows.features = self.rows.features @ turn.T

    def posterior(self) -> tuple[Array, Array]:
        """Mean (R', P) and factor F of the covariance F·Fᵀ, (R', P, P)."""
        prior = self.params.prior_precision * np.eye(self.precision.shape[-1])
        precision = self.precision + prior
        mean = posterior_mean(precision, self.moment)
        return mean, self.noise_sd(mean)[:, None, None] * factor_of_covariance(precision)

    def noise_sd(self, mean: Array) -> Array:
        """σ of each learned component, (R',): the guess, moved by the residuals.

        The mean of σ² under its normal-inverse-gamma posterior, but for a degree of freedom:
        ``(ν·σ₀² + Σ w·y² − θ̂ᵀd) / (ν + Σ w)`` (Murphy 2007, §3).
        """
        guess, rows = self.params.noise_sd, self.params.noise_rows
        if np.isinf(rows):
            return np.full(len(mean), guess)
        residual = np.maximum(self.square - (mean * self.moment).sum(axis=1), 0.0)
        return np.asarray(np.sqrt((rows * guess**2 + residual) / (rows + self.n_seen)))

    def pair_block(self) -> slice:
        """Where the coefficients of ζ lie in θ."""
        return slice(self.n_base, None)

    def check(self, request: Request) -> None:
        """Raise :class:`BadInputError` unless the request fits this head and is finite."""
        wanted = (self.n_context, self.n_item_features, self.n_slot_features)
        got = (
            request.context.shape[1],
            request.item_features.shape[2],
            request.slot_features.shape[2],
        )
        if got != wanted:
            raise BadShapeError(
                f"expected {wanted} context, item and slot features, got {got}: was the policy "
                "made for another encoder or another candidate generator?"
            )
        for name in ("context", "item_features", "slot_features"):
            if not np.isfinite(getattr(request, name)).all():
                raise BadInputError(f"expected finite {name}, got NaN or infinity")

    def state(self) -> dict[str, NDArray[Any]]:
        """Return a copy of moments, clock and open rows, as named arrays."""
        return {
            "precision": self.precision.copy(),
            "moment": self.moment.copy(),
            "square": self.square.copy(),
            "n_seen": self.n_seen.copy(),
            "log_discount": np.array(self.log_discount),
        } | self.rows.state()

    def load(self, state: Mapping[str, NDArray[Any]]) -> None:
        """Restore what :meth:`state` returned."""
        if state["precision"].shape != self.precision.shape:
            raise BadShapeError(
                f"expected a state of shape {self.precision.shape}, got {state['precision'].shape}"
            )
        self.precision = np.array(state["precision"], np.float64)
        self.moment = np.array(state["moment"], np.float64)
        self.square = np.array(state["square"], np.float64)
        self.n_seen = np.array(state["n_seen"], np.float64)
        self.log_discount = float(state["log_discount"])
        for name in ("decision_id", "features", "target", "weight", "log_discount"):
            setattr(self.rows, name, np.array(state[f"open.{name}"]))

    def _seen(self, feedback: Feedback) -> tuple[Array, Array]:
        """Values and precisions of the learned components, checked, (N, R') each."""
        target = feedback.components[:, self.learned]
        weight = feedback.maturity[:, self.learned]
        if not np.isfinite(target).all():
            raise BadInputError("expected finite components in feedback, got NaN or infinity")
        if not ((weight >= 0) & (weight <= 1)).all():
            raise BadInputError(f"expected maturity in [0, 1], got {weight.min()}, {weight.max()}")
        return target, weight

    def _expect_fit(self, feedback: Feedback) -> None:
        wanted = (self.n_context, self.n_item_features, self.n_slot_features)
        for name, length in zip(("context", "item_features", "slot_features"), wanted, strict=True):
            features = getattr(feedback, name)
            if features.shape[1] != length:
                raise BadShapeError(
                    f"expected feedback with {length} {name}, got {features.shape[1]}: was it "
                    "logged under another encoder?"
                )
            if not np.isfinite(features).all():
                raise BadInputError(f"expected finite {name} in feedback, got NaN or infinity")

    def _discount(self) -> None:
        if self.params.forget < 1:
            self.precision *= self.params.forget
            self.moment *= self.params.forget
            self.square *= self.params.forget
            self.n_seen *= self.params.forget
            self.log_discount += float(np.log(self.params.forget))


def _joint(feedback: Feedback, rows: slice | NDArray[np.bool_]) -> Array:
    return joint_features(
        feedback.context[rows],
        feedback.item_features[rows],
        feedback.slot_features[rows],
        feedback.is_send[rows],
    )
