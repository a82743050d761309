"""What the main job works on: the Complete Journey data, or a file of the user's own.

Settings enter; a shop cut into days leaves, with the cleaning report and where the data came
from. Nothing is written: bad data ends here, before a run has a folder.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bandit.cleaning import CleaningReport, clean
from bandit.errors import BadInputError
from bandit.ingest import RawEvents, read_events
from bandit.slots import zone_of
from service.jobs.journey import SOURCE_NOTE, ZONE, journey_events
from service.jobs.purchases import TRAIN_SHARE, Purchases, cut_into_days

__all__ = ["ShopData", "column_names", "load_shop", "read_raw"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ShopData:
    """A shop, how its rows were cleaned, and what to say about its source."""

    shop: Purchases
    report: CleaningReport
    source: str
    is_journey: bool

    def described(self) -> dict[str, Any]:
        """Return the data section of ``metrics.json``."""
        shop, report = self.shop, self.report
        return {
            "source": self.source,
            "is_simulated_by_its_authors": self.is_journey,
            "zone": shop.zone,
            "first_day": shop.first_day.isoformat(),
            "days": shop.n_days,
            "train_days": shop.train_days,
            "users": shop.n_users,
            "purchases": shop.events.n_rows,
            "items": list(shop.item_names),
            "cleaning": {
                "rows_in": report.n_in,
                "rows_kept": report.n_kept,
                "dropped": report.dropped,
                "capped": report.n_capped,
                "missing_amount": report.n_missing_amount,
                "lines": report.lines(),
            },
        }


def load_shop(data: Path | None, *, zone: str | None, columns: Sequence[str]) -> ShopData:
    """Read, clean and cut the data of a run.

    Parameters
    ----------
    data : Path, optional
        The user's own file; the Complete Journey data without it.
    zone : str, optional
        IANA zone of the users; assumed America/New_York for the Complete Journey, UTC for a
        file of the user's own.
    columns : sequence of str
        ``YOURS=OURS`` pairs.
    """
    raw, assumed, source = read_raw(data, zone=zone, columns=columns)
    events, vocabulary, report = clean(raw, assumed_zone=assumed, fit_share=TRAIN_SHARE)
    shop = cut_into_days(events, vocabulary, zone=assumed)
    return ShopData(shop=shop, report=report, source=source, is_journey=data is None)


def read_raw(
    data: Path | None, *, zone: str | None, columns: Sequence[str]
) -> tuple[RawEvents, str, str]:
    """Read raw rows; return them with the zone and a note on the source."""
    if data is None:
        return journey_events(), str(zone_of(zone or ZONE)), SOURCE_NOTE
    raw = read_events(data, columns=column_names(columns))
    return raw, str(zone_of(zone or "UTC")), f"{data.name}, a file of the user's own"


def column_names(pairs: Sequence[str]) -> dict[str, str]:
    """Read ``YOURS=OURS`` pairs."""
    names = {}
    for pair in pairs:
        yours, sign, ours = pair.partition("=")
        if not (yours and sign and ours):
            raise BadInputError(f"expected --column YOURS=OURS, got {pair!r}")
        names[yours] = ours
    return names
