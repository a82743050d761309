"""Small histories and small encoders that the encoder tests share."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import pytest
import torch

from bandit.events import ACTIONS, Events, Histories, canonical_order, histories_of
from encoders.config import EncoderConfig
from encoders.encoder import TwoStreamEncoder
from encoders.network import Network

HOUR_MS = 3_600_000
PURCHASE = ACTIONS.index("purchase")

Row = tuple[int, int, int]
"""User, instant in ms, item."""


def _events(rows: Sequence[Row], amount: Sequence[float] | None = None) -> Events:
    user, at_ms, item = (np.array([row[k] for row in rows], np.int64) for k in range(3))
    action = np.full(len(rows), PURCHASE, np.int16)
    order = canonical_order(user=user, at_ms=at_ms, action=action, item=item)
    paid = np.asarray(amount if amount is not None else 1.0 + item, np.float64)
    return Events(
        user=user,
        at_ms=at_ms,
        action=action,
        item=item,
        category=np.full(len(rows), -1, np.int64),
        amount=paid,
        rating=np.full(len(rows), np.nan),
    ).take(order)


@pytest.fixture(scope="session")
def make_histories() -> Callable[..., Histories]:
    """Histories of users 0 … n − 1 from (user, ms, item) rows."""

    def make(rows: Sequence[Row], n_users: int, amount: Sequence[float] | None = None) -> Histories:
        return histories_of(_events(rows, amount), np.arange(n_users))

    return make


@pytest.fixture(scope="session")
def random_histories(make_histories: Callable[..., Histories]) -> Callable[..., Histories]:
    """Histories with gaps from seconds to weeks and baskets of one to three items."""

    def make(lengths: Sequence[int], *, n_items: int = 7, seed: int = 0) -> Histories:
        rng = np.random.default_rng(seed)
        rows: list[Row] = []
        for user, length in enumerate(lengths):
            at = 1_700_000_000_000 + np.cumsum(
                np.exp(rng.uniform(7, 20, length)).astype(np.int64) + 1
            )
            for instant in at.tolist():
                items = rng.choice(n_items, size=rng.integers(1, 4), replace=False)
                rows += [(user, instant, int(item)) for item in items]
        return make_histories(rows, len(lengths))

    return make


@pytest.fixture(scope="session")
def make_encoder() -> Callable[..., TwoStreamEncoder]:
    """An untrained encoder with weights large enough that every path shows, in float64."""

    def make(*, zone: str | None = "America/New_York", **settings: object) -> TwoStreamEncoder:
        small: dict[str, object] = {"n_items": 7, "width": 16, "window": 4, "context_width": 8}
        small |= {"n_leading": 4} | settings
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(5)
            network = Network(EncoderConfig(**small))  # type: ignore[arg-type]
            with torch.no_grad():
                for weight in network.parameters():
                    weight.add_(torch.randn(weight.shape) * 0.3)
        return TwoStreamEncoder(network.double(), zone=zone)

    return make
