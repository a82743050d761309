"""Behaviour by way of responses: what a push adds is so much for each answer it is likely to get.

Requests and feedback enter; beliefs leave. A push that brings a visit is clicked. Clicks are
frequent and about the message, visits and orders are noisy and about the user: crosses of context,
item and slot are learned from clicks, by the hybrid model, and behaviour only by how much a send
adds of itself and how much with each expected click. Reference: Athey, Chetty, Imbens and Kang
(2019), "The surrogate index: combining short-term proxies to estimate long-term effects".
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bandit.actions import Request, SlotGrid
from bandit.draws import Stream, generator
from bandit.errors import BadInputError
from bandit.outcomes import Component, Feedback, Kind, RewardScheme
from bandit.protocols import Estimate, State
from policies.checks import check_feedback, check_scheme, check_state, check_turn, learned_rows
from policies.models.glm_head import GlmParams
from policies.models.hybrid import HybridModel
from policies.models.linear_math import shares_of
from policies.models.open_rows import OpenRows
from policies.models.reach import Reach
from policies.models.surrogate_heads import SurrogateHeads
from policies.parts import estimate_of, learned_of, send_value
from policies.shape import PolicyShape

__all__ = ["SurrogateModel"]

Array = NDArray[np.float64]

_SPREAD_DRAWS = 128
_CLICK = Component(name="click", kinds=(Kind.CLICKED,), measure="any", weight=1.0)


class SurrogateModel:
    """What is believed of behaviour by way of clicks.

    Parameters
    ----------
    shape : PolicyShape
        Lengths of what requests will carry, and the range of item ids.
    scheme : RewardScheme
        Components and weights; one of them has to be whether a message was clicked.
    params : GlmParams, optional
        Priors of the hybrid model that clicks are learned by.

    Notes
    -----
    How likely a row's push was answered is what was believed before the row was learned, and stays
    so when it is revised.
    Asked or taught under a scheme that counts no clicks, it refuses.
    """

    def __init__(
        self, shape: PolicyShape, scheme: RewardScheme, params: GlmParams | None = None
    ) -> None:
        self.scheme, self.shape = scheme, shape
        self.learned = learned_of(scheme)
        self.answered = _clicks_of(scheme)
        click = (
            _CLICK if self.answered < 0 else replace(scheme.components[self.answered], weight=1.0)
        )
        self._clicks = replace(
            scheme, name="clicks", objective="engagement", components=(click,), currency=""
        )
        self.answers = HybridModel(shape, self._clicks, params)
        reach = Reach(shape.n_context, shape.n_item_features)
        self.behaviour = [int(r) for r in self.learned if r != self.answered]
        self.heads = SurrogateHeads([scheme.components[r] for r in self.behaviour], reach)
        of_each = dict.fromkeys(("target", "weight", "at"), len(self.behaviour))
        self.rows = OpenRows(
            {"context": shape.n_context, "item": shape.n_item_features}
            | dict.fromkeys(("answer", "is_send", "p_send"), 1)
            | of_each
        )

    cannot: Mapping[str, str] = {
        "learns_identity": "pushes are learned by their clicks, and there are none",
        "beats_uniform_on_tiny": "pushes are learned by their clicks, which mean nothing there",
        "revises_exactly": "how likely an answer was is what was believed when a row came",
        "revises_closely": "how likely an answer was is what was believed when a row came",
    }

    def reweigh(self, scheme: RewardScheme) -> None:
        """Take other weights of the same components; what was learned stays."""
        check_scheme(scheme, self.scheme)
        self.scheme = scheme

    def check(self, request: Request) -> None:
        """Raise :class:`BadInputError` unless the request fits, is finite, and clicks count."""
        self._expect_clicks()
        self.answers.check(request)

    def values(self, request: Request) -> Array:
        """Weighted uplift of every action at the mean coefficients, (N, A); 0 for hold."""
        likely = self.answers.values(request)[:, None]
        everybody = slice(0, request.n_rows)
        return self._worth(request, everybody, likely, self.heads.means())[:, 0]

    def spreads(self, request: Request) -> Array:
        """Standard deviation of the weighted uplift over 128 draws, (N, A); 0 for hold."""
        spreads = np.zeros((request.n_rows, request.n_actions))
        for rows, worth in self.draws(request, 0, n_draws=_SPREAD_DRAWS, scale=1.0):
            spreads[rows] = worth.std(axis=1)
        return spreads

    def draws(
        self, request: Request, key: int, *, n_draws: int, scale: float
    ) -> Iterator[tuple[slice, Array]]:
        """Weighted uplifts under M posterior draws, in chunks of rows: (n, M, A), hold at 0."""
        rng = generator(key + 1, stream=Stream.POSTERIOR)
        drawn = self.heads.drawn(rng, n_draws=n_draws, scale=scale)
        for rows, likely in self.answers.draws(request, key, n_draws=n_draws, scale=scale):
            yield rows, self._worth(request, rows, likely, drawn)

    def best_shares(self, request: Request, key: int, *, n_draws: int, scale: float) -> Array:
        """Share of those draws under which each unmasked action is best, (N, A)."""
        shares, mask = np.empty(request.mask.shape), request.mask
        for rows, worth in self.draws(request, key, n_draws=n_draws, scale=scale):
            # The order of pairs is of no account there, so all are items of one slot.
            shares[rows] = shares_of(worth[:, :, 1:].astype(np.float32), mask[rows], 0.0, n_slots=1)
        return shares

    def estimate(self, request: Request) -> Estimate:
        """Mean and standard deviation of base and uplift of every component, unweighted."""
        self.check(request)
        n, n_components = request.n_rows, len(self.scheme)
        base = np.zeros((2, n, n_components))
        uplift = np.zeros((2, n, request.n_actions, n_components))
        told = self.answers.estimate(request)
        base[:, :, self.answered] = told.base_mean[:, 0], told.base_sd[:, 0]
        mean, sd = told.uplift_mean[:, :, 0], told.uplift_sd[:, :, 0]
        uplift[..., self.answered] = mean, sd
        for r, part in zip(self.behaviour, self.heads.parts, strict=True):
            told_base, told_uplift = part.believed(request, mean[:, 1:], sd[:, 1:])
            base[..., r], uplift[:, :, 1:, r] = told_base, told_uplift
        return estimate_of(self.scheme, base, uplift)

    def update(self, feedback: Feedback) -> None:
        """Take rows for the first time."""
        if feedback.n_rows == 0:
            return
        self._expect_clicks()
        target, weight = self._behaviour(feedback)
        check_feedback(feedback, self.answers.blocks.lengths)
        self.rows.expect_new(feedback.decision_id)
        columns: dict[str, Array] = {
            "context": feedback.context,
            "item": feedback.item_features,
            "answer": self._likely(feedback)[:, None],
            "is_send": feedback.is_send[:, None].astype(np.float64),
            "p_send": feedback.p_send[:, None],
            "target": target,
            "weight": weight,
        }
        self.answers.update(self._told(feedback))
        columns["at"] = self.heads.learn(columns)
        is_open = np.asarray((weight < 1).any(axis=1))
        if is_open.any():
            kept = {name: column[is_open] for name, column in columns.items()}
            self.rows.add(feedback.decision_id[is_open], kept)

    def revise(self, feedback: Feedback) -> None:
        """Replace what was learned from rows that are still open."""
        if feedback.n_rows == 0:
            return
        target, weight = self._behaviour(feedback)
        answers = np.isin(feedback.decision_id, self.answers.rows.decision_id)
        ours = np.isin(feedback.decision_id, self.rows.decision_id)
        self.rows.positions(feedback.decision_id[~answers])  # open in one of them, or refused
        if answers.any():
            self.answers.revise(self._told(feedback).take(answers))
        where = self.rows.positions(feedback.decision_id[ours])
        kept = {name: self.rows.take(name, where) for name in self.rows.widths}
        self.heads.revise(kept, target=target[ours], weight=weight[ours])
        self.rows.put("target", where, target[ours])
        self.rows.put("weight", where, weight[ours])
        self.rows.drop(where[(weight[ours] >= 1).all(axis=1)])

    def rotate(self, basis: Array, kept: float) -> None:
        """Turn contexts into the new coordinates c' = Q·c; data are discounted by ``kept``."""
        check_turn(basis, kept, n_context=self.shape.n_context)
        self.answers.rotate(basis, kept)
        self.heads.turn(basis)
        self.rows.turn("context", basis)

    def state(self) -> State:
        """Return what is believed of answers and of behaviour, and open rows."""
        mine = dict(self.heads.state()) | dict(self.rows.state())
        answers = {f"answers.{name}": array for name, array in self.answers.state().items()}
        return answers | {f"behaviour.{name}": array for name, array in mine.items()}

    def load(self, state: State) -> None:
        """Restore what :meth:`state` returned."""
        check_state(state, {"answers.log_discount": ()})
        parts: dict[str, dict[str, NDArray[Any]]] = {"answers": {}, "behaviour": {}}
        for name, array in state.items():
            part, _, rest = name.partition(".")
            if part in parts:
                parts[part][rest] = array
        self.answers.load(parts["answers"])
        self.heads.load(parts["behaviour"])
        self.rows.load(parts["behaviour"])

    def send_value(self) -> float:
        """Weighted worth of sending as such: costs that are known, not learned."""
        return send_value(self.scheme)

    def _worth(self, request: Request, rows: slice, likely: Array, drawn: list[Array]) -> Array:
        """Weighted uplift, (n, M, A), where answers have these chances under each draw."""
        n, m, _ = likely.shape
        weights = self.scheme.weights
        slope = np.full((n, m, request.n_items), weights[self.answered])
        fixed = np.full((n, m), self.send_value())
        context, item = request.context[rows], request.item_features[rows]
        for r, part, theta in zip(self.behaviour, self.heads.parts, drawn, strict=True):
            if weights[r]:
                per_answer, of_itself = part.seen_from(context, item, theta)
                slope += weights[r] * per_answer
                fixed += weights[r] * of_itself
        worth = np.zeros(likely.shape)
        worth[:, :, 1:] = likely[:, :, 1:] * np.repeat(slope, request.n_slots, axis=2)
        worth[:, :, 1:] += fixed[:, :, None]
        return worth

    def _expect_clicks(self) -> None:
        if self.answered < 0:
            raise BadInputError(
                f"expected a scheme that counts clicks, got {self.scheme.name!r}: give it such a "
                "component, at weight 0 where clicks are not what counts"
            )

    def _behaviour(self, feedback: Feedback) -> tuple[Array, Array]:
        """Values and precisions of what is learned by answers, checked, (N, B) each."""
        at = np.flatnonzero(self.learned != self.answered)
        target, weight = learned_rows(feedback, self.scheme)
        return target[:, at], weight[:, at]

    def _told(self, feedback: Feedback) -> Feedback:
        """Rows of clicks alone."""
        only = slice(self.answered, self.answered + 1)
        return replace(
            feedback,
            components=feedback.components[:, only],
            maturity=feedback.maturity[:, only],
            scheme=self._clicks,
        )

    def _likely(self, feedback: Feedback) -> Array:
        """How likely each row's push was answered, by what is known before it, (N,)."""
        likely, rows = np.zeros(feedback.n_rows), np.flatnonzero(feedback.is_send)
        if not len(rows):
            return likely
        at_ms = feedback.at_ms[rows, None]
        request = Request(
            user=feedback.user[rows],
            at_ms=at_ms[:, 0],
            zone=np.full(len(rows), ""),
            context=feedback.context[rows],
            items=feedback.item[rows, None],
            item_features=feedback.item_features[rows, None],
            slot_features=feedback.slot_features[rows, None],
            grid=SlotGrid(start_ms=at_ms, end_ms=at_ms + 1),
            reasons=np.zeros((len(rows), 2), np.uint16),
        )
        self.answers.check(request)
        likely[rows] = self.answers.values(request)[:, 1]
        return likely


def _clicks_of(scheme: RewardScheme) -> int:
    """Position of the component that is whether a message was clicked; −1 for none."""
    for position, component in enumerate(scheme.components):
        if Kind.CLICKED in component.kinds and component.measure == "any":
            return position
    return -1
