"""What all Vowpal Wabbit policies share: final rows only, one cost a row, weights of the day.

Feedback enters; rows that are final reach :meth:`FinalLearner.learn` in the order of their
decision ids. A subclass says what it learns of them.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from bandit.outcomes import Feedback, RewardScheme
from policies.checks import check_scheme
from policies.shape import PolicyShape
from policies.vw.held import FinalRows, HeldRows

__all__ = ["FinalLearner", "costs_of"]


class FinalLearner:
    """Hold rows back until they are final; other weights of a scheme reach later rows only.

    Parameters
    ----------
    shape : PolicyShape
        Lengths of what requests will carry.
    scheme : RewardScheme
        Components and weights.
    """

    def __init__(self, shape: PolicyShape, scheme: RewardScheme) -> None:
        self.lengths = shape.n_context, shape.n_item_features, shape.n_slot_features
        self.held = HeldRows(self.lengths)
        self.n_learned = 0
        self._scheme = scheme

    @property
    def cannot(self) -> Mapping[str, str]:
        """What a learner of one number, by gradient steps, cannot do."""
        return {
            "holds_when_sends_are_dear": "one cost is learned, so new weights reach new rows only",
            "turns_with_the_encoder": "its step sizes belong to single coordinates",
        }

    @property
    def scheme(self) -> RewardScheme:
        """What a reward is; other weights apply to rows learned from now on."""
        return self._scheme

    @scheme.setter
    def scheme(self, scheme: RewardScheme) -> None:
        check_scheme(scheme, self._scheme)
        self._scheme = scheme

    def update(self, feedback: Feedback) -> None:
        """Learn rows that are final; hold back the others."""
        self._take(self.held.take(feedback))

    def revise(self, feedback: Feedback) -> None:
        """Learn rows held back, where they are final now."""
        self._take(self.held.release(feedback))

    def learn(self, rows: FinalRows) -> None:
        """Learn N rows, at least one."""
        raise NotImplementedError

    def _take(self, rows: FinalRows) -> None:
        if rows.n_rows:
            self.learn(rows)


def costs_of(rows: FinalRows, scheme: RewardScheme) -> NDArray[np.float64]:
    """Weighted rewards, negated, (N,)."""
    return np.asarray(-scheme.reward(rows.components))
