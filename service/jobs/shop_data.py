"""What the main job works on: the Complete Journey data, or a file of the user's own.

Settings enter; a shop cut into days leaves, with the cleaning report and where the data came
from. Nothing is written: bad data ends here, before a run has a folder.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from bandit.cleaning import clean
from bandit.cleaning_report import CleaningReport
from bandit.errors import BadInputError
from bandit.events import Events
from bandit.ingest import read_events
from bandit.slots import zone_of
from bandit.vocabulary import Vocabulary
from service.jobs.journey import SOURCE_NOTE, ZONE, journey_events
from service.jobs.purchases import Purchases, cut_into_days, training_ends_ms

__all__ = ["Cleaned", "ShopData", "column_names", "load_shop", "read_cleaned"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Cleaned:
    """Clean events of a file, and the zone whose days they are cut into."""

    events: Events
    vocabulary: Vocabulary
    report: CleaningReport
    source: str
    zone: str

    @property
    def lines(self) -> list[str]:
        """What was dropped and what is left, in plain lines for a person."""
        words = self.vocabulary
        elsewhere = pc.sum(pc.not_equal(words.zones, self.zone), min_count=0).as_py()
        said = [
            *self.report.lines(),
            f"{len(words.users):,} users, {len(words.items):,} items, "
            f"{len(words.categories):,} categories",
        ]
        if elsewhere:
            said.append(
                f"  {elsewhere:,} users are in other zones; all days are cut in {self.zone}"
            )
        return said


@dataclass(frozen=True, slots=True, kw_only=True)
class ShopData:
    """A shop, how its rows were cleaned, and what to say about its source."""

    shop: Purchases
    user_ids: pa.Array  # (H,) the file's own id of each user of the shop
    report: CleaningReport
    lines: list[str]
    source: str
    is_journey: bool

    def write_names(self, folder: Path) -> None:
        """Write what the numbers in a run's files stand for: its users, and its items."""
        for name, ids in (("user", self.user_ids), ("item", pa.array(self.shop.item_names))):
            table = pa.table({name: np.arange(len(ids)), "id": ids})
            pq.write_table(table, folder / f"{name}s.parquet")

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
            "purchases_left_out": shop.n_left_out,
            "items": list(shop.item_names),
            "cleaning": {
                "rows_in": report.n_in,
                "rows_kept": report.n_kept,
                "dropped": report.dropped,
                "capped": report.n_capped,
                "missing_amount": report.n_missing_amount,
                "lines": self.lines,
            },
        }


def load_shop(data: Path | None, *, zone: str | None, columns: Sequence[str]) -> ShopData:
    """Read, clean and cut the data of a run.

    Parameters
    ----------
    data : Path, optional
        The user's own file; the Complete Journey data without it.
    zone : str, optional
        IANA zone of the users, and of the clock that timestamps without a zone were read from;
        assumed America/New_York for the Complete Journey. Without it, such timestamps of a file
        of the user's own are refused, and days are those of the zone that most of its users are
        in, UTC where it names none.
    columns : sequence of str
        ``YOURS=OURS`` pairs.
    """
    cleaned = read_cleaned(data, zone=zone, columns=columns)
    shop = cut_into_days(cleaned.events, cleaned.vocabulary, zone=cleaned.zone)
    return ShopData(
        shop=shop,
        user_ids=cleaned.vocabulary.users.take(pa.array(shop.user_codes)),
        report=cleaned.report,
        lines=cleaned.lines,
        source=cleaned.source,
        is_journey=data is None,
    )


def read_cleaned(data: Path | None, *, zone: str | None, columns: Sequence[str]) -> Cleaned:
    """Read and clean the data of a run; see :func:`load_shop`."""
    names = column_names(columns)
    if data is None:
        zone = zone or ZONE
    if zone is not None:
        zone_of(zone)
    raw = journey_events() if data is None else read_events(data, columns=names)

    def ends_ms(events: Events, vocabulary: Vocabulary) -> int:
        return training_ends_ms(events, zone=zone or _commonest_zone(vocabulary))

    events, vocabulary, report = clean(raw, assumed_zone=zone, fit_until_ms=ends_ms)
    return Cleaned(
        events=events,
        vocabulary=vocabulary,
        report=report,
        source=SOURCE_NOTE if data is None else f"{data.name}, a file of the user's own",
        zone=zone or _commonest_zone(vocabulary),
    )


def _commonest_zone(vocabulary: Vocabulary) -> str:
    counts = Counter(zone for zone in vocabulary.zones.to_pylist() if zone is not None)
    return min(counts, key=lambda zone: (-counts[zone], zone)) if counts else "UTC"


def column_names(pairs: Sequence[str]) -> dict[str, str]:
    """Read ``YOURS=OURS`` pairs."""
    names: dict[str, str] = {}
    for pair in pairs:
        yours, sign, ours = pair.rpartition("=")  # a name of yours may hold the sign
        if not (yours and sign and ours):
            raise BadInputError(f"expected --column YOURS=OURS, got {pair!r}")
        if names.setdefault(yours, ours) != ours:
            raise BadInputError(
                f"expected one --column for {yours!r}, got {names[yours]!r}, {ours!r}"
            )
    return names
