from __future__ import annotations

from collections.abc import Callable
from typing import Any

from service.reports.campaigns_section import campaigns_section


def test_campaigns_show_a_gain_once_beside_its_placebo(
    campaigns: dict[str, Any], tables_of: Callable[[str], list[Any]]
) -> None:
    """One row a policy; the estimators' values stand in a table of their own."""
    tables = tables_of(campaigns_section(campaigns))
    (gains,) = (table for table in tables if "gain over never, $" in table.heads)
    shown = {row["policy"]: row for row in campaigns["policies"] if row["kind"] == "all"}
    assert gains.column("send to") == list(shown)
    assert gains.column("placebo, $") == [
        format(row["placebo_gain"], "+.2f").replace("-", "−")  # noqa: RUF001
        for row in shown.values()
    ]
    (values,) = (table for table in tables if table.heads[:2] == ["send to", "estimator"])
    assert len(values.rows) == 4 * len(shown)


def test_costs_stand_side_by_side_cheapest_first(
    campaigns: dict[str, Any], tables_of: Callable[[str], list[Any]]
) -> None:
    """One row a policy, two columns a cost."""
    tables = tables_of(campaigns_section(campaigns))
    (costs,) = (table for table in tables if "at $0.50" in table.heads)
    assert costs.heads == ["send to", "at $0.00", "95 %", "at $0.50", "95 %", "at $2.00", "95 %"]
    always = next(
        row
        for row in campaigns["costs"]
        if (row["policy"], row["cost_usd"]) == ("always send", 2.0)
    )
    row = next(row for row in costs.rows if row[0] == "always send")
    assert row[5] == format(always["gain"], "+.2f").replace("-", "−")  # noqa: RUF001


def test_the_campaigns_verdict_is_shown_with_its_reason(campaigns: dict[str, Any]) -> None:
    """Before any number."""
    page = campaigns_section(campaigns)
    assert f"<strong>{campaigns['verdict']}</strong>" in page
    assert page.index(campaigns["verdict"]) < page.index("<table>")
