from __future__ import annotations

import numpy as np
import pytest

from bandit.errors import BadInputError
from simulator import response
from simulator.kernel import Population
from simulator.known import Known, hear, unknown
from simulator.observation import Observer, observer_of
from tests.simulator.conftest import Begin


def lived_on(lived: Population, *, days: int = 10) -> Known:
    """Live on under sends at random; what has been heard of meanwhile."""
    known = unknown(lived.n_users, n_features=lived.ground.config.items.n_features)
    rng = np.random.default_rng(0)
    n, k = lived.offer().items.shape
    for _ in range(days):
        ends_min = 60.0 * (lived.state.hour + lived.hours)
        told = lived.step(rng.integers(-1, k, n), rng.integers(0, len(lived.offsets_h), n))
        told = told.take(told.at_min < ends_min[told.row])
        hear(
            known,
            row=told.row,
            kind=told.kind,
            at_h=told.at_min / 60.0,
            local_hour=np.zeros(told.n_rows, np.int64),
            looked_at=lived.ground.catalogue.features[told.item],
            hours=lived.hours,
        )
    return known


def columns(observer: Observer, lived: Population, known: Known) -> dict[str, np.ndarray]:
    seen = observer(lived, known)
    return dict(zip(observer.names, seen.T, strict=True))


@pytest.mark.parametrize("observe", ["full", "history", "minimal"])
@pytest.mark.parametrize("preset", ["ecommerce", "tiny", "identity"])
@pytest.mark.parametrize("hours", [1, 24])
def test_observations_are_finite_named_and_within_one(
    begin: Begin, observe: str, preset: str, hours: int
) -> None:
    """Single precision, a column a name, each name once, in an array of its own."""
    lived = begin(preset, 30, hours=hours)
    known = lived_on(lived)
    observer = observer_of(lived.ground, observe=observe)  # type: ignore[arg-type]
    first, again = observer(lived, known), observer(lived, known)
    assert first.dtype == np.float32 and first.shape == (30, len(observer.names))
    assert len(set(observer.names)) == len(observer.names)
    assert np.isfinite(first).all() and np.abs(first).max() <= 1.0
    assert np.array_equal(first, again) and not np.shares_memory(first, again)


def test_the_default_hides_what_no_server_knows(begin: Begin) -> None:
    """Fatigue, habit, excitation, tastes and traits may change and history looks the same."""
    lived = begin("ecommerce", 30)
    known = lived_on(lived)
    seen = {mode: observer_of(lived.ground, observe=mode) for mode in ("history", "full")}  # type: ignore[arg-type]
    before = {mode: see(lived, known) for mode, see in seen.items()}
    lived.state.fatigue += 1.0
    lived.state.excitation += 1.0
    lived.state.drift += np.float32(0.5)
    lived.traits.taste += np.float32(0.5)
    lived.traits.click_base += 1.0
    lived.traits.chronotype[:] = (lived.traits.chronotype + 5) % 24
    # The population knows a click when it is decided, a server when it happens.
    lived.state.click_h += 100.0
    lived.state.session_h += 100.0
    assert np.array_equal(before["history"], seen["history"](lived, known))
    assert not np.array_equal(before["full"], seen["full"](lived, known))


def test_lags_counts_and_items_say_what_happened(begin: Begin) -> None:
    """Columns of users who were sent their third candidate a while ago, against hand-made ones."""
    lived = begin("ecommerce", 50, hours=1, opt_out={"opt_in_share": 1.0})
    known = unknown(50, n_features=16)
    item = lived.offer().items[:, 3].copy()
    for position in (3, -1, -1, -1, -1, -1):
        lived.step(np.full(50, position), np.zeros(50, np.int64))
    seen = columns(observer_of(lived.ground, observe="history"), lived, known)
    scale = 2.0 / np.log1p(24 * 30)
    assert np.allclose(seen["since_send"], np.log1p(6) * scale - 1, atol=1e-6)
    assert np.allclose(seen["sends"], 2 * np.log1p(1) / np.log1p(100) - 1, atol=1e-6)
    again = np.stack([seen[f"since_sent_{k}"] for k in range(20)], axis=1)
    is_same = lived.offer().items == item[:, None]
    assert np.allclose(again[is_same], np.log1p(6) * scale - 1, atol=1e-6)
    assert (again[~is_same] == 1.0).all()
    assert np.allclose(seen["age"], 2 * 6 / (24 * 60) - 1, atol=1e-6)


def test_the_match_is_that_of_the_profile_with_the_candidate(begin: Begin) -> None:
    """And the taste's, in full, is the one that decides clicks."""
    lived = begin("ecommerce", 40)
    known = lived_on(lived)
    seen = columns(observer_of(lived.ground, observe="full"), lived, known)
    items = lived.offer().items
    features = lived.ground.catalogue.features[items]
    fit = np.einsum("nd,nkd->nk", known.profile, features) / 12.0
    assert np.allclose(np.stack([seen[f"match_{k}"] for k in range(20)], 1), np.clip(fit, -1, 1))
    taste = np.clip(lived.matches() / 3.0, -1, 1)
    assert np.allclose(np.stack([seen[f"taste_{k}"] for k in range(20)], 1), taste, atol=1e-6)


@pytest.mark.parametrize("observe", ["full", "history", "minimal"])
def test_the_identity_preset_writes_the_wanted_item_down(begin: Begin, observe: str) -> None:
    """In every mode, as the one column that is 1."""
    lived = begin("identity", 60)
    observer = observer_of(lived.ground, observe=observe)  # type: ignore[arg-type]
    seen = columns(observer, lived, unknown(60, n_features=16))
    one_hot = np.stack([seen[f"wanted_{k}"] for k in range(4)], axis=1)
    wanted = response.wanted_item(lived.traits, lived.state, n_items=4)
    assert np.array_equal(one_hot.argmax(axis=1), wanted)
    assert (one_hot.sum(axis=1) == 1.0).all()


def test_what_expires_shows_how_long_it_lives(begin: Begin) -> None:
    """A column a candidate, from −1 at the end to 1 at the start."""
    lived = begin("ecommerce", 10, items={"lifetime_h": 48.0})
    seen = columns(observer_of(lived.ground, observe="history"), lived, unknown(10, n_features=16))
    assert np.allclose(seen["left_0"], lived.offer().hours_left[:, 0] / 24.0 - 1.0)


def test_what_took_an_expired_items_place_was_never_sent(begin: Begin) -> None:
    """A server knows one story from the next; the item id alone is a place in the feed."""
    lived = begin("ecommerce", 400, items={"lifetime_h": 36.0})
    items = lived.offer().items
    lived.state.recent_item[:, 0], lived.state.recent_h[:, 0] = items[:, 3], -20
    seen = columns(observer_of(lived.ground, observe="history"), lived, unknown(400, n_features=16))
    is_same = 36.0 - lived.offer().hours_left[:, 3] >= 20.0
    assert 50 < is_same.sum() < 350
    shown = np.where(is_same, 2.0 * np.log1p(20.0) / np.log1p(720.0) - 1.0, 1.0)
    assert np.allclose(seen["since_sent_3"], shown, atol=1e-6)


def test_another_mode_is_refused_by_name(begin: Begin) -> None:
    """The message lists those that there are."""
    with pytest.raises(BadInputError, match="full, history, minimal, request, got 'all'"):
        observer_of(begin("tiny", 1).ground, observe="all")  # type: ignore[arg-type]
