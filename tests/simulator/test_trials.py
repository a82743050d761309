from __future__ import annotations

import numpy as np
import pytest

from bandit.errors import BadInputError
from simulator.config import load
from simulator.kernel import ground_of
from simulator.trials import (
    can_be_sent,
    chances_of,
    opted_in,
    sends_on,
    sessions_caused,
    slot_at,
    usual_per_week,
    waking_slots,
)
from simulator.truth import means_of
from simulator.worth import Quantity
from tests.simulator.conftest import Begin


def test_everyone_of_an_opted_in_population_can_be_sent_to() -> None:
    """As many as asked for, and the first ones are the same whatever the number."""
    ground = ground_of(load("ecommerce"))
    many, few = (opted_in(ground, n, seed=3, hours=24) for n in (300, 40))
    assert many.n_users == 300
    assert can_be_sent(many).all()
    assert np.array_equal(many.traits.key[:40], few.traits.key)


@pytest.mark.parametrize("seed", range(5))
def test_few_opted_in_users_are_found_among_many(seed: int) -> None:
    """As many as asked for where one in a hundred can be sent to."""
    ground = ground_of(load("tiny", opt_out={"opt_in_share": 0.01}))
    assert opted_in(ground, 10, seed=seed, hours=24).n_users == 10


def test_a_population_that_nobody_can_be_sent_to_is_refused() -> None:
    """By the constant that says so."""
    ground = ground_of(load("tiny", opt_out={"opt_in_share": 0.0}))
    with pytest.raises(BadInputError, match="opt_in_share"):
        opted_in(ground, 10, seed=1, hours=24)


@pytest.mark.parametrize("per_week", range(1, 8))
def test_a_cadence_sends_as_often_as_it_says(per_week: int) -> None:
    """In every week, and never more than a day early or late."""
    days = [day for day in range(28) if sends_on(day, per_week)]
    assert len(days) == 4 * per_week
    assert np.ptp(np.diff(days)) <= 1 if per_week > 1 else set(np.diff(days)) == {7}


def test_slots_are_found_by_the_users_own_clock(begin: Begin) -> None:
    """Eight in the evening is eight in the evening; fourteen slots a day are waking ones."""
    lived = begin("ecommerce", 100)
    slot = slot_at(lived, 20)
    assert ((lived.offer().hour_of_week + lived.offsets_h[slot]) % 24 == 20).all()
    assert (waking_slots(lived).sum(axis=1) == 14).all()


def test_chances_of_one_send_are_the_truths(begin: Begin) -> None:
    """Clicks and displaced clicks, of every user's own item and slot."""
    lived = begin("ecommerce", 60)
    position, slot = np.arange(60) % 20, np.arange(60) % 24
    chances, displaced = chances_of(lived, position, slot)
    means = means_of(lived)
    at = (np.arange(60), 1 + position * 24 + slot)
    reached = can_be_sent(lived)
    assert np.allclose(chances.click * reached, means.caused[(*at, Quantity.CLICK)])
    gone = means.displaced[(*at, Quantity.SESSION)]
    assert np.allclose(chances.click * displaced * reached, gone)


def test_sessions_caused_are_the_truths_uplift_in_sessions(begin: Begin) -> None:
    """Where clicks bring visits, and where they bring none."""
    for preset in ("ecommerce", "trap"):
        lived = begin(preset, 40)
        position, slot = np.arange(40) % 20, np.arange(40) % 24
        caused = sessions_caused(lived.ground.config, *chances_of(lived, position, slot))
        truth = means_of(lived).uplift[np.arange(40), 1 + position * 24 + slot, Quantity.SESSION]
        assert np.allclose(caused * can_be_sent(lived), truth)


def test_a_usual_sender_sends_at_most_daily() -> None:
    """A shop three times a week, a course every day."""
    assert usual_per_week(load("ecommerce")) == 3
    assert usual_per_week(load("news")) == 7
    assert usual_per_week(load("education")) == 7
