"""What has become of decisions and outcomes in the join: states by name, and counts of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from enum import IntEnum
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["JoinCounts", "JoinState"]


class JoinState(IntEnum):
    """What has become of a decision; values may be stored and never change."""

    UNKNOWN = -1  # never heard of, or closed long ago
    PENDING = 0
    REWARDED = 1
    DEFAULTED = 2
    DROPPED = 3
    LATE = 4  # final before all that counts for it was heard


@dataclass(slots=True, kw_only=True)
class JoinCounts:
    """What was counted since the start; names follow the joiners of decision services.

    ``late`` outcomes came after a decision that they count for was final; ``dangling`` ones
    answer a decision that was never heard of. From ``pending`` on, ``decisions`` are counted
    by what has become of them, each once.
    """

    decisions: int = 0
    repeated: int = 0  # decisions told again
    outcomes: int = 0
    duplicates: int = 0
    corrections: int = 0
    late: int = 0
    dangling: int = 0
    pending: int = 0
    rewarded: int = 0
    defaulted: int = 0
    late_decisions: int = 0
    dropped: int = 0

    def states(self) -> dict[str, int]:
        """How many decisions are pending, rewarded, defaulted, late or dropped."""
        return {
            "pending": self.pending,
            "rewarded": self.rewarded,
            "defaulted": self.defaulted,
            "late": self.late_decisions,
            "dropped": self.dropped,
        }

    def mark_final(self, is_rewarded: NDArray[np.bool_]) -> None:
        """Count rows that were pending and are final."""
        n_rewarded = int(is_rewarded.sum())
        self.pending -= len(is_rewarded)
        self.rewarded += n_rewarded
        self.defaulted += len(is_rewarded) - n_rewarded

    def mark_late(self, state: NDArray[np.int8]) -> None:
        """Count rows, by the states they had, for which something came late."""
        self.rewarded -= int((state == JoinState.REWARDED).sum())
        self.defaulted -= int((state == JoinState.DEFAULTED).sum())
        self.late_decisions += int((state != JoinState.LATE).sum())

    def state(self) -> dict[str, NDArray[Any]]:
        """Return the counts as named arrays."""
        return {f.name: np.array(getattr(self, f.name)) for f in fields(self)}

    @classmethod
    def of_state(cls, state: Mapping[str, NDArray[Any]]) -> JoinCounts:
        """Restore what :meth:`state` returned."""
        return cls(**{name: int(count) for name, count in state.items()})
