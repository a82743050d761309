"""What one push to each of some users does: delivery, answer, visit, order, leaving.

Rows that send, with an item, a slot and the decision's id, enter; sparse outcomes and the answers
that move the state leave. Chances are :mod:`simulator.response`'s; a single uniform decides
between click, view-through and dismissal, so better odds never turn a click into none.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bandit.outcomes import Kind
from simulator import response
from simulator.calendar import Calendar
from simulator.catalogue import Catalogue
from simulator.config import WorldConfig
from simulator.happened import Happened, concatenated
from simulator.organic import basket_value, order_wait_min
from simulator.refunds import is_refunded, refunds_of
from simulator.state import State, Traits
from simulator.streams import Draw, exponentials, normal_of, several

__all__ = [
    "NIGHT_ENDS_H",
    "Answers",
    "Sends",
    "answer",
    "are_refunded",
    "click_delay_min",
    "no_answers",
    "order_values",
    "outcomes_of_pushes",
]

Float = NDArray[np.float64]
Whole = NDArray[np.int64]
Flags = NDArray[np.bool_]

NIGHT_ENDS_H = 6
_ANSWERS = (
    Draw.DELIVERY,
    Draw.AVAILABILITY,
    Draw.RESPONSE,
    Draw.CLICK_VISIT,
    Draw.CLICK_ORDER,
    Draw.DISPLACE,
    Draw.OPT_OUT,
    Draw.UNINSTALL,
)
_VISIT_LANE = 500  # keeps a push visit's order apart from those of organic sessions
_VALUES = (
    (Draw.CLICK_VALUE, 0),
    (Draw.CLICK_VALUE, 1),
    (Draw.ORDER_VALUE, 2 * _VISIT_LANE),
    (Draw.ORDER_VALUE, 2 * _VISIT_LANE + 1),
)
_DELAYS = (
    (Draw.CLICK_DELAY, 0),
    (Draw.CLICK_DELAY, 1),
    (Draw.CLICK_TIME, 0),
    (Draw.CLICK_TIME, 1),
)
_ORDER_DELAYS = ((Draw.ORDER_DELAY, 2 * _VISIT_LANE), (Draw.ORDER_DELAY, 2 * _VISIT_LANE + 1))
_ALL = (*_DELAYS, *_VALUES, *_ORDER_DELAYS, (Draw.OPT_OUT, 1))


@dataclass(frozen=True, slots=True, kw_only=True)
class Sends:
    """M pushes of one step, at most one a user."""

    row: Whole  # (M,) position of the user
    item: NDArray[np.int32]  # (M,)
    offset_h: Whole  # (M,) hours from the start of the step to the slot
    ref: Whole  # (M,) decision id

    def take(self, at: Whole) -> Sends:
        """Return some of the pushes."""
        return Sends(
            row=self.row[at], item=self.item[at], offset_h=self.offset_h[at], ref=self.ref[at]
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Answers:
    """What each push came to; one entry a push."""

    is_delivered: Flags
    is_clicked: Flags
    is_click_visit: Flags  # a click that opened the app
    is_view_through: Flags
    is_dismissed: Flags
    has_ordered: Flags  # after a click or a view-through visit
    has_displaced: Flags
    has_opted_out: Flags
    has_uninstalled: Flags

    def take(self, at: Whole) -> Answers:
        """Return the answers to some of the pushes."""
        return Answers(**{name: getattr(self, name)[at] for name in Answers.__slots__})

    @property
    def is_visit(self) -> Flags:
        """True where a session came of it."""
        return np.asarray(self.is_click_visit | self.is_view_through)


def no_answers() -> Answers:
    """Return the answers to no pushes."""
    return Answers(**dict.fromkeys(Answers.__slots__, np.zeros(0, np.bool_)))


def answer(
    config: WorldConfig,
    traits: Traits,
    state: State,
    *,
    log_odds: NDArray[np.floating[Any]],
    match: NDArray[np.floating[Any]],
) -> Answers:
    """Draw the answer of each (user, item, hour); a user's own draws are shared by all of them.

    Parameters
    ----------
    config : WorldConfig
        The population.
    traits, state : rows, (N,)
        At the start of the step.
    log_odds : ndarray, (N, J)
        Of a click on each of J items, item and hour together.
    match : ndarray, (N, J)
        Fit to the taste, which the opt-out hazard falls with.
    """
    u = _drawn(traits, state)
    displaced = response.displaced_share(config, traits, state)[:, None]
    odds = np.exp(log_odds)
    odds = odds * np.where(
        u[Draw.AVAILABILITY] < config.click.available_share, config.click.available_gain, 1.0
    )
    p_click = odds / (1.0 + odds)
    p_view = config.orders.view_through * (1.0 - displaced) * p_click * (1.0 - p_click)
    p_dismiss = config.click.dismiss_chance * (1.0 - p_click - p_view)
    is_delivered = np.broadcast_to(u[Draw.DELIVERY] < traits.p_delivered[:, None], odds.shape)
    u_response = u[Draw.RESPONSE]
    is_clicked = is_delivered & (u_response < p_click)
    is_click_visit = is_clicked & (u[Draw.CLICK_VISIT] < config.click.visit_share)
    is_view = is_delivered & ~is_clicked & (u_response < p_click + p_view)
    hazard = np.exp(
        response.hazard_log(config, traits, state)[:, None] - config.opt_out.relevance_slope * match
    )
    p_order = np.where(is_clicked, config.orders.per_click, config.orders.per_session)
    leaves = -np.expm1(-config.opt_out.uninstall_share * hazard)
    return Answers(
        is_delivered=is_delivered,
        is_clicked=is_clicked,
        is_click_visit=is_click_visit,
        is_view_through=is_view,
        is_dismissed=is_delivered & (u_response >= 1.0 - p_dismiss),
        has_ordered=(is_click_visit | is_view) & (u[Draw.CLICK_ORDER] < p_order),
        has_displaced=is_click_visit & (u[Draw.DISPLACE] < displaced),
        has_opted_out=is_delivered & (u[Draw.OPT_OUT] < -np.expm1(-hazard)),
        has_uninstalled=is_delivered & (u[Draw.UNINSTALL] < leaves),
    )


def order_values(
    config: WorldConfig,
    traits: Traits,
    state: State,
    *,
    answers: Answers,
    price: Float,
) -> Float:
    """Money of each visit's order, were there one: about the item's price after a click, (N, J)."""
    drawn = several(traits.key, state.hour, _VALUES)
    return _values(config, drawn[:, :, None], is_clicked=answers.is_clicked, price=price)


def _values(config: WorldConfig, drawn: Float, *, is_clicked: Flags, price: Float) -> Float:
    """Money of orders, of the four uniforms of each; broadcast."""
    sd = config.orders.value_sd
    of_click = price * np.exp(sd * normal_of(drawn[0], drawn[1]) - sd**2 / 2.0)
    return np.where(is_clicked, of_click, basket_value(config, normal_of(drawn[2], drawn[3])))


def outcomes_of_pushes(
    config: WorldConfig,
    traits: Traits,
    state: State,
    sends: Sends,
    answers: Answers,
    *,
    calendar: Calendar,
    catalogue: Catalogue,
) -> Happened:
    """Sparse outcomes of M pushes; ``traits`` and ``state`` hold the rows that send.

    Parameters
    ----------
    config : WorldConfig
        The population.
    traits, state : rows, (M,)
        Of the users that were sent to.
    sends, answers : Sends and Answers of shape (M,)
        What was sent, and what came of it.
    """
    sent_min = np.asarray(60.0 * (state.hour + sends.offset_h), np.float64)
    at_once = _told(
        sends,
        (
            (Kind.DELIVERED, answers.is_delivered, sent_min),
            (Kind.UNDELIVERED, ~answers.is_delivered, sent_min),
            (Kind.DISPLAYED, answers.is_delivered, sent_min),
        ),
        value=np.ones(len(sent_min)),
    )
    # Few pushes are answered, and only those need times and values.
    at = np.flatnonzero(
        answers.is_clicked
        | answers.is_view_through
        | answers.is_dismissed
        | answers.has_opted_out
        | answers.has_uninstalled
    )
    if not len(at):
        return at_once
    return concatenated(
        [
            at_once,
            _answered(
                config,
                traits.some(at),
                state.some(at),
                sends.take(at),
                answers.take(at),
                sent_min=sent_min[at],
                calendar=calendar,
                catalogue=catalogue,
            ),
        ]
    )


def _answered(
    config: WorldConfig,
    traits: Traits,
    state: State,
    sends: Sends,
    answers: Answers,
    *,
    sent_min: Float,
    calendar: Calendar,
    catalogue: Catalogue,
) -> Happened:
    """Outcomes of pushes that somebody answered, all of them (M,)."""
    drawn = several(traits.key, state.hour, _ALL)
    visit_min = sent_min + _delay_min(config, traits, drawn[:4], sent_min, calendar=calendar)
    value = _values(
        config, drawn[4:8], is_clicked=answers.is_clicked, price=catalogue.price[sends.item]
    )
    order_min = visit_min + order_wait_min(config, drawn[8], drawn[9])
    leaves_min = sent_min + 60.0 * drawn[10]
    told = _told(
        sends,
        (
            (Kind.CLICKED, answers.is_clicked, visit_min),
            (Kind.DISMISSED, answers.is_dismissed, visit_min),
            (Kind.SESSION, answers.is_visit, visit_min),
            (Kind.CONVERTED, answers.has_ordered, order_min),
            (Kind.UNSUBSCRIBED, answers.has_opted_out, leaves_min),
            (Kind.UNINSTALLED, answers.has_uninstalled, leaves_min),
        ),
        value=value,
    )
    if not config.orders.refund_share:
        return told
    at = np.flatnonzero(answers.has_ordered)
    orders = told.take(told.kind == Kind.CONVERTED)  # in the order of the pushes
    keys, hours, lane = traits.key[at], state.hour[at], np.full(len(at), _VISIT_LANE)
    return concatenated([told, refunds_of(config, orders, keys, hours, lane=lane)])


def are_refunded(config: WorldConfig, traits: Traits, state: State) -> Flags:
    """Whether the order of each user's visit would be given back, whatever is sent, (N,)."""
    lane = np.full(len(traits.key), _VISIT_LANE)
    return is_refunded(config, traits.key, state.hour, lane=lane)


def _told(sends: Sends, kinds: tuple[tuple[Kind, Flags, Float], ...], *, value: Float) -> Happened:
    """Outcomes of each kind where its flags say so, with their times."""
    which, push = np.nonzero(np.stack([flags for _, flags, _ in kinds]))
    kind = np.array([kind for kind, _, _ in kinds], np.uint8)[which]
    return Happened(
        row=sends.row[push],
        kind=kind,
        at_min=np.stack([at_min for _, _, at_min in kinds])[which, push],
        value=np.where(kind == Kind.CONVERTED, value[push], 1.0),
        ref=sends.ref[push],
        item=sends.item[push],
        is_caused=np.ones(len(push), np.bool_),
    )


def click_delay_min(
    config: WorldConfig, traits: Traits, state: State, sent_min: Float, *, calendar: Calendar
) -> Float:
    """Minutes from delivery to an answer, (M,): two log-normals and a tail; nights end first."""
    drawn = several(traits.key, state.hour, _DELAYS)
    return _delay_min(config, traits, drawn, sent_min, calendar=calendar)


def _delay_min(
    config: WorldConfig, traits: Traits, drawn: Float, sent_min: Float, *, calendar: Calendar
) -> Float:
    """Delays of the four uniforms of each push, (M,)."""
    delivery = config.delivery
    which, wait, first, second = drawn
    z = normal_of(first, second)
    fast = delivery.fast_median_min * np.exp(delivery.fast_sd * z)
    slow = delivery.slow_median_min * np.exp(delivery.slow_sd * z)
    tail = 60.0 * delivery.tail_mean_h * exponentials(wait)
    edges = np.cumsum(delivery.delay_shares)
    delay = np.where(which < edges[0], fast, np.where(which < edges[1], slow, tail))
    local = calendar.hour_of_week(traits.zone, ((sent_min + delay) // 60).astype(np.int64)) % 24
    # Who would answer in the night does so when the night is over; who answers at once is awake.
    sleeps = (local < NIGHT_ENDS_H) & (which >= edges[0])
    return np.where(sleeps, delay + 60.0 * (NIGHT_ENDS_H - local), delay)


def _drawn(traits: Traits, state: State) -> dict[Draw, Float]:
    """One uniform a purpose for each user, (N, 1): the same whatever is sent."""
    drawn = several(traits.key, state.hour, tuple((purpose, 0) for purpose in _ANSWERS))
    return {purpose: u[:, None] for purpose, u in zip(_ANSWERS, drawn, strict=True)}
