from __future__ import annotations

import re
from typing import Any

from service.reports.simulation_plots import (
    asked,
    draw_days,
    draw_gains,
    draw_hours,
    draw_orders,
)


def tables(**changes: Any) -> dict[str, Any]:
    """Three days of a policy, silence and a static push."""
    names = ("mine", "never_send", "static_09h_3")
    made = {
        "silence": "never_send",
        "best_static": "static_09h_3",
        "policies": [
            {"name": "mine", "policy": "lints"},
            {"name": "never_send", "policy": "never_send"},
            {"name": "static_09h_3", "policy": "static_push"},
        ],
        "curves": {
            name: {
                "reward": [0.1, 0.2, 0.3],
                "sends": [1.0, 2.0, 3.0],
                "reachable": [0.5, 0.4, 0.3],
            }
            for name in names
        },
        "sent_at": {name: [0] * 9 + [5] + [0] * 14 for name in names},
    }
    return made | changes


def row(name: str, **changes: Any) -> dict[str, Any]:
    made = {
        "policy": name,
        "less_silence": 0.1,
        "less_silence_lower": 0.0,
        "less_silence_upper": 0.2,
        "orders_brought": 0.01,
        "orders_brought_lower": -0.01,
        "orders_brought_upper": 0.03,
        "orders_attributed": 0.02,
    }
    return made | changes


def test_references_are_not_among_the_asked() -> None:
    """Silence and static pushes are run beside them."""
    assert asked(tables()) == ["mine"]


def test_every_curve_names_its_policies_and_its_unit() -> None:
    """Reward less silence, sends, people left."""
    for what, unit in (("reward", "less silence"), ("sends", "sends a"), ("reachable", "share")):
        svg = draw_days(tables(), what)
        assert svg.startswith("<svg")
        assert {"mine", "never_send", "static_09h_3"} <= set(re.findall(r">([\w-]+)<", svg))
        assert unit in svg


def test_silence_has_no_hours_and_nobody_who_never_sent_has() -> None:
    """A share of nothing is not drawn."""
    nothing = {name: [0] * 24 for name in ("never_send", "mine")}
    svg = draw_hours(tables(sent_at=nothing | {"static_09h_3": [1] * 24}))
    assert "static_09h_3" in svg
    assert ">mine<" not in svg


def test_worth_and_orders_are_drawn_with_and_without_intervals() -> None:
    """One seed has none."""
    rows = [row("mine"), row("static_09h_3", orders_brought_lower=None, orders_brought_upper=None)]
    assert ">mine<" in draw_gains(rows, tables())
    assert "attributed" in draw_orders(rows)
