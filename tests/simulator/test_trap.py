"""Clicks that bring nobody: a share of visits, and the preset in which there are none."""

from __future__ import annotations

import numpy as np
import pytest

from bandit.outcomes import UPLIFT, Kind
from simulator.truth import mean_reward, means_of, outcome_of
from simulator.worth import N_QUANTITIES, Quantity, Worth
from tests.simulator.conftest import Begin


def test_in_the_trap_sends_cause_clicks_and_no_behaviour(begin: Begin) -> None:
    lived = begin("trap", 60)
    uplift = means_of(lived).uplift
    only = {Quantity.CLICK, Quantity.DISMISSAL, Quantity.SEND}
    behaviour = [q for q in range(N_QUANTITIES) if q not in only]
    assert not uplift[:, :, behaviour].any()
    reachable = lived.state.is_reachable
    assert (uplift[reachable, 1:, Quantity.CLICK] > 0).all()
    worth = mean_reward(lived, Worth(UPLIFT))
    np.testing.assert_allclose(worth[:, 1:] - worth[:, :1], -0.0005, atol=1e-6)


def test_in_the_trap_a_life_is_lived_the_same_whatever_is_sent(begin: Begin) -> None:
    """The sampler says what the truth says: behaviour is bit for bit that of silence."""
    sent, silent = begin("trap", 300), begin("trap", 300)
    clicks = 0
    for day in range(20):
        told = sent.step(np.full(300, day % 20), np.full(300, day % 24))
        held = silent.step(np.full(300, -1), np.zeros(300, np.int64))
        clicks += int((told.kind == Kind.CLICKED).sum())
        lives = told.take(told.kind >= Kind.SESSION)
        np.testing.assert_array_equal(np.sort(lives.at_min), np.sort(held.at_min))
    assert clicks > 20


@pytest.mark.parametrize("share", [0.0, 0.4, 1.0])
def test_the_share_of_clicks_that_visit_is_as_configured(begin: Begin, share: float) -> None:
    changes = {"rate": 0.3, "visit_share": share}
    lived = begin("ecommerce", 4000, click=changes, orders={"view_through": 0.0})
    told = lived.step(np.zeros(4000, np.int64), np.full(4000, 12))
    caused = told.take(told.is_caused)
    clicks = int((caused.kind == Kind.CLICKED).sum())
    visits = int((caused.kind == Kind.SESSION).sum())
    assert abs(visits - share * clicks) <= 4.0 * np.sqrt(clicks * share * (1.0 - share))


def test_with_some_clicks_that_visit_an_outcome_is_what_its_action_pays(begin: Begin) -> None:
    worth = Worth(UPLIFT)
    lived = begin("ecommerce", 200, click={"rate": 0.3, "visit_share": 0.5})
    outcome, means = outcome_of(lived, worth), means_of(lived)
    apart = worth.components(means.base[:, None, :] + means.uplift) @ UPLIFT.weights
    np.testing.assert_allclose(mean_reward(lived, worth), apart, rtol=1e-5, atol=1e-6)
    for action in (1, 100, 480):
        told = lived.copy().step(np.full(200, (action - 1) // 24), np.full(200, (action - 1) % 24))
        paid = np.bincount(told.row, weights=worth.of_outcomes(told), minlength=200)
        np.testing.assert_allclose(paid + worth.of_send, outcome[:, action], atol=1e-12)
