"""Raw signals, and the scheme that later makes numbers of them.

Outcomes arrive late, twice and in disorder; a :class:`RewardScheme` says which of them count
for which component, in which window and at which weight. Responses carry a decision id;
behaviour carries a user and a time and is joined by time, never by id. DESIGN §4.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from enum import IntEnum
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from bandit.currencies import NO_CURRENCY, is_currency, no_currency
from bandit.errors import BadInputError, expect_shape
from bandit.slots import DAY_MS
from bandit.timestamps import LAST_MS

__all__ = [
    "ENGAGEMENT",
    "UPLIFT",
    "Component",
    "Feedback",
    "Kind",
    "Outcomes",
    "RewardScheme",
    "no_outcomes",
    "outcomes_of",
    "uplift_scheme",
]


class Kind(IntEnum):
    """What happened; values are stored and never change. Below 32 responses, above behaviour."""

    DELIVERED = 1
    UNDELIVERED = 2
    DISPLAYED = 3
    CLICKED = 4
    DISMISSED = 5
    CANCELLED = 6
    EXPIRED = 7
    SUPERSEDED = 8
    MATCHED = 9
    SESSION = 32
    CONVERTED = 33
    REFUNDED = 34
    UNSUBSCRIBED = 35
    UNINSTALLED = 36

    @property
    def is_response(self) -> bool:
        """True for what belongs to one decision by its id."""
        return self < Kind.SESSION


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcomes:
    """M raw outcomes, in any order; a correction names the outcome whose value it replaces."""

    outcome_id: NDArray[np.int64]  # (M,)
    kind: NDArray[np.uint8]  # (M,)
    user: NDArray[np.int64]  # (M,)
    at_ms: NDArray[np.int64]  # (M,) when it happened
    received_ms: NDArray[np.int64]  # (M,) when we heard of it
    value: NDArray[np.float64]  # (M,) money or 1.0
    decision_id: NDArray[np.int64]  # (M,) −1 for behaviour, unless somebody attributes it
    corrects: NDArray[np.int64]  # (M,) outcome id, −1 for none
    currency: NDArray[np.str_]  # (M,) ISO 4217 code of the value, empty where it has none

    def __post_init__(self) -> None:
        m = len(self.outcome_id)
        for name in (
            "kind",
            "user",
            "at_ms",
            "received_ms",
            "value",
            "decision_id",
            "corrects",
            "currency",
        ):
            expect_shape(name, getattr(self, name), (m,), "one entry an outcome")
        expected = {
            "kind": (np.isin(self.kind, list(Kind)), "a value of bandit.outcomes.Kind"),
            "value": (np.isfinite(self.value), "a finite number; 1 where no amount is known"),
            "outcome_id": (self.outcome_id != -1, "an id of its own; -1 stands for none"),
            "at_ms": (_is_time(self.at_ms), "int64 milliseconds between 1970 and 2100"),
            "received_ms": (_is_time(self.received_ms), "int64 milliseconds between 1970 and 2100"),
            "currency": (is_currency(self.currency), "an ISO 4217 code such as 'EUR', or empty"),
        }
        for name, (fits, wanted) in expected.items():
            if not fits.all():
                row = int(np.argmin(fits))
                raise BadInputError(
                    f"expected {name} to be {wanted}, got {getattr(self, name)[row]!r} in row "
                    f"{row}: leave that row out, or mend it where it came from"
                )

    @property
    def n_rows(self) -> int:
        """Number of outcomes M."""
        return len(self.outcome_id)


def _is_time(at_ms: NDArray[np.int64]) -> NDArray[np.bool_]:
    is_whole = np.issubdtype(at_ms.dtype, np.integer)
    return np.asarray(is_whole & (at_ms >= 0) & (at_ms < LAST_MS))


def no_outcomes() -> Outcomes:
    """Return an empty table of outcomes."""
    whole = np.zeros(0, np.int64)
    return Outcomes(
        outcome_id=whole,
        kind=np.zeros(0, np.uint8),
        user=whole,
        at_ms=whole,
        received_ms=whole,
        value=np.zeros(0),
        decision_id=whole,
        corrects=whole,
        currency=no_currency(0),
    )


def outcomes_of(
    kind: Kind,
    outcome_id: NDArray[np.int64],
    *,
    user: NDArray[np.int64],
    at_ms: NDArray[np.int64],
    received_ms: NDArray[np.int64] | None = None,
    value: float | NDArray[np.float64] = 1.0,
    decision_id: NDArray[np.int64] | None = None,
    currency: str | NDArray[np.str_] = NO_CURRENCY,
) -> Outcomes:
    """M outcomes of one kind, with the usual defaults.

    Parameters
    ----------
    kind : Kind
        What happened.
    outcome_id : ndarray of int, (M,)
        Ids; the same id twice is the same outcome.
    user : ndarray of int, (M,)
        To whom.
    at_ms : ndarray of int, (M,)
        When it happened.
    received_ms : ndarray of int, (M,), optional
        When we heard of it; at once without it.
    value : float or ndarray, (M,)
        Money, or 1.
    decision_id : ndarray of int, (M,), optional
        The decision that a response belongs to; behaviour has none.
    currency : str or ndarray, (M,)
        ISO 4217 code of the money, such as ``"EUR"``; empty for the currency of the scheme.
    """
    n = len(outcome_id)
    none = np.full(n, -1, np.int64)
    return Outcomes(
        outcome_id=np.asarray(outcome_id, np.int64),
        kind=np.full(n, kind, np.uint8),
        user=np.asarray(user, np.int64),
        at_ms=np.asarray(at_ms, np.int64),
        received_ms=np.asarray(at_ms if received_ms is None else received_ms, np.int64),
        value=np.broadcast_to(np.asarray(value, np.float64), (n,)),
        decision_id=none if decision_id is None else np.asarray(decision_id, np.int64),
        corrects=none,
        currency=np.broadcast_to(np.asarray(currency, np.str_), (n,)),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Component:
    """One reward component: which outcomes it counts, how, for how long, at which weight.

    Parameters
    ----------
    name : str
        Unique in its scheme.
    kinds : tuple of Kind
        Outcomes that count; empty for a cost of the plan itself.
    measure : {"any", "count", "value", "send"}
        One if any came; how many came; their summed value; one for each planned send.
    window_ms : int
        How long outcomes count: after delivery or the planned slot for responses and what is
        attributed, after the slot grid's end for behaviour.
    weight : float
        Worth of one unit in the unit of the scheme.
    subtracts : tuple of Kind
        Kinds that subtract, such as refunds under ``measure="value"``; not repeated in ``kinds``.
    is_attributed : bool
        Credit behaviour to the decision whose id it carries and to no other, within its window
        from delivery: attribution, which pays a send for what would have come anyway.
    """

    name: str
    kinds: tuple[Kind, ...]
    measure: Literal["any", "count", "value", "send"]
    weight: float
    window_ms: int = DAY_MS
    subtracts: tuple[Kind, ...] = ()
    is_attributed: bool = False

    def __post_init__(self) -> None:
        if bool(self.kinds) == (self.measure == "send"):
            raise BadInputError(
                f"expected component {self.name!r} to count outcomes or to be a cost of sending, "
                f"got kinds {self.kinds} with measure {self.measure!r}"
            )
        if self.subtracts and self.measure not in ("count", "value"):
            raise BadInputError(
                f"expected component {self.name!r} to subtract from a count or a value, got "
                f"measure {self.measure!r}"
            )
        if set(self.kinds) & set(self.subtracts):
            raise BadInputError(
                f"expected component {self.name!r} to add or to subtract a kind, got both: "
                f"{sorted(set(self.kinds) & set(self.subtracts))}"
            )
        if len({kind.is_response for kind in self.counted}) > 1:
            raise BadInputError(
                f"expected component {self.name!r} to count responses or behaviour, got both: "
                "responses are joined by id and behaviour by time; make two components"
            )
        if self.is_attributed and (self.measure == "send" or self.kinds[0].is_response):
            raise BadInputError(
                f"expected component {self.name!r} to attribute behaviour, got {self.kinds}: "
                "responses belong to their decision as they are"
            )
        if self.window_ms <= 0:
            raise BadInputError(f"expected a window above 0 ms, got {self.window_ms}")
        if not np.isfinite(self.weight):
            raise BadInputError(f"expected a finite weight, got {self.weight}")

    @property
    def counted(self) -> tuple[Kind, ...]:
        """Kinds that add and kinds that subtract."""
        return (*self.kinds, *self.subtracts)

    @property
    def joins_by_id(self) -> bool:
        """True where outcomes belong to the decision whose id they carry."""
        return self.is_attributed or any(kind.is_response for kind in self.kinds)


@dataclass(frozen=True, slots=True, kw_only=True)
class RewardScheme:
    """A stated objective: components and their weights, applied late.

    Weights enter when a policy is asked for probabilities, not when it learns, so that they
    can change without a reset. Values are added in one currency: the scheme's own, or none.
    """

    name: str
    objective: Literal["uplift", "engagement"]
    components: tuple[Component, ...]
    currency: str = NO_CURRENCY  # of the values it adds

    def __post_init__(self) -> None:
        names = [component.name for component in self.components]
        if len(set(names)) != len(names) or not names:
            raise BadInputError(f"expected components of distinct names, got {names}")
        by_id = [c.name for c in self.components if c.weight and c.joins_by_id]
        if self.objective == "uplift" and by_id:
            raise BadInputError(
                f"expected an uplift scheme to weigh behaviour and costs only, got {by_id}: "
                "what is credited by id pays a send for what would have come anyway; give it "
                "weight 0 or call the scheme an engagement scheme"
            )
        if not is_currency(np.array([self.currency]))[0]:
            raise BadInputError(
                f"expected an ISO 4217 code such as 'EUR', or none, got {self.currency!r}"
            )
        if self.currency and not self._valued:
            raise BadInputError(
                f"expected a component that adds values of {self.currency}, got none: leave the "
                "currency out, or measure a value"
            )

    def refuse_other_currencies(self, outcomes: Outcomes) -> None:
        """Refuse values that would be added to those of another currency.

        A value without a currency is taken to be in the scheme's; kinds whose value the scheme
        does not add may carry any.

        Raises
        ------
        BadInputError
            For a value in a currency that is not the scheme's, with its row.
        """
        if not self._valued:
            return
        is_added = np.isin(outcomes.kind, self._valued) | (outcomes.corrects != -1)
        is_other = (outcomes.currency != NO_CURRENCY) & (outcomes.currency != self.currency)
        if (is_added & is_other).any():
            row = int(np.argmax(is_added & is_other))
            own = f"in {self.currency}" if self.currency else "without a currency"
            raise BadInputError(
                f"expected values {own}, as scheme {self.name!r} adds them, got "
                f"{outcomes.currency[row]} in row {row}: convert it, or give the scheme its "
                "currency"
            )

    @property
    def _valued(self) -> list[Kind]:
        """Kinds whose value is added."""
        return [k for c in self.components if c.measure == "value" for k in c.counted]

    @property
    def weights(self) -> NDArray[np.float64]:
        """Weight of each component, (R,)."""
        return np.array([component.weight for component in self.components])

    @property
    def n_components(self) -> int:
        """Number of components R."""
        return len(self.components)

    def reward(self, components: NDArray[np.float64]) -> NDArray[np.float64]:
        """Weighted sum of components, (…, R) → (…)."""
        expect_shape("components", components.reshape(-1, components.shape[-1]), (-1, len(self)))
        return np.asarray(components @ self.weights)

    def without_attribution(self) -> RewardScheme:
        """The same scheme less what it attributes: what a world's truth can answer for."""
        kept = tuple(c for c in self.components if not c.is_attributed)
        return replace(self, components=kept)

    def __len__(self) -> int:
        return len(self.components)


_WEEK_MS = 7 * DAY_MS


def uplift_scheme(
    *, mean_order_value: float | None = None, currency: str = NO_CURRENCY
) -> RewardScheme:
    """Scheme of reports and gates: behaviour, costs, and clicks at weight zero (assumed).

    Parameters
    ----------
    mean_order_value : float, optional
        Where amounts are known: conversions then count by their value net of refunds, and one
        of mean value is worth what a conversion is worth without it. A purchase of unknown
        amount is told at this value.
    currency : str
        ISO 4217 code of that value and of the amounts; one in another currency is refused.
    """
    if mean_order_value is not None and not 0 < mean_order_value < np.inf:
        raise BadInputError(f"expected a mean order value above 0, got {mean_order_value}")
    conversion = Component(name="conversion", kinds=(Kind.CONVERTED,), measure="count", weight=1.0)
    if mean_order_value is not None:
        conversion = replace(
            conversion, measure="value", weight=1 / mean_order_value, subtracts=(Kind.REFUNDED,)
        )
    opt_outs = (("opt_out", Kind.UNSUBSCRIBED, -3.0), ("uninstall", Kind.UNINSTALLED, -10.0))
    return RewardScheme(
        name="uplift" if mean_order_value is None else "uplift_value",
        objective="uplift",
        components=(
            Component(name="session", kinds=(Kind.SESSION,), measure="count", weight=0.05),
            conversion,
            *(
                Component(
                    name=name, kinds=(kind,), measure="any", weight=weight, window_ms=_WEEK_MS
                )
                for name, kind, weight in opt_outs
            ),
            Component(name="message", kinds=(), measure="send", weight=-0.0005),
            Component(name="click", kinds=(Kind.CLICKED,), measure="any", weight=0.0),
        ),
        currency=currency,
    )


UPLIFT = uplift_scheme()
"""The default, where amounts are not known."""

ENGAGEMENT = RewardScheme(
    name="engagement",
    objective="engagement",
    components=(
        Component(name="click", kinds=(Kind.CLICKED,), measure="any", weight=1.0),
        Component(name="dismissal", kinds=(Kind.DISMISSED,), measure="any", weight=-0.1),
        Component(name="message", kinds=(), measure="send", weight=-0.0005),
        Component(
            name="attributed",
            kinds=(Kind.CONVERTED,),
            measure="count",
            weight=1.0,
            is_attributed=True,
        ),
    ),
)
"""Clicks and attributed conversions count. Never reported as uplift: it pays for what would have
come anyway."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Feedback:
    """Decisions with outcome components, ready to learn from.

    Components hold the expected final value given what is known so far; ``maturity`` is the
    learned share of each that has arrived by now: below 1 in some component until the row is
    final, and 1 in all from then on. A row that is not yet final comes again, under the same id,
    through ``Policy.revise``.
    """

    decision_id: NDArray[np.int64]  # (N,)
    user: NDArray[np.int64]  # (N,)
    at_ms: NDArray[np.int64]  # (N,)
    is_send: NDArray[np.bool_]  # (N,) the plan, as intended
    item: NDArray[np.int64]  # (N,) −1 for hold
    slot: NDArray[np.int64]  # (N,) −1 for hold
    propensity: NDArray[np.float64]  # (N,)
    p_send: NDArray[np.float64]  # (N,)
    context: NDArray[np.float64]  # (N, D)
    item_features: NDArray[np.float64]  # (N, Di) zeros for hold
    slot_features: NDArray[np.float64]  # (N, Ds) zeros for hold
    components: NDArray[np.float64]  # (N, R)
    maturity: NDArray[np.float64]  # (N, R) in [0, 1]
    scheme: RewardScheme
    # What else was on offer, E = 0 unless the join was asked for it: −1 where nothing was.
    short_list: NDArray[np.int64] = field(default_factory=lambda: np.zeros((0, 0), np.int64))
    p_items: NDArray[np.float64] = field(default_factory=lambda: np.zeros((0, 0)))  # (N, E)

    def __post_init__(self) -> None:
        n = len(self.decision_id)
        for name in ("user", "at_ms", "is_send", "item", "slot", "propensity", "p_send"):
            expect_shape(name, getattr(self, name), (n,), "one entry a decision")
        for name in ("context", "item_features", "slot_features"):
            expect_shape(name, getattr(self, name), (n, -1), "one row a decision")
        for name in ("components", "maturity"):
            expect_shape(name, getattr(self, name), (n, len(self.scheme)), "a column a component")
        for name in ("short_list", "p_items"):
            if not getattr(self, name).size:
                object.__setattr__(self, name, np.zeros((n, 0), getattr(self, name).dtype))
        expect_shape("short_list", self.short_list, (n, -1), "one row a decision")
        expect_shape("p_items", self.p_items, self.short_list.shape, "one a listed item")

    @property
    def n_rows(self) -> int:
        """Number of decisions N."""
        return len(self.decision_id)

    def take(self, rows: NDArray[np.int64] | NDArray[np.bool_]) -> Feedback:
        """Return chosen rows, in the chosen order.

        Parameters
        ----------
        rows : ndarray of int, (m,), or of bool, (N,)
            Positions, or which of all.
        """
        names = [name for name in Feedback.__slots__ if name != "scheme"]
        return replace(self, **{name: getattr(self, name)[rows] for name in names})
