"""Presets of the verticals: what each states, how they differ, and one mechanism each."""

from __future__ import annotations

from dataclasses import replace
from itertools import combinations

import numpy as np
import pytest
from numpy.typing import NDArray

from simulator import response
from simulator.config import config_from, evidence_of, load
from simulator.kernel import Population
from tests.simulator.conftest import Begin

VERTICALS = ("ecommerce", "news", "social", "education")
SOURCED = ("V", "V2", "A", "M")


@pytest.mark.parametrize(("one", "other"), [*combinations(VERTICALS, 2)])
def test_two_verticals_differ_in_at_least_eight_sourced_constants(one: str, other: str) -> None:
    """Sourced on both sides: read, derived or remembered, neither assumed nor by design."""
    ours, theirs = ({e.key: e for e in evidence_of(preset)} for preset in (one, other))
    differ = [
        f"{key}: {ours[key].value} ({ours[key].tag}), {theirs[key].value} ({theirs[key].tag})"
        for key in ours
        if ours[key].value != theirs[key].value
        and ours[key].tag in SOURCED
        and theirs[key].tag in SOURCED
    ]
    print(f"{one} and {other}:", *differ, sep="\n  ")
    assert len(differ) >= 8


def test_a_constant_outside_any_section_has_its_evidence_too() -> None:
    """The reward window is one; a value without a tag counts as assumed."""
    window = {e.key: e for e in evidence_of("education")}["reward_window_h"]
    assert (window.value, window.tag) == (2.0, "V")
    assert load("education").reward_window_h == 2.0
    assert config_from({"reward_window_h": 12.0}).reward_window_h == 12.0


def test_news_expires_within_hours_and_loses_its_novelty_within_a_day(begin: Begin) -> None:
    """Every story has at most its lifetime left; at the end it is as little new as it gets."""
    news = begin("news", 50)
    left = news.offer().hours_left
    assert left.min() > 0
    assert left.max() <= 24
    catalogue, items = news.ground.catalogue, news.offer().items
    age_h = 24.0 - left
    novelty = np.log1p(np.exp2(-age_h / 8.0))
    rest = catalogue.appeal_of(items, news.state.hour) - novelty
    later_h = (age_h + 6.0) % 24.0
    later = catalogue.appeal_of(items, news.state.hour + 6) - np.log1p(np.exp2(-later_h / 8.0))
    assert np.allclose(rest, later, atol=1e-5)


def test_a_story_that_took_an_expired_ones_place_is_not_stale(begin: Begin) -> None:
    """The same place in the feed, sent a lifetime ago, costs nothing; sent just now, it does."""
    news = begin("news", 200, hours=1)
    news.step(np.zeros(200, np.int64), np.zeros(200, np.int64))
    sent = news.state.recent_item[:, :1].copy()

    def penalty(hours: int) -> NDArray[np.float64]:
        later = news.copy()
        later.state.hour[:] += hours
        never = later.copy()
        never.state.recent_item[:] = -1
        return np.asarray(_log_odds(never, sent) - _log_odds(later, sent))

    reached = news.state.recent_h[:, 0] == 0
    left = news.ground.catalogue.hours_left(sent, news.state.hour)[:, 0]
    same_edition = reached & (left < 24)  # none expired in the hour since
    assert (penalty(0)[same_edition] > 1.0).all()
    assert np.abs(penalty(24)[reached]).max() < 1e-9


def test_an_actor_again_and_again_tires_and_a_tie_binds(begin: Begin) -> None:
    """Another post by an actor who was sent just now falls; ties differ between users."""
    social = begin("social", 300, hours=1)
    social.step(np.zeros(300, np.int64), np.zeros(300, np.int64))
    category = social.ground.catalogue.category
    sent = social.state.recent_item[:, 0]
    reached = np.flatnonzero(sent >= 0)
    other = np.array(
        [
            next(i for i in np.flatnonzero(category == category[item]) if i != item)
            for item in sent[reached]
        ],
        np.int32,
    )
    users = replace(social, traits=social.traits.take(reached), state=social.state.take(reached))
    never = users.copy()
    never.state.recent_item[:] = -1
    fall = _log_odds(never, other[:, None]) - _log_odds(users, other[:, None])
    assert np.allclose(fall, -np.log1p(-0.3), atol=0.01)
    free = load("social", click={"tie_gain": 0.0})
    tie = _log_odds(never, other[:, None]) - _log_odds(
        replace(never, ground=replace(never.ground, config=free)), other[:, None]
    )
    assert abs(tie.mean()) < 0.15
    assert 0.3 < tie.std() < 0.7


def test_a_streak_brings_learners_back_and_makes_them_answer(begin: Begin) -> None:
    """By the factor and the log-odds that the preset states, as soon as it stands."""
    learners = begin("education", 50)
    streak = learners.copy()
    streak.state.streak_days[:] = 3
    assert np.allclose(streak.rate().total, learners.rate().total * np.exp(0.5))
    match = learners.matches()
    assert np.allclose(streak.item_log_odds(match) - learners.item_log_odds(match), 0.3)


def _log_odds(population: Population, items: NDArray[np.int32]) -> NDArray[np.float64]:
    """Of a click on one item a user."""
    catalogue = population.ground.catalogue
    match = response.match_of(population.traits, population.state, items, catalogue=catalogue)
    return response.item_log_odds(
        population.ground.config,
        population.traits,
        population.state,
        items,
        catalogue=catalogue,
        match=match,
    )[:, 0]
