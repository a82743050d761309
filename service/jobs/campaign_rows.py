"""Household × campaign rows: who was sent what, what was known before, what was spent after.

The Complete Journey tables (or arrays of another shop) enter; rows with features from before
a campaign's first day and the spend inside its dates leave. The placebo's rows are the same
sends seen one campaign length earlier: spend *before* the campaign, features from before that.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from bandit.errors import expect_shape
from service.jobs.journey import FIRST_DAY, N_DAYS, ZONE, table

__all__ = ["CampaignRows", "CampaignShop", "campaign_rows", "journey_shop", "why_left_out"]

Array = NDArray[np.float64]
Ints = NDArray[np.int64]

MIN_HISTORY_DAYS = 14
"""Days of purchases that must lie before a window whose spend is explained."""
MIN_WINDOW_DAYS = 14
"""Days of a campaign that must lie inside the data."""

_WINDOWS_DAYS = (7, 28, 84)
_NEVER_DAYS = 120
_DEMOGRAPHICS = (
    "age",
    "income",
    "home_ownership",
    "marital_status",
    "household_size",
    "kids_count",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class CampaignShop:
    """Households' days and the campaigns sent to them: H households, T days, C campaigns.

    ``last_day`` may lie after the data; ``first_day`` may lie before.
    """

    household: Ints  # (H,) ids
    spend: Array  # (H, T) dollars a day
    trips: Array  # (H, T) baskets a day
    discount: Array  # (H, T) dollars off by coupons a day
    redeemed: Array  # (H, T) coupons redeemed a day
    traits: Array  # (H, Q) indicators of what is known about the household
    trait_names: tuple[str, ...]
    campaign: Ints  # (C,) ids
    kind: NDArray[np.str_]  # (C,)
    first_day: Ints  # (C,)
    last_day: Ints  # (C,) inclusive
    sent: NDArray[np.bool_]  # (H, C)
    used: NDArray[np.bool_]  # (H, C) redeemed at least one of its coupons

    def __post_init__(self) -> None:
        days = self.spend.shape
        for name in ("trips", "discount", "redeemed"):
            expect_shape(name, getattr(self, name), days, "one column a day")
        for name in ("sent", "used"):
            expect_shape(name, getattr(self, name), (days[0], len(self.campaign)))
        expect_shape("traits", self.traits, (days[0], len(self.trait_names)))

    @property
    def n_days(self) -> int:
        """Days of data T."""
        return int(self.spend.shape[1])


@dataclass(frozen=True, slots=True, kw_only=True)
class CampaignRows:
    """N rows, all campaigns of a household together."""

    household: Ints  # (N,) position
    campaign: Ints  # (N,) position
    kind: NDArray[np.str_]  # (N,)
    is_sent: NDArray[np.bool_]  # (N,)
    is_used: NDArray[np.bool_]  # (N,)
    n_days: Ints  # (N,) length of the window
    spend: Array  # (N,) dollars inside the window
    features: Array  # (N, P)
    feature_names: tuple[str, ...]

    def of_kind(self, kind: str) -> CampaignRows:
        """Return the rows of one type of campaign."""
        return self.take(self.kind == kind)

    def take(self, keep: NDArray[np.bool_]) -> CampaignRows:
        """Return the rows of ``keep``."""
        return CampaignRows(
            household=self.household[keep],
            campaign=self.campaign[keep],
            kind=self.kind[keep],
            is_sent=self.is_sent[keep],
            is_used=self.is_used[keep],
            n_days=self.n_days[keep],
            spend=self.spend[keep],
            features=self.features[keep],
            feature_names=self.feature_names,
        )


def why_left_out(shop: CampaignShop) -> tuple[str, ...]:
    """Why each campaign cannot be judged, empty where it can, (C,)."""
    until = np.minimum(shop.last_day + 1, shop.n_days)
    reasons = []
    for first, end in zip(shop.first_day, until, strict=True):
        length = end - first
        if length < MIN_WINDOW_DAYS:
            reasons.append(f"only {length} of its days lie inside the data")
        elif first - length < MIN_HISTORY_DAYS:
            reasons.append("too little history before it for features and placebo")
        else:
            reasons.append("")
    return tuple(reasons)


def campaign_rows(shop: CampaignShop, *, is_placebo: bool = False) -> CampaignRows:
    """Rows of every campaign that can be judged.

    Parameters
    ----------
    shop : CampaignShop
        Days and campaigns.
    is_placebo : bool
        True moves window and features one campaign length earlier.
    """
    chosen = [i for i, why in enumerate(why_left_out(shop)) if not why]
    n, features, spend, lengths = len(shop.household), [], [], []
    for campaign in chosen:
        first = int(shop.first_day[campaign])
        length = min(int(shop.last_day[campaign]) + 1, shop.n_days) - first
        start = first - length if is_placebo else first
        features.append(_known_before(shop, start, campaign, chosen))
        spend.append(shop.spend[:, start : start + length].sum(axis=1))
        lengths.append(length)
    columns = np.array(chosen, np.int64)
    return CampaignRows(
        household=np.repeat(np.arange(n), len(chosen)),
        campaign=np.tile(columns, n),
        kind=np.tile(shop.kind[columns], n),
        is_sent=shop.sent[:, columns].ravel(),
        is_used=shop.used[:, columns].ravel(),
        n_days=np.tile(np.array(lengths, np.int64), n),
        spend=np.stack(spend, axis=1).ravel(),
        features=np.stack(features, axis=1).reshape(n * len(chosen), -1),
        feature_names=_feature_names(shop, chosen),
    )


def journey_shop() -> CampaignShop:
    """Read the Complete Journey tables of the installed package."""
    lines = table("transactions")
    households = np.unique(lines["household_id"].to_numpy())
    day, row = _local_day(lines["transaction_timestamp"]), _position(households, lines)
    shape = (len(households), N_DAYS)
    basket = np.unique(lines["basket_id"].to_numpy(), return_index=True)[1]
    campaigns = table("campaign_descriptions").sort_by("campaign_id")
    ids = campaigns["campaign_id"].to_numpy()
    sends, coupons = table("campaigns"), _known(table("coupon_redemptions"), households)
    sent = np.zeros((len(households), len(ids)), np.bool_)
    sent[_position(households, sends), np.searchsorted(ids, sends["campaign_id"].to_numpy())] = True
    used = np.zeros_like(sent)
    used_at = np.searchsorted(ids, coupons["campaign_id"].to_numpy())
    used[_position(households, coupons), used_at] = True
    redeemed_day = np.clip(_calendar_day(coupons["redemption_date"]), 0, N_DAYS - 1)
    traits, trait_names = _traits(households)
    off = -(lines["coupon_disc"].to_numpy() + lines["coupon_match_disc"].to_numpy())
    return CampaignShop(
        household=households,
        spend=_daily(shape, row, day, lines["sales_value"].to_numpy()),
        trips=_daily(shape, row[basket], day[basket]),
        discount=_daily(shape, row, day, np.abs(off)),
        redeemed=_daily(shape, _position(households, coupons), redeemed_day),
        traits=traits,
        trait_names=trait_names,
        campaign=ids,
        kind=np.asarray(campaigns["campaign_type"].to_pylist()),
        first_day=_calendar_day(campaigns["start_date"]),
        last_day=_calendar_day(campaigns["end_date"]),
        sent=sent,
        used=used,
    )


def _known_before(shop: CampaignShop, start: int, campaign: int, chosen: list[int]) -> Array:
    """Features of all households from days before ``start`` only, (H, P)."""
    columns: list[Array] = []
    for daily in (shop.spend, shop.trips, shop.discount):
        for days in _WINDOWS_DAYS:
            seen = daily[:, max(start - days, 0) : start]
            columns.append(np.log1p(seen.mean(axis=1) * days))
        usual = daily[:, :start].mean(axis=1)
        columns.extend([np.log1p(usual * 28), usual])
    went = shop.trips[:, :start] > 0
    ago = np.where(went.any(axis=1), np.argmax(went[:, ::-1], axis=1), _NEVER_DAYS)
    columns.append(np.log1p(np.minimum(ago, _NEVER_DAYS).astype(np.float64)))
    columns.append(np.log1p(shop.redeemed[:, :start].sum(axis=1)))
    began = shop.first_day < start
    columns.extend(_past_sends(shop, began, start, campaign))
    which = np.zeros((len(shop.household), len(chosen)))
    which[:, chosen.index(campaign)] = 1.0
    return np.concatenate([np.stack(columns, axis=1), shop.traits, which], axis=1)


def _past_sends(
    shop: CampaignShop, began: NDArray[np.bool_], start: int, campaign: int
) -> list[Array]:
    """Counts of earlier sends: any, of this type, the last of this type, still running."""
    alike = began & (shop.kind == shop.kind[campaign])
    last = np.zeros(len(shop.household))
    if alike.any():
        newest = int(np.flatnonzero(alike)[np.argmax(shop.first_day[alike])])
        last = shop.sent[:, newest].astype(np.float64)
    running = began & (shop.last_day >= start)
    return [
        shop.sent[:, began].sum(axis=1).astype(np.float64),
        shop.sent[:, alike].sum(axis=1).astype(np.float64),
        last,
        shop.sent[:, running].sum(axis=1).astype(np.float64),
    ]


def _feature_names(shop: CampaignShop, chosen: list[int]) -> tuple[str, ...]:
    windows = [f"{days}d" for days in _WINDOWS_DAYS] + ["28d_usual", "day_usual"]
    rates = [f"{what}_{days}" for what in ("spend", "trips", "discount") for days in windows]
    sends = ["sent_before", "sent_before_same_type", "sent_last_same_type", "sent_running"]
    which = [f"campaign_{shop.campaign[i]}" for i in chosen]
    return (*rates, "days_since_trip", "coupons_used", *sends, *shop.trait_names, *which)


def _traits(households: Ints) -> tuple[Array, tuple[str, ...]]:
    """Indicators of demographics; a household without a value has the class ``unknown``."""
    people = table("demographics")
    row = np.searchsorted(households, people["household_id"].to_numpy())
    columns, names = [], []
    for trait in _DEMOGRAPHICS:
        found = np.full(len(households), "unknown", dtype=object)
        found[row] = pc.fill_null(people[trait], "unknown").to_pylist()
        for value in sorted(set(found)):
            columns.append((found == value).astype(np.float64))
            names.append(f"{trait}={value}")
    return np.stack(columns, axis=1), tuple(names)


def _local_day(at: pa.ChunkedArray) -> Ints:
    """Local calendar day of each instant; the first evening's lines belong to day 0."""
    zoned = at.cast(pa.timestamp("ms")).cast(pa.timestamp("ms", "UTC"))
    local = pc.local_timestamp(zoned.cast(pa.timestamp("ms", ZONE)))
    return np.clip(_calendar_day(local), 0, N_DAYS - 1)


def _calendar_day(at: pa.ChunkedArray) -> Ints:
    days = at.cast(pa.timestamp("ms")).cast(pa.date32(), safe=False).cast(pa.int32()).to_numpy()
    return np.asarray(days, np.int64) - (date.fromisoformat(FIRST_DAY) - date(1970, 1, 1)).days


def _position(households: Ints, rows: pa.Table) -> Ints:
    return np.asarray(np.searchsorted(households, rows["household_id"].to_numpy()), np.int64)


def _known(rows: pa.Table, households: Ints) -> pa.Table:
    return rows.filter(pc.is_in(rows["household_id"], value_set=pa.array(households)))


def _daily(shape: tuple[int, int], row: Ints, day: Ints, value: Array | None = None) -> Array:
    flat = np.bincount(row * shape[1] + day, weights=value, minlength=shape[0] * shape[1])
    return np.asarray(flat, np.float64).reshape(shape)
