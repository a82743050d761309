"""A shop's purchases as days × users × categories × windows: what the main job decides about.

Clean events enter; a :class:`Purchases` leaves: the local days cut into six windows, the K
categories bought most in the training range, and which household bought which of them in
which window of which day. Everything about the online range is read day by day only.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

from bandit.decide import LAST_DECISION_MS
from bandit.errors import BadInputError
from bandit.events import ACTIONS, Events
from bandit.slots import day_windows
from bandit.vocabulary import Vocabulary

__all__ = [
    "EDGES_H",
    "MAX_USER_DAYS",
    "N_ITEMS",
    "TRAIN_SHARE",
    "Purchases",
    "cut_into_days",
    "training_ends_ms",
]

EDGES_H = (0, 4, 8, 12, 16, 20, 24)
N_ITEMS = 60
TRAIN_SHARE = 270 / 365
"""Of the days; whatever is fitted is fitted on these."""

MAX_USER_DAYS = 5_000_000
"""More than the job can hold: scores of 60 items for each user's days take 500 bytes a day."""

_PURCHASE = ACTIONS.index("purchase")


@dataclass(frozen=True, slots=True, kw_only=True)
class Purchases:
    """Who bought which of K categories in which window of which local day.

    ``buy_*`` are the distinct (user, day, category, window) quadruples sorted by day;
    ``active_*`` the distinct (user, day, window) triples with any purchase at all.
    """

    events: Events  # every purchase, ``item`` being the category code
    zone: str
    first_day: date
    n_days: int
    train_days: int
    n_users: int  # with any purchase, numbered by their order in the events
    user_codes: NDArray[np.int64]  # (H,) what each is in the events' vocabulary
    n_left_out: int  # purchases without a category, or without an item where items are meant
    item_codes: NDArray[np.int64]  # (K,) category codes of the K items
    item_names: tuple[str, ...]  # (K,)
    edges_ms: NDArray[np.int64]  # (n_days, S + 1) window edges of each local day
    buy_user: NDArray[np.int64]  # (B,)
    buy_day: NDArray[np.int64]  # (B,) ascending
    buy_item: NDArray[np.int64]  # (B,) position among the K
    buy_slot: NDArray[np.int64]  # (B,)
    active_user: NDArray[np.int64]  # (V,)
    active_day: NDArray[np.int64]  # (V,) ascending
    active_slot: NDArray[np.int64]  # (V,)

    @property
    def n_items(self) -> int:
        """Number of categories K."""
        return len(self.item_codes)

    @property
    def n_slots(self) -> int:
        """Number of windows a day S."""
        return int(self.edges_ms.shape[1] - 1)

    @property
    def note(self) -> str:
        """What was cut, in one line for a person."""
        n_online = len(self.online_days)
        left_out = f"; {self.n_left_out:,} purchases name none" if self.n_left_out else ""
        return (
            f"{self.events.n_rows:,} purchases of {self.n_users:,} users, {self.n_items} items"
            f"{left_out}; {self.train_days} days from {self.first_day} ({self.zone}) train, "
            f"{n_online} are walked"
        )

    @property
    def online_days(self) -> range:
        """The days after the training range."""
        return range(self.train_days, self.n_days)

    @property
    def train_until_ms(self) -> int:
        """Instant at which the training range ends."""
        return int(self.edges_ms[self.train_days, 0])

    def day_start_ms(self, day: int) -> int:
        """Local midnight at which ``day`` begins: when its decisions are made."""
        return int(self.edges_ms[day, 0])

    def bought(self, day: int) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
        """User, item and slot of the day's distinct purchases."""
        rows = _rows_of(self.buy_day, day)
        return self.buy_user[rows], self.buy_item[rows], self.buy_slot[rows]

    def active(self, day: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """User and slot of the day's distinct active windows."""
        rows = _rows_of(self.active_day, day)
        return self.active_user[rows], self.active_slot[rows]

    def hits(self, day: int) -> NDArray[np.bool_]:
        """Whether each user bought each item in each window of ``day``, (H, K, S)."""
        user, item, slot = self.bought(day)
        found = np.zeros((self.n_users, self.n_items, self.n_slots), np.bool_)
        found[user, item, slot] = True
        return found

    def restricted_to(self, users: NDArray[np.int64]) -> Purchases:
        """Return the same shop with only ``users``, renumbered in that order."""
        position = np.full(self.n_users, -1, np.int64)
        position[users] = np.arange(len(users))
        buys = position[self.buy_user] >= 0
        actives = position[self.active_user] >= 0
        kept = np.flatnonzero(position[self.events.user] >= 0)
        codes = position[self.events.user[kept]]
        kept = kept[np.argsort(codes, kind="stable")]
        events = self.events.take(kept)
        return Purchases(
            events=replace(events, user=position[events.user]),
            zone=self.zone,
            first_day=self.first_day,
            n_days=self.n_days,
            train_days=self.train_days,
            n_users=len(users),
            user_codes=self.user_codes[users],
            n_left_out=self.n_left_out,
            item_codes=self.item_codes,
            item_names=self.item_names,
            edges_ms=self.edges_ms,
            buy_user=position[self.buy_user[buys]],
            buy_day=self.buy_day[buys],
            buy_item=self.buy_item[buys],
            buy_slot=self.buy_slot[buys],
            active_user=position[self.active_user[actives]],
            active_day=self.active_day[actives],
            active_slot=self.active_slot[actives],
        )


def cut_into_days(
    events: Events,
    vocabulary: Vocabulary,
    *,
    zone: str,
    train_share: float = TRAIN_SHARE,
    n_items: int = N_ITEMS,
) -> Purchases:
    """Cut the purchases of any shop into local days and windows.

    Items are categories where at least half of the purchases carry one, else the shop's own items.

    Parameters
    ----------
    events : Events
        Clean events in canonical order; only purchases count.
    vocabulary : Vocabulary
        Originals of the codes.
    zone : str
        IANA zone of the users.
    train_share : float
        Share of the days that train; the rest is walked online.
    n_items : int
        How many of the categories bought most become items.

    Raises
    ------
    BadInputError
        If there are fewer than two users or 28 days, no two categories to choose between,
        purchases after 2039, or more users and days than fit in memory.
    """
    bought, by_category, n_left_out = _named_purchases(events)
    if bought.n_rows == 0:
        raise BadInputError("expected purchases among the events, got none")
    code = bought.category if by_category else bought.item
    names = vocabulary.categories if by_category else vocabulary.items
    users, user = np.unique(bought.user, return_inverse=True)
    if len(users) < 2:
        raise BadInputError(f"expected purchases of at least two users, got {len(users)}")
    bought = replace(bought, user=user)
    first_day, edges_ms = _local_days(bought.at_ms, zone)
    n_days = len(edges_ms)
    train_days = _train_days(n_days, train_share)
    if n_days < 28:
        raise BadInputError(
            f"expected at least 28 days of purchases, got {n_days} from {first_day}: the job "
            f"trains on the first {train_share:.0%} and walks the rest day by day"
        )
    if edges_ms[-1, -1] > LAST_DECISION_MS:
        last_day = first_day + timedelta(days=n_days - 1)
        raise BadInputError(
            f"expected purchases before September 2039, where ids of decisions end, got some on "
            f"{last_day}: correct the times, or leave out what lies that far ahead"
        )
    if len(users) * n_days > MAX_USER_DAYS:
        raise BadInputError(
            f"expected at most {MAX_USER_DAYS:,} user-days, got {len(users):,} users who bought x "
            f"{n_days:,} days: the job holds each of them in memory; give it a sample of the "
            "users, all rows of each, or fewer days"
        )
    day, slot = _window_of(bought.at_ms, edges_ms)
    chosen = _most_bought(bought.user, code, day, day < train_days, n_items)
    position = np.full(len(names), -1, np.int64)
    position[chosen] = np.arange(len(chosen))
    item = position[code]
    among = item >= 0
    buys = _distinct(day[among], bought.user[among], item[among], slot[among])
    active = _distinct(day, bought.user, slot)
    return Purchases(
        events=replace(bought, item=code, category=code),
        zone=zone,
        first_day=first_day,
        n_days=n_days,
        train_days=train_days,
        n_users=len(users),
        user_codes=users,
        n_left_out=n_left_out,
        item_codes=chosen,
        item_names=tuple(str(names[int(c)].as_py()) for c in chosen),
        edges_ms=edges_ms,
        buy_day=buys[0],
        buy_user=buys[1],
        buy_item=buys[2],
        buy_slot=buys[3],
        active_day=active[0],
        active_user=active[1],
        active_slot=active[2],
    )


def training_ends_ms(events: Events, *, zone: str, train_share: float = TRAIN_SHARE) -> int:
    """Instant at which the training range of :func:`cut_into_days` ends.

    For what is fitted before the days are cut; the end of the events if they hold no purchases.
    """
    bought, _, _ = _named_purchases(events)
    if bought.n_rows == 0:
        return int(events.at_ms.max()) + 1
    _, edges_ms = _local_days(bought.at_ms, zone)
    return int(edges_ms[_train_days(len(edges_ms), train_share), 0])


def _train_days(n_days: int, train_share: float) -> int:
    return min(round(n_days * train_share), n_days - 1)


def _named_purchases(events: Events) -> tuple[Events, bool, int]:
    """Purchases whose item is known, whether items are categories, and how many are left out."""
    bought = events.take(np.flatnonzero(events.action == _PURCHASE))
    has_category = bought.category >= 0
    by_category = bool(2 * has_category.sum() >= bought.n_rows or not (bought.item >= 0).any())
    known = np.flatnonzero(has_category if by_category else bought.item >= 0)
    return bought.take(known), by_category, bought.n_rows - len(known)


def _local_days(at_ms: NDArray[np.int64], zone: str) -> tuple[date, NDArray[np.int64]]:
    """First local day, and the window edges of every local day up to the last purchase."""
    tz = ZoneInfo(zone)
    first = datetime.fromtimestamp(int(at_ms.min()) // 1000, tz).date()
    last = datetime.fromtimestamp(int(at_ms.max()) // 1000, tz).date()
    rows = []
    for number in range((last - first).days + 1):
        grid = day_windows(first + timedelta(days=number), zone, n_rows=1, edges_h=EDGES_H)
        rows.append(np.append(grid.start_ms[0], grid.end_ms[0, -1]))
    return first, np.asarray(rows, np.int64)


def _window_of(
    at_ms: NDArray[np.int64], edges_ms: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    starts = edges_ms[:, :-1].ravel()
    window = np.searchsorted(starts, at_ms, side="right") - 1
    n_slots = edges_ms.shape[1] - 1
    return window // n_slots, window % n_slots


def _most_bought(
    user: NDArray[np.int64],
    code: NDArray[np.int64],
    day: NDArray[np.int64],
    in_training: NDArray[np.bool_],
    n_items: int,
) -> NDArray[np.int64]:
    """Codes bought on the most user-days of the training range, most first."""
    rows = _distinct(day[in_training], user[in_training], code[in_training])
    counts = np.bincount(rows[2])
    chosen = np.argsort(-counts, kind="stable")[:n_items]
    chosen = chosen[counts[chosen] > 0]
    if len(chosen) < 2:
        raise BadInputError(
            f"expected at least two categories bought in the training range, its first "
            f"{int(in_training.sum()):,} of {len(code):,} purchases, got {len(chosen)}"
        )
    return np.asarray(chosen, np.int64)


def _distinct(*columns: NDArray[np.int64]) -> list[NDArray[np.int64]]:
    """Return the distinct rows, sorted by the first column, then the second, and so on."""
    sizes = [int(column.max(initial=0)) + 1 for column in columns]
    joined = np.unique(np.ravel_multi_index(columns, sizes))
    return [np.asarray(part, np.int64) for part in np.unravel_index(joined, sizes)]


def _rows_of(days: NDArray[np.int64], day: int) -> slice:
    first, last = np.searchsorted(days, [day, day + 1])
    return slice(int(first), int(last))
