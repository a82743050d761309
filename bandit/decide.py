"""Probabilities, mask and key in; one decision a row with its exact propensity out.

A policy never samples and never computes a propensity: this file does it once for everyone,
after masking and after the exploration floor, keyed by (secret, decision id) so that the same
decision drawn twice is the same decision. DESIGN §4.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import IntEnum
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bandit.actions import HOLD, Request, item_position, slot_position
from bandit.draws import Stream, uniforms
from bandit.errors import BadInputError, StateError, expect_shape
from bandit.floor import Floor, apply_floor, check_pmf

__all__ = [
    "ID_BITS",
    "LAST_DECISION_MS",
    "Decisions",
    "Mode",
    "Stamp",
    "decide",
    "decision_ids",
    "draw_actions",
    "with_executed",
]

ID_BITS = 22
LAST_DECISION_MS = 1 << 41
"""Decisions are made before this instant in 2039, where the milliseconds of their ids end."""


class Mode(IntEnum):
    """Under which regime a decision was made; values are stored in the log."""

    LIVE = 0
    HOLDOUT = 1
    SHADOW = 2
    LOG_ONLY = 3
    ESTIMATE = 4


_MODES = np.array(list(Mode))


@dataclass(frozen=True, slots=True, kw_only=True)
class Stamp:
    """What a batch of decisions was made with: versions, floor and log position."""

    policy: str
    state_seq: int
    floor: Floor
    encoder: str = ""
    scheme: str = ""
    campaign: str = ""
    topic: str = "offers"


@dataclass(frozen=True, slots=True, kw_only=True)
class Decisions:
    """N decisions: the plan, its exact propensity, and all it was drawn from."""

    decision_id: NDArray[np.int64]  # (N,) time-ordered
    request: Request
    pmf: NDArray[np.float64]  # (N, A) as drawn from: after mask and floor
    planned: NDArray[np.int64]  # (N,) action
    executed: NDArray[np.int64]  # (N,) action; differs under holdout and shadow
    propensity: NDArray[np.float64]  # (N,) P(planned)
    p_send: NDArray[np.float64]  # (N,) 1 − P(hold)
    p_item: NDArray[np.float64]  # (N,) P(planned item), over all its slots; P(hold) for hold
    p_slot: NDArray[np.float64]  # (N,) P(planned slot), over all items; P(hold) for hold
    mode: NDArray[np.uint8]  # (N,)
    stamp: Stamp

    @property
    def n_rows(self) -> int:
        """Number of decisions N."""
        return len(self.decision_id)

    @property
    def is_send(self) -> NDArray[np.bool_]:
        """True where the plan is to send, (N,)."""
        return np.asarray(self.planned != HOLD)

    @property
    def item(self) -> NDArray[np.int64]:
        """Item id of the plan, −1 for hold, (N,)."""
        rows, position = self._sent
        chosen = np.full(self.n_rows, -1, np.int64)
        chosen[rows] = self.request.items[rows, position]
        return chosen

    @property
    def slot(self) -> NDArray[np.int64]:
        """Slot of the plan, −1 for hold, (N,)."""
        return slot_position(self.planned, n_slots=self.request.n_slots)

    @property
    def slot_start_ms(self) -> NDArray[np.int64]:
        """When the plan is to be sent; the decision time for hold, (N,)."""
        start = self.request.grid.start_ms[np.arange(self.n_rows), np.maximum(self.slot, 0)]
        return np.where(self.is_send, start, self.request.at_ms)

    @property
    def item_features(self) -> NDArray[np.float64]:
        """Features of the planned item, zeros for hold, (N, Di)."""
        rows, position = self._sent
        chosen = np.zeros((self.n_rows, self.request.item_features.shape[2]))
        chosen[rows] = self.request.item_features[rows, position]
        return chosen

    @property
    def slot_features(self) -> NDArray[np.float64]:
        """Features of the planned slot, zeros for hold, (N, Ds)."""
        rows, _ = self._sent
        chosen = np.zeros((self.n_rows, self.request.slot_features.shape[2]))
        chosen[rows] = self.request.slot_features[rows, self.slot[rows]]
        return chosen

    @property
    def _sent(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Rows that plan a send, and where in its short list each one's item stands."""
        rows = np.flatnonzero(self.is_send)
        return rows, item_position(self.planned[rows], n_slots=self.request.n_slots)


def decision_ids(at_ms: NDArray[np.int64], *, first: int = 0) -> NDArray[np.int64]:
    """Time-ordered 63-bit ids: 41 bits of milliseconds, then 22 bits of a running number.

    Parameters
    ----------
    at_ms : ndarray, (N,)
        Decision times since the epoch.
    first : int
        Running number of the first row; the caller counts on from batch to batch.
    """
    if len(at_ms) > 1 << ID_BITS:
        raise BadInputError(
            f"expected at most {1 << ID_BITS} decisions a batch, got {len(at_ms)}: split the batch"
        )
    outside = (np.asarray(at_ms) < 0) | (np.asarray(at_ms) >= LAST_DECISION_MS)
    if outside.any():
        row = int(np.argmax(outside))
        raise BadInputError(
            "expected decision times between 1970 and 2039, in milliseconds, got "
            f"{int(at_ms[row])} in row {row}: convert it, or leave that row out"
        )
    running = (first + np.arange(len(at_ms), dtype=np.int64)) & ((1 << ID_BITS) - 1)
    return np.asarray((np.asarray(at_ms, np.int64) << ID_BITS) | running)


def draw_actions(
    pmf: NDArray[np.float64], decision_id: NDArray[np.int64], *, key: int
) -> NDArray[np.int64]:
    """Draw one action a row by inverting its cumulative pmf; the same key draws the same.

    Parameters
    ----------
    pmf : ndarray, (N, A)
        Distributions; an action of probability zero is never drawn.
    decision_id : ndarray, (N,)
        What the draw is keyed by, with ``key``.
    key : int
        The deployment's secret.
    """
    cumulative = np.cumsum(pmf, axis=1)
    target = uniforms(key, decision_id, stream=Stream.DECIDE) * cumulative[:, -1]
    drawn = (cumulative <= target[:, None]).sum(axis=1)
    n_actions = pmf.shape[1]
    drawn = np.minimum(drawn, n_actions - 1)
    if not pmf[np.arange(len(pmf)), drawn].all():
        # A product that rounds up to the total points past the last possible action.
        drawn = np.minimum(drawn, n_actions - 1 - np.argmax(pmf[:, ::-1] > 0, axis=1))
    return np.asarray(drawn, np.int64)


def decide(
    pmf: NDArray[np.float64],
    request: Request,
    *,
    key: int,
    stamp: Stamp,
    decision_id: NDArray[np.int64],
    mode: NDArray[np.uint8] | None = None,
) -> Decisions:
    """Apply the floor, draw once a row, and keep the exact propensities.

    Parameters
    ----------
    pmf : ndarray, (N, A)
        The policy's distribution over unmasked actions.
    request : Request
        What the policy saw.
    key : int
        The deployment's secret, under which draws are reproducible.
    stamp : Stamp
        Versions and floor.
    decision_id : ndarray, (N,)
        Ids, see :func:`decision_ids`.
    mode : ndarray of uint8, (N,), optional
        Regime of each row (:class:`Mode`), live by default; holdout and shadow rows keep their
        plan and execute hold.

    Raises
    ------
    BadPmfError
        Where ``pmf`` is not a distribution over unmasked actions.
    BadInputError
        For a mode that there is not.
    StateError
        For rows of mode *estimate*, which have no draw and no id.
    """
    expect_shape("decision_id", decision_id, (request.n_rows,), "one id a row")
    mode = None if mode is None else _checked(mode, request.n_rows)
    mask = request.mask
    check_pmf(pmf, mask)
    drawn_from = apply_floor(pmf, mask, n_slots=request.n_slots, floor=stamp.floor)
    planned = draw_actions(drawn_from, decision_id, key=key)
    p_item, p_slot = _margins(drawn_from, planned, request)
    return Decisions(
        decision_id=np.asarray(decision_id, np.int64),
        request=request,
        pmf=drawn_from,
        planned=planned,
        executed=planned.copy() if mode is None else np.where(_is_quiet(mode), HOLD, planned),
        propensity=drawn_from[np.arange(request.n_rows), planned],
        p_send=1.0 - drawn_from[:, HOLD],
        p_item=p_item,
        p_slot=p_slot,
        mode=np.zeros(request.n_rows, np.uint8) if mode is None else mode,
        stamp=stamp,
    )


def with_executed(decisions: Decisions, executed: NDArray[np.int64]) -> Decisions:
    """Return the decisions with what was executed at dispatch; the plan stays as it is."""
    expect_shape("executed", executed, (decisions.n_rows,), "one action a row")
    return replace(decisions, executed=executed)


def _checked(mode: NDArray[Any], n_rows: int) -> NDArray[np.uint8]:
    expect_shape("mode", mode, (n_rows,), "one mode a row")
    is_known = (mode[:, None] == _MODES).any(axis=1)
    if not is_known.all():
        row = int(np.argmin(is_known))
        known = {int(value): value.name.lower() for value in Mode}
        raise BadInputError(f"expected modes among {known}, got {mode[row]} in row {row}")
    if (mode == int(Mode.ESTIMATE)).any():
        raise StateError("expected rows to decide, got mode 'estimate': call policy.estimate")
    return mode.astype(np.uint8)


def _is_quiet(mode: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """Where a plan is made and never carried out, (N,)."""
    return np.asarray((mode == int(Mode.HOLDOUT)) | (mode == int(Mode.SHADOW)))


def _margins(
    pmf: NDArray[np.float64], planned: NDArray[np.int64], request: Request
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """P(planned item), over all its slots, and P(planned slot), over all items; (N,) each."""
    n_slots = request.n_slots
    pairs = pmf[:, 1:].reshape(request.n_rows, request.n_items, n_slots)  # (N, K, S)
    rows = np.flatnonzero(planned)
    item, slot = np.divmod(planned[rows] - 1, n_slots)
    p_item, p_slot = pmf[:, HOLD].copy(), pmf[:, HOLD].copy()
    p_item[rows] = pairs[rows, item].sum(axis=1)
    p_slot[rows] = pairs[rows, :, slot].sum(axis=1)
    return p_item, p_slot
