"""One component of the reward as a Bayesian generalised linear model: learned, revised, drawn.

Rows of φ, an item and an outcome enter; a posterior of the linear predictor leaves. A response
that comes or not has a logistic link, learned batch by batch in Laplace's way (Newton steps around
the posterior before it); anything counted has an identity link and is exact. How far each block of
features may reach is learned as well, by empirical Bayes. References: Chapelle and Li (2011),
alg. 3; MacKay (1992), eq. 29; Rasmussen and Williams (2006), §3.4.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from bandit.errors import BadInputError
from policies.checks import check_state
from policies.models.glm_math import Moments, Posterior, moments_of_rows, posterior_of, sigmoid
from policies.models.layout import Layout

__all__ = ["GlmHead", "GlmParams", "Link"]

Array = NDArray[np.float64]
Whole = NDArray[np.int64]
Link = Literal["identity", "logistic"]

_NEWTON_STEPS = 20
_FAR = 2.0  # log-odds that one Newton step may move a row
_NEAR = 0.02
_LEAST_WEIGHT = 1e-9
_SCALE_ROUNDS = 3
_ROWS_A_FACTOR = 8
_PRECISIONS = (1e-2, 1e6)


@dataclass(frozen=True, slots=True, kw_only=True)
class GlmParams:
    """Priors of a head.

    Parameters
    ----------
    base_rate : float
        Guess of a response's chance before any row; the logistic intercept's prior mean.
    noise_sd : float
        σ of one counted component, as guessed before any row.
    noise_rows : float
        How many rows that guess is worth.
    response_sd : float
        Standard deviation of a response's coefficient, in log-odds, before scales are learned.
    block_sd : float
        Standard deviation of a coefficient, as guessed before any row.
    block_rows : float
        How many coefficients that guess is worth against the block's own.
    least_rows : int
        Rows before the scales of the blocks are learned; infinite patience keeps the guess.
    grows : float
        They are learned again when rows have grown by this share.
    forget : float
        γ by which data already learned are discounted at each batch; priors are not.
    responses : str
        Link of responses that come or not: ``"logistic"`` or ``"identity"``.
    most_items : int
        Catalogues of more items have no intercepts by item: features alone tell them apart.
    two_part : str
        Measures, out of "count" and "value", whose components are learned in two parts: the chance
        that something comes, and how much when it does.
    """

    base_rate: float = 0.02
    noise_sd: float = 1.0
    noise_rows: float = 10.0
    response_sd: float = 1.0
    block_sd: float = 0.5
    block_rows: float = 1.0
    least_rows: int = 500
    grows: float = 0.15
    forget: float = 1.0
    responses: str = "logistic"
    most_items: int = 4096
    two_part: str = ""

    def __post_init__(self) -> None:
        names = ("noise_sd", "noise_rows", "response_sd", "block_sd", "block_rows", "grows")
        positive = {name: getattr(self, name) for name in names}
        is_sound = all(0 < value < np.inf for value in positive.values())
        if not is_sound or not 0 < self.base_rate < 1:
            raise BadInputError(
                f"expected base_rate in (0, 1) and {', '.join(names)} positive and finite, got "
                f"{self.base_rate}, {positive}"
            )
        if self.responses not in get_args(Link):
            raise BadInputError(
                f"expected responses to be one of {', '.join(get_args(Link))}, got "
                f"{self.responses!r}"
            )
        if not set(self.two_part.split()) <= {"count", "value"}:
            raise BadInputError(
                f"expected two_part to hold the words 'count' and 'value', got {self.two_part!r}"
            )
        if self.least_rows < 1 or not 0 < self.forget <= 1 or self.most_items < 0:
            raise BadInputError(
                "expected least_rows of at least 1, forget in (0, 1] and most_items of at least "
                f"0, got {self.least_rows}, {self.forget}, {self.most_items}"
            )


@dataclass(slots=True)
class GlmHead:
    """Moments, scales and posterior of one component.

    Parameters
    ----------
    blocks : Layout
        Layout of φ.
    n_items : int
        Intercepts I; 0 for none.
    link : {"identity", "logistic"}
        What the linear predictor stands for.
    params : GlmParams
        Priors.
    """

    blocks: Layout
    n_items: int
    link: Link
    params: GlmParams
    moments: Moments = field(init=False)
    scale: Array = field(init=False)  # (B + 1,) prior precision by block, intercepts last, in rows
    noise: float = field(init=False)  # variance of one row; 1 for a response
    square: float = field(init=False, default=0.0)  # Σ w·z²
    n_seen: float = field(init=False, default=0.0)  # Σ maturity
    next_scale: float = field(init=False)
    _posterior: Posterior | None = field(init=False, default=None)

    def __post_init__(self) -> None:
        self.moments = Moments.none(self.blocks.n_features, self.n_items)
        self.noise = 1.0 if self.link == "logistic" else self.params.noise_sd**2
        sd = self.params.response_sd if self.link == "logistic" else self.params.block_sd
        self.scale = np.full(len(self.blocks.names) + 1, self.noise / sd**2)
        self.scale[0] *= 0.1  # what comes in any case moves freely
        self.next_scale = float(self.params.least_rows)

    def posterior(self) -> Posterior:
        """Belief about θ and the intercepts; kept until more is learned."""
        if self._posterior is None:
            self._posterior = self._with(self.moments)
        return self._posterior

    def predictor(self, features: Array, item: Whole) -> Array:
        """Mean linear predictor of N rows."""
        belief = self.posterior()
        return _predicted(features, item, belief.mean, belief.item_mean)

    def learn(self, features: Array, item: Whole, *, target: Array, weight: Array) -> Array:
        """Take N rows, and return where each was linearised, (N,): its revision needs it.

        Parameters
        ----------
        features : ndarray, (N, P)
            φ.
        item : ndarray of int, (N,)
            Whose intercept; −1 for none.
        target : ndarray, (N,)
            The outcome, or what it is expected to become.
        weight : ndarray, (N,)
            How surely that is known, in [0, 1].
        """
        belief = self.posterior()
        at = self._linearised(features, item, target=target, weight=weight)
        self.add(features, item, at=at, weighted=weight * target, weight=weight)
        if len(at) <= self.blocks.n_features // _ROWS_A_FACTOR:
            # So few rows cost less one by one than the whole once more.
            self._posterior = self._after(
                belief, features, item, at=at, weighted=weight * target, weight=weight
            )
        self.note(square=float(weight @ target**2), rows=float(weight.sum()))
        return at

    @property
    def bends(self) -> bool:
        """Whether a row is learned as a parabola, which stands where it was linearised."""
        return self.link == "logistic"

    def moves(self, features: Array, item: Whole, *, at: Array, belief: Posterior) -> Array:
        """How far rows' predictors have gone from where they were linearised; 0 where near."""
        away = _predicted(features, item, belief.mean, belief.item_mean) - at
        farthest = float(np.abs(away).max(initial=0.0))
        return np.where(np.abs(away) < _NEAR, 0.0, away * min(1.0, _FAR / max(farthest, 1e-12)))

    def move(self, features: Array, item: Whole, *, at: Array, by: Array, weight: Array) -> None:
        """Linearise rows, learned ``at`` with this weight, somewhere else: all (N,)."""
        there, here = (self._pseudo(z, np.zeros_like(z), weight) for z in (at + by, at))
        self._take(features, item, weight=there[0] - here[0], aim=there[1] - here[1])

    def discount(self, kept: float) -> None:
        """Let what was learned before count for less; priors stay."""
        if kept < 1:
            self.moments = self.moments.times(kept)
            self.square *= kept
            self.n_seen *= kept
            self._posterior = None

    def add(
        self, features: Array, item: Whole, *, at: Array, weighted: Array, weight: Array
    ) -> None:
        """Add rows linearised ``at`` their predictors, (N,); differences where they are revised.

        ``weighted`` is weight times target, ``weight`` the precision with which it is known.
        """
        precision, aim = self._pseudo(at, weighted, weight)
        self._take(features, item, weight=precision, aim=aim)

    def note(self, *, square: float, rows: float) -> None:
        """Keep Σ w·y² and Σ w of rows, and learn noise and scales from all that has come."""
        self.square += square
        self.n_seen += rows
        self._settle()

    def turn(self, turn: Array) -> None:
        """Follow features that turn to ``turn``·φ."""
        self.moments = self.moments.turned(turn)
        self._posterior = None

    def state(self) -> dict[str, NDArray[Any]]:
        """Return a copy of moments, scales, noise and belief, as named arrays.

        The belief follows from the rest but for its last bits, where rows came one by one.
        """
        kept = {name: getattr(self.moments, name).copy() for name in Moments.__slots__}
        numbers = {name: np.array(getattr(self, name)) for name in _NUMBERS}
        belief = self.posterior()
        held = {f"belief.{name}": np.array(getattr(belief, name)) for name in Posterior.__slots__}
        return kept | numbers | held | {"scale": self.scale.copy()}

    def load(self, state: Mapping[str, NDArray[Any]]) -> None:
        """Restore what :meth:`state` returned."""
        shapes = {name: getattr(self.moments, name).shape for name in Moments.__slots__}
        belief = self.posterior()
        shapes |= {f"belief.{n}": np.shape(getattr(belief, n)) for n in Posterior.__slots__}
        check_state(state, shapes | dict.fromkeys(_NUMBERS, ()) | {"scale": self.scale.shape})
        self.moments = Moments(
            **{name: np.array(state[name], np.float64) for name in Moments.__slots__}
        )
        for name in _NUMBERS:
            setattr(self, name, float(state[name]))
        self.scale = np.array(state["scale"], np.float64)
        held = {name: np.array(state[f"belief.{name}"], np.float64) for name in _ARRAYS}
        self._posterior = Posterior(**held, noise=float(state["belief.noise"]))

    def _take(self, features: Array, item: Whole, *, weight: Array, aim: Array) -> None:
        more = moments_of_rows(features, item, n_items=self.n_items, weight=weight, aim=aim)
        self.moments = self.moments.plus(more)
        self._posterior = None

    def _with(self, moments: Moments) -> Posterior:
        prior_mean = np.zeros(self.blocks.n_features)
        if self.link == "logistic":
            rate = self.params.base_rate
            prior_mean[0] = np.log(rate / (1.0 - rate))
        return posterior_of(
            moments,
            prior=self.blocks.per_feature(self.scale[:-1]),
            prior_mean=prior_mean,
            item_prior=float(self.scale[-1]),
            noise=self.noise,
        )

    def _linearised(self, features: Array, item: Whole, *, target: Array, weight: Array) -> Array:
        """Predictors at which the rows' own likelihood is replaced by a parabola, (N,)."""
        if self.link == "identity":
            return np.zeros(len(features))
        start = at = self.predictor(features, item)
        covariance = self._covariance(features, item)
        for _ in range(_NEWTON_STEPS):
            chance = sigmoid(at)
            root = np.sqrt(weight * np.maximum(chance * (1.0 - chance), _LEAST_WEIGHT))
            pull = root**2 * (at - start) + weight * (target - chance)
            # Newton's step in the rows' own space (Rasmussen and Williams, 2006, alg. 3.1).
            inner = np.eye(len(at)) + root[:, None] * covariance * root
            pull -= root * np.linalg.solve(inner, root * (covariance @ pull))
            step = start + covariance @ pull - at
            farthest = float(np.abs(step).max(initial=0.0))
            at = at + step * min(1.0, _FAR / max(farthest, 1e-12))
            if farthest < _NEAR:
                break
        return at

    def _covariance(self, features: Array, item: Whole) -> Array:
        """Prior covariance of the rows' predictors, (N, N)."""
        belief = self.posterior()
        along = belief.against_intercepts(features, item) @ belief.factor
        covariance = along @ along.T
        if self.n_items:
            same = (item[:, None] == item) & (item >= 0)
            covariance += np.where(same, 1.0 / belief.own[np.maximum(item, 0)], 0.0)
        return np.asarray(self.noise * covariance)

    def _after(
        self,
        belief: Posterior,
        features: Array,
        item: Whole,
        *,
        at: Array,
        weighted: Array,
        weight: Array,
    ) -> Posterior:
        """A belief after some rows, one by one."""
        precision, aim = self._pseudo(at, weighted, weight)
        for n in np.flatnonzero(precision > 0):
            belief = belief.with_row(
                features[n], int(item[n]), weight=float(precision[n]), aim=float(aim[n])
            )
        return belief

    def _pseudo(self, at: Array, weighted: Array, weight: Array) -> tuple[Array, Array]:
        """Precision w and aim w·z of rows linearised at these predictors, (N,) each."""
        if self.link == "identity":
            return weight, weighted
        chance = sigmoid(at)
        curvature = np.maximum(chance * (1.0 - chance), _LEAST_WEIGHT)
        return weight * curvature, weight * (curvature * at - chance) + weighted

    def _settle(self) -> None:
        """Learn noise, and from time to time the scales of the blocks."""
        if self.link == "identity":
            self.noise = self._noise()
            self._posterior = replace(self.posterior(), noise=self.noise)
        if self.n_seen < self.next_scale:
            return
        self.next_scale = (1.0 + self.params.grows) * self.n_seen
        for _ in range(_SCALE_ROUNDS):
            self._posterior = None
            self.scale = self._scales()
        self._posterior = None

    def _noise(self) -> float:
        """Variance of one row: the guess, moved by the residuals (Murphy 2007, §3)."""
        params, belief, m = self.params, self.posterior(), self.moments
        b, theta = belief.item_mean, belief.mean
        fitted = theta @ m.dense @ theta + 2.0 * b @ (m.cross @ theta) + b @ (m.items * b)
        residual = self.square - 2.0 * (theta @ m.aim + b @ m.item_aim) + fitted
        guess = params.noise_rows * params.noise_sd**2
        return (guess + max(float(residual), 0.0)) / (params.noise_rows + self.n_seen)

    def _scales(self) -> Array:
        """Prior precisions by one round of expectation and maximisation, (B + 1,)."""
        belief, params = self.posterior(), self.params
        dense, items = belief.variances()
        away = belief.mean.copy()
        away[0] = 0.0
        size = np.append(self.blocks.sums(away**2 + dense), (belief.item_mean**2 + items).sum())
        count = np.append(np.diff(self.blocks.edges), self.n_items)
        guess = params.block_rows * params.block_sd**2
        # In units of one row's precision, as the moments are.
        scale = self.noise * (count + params.block_rows) / (size + guess)
        scale = np.clip(scale, *_PRECISIONS)
        scale[0] = self.scale[0]
        return np.asarray(scale)


_ARRAYS = ("mean", "factor", "at_zero", "slope", "own")
_NUMBERS = ("noise", "square", "n_seen", "next_scale")


def _predicted(features: Array, item: Whole, theta: Array, intercepts: Array) -> Array:
    predicted = features @ theta
    has_item = item >= 0
    if len(intercepts):
        predicted[has_item] += intercepts[item[has_item]]
    return np.asarray(predicted)
