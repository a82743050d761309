"""Pages read back as a reader sees them, and the tables of made-up campaigns."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from service.jobs.campaign_models import CampaignSettings
from service.jobs.campaign_rows import CampaignShop
from service.jobs.campaigns import judge_campaigns


@dataclass
class Table:
    """Headings, rows of cells, and which columns may break over lines."""

    heads: list[str] = field(default_factory=list)
    rows: list[list[str]] = field(default_factory=list)
    may_break: list[bool] = field(default_factory=list)

    def column(self, head: str) -> list[str]:
        """Cells under a heading."""
        return [row[self.heads.index(head)] for row in self.rows]


class _Reader(HTMLParser):
    def __init__(self, page: str) -> None:
        super().__init__()
        self.tables: list[Table] = []
        self._words: list[str] | None = None
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == "table":
            self.tables.append(Table())
        elif tag == "tbody":
            self.tables[-1].rows = []
        elif tag == "tr":
            self.tables[-1].rows.append([])
        elif tag in {"td", "th"}:
            self._words = []
            if tag == "th":
                self.tables[-1].may_break.append(("class", "words") in attrs)

    def handle_data(self, data: str) -> None:
        if self._words is not None:
            self._words.append(data)

    def handle_endtag(self, tag: str) -> None:
        if tag in {"td", "th"} and self._words is not None:
            table = self.tables[-1]
            (table.heads if tag == "th" else table.rows[-1]).append("".join(self._words))
            self._words = None


@pytest.fixture(scope="session")
def tables_of() -> Callable[[str], list[Table]]:
    """Read all tables of a piece of HTML, in order."""
    return lambda html: _Reader(html).tables


@pytest.fixture(scope="session")
def campaigns() -> dict[str, Any]:
    """The campaigns step's tables on a made-up shop of two types of campaign."""
    rng = np.random.default_rng(8)
    n, days, first = 240, 150, np.array([60, 62, 100, 102])
    spend = rng.gamma(1.0, rng.gamma(4.0, 25.0, n)[:, None], (n, days))
    sent = rng.random((n, 4)) < 0.3
    shop = CampaignShop(
        household=np.arange(n),
        spend=spend,
        trips=np.ones_like(spend),
        discount=np.zeros_like(spend),
        redeemed=np.zeros_like(spend),
        traits=np.zeros((n, 1)),
        trait_names=("age=unknown",),
        campaign=np.arange(4),
        kind=np.array(["Type A", "Type B"] * 2),
        first_day=first,
        last_day=first + 29,
        sent=sent,
        used=sent & (rng.random(sent.shape) < 0.1),
    )
    found = judge_campaigns(shop, key=1, settings=CampaignSettings(n_folds=2))
    return json.loads(json.dumps({"source": "made up", **found}))


@pytest.fixture(scope="session")
def metrics(finished_run: Path) -> dict[str, Any]:
    """Everything that a finished run knows."""
    found: dict[str, Any] = json.loads((finished_run / "metrics.json").read_text())
    return found
