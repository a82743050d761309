"""One user on several devices: links enter, the one id of every user at any time leaves.

A device is a user id like any other until a link says whose it is. A link counts from its time
on: it joins histories, features and *future* decisions; logged decisions keep the id they were
made for (DESIGN §4 *Replay*). The canonical id of an identity is the id that its links lead to,
the one that has no link of its own. Each id has one link, the earliest; what else is said of it
is refused and counted, so that a tablet which two people use never makes one person of them.

Who decides tells everybody whom it concerns: ``merge_events`` before encoding, ``resolve``
before observing, ``Guardrails.link``, ``Joiner.links`` and ``Holdout.links``; reports are made
on the rows that :func:`comparable` keeps.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, fields, replace

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from bandit.errors import BadInputError, expect_shape
from bandit.events import Events, canonical_order
from bandit.ingest import plain_column
from bandit.timestamps import to_epoch_ms
from bandit.vocabulary import is_missing

__all__ = ["Comparable", "Links", "comparable", "links_of", "merge_events", "merged_across_groups"]

Whole = NDArray[np.int64]
Truth = NDArray[np.bool_]

_FOREVER = np.iinfo(np.int64).max


@dataclass(frozen=True, slots=True, kw_only=True)
class Links:
    """L links, one a device, free of cycles; made by :meth:`of`.

    Examples
    --------
    >>> links = Links.of(np.array([7, 8]), np.array([1, 7]), at_ms=np.array([100, 200]))
    >>> links.resolve(np.array([7, 8, 9])).tolist()
    [1, 1, 9]
    >>> links.resolve(np.array([7, 8, 9]), at_ms=150).tolist()
    [1, 8, 9]
    """

    device: Whole  # (L,) ascending, each once
    user: Whole  # (L,) whose it is; may have a link of its own
    at_ms: Whole  # (L,) from when on that is known
    refused: dict[str, int] = field(default_factory=dict)  # links left out, by reason

    @classmethod
    def of(cls, device: Whole, user: Whole, *, at_ms: Whole) -> Links:
        """Make links of rows in any order.

        Left out and counted: a *self-link*; a link that is *repeated*, or says what others say
        already; one that is *conflicting*, because its device has an earlier link to somebody
        else (at equal times to a smaller id); and the latest link of a *cycle*.

        Parameters
        ----------
        device, user : ndarray of int64, (M,)
            User codes; of one space, because a device decides like a user until it is linked.
        at_ms : ndarray of int64, (M,)
            When each link became known.
        """
        device, user, at_ms = (np.asarray(c, np.int64) for c in (device, user, at_ms))
        expect_shape("user", user, (len(device),), "one user a link")
        expect_shape("at_ms", at_ms, (len(device),), "one instant a link")
        refused = {"self-link": int((device == user).sum())}
        rows = np.flatnonzero(device != user)
        rows = rows[np.lexsort((user[rows], at_ms[rows], device[rows]))]
        first = rows[np.unique(device[rows], return_index=True)[1]]
        kept = _without_cycles(device[first], user[first], at_ms[first])
        refused["cyclic"] = len(first) - len(kept)
        first = first[kept]
        links = cls(device=device[first], user=user[first], at_ms=at_ms[first], refused=refused)
        others = np.setdiff1d(rows, first)
        agrees = links.resolve(device[others]) == links.resolve(user[others])
        refused["repeated"] = int(agrees.sum()) - refused["cyclic"]
        refused["conflicting"] = int((~agrees).sum())
        return links

    @property
    def n_rows(self) -> int:
        """Number of links L."""
        return len(self.device)

    @property
    def ids(self) -> Whole:
        """Every id that a link names, ascending."""
        return np.union1d(self.device, self.user)

    def until(self, at_ms: int) -> Links:
        """Return the links known at an instant; one made at that very instant is."""
        rows = self.at_ms <= at_ms
        return replace(self, device=self.device[rows], user=self.user[rows], at_ms=self.at_ms[rows])

    def resolve(self, user: Whole, *, at_ms: int | Whole | None = None) -> Whole:
        """Canonical id of each user or device, any shape.

        Parameters
        ----------
        user : ndarray of int64
            Ids; one without a link is its own.
        at_ms : int or ndarray, optional
            As of when, one instant or one an id; all links count without it.
        """
        found = np.array(user, np.int64)
        flat = found.reshape(-1)
        asked = np.broadcast_to(np.asarray(_FOREVER if at_ms is None else at_ms), found.shape)
        limit = np.array(asked).reshape(-1)
        moving = np.arange(flat.size if self.n_rows else 0)
        # A turn a link: a chain is as long as the number of accounts that were joined one by one.
        while len(moving):
            where = np.minimum(np.searchsorted(self.device, flat[moving]), self.n_rows - 1)
            goes = (self.device[where] == flat[moving]) & (self.at_ms[where] <= limit[moving])
            moving = moving[goes]
            flat[moving] = self.user[where[goes]]
        return found

    def owners(self, user: Whole) -> tuple[Whole, Whole]:
        """Every id that each of N ids leads to, now or once: (position in ``user``, owner) pairs.

        Examples
        --------
        >>> links = Links.of(np.array([7, 8]), np.array([1, 7]), at_ms=np.array([200, 100]))
        >>> [found.tolist() for found in links.owners(np.array([8, 9]))]
        [[0, 0], [7, 1]]
        """
        rows, current = np.arange(len(user)), np.array(user, np.int64)
        found = [(rows[:0], current[:0])]
        while self.n_rows and len(rows):
            where = np.minimum(np.searchsorted(self.device, current), self.n_rows - 1)
            goes = self.device[where] == current
            rows, current = rows[goes], self.user[where[goes]]
            found.append((rows, current))
        position, owner = (np.concatenate(part) for part in zip(*found, strict=True))
        return position, owner


def links_of(table: pa.Table, users: pa.Array) -> tuple[Links, pa.Array]:
    """Read a link table with columns ``device``, ``user`` and ``time``.

    Parameters
    ----------
    table : pyarrow.Table
        One link a row, ids as in the file of events, where a device that nobody has signed in on
        stands in the column of users.
    users : pyarrow.Array
        The vocabulary of users: position is the code.

    Returns
    -------
    links : Links
        In codes.
    users : pyarrow.Array
        The vocabulary with unseen ids appended; codes given before stay as they are. It becomes
        text where numbers of users meet devices with names.

    Raises
    ------
    BadInputError
        For missing columns, cells or unreadable times, and lists where ids belong.
    """
    missing = [name for name in ("device", "user", "time") if name not in table.column_names]
    if missing:
        raise BadInputError(
            f"expected columns device, user, time, missing: {', '.join(missing)}; got "
            f"{table.column_names}"
        )
    at_ms, readable = to_epoch_ms(table["time"])
    columns, users = _of_one_kind([table["device"], table["user"]], users)
    usable = readable & ~is_missing(columns[0]) & ~is_missing(columns[1])
    if not usable.all():
        row = int(np.argmin(usable))
        raise BadInputError(
            f"expected a device, a user and a time in every link, got {table.slice(row, 1)} "
            f"in row {row}: leave out what is not linked".replace("\n", " ")
        )
    named = pc.unique(pa.chunked_array(columns))
    unseen = named.filter(pc.invert(pc.is_in(named, value_set=users)))
    users = pa.concat_arrays([users, unseen.take(pc.sort_indices(unseen))])
    device, user = (np.asarray(pc.index_in(c, value_set=users), np.int64) for c in columns)
    return Links.of(device, user, at_ms=at_ms), users


def _of_one_kind(
    columns: list[pa.ChunkedArray], users: pa.Array
) -> tuple[list[pa.Array], pa.Array]:
    """Ids of links in the type of the vocabulary, or all of them as text."""
    plain = [plain_column(c, "the ids of links").combine_chunks() for c in columns]
    try:
        cast = [c.cast(users.type) for c in plain]
        # The device 007 is not the user 7.
        is_same = all(c.cast(p.type).equals(p) for c, p in zip(cast, plain, strict=True))
    except pa.ArrowException:
        is_same = False
    if is_same:
        return cast, users
    return [c.cast(pa.string()) for c in plain], users.cast(pa.string())


def merge_events(events: Events, links: Links, *, at_ms: int | None = None) -> Events:
    """Give every event to the user whose it is, in canonical order.

    Parameters
    ----------
    events : Events
        Of devices and users.
    links : Links
        What is known of them.
    at_ms : int, optional
        As of when; a link claims the whole history of its device, before it as well.
    """
    owned = {f.name: getattr(events, f.name) for f in fields(events)}
    owned["user"] = links.resolve(events.user, at_ms=at_ms)
    merged = Events(**owned)
    order = canonical_order(
        user=merged.user,
        at_ms=merged.at_ms,
        action=merged.action,
        item=merged.item,
        rest=(merged.category, merged.amount, merged.rating),
    )
    return merged.take(order)


def merged_across_groups(links: Links, holds_out: Callable[[Whole], Truth]) -> Whole:
    """Canonical ids of users some of whose ids are held out and some are not.

    Parameters
    ----------
    links : Links
        What is known by now.
    holds_out : callable
        The assignment of single ids, such as :meth:`bandit.holdout.Holdout.draws`.
    """
    ids = links.ids
    canonical, held = links.resolve(ids), holds_out(ids)
    return np.intersect1d(canonical[held], canonical[~held])


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparable:
    """Which of N rows may enter a comparison of groups, and what was left out."""

    rows: Truth  # (N,) True to keep
    user: Whole  # (N,) canonical id of each row: the cluster of intervals
    n_users_left_out: int
    n_rows_left_out: int


def comparable(user: Whole, links: Links, holds_out: Callable[[Whole], Truth]) -> Comparable:
    """Leave out the rows of users who were merged across experiment groups, and count them.

    They have been in both groups, whichever they are in now.

    Parameters
    ----------
    user : ndarray, (N,)
        Ids as logged.
    links, holds_out
        See :func:`merged_across_groups`.

    Notes
    -----
    A user of m ids stays with probability s^m in a holdout of share s and (1 − s)^m outside:
    users of several devices are under-represented in a small holdout. Compare users of one
    device apart where that matters.
    """
    canonical = links.resolve(user)
    is_out = np.isin(canonical, merged_across_groups(links, holds_out))
    return Comparable(
        rows=~is_out,
        user=canonical,
        n_users_left_out=len(np.unique(canonical[is_out])),
        n_rows_left_out=int(is_out.sum()),
    )


def _without_cycles(device: Whole, user: Whole, at_ms: Whole) -> Whole:
    """Rows to keep so that no chain of links comes back to its start.

    With one link an id, a cycle is left open by dropping one of its links; the latest, so that
    what was known before it stays as it was.
    """
    ids = np.union1d(device, user)
    ahead = np.arange(len(ids))
    ahead[np.searchsorted(ids, device)] = np.searchsorted(ids, user)
    link = np.full(len(ids), -1)
    link[np.searchsorted(ids, device)] = np.arange(len(device))
    least, jump = np.arange(len(ids)), ahead.copy()
    for _ in range(len(ids).bit_length()):
        least = np.minimum(least, least[jump])  # over as many steps as the jump is long
        jump = jump[jump]
    on_cycle = np.unique(jump)
    on_cycle = on_cycle[link[on_cycle] >= 0]
    closing = link[on_cycle]
    order = np.lexsort((device[closing], at_ms[closing], least[on_cycle]))
    label = least[on_cycle][order]
    is_last = np.append(label[1:] != label[:-1], True)[: len(label)]
    return np.setdiff1d(np.arange(len(device)), closing[order][is_last])
