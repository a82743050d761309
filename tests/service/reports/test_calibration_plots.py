from __future__ import annotations

import re
from typing import Any

from service.reports.calibration_plots import draw_bins, draw_delays, draw_week


def row(name: str, value: float | None, **changes: Any) -> dict[str, Any]:
    made: dict[str, Any] = {"group": "clicks by hour", "name": name, "verdict": "agrees"}
    for side in ("observed", "simulated"):
        low, high = (None, None) if value is None else (value / 2, value * 2)
        made |= {side: value, f"{side}_low": low, f"{side}_high": high}
    return made | changes


def words(svg: str) -> list[str]:
    return re.findall(r"<text[^>]*>([^<]*)</text>", svg)


def test_a_week_is_drawn_with_its_days_and_both_sides() -> None:
    """Windows without a push are gaps, not zeros."""
    rows = [row(f"{i}", None if i % 8 == 0 else 0.1 + i) for i in range(56)]
    said = words(draw_week(rows, "clicks"))
    assert {"Mon", "Sun", "log", "simulation", "clicks"} <= set(said)


def test_bins_are_named_and_the_axis_follows_those_that_can_be_judged() -> None:
    """A bin of two pushes, one of them clicked, does not press the others to the floor."""
    rows = [row("0", 0.02), row("7 or more", 0.5, verdict="too few")]
    svg = draw_bins({"pushes before": rows, "hours": [row("never", 0.02)]}, "clicks a push")
    ticks = [float(word) for word in words(svg) if re.fullmatch(r"0\.\d+", word)]
    assert max(ticks) < 0.1
    assert {"7 or more", "pushes before", "hours", "never"} <= set(words(svg))


def test_bins_of_which_none_can_be_judged_are_drawn_all_the_same() -> None:
    """With an axis that holds them; nothing at all is drawn as nothing."""
    vague = row("0", 0.5, verdict="too few")
    ticks = [float(w) for w in words(draw_bins({"a": [vague]}, "b")) if re.fullmatch(r"\d\.\d+", w)]
    assert max(ticks) >= 0.8
    empty = row("0", None, verdict="too few")
    assert "0" in words(draw_bins({"a": [empty]}, "b"))


def test_delays_are_shares_that_have_come_by_a_time() -> None:
    """Quantiles, not means; times are logarithmic."""
    rows = [row("10% within", 2.0), row("90% within", 500.0)]
    svg = draw_delays({"click delay": rows})
    assert {"click delay, minutes", "share that has come"} <= set(words(svg))
    assert draw_delays({"click delay": rows}) == svg
