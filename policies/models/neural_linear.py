"""Neural-linear: learned features of context, item and slot under a Bayesian last layer.

Requests and feedback enter; beliefs leave. The last layer learns every row at once and exactly;
towers are trained on final rows from time to time, never while a question is answered, and then
the last layer is fitted again by replay. Reference: Riquelme, Tucker and Snoek (2018), "Deep
Bayesian bandits showdown".
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from bandit.actions import Request
from bandit.draws import Stream, generator, key_of, uniforms
from bandit.errors import StateError
from bandit.growing_table import GrowingTable
from bandit.outcomes import Feedback, RewardScheme
from bandit.protocols import Estimate, State
from policies.checks import (
    check_feedback,
    check_request,
    check_scheme,
    check_state,
    check_turn,
    learned_rows,
)
from policies.models.last_layer import LastLayer
from policies.models.lesson import Lesson
from policies.models.linear_math import component_draws, shares_of
from policies.models.neural_estimate import believed, by_item, passes
from policies.models.neural_params import NeuralParams
from policies.models.open_rows import OpenRows
from policies.models.tower_math import pair_scores, pair_variances
from policies.models.towers import Towers, begin
from policies.parts import estimate_of, learned_of, send_value
from policies.shape import PolicyShape

__all__ = ["NeuralLinear"]

Array = NDArray[np.float64]
Columns = Mapping[str, Array]

_CHUNK_ROWS = 4096


class NeuralLinear:
    """What a last layer over towers believes.

    Parameters
    ----------
    shape : PolicyShape
        Lengths of what requests will carry.
    scheme : RewardScheme
        Components and weights.
    params : NeuralParams, optional
        Towers, their training, prior.

    Notes
    -----
    Towers see final rows only, in the order in which they became final, so a learner that was
    told early and revised trains them on the same rows at the same time as one that was told
    late. To train beside a service that answers, set ``least_rows`` to 0 and call ``lesson()``,
    :func:`policies.models.tower_training.trained` wherever there is time, and ``adopt``. After
    that the last layer knows the latest ``most_rows`` final rows and those still open. The
    posterior is of the last layer alone: it takes the towers for known.
    """

    cannot: ClassVar[Mapping[str, str]] = {}

    def __init__(
        self, shape: PolicyShape, scheme: RewardScheme, params: NeuralParams | None = None
    ) -> None:
        self.params = params or NeuralParams()
        self.scheme = scheme
        self.lengths = shape.n_context, shape.n_item_features, shape.n_slot_features
        self.learned = learned_of(scheme)
        self.towers = begin(
            self.lengths,
            hidden=self.params.hidden,
            width=self.params.width,
            rng=generator(key_of("towers", self.params.seed), stream=Stream.INITIAL),
        )
        self.layer = self._empty_layer()
        d, di, ds = self.lengths
        r = len(self.learned)
        widths = {"context": d, "item": di, "slot": ds, "is_send": 1, "log_discount": 1}
        self.open = OpenRows(widths | {"target": r, "weight": r})
        ids = {"decision_id": np.zeros(0, np.int64)}
        columns = {name: np.zeros((0, width)) for name, width in (widths | {"target": r}).items()}
        self.final = GrowingTable(ids | columns, keys={})
        self.log_discount = 0.0
        self.n_final = self.n_trained = self.n_turns = 0
        self.next_training = self.params.least_rows
        self._drawn: tuple[tuple[int, int, float], Array, Array] | None = None

    def reweigh(self, scheme: RewardScheme) -> None:
        """Take other weights of the same components; what was learned stays."""
        check_scheme(scheme, self.scheme)
        self.scheme = scheme

    def check(self, request: Request) -> None:
        """Raise :class:`BadInputError` unless the request fits this model and is finite."""
        check_request(request, self.lengths)

    def values(self, request: Request) -> Array:
        """Weighted mean uplift of every action, (N, A); 0 for hold."""
        mean, _ = self.layer.posterior()
        theta = self.weights() @ mean[:, self.towers.pair_block]
        values = np.zeros((request.n_rows, request.n_actions))
        for rows, u, v in passes(self.towers, request):
            scores = pair_scores(u, v, theta[None])
            values[rows, 1:] = by_item(scores, request.n_slots)[:, 0] + self.send_value()
        return values

    def spreads(self, request: Request) -> Array:
        """Standard deviation of the weighted uplift of every action, (N, A); 0 for hold."""
        # Components are independent, so the variance of their weighted sum is a sum as well.
        spread = np.tensordot(
            self.weights() ** 2, self.layer.covariance(self.towers.pair_block), axes=1
        )
        spreads = np.zeros((request.n_rows, request.n_actions))
        for rows, u, v in passes(self.towers, request, wide=self.params.width**2):
            variance = pair_variances(u, v, spread)[:, None]
            spreads[rows, 1:] = np.sqrt(by_item(variance, request.n_slots)[:, 0])
        return spreads

    def draws(
        self, request: Request, key: int, *, n_draws: int, scale: float
    ) -> Iterator[tuple[slice, Array]]:
        """Weighted uplifts under M posterior draws, in chunks of rows: (n, M, A), hold at 0."""
        theta = self._coefficients(key, n_draws, scale)
        for rows, u, v in passes(self.towers, request, wide=n_draws * (1 + request.n_items)):
            drawn = np.zeros((len(u), n_draws, request.n_actions))
            scores = pair_scores(u, v, theta)
            drawn[:, :, 1:] = by_item(scores, request.n_slots) + self.send_value()
            yield rows, drawn

    def best_shares(self, request: Request, key: int, *, n_draws: int, scale: float) -> Array:
        """Share of those draws under which each unmasked action is best, (N, A).

        Scores are in single precision: shares of draws do not feel the difference.
        """
        theta = self._coefficients(key, n_draws, scale).astype(np.float32)
        shares = np.empty(request.mask.shape)
        mask, send_value = request.mask, self.send_value()
        for rows, u, v in passes(self.towers, request, wide=n_draws * (1 + request.n_items)):
            scores = pair_scores(u.astype(np.float32), v.astype(np.float32), theta)
            shares[rows] = shares_of(scores, mask[rows], send_value, n_slots=request.n_slots)
        return shares

    def estimate(self, request: Request) -> Estimate:
        """Posterior mean and standard deviation of base and uplift, unweighted."""
        self.check(request)
        base, uplift = believed(
            self.towers, self.layer, request, learned=self.learned, n_components=len(self.scheme)
        )
        return estimate_of(self.scheme, base, uplift)

    def update(self, feedback: Feedback) -> None:
        """Take rows for the first time, after discounting what was learned before."""
        if feedback.n_rows == 0:
            return
        target, weight = learned_rows(feedback, self.scheme)
        check_feedback(feedback, self.lengths)
        self.open.expect_new(feedback.decision_id)
        self._discount(self.params.forget)
        columns = {
            "context": feedback.context,
            "item": feedback.item_features,
            "slot": feedback.slot_features,
            "is_send": feedback.is_send[:, None].astype(np.float64),
            "log_discount": np.full((feedback.n_rows, 1), self.log_discount),
            "target": target,
        }
        self._add(columns, weighted=weight * target, squared=weight * target**2, weight=weight)
        is_open = np.asarray((weight < 1).any(axis=1))
        kept = {n: c[is_open] for n, c in (columns | {"weight": weight}).items()}
        self.open.add(feedback.decision_id[is_open], kept)
        self._keep(feedback.decision_id[~is_open], {n: c[~is_open] for n, c in columns.items()})

    def revise(self, feedback: Feedback) -> None:
        """Replace what was learned from rows that are still open."""
        if feedback.n_rows == 0:
            return
        target, weight = learned_rows(feedback, self.scheme)
        where = self.open.positions(feedback.decision_id)
        columns = {name: self.open.take(name, where) for name in self.open.widths}
        decay = np.exp(self.log_discount - columns["log_discount"])  # (N, 1)
        old, before = columns["weight"], columns["target"]
        self._add(
            columns,
            weighted=decay * (weight * target - old * before),
            squared=decay * (weight * target**2 - old * before**2),
            weight=decay * (weight - old),
        )
        self.open.put("target", where, target)
        self.open.put("weight", where, weight)
        is_final = (weight >= 1).all(axis=1)
        self.open.drop(where[is_final])
        told = {n: c for n, c in columns.items() if n != "weight"} | {"target": target}
        self._keep(feedback.decision_id[is_final], {n: c[is_final] for n, c in told.items()})

    def train(self) -> None:
        """Train the towers on the final rows, and fit the last layer again by replay."""
        from policies.models.tower_training import trained  # noqa: PLC0415 - it loads torch

        lesson = self.lesson()
        self.adopt(trained(self.towers, lesson), lesson)

    def lesson(self) -> Lesson:
        """Copy what towers may be trained on by now."""
        rows = self.final.take(self.final.rows)
        fold = uniforms(
            key_of("held out", self.params.seed), rows["decision_id"], stream=Stream.FOLD
        )
        return Lesson(
            context=rows["context"],
            item=rows["item"],
            slot=rows["slot"],
            is_send=rows["is_send"][:, 0] != 0,
            target=rows["target"],
            weight=np.exp(self.log_discount - rows["log_discount"][:, 0]),
            is_held=fold < self.params.held_share,
            key=key_of("train", self.params.seed, self.n_trained),
            n_turns=self.n_turns,
            how=self.params.training,
        )

    def adopt(self, towers: Towers, lesson: Lesson) -> None:
        """Use towers from now on, trained on that lesson: replay all rows through them.

        Raises
        ------
        StateError
            If the encoder's basis has turned since then.
        """
        if lesson.n_turns != self.n_turns:
            raise StateError(
                "expected towers of the basis of now, got some that were trained before the "
                "encoder turned: take a new lesson"
            )
        self.towers, self.layer = towers, self._empty_layer()
        self.n_trained += 1
        final = self.final.state()
        self._replay(final, weight=np.ones_like(final["target"]))
        here = np.arange(len(self.open.decision_id))
        still = {name: self.open.take(name, here) for name in self.open.widths}
        self._replay(still, weight=still["weight"])

    def rotate(self, basis: Array, kept: float) -> None:
        """Turn contexts into the new coordinates c' = Q·c.

        Parameters
        ----------
        basis : ndarray, (D, D)
            Q, orthogonal.
        kept : float
            ρ in (0, 1]: share of the old context that Q explains; data are discounted by it.
        """
        d = self.lengths[0]
        check_turn(basis, kept, n_context=d)
        turn = np.eye(self.towers.n_features)
        turn[1 : 1 + d, 1 : 1 + d] = basis
        self.towers = self.towers.turned(basis)
        self.layer.turn(turn)
        self.open.turn("context", basis)
        rows = self.final.state()
        self.final.load(rows | {"context": rows["context"] @ basis.T})
        self.n_turns += 1
        self._discount(kept)

    def state(self) -> State:
        """Return towers, last layer, rows and counters."""
        final = {f"final.{name}": column for name, column in self.final.state().items()}
        counts = {name: np.array(getattr(self, name)) for name in (*_COUNTS, "log_discount")}
        return self.towers.state() | self.layer.state() | self.open.state() | final | counts

    def load(self, state: State) -> None:
        """Restore what :meth:`state` returned."""
        check_state(state, dict.fromkeys((*_COUNTS, "log_discount"), ()))
        check_state(state, {"final.decision_id": (-1,)})
        n, now = len(state["final.decision_id"]), self.final.state()
        widths = {f"final.{name}": (n, *column.shape[1:]) for name, column in now.items()}
        check_state(state, widths)
        self.towers = self.towers.loaded(state)
        self.layer.load(state)
        self.open.load(state)
        self.final.load({name: state[f"final.{name}"] for name in now})
        for name in _COUNTS:
            setattr(self, name, int(state[name]))
        self.log_discount = float(state["log_discount"])

    def weights(self) -> Array:
        """Weights of the learned components, (R',)."""
        return np.asarray(self.scheme.weights[self.learned])

    def send_value(self) -> float:
        """Weighted worth of sending as such: costs that are known, not learned."""
        return send_value(self.scheme)

    def _empty_layer(self) -> LastLayer:
        return LastLayer(self.towers.n_features, len(self.learned), self.params.head)

    def _coefficients(self, key: int, n_draws: int, scale: float) -> Array:
        """Weighted coefficients of ζ under M posterior draws, (M, 1 + 3E)."""
        mean, factor = self.layer.posterior()
        asked = key, n_draws, scale
        if self._drawn is None or self._drawn[0] != asked or self._drawn[1] is not mean:
            pairs = self.towers.pair_block
            theta = component_draws(
                mean[:, pairs], factor[:, pairs], key=key, n_draws=n_draws, scale=scale
            )
            self._drawn = asked, mean, theta
        return np.asarray(np.tensordot(self.weights(), self._drawn[2], axes=1))

    def _add(self, columns: Columns, *, weighted: Array, squared: Array, weight: Array) -> None:
        for start in range(0, len(weight), _CHUNK_ROWS):
            rows = slice(start, start + _CHUNK_ROWS)
            self.layer.add(
                self._features({name: column[rows] for name, column in columns.items()}),
                weighted=weighted[rows],
                squared=squared[rows],
                weight=weight[rows],
            )

    def _features(self, columns: Columns) -> Array:
        return self.towers.features(
            columns["context"],
            columns["item"],
            columns["slot"],
            is_send=columns["is_send"][:, 0] != 0,
        )

    def _replay(self, columns: Columns, *, weight: Array) -> None:
        left = weight * np.exp(self.log_discount - columns["log_discount"])
        target = columns["target"]
        self._add(columns, weighted=left * target, squared=left * target**2, weight=left)

    def _keep(self, decision_id: NDArray[np.int64], columns: Columns) -> None:
        """Remember rows that are final, and train where it is time."""
        order = np.argsort(decision_id)
        rows = {name: column[order] for name, column in columns.items()}
        self.final.append({"decision_id": decision_id[order]} | rows)
        self.n_final += len(order)
        spare = self.final.n_rows - self.params.most_rows
        if spare > 0:
            self.final.remove(self.final.rows[:spare])
            self.final.tidy()
        if self.params.least_rows and self.n_final >= self.next_training:
            more = min(self.params.grows * self.n_final, self.params.most_rows / 2)
            self.next_training = self.n_final + max(int(more), 1)
            self.train()

    def _discount(self, kept: float) -> None:
        if kept < 1:
            self.layer.discount(kept)
            self.log_discount += float(np.log(kept))


_COUNTS = ("n_final", "n_trained", "n_turns", "next_training")
