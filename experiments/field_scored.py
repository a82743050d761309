"""Short lists that say how well each item fits what its user looked at: one feature more.

An observation enters; the world's short lists leave, with the content-based strategy's score beside
the world's own features. A strategy that proposes items has a score of each; whoever decides among
them may as well be told.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from bandit.actions import ItemSet, Observation
from bandit.outcomes import UPLIFT
from policies.baselines.fitted_counts import FittedCounts
from policies.candidates.towers import scores_of
from policies.registry import build
from policies.shape import PolicyShape
from service.jobs.shown_behaviour import ShownBehaviour
from simulator.offers import Slates
from simulator.world import World

__all__ = ["ScoredSlates"]


@dataclass(slots=True)
class ScoredSlates:
    """Candidates of a world with content scores; :meth:`show` tells it each day's behaviour.

    Parameters
    ----------
    world : World
        Made with ``events=True``.
    """

    world: World
    _slates: Slates = field(init=False)
    _taste: Any = field(init=False)
    _shown: ShownBehaviour = field(init=False)

    def __post_init__(self) -> None:
        catalogue = self.world.ground.catalogue
        shape = PolicyShape(
            n_context=1,
            n_item_features=1,
            n_slot_features=1,
            n_users=len(self.world.users),
            n_items=catalogue.n_items,
            n_slots=24,
        )
        self._slates = Slates(world=self.world)
        self._taste = build("content", shape, scheme=UPLIFT)
        self._taste.describe(catalogue.features)
        self._shown = ShownBehaviour(world=self.world, policy=self._taste)

    def show(self) -> None:
        """Take what users did since the last call."""
        self._shown.show()

    def __call__(self, observation: Observation) -> ItemSet:
        """The slates, with the cosine of each item and its user's profile as the last feature."""
        listed, counts = self._slates(observation), self._taste.counts
        if not isinstance(counts, FittedCounts):
            raise TypeError("expected counts of what users deal with")
        towers = self._taste.towers
        query = towers.query(counts.history(observation.user), observation.context)
        score = scores_of(query, towers.vectors, listed.items)[:, :, None]
        return replace(listed, features=np.concatenate([listed.features, score], axis=2))
