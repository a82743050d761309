"""The hybrid model: a generalised linear head for each component, with crosses and intercepts.

Requests and feedback enter; beliefs leave. What a push adds depends on the context, the item, the
slot and every cross of two of them, and on the item itself; how far each of these reaches is
learned. A response that comes or not is logistic in the sum of base and push, what is counted is
linear. References: Li et al. (2010), §3.2, for the features; Chapelle and Li (2011), alg. 3, for
the logistic posterior.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from operator import is_
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from bandit.actions import Request
from bandit.draws import Stream, generator
from bandit.errors import BadInputError
from bandit.outcomes import Feedback, RewardScheme
from bandit.protocols import Estimate, State
from policies.checks import (
    check_feedback,
    check_request,
    check_scheme,
    check_state,
    check_turn,
    learned_rows,
    part_of,
)
from policies.models.blocks import Blocks
from policies.models.glm_head import GlmHead, GlmParams
from policies.models.glm_math import Posterior
from policies.models.heads import Heads
from policies.models.hybrid_estimate import believed
from policies.models.hybrid_math import Drawn, drawn
from policies.models.hybrid_worth import added_by, ranked, weighed_link
from policies.models.linear_math import row_chunks, shares_of
from policies.models.open_rows import OpenRows
from policies.parts import estimate_of, learned_of, send_value
from policies.shape import PolicyShape

__all__ = ["HybridModel"]

Array = NDArray[np.float64]
Single = NDArray[np.float32]
Whole = NDArray[np.int64]

_CHUNK_ROWS = 512  # a batch's Newton steps are as large as it is, squared
_SPREAD_DRAWS = 128
_MOVES = 16


@dataclass(slots=True)
class _Kept:
    """Draws that were made for a state and key, kept while both stay."""

    asked: tuple[int, int]  # key and number of draws
    of: list[Posterior]
    away: list[tuple[Array, Array]]  # of each head, from its mean, at scale 1
    by_scale: dict[float, list[Drawn]] = field(default_factory=dict)


class HybridModel:
    """What generalised linear heads believe.

    Parameters
    ----------
    shape : PolicyShape
        Lengths of what requests will carry, and the range of item ids.
    scheme : RewardScheme
        Components and weights; a component whose measure is ``any`` is a response.
    params : GlmParams, optional
        Priors, forgetting, and the largest catalogue whose items have intercepts.
    """

    head_of: ClassVar[Callable[..., Any]] = GlmHead

    def __init__(
        self, shape: PolicyShape, scheme: RewardScheme, params: GlmParams | None = None
    ) -> None:
        self.params = params or GlmParams()
        self.blocks = Blocks(shape)
        self.learned = learned_of(scheme)
        self.n_items = shape.n_items if shape.n_items <= self.params.most_items else 0
        self.parts = Heads.of(scheme, self.blocks, self.n_items, self.params, self.head_of)
        self.heads = self.parts.all
        self._weigh(scheme)
        self.log_discount = 0.0
        d, di, ds = self.blocks.lengths
        of_each = dict.fromkeys(("target", "weight", "at"), len(self.heads))
        self.rows = OpenRows(
            {"context": d, "item": di, "slot": ds, "is_send": 1, "id": 1, "log_discount": 1}
            | of_each
        )
        self._kept: _Kept | None = None
        self._centre: tuple[list[Posterior], list[Drawn]] | None = None

    @property
    def cannot(self) -> Mapping[str, str]:
        """Laws that logistic heads cannot meet."""
        if all(head.link == "identity" for head in self.heads):
            return {}
        laws = {"revises_exactly": "a response is learned at a parabola that later rows would bend"}
        if self.params.two_part:
            laws["revises_closely"] = "a chance is guessed until it is known whether anything came"
        return laws

    def reweigh(self, scheme: RewardScheme) -> None:
        """Take other weights of the same components; what was learned stays."""
        check_scheme(scheme, self.scheme)
        self._weigh(scheme)

    def check(self, request: Request) -> None:
        """Raise :class:`BadInputError` unless the request fits this model and is finite."""
        check_request(request, self.blocks.lengths)
        self._check_items(request.items)

    def values(self, request: Request) -> Array:
        """Weighted uplift of every action at the mean coefficients, (N, A); 0 for hold."""
        values = np.zeros((request.n_rows, request.n_actions))
        for rows, worth in self._worths(request, self._means()):
            values[rows, 1:] = _by_item(worth, request.n_slots)[:, 0] + self.send_value()
        return values

    def spreads(self, request: Request) -> Array:
        """Standard deviation of the weighted uplift over 128 draws, (N, A); 0 for hold."""
        spreads = np.zeros((request.n_rows, request.n_actions))
        for rows, worth in self._worths(request, self._draws(0, _SPREAD_DRAWS, 1.0)):
            spreads[rows, 1:] = _by_item(worth, request.n_slots).std(axis=1)
        return spreads

    def draws(
        self, request: Request, key: int, *, n_draws: int, scale: float
    ) -> Iterator[tuple[slice, Array]]:
        """Weighted uplifts under M posterior draws, in chunks of rows: (n, M, A), hold at 0."""
        for rows, worth in self._worths(request, self._draws(key, n_draws, scale)):
            uplift = np.zeros((len(worth), n_draws, request.n_actions))
            uplift[:, :, 1:] = _by_item(worth, request.n_slots) + self.send_value()
            yield rows, uplift

    def best_shares(self, request: Request, key: int, *, n_draws: int, scale: float) -> Array:
        """Share of those draws under which each unmasked action is best, (N, A)."""
        mask, heads = request.mask, self._draws(key, n_draws, scale)
        shares, cost = np.empty(mask.shape), self._send_value
        only = self._only
        if only is None:
            for rows, worth in self._worths(request, heads):
                shares[rows] = shares_of(worth, mask[rows], cost, n_slots=request.n_slots)
            return shares
        r, weight = only  # a link changes no order, so sends compete as they are
        has_link = bool(cost and mask[:, 0].any() and self.heads[r].link == "logistic")
        for rows in self._chunks(request, heads[r]):
            worth = ranked(heads[r], request, rows)
            worth *= np.float32(weight)
            known: float | Array = cost
            if has_link:
                known = weighed_link(heads[r], request.context[rows], known=cost, weight=weight)
            shares[rows] = shares_of(worth, mask[rows], known, n_slots=request.n_slots)
        return shares

    def estimate(self, request: Request) -> Estimate:
        """Mean and standard deviation of base and uplift of every component, unweighted."""
        self.check(request)
        n, n_components = request.n_rows, len(self.scheme)
        base = np.zeros((2, n, n_components))
        uplift = np.zeros((2, n, request.n_actions, n_components))
        for r, component in enumerate(self.learned):
            base[..., component], uplift[..., component] = believed(
                self.parts.at(r), self.blocks, request, has_items=self.n_items > 0
            )
        return estimate_of(self.scheme, base, uplift)

    def update(self, feedback: Feedback) -> None:
        """Take rows for the first time, after discounting what was learned before."""
        if feedback.n_rows == 0:
            return
        target, weight, is_open = self._seen(feedback)
        check_feedback(feedback, self.blocks.lengths)
        self._check_items(feedback.item)
        self.rows.expect_new(feedback.decision_id)
        self._discount(self.params.forget)
        columns = self._columns(feedback, target, weight)
        for rows in _slices(feedback.n_rows):
            features, item = self._features({name: c[rows] for name, c in columns.items()})
            for r, head in enumerate(self.heads):
                columns["at"][rows, r] = head.learn(
                    features, item, target=target[rows, r], weight=weight[rows, r]
                )
        if is_open.any():
            kept = {name: column[is_open] for name, column in columns.items()}
            self.rows.add(feedback.decision_id[is_open], kept)

    def revise(self, feedback: Feedback) -> None:
        """Replace what was learned from rows that are still open.

        A response is a parabola around the predictor it was learned at. Once it has come, or has
        become less likely, the predictor moves, and the parabola of the row with it.
        """
        if feedback.n_rows == 0:
            return
        target, weight, is_open = self._seen(feedback)
        where = self.rows.positions(feedback.decision_id)
        for rows in _slices(len(where)):
            columns, features, item, decay = self._open(where[rows])
            for r, head in enumerate(self.heads):
                new, known = target[rows, r], weight[rows, r]
                old, knew = columns["target"][:, r], columns["weight"][:, r]
                more = decay * (known - knew)
                weighted = decay * (known * new - knew * old)
                head.add(features, item, at=columns["at"][:, r], weighted=weighted, weight=more)
                square = decay @ (known * new**2 - knew * old**2)
                head.note(square=float(square), rows=float(more.sum()))
        self.rows.put("target", where, target)
        self.rows.put("weight", where, weight)
        for _ in range(_MOVES):
            if not self._follow(where):
                break
        self.rows.drop(where[~is_open])

    def rotate(self, basis: Array, kept: float) -> None:
        """Turn contexts into the new coordinates c' = Q·c.

        Parameters
        ----------
        basis : ndarray, (D, D)
            Q, orthogonal.
        kept : float
            ρ in (0, 1]: share of the old context that Q explains; data are discounted by it.
        """
        check_turn(basis, kept, n_context=self.blocks.lengths[0])
        turn = self.blocks.turned(basis)
        for head in self.heads:
            head.turn(turn)
        self.rows.turn("context", basis)
        self._discount(kept)

    def state(self) -> State:
        """Return every head, the discount's clock and open rows."""
        heads = {
            f"{r}.{name}": array
            for r, head in enumerate(self.heads)
            for name, array in head.state().items()
        }
        return heads | {"log_discount": np.array(self.log_discount)} | self.rows.state()

    def load(self, state: State) -> None:
        """Restore what :meth:`state` returned."""
        check_state(state, {"log_discount": ()})
        for r, head in enumerate(self.heads):
            head.load(part_of(state, f"{r}."))
        self.rows.load(state)
        self.log_discount = float(state["log_discount"])

    def _follow(self, where: Whole) -> bool:
        """Move the parabolas of open rows to where their predictors are now; whether any did."""
        curved = [(r, head, head.posterior()) for r, head in enumerate(self.heads) if head.bends]
        has_moved = False
        for rows in _slices(len(where)) if curved else ():
            columns, features, item, decay = self._open(where[rows])
            for r, head, belief in curved:
                at, weight = columns["at"][:, r], decay * columns["weight"][:, r]
                goes = head.moves(features, item, at=at, belief=belief)
                is_far = np.flatnonzero(goes)
                if not len(is_far):
                    continue
                has_moved = True
                far = features[is_far], item[is_far]
                head.move(*far, at=at[is_far], by=goes[is_far], weight=weight[is_far])
                columns["at"][:, r] = at + goes
            self.rows.put("at", where[rows], columns["at"])
        return has_moved

    def _open(self, where: Whole) -> tuple[dict[str, Array], Array, Whole, Array]:
        """Columns of open rows, their φ, whose intercept, and by how much they are discounted."""
        columns = {name: self.rows.take(name, where) for name in self.rows.widths}
        decay = np.exp(self.log_discount - columns["log_discount"][:, 0])  # (n,)
        return columns, *self._features(columns), decay

    def weights(self) -> Array:
        """Weights of the learned components, (R',)."""
        return self._weights

    def send_value(self) -> float:
        """Weighted worth of sending as such: costs that are known, not learned."""
        return self._send_value

    def _weigh(self, scheme: RewardScheme) -> None:
        self.scheme = scheme
        self._weights = np.asarray(scheme.weights[self.learned])
        self._send_value = send_value(scheme)
        self._only = self._only_head()

    def _only_head(self) -> tuple[int, float] | None:
        """The one head that has a weight, and that weight; ``None`` if there are others."""
        used = np.flatnonzero(self._weights)
        if len(used) != 1:
            return None
        span = self.parts.spans[used[0]]
        return (span.start, float(self._weights[used[0]])) if span.stop - span.start == 1 else None

    def _means(self) -> list[Drawn]:
        beliefs = [head.posterior() for head in self.heads]
        kept = self._centre
        if kept is None or not all(map(is_, kept[0], beliefs)):
            means = [drawn(self.blocks, b.mean[None], b.item_mean[None]) for b in beliefs]
            self._centre = kept = beliefs, means
        return kept[1]

    def _draws(self, key: int, n_draws: int, scale: float) -> list[Drawn]:
        """M draws of every head: once a state, key and scale, whatever the weights."""
        beliefs = [head.posterior() for head in self.heads]
        kept = self._kept
        if kept is None or kept.asked != (key, n_draws) or not all(map(is_, kept.of, beliefs)):
            rng = generator(key, stream=Stream.POSTERIOR)
            away = [
                belief.away(
                    rng.standard_normal((n_draws, self.blocks.n_features)),
                    rng.standard_normal((n_draws, self.n_items)),
                )
                for belief in beliefs
            ]
            self._kept = kept = _Kept((key, n_draws), beliefs, away)
        if scale not in kept.by_scale:
            kept.by_scale[scale] = [
                drawn(self.blocks, b.mean + scale * theta, b.item_mean + scale * own)
                for b, (theta, own) in zip(beliefs, kept.away, strict=True)
            ]
        return kept.by_scale[scale]

    def _chunks(self, request: Request, one: Drawn) -> list[slice]:
        m = one.base.shape[1]
        wide = request.n_actions + request.n_slots * (1 + self.blocks.lengths[1])
        return row_chunks(request.n_rows, 8 * m * wide)

    def _worths(self, request: Request, heads: list[Drawn]) -> Iterator[tuple[slice, Single]]:
        """Weighted worth of every send, (n, M, S·K), in chunks of rows, known costs left out."""
        used = np.flatnonzero(self._weights)
        for rows in self._chunks(request, heads[0]) if heads else ():
            worth: Single | None = None
            for r in used:
                span = self.parts.spans[r]
                added = added_by(self.parts.at(int(r)), heads[span], request, rows)
                added *= np.float32(self._weights[r])
                worth = added if worth is None else worth + added
            if worth is None:
                n, m = len(request.context[rows]), heads[0].base.shape[1]
                worth = np.zeros((n, m, request.n_slots * request.n_items), np.float32)
            yield rows, worth

    def _features(self, columns: Mapping[str, Array]) -> tuple[Array, Whole]:
        """φ (n, P) and whose intercept (n,) of rows."""
        is_send = columns["is_send"][:, 0] != 0
        features = self.blocks.features(
            columns["context"], columns["item"], columns["slot"], is_send=is_send
        )
        item = columns["id"][:, 0].astype(np.int64)
        return features, item if self.n_items else np.full(len(item), -1)

    def _columns(self, feedback: Feedback, target: Array, weight: Array) -> dict[str, Array]:
        """What is kept of rows that may be revised."""
        return {
            "context": feedback.context,
            "item": feedback.item_features,
            "slot": feedback.slot_features,
            "is_send": feedback.is_send[:, None],
            "id": np.where(feedback.is_send, feedback.item, -1)[:, None],
            "log_discount": np.full((feedback.n_rows, 1), self.log_discount),
            "target": target,
            "weight": weight,
            "at": np.zeros_like(target),
        }

    def _seen(self, feedback: Feedback) -> tuple[Array, Array, NDArray[np.bool_]]:
        """Values and precisions for every head, (N, H) each, and which rows are not final, (N,)."""
        target, weight = learned_rows(feedback, self.scheme)
        return *self.parts.split(target, weight), np.asarray((weight < 1).any(axis=1))

    def _check_items(self, items: Whole) -> None:
        if self.n_items and items.size and items.max() >= self.n_items:
            raise BadInputError(
                f"expected item ids below {self.n_items}, got {items.max()}: was the policy made "
                "for a smaller catalogue?"
            )

    def _discount(self, kept: float) -> None:
        if kept < 1:
            for head in self.heads:
                head.discount(kept)
            self.log_discount += float(np.log(kept))


def _by_item(worth: Single, n_slots: int) -> Array:
    """(n, M, S·K) with slots before items as (n, M, K·S) of actions."""
    n, m, pairs = worth.shape
    k = pairs // max(n_slots, 1)
    turned = worth.reshape(n, m, n_slots, k).transpose(0, 1, 3, 2)
    return np.asarray(turned.reshape(n, m, pairs), np.float64)


def _slices(n_rows: int) -> list[slice]:
    return [slice(start, start + _CHUNK_ROWS) for start in range(0, n_rows, _CHUNK_ROWS)]
