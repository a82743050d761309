"""Which template a daily reminder should wear: Duolingo's study, in true means.

A configuration enters; for each rule that chooses among the templates of the day's slate, the mean
chance of a lesson within the reward window leaves, paired over the same users and randomness. The
score of a template is learned from the random rule's own days, as in the paper. Rules take the best
score of the day; the paper's softmax around it keeps nine tenths of the gain. Reference: Yancey and
Settles (2020), A Sleeping, Recovering Bandit Algorithm for Optimizing Recurring Notifications.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from simulator.config import WorldConfig
from simulator.kernel import Population, ground_of
from simulator.lessons import lesson_chances
from simulator.streams import Draw, life_keys, uniforms
from simulator.trials import EVENING_H, HOLD, can_be_sent, opted_in, slot_at

__all__ = ["PUBLISHED", "RULES", "Gain", "StudyPlan", "template_gains"]

Float = NDArray[np.float64]
Whole = NDArray[np.int64]

PUBLISHED = {"template": 0.018, "template and recency": 0.019, "last template again": -0.005}
"""Relative gains over a random template in the paper's offline test; its base rate is .1295."""

RULES: tuple[str, ...] = ("random", *PUBLISHED)
_GAMMA, _HALF_LIFE_DAYS = 0.017, 15.0
_ALWAYS = 1e6


@dataclass(frozen=True, slots=True, kw_only=True)
class StudyPlan:
    """How long reminders are sent before scores are learned, while they are, and after."""

    warm_up_days: int = 28
    train_days: int = 15
    test_days: int = 19


@dataclass(frozen=True, slots=True, kw_only=True)
class Gain:
    """Lessons under one rule, true means over test days and users."""

    rule: str
    rate: float  # chance of a lesson within the window
    gain: float  # relative to random
    low: float  # 95 % over users and seeds
    high: float


def template_gains(
    config: WorldConfig,
    *,
    seeds: tuple[int, ...] = (1, 2, 3),
    n_users: int = 2000,
    plan: StudyPlan | None = None,
) -> tuple[Gain, ...]:
    """Compare the rules on the same users.

    Parameters
    ----------
    config : WorldConfig
        Such as ``load("education")``.
    seeds : tuple of int
        Populations; each has its own score, learned from its own random days.
    n_users : int
        Opted-in users a seed.
    plan : StudyPlan, optional
        15 training and 19 test days, as the data set has them, after four weeks of reminders.
    """
    plan = plan or StudyPlan()
    n_days = plan.warm_up_days + plan.train_days + plan.test_days
    config = replace(config, clock=replace(config.clock, horizon_days=n_days))
    ground = ground_of(config)
    sums = np.concatenate(
        [
            _seed_sums(opted_in(ground, n_users, seed=seed, hours=24), seed=seed, plan=plan)
            for seed in seeds
        ],
        axis=2,
    )  # (rules, lessons and reminders, users of all seeds)
    return tuple(_gain(rule, sums[i], sums[0]) for i, rule in enumerate(RULES))


def _gain(rule: str, own: Float, base: Float) -> Gain:
    """Ratio of two rates with the interval of the delta method, users as the unit."""
    rate, rate_0 = own[0].sum() / own[1].sum(), base[0].sum() / base[1].sum()
    influence = _influence(own, rate) - _influence(base, rate_0)
    ratio = rate / rate_0
    half = 1.96 * ratio * np.std(influence, ddof=1) / np.sqrt(len(influence))
    return Gain(
        rule=rule,
        rate=float(rate),
        gain=float(ratio - 1.0),
        low=float(ratio - 1.0 - half),
        high=float(ratio - 1.0 + half),
    )


def _influence(sums: Float, rate: float) -> Float:
    """What each user adds to the log of a rate, (N,)."""
    return np.asarray((sums[0] - rate * sums[1]) / sums[1].mean() / rate)


Score = Callable[[Population], Float]


def _seed_sums(begun: Population, *, seed: int, plan: StudyPlan) -> Float:
    """Lessons in true means, and reminders, by rule and user in the test days, (rules, 2, N)."""
    population, learned = begun.copy(), _Learned.empty(begun.ground.config.items.n_templates)
    for day in range(plan.warm_up_days + plan.train_days):
        is_training = day >= plan.warm_up_days
        _remind(population, None, seed=seed, learned=learned if is_training else None)
    score = learned.score()
    rules: dict[str, Score | None] = {
        "random": None,
        "template": lambda p: _ALWAYS * score[_templates(p)],
        "template and recency": lambda p: _ALWAYS * (score[_templates(p)] - _recency(p)),
        "last template again": lambda p: _ALWAYS * _is_last(p),
    }
    sums = np.zeros((len(RULES), 2, population.n_users))
    for i, rule in enumerate(RULES):
        lived = population.copy()
        for _ in range(plan.test_days):
            sums[i] += _remind(lived, rules[rule], seed=seed, learned=None)
    return sums


@dataclass(slots=True, kw_only=True)
class _Learned:
    """Sums behind the score: reward where a template was sent, and where another was instead."""

    sent: Float  # (templates,)
    instead: Float

    @classmethod
    def empty(cls, n: int) -> _Learned:
        """Nothing learned yet of ``n`` templates."""
        return cls(sent=np.zeros(n), instead=np.zeros(n))

    def add(self, template: Whole, chance: Float) -> None:
        """Add a day's users: every template of the slate, sent or not, in true means."""
        for t in range(len(self.sent)):
            is_t = template == t
            n_t, n_rest = is_t.sum(axis=1), (~is_t).sum(axis=1)
            both = (n_t > 0) & (n_rest > 0)
            plus, minus = (chance * is_t).sum(axis=1), (chance * ~is_t).sum(axis=1)
            self.sent[t] += (plus[both] / n_t[both]).sum()
            self.instead[t] += (minus[both] / n_rest[both]).sum()

    def score(self) -> Float:
        """(mean where sent − mean where eligible and not sent) ÷ the latter, (templates,)."""
        return np.where(self.instead > 0, self.sent / np.maximum(self.instead, 1e-300) - 1.0, 0.0)


def _remind(
    population: Population, score: Score | None, *, seed: int, learned: _Learned | None
) -> Float:
    """Send the day's reminder; lessons of those reached in true means, and who they are, (2, N)."""
    slot = slot_at(population, EVENING_H)
    chance = lesson_chances(population, slot).send
    template = _templates(population)
    pmf = _pmf(template, np.zeros(template.shape) if score is None else score(population))
    reached = can_be_sent(population)
    if learned is not None:
        learned.add(template[reached], chance[reached])
    position = np.where(reached, _drawn(population, pmf, seed=seed), HOLD)
    population.step(position, slot)
    return np.stack([(pmf * chance).sum(axis=1) * reached, reached.astype(np.float64)])


def _templates(population: Population) -> Whole:
    return population.ground.catalogue.template[population.offer().items].astype(np.int64)


def _pmf(template: Whole, score: Float) -> Float:
    """Softmax over the slate's templates, shared evenly by the items that wear one, (N, K)."""
    share = 1.0 / (template[:, :, None] == template[:, None, :]).sum(axis=2)
    weight = share * np.exp(score - score.max(axis=1, keepdims=True))
    return np.asarray(weight / weight.sum(axis=1, keepdims=True))


def _recency(population: Population) -> Float:
    """γ · 2^(−days since the template was last sent ÷ h), (N, K)."""
    state = population.state
    last = np.take_along_axis(state.template_h, _templates(population), axis=1)
    return np.asarray(_GAMMA * np.exp2(-(state.hour[:, None] - last) / (24.0 * _HALF_LIFE_DAYS)))


def _is_last(population: Population) -> Float:
    """1 for items in the template sent last, (N, K)."""
    state = population.state
    last = np.argmax(state.template_h, axis=1)
    return np.asarray(_templates(population) == last[:, None], np.float64)


def _drawn(population: Population, pmf: Float, *, seed: int) -> Whole:
    """A position a user, from the same uniform under every rule, (N,)."""
    # Keys of the rule's own, so that no draw of a life is used twice.
    key = life_keys(seed, population.traits.key)
    uniform = uniforms(key, population.state.hour, Draw.SLATE)
    passed = pmf.cumsum(axis=1) <= uniform[:, None]
    return np.asarray(passed.sum(axis=1).clip(max=pmf.shape[1] - 1))
