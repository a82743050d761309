"""The hybrid model with coefficients believed apart: for features too many for their covariance.

Requests and feedback enter; beliefs leave. The same features as the full model; P variances in
place of P², so thousands of crosses are learned row by row and drawn at once, and bounds are
products of squares. What it pays: coefficients that only rows together tell apart are thought to
be known better than they are. Reference: Chapelle and Li (2011), alg. 3.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import partial
from operator import is_
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from bandit.actions import Request
from bandit.errors import BadInputError
from bandit.outcomes import Feedback, RewardScheme
from bandit.protocols import State
from policies.checks import check_feedback
from policies.models.diagonal_head import DiagonalHead
from policies.models.diagonal_math import Diagonal, Rows
from policies.models.glm_head import GlmParams
from policies.models.hybrid import HybridModel
from policies.models.hybrid_math import Drawn, drawn
from policies.models.hybrid_worth import diagonal_spreads
from policies.shape import PolicyShape

__all__ = ["DiagonalModel"]

Array = NDArray[np.float64]
Whole = NDArray[np.int64]

_CHUNK_ROWS = 128  # what rows say together is solved in their own space, which is as large


class DiagonalModel(HybridModel):
    """What diagonal heads believe.

    Parameters
    ----------
    shape : PolicyShape
        Lengths of what requests will carry, and the range of item ids.
    scheme : RewardScheme
        Components and weights; a component whose measure is ``any`` is a response.
    params : GlmParams, optional
        Priors, forgetting, and the largest catalogue whose items have intercepts.

    Notes
    -----
    Rows are learned for good when they are final, in the order in which they become so; until
    then they are laid over what is settled whenever a belief is asked for, at their expected
    values and maturity. So revision is exact.
    """

    head_of: ClassVar[Callable[..., Any]] = DiagonalHead

    def __init__(
        self, shape: PolicyShape, scheme: RewardScheme, params: GlmParams | None = None
    ) -> None:
        super().__init__(shape, scheme, params)
        if self.params.two_part:
            raise BadInputError(
                f"expected one head a component, got two_part = {self.params.two_part!r}: a chance "
                "and a size are learned by the full hybrid model"
            )
        self._widths: tuple[list[Diagonal], list[Drawn]] | None = None
        self._reopen()

    @property
    def cannot(self) -> Mapping[str, str]:
        """Laws that a diagonal covariance cannot meet."""
        return {"turns_with_the_encoder": "in another basis the covariance is no longer diagonal"}

    def spreads(self, request: Request) -> Array:
        """Standard deviation of the weighted uplift of every action, (N, A); 0 for hold.

        A product of squared features and variances; through a link, that of the tangent.
        """
        widths, means = self._variances(), self._means()
        spreads = np.zeros((request.n_rows, request.n_actions))
        for rows in self._chunks(request, widths[0]):
            variance = diagonal_spreads(
                self.heads, means, widths, request, rows, weights=self.weights()
            )
            n, k, s = variance.shape[0], request.n_items, request.n_slots
            by_item = variance.reshape(n, s, k).transpose(0, 2, 1)
            spreads[rows, 1:] = np.sqrt(by_item.reshape(n, k * s))
        return spreads

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
        self._settle({name: column[~is_open] for name, column in columns.items()})
        if is_open.any():
            kept = {name: column[is_open] for name, column in columns.items()}
            self.rows.add(feedback.decision_id[is_open], kept)
        self._reopen()

    def revise(self, feedback: Feedback) -> None:
        """Replace what is known of open rows; those that are final are settled."""
        if feedback.n_rows == 0:
            return
        target, weight, is_open = self._seen(feedback)
        where = self.rows.positions(feedback.decision_id)
        self.rows.put("target", where, target)
        self.rows.put("weight", where, weight)
        done = where[~is_open]
        self._settle(self._decayed(done))
        self.rows.drop(done)
        self._reopen()

    def rotate(self, basis: Array, kept: float) -> None:
        """Refuse: a diagonal covariance does not stay one."""
        raise BadInputError(
            "expected a model that turns with the encoder, got a diagonal covariance: refit the "
            "policy by replay, or use the hybrid model"
        )

    def load(self, state: State) -> None:
        """Restore what :meth:`state` returned."""
        super().load(state)
        self._reopen()

    def _variances(self) -> list[Drawn]:
        """Variances of every head's coefficients, laid out as one draw; kept like the means."""
        beliefs = [head.posterior() for head in self.heads]
        kept = self._widths
        if kept is None or not all(map(is_, kept[0], beliefs)):
            laid = [
                drawn(self.blocks, (b.noise / b.precision)[None], b.item_sd[None] ** 2)
                for b in beliefs
            ]
            self._widths = kept = beliefs, laid
        return kept[1]

    def _settle(self, columns: Mapping[str, Array]) -> None:
        for start in range(0, len(columns["is_send"]), _CHUNK_ROWS):
            rows = slice(start, start + _CHUNK_ROWS)
            features, item = self._features({name: c[rows] for name, c in columns.items()})
            for r, head in enumerate(self.heads):
                told = columns["target"][rows, r], columns["weight"][rows, r]
                head.learn(Rows(features=features, item=item, target=told[0], weight=told[1]))

    def _reopen(self) -> None:
        for r, head in enumerate(self.heads):
            head.reopen(partial(self._open_rows, r))

    def _open_rows(self, r: int) -> Iterator[Rows]:
        """Open rows as one head sees them, in the order of their ids."""
        n_open = len(self.rows.decision_id)
        for start in range(0, n_open, _CHUNK_ROWS):
            columns = self._decayed(np.arange(start, min(start + _CHUNK_ROWS, n_open)))
            features, item = self._features(columns)
            yield Rows(
                features=features,
                item=item,
                target=columns["target"][:, r],
                weight=columns["weight"][:, r],
            )

    def _decayed(self, where: Whole) -> dict[str, Array]:
        """Columns of open rows, weights less what was discounted since they came."""
        columns = {name: self.rows.take(name, where) for name in self.rows.widths}
        decay = np.exp(self.log_discount - columns["log_discount"])  # (n, 1)
        return columns | {"weight": decay * columns["weight"]}
