"""The world's rules as a guard of the loop: quiet hours, gap, caps, stock, expiry, consent.

A world enters; reasons leave, at planning and again at dispatch (:class:`bandit.protocols.Guard`).
The rules are kept by :class:`~bandit.guardrails.Guardrails`, which is what a real service runs;
here it is told before every question who can be reached and what is in stock now.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from bandit.actions import ItemSet, Observation
from bandit.decide import Decisions
from bandit.guardrails import Guardrails
from bandit.permissions import NO_EXPIRY_MS, Consent, Stock
from bandit.rules import Cap, Rules
from bandit.slots import DAY_MS, HOUR_MS
from simulator.config import WorldConfig
from simulator.world import World

__all__ = ["WorldGuard", "rules_of"]

Bits = NDArray[np.uint16]


def rules_of(config: WorldConfig) -> Rules:
    """The rules of a configuration; users of unknown zone or consent are not written to."""
    rules = config.rules
    return Rules(
        # Hour 24 is hour 0, as it is under the gym faces: from 0 to 24 there are none.
        quiet_start_min=60 * (rules.quiet_from_h % 24),
        quiet_end_min=60 * (rules.quiet_to_h % 24),
        min_gap_ms=rules.gap_h * HOUR_MS,
        caps=(
            Cap(n_sends=rules.cap_per_day, window_ms=DAY_MS),
            Cap(n_sends=rules.cap_per_week, window_ms=7 * DAY_MS),
        ),
        one_open_plan=False,
    )


class WorldGuard:
    """Guardrails fed by a world.

    Parameters
    ----------
    world : World
        Says who can be reached and what may still be offered.
    rules : Rules, optional
        Those of the world's configuration by default.
    topic : str
        Consent class of the messages.
    """

    def __init__(self, world: World, *, rules: Rules | None = None, topic: str = "offers") -> None:
        self.world = world
        self.rails = Guardrails(
            rules=rules_of(world.config) if rules is None else rules,
            consent=Consent((topic,)),
            topic=topic,
        )
        self._granted = ~world.population.state.is_reachable  # so that all are told at first

    def plan(self, observation: Observation, items: ItemSet) -> Bits:
        """Return the reasons against each action, (N, A)."""
        self._look()
        return self.rails.plan(observation, items)

    def dispatch(self, decisions: Decisions) -> Bits:
        """Return the reasons against each send at its slot, (N,)."""
        self._look()
        return self.rails.dispatch(decisions)

    def record(self, decisions: Decisions) -> None:
        """Count what was sent."""
        self.rails.record(decisions)

    def _look(self) -> None:
        """Take over what the world says now."""
        granted = self.world.population.state.is_reachable
        news = np.flatnonzero(granted != self._granted)
        self.rails.consent.answer(self.world.users[news], self.rails.topic, granted=granted[news])
        self._granted = granted.copy()
        self.rails.stock = _stock(self.world)


def _stock(world: World) -> Stock:
    """What may be offered now, and until when, (I,)."""
    catalogue, hour = world.ground.catalogue, np.full(1, world.hour)
    item = np.arange(catalogue.n_items)
    expires_ms = np.full(len(item), NO_EXPIRY_MS)
    if catalogue.lifetime_h:
        left_h = catalogue.hours_left(item[None, :].astype(np.int32), hour)[0]
        expires_ms = world.now_ms + np.rint(left_h * HOUR_MS).astype(np.int64)
    return Stock(
        item=item,
        expires_ms=expires_ms,
        is_available=catalogue.in_stock(item.astype(np.int32)[None, :], hour)[0],
    )
