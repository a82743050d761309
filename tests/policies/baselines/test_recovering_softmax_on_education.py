"""Duolingo's bandit in the simulator's education preset, beside its published gain.

Reminders are sent every evening in one of twelve templates; those of the day's slate are eligible.
Fifteen days of random reminders are learned, nineteen more are judged in true means, as the paper's
offline test has it, under the exploration floor of every policy here.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pytest
from numpy.typing import NDArray

from bandit.actions import Request, SlotGrid
from bandit.outcomes import Feedback
from bandit.slots import HOUR_MS
from policies.baselines.recovering_softmax import RecoveringSoftmax
from policies.shape import PolicyShape
from simulator.config import load
from simulator.kernel import Ground, Population, ground_of
from simulator.lessons import lesson_chances, lesson_scheme
from simulator.trials import EVENING_H, HOLD, can_be_sent, opted_in, slot_at

Float = NDArray[np.float64]

_WARM_UP_DAYS, _TRAIN_DAYS, _TEST_DAYS = 28, 15, 19
_START_MS = 1_767_254_400_000
_FLOOR = 0.05


@dataclass(slots=True, kw_only=True)
class _Evening:
    """One day's reminders of a population: what is eligible, and what each would do."""

    request: Request
    template: NDArray[np.int64]  # (N, K) of the slate's items
    chance: Float  # (N, K) of a lesson, true means
    slot: NDArray[np.int64]
    reached: NDArray[np.bool_]

    def uniform(self) -> Float:
        """Every eligible template alike, (N, templates)."""
        mask = self.request.mask[:, 1:]
        return np.asarray(mask / mask.sum(axis=1, keepdims=True))

    def lessons(self, pmf: Float) -> tuple[float, float]:
        """Lessons and reminders of a day in true means; items of one template share it."""
        is_t = self.template[:, :, None] == np.arange(pmf.shape[1])
        mean = np.einsum("nk,nkt->nt", self.chance, is_t) / np.maximum(is_t.sum(axis=1), 1)
        return float(((pmf * mean).sum(axis=1) * self.reached).sum()), float(self.reached.sum())


def _evening(population: Population, ground: Ground) -> _Evening:
    slot = slot_at(population, EVENING_H)
    template = ground.catalogue.template[population.offer().items].astype(np.int64)
    n, n_templates = population.n_users, ground.config.items.n_templates
    reasons = np.full((n, 1 + n_templates), 2048, np.uint16)
    reasons[:, 1:][(template[:, :, None] == np.arange(n_templates)).any(axis=1)] = 0
    at_ms = _START_MS + population.state.hour.astype(np.int64) * HOUR_MS
    return _Evening(
        request=Request(
            user=np.arange(n),
            at_ms=at_ms,
            zone=np.full(n, "UTC"),
            context=np.zeros((n, 1)),
            items=np.tile(np.arange(n_templates), (n, 1)),
            item_features=np.zeros((n, n_templates, 1)),
            slot_features=np.zeros((n, 1, 1)),
            grid=SlotGrid(start_ms=at_ms[:, None], end_ms=at_ms[:, None] + HOUR_MS),
            reasons=reasons,
        ),
        template=template,
        chance=lesson_chances(population, slot).send,
        slot=slot,
        reached=can_be_sent(population),
    )


def _remind(
    population: Population, evening: _Evening, pmf: Float, rng: np.random.Generator
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Draw and send a template a user; return it and the place of the item that wore it."""
    drawn = (pmf.cumsum(axis=1) <= rng.random((len(pmf), 1))).sum(axis=1).clip(max=pmf.shape[1] - 1)
    fits = evening.template == drawn[:, None]
    place = np.argmax(fits * rng.random(fits.shape), axis=1)
    population.step(np.where(evening.reached, place, HOLD), evening.slot)
    return drawn, place


def _learn(
    policy: RecoveringSoftmax,
    evening: _Evening,
    pmf: Float,
    drawn: NDArray[np.int64],
    place: NDArray[np.int64],
) -> None:
    """Tell those who were reached, with the true chance of a lesson as what came."""
    rows = np.flatnonzero(evening.reached)
    request, n = evening.request, len(rows)
    policy.update(
        Feedback(
            decision_id=request.at_ms[rows] // HOUR_MS * 2**20 + rows,
            user=request.user[rows],
            at_ms=request.at_ms[rows],
            is_send=np.ones(n, np.bool_),
            item=drawn[rows],
            slot=np.zeros(n, np.int64),
            propensity=pmf[rows, drawn[rows]],
            p_send=np.ones(n),
            context=request.context[rows],
            item_features=np.zeros((n, 1)),
            slot_features=np.zeros((n, 1)),
            components=evening.chance[rows, place[rows]][:, None],
            maturity=np.ones((n, 1)),
            scheme=policy.scheme,
            short_list=np.where(request.mask[rows, 1:], request.items[rows], -1),
            p_items=pmf[rows],
        )
    )


def _gain(n_users: int, *, seed: int) -> float:
    """Lessons a reminder under the policy over those under random templates, less one."""
    config = load("education")
    n_days = _WARM_UP_DAYS + _TRAIN_DAYS + _TEST_DAYS
    ground = ground_of(replace(config, clock=replace(config.clock, horizon_days=n_days)))
    shape = PolicyShape(
        n_context=1,
        n_item_features=1,
        n_slot_features=1,
        n_users=n_users,
        n_items=config.items.n_templates,
        n_slots=1,
    )
    policy = RecoveringSoftmax(shape, lesson_scheme(config))
    population, rng = opted_in(ground, n_users, seed=seed, hours=24), np.random.default_rng(seed)
    for day in range(_WARM_UP_DAYS + _TRAIN_DAYS):
        evening = _evening(population, ground)
        told = _remind(population, evening, evening.uniform(), rng)
        if day >= _WARM_UP_DAYS:
            _learn(policy, evening, evening.uniform(), *told)
    rates = []
    for is_learned in (False, True):
        lived, rng, sums = population.copy(), np.random.default_rng(seed + 99), np.zeros(2)
        for _ in range(_TEST_DAYS):
            evening = _evening(lived, ground)
            pmf = evening.uniform()
            if is_learned:
                pmf = (1 - _FLOOR) * policy.pmf(evening.request, 0)[:, 1:] + _FLOOR * pmf
            sums += evening.lessons(pmf)
            told = _remind(lived, evening, pmf, rng)
            if is_learned:
                _learn(policy, evening, pmf, *told)
        rates.append(sums[0] / sums[1])
    return float(rates[1] / rates[0] - 1.0)


@pytest.mark.slow
def test_its_gain_is_of_the_published_size() -> None:
    """Published +1.8 to +1.9 %, from a hundred times as many rounds as the 900,000 here.

    The least that is asked for is half of it, the most what the best template gains in this world
    (+1.85 %, see ARCHITECTURE) and a tenth more for chance.
    """
    gains = [_gain(60_000, seed=seed) for seed in (1, 2, 3)]
    print("gains over random templates:", [f"{gain:+.4f}" for gain in gains])
    assert 0.0095 < np.mean(gains) < 0.0204


def test_learners_too_few_to_tell_templates_apart_are_reminded_all_the_same() -> None:
    """Three hundred of them: whatever noise is learned costs little."""
    assert abs(_gain(300, seed=1)) < 0.05
