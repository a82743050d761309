"""Orders whose money is given back: which, and when.

Orders enter as they are decided; refunds leave as outcomes of their own. A refund is behaviour of
its user (DESIGN §4 *Outcomes*), so it counts for the decisions in whose interval it falls, not for
those that its order counted for. A refund gives back the whole of an order and bears on nothing
else in this world. Without a rate nothing is drawn.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from bandit.outcomes import Kind
from bandit.slots import DAY_MS
from simulator.config import WorldConfig
from simulator.happened import Happened
from simulator.streams import Draw, exponentials, uniforms

__all__ = ["is_refunded", "refunds_of"]

Whole = NDArray[np.int64]
Key = NDArray[np.uint64]

_DAY_MIN = DAY_MS / 60_000


def is_refunded(config: WorldConfig, keys: Key, hours: Whole, *, lane: Whole) -> NDArray[np.bool_]:
    """Whether the order of each visit would be given back, (M,).

    Parameters
    ----------
    config : WorldConfig
        The population.
    keys, hours, lane : ndarray, (M,)
        Life, step and visit of each order, as its delay and its value are drawn by.
    """
    if not config.orders.refund_share:
        return np.zeros(len(keys), np.bool_)
    return uniforms(keys, hours, Draw.REFUND, lane=2 * lane) < config.orders.refund_share


def refunds_of(
    config: WorldConfig, orders: Happened, keys: Key, hours: Whole, *, lane: Whole
) -> Happened:
    """Refunds of some of M orders, an exponential delay after each.

    Parameters
    ----------
    config : WorldConfig
        The population.
    orders : Happened, (M,)
        Conversions.
    keys, hours, lane : ndarray, (M,)
        See :func:`is_refunded`.
    """
    back = np.flatnonzero(is_refunded(config, keys, hours, lane=lane))
    drawn = uniforms(keys[back], hours[back], Draw.REFUND, lane=2 * lane[back] + 1)
    delay_min = config.orders.refund_mean_days * _DAY_MIN * exponentials(drawn)
    refunded = orders.take(back)
    return replace(
        refunded,
        kind=np.full(len(back), Kind.REFUNDED, np.uint8),
        at_min=refunded.at_min + delay_min,
    )
