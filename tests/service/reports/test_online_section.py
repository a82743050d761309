from __future__ import annotations

from typing import Any

from service.jobs.online_tables import AGAINST_ANY, AGAINST_COUNTS
from service.reports.online_section import gain_of, online_section


def test_differences_of_the_walk_are_named(metrics: dict[str, Any]) -> None:
    """Best against best counts, and against the best baseline of any kind."""
    for what in (AGAINST_COUNTS, AGAINST_ANY):
        gain = gain_of(metrics["online"], what)
        assert gain is not None
        assert f"{gain['one']} less {gain['other']}" in online_section(metrics["online"])
    assert gain_of(metrics["online"], "sleep") is None


def test_a_walk_without_bandits_is_shown_as_well(metrics: dict[str, Any]) -> None:
    """No gain to head the drawings with."""
    online = metrics["online"] | {"gains": []}
    assert "Value of every policy" in online_section(online)
