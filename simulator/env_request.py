"""The rows of a gym face as a request: what a policy would be shown of them in the loop.

A vector environment enters; a :class:`bandit.actions.Request` leaves, with the features that
:class:`simulator.world.World` and :class:`simulator.offers.Slates` show. So what is trained on a
face can be asked in the loop, and a policy of the loop can act on a face.
"""

from __future__ import annotations

import numpy as np

from bandit.actions import Request, SlotGrid
from bandit.slots import HOUR_MS
from simulator.request_features import features_of
from simulator.vector_env import PushVectorEnv

__all__ = ["request_of"]


def request_of(env: PushVectorEnv) -> Request:
    """What the rows of an environment look like now, (N,), to a policy.

    ``user`` is the row. Actions are those of the face: 0 to hold, or 1 + k·S + s.
    """
    lives = env.lives
    population = lives.population
    traits, state, ground = population.traits, population.state, population.ground
    seen = features_of(population, lives.known)
    items = population.offer().items
    at_ms = ground.calendar.start_ms + state.hour * HOUR_MS
    start_ms = at_ms[:, None] + population.offsets_h * HOUR_MS
    end_ms = np.append(start_ms[:, 1:], at_ms[:, None] + population.hours * HOUR_MS, axis=1)
    zones = np.where(traits.is_zone_known, np.array(ground.config.clock.zones)[traits.zone], "")
    return Request(
        user=np.arange(len(at_ms)),
        at_ms=at_ms,
        zone=zones,
        context=seen.context,
        items=items.astype(np.int64),
        item_features=seen.items,
        slot_features=seen.slots,
        grid=SlotGrid(start_ms=start_ms, end_ms=end_ms),
        reasons=env.reasons(),
    )
