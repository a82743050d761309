from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from bandit.errors import ForeignFileError
from service.jobs.online import timing_of, warm_from
from service.jobs.purchase_features import DayFeatures, EncodedDays, fit_scale, walk_features
from service.jobs.purchase_history import History
from service.jobs.purchases import Purchases
from service.jobs.timing_models import TimingModels, fit_timing
from service.jobs.warm_start import PairMoments

COLUMNS = ("items", "slots", "blind_items", "blind_slots")


@pytest.fixture(scope="module")
def timing(small_shop: Purchases) -> TimingModels:
    return timing_of(small_shop)


def without_days_from(shop: Purchases, day: int) -> Purchases:
    """The shop as it was known at the start of ``day``."""
    buys, actives = shop.buy_day < day, shop.active_day < day
    return replace(
        shop,
        buy_user=shop.buy_user[buys],
        buy_day=shop.buy_day[buys],
        buy_item=shop.buy_item[buys],
        buy_slot=shop.buy_slot[buys],
        active_user=shop.active_user[actives],
        active_day=shop.active_day[actives],
        active_slot=shop.active_slot[actives],
    )


def features_of(shop: Purchases, timing: TimingModels, day: int) -> DayFeatures:
    (found,) = walk_features(shop, timing, first_day=day, until_day=day + 1)
    return found


@pytest.mark.parametrize("day", [44, 50, 59])
def test_features_of_a_day_know_nothing_of_it_or_after(
    small_shop: Purchases, timing: TimingModels, day: int
) -> None:
    """Erasing the day and all that follows changes not a bit."""
    whole = features_of(small_shop, timing, day)
    cut = features_of(without_days_from(small_shop, day), timing, day)
    for name in COLUMNS:
        np.testing.assert_array_equal(getattr(whole, name), getattr(cut, name))


def test_timing_models_are_fitted_on_the_training_range_only(small_shop: Purchases) -> None:
    """Erasing the online days changes not a coefficient."""
    span = {"first_day": warm_from(small_shop), "until_day": small_shop.train_days, "key": 3}
    whole = fit_timing(small_shop, **span)
    cut = fit_timing(without_days_from(small_shop, small_shop.train_days), **span)
    np.testing.assert_array_equal(whole.item, cut.item)
    np.testing.assert_array_equal(whole.slot, cut.slot)


def test_timing_models_are_calibrated_on_their_own_rows(
    small_shop: Purchases, timing: TimingModels
) -> None:
    """A logistic model with an intercept foretells as many as there were."""
    history = History.of(small_shop)
    expected = happened = 0.0
    while history.day < small_shop.train_days:
        if history.day >= warm_from(small_shop):
            expected += timing.slot_chances(history).sum()
            happened += len(small_shop.active(history.day)[0])
        history.learn(small_shop)
    assert expected == pytest.approx(happened, rel=0.01)


def test_where_rows_are_many_a_keyed_share_of_them_is_fitted(
    small_shop: Purchases, timing: TimingModels, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same share for the same key, and much the same model."""
    monkeypatch.setattr("service.jobs.timing_models._MOST_ROWS", 4000)
    span = {"first_day": warm_from(small_shop), "until_day": small_shop.train_days}
    some, again, other = (fit_timing(small_shop, **span, key=key) for key in (3, 3, 4))
    np.testing.assert_array_equal(some.slot, again.slot)
    assert (some.slot != other.slot).any()
    history = History.of(small_shop)
    while history.day < small_shop.train_days:
        history.learn(small_shop)
    whole, part = timing.slot_chances(history), some.slot_chances(history)
    assert np.abs(whole - part).mean() < 0.1


def test_days_without_purchases_teach_activity_only(
    small_shop: Purchases, timing: TimingModels
) -> None:
    """A shop that was closed for a day: nobody active, no category to learn from."""
    closed = 38
    quiet = replace(
        small_shop,
        **{
            f"{kind}_{name}": getattr(small_shop, f"{kind}_{name}")[
                getattr(small_shop, f"{kind}_day") != closed
            ]
            for kind, names in (
                ("buy", ("user", "day", "item", "slot")),
                ("active", ("user", "day", "slot")),
            )
            for name in names
        },
    )
    found = timing_of(quiet)
    assert found.item.shape == timing.item.shape
    assert np.isfinite(found.item).all()
    assert (found.slot != timing.slot).any()


def test_time_blind_features_are_the_same_whatever_the_weekday_and_gap(
    small_shop: Purchases, timing: TimingModels
) -> None:
    """A day on which nobody shops moves the clock, not the counts."""
    day = 50
    quiet = without_days_from(small_shop, day)
    today, tomorrow = (features_of(quiet, timing, d) for d in (day, day + 1))
    np.testing.assert_array_equal(today.blind_slots, tomorrow.blind_slots)
    assert np.abs(today.items - tomorrow.items).max() > 1e-3


def test_scaled_features_have_size_one(small_shop: Purchases, timing: TimingModels) -> None:
    """Root mean square over the days that the scale was fitted on."""
    days = list(walk_features(small_shop, timing, first_day=30, until_day=34))
    scale = fit_scale(days)
    scaled = [scale.apply(day) for day in days]
    for name in COLUMNS:
        squares = np.mean([(getattr(day, name) ** 2).mean(axis=(0, 1)) for day in scaled], axis=0)
        np.testing.assert_allclose(squares, 1.0)


def test_pair_moments_equal_the_sums_over_all_pairs(
    small_shop: Purchases, timing: TimingModels
) -> None:
    """The factored sums against a loop over households, items and slots."""
    features = features_of(small_shop, timing, 40)
    hits = small_shop.hits(40)
    moments = PairMoments(features.items.shape[2], features.slots.shape[2])
    moments.add(features.items, features.slots, hit=small_shop.bought(40))
    size_i = np.full(features.items.shape[2], 2.0)
    size_s = np.full(features.slots.shape[2], 0.5)
    precision, moment = moments.scaled(size_i, size_s, 0.3)
    zeta = np.einsum("hki,hsj->hksij", features.items / size_i, features.slots / size_s)
    rows = zeta.reshape(-1, precision.shape[0])
    np.testing.assert_allclose(precision, 0.3 * rows.T @ rows, rtol=1e-9)
    np.testing.assert_allclose(moment[0], 0.3 * rows.T @ hits.ravel(), rtol=1e-9)


def test_a_day_keeps_its_columns_only(small_shop: Purchases, timing: TimingModels) -> None:
    """Laid out it is several times as large; ninety-five days of it must fit beside another."""
    day = features_of(small_shop, timing, 50)
    kept = [day.rate, *day.timed_items, day.share, *day.timed_slots]
    laid_out = [getattr(day, name) for name in COLUMNS]
    assert 2.5 * sum(part.nbytes for part in kept) < sum(part.nbytes for part in laid_out)


def test_vectors_come_back_as_they_were_written(tmp_path: Path) -> None:
    """In single precision; of some users in the order asked for; a spoilt file is refused."""
    rng = np.random.default_rng(2)
    encoded = EncodedDays(
        first_day=3,
        context=rng.random((4, 5, 2)),
        item_scores=rng.random((4, 5, 6)),
        slot_probabilities=rng.random((4, 5, 7)),
    )
    path = tmp_path / "encoder" / "encoded.npz"
    path.parent.mkdir()
    encoded.save(path)
    found = EncodedDays.load(path).restricted_to(np.array([2, 0]))
    assert found.first_day == 3
    for name in ("context", "item_scores", "slot_probabilities"):
        expected = getattr(encoded, name)[[2, 0]].astype(np.float32)
        np.testing.assert_array_equal(getattr(found, name), expected)
    path.write_bytes(path.read_bytes()[:-30])
    with pytest.raises(ForeignFileError, match=r"encoded\.npz.*Remove .*encoder and call"):
        EncodedDays.load(path)
    with pytest.raises(ForeignFileError, match="No such file"):
        EncodedDays.load(tmp_path / "none" / "encoded.npz")
