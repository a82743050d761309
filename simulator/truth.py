"""The true mean of every action, in closed form, and what every action would have paid.

A population at the start of a step enters. Level 1 is the mean: base (what comes without a push in
this step), what each action causes over whole windows, and what it displaces of later organic
visits. Level 2 is realised: the same uniforms decide every action, so ``outcome[n, a]`` is exactly
what ``step`` would have paid; only the marginals are identified by any experiment, the coupling
is a convention. Both come from the formulas that the sampler uses (:mod:`simulator.response`).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from simulator import organic, pushes, response
from simulator.config import WorldConfig
from simulator.kernel import Population
from simulator.organic import Rate
from simulator.worth import N_QUANTITIES, Quantity, Worth

__all__ = ["Means", "mean_paid", "mean_reward", "means_of", "outcome_of"]

Float = NDArray[np.float64]
Single = NDArray[np.float32]
Whole = NDArray[np.int64]

_BLOCK = 256  # rows whose actions, three arrays of them, fit in the caches


@dataclass(frozen=True, slots=True, kw_only=True)
class Means:
    """True means of the eight quantities of :class:`~simulator.worth.Quantity`.

    Orders and their value are those made; a scheme that counts refunds takes their share of both
    away (:class:`~simulator.worth.Worth`).
    """

    base: Float  # (N, Q) organic outcomes of this step
    caused: Float  # (N, A, Q) by the action over whole windows
    displaced: Float  # (N, A, Q) organic outcomes of later steps that it takes away

    @property
    def uplift(self) -> Float:
        """What an action adds on balance, (N, A, Q)."""
        return np.asarray(self.caused - self.displaced)


def means_of(population: Population) -> Means:
    """Level 1, every quantity apart; memory is N · A · 8 numbers twice."""
    config = population.ground.config
    chances, displaced, leaves = _answers(population)
    n, k, s = chances.click.shape
    caused, taken = np.zeros((2, n, k, s, N_QUANTITIES))
    orders, price = config.orders, population.ground.catalogue.price[population.offer().items]
    basket = organic.mean_order_value(config)
    visits = config.click.visit_share * chances.click
    caused[..., Quantity.SESSION] = visits + chances.view_through
    caused[..., Quantity.ORDER] = (
        orders.per_click * visits + orders.per_session * chances.view_through
    )
    caused[..., Quantity.VALUE] = (
        orders.per_click * price[:, :, None] * visits
        + orders.per_session * basket * chances.view_through
    )
    caused[..., Quantity.CLICK] = chances.click
    caused[..., Quantity.DISMISSAL] = chances.dismiss
    caused[..., Quantity.OPT_OUT] = leaves[0][:, :, None]
    caused[..., Quantity.UNINSTALL] = leaves[1][:, :, None]
    caused *= _can_send(population)[:, None, None, None]
    caused[..., Quantity.SEND] = 1.0
    gone = displaced * config.click.visit_share * caused[..., Quantity.CLICK]
    for quantity, each in _organic_worth(config, basket).items():
        taken[..., quantity] = gone * each
    return Means(base=_base(population), caused=_with_hold(caused), displaced=_with_hold(taken))


def mean_reward(population: Population, worth: Worth) -> NDArray[np.float32]:
    """Level 1, weighed: base + uplift of every action, (N, A).

    The same means as :func:`means_of` to single precision, some twenty times faster: what a push
    is worth is a quadratic in its two chances of a click, so no quantity is kept apart.
    """
    config, of = population.ground.config, worth.of_quantity
    worth.expect_refunds_of(config)
    match, traits = population.matches(), population.traits
    displaced = response.displaced_share(config, traits, population.state)[:, None]
    opts_out, uninstalls = _leaves(population, match)
    can = _can_send(population)[:, None]
    reached = can * traits.p_delivered[:, None]
    basket = organic.mean_order_value(config)
    visit = sum(of[q] * each for q, each in _organic_worth(config, basket).items())
    price = population.ground.catalogue.price[population.offer().items]
    of_visit = (
        of[Quantity.SESSION]
        + config.orders.per_click * (of[Quantity.ORDER] + of[Quantity.VALUE] * price)
        - visit * displaced
    )  # (N, K)
    of_click = of[Quantity.CLICK] + config.click.visit_share * of_visit
    of_dismissal = of[Quantity.DISMISSAL] * config.click.dismiss_chance
    views = config.orders.view_through * (1.0 - displaced)
    leaving = of[Quantity.OPT_OUT] * opts_out + of[Quantity.UNINSTALL] * uninstalls
    return _of_pushes(
        config,
        np.exp(population.item_log_odds(match)),
        np.exp(population.slot_log_odds()),
        per_click=reached * (of_click - of_dismissal),
        per_view=reached * views * (visit - of_dismissal),
        fixed=can * leaving + reached * of_dismissal + worth.of_send,
        base=_base(population) @ of,
    )


def mean_paid(population: Population, worth: Worth, place: Whole, slot: Whole) -> Float:
    """Mean worth of all that this step decides if one action a row is carried out, (N,).

    Base and caused, of whenever it comes; what a push displaces is missing from later steps' base.
    So the sum over a run is, given the states that it went through, the mean of what it pays: an
    unbiased figure for the run's worth, with the noise of single visits and orders taken out.

    Parameters
    ----------
    population : Population
        At the start of the step.
    worth : Worth
        Of outcomes.
    place, slot : ndarray of int, (N,)
        Place in the slate, −1 to hold, and slot of the step.

    References
    ----------
    Rao-Blackwell: Casella and Robert (1996), conditioning on what is known.
    """
    config, of, row = population.ground.config, worth.of_quantity, np.arange(len(place))
    worth.expect_refunds_of(config)
    of_visit = sum(
        of[q] * each for q, each in _organic_worth(config, organic.mean_order_value(config)).items()
    )
    match = population.matches()
    opts_out, uninstalls = (leaves[row, place] for leaves in _leaves(population, match))
    displaced = response.displaced_share(config, population.traits, population.state)
    z = population.item_log_odds(match)[row, place] + population.slot_log_odds()[row, slot]
    answers = response.chances(
        config, np.exp(z), p_delivered=population.traits.p_delivered, displaced=displaced
    )
    price = population.ground.catalogue.price[population.offer().items[row, place]]
    of_order = of[Quantity.ORDER] + of[Quantity.VALUE] * price
    of_click = of[Quantity.SESSION] + config.orders.per_click * of_order
    paid = (
        (of[Quantity.CLICK] + config.click.visit_share * of_click) * answers.click
        + of_visit * answers.view_through
        + of[Quantity.DISMISSAL] * answers.dismiss
        + of[Quantity.OPT_OUT] * opts_out
        + of[Quantity.UNINSTALL] * uninstalls
    )
    sent = (place >= 0) * (_can_send(population) * paid + worth.of_send)
    return np.asarray(_base(population) @ of + sent)


def _of_pushes(
    config: WorldConfig,
    item_odds: Single,
    slot_odds: Float,
    *,
    per_click: Float,
    per_view: Float,
    fixed: Float,
    base: Float,
) -> NDArray[np.float32]:
    """Worth of every action, (N, A): click · per_click + click · (1 − click) · per_view + fixed.

    Parameters
    ----------
    config : WorldConfig
        The population.
    item_odds, slot_odds : ndarray, (N, K) and (N, S)
        Whose products are the odds of a click while not available.
    per_click, per_view, fixed : ndarray, (N, K), (N, 1), (N, K)
        Worth of a click, of an undecided glance, and of the push itself.
    base : ndarray, (N,)
        Worth of holding.
    """
    (n, k), s = item_odds.shape, slot_odds.shape[1]
    whole = np.empty((n, 1 + k * s), np.float32)
    whole[:, 0] = base
    share, gain = config.click.available_share, np.float32(config.click.available_gain)
    straight = np.asarray(per_click + per_view, np.float32)[:, :, None]
    bent = np.asarray(per_view, np.float32)[:, :, None]
    rest = np.asarray(fixed + base[:, None], np.float32)[:, :, None]
    slots = slot_odds.astype(np.float32)
    phones = [np.float32(part) for part in (1.0 - share, share)]  # busy, then at hand
    (straight_busy, straight_free), (bent_busy, bent_free) = (
        [part * coefficient for part in phones] for coefficient in (straight, bent)
    )
    room = np.empty((3, _BLOCK, k, s), np.float32)
    for start in range(0, n, _BLOCK):  # blocks that fit in cache
        rows = slice(start, min(start + _BLOCK, n))
        odds, chance, spare = room[:, : rows.stop - start]
        np.multiply(item_odds[rows, :, None], slots[rows, None, :], out=odds)
        np.add(odds, 1.0, out=spare)
        np.divide(odds, spare, out=chance)
        np.multiply(bent_busy[rows], chance, out=spare)
        np.subtract(straight_busy[rows], spare, out=spare)
        chance *= spare
        chance += rest[rows]
        odds *= gain
        np.add(odds, 1.0, out=spare)
        odds /= spare
        np.multiply(bent_free[rows], odds, out=spare)
        np.subtract(straight_free[rows], spare, out=spare)
        odds *= spare
        chance += odds
        whole[rows, 1:] = chance.reshape(len(chance), k * s)
    return whole


def outcome_of(population: Population, worth: Worth) -> Float:
    """Level 2: what each action would be paid for what this step decides, (N, A).

    Notes
    -----
    Displacement takes organic visits of later steps away and is no part of what this step pays:
    the mean of ``outcome`` is base + caused, without ``displaced``.
    """
    config = population.ground.config
    n, k, s = population.n_users, population.offer().items.shape[1], len(population.offsets_h)
    match = population.matches()
    z = population.item_log_odds(match)[:, :, None] + population.slot_log_odds()[:, None, :]
    wide = np.repeat(match, s, axis=1)
    answers = pushes.answer(
        config,
        population.traits,
        population.state,
        log_odds=z.reshape(n, k * s),
        match=wide,
    )
    price = np.repeat(population.ground.catalogue.price[population.offer().items], s, axis=1)
    value = pushes.order_values(
        config, population.traits, population.state, answers=answers, price=price
    )
    refunded = pushes.are_refunded(config, population.traits, population.state)[:, None]
    of = worth.of_quantity
    paid = (
        of[Quantity.CLICK] * answers.is_clicked
        + of[Quantity.DISMISSAL] * answers.is_dismissed
        + of[Quantity.SESSION] * answers.is_visit
        + worth.of_orders(value, refunded) * answers.has_ordered
        + of[Quantity.OPT_OUT] * answers.has_opted_out
        + of[Quantity.UNINSTALL] * answers.has_uninstalled
    )
    paid = paid * _can_send(population)[:, None] + worth.of_send
    came = population.organic_outcomes()
    organic_paid = np.bincount(came.row, weights=worth.of_outcomes(came), minlength=n)
    return np.concatenate([np.zeros((n, 1)), paid], axis=1) + organic_paid[:, None]


def _answers(population: Population) -> tuple[response.Chances, Float, tuple[Single, Single]]:
    """Chances (N, K, S), the displaced share (N, 1, 1), and chances of leaving (N, K) each."""
    config, traits, state = population.ground.config, population.traits, population.state
    match = population.matches()
    displaced = response.displaced_share(config, traits, state)[:, None, None]
    # Odds multiply, so one exponential a pair of item and slot is saved.
    odds = (
        np.exp(population.item_log_odds(match))[:, :, None]
        * np.exp(population.slot_log_odds())[:, None, :]
    )
    chances = response.chances(
        config, odds, p_delivered=traits.p_delivered[:, None, None], displaced=displaced
    )
    return chances, displaced, _leaves(population, match)


def _leaves(population: Population, match: Single) -> tuple[Single, Single]:
    """Chances of opting out and of uninstalling at each item, (N, K)."""
    config = population.ground.config
    log = response.hazard_log(config, population.traits, population.state).astype(np.float32)
    hazard = np.exp(log[:, None] - np.float32(config.opt_out.relevance_slope) * match)
    reached = population.traits.p_delivered[:, None].astype(np.float32)
    uninstalls = reached * -np.expm1(-config.opt_out.uninstall_share * hazard)
    return reached * -np.expm1(-hazard), uninstalls


def _organic_worth(config: WorldConfig, basket: float) -> dict[Quantity, float]:
    """Quantities of one organic visit."""
    per_session = config.orders.per_session
    return {
        Quantity.SESSION: 1.0,
        Quantity.ORDER: per_session,
        Quantity.VALUE: per_session * basket,
    }


def _base(population: Population) -> Float:
    """Organic quantities of this step, (N, Q)."""
    config = population.ground.config
    rate: Rate = population.rate()
    visits = organic.expected_sessions(rate.total, population.state.debt)
    base = np.zeros((population.n_users, N_QUANTITIES))
    for quantity, each in _organic_worth(config, organic.mean_order_value(config)).items():
        base[:, quantity] = visits * each
    leaves = organic.leave_chance(config, hours=population.hours)
    base[:, Quantity.UNINSTALL] = leaves * population.state.is_alive
    return base


def _can_send(population: Population) -> Float:
    """1 where a push is carried out, 0 for users who left or opted out, (N,)."""
    state = population.state
    return np.asarray(state.is_alive & state.is_reachable, np.float64)


def _with_hold(of_sends: Float) -> Float:
    """(N, K, S, …) of sends as (N, 1 + K·S, …) of actions, hold first and zero."""
    n, k, s = of_sends.shape[:3]
    rest = of_sends.shape[3:]
    whole = np.zeros((n, 1 + k * s, *rest))
    whole[:, 1:] = of_sends.reshape(n, k * s, *rest)
    return whole
