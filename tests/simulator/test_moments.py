from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from simulator.logged import Logged
from simulator.moments import Moment, moments_of
from simulator.signals import View, view_of

SmallLog = Callable[[], Logged]


@pytest.fixture
def view(small_log: SmallLog) -> View:
    return view_of(small_log(), warmup_days=7)


@pytest.fixture
def moments(view: View) -> dict[tuple[str, str], Moment]:
    return {(m.group, m.name): m for m in moments_of(view)}


def test_every_moment_has_a_name_of_its_own_and_an_error(view: View) -> None:
    """Those that rest on something have finite values and errors."""
    found = moments_of(view)
    assert len({(m.group, m.name) for m in found}) == len(found)
    for moment in found:
        if moment.n >= 20:
            assert np.isfinite(moment.value)
            assert 0 < moment.se < np.inf


def test_shares_by_hour_of_week_add_up(moments: dict[tuple[str, str], Moment]) -> None:
    shares = [m.value for (group, _), m in moments.items() if group == "sessions by hour of week"]
    assert len(shares) == 56
    assert sum(shares) == pytest.approx(1.0)


def test_clicks_by_frequency_are_those_counted_by_hand(
    view: View, moments: dict[tuple[str, str], Moment]
) -> None:
    sent, logged = view.exposure, view.logged
    rows = sent.row[sent.in_week == 2]
    expected = logged.is_clicked[rows].sum() / logged.is_delivered[rows].sum()
    told = moments["clicks by pushes in the 7 days before", "2"]
    assert told.value == pytest.approx(expected)
    counts = [
        m.n
        for (group, name), m in moments.items()
        if group == "clicks by pushes in the 7 days before"
    ]
    assert sum(counts) == logged.is_clicked[sent.row].sum()


def test_bins_of_whole_numbers_are_named_by_what_is_in_them(
    view: View, moments: dict[tuple[str, str], Moment]
) -> None:
    """Five and six pushes, then seven or more."""
    sent, logged = view.exposure, view.logged
    rows = sent.row[(sent.in_week == 5) | (sent.in_week == 6)]
    told = moments["clicks by pushes in the 7 days before", "5 to 6"]
    assert told.chances == logged.is_delivered[rows].sum()
    assert ("clicks by hours since the last push", "24 to 48") in moments


def test_no_event_is_no_certainty(view: View, moments: dict[tuple[str, str], Moment]) -> None:
    """The upper bound is the rate under which nothing comes once in forty: 3.7 over chances."""
    none = [m for m in moments.values() if m.chances > 0 and m.n == 0]
    assert none
    for moment in none:
        assert (moment.value, moment.low) == (0.0, 0.0)
        assert moment.high == pytest.approx(min(3.689 / moment.chances, 1.0), rel=1e-3)


def test_intervals_of_quantiles_are_woodruffs_own(
    moments: dict[tuple[str, str], Moment],
) -> None:
    """Read off the delays, so not symmetric and never before the delivery."""
    told = moments["click delay", "90% within"]
    assert 0.0 < told.low < told.value < told.high
    assert told.high - told.low == pytest.approx(2 * 1.96 * told.se, rel=1e-4)


def test_quantiles_are_those_of_the_delays(
    view: View, moments: dict[tuple[str, str], Moment]
) -> None:
    minutes = view.logged.click_min[view.exposure.row]
    minutes = minutes[np.isfinite(minutes)]
    told = moments["click delay", "50% within"]
    assert told.value == pytest.approx(np.median(minutes))
    assert told.se == pytest.approx(_bootstrap_se(minutes), rel=0.35)


def _bootstrap_se(minutes: np.ndarray) -> float:
    rng = np.random.default_rng(1)
    return float(np.std([np.median(rng.choice(minutes, len(minutes))) for _ in range(500)]))
