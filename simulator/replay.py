"""A log's sends on simulated users: who was sent to, and when, is kept; what follows is drawn anew.

A configuration and a :class:`~simulator.logged.Plan` enter; the same kind of record as the log
itself leaves. An item of the log that is in the simulated user's short list is sent as it is,
another one stands for it where it is not. Lives begin with the log.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from functools import lru_cache
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from bandit.draws import key_of
from bandit.slots import HOUR_MS
from simulator.calendar import Calendar, calendar_of
from simulator.catalogue import catalogue_of
from simulator.config import WorldConfig
from simulator.happened import Happened, concatenated
from simulator.kernel import Ground, Population
from simulator.lists import Lists, lists_of
from simulator.logged import Logged, Plan, joined
from simulator.population import segment_tastes
from simulator.sections import Clock, Hours, Items
from simulator.streams import Draw, life_keys, uniforms

__all__ = ["as_counted", "repeated", "replayed"]

Whole = NDArray[np.int64]


def as_counted(config: WorldConfig, plan: Plan) -> WorldConfig:
    """The configuration with what a log simply shows: dates, zones, sizes, who can be reached."""
    known = plan.zone[plan.zone >= 0]
    counts = np.bincount(known, minlength=len(plan.zones)).astype(np.float64)
    shares = counts / counts.sum() if counts.sum() else np.full(len(counts), 1 / len(counts))
    return replace(
        config,
        clock=replace(
            config.clock,
            start_date=datetime.fromtimestamp(plan.start_ms / 1000, UTC).date().isoformat(),
            horizon_days=-(-plan.n_steps * plan.step_h // 24) + 1,
            slot_hours=1,
            n_candidates=min(plan.n_candidates, plan.n_items),
            zones=plan.zones,
            zone_shares=tuple(float(share) for share in shares),
            unknown_zone_share=float(np.mean(plan.zone < 0)),
        ),
        items=replace(config.items, n_items=plan.n_items),
        opt_out=replace(config.opt_out, opt_in_share=float(np.mean(plan.is_reachable))),
    )


def replayed(config: WorldConfig, plan: Plan, *, seed: int) -> Logged:
    """Carry a plan out on simulated users.

    Parameters
    ----------
    config : WorldConfig
        With the plan's dates, zones and sizes, see :func:`as_counted`.
    plan : Plan
        What to send to whom and when; at most one push a user and step is carried out.
    seed : int
        Of the lives. The same seed gives the same users the same chances under any constants:
        common random numbers.
    """
    population = _born(config, plan, seed=seed)
    rows, step, hour = _sends(plan)
    edges = np.searchsorted(step, np.arange(plan.n_steps + 1))
    pieces, item = [], np.full(len(plan.item), -1, np.int64)
    for begin, end in pairwise(edges):
        pieces.append(_step(population, plan, rows[begin:end], hour[begin:end], item))
    came = concatenated(pieces)
    is_sent = np.zeros(len(plan.is_sent), np.bool_)
    is_sent[rows] = True
    return joined(
        replace(plan, item=item, is_sent=is_sent),
        kind=came.kind,
        user=came.row,
        at_ms=plan.start_ms + (60_000.0 * came.at_min).astype(np.int64),
        value=came.value,
        row=came.ref,
    )


def repeated(plan: Plan, times: int) -> Plan:
    """The plan for ``times`` as many users, each with a life of its own."""
    shift = np.repeat(np.arange(times) * plan.n_users, len(plan.user))
    return replace(
        plan,
        zone=np.tile(plan.zone, times),
        is_reachable=np.tile(plan.is_reachable, times),
        user=np.tile(plan.user, times) + shift,
        at_ms=np.tile(plan.at_ms, times),
        is_sent=np.tile(plan.is_sent, times),
        send_ms=np.tile(plan.send_ms, times),
        item=np.tile(plan.item, times),
        hold_weight=np.tile(plan.hold_weight, times),
    )


def _born(config: WorldConfig, plan: Plan, *, seed: int) -> Population:
    # A log may be simulated itself, under the same seed: its lives must not come again.
    keys = life_keys(key_of("replay", seed), np.arange(plan.n_users))
    population = Population.begin(_ground(config), keys, hours=plan.step_h)
    traits, state = population.traits, population.state
    known = plan.zone >= 0
    traits.zone[known] = plan.zone[known].astype(traits.zone.dtype)
    traits.has_opted_in[:] = plan.is_reachable
    state.is_reachable[:] = plan.is_reachable
    return population


def _ground(config: WorldConfig) -> Ground:
    """Shared tables; those that do not change from one simulation to the next are kept."""
    lists = _lists(config.clock, config.items)
    return Ground(
        config=config,
        calendar=_calendar(config.clock, config.hours),
        catalogue=lists.catalogue,
        lists=lists,
        tastes=segment_tastes(config),
    )


@lru_cache(maxsize=2)
def _calendar(clock: Clock, hours: Hours) -> Calendar:
    return calendar_of(WorldConfig(clock=clock, hours=hours))


@lru_cache(maxsize=2)
def _lists(clock: Clock, items: Items) -> Lists:
    return lists_of(catalogue_of(WorldConfig(clock=clock, items=items)))


def _sends(plan: Plan) -> tuple[Whole, Whole, Whole]:
    """Rows that send, by step, with the step and the hour in it; one a user and step."""
    rows = np.flatnonzero(plan.is_sent)
    at_h = (plan.send_ms[rows] - plan.start_ms) // HOUR_MS
    step = at_h // plan.step_h
    _, first = np.unique(step * plan.n_users + plan.user[rows], return_index=True)
    return rows[first], step[first], at_h[first] % plan.step_h


def _step(population: Population, plan: Plan, rows: Whole, hour: Whole, item: Whole) -> Happened:
    """Carry out the sends of one step; ``item`` is told what was sent."""
    n = population.n_users
    position, slot, ref = np.full(n, -1), np.zeros(n, np.int64), np.full(n, -1)
    user = plan.user[rows]
    slates = population.offer().items
    position[user] = _position(slates[user], plan.item[rows], population, user)
    slot[user], ref[user] = hour, rows
    item[rows] = slates[user, position[user]]
    return population.step(position, slot, ref=ref)


def _position(
    slates: NDArray[np.int32], wanted: Whole, population: Population, user: Whole
) -> Whole:
    """Place of the wanted item in each slate; a place drawn at random where it is not offered."""
    is_wanted = slates == (wanted % population.ground.catalogue.n_items)[:, None]
    drawn = uniforms(population.traits.key[user], population.state.hour[user], Draw.REPLAY)
    anywhere = (drawn * slates.shape[1]).astype(np.int64)
    found = np.argmax(is_wanted, axis=1)
    return np.asarray(np.where(is_wanted.any(axis=1), found, anywhere), np.int64)
