"""``opportune check FILE``: what cleaning would keep, drop and why, before anything is run.

A file enters; lines for a person leave; nothing is written.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from bandit.errors import BadInputError
from service.jobs.purchases import cut_into_days
from service.jobs.shop_data import read_cleaned

__all__ = ["check"]


def check(data: Path, *, zone: str | None, columns: Sequence[str]) -> list[str]:
    """Describe a file of events.

    Parameters
    ----------
    data : Path
        CSV, Parquet or JSON lines.
    zone : str, optional
        IANA zone of the users, see :func:`service.jobs.shop_data.load_shop`.
    columns : sequence of str
        ``YOURS=OURS`` pairs.
    """
    cleaned = read_cleaned(data, zone=zone, columns=columns)
    try:
        shop = cut_into_days(cleaned.events, cleaned.vocabulary, zone=cleaned.zone)
    except BadInputError as error:
        return [*cleaned.lines, f"`opportune run` would refuse it: {error}"]
    return [*cleaned.lines, f"`opportune run` would take {shop.note}"]
