"""Which constants a log can tell of, on scales where steps and intervals make sense.

A configuration enters; numbers on the scale of each parameter leave, and go back in. A parameter
has the signal of the same key (:mod:`simulator.signals`), a step that is large enough to move
whole users, and says which other signals it moves. What moves click delays and no signal is
fitted to the delays themselves (:mod:`simulator.click_delays`).
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any, Literal

from bandit.errors import BadInputError
from simulator.config import WorldConfig
from simulator.limits import LIMITS

__all__ = ["PARAMETERS", "Parameter", "moved"]

Moves = Literal["all", "click delays", "own"]
Scale = Literal["log", "logit", "plain"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Parameter:
    """One constant, or one place of a list of shares.

    Parameters
    ----------
    key : str
        Of its signal, such as ``click.rate``.
    at : str
        Section and name of the constant, where they differ from the key.
    share : int or None
        Position in a list of shares, from its end where below 0; the other shares keep their
        proportions. None for a constant that is a number.
    scale : {"log", "logit", "plain"}
        On which it is fitted.
    step : float
        By how much it is moved to see what its signal does.
    widest : float
        Standard error on the scale from which on the log does not identify it.
    moves : {"all", "click delays", "own"}
        Signals that it moves materially: with "own" several are moved in one simulation; with
        "click delays" none.
    is_apart : bool
        True where no other parameter moves its signal materially.
    least_events : int
        Events that its signal must rest on.
    """

    key: str
    scale: Scale
    step: float
    widest: float
    at: str = ""
    share: int | None = None
    moves: Moves = "all"
    is_apart: bool = False
    least_events: int = 20

    @property
    def path(self) -> tuple[str, str]:
        """Section and name of the constant."""
        section, _, name = (self.at or self.key).partition(".")
        return section, name

    @property
    def name(self) -> str:
        """How the constant is written, such as ``delivery.delay_shares[0]``."""
        return ".".join(self.path) + ("" if self.share is None else f"[{self.share}]")

    def value(self, config: WorldConfig) -> float:
        """The constant as it is."""
        section, name = self.path
        value = getattr(getattr(config, section), name)
        return float(value if self.share is None else value[self.share])

    def to_scale(self, value: float) -> float:
        """The constant on its scale."""
        if self.scale == "plain":
            return value
        low = max(value, 1e-9)
        return math.log(low) if self.scale == "log" else math.log(low / max(1.0 - low, 1e-9))

    def from_scale(self, theta: float) -> float:
        """The constant from its scale, within its range."""
        value = theta
        if self.scale == "log":
            value = math.exp(min(theta, 50.0))
        elif self.scale == "logit":
            value = 1.0 / (1.0 + math.exp(-max(min(theta, 50.0), -50.0)))
        low, high = LIMITS[".".join(self.path)]
        return min(max(value, low), high)


def moved(config: WorldConfig, thetas: dict[Parameter, float]) -> WorldConfig:
    """The configuration with some parameters set, given on their scales."""
    sections: dict[str, dict[str, Any]] = {}
    shares: dict[tuple[str, str], dict[int, float]] = {}
    for parameter, theta in thetas.items():
        section, name = parameter.path
        value = parameter.from_scale(theta)
        if parameter.share is None:
            sections.setdefault(section, {})[name] = value
        else:
            shares.setdefault((section, name), {})[parameter.share] = value
    for (section, name), some in shares.items():
        old = getattr(getattr(config, section), name)
        sections.setdefault(section, {})[name] = _with_shares(old, some)
    made = {name: replace(getattr(config, name), **changes) for name, changes in sections.items()}
    return replace(config, **made)


def _with_shares(shares: tuple[float, ...], some: dict[int, float]) -> tuple[float, ...]:
    """Shares with some set and the others in their proportions, of sum 1."""
    new = {place % len(shares): share for place, share in some.items()}
    rest = 1.0 - sum(new.values())
    if len(new) >= len(shares) or rest < 0.0:
        raise BadInputError(
            f"expected several shares to fit some of them, of sum 1 or less, got {some} of {shares}"
        )
    others = [place for place in range(len(shares)) if place not in new]
    total = sum(shares[place] for place in others)
    scale = rest / total if total > 0 else 0.0
    new |= {place: shares[place] * scale for place in others}
    # What rounding left over goes to a share that was not set.
    new[others[-1]] += 1.0 - sum(new.values())
    return tuple(new[place] for place in range(len(shares)))


def _of(key: str, scale: Scale, step: float, widest: float, **rest: Any) -> Parameter:
    return Parameter(key=key, scale=scale, step=step, widest=widest, **rest)


_APART: dict[str, Any] = {"moves": "own", "is_apart": True}
_DELAY: dict[str, Any] = {"moves": "click delays", "least_events": 500}

PARAMETERS: tuple[Parameter, ...] = (
    _of("activity.sessions_per_day", "log", 0.2, 0.4),
    _of("activity.spread", "log", 0.15, 0.4),
    _of("activity.excitation", "logit", 0.6, 0.8),
    _of("hours.night_floor", "log", 0.4, 0.6),
    _of("hours.evening", "logit", 0.4, 0.6, at="hours.peak_shares", share=-1),
    _of("hours.weekend_shift_h", "plain", 1.0, 1.0),
    _of("click.rate", "log", 0.25, 0.4),
    _of("click.spread", "log", 0.2, 0.4),
    _of("click.activity_slope", "plain", 0.2, 0.4),
    _of("hours.receptivity", "plain", 0.2, 0.3),
    _of("fatigue.slope", "plain", 0.06, 0.08),
    _of("fatigue.habituation_half_life_days", "log", 0.5, 0.6),
    _of("click.item_penalty", "logit", 0.8, 0.8),
    _of("opt_out.frequency_slope", "plain", 0.1, 0.2),
    _of("delivery.fast_median_min", "log", 0.3, 0.5, **_DELAY),
    _of("delivery.fast_sd", "log", 0.2, 0.4, **_DELAY),
    _of("delivery.instant", "logit", 0.4, 0.5, at="delivery.delay_shares", share=0, **_DELAY),
    _of("delivery.soon", "logit", 0.4, 0.5, at="delivery.delay_shares", share=1, **_DELAY),
    _of("delivery.slow_median_min", "log", 0.3, 0.5, **_DELAY),
    _of("delivery.slow_sd", "log", 0.2, 0.4, **_DELAY),
    _of("delivery.tail_mean_h", "log", 0.2, 0.4, **_DELAY),
    _of("delivery.success", "logit", 0.2, 0.5, **_APART),
    _of("click.dismiss_chance", "log", 0.2, 0.4, **_APART),
    _of("opt_out.hazard", "log", 0.4, 0.7, moves="own"),
    _of("opt_out.uninstall_share", "log", 0.3, 0.7, **_APART),
    _of("activity.churn_per_day", "log", 0.3, 0.5, **_APART),
    _of("orders.per_session", "log", 0.2, 0.4, **_APART),
    _of("orders.per_click", "log", 0.4, 0.5, moves="own"),
    _of("orders.quick_share", "logit", 0.4, 0.5, at="orders.delay_shares", share=0, moves="own"),
    _of("items.price_mu", "plain", 0.2, 1.0, **_APART),
    _of("items.price_sd", "log", 0.2, 0.4, **_APART),
)
"""In the order of the table."""
