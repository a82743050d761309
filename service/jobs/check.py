"""``opportune check FILE``: what cleaning would keep, drop and why, before anything is run.

A file enters; lines for a person leave; nothing is written.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from bandit.cleaning import clean
from bandit.errors import BadInputError
from service.jobs.purchases import TRAIN_SHARE, cut_into_days
from service.jobs.shop_data import read_raw

__all__ = ["check"]


def check(data: Path, *, zone: str | None, columns: Sequence[str]) -> list[str]:
    """Describe a file of events.

    Parameters
    ----------
    data : Path
        CSV, Parquet or JSON lines.
    zone : str, optional
        IANA zone of the users; UTC without it.
    columns : sequence of str
        ``YOURS=OURS`` pairs.
    """
    raw, assumed, _ = read_raw(data, zone=zone, columns=columns)
    events, vocabulary, report = clean(raw, assumed_zone=assumed, fit_share=TRAIN_SHARE)
    lines = [
        *report.lines(),
        f"{len(vocabulary.users):,} users, {len(vocabulary.items):,} items, "
        f"{len(vocabulary.categories):,} categories",
    ]
    try:
        shop = cut_into_days(events, vocabulary, zone=assumed)
    except BadInputError as error:
        return [*lines, f"`opportune run` would refuse it: {error}"]
    return [
        *lines,
        f"`opportune run` would train on {shop.train_days} days from {shop.first_day} ({assumed}) "
        f"and walk {len(shop.online_days)}",
    ]
