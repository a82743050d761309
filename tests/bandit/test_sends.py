from __future__ import annotations

import numpy as np

from bandit.decide import decision_ids
from bandit.sends import NEVER_MS, RecentSends, occurrence
from bandit.slots import DAY_MS, HOUR_MS

NOON = 1_780_315_200_000


def remember(sends: RecentSends, user: list[int], *, decided_ms: int, at_ms: list[int]) -> None:
    """Sends decided at one instant."""
    ids = decision_ids(np.full(len(user), decided_ms), first=int(decided_ms // HOUR_MS) % 10_000)
    sends.add(np.array(user), np.array(at_ms), ids)


def known(sends: RecentSends, user: int) -> list[int]:
    at_ms, _ = sends.of(np.array([user]))
    return sorted(int(at) for at in at_ms[0] if at > NEVER_MS)


def test_plans_ahead_never_push_out_the_last_send() -> None:
    """However many there are: a gap to the send of an hour ago is still seen."""
    sends = RecentSends(4 * HOUR_MS)
    remember(sends, [1], decided_ms=NOON - HOUR_MS, at_ms=[NOON - HOUR_MS])
    ahead = [NOON + hour * HOUR_MS for hour in range(4, 24, 4)]
    remember(sends, [1] * 5, decided_ms=NOON, at_ms=ahead)
    assert known(sends, 1) == [NOON - HOUR_MS, *ahead]


def test_memory_does_not_grow_with_time() -> None:
    """A hundred days, one send a day, two days in reach: three places are enough, four are made."""
    sends = RecentSends(2 * DAY_MS)
    for day in range(100):
        at = NOON + day * DAY_MS
        remember(sends, [1, 2], decided_ms=at, at_ms=[at + HOUR_MS, at + 2 * HOUR_MS])
    assert sends.at_ms.shape == (2, 4)
    assert known(sends, 1)[-3:] == [NOON + day * DAY_MS + HOUR_MS for day in (97, 98, 99)]


def test_a_send_makes_room_once_it_is_out_of_reach_to_the_millisecond() -> None:
    for late_ms, n_kept in ((-1, 2), (0, 1)):
        sends = RecentSends(DAY_MS)
        remember(sends, [1], decided_ms=NOON, at_ms=[NOON])
        later = NOON + DAY_MS + late_ms
        remember(sends, [1], decided_ms=later, at_ms=[later])
        assert len(known(sends, 1)) == n_kept


def test_sends_are_found_whatever_the_order_of_users() -> None:
    """Unknown users have none; a send that was taken back is gone."""
    sends = RecentSends(DAY_MS)
    remember(sends, [9, 3, 7], decided_ms=NOON, at_ms=[NOON + 9, NOON + 3, NOON + 7])
    assert [known(sends, user) for user in (3, 5, 7, 9)] == [
        [NOON + 3],
        [],
        [NOON + 7],
        [NOON + 9],
    ]
    _, ids = sends.of(np.array([7]))
    sends.remove(np.array([7, 5]), np.array([ids[0, 0], ids[0, 0]]))
    assert known(sends, 7) == []


def test_occurrence_counts_earlier_rows_of_the_same_user() -> None:
    assert occurrence(np.zeros(0, np.int64)).tolist() == []
    assert occurrence(np.array([5, 5, 2, 5, 2])).tolist() == [0, 1, 0, 2, 1]
