"""What callers ask of an environment, checked at the border.

Seeds, reset masks, modes and actions enter as they come; whole numbers and flags leave, or an error
that says what was expected, what came and what to do.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from gymnasium.vector import AutoresetMode
from numpy.typing import NDArray

from bandit.draws import mix64
from bandit.errors import BadInputError, BadShapeError

__all__ = [
    "checked_actions",
    "checked_mode",
    "checked_render_mode",
    "checked_row_count",
    "row_seeds",
    "rows_to_reset",
]

Flags = NDArray[np.bool_]
Whole = NDArray[np.int64]

_N_SEEDS = 2**64


def checked_actions(actions: Any, *, is_idle: Flags, n_actions: int) -> Whole:
    """Actions as whole numbers within range, (N,); those of idle rows hold."""
    given, n = np.asarray(actions), len(is_idle)
    if given.shape != (n,):
        raise BadShapeError(
            f"expected actions of shape ({n},), got {given.shape}: one number a row, 0 to hold"
        )
    if not np.issubdtype(given.dtype, np.integer):
        raise BadInputError(
            f"expected actions of an integer kind, got {given.dtype}, such as {given[0]!r}: choose "
            f"one of 0 … {n_actions - 1}"
        )
    action = np.where(is_idle, 0, given.astype(np.int64))
    outside = np.flatnonzero((action < 0) | (action >= n_actions))
    if len(outside):
        raise BadInputError(
            f"expected actions in 0 … {n_actions - 1} (hold, then each slot of each candidate), "
            f"got {action[outside[0]]} in row {outside[0]}"
        )
    return action


def row_seeds(seed: int | Sequence[int], *, n_rows: int, is_disjoint: bool) -> NDArray[np.uint64]:
    """Seed of each row, (N,): ``seed + i``, after hashing ``seed`` where rows shall be disjoint."""
    if isinstance(seed, (int, np.integer)):
        first = np.uint64(int(seed) % _N_SEEDS)
        if is_disjoint:
            first = np.uint64(mix64(mix64(first)))
        with np.errstate(over="ignore"):
            return np.asarray(first + np.arange(n_rows, dtype=np.uint64))
    are_whole = isinstance(seed, (Sequence, np.ndarray)) and all(
        isinstance(each, (int, np.integer)) for each in seed
    )
    if not are_whole or len(seed) != n_rows:
        raise BadInputError(f"expected a whole number or {n_rows} of them as seed, got {seed!r}")
    return np.array([int(each) % _N_SEEDS for each in seed], np.uint64)


def rows_to_reset(options: dict[str, Any] | None, *, n_rows: int) -> Whole:
    """Rows that begin a new life: those of ``reset_mask``, or all."""
    if options is not None and not isinstance(options, Mapping):
        raise BadInputError(
            f"expected options such as {{'reset_mask': terminated | truncated}}, got {options!r}"
        )
    unknown = set(options or {}) - {"reset_mask"}
    if unknown:
        raise BadInputError(f"expected options among reset_mask, got {', '.join(sorted(unknown))}")
    mask = (options or {}).get("reset_mask")
    if mask is None:
        return np.arange(n_rows)
    mask = np.asarray(mask)
    if mask.shape != (n_rows,) or mask.dtype != np.bool_ or not mask.any():
        raise BadInputError(
            f"expected reset_mask of shape ({n_rows},) and kind bool, true in at least one row, "
            f"got shape {mask.shape} and kind {mask.dtype}, true in {np.count_nonzero(mask)}"
        )
    return np.flatnonzero(mask)


def checked_row_count(num_envs: Any) -> int:
    """Return the number of rows, a whole number above 0."""
    if not isinstance(num_envs, (int, np.integer)) or num_envs < 1:
        raise BadInputError(f"expected num_envs to be a whole number above 0, got {num_envs!r}")
    return int(num_envs)


def checked_mode(mode: AutoresetMode | str) -> AutoresetMode:
    """Return the mode by itself, its value or its name."""
    for each in AutoresetMode:
        if mode in (each, each.value, each.name):
            return each
    names = ", ".join(each.name for each in AutoresetMode)
    raise BadInputError(f"expected autoreset_mode to be one of {names}, got {mode!r}")


def checked_render_mode(mode: str | None, *, modes: Sequence[str]) -> str | None:
    """Return a render mode that there is, or None."""
    if mode is None or mode in modes:
        return mode
    raise BadInputError(f"expected render_mode to be None or one of {modes}, got {mode!r}")
