"""The decision log's columns, versioned: what one row says about one decision.

:class:`~bandit.decide.Decisions` enter; an Arrow table of :data:`SCHEMA` leaves. The pmf is
kept as it was drawn from, sparse, or left out for size; propensities are always kept.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from bandit.decide import Decisions

__all__ = ["KIND", "SCHEMA", "VERSION", "table_of"]

KIND = b"opportune decision log"
VERSION = b"1"

_WORD = pa.dictionary(pa.int32(), pa.string())

SCHEMA = pa.schema(
    [
        pa.field("decision_id", pa.int64(), nullable=False),
        pa.field("batch", pa.int64(), nullable=False),
        pa.field("user", pa.int64(), nullable=False),
        pa.field("at_ms", pa.int64(), nullable=False),
        pa.field("zone", _WORD, nullable=False),
        pa.field("mode", pa.uint8(), nullable=False),
        pa.field("planned", pa.int32(), nullable=False),
        pa.field("executed", pa.int32(), nullable=False),
        pa.field("item", pa.int64(), nullable=False),
        pa.field("slot", pa.int16(), nullable=False),
        pa.field("slot_start_ms", pa.int64(), nullable=False),
        pa.field("propensity", pa.float64(), nullable=False),
        pa.field("p_send", pa.float64(), nullable=False),
        pa.field("p_item", pa.float64(), nullable=False),
        pa.field("p_slot", pa.float64(), nullable=False),
        pa.field("items", pa.list_(pa.int64()), nullable=False),
        pa.field("slot_starts_ms", pa.list_(pa.int64()), nullable=False),
        pa.field("slot_ends_ms", pa.list_(pa.int64()), nullable=False),
        pa.field("masked_actions", pa.list_(pa.int32())),
        pa.field("masked_reasons", pa.list_(pa.uint16())),
        pa.field("pmf_actions", pa.list_(pa.int32())),
        pa.field("pmf_values", pa.list_(pa.float64())),
        pa.field("context", pa.list_(pa.float64()), nullable=False),
        pa.field("item_features", pa.list_(pa.float64()), nullable=False),
        pa.field("slot_features", pa.list_(pa.float64()), nullable=False),
        pa.field("policy", _WORD, nullable=False),
        pa.field("state_seq", pa.int64(), nullable=False),
        pa.field("encoder", _WORD, nullable=False),
        pa.field("scheme", _WORD, nullable=False),
        pa.field("campaign", _WORD, nullable=False),
        pa.field("topic", _WORD, nullable=False),
        pa.field("floor_hold", pa.float64(), nullable=False),
        pa.field("floor_send", pa.float64(), nullable=False),
        pa.field("floor_item", pa.float64(), nullable=False),
        pa.field("floor_slot", pa.float64(), nullable=False),
        pa.field("consent", pa.uint32()),
        pa.field("pass_probability", pa.float64()),
        pa.field("expires_ms", pa.int64()),
        pa.field("collapse_key", pa.string()),
    ],
    metadata={b"kind": KIND, b"version": VERSION},
)


def table_of(decisions: Decisions, *, batch: int, keeps_pmf: bool = True) -> pa.Table:
    """Lay one batch of decisions out as rows of the log.

    Parameters
    ----------
    decisions : Decisions
        One batch, as drawn.
    batch : int
        Running number of the batch: learners replay with the logged batch boundaries.
    keeps_pmf : bool
        False leaves the pmf columns null; the propensities stay exact.
    """
    n, request, stamp = decisions.n_rows, decisions.request, decisions.stamp
    masked = _sparse(request.reasons, pa.uint16())
    pmf = _sparse(decisions.pmf, pa.float64()) if keeps_pmf else (None, None)
    constant = {
        "policy": stamp.policy,
        "encoder": stamp.encoder,
        "scheme": stamp.scheme,
        "campaign": stamp.campaign,
        "topic": stamp.topic,
    }
    columns: dict[str, Any] = {
        "decision_id": decisions.decision_id,
        "batch": np.full(n, batch, np.int64),
        "user": request.user,
        "at_ms": request.at_ms,
        "zone": pa.array(request.zone.astype(object), pa.string()).dictionary_encode(),
        "mode": decisions.mode,
        "planned": decisions.planned.astype(np.int32),
        "executed": decisions.executed.astype(np.int32),
        "item": decisions.item,
        "slot": decisions.slot.astype(np.int16),
        "slot_start_ms": decisions.slot_start_ms,
        "propensity": decisions.propensity,
        "p_send": decisions.p_send,
        "p_item": decisions.p_item,
        "p_slot": decisions.p_slot,
        "items": _lists(request.items),
        "slot_starts_ms": _lists(request.grid.start_ms),
        "slot_ends_ms": _lists(request.grid.end_ms),
        "masked_actions": masked[0],
        "masked_reasons": masked[1],
        "pmf_actions": pmf[0],
        "pmf_values": pmf[1],
        "context": _lists(request.context),
        "item_features": _lists(decisions.item_features),
        "slot_features": _lists(decisions.slot_features),
        "state_seq": np.full(n, stamp.state_seq, np.int64),
        "floor_hold": np.full(n, stamp.floor.hold),
        "floor_send": np.full(n, stamp.floor.send),
        "floor_item": np.full(n, stamp.floor.item),
        "floor_slot": np.full(n, stamp.floor.slot),
    }
    columns |= {name: _repeated(word, n) for name, word in constant.items()}
    arrays = [_column(field, columns.get(field.name), n) for field in SCHEMA]
    return pa.Table.from_arrays(arrays, schema=SCHEMA)


def _column(field: pa.Field, values: Any, n: int) -> pa.Array:
    if values is None:
        return pa.nulls(n, field.type)
    if isinstance(values, pa.Array):
        return values.cast(field.type) if values.type != field.type else values
    return pa.array(values, field.type)


def _repeated(word: str, n: int) -> pa.DictionaryArray:
    return pa.DictionaryArray.from_arrays(pa.array(np.zeros(n, np.int32)), pa.array([word]))


def _lists(matrix: NDArray[Any]) -> pa.ListArray:
    """Rows of a matrix as lists, without a Python object a row."""
    n, width = matrix.shape
    return _cut(np.ascontiguousarray(matrix).ravel(), np.full(n, width))


def _sparse(matrix: NDArray[Any], kind: pa.DataType) -> tuple[pa.ListArray, pa.ListArray]:
    """Non-zero entries of each row as (indices, values), a row without any as empty lists."""
    is_there = matrix != 0  # (N, A)
    counts = is_there.sum(axis=1)
    actions = np.broadcast_to(np.arange(matrix.shape[1], dtype=np.int32), matrix.shape)
    return _cut(actions[is_there], counts), _cut(pa.array(matrix[is_there], kind), counts)


def _cut(flat: Any, lengths: NDArray[np.int64]) -> pa.ListArray:
    """Lists of given lengths, one after the other; refused where 32 bits cannot count them."""
    offsets = pa.array(np.concatenate([[0], np.cumsum(lengths)]), pa.int64()).cast(pa.int32())
    return pa.ListArray.from_arrays(offsets, pa.array(flat))
