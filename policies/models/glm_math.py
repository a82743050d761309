"""Bayesian generalised linear regression with an intercept for each item, as pure functions.

Moments in, posteriors out. The linear predictor is φ·θ + b_k of item k; θ is dense, the
intercepts b are many and meet in no row, so their block of the precision is diagonal and they are
integrated out exactly (a Schur complement). References: Rasmussen and Williams (2006), §3.4
(Laplace); MacKay (1992), "Bayesian interpolation", eq. 29, for the scales of the priors.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from policies.models.linear_math import factor_of_covariance

__all__ = ["Moments", "Posterior", "moments_of_rows", "posterior_of", "sigmoid"]

Array = NDArray[np.float64]
Whole = NDArray[np.int64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Moments:
    """Σ of weighted rows: what data say about θ, (P,), and about the intercepts, (I,)."""

    dense: Array  # (P, P) Σ w·φφᵀ
    cross: Array  # (I, P) Σ w·φ of the rows of each item
    items: Array  # (I,) Σ w of the rows of each item
    aim: Array  # (P,) Σ w·z·φ
    item_aim: Array  # (I,) Σ w·z

    @classmethod
    def none(cls, n_features: int, n_items: int) -> Moments:
        """No rows."""
        return cls(
            dense=np.zeros((n_features, n_features)),
            cross=np.zeros((n_items, n_features)),
            items=np.zeros(n_items),
            aim=np.zeros(n_features),
            item_aim=np.zeros(n_items),
        )

    def plus(self, other: Moments) -> Moments:
        """Both together."""
        return Moments(
            **{name: getattr(self, name) + getattr(other, name) for name in Moments.__slots__}
        )

    def times(self, share: float) -> Moments:
        """All of them discounted."""
        return Moments(**{name: share * getattr(self, name) for name in Moments.__slots__})

    def turned(self, turn: Array) -> Moments:
        """In another basis: φ becomes ``turn``·φ."""
        return Moments(
            dense=turn @ self.dense @ turn.T,
            cross=self.cross @ turn.T,
            items=self.items,
            aim=turn @ self.aim,
            item_aim=self.item_aim,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Posterior:
    """N(mean, σ²·F·Fᵀ) of θ, and of each intercept given θ: b = at_zero − slope·θ ± σ/√own."""

    mean: Array  # (P,)
    factor: Array  # (P, P) F
    at_zero: Array  # (I,)
    slope: Array  # (I, P)
    own: Array  # (I,) precision of each intercept given θ, in rows
    noise: float  # σ²

    @property
    def item_mean(self) -> Array:
        """Mean of each intercept, (I,)."""
        return np.asarray(self.at_zero - self.slope @ self.mean)

    @property
    def item_sd(self) -> Array:
        """Standard deviation of each intercept given θ, (I,)."""
        return np.asarray(np.sqrt(self.noise / self.own))

    def away(self, normal: Array, item_normal: Array) -> tuple[Array, Array]:
        """How far M draws lie from the means: θ (M, P) and intercepts (M, I).

        Of standard normals of the same shapes.
        """
        theta = np.sqrt(self.noise) * normal @ self.factor.T
        return theta, self.item_sd * item_normal - theta @ self.slope.T

    def spread(self, features: Array, own: Array) -> Array:
        """Standard deviation of φ·θ + own·b of rows, slopes taken off φ already: (N,)."""
        along = np.sqrt(self.noise) * np.linalg.norm(features @ self.factor, axis=1)
        return np.asarray(np.hypot(along, own))

    def variances(self) -> tuple[Array, Array]:
        """Marginal variances of θ, (P,), and of the intercepts, (I,)."""
        dense = (self.factor**2).sum(axis=1)
        along = self.slope @ self.factor  # (I, P)
        items = (along**2).sum(axis=1) + 1.0 / self.own
        return self.noise * dense, self.noise * items

    def against_intercepts(self, features: Array, item: Whole) -> Array:
        """φ less the slope of each row's intercept, (N, P): what it tells of θ alone."""
        has_item = np.flatnonzero(item >= 0)
        if not (len(self.own) and len(has_item)):
            return features
        told = features.copy()
        told[has_item] -= self.slope[item[has_item]]
        return told

    def with_row(self, features: Array, item: int, *, weight: float, aim: float) -> Posterior:
        """After one more row of precision ``weight`` and aim ``weight``·z: exact, O(P²).

        The symmetric square root of a rank-one update (Potter's form; Bierman 1977, §2.3).
        """
        has_item = item >= 0 and len(self.own) > 0
        told, heard = features, weight
        at_zero, slope, own = self.at_zero, self.slope, self.own
        start = 0.0
        if has_item:
            told, start = features - slope[item], float(at_zero[item])
            heard = weight * own[item] / (own[item] + weight)
            share = weight / (own[item] + weight)
            at_zero, slope, own = at_zero.copy(), slope.copy(), own.copy()
            slope[item] += share * told
            at_zero[item] += share * (aim / weight - start)
            own[item] += weight
        a = told @ self.factor  # (P,)
        size = float(a @ a)
        gain = self.factor @ a
        surprise = aim / weight - start - float(told @ self.mean)
        root = 1.0 / np.sqrt(1.0 + heard * size)
        shrinks = (1.0 - root) / size if size > 0 else 0.0
        return Posterior(
            mean=self.mean + (heard * surprise / (1.0 + heard * size)) * gain,
            factor=self.factor - np.outer(shrinks * gain, a),
            at_zero=at_zero,
            slope=slope,
            own=own,
            noise=self.noise,
        )


def moments_of_rows(
    features: Array, item: Whole, *, n_items: int, weight: Array, aim: Array
) -> Moments:
    """Moments of N rows.

    Parameters
    ----------
    features : ndarray, (N, P)
        φ of each row.
    item : ndarray of int, (N,)
        Whose intercept a row has; −1 for none.
    n_items : int
        Number of intercepts I.
    weight : ndarray, (N,)
        w: precision of a row; a difference where rows are revised.
    aim : ndarray, (N,)
        w·z: precision times what the linear predictor should have been.
    """
    weighted = features * weight[:, None]
    has_item = np.flatnonzero(item >= 0)
    who = item[has_item]
    cross = np.zeros((n_items, features.shape[1]))
    if n_items:
        np.add.at(cross, who, weighted[has_item])
    return Moments(
        dense=weighted.T @ features,
        cross=cross,
        items=_by_item(who, weight[has_item], n_items),
        aim=features.T @ aim,
        item_aim=_by_item(who, aim[has_item], n_items),
    )


def posterior_of(
    moments: Moments, *, prior: Array, prior_mean: Array, item_prior: float, noise: float
) -> Posterior:
    """Posterior under priors N(prior_mean, 1/prior) of θ and N(0, 1/item_prior) of intercepts.

    Parameters
    ----------
    moments : Moments
        Of the rows, at unit noise.
    prior, prior_mean : ndarray, (P,)
        Precision, in units of one row's, and mean of each coefficient.
    item_prior : float
        Precision of each intercept, in the same units.
    noise : float
        Variance of one row, which spreads scale with; means do not depend on it.
    """
    own = moments.items + item_prior  # (I,)
    slope = moments.cross / own[:, None]
    at_zero = moments.item_aim / own
    least = float(prior.min())
    reduced = moments.dense - moments.cross.T @ slope + np.diag(prior - least)
    factor = factor_of_covariance(reduced, prior=least)
    aim = moments.aim - moments.cross.T @ at_zero + prior * prior_mean
    return Posterior(
        mean=factor @ (factor.T @ aim),
        factor=factor,
        at_zero=at_zero,
        slope=slope,
        own=own,
        noise=noise,
    )


def _by_item(who: Whole, amount: Array, n_items: int) -> Array:
    """Sums by item, (I,)."""
    sums = np.zeros(n_items)
    if n_items:
        np.add.at(sums, who, amount)
    return sums


def sigmoid(z: Array) -> Array:
    """1 / (1 + e^−z), without overflow."""
    return np.asarray(0.5 + 0.5 * np.tanh(0.5 * z))
