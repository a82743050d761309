"""Observed users with nothing but an id and a context."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from bandit.actions import Observation, SlotGrid


def _observed(user: Any, context: Any = None) -> Observation:
    user = np.asarray(user, np.int64)
    n = len(user)
    start = np.full((n, 1), 1_700_000_000_000)
    return Observation(
        user=user,
        at_ms=start[:, 0],
        zone=np.full(n, "UTC"),
        context=np.zeros((n, 0)) if context is None else np.asarray(context, np.float64),
        slot_features=np.zeros((n, 1, 0)),
        grid=SlotGrid(start_ms=start, end_ms=start + 1),
    )


@pytest.fixture(scope="session")
def observed() -> Callable[..., Observation]:
    """Observe users by their ids."""
    return _observed
