from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
from scipy.stats import binomtest

from service.jobs.campaign_models import CampaignSettings
from service.jobs.campaign_rows import CampaignShop
from service.jobs.campaigns import judge_campaigns

N_HOUSEHOLDS, N_DAYS, N_CAMPAIGNS = 700, 200, 4
UPLIFT = 30.0


def shop_of(*, uplift: float, hidden: float = 0.0, seed: int = 2) -> CampaignShop:
    """Households that spent more are sent more; ``hidden`` targets on what is not yet visible.

    Each household spends ``rate`` dollars a day, exponentially spread, so its past total says
    all there is to know of its rate. Sends depend on the total up to the placebo's window.
    With ``hidden`` dollars, some shop more just before the campaign and are sent more for it,
    which features from before the placebo's window cannot show.
    """
    rng = np.random.default_rng(seed)
    rate = rng.gamma(4.0, 1.0, N_HOUSEHOLDS)
    spend = rng.gamma(1.0, rate[:, None], (N_HOUSEHOLDS, N_DAYS))
    first = 60 + 34 * np.arange(N_CAMPAIGNS)
    last = first + 19
    sent = np.zeros((N_HOUSEHOLDS, N_CAMPAIGNS), np.bool_)
    for campaign in range(N_CAMPAIGNS):
        newly = rng.random(N_HOUSEHOLDS) < 0.4
        start = first[campaign]
        spend[newly, start - 20 : start] += hidden / 20
        seen = spend[:, : start - 20].mean(axis=1)
        score = 0.8 * (seen - 4.0) / 2 + (1.5 * (newly - 0.4) if hidden else 0.0)
        sent[:, campaign] = rng.random(N_HOUSEHOLDS) < 1 / (1 + np.exp(-score))
        spend[sent[:, campaign], start : start + 20] += uplift / 20
    return CampaignShop(
        household=np.arange(N_HOUSEHOLDS),
        spend=spend,
        trips=np.ones_like(spend),
        discount=np.zeros_like(spend),
        redeemed=np.zeros_like(spend),
        traits=np.zeros((N_HOUSEHOLDS, 1)),
        trait_names=("age=unknown",),
        campaign=np.arange(N_CAMPAIGNS) + 1,
        kind=np.full(N_CAMPAIGNS, "Type A"),
        first_day=first,
        last_day=last,
        sent=sent,
        used=sent & (rng.random(sent.shape) < 0.1),
    )


@pytest.fixture(scope="module")
def judged() -> dict[str, Any]:
    """A shop whose targeting the features explain, and whose sends add thirty dollars."""
    return judge_campaigns(shop_of(uplift=UPLIFT), key=1)


def uplift_row(judged: dict[str, Any], population: str = "all") -> dict[str, Any]:
    return next(
        row for row in judged["uplift"] if row["kind"] == "all" and row["population"] == population
    )


def test_a_known_uplift_is_found_where_the_naive_difference_is_not_it(
    judged: dict[str, Any],
) -> None:
    """The interval holds the thirty dollars; comparing the sent with the rest says far more."""
    row = uplift_row(judged)
    assert row["lower"] <= UPLIFT <= row["upper"]
    assert row["lower"] > 0
    assert row["naive"] > UPLIFT + 3 * (row["upper"] - row["value"])


def rows_of_shops(n_shops: int) -> list[dict[str, Any]]:
    """The same shop drawn anew, judged each time."""
    return [
        uplift_row(judge_campaigns(shop_of(uplift=UPLIFT, seed=seed), key=1))
        for seed in range(n_shops)
    ]


def holds_as_often_as_it_says(n_held: int, n_shops: int) -> bool:
    return bool(binomtest(n_held, n_shops, 0.95, alternative="less").pvalue > 0.01)


def test_the_placebo_shows_nothing_where_features_explain_the_targeting() -> None:
    """Spend before the campaign is not raised by it, up to one shop in twenty."""
    rows = rows_of_shops(8)
    n_held = sum(row["placebo_lower"] <= 0 <= row["placebo_upper"] for row in rows)
    assert holds_as_often_as_it_says(n_held, len(rows))


@pytest.mark.slow
def test_the_interval_of_uplift_holds_the_known_one_as_often_as_it_says() -> None:
    """Sixty shops: the count that held lies in the binomial interval of 95 %."""
    rows = rows_of_shops(60)
    n_held = sum(row["lower"] <= UPLIFT <= row["upper"] for row in rows)
    assert holds_as_often_as_it_says(n_held, len(rows))


def test_estimated_propensities_are_never_called_usable(judged: dict[str, Any]) -> None:
    """Nothing vouches for what was not logged, however well it overlaps."""
    assert {row["verdict"] for row in judged["uplift"]} <= {"weak", "do not use"}
    assert {row["verdict"] for row in judged["policies"]} <= {"weak", "do not use"}
    placebo_failed = uplift_row(judged)["why"].startswith("the placebo failed")
    assert judged["verdict"] == ("do not use" if placebo_failed else "weak")


def test_a_zero_effect_stays_zero_within_its_interval() -> None:
    """The zero-effect law, on campaigns."""
    row = uplift_row(judge_campaigns(shop_of(uplift=0.0, seed=3), key=1))
    assert row["lower"] <= 0 <= row["upper"]


def test_a_failed_placebo_forbids_use_and_says_so() -> None:
    """Households chosen for what the placebo's features cannot hold make the verdict no."""
    judged = judge_campaigns(shop_of(uplift=0.0, hidden=60.0), key=1)
    row = uplift_row(judged)
    assert row["placebo_lower"] > 0
    assert judged["verdict"] == "do not use"
    assert judged["why"].startswith("the placebo failed")
    always = [row for row in judged["policies"] if row["policy"] == "always send"]
    assert {row["verdict"] for row in always} == {"do not use"}


def test_the_cost_of_sending_moves_values_one_for_one(judged: dict[str, Any]) -> None:
    """Always sending loses exactly the cost; never sending loses nothing."""
    gain = {(row["policy"], row["cost_usd"]): row["gain"] for row in judged["costs"]}
    assert gain["always send", 0.0] - gain["always send", 2.0] == pytest.approx(2.0)
    assert gain["never send", 2.0] == 0.0


def test_every_policy_is_valued_by_four_estimators(judged: dict[str, Any]) -> None:
    """IPS, SNIPS, DM and DR, each with overlap figures and a verdict."""
    settings = CampaignSettings()
    found = {
        (row["policy"], row["estimator"]) for row in judged["policies"] if row["kind"] == "all"
    }
    assert len(found) == (3 + len(settings.top_shares)) * 4
    assert {estimator for _, estimator in found} == {"ips", "snips", "dm", "dr"}


def test_the_value_as_logged_is_the_mean_reward(judged: dict[str, Any]) -> None:
    """Weights of one: what was seen, less what was sent."""
    shop = shop_of(uplift=UPLIFT)
    spend = [
        shop.spend[:, first : last + 1].sum(axis=1)
        for first, last in zip(shop.first_day, shop.last_day, strict=True)
    ]
    seen = float(np.mean(np.stack(spend, axis=1) - judged["cost_usd"] * shop.sent))
    row = next(
        row
        for row in judged["policies"]
        if (row["kind"], row["policy"], row["estimator"]) == ("all", "as logged", "ips")
    )
    assert row["value"] == pytest.approx(seen)


def test_the_result_is_plain_json_and_repeats_itself(judged: dict[str, Any]) -> None:
    """The same key gives the same numbers, ready for metrics.json."""
    again = judge_campaigns(shop_of(uplift=UPLIFT), key=1)
    assert json.dumps(again, allow_nan=False) == json.dumps(judged, allow_nan=False)
