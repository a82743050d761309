"""The sections of a configuration: named constants of one matter each, with plain defaults.

Ranges are in :mod:`simulator.limits`, values and where they come from in the presets.
"""

from __future__ import annotations

from dataclasses import dataclass

__all__ = [
    "Activity",
    "Click",
    "Clock",
    "Delivery",
    "Emission",
    "Fatigue",
    "Hours",
    "Items",
    "OptOut",
    "Orders",
    "Rules",
    "Taste",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Clock:
    """When the world runs, and when a push may be sent."""

    start_date: str = "2026-03-02"
    horizon_days: int = 60
    slot_hours: int = 1  # width of a slot of the daily grid
    n_candidates: int = 20
    has_shared_slate: bool = False
    zones: tuple[str, ...] = ("America/New_York", "Europe/London", "Asia/Kolkata")
    zone_shares: tuple[float, ...] = (0.6, 0.3, 0.1)
    unknown_zone_share: float = 0.02  # the server does not know the zone of these users


@dataclass(frozen=True, slots=True, kw_only=True)
class Items:
    """The catalogue: latent features, prices, stock, expiry, decay of popularity."""

    n_items: int = 2000
    n_features: int = 16
    n_categories: int = 40
    n_templates: int = 12
    popularity_sd: float = 0.25  # log-odds between items
    popularity_half_life_h: float = 720.0  # of an item's novelty; 0 for none
    lifetime_h: float = 0.0  # until an item expires and is replaced; 0 for never
    stock_out_per_day: float = 0.02
    price_mu: float = 3.6  # log of money
    price_sd: float = 0.7
    template_sd: float = 0.0085  # relative effect of copy


@dataclass(frozen=True, slots=True, kw_only=True)
class Activity:
    """Organic sessions: how often, how they excite each other, how they end."""

    sessions_per_day: float = 0.25  # median over users
    spread: float = 1.2  # sd of its log
    excitation: float = 0.3  # sessions that one session causes
    excitation_decay_h: float = 6.0
    churn_per_day: float = 5e-4
    views_per_session: float = 2.0
    cart_chance: float = 0.1
    rating_chance: float = 0.2  # of an order


@dataclass(frozen=True, slots=True, kw_only=True)
class Hours:
    """When users are active and receptive, on their own clock."""

    peaks_h: tuple[float, ...] = (8.0, 12.5, 20.5)
    peak_shares: tuple[float, ...] = (0.25, 0.25, 0.5)
    peak_kappas: tuple[float, ...] = (3.0, 3.0, 2.5)
    night_floor: float = 0.25
    weekday_spread: float = 0.08
    weekend_shift_h: float = -3.0
    chronotype_sd_h: float = 2.0
    receptivity: float = 0.4  # log-odds of a click for one unit of log activity
    receptivity_spread: float = 0.5


@dataclass(frozen=True, slots=True, kw_only=True)
class Click:
    """Chance of a click on a delivered push, in log-odds."""

    rate: float = 0.03
    spread: float = 1.0  # sd between users
    activity_slope: float = 0.5  # per sd of log activity: heavy users click most
    match_gain: float = 0.5  # per sd of taste match
    available_share: float = 0.35
    available_gain: float = 1.6  # odds ratio
    dismiss_chance: float = 0.1
    visit_share: float = 1.0  # of clicks: below 1 some are read and closed, and nobody comes
    template_penalty: float = 0.017
    template_half_life_days: float = 15.0
    item_penalty: float = 0.4
    item_half_life_days: float = 7.0
    actor_penalty: float = 0.0  # social: of all items by an actor who was sent lately
    tie_gain: float = 0.0  # social: strength of the tie to an item's actor
    streak_gain: float = 0.0  # education: log-odds of a user whose streak stands
    wanted_gain: float = 0.0  # identity: log-odds of the one item that is wanted now


@dataclass(frozen=True, slots=True, kw_only=True)
class Fatigue:
    """A leaky stock of recent pushes, and habituation to pushes at all."""

    half_life_h: float = 48.0
    per_push: float = 1.0
    if_ignored: float = 0.5
    if_clicked: float = -1.0
    slope: float = 0.12
    levels: int = 0  # 0: leaky; else a stock of whole numbers below this, up a push, down a rest
    habituation_half_life_days: float = 6.5
    habituation_floor: float = 0.3
    habituation_recovery_days: float = 14.0


@dataclass(frozen=True, slots=True, kw_only=True)
class OptOut:
    """How a push costs the channel."""

    hazard: float = 3e-4
    frequency_slope: float = 0.25
    free_per_week: float = 3.0
    relevance_slope: float = 0.5
    frailty_shape: float = 0.5
    uninstall_share: float = 0.3
    activity_after: float = 0.87
    opt_in_share: float = 0.55


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """Whether and when a push reaches someone."""

    success: float = 0.92
    device_shares: tuple[float, ...] = (0.7, 0.25, 0.05)  # one, two, three devices
    delay_shares: tuple[float, ...] = (0.45, 0.40, 0.15)
    fast_median_min: float = 2.5
    fast_sd: float = 1.3
    slow_median_min: float = 70.0
    slow_sd: float = 1.1
    tail_mean_h: float = 14.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Orders:
    """What sessions are worth."""

    per_click: float = 0.03
    per_session: float = 0.02
    value_sd: float = 0.5  # of the log, around the price
    view_through: float = 0.3
    cannibalised: float = 0.75  # most that a push visit displaces; times P(active in a day)
    recent_session_h: float = 4.0
    rested_h: float = 20.0
    recent_share: float = 0.3
    delay_shares: tuple[float, ...] = (0.70, 0.20, 0.10)
    delay_means_h: tuple[float, ...] = (0.2, 8.0, 96.0)
    refund_share: float = 0.0  # of orders that are given back, whole
    refund_mean_days: float = 10.0  # from the order


@dataclass(frozen=True, slots=True, kw_only=True)
class Taste:
    """What users like, and how it moves."""

    half_life_days: float = 30.0
    drift_share: float = 0.3  # of the variance of taste that drifts
    segments: int = 8
    segment_share: float = 0.4
    substitutes: float = 0.2  # odds ratio of the category just bought
    complements: float = 1.5
    jump_days: float = 14.0
    streak_gain: float = 0.0  # log organic rate of a user whose streak stands


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """Masks of the gym faces; the bandit loop has guardrails of its own."""

    quiet_from_h: int = 22
    quiet_to_h: int = 8
    gap_h: int = 4
    cap_per_day: int = 2
    cap_per_week: int = 14


@dataclass(frozen=True, slots=True, kw_only=True)
class Emission:
    """How outcomes reach the server."""

    late_share: float = 0.05
    late_mean_h: float = 6.0
    duplicate_share: float = 0.01
    is_shuffled: bool = True
