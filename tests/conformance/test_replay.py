"""What a replay of the log takes and refuses; that it rebuilds any policy is a law of the suite."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest

from bandit.errors import BadInputError
from bandit.protocols import Policy
from bandit.replay import relearn
from policies.conformance.replays import (
    EMPTY_DAY,
    N_DAYS,
    N_USERS,
    Walked,
    join_of,
    walk_logged,
)
from policies.conformance.world import HITS, tiny_world
from policies.registry import build


@pytest.fixture(scope="module")
def walked(tmp_path_factory: pytest.TempPathFactory) -> Walked:
    """Twelve days of Thompson sampling."""
    return walk_logged(fresh(), tmp_path_factory.mktemp("log"))


def fresh() -> Policy:
    return build("lints", tiny_world(n_users=N_USERS).shape, scheme=HITS)


def test_the_log_says_how_much_had_been_learned_before_each_batch(walked: Walked) -> None:
    """``state_seq`` of its rows is what a replay of all that was heard until then consumes."""
    batch, state_seq = (np.asarray(walked.log[name]) for name in ("batch", "state_seq"))
    before = [0, *walked.state_seq]
    days = [day for day in range(N_DAYS) if day != EMPTY_DAY]
    assert np.unique(batch).tolist() == list(range(N_DAYS - 1))
    for number, day in enumerate(days):
        assert np.unique(state_seq[batch == number]).tolist() == [before[day]]


def test_rows_that_are_left_out_are_not_learned(walked: Walked) -> None:
    """As those of an erased user: the replay is of a world without them."""
    kept = walked.log.filter(pc.not_equal(walked.log["user"], 4))
    join = join_of()
    n_consumed = relearn(kept, walked.heard, policy=fresh(), join=join)
    assert 0 < n_consumed < walked.state_seq[-1]
    assert join.counts.decisions == walked.log.num_rows - (N_DAYS - 1)


def test_what_is_out_of_order_is_refused(walked: Walked) -> None:
    """Batches of the log, and looks at the outcomes."""
    turned = walked.log.take(np.arange(walked.log.num_rows)[::-1])
    with pytest.raises(BadInputError, match="batches in log order, got 9 after 10"):
        relearn(turned, walked.heard, policy=fresh(), join=join_of())
    with pytest.raises(BadInputError, match="looks in the order"):
        relearn(walked.log, walked.heard[::-1], policy=fresh(), join=join_of())


def test_rows_of_two_encoders_are_not_mixed(walked: Walked) -> None:
    """Contexts of different lengths in one batch are refused by name."""
    n = walked.log.num_rows
    ragged = pa.array([[0.5]] + [[0.5, 0.5]] * (n - 1), pa.list_(pa.float64()))
    mixed = walked.log.set_column(
        walked.log.schema.get_field_index("context"), walked.log.schema.field("context"), ragged
    )
    with pytest.raises(BadInputError, match=r"context of one length, got rows of \[1, 2\]"):
        relearn(mixed, walked.heard, policy=fresh(), join=join_of())
