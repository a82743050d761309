"""The disjoint model: every item is a linear regression of its own, and so is holding.

Requests and feedback enter; beliefs leave. What an item adds is its score less that of holding.
Made for catalogues of some hundred items that stay: nothing is read of an item but its id, so a
new one begins at the prior. Moments are in :mod:`policies.models.arms_head`, the maths in
:mod:`policies.models.arms_math`. Reference: Li, Chu, Langford and Schapire (2010), alg. 1.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from bandit.actions import HOLD, Request
from bandit.draws import Stream, generator
from bandit.outcomes import Feedback, RewardScheme
from bandit.protocols import Estimate, State
from policies.checks import check_request
from policies.models.arms_head import ArmsHead
from policies.models.arms_math import drawn_scores, form_of, mean_scores, squares_of
from policies.models.linear_head import HeadParams
from policies.models.linear_math import row_chunks, shares_of
from policies.parts import estimate_of, send_value
from policies.shape import PolicyShape

__all__ = ["DisjointModel"]

Array = NDArray[np.float64]
Single = NDArray[np.float32]
Whole = NDArray[np.int64]

_FEW_TIMES = 4  # a catalogue of so many short lists is scored whole, and picked from


@dataclass(frozen=True, slots=True)
class _Group:
    """Rows that are scored together: which arms, and which of those each row lists."""

    rows: slice
    arms: Whole  # (J',) of the head
    pick: Whole | None  # (n, K) positions in ``arms``; None where all rows list them in order


@dataclass(slots=True)
class _Kept:
    """What was computed of a state, and is asked for again."""

    version: int
    theta: Array | None = None  # (J, L) weighted means
    form: Single | None = None  # weighted covariances of all arms; a width needs no more digits
    drawn: dict[tuple[int, int, float], Single] = field(default_factory=dict)  # (L, M, J)
    table: tuple[tuple[int, int, float], Whole, Single] | None = None  # of some arms


class DisjointModel:
    """What an :class:`ArmsHead` believes.

    Parameters
    ----------
    shape : PolicyShape
        Lengths of what requests will carry, and the range of item ids.
    scheme : RewardScheme
        Components and weights.
    params : HeadParams, optional
        Prior, noise, forgetting.
    """

    cannot: ClassVar[Mapping[str, str]] = {}

    def __init__(
        self, shape: PolicyShape, scheme: RewardScheme, params: HeadParams | None = None
    ) -> None:
        self.head = ArmsHead(shape, scheme, params or HeadParams())
        self._kept = _Kept(-1)

    @property
    def scheme(self) -> RewardScheme:
        """What a reward is; its weights apply from the next request on."""
        return self.head.scheme

    def reweigh(self, scheme: RewardScheme) -> None:
        """Take other weights of the same components."""
        self.head.reweigh(scheme)

    def check(self, request: Request) -> None:
        """Raise :class:`bandit.errors.BadInputError` unless the request fits and is finite."""
        check_request(request, self.head.lengths)
        self.head.check_items(request.items)

    def update(self, feedback: Feedback) -> None:
        """Learn rows seen for the first time."""
        self.head.learn(feedback)

    def revise(self, feedback: Feedback) -> None:
        """Replace what open rows taught."""
        self.head.revise(feedback)

    def rotate(self, basis: Array, kept: float) -> None:
        """Follow the encoder's new basis (see :meth:`ArmsHead.rotate`)."""
        self.head.rotate(basis, kept)

    def state(self) -> State:
        """Return the head's moments and open rows."""
        return self.head.state()

    def load(self, state: State) -> None:
        """Restore the head."""
        self.head.load(state)

    def values(self, request: Request) -> Array:
        """Weighted mean uplift of every action, (N, A); 0 for hold."""
        theta = self._theta()
        values = np.zeros((request.n_rows, request.n_actions))
        context = _with_one(request.context)
        quiet = context @ theta[HOLD, : context.shape[1]]
        scores = self._scored(request, theta)
        scores += (self.send_value() - quiet)[:, None]
        values[:, 1:] = scores
        return values

    def base_values(self, request: Request) -> Array:
        """Weighted mean of what holding brings, (N,)."""
        context = _with_one(request.context)
        return np.asarray(context @ self._theta()[HOLD, : context.shape[1]])

    def spreads(self, request: Request) -> Array:
        """Standard deviation of the weighted uplift of every action, (N, A); 0 for hold."""
        variances = self._variances(request, self._form())
        spreads = np.sqrt(variances + variances[:, :1])
        spreads[:, HOLD] = 0.0
        return np.asarray(spreads)

    def contrast_spreads(self, request: Request, reference: Whole) -> Array:
        """Standard deviation of every action's weighted uplift less the reference's, (N, A).

        Arms are independent, so holding cancels and variances add.
        """
        variances, rows = self._variances(request, self._form()), np.arange(request.n_rows)
        spreads = np.sqrt(variances + variances[rows, reference][:, None])
        spreads[rows, reference] = 0.0
        return np.asarray(spreads)

    def draws(
        self, request: Request, key: int, *, n_draws: int, scale: float
    ) -> Iterator[tuple[slice, Array]]:
        """Weighted uplifts under M posterior draws, in chunks of rows: (n, M, A), hold at 0."""
        for rows, scores, quiet in self._drawn_worths(request, (key, n_draws, scale)):
            drawn = np.zeros((len(scores), n_draws, request.n_actions))
            added = scores - quiet[:, :, None, None] + self.send_value()  # (n, M, S, K)
            drawn[:, :, 1:] = added.transpose(0, 1, 3, 2).reshape(len(scores), n_draws, -1)
            yield rows, drawn

    def best_shares(self, request: Request, key: int, *, n_draws: int, scale: float) -> Array:
        """Share of those draws under which each unmasked action is best, (N, A)."""
        shares, mask, known = np.ones(request.mask.shape), request.mask, self.send_value()
        for rows, scores, quiet in self._drawn_worths(request, (key, n_draws, scale)):
            flat = scores.reshape(len(scores), n_draws, -1)
            hold = known - quiet.astype(np.float64)
            shares[rows] = shares_of(flat, mask[rows], hold, n_slots=request.n_slots)
        return shares

    def estimate(self, request: Request) -> Estimate:
        """Posterior mean and standard deviation of base and uplift, unweighted."""
        self.check(request)
        n, n_components = request.n_rows, len(self.scheme)
        (mean, factor), noise = self.head.posterior(), self.head.noise_sd()
        base = np.zeros((2, n, n_components))
        uplift = np.zeros((2, n, request.n_actions, n_components))
        context = _with_one(request.context)
        for row, component in enumerate(self.head.learned):
            quiet = context @ mean[row, HOLD, : context.shape[1]]
            form = form_of(noise[row] ** 2 * factor[row] @ factor[row].transpose(0, 2, 1))
            variances = self._variances(request, form)
            base[0, :, component], base[1, :, component] = quiet, np.sqrt(variances[:, HOLD])
            uplift[0, :, 1:, component] = self._scored(request, mean[row]) - quiet[:, None]
            uplift[1, :, 1:, component] = np.sqrt(variances[:, 1:] + variances[:, :1])
        return estimate_of(self.scheme, base, uplift)

    def weights(self) -> Array:
        """Weights of the learned components, (R',)."""
        return np.asarray(self.scheme.weights[self.head.learned])

    def send_value(self) -> float:
        """Weighted worth of sending as such: costs that are known, not learned."""
        return send_value(self.scheme)

    def _now(self) -> _Kept:
        if self._kept.version != self.head.version:
            self._kept = _Kept(self.head.version)
        return self._kept

    def _theta(self) -> Array:
        kept = self._now()
        if kept.theta is None:
            kept.theta = np.tensordot(self.weights(), self.head.posterior()[0], axes=1)
        return kept.theta

    def _form(self) -> Single:
        kept = self._now()
        if kept.form is None:
            _, factor = self.head.posterior()
            scaled = (self.weights() * self.head.noise_sd())[:, None, None, None] * factor
            form = form_of((scaled @ scaled.transpose(0, 1, 3, 2)).sum(axis=0))
            kept.form = form.astype(np.float32)
        return kept.form

    def _drawn(self, asked: tuple[int, int, float]) -> Single:
        """Weighted coefficients of all arms under M draws, (L, M, J): once a state."""
        kept = self._now()
        if asked not in kept.drawn:
            key, n_draws, scale = asked
            rng = generator(key, stream=Stream.POSTERIOR)
            (mean, factor), noise = self.head.posterior(), self.head.noise_sd()
            total = np.zeros((mean.shape[1], n_draws, mean.shape[2]))
            for weight, one, root, sd in zip(self.weights(), mean, factor, noise, strict=True):
                normal = rng.standard_normal(total.shape)
                total += weight * (one[:, None] + scale * sd * normal @ root.transpose(0, 2, 1))
            kept.drawn[asked] = np.ascontiguousarray(total.transpose(2, 1, 0), np.float32)
        return kept.drawn[asked]

    def _table(self, asked: tuple[int, int, float], arms: Whole) -> Single:
        """Coefficients of some arms, (L, M, J'); those of the last short list are kept."""
        drawn, kept = self._drawn(asked), self._now()
        if kept.table is None or kept.table[0] != asked or not np.array_equal(kept.table[1], arms):
            kept.table = asked, arms.copy(), np.ascontiguousarray(drawn[:, :, arms])
        return kept.table[2]

    def _groups(self, request: Request) -> Iterator[_Group]:
        """Rows of one short list together, or all over a small catalogue, or each by itself."""
        items = request.items
        if not items.size:
            return
        if (items == items[:1]).all():
            yield _Group(slice(0, len(items)), 1 + items[0], None)
        elif self._is_small(request):
            yield _Group(slice(0, len(items)), 1 + np.arange(self.head.shape.n_items), items)
        else:
            for row, listed in enumerate(items):
                yield _Group(slice(row, row + 1), 1 + listed, None)

    def _is_small(self, request: Request) -> bool:
        """Whether scoring the whole catalogue costs less than gathering every row's arms."""
        return self.head.shape.n_items <= _FEW_TIMES * request.n_items

    def _scored(self, request: Request, theta: Array) -> Array:
        """θ·x of every send, (N, K·S)."""
        scores = np.empty((request.n_rows, request.n_items, request.n_slots))
        for group in self._groups(request):
            context = _with_one(request.context[group.rows])
            slot = request.slot_features[group.rows]
            found = _picked(mean_scores(context, slot, theta[group.arms]), group.pick)
            scores[group.rows] = found.transpose(0, 2, 1)
        return scores.reshape(request.n_rows, request.n_actions - 1)

    def _drawn_worths(
        self, request: Request, asked: tuple[int, int, float]
    ) -> Iterator[tuple[slice, Single, Single]]:
        """Scores of sends (n, M, S, K) and of holding (n, M) under draws, in chunks of rows."""
        wide = 4 * asked[1] * request.n_actions
        hold = self._drawn(asked)[:, :, HOLD]
        for group in self._groups(request):
            table = self._table(asked, group.arms)
            for rows in _chunks(group.rows, wide):
                context = _with_one(request.context[rows])
                scores = drawn_scores(context, request.slot_features[rows], table)
                pick = None if group.pick is None else group.pick[rows, None]
                quiet = context.astype(np.float32) @ hold[: context.shape[1]]
                yield rows, _picked(scores, pick), quiet

    def _variances(self, request: Request, form: Array | Single) -> Array:
        """xᵀΣx of every action, (N, A), holding first; ``form`` is (J, L(L + 1)/2) of all arms."""
        n, s = request.slot_features.shape[:2]
        variances = np.empty((n, 1 + request.n_items * s))
        whole = self._is_small(request)
        for rows in _chunks(slice(0, n), 8 * (1 + s) * form.shape[1], at_most=n if whole else 1):
            context = _with_one(request.context[rows]).astype(form.dtype)
            quiet = np.zeros((len(context), self.head.n_features), form.dtype)
            quiet[:, : context.shape[1]] = context
            variances[rows, HOLD] = squares_of(quiet) @ form[HOLD]
            features = np.repeat(quiet, s, axis=0)
            slot = request.slot_features[rows]
            features[:, context.shape[1] :] = slot.reshape(len(features), slot.shape[2])
            squares = squares_of(features)
            arms = 1 + request.items[rows]
            found = squares @ (form if whole else form[arms[0]]).T
            found = found.reshape(len(context), s, found.shape[1])
            sends = _picked(found, arms[:, None] if whole else None).transpose(0, 2, 1)
            variances[rows, 1:] = sends.reshape(len(context), request.n_actions - 1)
        return np.maximum(variances, 0.0)


def _chunks(rows: slice, bytes_a_row: int, *, at_most: int | None = None) -> Iterator[slice]:
    """Slices of rows whose intermediate arrays stay in the cache."""
    if at_most == 1:
        yield from (slice(row, row + 1) for row in range(rows.start, rows.stop))
        return
    for part in row_chunks(rows.stop - rows.start, bytes_a_row):
        yield slice(rows.start + part.start, min(rows.start + part.stop, rows.stop))


def _picked(scores: NDArray[np.floating], pick: Whole | None) -> NDArray[np.floating]:
    """Of the arms along the last axis, those each row lists: (n, …, J) → (n, …, K)."""
    if pick is None:
        return scores
    n, j = len(scores), scores.shape[-1]
    flat = scores.reshape(n, -1, j)
    at = j * np.arange(n * flat.shape[1]).reshape(n, -1, 1) + pick.reshape(n, 1, -1)
    return np.asarray(flat.take(at).reshape(*scores.shape[:-1], -1))


def _with_one(context: Array) -> Array:
    seen = np.ones((len(context), 1 + context.shape[1]))
    seen[:, 1:] = context
    return seen
