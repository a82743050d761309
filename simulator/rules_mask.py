"""Who may be sent what and when: the rules of a configuration as reasons, and as masks.

A population at the start of a step enters; :class:`Reasons` leave, in parts by slot, by item and by
pair, so that the mask of a million pairs is one broadcast. Bits are those of
:class:`bandit.actions.Reason`. An unknown zone fails closed wherever there are quiet hours. A slot
is judged by its first moment, because that is when its push is sent.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from bandit.actions import Reason
from simulator.kernel import Population
from simulator.sections import Rules
from simulator.state import sends_in_week

__all__ = ["Reasons", "names_of", "reasons_of"]

Bits = NDArray[np.uint16]
Flags = NDArray[np.bool_]
Whole = NDArray[np.int64]

_CAP = np.uint16(Reason.CAP)
_CONSENT = np.uint16(Reason.CONSENT)
_EXPIRED = np.uint16(Reason.EXPIRED)
_MIN_GAP = np.uint16(Reason.MIN_GAP)
_NOT_ELIGIBLE = np.uint16(Reason.NOT_ELIGIBLE)
_QUIET_HOURS = np.uint16(Reason.QUIET_HOURS)
_STOCK = np.uint16(Reason.STOCK)
_UNKNOWN_ZONE = np.uint16(Reason.UNKNOWN_ZONE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Reasons:
    """Why pushes are masked: bits of :class:`~bandit.actions.Reason`, 0 for none."""

    of_slot: Bits  # (N, S) the user at that hour: consent, zone, quiet hours, gap, caps
    of_item: Bits  # (N, K) the item: stock
    of_pair: Bits | None  # (N, K, S) the item at that hour: expiry; None where nothing expires

    def of_actions(self, action: Whole) -> Bits:
        """Bits of one action a row, (N,)."""
        n, s = self.of_slot.shape
        row, pair = np.arange(n), np.maximum(action - 1, 0)
        bits = self.of_slot[row, pair % s] | self.of_item[row, pair // s]
        if self.of_pair is not None:
            bits |= self.of_pair[row, pair // s, pair % s]
        return np.where(action == 0, np.uint16(0), bits)

    def put(self, rows: Whole, other: Reasons) -> None:
        """Write another's rows over some of these, in place."""
        self.of_slot[rows], self.of_item[rows] = other.of_slot, other.of_item
        if self.of_pair is not None and other.of_pair is not None:
            self.of_pair[rows] = other.of_pair

    def whole(self) -> Bits:
        """Bits of every action, (N, 1 + K·S); hold is never masked."""
        pairs = self.of_slot[:, None, :] | self.of_item[:, :, None]
        if self.of_pair is not None:
            pairs |= self.of_pair
        bits = np.zeros((len(pairs), 1 + pairs.shape[1] * pairs.shape[2]), np.uint16)
        bits[:, 1:] = pairs.reshape(len(pairs), -1)
        return bits

    def mask(self) -> Flags:
        """True where an action may be taken, (N, 1 + K·S)."""
        n, s = self.of_slot.shape
        k = self.of_item.shape[1]
        mask = np.empty((n, 1 + k * s), np.bool_)
        mask[:, 0] = True
        pairs = (self.of_item == 0)[:, :, None] & (self.of_slot == 0)[:, None, :]
        if self.of_pair is not None:
            pairs &= self.of_pair == 0
        mask[:, 1:] = pairs.reshape(n, k * s)
        return mask


def reasons_of(population: Population) -> Reasons:
    """Why each push of this step may not be sent.

    Parameters
    ----------
    population : Population
        At the start of a step.
    """
    offer, offsets_h = population.offer(), population.offsets_h
    of_pair = None
    if population.ground.catalogue.lifetime_h:
        is_gone = offer.hours_left[:, :, None] <= offsets_h
        of_pair = is_gone * _EXPIRED
    return Reasons(
        of_slot=_of_user(population)[:, None] | _of_hour(population),
        of_item=~offer.is_in_stock * _STOCK,
        of_pair=of_pair,
    )


def names_of(bits: int) -> str:
    """Names of the reasons in ``bits``, for a message.

    Examples
    --------
    >>> names_of(int(Reason.QUIET_HOURS | Reason.CAP))
    'quiet hours, cap'
    """
    return ", ".join(str(reason.name).lower().replace("_", " ") for reason in Reason(bits))


def _of_user(population: Population) -> Bits:
    """Reasons that hold all step long, (N,)."""
    state, rules = population.state, population.ground.config.rules
    bits = ~state.is_reachable * _CONSENT
    bits |= ~state.is_alive * _NOT_ELIGIBLE
    today = state.sent_by_day[np.arange(len(bits)), state.hour // 24 % 7]
    is_capped = (today >= rules.cap_per_day) | (sends_in_week(state) >= rules.cap_per_week)
    bits |= is_capped * _CAP
    if rules.quiet_from_h % 24 != rules.quiet_to_h % 24:
        bits |= ~population.traits.is_zone_known * _UNKNOWN_ZONE
    return bits


def _of_hour(population: Population) -> Bits:
    """Reasons that depend on the slot, (N, S)."""
    rules, offsets_h = population.ground.config.rules, population.offsets_h
    quiet = _quiet(rules, tuple(offsets_h.tolist()))
    bits = quiet[population.offer().hour_of_week % 24]  # (N, S), a copy
    if rules.gap_h:
        since_h = population.state.hour - population.state.send_h
        is_soon = since_h[:, None] + offsets_h < rules.gap_h
        bits |= is_soon * _MIN_GAP
    return bits


@lru_cache(maxsize=64)
def _quiet(rules: Rules, offsets_h: tuple[int, ...]) -> Bits:
    """Quiet slots of a step that begins at each local hour, (24, S).

    As in the kernel, a clock change takes effect at the step after it.
    """
    local = (np.arange(24)[:, None] + np.array(offsets_h)) % 24
    start, end = rules.quiet_from_h % 24, rules.quiet_to_h % 24
    inside = (local >= start) & (local < end)
    if start > end:
        inside = (local >= start) | (local < end)
    return np.asarray(inside * _QUIET_HOURS, np.uint16)
