"""What outcomes are worth under a reward scheme, drawn or expected.

A :class:`~bandit.outcomes.RewardScheme` enters; a :class:`Worth` leaves: how its components are
made of the eight quantities whose truth this room knows. Refunds are a share of orders and of
their money, so their means are no quantities of their own. Attribution plays no part in truth
(DESIGN §4 *World*), so schemes that attribute are refused.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import IntEnum

import numpy as np
from numpy.typing import NDArray

from bandit.errors import BadInputError
from bandit.outcomes import Component, Kind, RewardScheme
from simulator.config import WorldConfig
from simulator.happened import Happened

__all__ = ["N_QUANTITIES", "Quantity", "Worth"]

Float = NDArray[np.float64]


class Quantity(IntEnum):
    """What the truth is known of, in the order of its columns."""

    SESSION = 0
    ORDER = 1
    VALUE = 2
    CLICK = 3
    DISMISSAL = 4
    OPT_OUT = 5
    UNINSTALL = 6
    SEND = 7


N_QUANTITIES = len(Quantity)

_COUNTED = {Kind.SESSION: Quantity.SESSION, Kind.CONVERTED: Quantity.ORDER}
_ONCE = {
    Kind.CLICKED: Quantity.CLICK,
    Kind.DISMISSED: Quantity.DISMISSAL,
    Kind.UNSUBSCRIBED: Quantity.OPT_OUT,
    Kind.UNINSTALLED: Quantity.UNINSTALL,
}
_N_KINDS = 256


@dataclass(frozen=True, slots=True)
class Worth:
    """A scheme over the quantities.

    Parameters
    ----------
    scheme : RewardScheme
        Components to make; none may attribute behaviour by id.
    refund_share : float
        Of orders, as in the population's configuration. Needed for means alone, and only where
        the scheme counts refunds.
    """

    scheme: RewardScheme
    refund_share: float = 0.0
    makes: Float = field(init=False)  # (R, Q) components of quantities
    of_quantity: Float = field(init=False)  # (Q,) reward of one unit of each
    _of_kind: Float = field(init=False)  # (256,) reward of an outcome
    _of_value: Float = field(init=False)  # (256,) and of a unit of its value

    def __post_init__(self) -> None:
        makes = np.stack([_makes(c, self.refund_share) for c in self.scheme.components])
        of_quantity = self.scheme.weights @ makes
        of_kind, of_value = np.zeros(_N_KINDS), np.zeros(_N_KINDS)
        for component in self.scheme.components:
            of = of_value if component.measure == "value" else of_kind
            of[list(component.kinds)] += component.weight
            of[list(component.subtracts)] -= component.weight
        for name, value in (
            ("makes", makes),
            ("of_quantity", of_quantity),
            ("_of_kind", of_kind),
            ("_of_value", of_value),
        ):
            object.__setattr__(self, name, value)

    def of_outcomes(self, outcomes: Happened) -> Float:
        """Reward of each outcome, (M,); the cost of sending is the plan's and not among them."""
        kind = outcomes.kind
        return np.asarray(self._of_kind[kind] + self._of_value[kind] * outcomes.value)

    def of_orders(self, value: Float, is_refunded: NDArray[np.bool_]) -> Float:
        """Reward of orders of a value, less what is given back of them; broadcast."""
        order, refund = Kind.CONVERTED, Kind.REFUNDED
        paid = self._of_kind[order] + self._of_value[order] * value
        if is_refunded.any():
            paid += (self._of_kind[refund] + self._of_value[refund] * value) * is_refunded
        return np.asarray(paid)

    def expect_refunds_of(self, config: WorldConfig) -> None:
        """Refuse another share of refunds than a configuration's, where refunds count.

        Raises
        ------
        BadInputError
            Its means would not be those of what is drawn.
        """
        counts = any(Kind.REFUNDED in component.counted for component in self.scheme.components)
        if counts and self.refund_share != config.orders.refund_share:
            raise BadInputError(
                f"expected the worth of orders of which {config.orders.refund_share} are given "
                f"back, got {self.refund_share}: make it with "
                "refund_share=config.orders.refund_share"
            )

    @property
    def of_send(self) -> float:
        """Reward of a planned send of itself; below 0 where it costs."""
        return float(self.of_quantity[Quantity.SEND])

    def components(self, quantities: Float) -> Float:
        """Components (…, R) of quantities (…, Q)."""
        return np.asarray(quantities @ self.makes.T)


def _makes(component: Component, refund_share: float) -> Float:
    """Row of quantities that one component counts, (Q,)."""
    row = np.zeros(N_QUANTITIES)
    if component.is_attributed:
        raise BadInputError(
            f"expected components that the world's truth knows, got {component.name!r}, which "
            "credits behaviour by id: attribution plays no part in truth; call "
            "scheme.without_attribution()"
        )
    if component.measure == "send":
        row[Quantity.SEND] = 1.0
        return row
    for kinds, sign in ((component.kinds, 1.0), (component.subtracts, -1.0)):
        for kind in kinds:
            is_refund = kind == Kind.REFUNDED and component.measure in ("count", "value")
            of = Kind.CONVERTED if is_refund else kind
            row[_quantity(component, of)] += sign * (refund_share if is_refund else 1.0)
    return row


def _quantity(component: Component, kind: Kind) -> Quantity:
    if component.measure == "value" and kind == Kind.CONVERTED:
        return Quantity.VALUE
    if component.measure in ("any", "count") and kind in _ONCE:
        return _ONCE[kind]
    if component.measure == "count" and kind in _COUNTED:
        return _COUNTED[kind]
    raise BadInputError(
        f"expected counts of sessions, values or counts of conversions and refunds, or any click, "
        f"dismissal, opt-out or uninstall, got component {component.name!r}: {component.measure} "
        f"of {kind.name}, whose mean this world does not keep"
    )
