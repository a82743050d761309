"""Recency, frequency and rhythm as a table: the baseline of the house, and its fallback.

Histories and query times enter; context vectors, item log-probabilities and slot chances leave,
as from the two-stream encoder, without a network. Every personal count is shrunk to the
population's: a new user gets the population (empirical Bayes, Efron and Morris 1975; the rate's
prior is a gamma).
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bandit.draws import Stream, generator
from bandit.errors import BadInputError, expect_shape
from bandit.events import Histories
from encoders.answer import Answer, expect_items, expect_slots, expect_times, expect_zone
from encoders.clock import clock_cells, local_ms
from encoders.ragged import spans
from encoders.recency_counts import Counts, recency_counts
from encoders.targets import event_questions, gap_questions
from encoders.tokens import Queries, TokenTable, events_before, queries_of, tokens_of

__all__ = ["TabularParameters", "TabularRecencyEncoder"]

_MS_PER_HOUR = 3_600_000
_N_FREQUENT = 12
_RECENCY_EDGES_H = (6.0, 24.0, 48.0, 96.0, 168.0, 336.0, 672.0)
_HALF_LIVES_D = (30.0, 90.0, 365.0)
_PRIORS = (5.0, 20.0, 80.0)
_N_TRIED = 4000


@dataclass(frozen=True, slots=True, kw_only=True)
class TabularParameters:
    """What the population taught; ``*_prior`` are pseudo-counts of it in every user."""

    from_ms: int  # when observation began
    popularity: NDArray[np.float64]  # (V,) share of each item
    hour: NDArray[np.float64]  # (24,) share of each local hour
    weekday: NDArray[np.float64]  # (7,)
    rate_per_h: float  # events of an average user
    recency_factor: NDArray[np.float64]  # (9,) activity by time since last, against the rate
    item_half_life_d: float = 90.0
    item_prior: float = 20.0
    rhythm_half_life_d: float = 120.0
    rhythm_prior: float = 8.0
    rate_prior: float = 2.0

    def __post_init__(self) -> None:
        expect_shape("popularity", self.popularity, (-1,))
        expect_shape("hour", self.hour, (24,))
        expect_shape("weekday", self.weekday, (7,))
        expect_shape("recency_factor", self.recency_factor, (len(_RECENCY_EDGES_H) + 2,))


class TabularRecencyEncoder:
    """Time since last, faded frequencies by item, hour and weekday, shrunk to the population.

    Parameters
    ----------
    parameters : TabularParameters
        From :meth:`fit`.
    zone : str or None
        IANA zone of the users; the clock is UTC's where unknown.
    notes : mapping, optional
        How it was fitted, kept with the artefact.
    """

    def __init__(
        self,
        parameters: TabularParameters,
        *,
        zone: str | None,
        notes: Mapping[str, Any] | None = None,
    ) -> None:
        self.parameters = parameters
        self.notes = dict(notes or {})
        self.zone = expect_zone(zone)
        self._frequent = np.argsort(-parameters.popularity, kind="stable")[:_N_FREQUENT]

    @classmethod
    def fit(
        cls, histories: Histories, *, zone: str | None, until_ms: int, n_items: int, key: int
    ) -> TabularRecencyEncoder:
        """Learn the population's shares and rates from events before ``until_ms``.

        The half-life and the prior of item counts are those with the best log-likelihood of
        later baskets of the training range given earlier ones.

        Raises
        ------
        BadInputError
            If no event lies before ``until_ms``.
        """
        tokens = _tokens_before(histories, until_ms, n_items)
        if tokens.n_tokens == 0:
            raise BadInputError(f"expected events before {until_ms}, got none")
        from_ms = int(tokens.at_ms.min())
        hour, weekday = clock_cells(tokens.at_ms, zone)
        exposed_h = histories.n_users * max((until_ms - from_ms) / _MS_PER_HOUR, 1.0)
        parameters = TabularParameters(
            from_ms=from_ms,
            popularity=_shares(tokens.basket_item, n_items),
            hour=_shares(hour, 24),
            weekday=_shares(weekday, 7),
            rate_per_h=tokens.n_tokens / exposed_h,
            recency_factor=np.ones(len(_RECENCY_EDGES_H) + 2),
        )
        rng = generator(key, stream=Stream.INITIAL)
        parameters = _with_best_counts(parameters, tokens, zone, until_ms=until_ms, rng=rng)
        factor = _recency_factor(parameters, tokens, zone, until_ms=until_ms, rng=rng)
        notes = {"n_users": histories.n_users, "n_tokens": tokens.n_tokens, "until_ms": until_ms}
        return cls(replace(parameters, recency_factor=factor), zone=zone, notes=notes)

    @property
    def encoder_id(self) -> str:
        """Name made of the parameters: equal ids give equal vectors."""
        digest = hashlib.blake2b(digest_size=6)
        for field in fields(self.parameters):
            digest.update(np.asarray(getattr(self.parameters, field.name)).tobytes())
        digest.update(str(self.zone).encode())
        return f"tabular-{digest.hexdigest()}"

    @property
    def n_features(self) -> int:
        """Length of a context vector: recency 2, rate 1, clock 4, hours 6, items."""
        return 13 + len(self._frequent)

    @property
    def n_leading(self) -> int:
        """How many leading coordinates are meant for a bandit: all of them."""
        return self.n_features

    def encode(self, histories: Histories, at_ms: NDArray[np.int64]) -> NDArray[np.float64]:
        """Return context vectors (N, T, D); events at or after a time do not count for it."""
        return self._answer(
            histories, at_ms, (self.n_features,), lambda c, q: (self._context(c, q),)
        )[0]

    def item_scores(
        self,
        histories: Histories,
        at_ms: NDArray[np.int64],
        *,
        items: NDArray[np.int64] | None = None,
    ) -> NDArray[np.float64]:
        """Return log-probabilities (N, T, V) of the next item, or only the columns ``items``."""
        chosen = expect_items(items, len(self.parameters.popularity))
        return self._answer(
            histories, at_ms, (len(chosen),), lambda c, _: (self._item_scores(c, chosen),)
        )[0]

    def slot_probabilities(
        self,
        histories: Histories,
        at_ms: NDArray[np.int64],
        *,
        start_ms: NDArray[np.int64],
        end_ms: NDArray[np.int64],
    ) -> NDArray[np.float64]:
        """Return the chance (N, T, S) of an event in [start, end), as seen from ``at_ms``.

        The rate is personal, follows the personal clock and is scaled by what the population
        does this long after its last event. What lies before ``at_ms`` counts as no time.
        """
        at = expect_times(histories, at_ms)
        start, end = expect_slots(at, start_ms=start_ms, end_ms=end_ms)
        return self._answer(
            histories, at, (start.shape[1],), lambda c, q: (self._slot_chance(c, q, start, end),)
        )[0]

    def answer(
        self,
        histories: Histories,
        at_ms: NDArray[np.int64],
        *,
        items: NDArray[np.int64],
        start_ms: NDArray[np.int64],
        end_ms: NDArray[np.int64],
    ) -> Answer:
        """Return context, scores of ``items`` and slot chances of the same queries in one pass."""
        at = expect_times(histories, at_ms)
        start, end = expect_slots(at, start_ms=start_ms, end_ms=end_ms)
        chosen = expect_items(items, len(self.parameters.popularity))
        context, scores, chances = self._answer(
            histories,
            at,
            (self.n_features, len(chosen), start.shape[1]),
            lambda counts, queries: (
                self._context(counts, queries),
                self._item_scores(counts, chosen),
                self._slot_chance(counts, queries, start, end),
            ),
        )
        return Answer(context=context, item_scores=scores, slot_probabilities=chances)

    def _context(self, counts: Counts, queries: Queries) -> NDArray[np.float64]:
        gap_h = np.maximum(queries.gap_ms[counts.query], 0) / _MS_PER_HOUR
        is_new = queries.seen[counts.query] == 0
        at = queries.at_ms[counts.query]
        hour, weekday = clock_cells(at, self.zone)
        day, week = 2 * np.pi * hour / 24, 2 * np.pi * weekday / 7
        rhythm = _shrunk(counts.hour, self.parameters.hour, self.parameters.rhythm_prior)
        items = _shrunk(counts.item, self.parameters.popularity, self.parameters.item_prior)
        prior = self.parameters.popularity[self._frequent]
        scalars = (
            np.where(is_new, 0.0, np.log1p(gap_h)),
            is_new,
            np.log(_rate(self.parameters, counts, at) / self.parameters.rate_per_h),
            np.sin(day),
            np.cos(day),
            np.sin(week),
            np.cos(week),
        )
        four_hours = rhythm.reshape(-1, 6, 4).sum(axis=2)
        frequent = np.log(items[:, self._frequent] / prior)
        return np.column_stack([*scalars, four_hours, frequent])

    def _item_scores(self, counts: Counts, items: NDArray[np.int64]) -> NDArray[np.float64]:
        prior = self.parameters.popularity
        return np.log(_shrunk(counts.item, prior, self.parameters.item_prior)[:, items])

    def _slot_chance(
        self,
        counts: Counts,
        queries: Queries,
        start_ms: NDArray[np.int64],
        end_ms: NDArray[np.int64],
    ) -> NDArray[np.float64]:
        at = queries.at_ms[counts.query]
        begin = np.maximum(start_ms[counts.query], at[:, None])
        end = np.maximum(end_ms[counts.query], begin)
        rate_per_h = _rate(self.parameters, counts, at)
        rate_per_h = rate_per_h * self.parameters.recency_factor[_recency_bin(queries, counts)]
        clock_h = _clock_hours(self.parameters, counts, begin, end, zone=self.zone)
        return np.asarray(-np.expm1(-rate_per_h[:, None] * clock_h))

    def _answer(
        self,
        histories: Histories,
        at_ms: NDArray[np.int64],
        widths: tuple[int, ...],
        read: Callable[[Counts, Queries], tuple[NDArray[np.float64], ...]],
    ) -> tuple[NDArray[np.float64], ...]:
        """Count once over all queries and collect what ``read`` takes from the counts."""
        at = expect_times(histories, at_ms)
        n_items = len(self.parameters.popularity)
        tokens = tokens_of(histories, pool_ties=True, n_items=n_items)
        queries = queries_of(tokens, np.repeat(np.arange(len(at)), at.shape[1]), at.ravel())
        found = tuple(np.empty((at.size, width)) for width in widths)
        for counts in _counts(self.parameters, tokens, queries, self.zone):
            for column, values in zip(found, read(counts, queries), strict=True):
                column[counts.query] = values
        return tuple(column.reshape(*at.shape, column.shape[1]) for column in found)


def _counts(
    parameters: TabularParameters, tokens: TokenTable, queries: Queries, zone: str | None
) -> Iterator[Counts]:
    return recency_counts(
        tokens,
        queries,
        zone=zone,
        n_items=len(parameters.popularity),
        item_half_life_d=parameters.item_half_life_d,
        rhythm_half_life_d=parameters.rhythm_half_life_d,
    )


def _shrunk(
    counts: NDArray[np.float64], share: NDArray[np.float64], prior: float
) -> NDArray[np.float64]:
    total = counts.sum(axis=1, keepdims=True)
    return np.asarray((counts + prior * share) / (total + prior))


def _rate(
    parameters: TabularParameters, counts: Counts, at_ms: NDArray[np.int64]
) -> NDArray[np.float64]:
    """Events per hour: the mean of the gamma posterior over faded events and faded exposure."""
    fade_h = parameters.rhythm_half_life_d * 24 / np.log(2)
    observed_h = np.maximum(at_ms - parameters.from_ms, 0) / _MS_PER_HOUR
    exposed_h = -fade_h * np.expm1(-observed_h / fade_h)
    prior = parameters.rate_prior
    events = counts.hour.sum(axis=1) + prior
    return np.asarray(events / (exposed_h + prior / parameters.rate_per_h))


def _recency_bin(queries: Queries, counts: Counts) -> NDArray[np.int64]:
    gap_h = queries.gap_ms[counts.query] / _MS_PER_HOUR
    binned = np.searchsorted(_RECENCY_EDGES_H, gap_h, side="right")
    return np.where(queries.seen[counts.query] > 0, binned, len(_RECENCY_EDGES_H) + 1)


def _clock_hours(
    parameters: TabularParameters,
    counts: Counts,
    begin: NDArray[np.int64],
    end: NDArray[np.int64],
    *,
    zone: str | None,
) -> NDArray[np.float64]:
    """Length of slots (Q, S) in hours of average activity, by each user's own clock.

    Slots are cut at full local hours, so that a part has one rate; parts beyond a slot's end
    have no length, and what else is asked in the same call changes nothing.
    """
    hour = 24 * _shrunk(counts.hour, parameters.hour, parameters.rhythm_prior)
    weekday = 7 * _shrunk(counts.weekday, parameters.weekday, parameters.rhythm_prior)
    total, rows, since = np.zeros(begin.shape), np.arange(len(begin))[:, None], begin
    while (since < end).any():
        to_full_hour = _MS_PER_HOUR - local_ms(since, zone or "UTC") % _MS_PER_HOUR
        until = np.minimum(since + to_full_hour, end)
        at_hour, at_weekday = clock_cells(since, zone)
        total += hour[rows, at_hour] * weekday[rows, at_weekday] * (until - since)
        since = until
    return total / _MS_PER_HOUR


def _tokens_before(histories: Histories, until_ms: int, n_items: int) -> TokenTable:
    return tokens_of(events_before(histories, until_ms), pool_ties=True, n_items=n_items)


def _shares(codes: NDArray[np.int64], n_codes: int) -> NDArray[np.float64]:
    counts = np.bincount(codes, minlength=n_codes) + 0.5
    return np.asarray(counts / counts.sum())


def _with_best_counts(
    parameters: TabularParameters,
    tokens: TokenTable,
    zone: str | None,
    *,
    until_ms: int,
    rng: np.random.Generator,
) -> TabularParameters:
    asked = event_questions(tokens, np.arange(len(tokens.start) - 1))
    late = np.flatnonzero(asked.at_ms >= parameters.from_ms + 0.6 * (until_ms - parameters.from_ms))
    late = rng.permutation(late)[:_N_TRIED]
    if not len(late):
        return parameters
    queries = queries_of(tokens, asked.row[late], asked.at_ms[late])
    begin, end = asked.basket_from[late], asked.basket_to[late]
    best, best_score = parameters, -np.inf
    for half_life_d in _HALF_LIVES_D:
        tried = replace(parameters, item_half_life_d=half_life_d)
        scores = np.zeros(len(_PRIORS))
        for counts in _counts(tried, tokens, queries, zone):
            place, owner = spans(begin[counts.query], end[counts.query])
            item = tokens.basket_item[place]
            weight = 1 / (end - begin)[counts.query][owner]
            for p, prior in enumerate(_PRIORS):
                share = _shrunk(counts.item, parameters.popularity, prior)[owner, item]
                scores[p] += (weight * np.log(share)).sum()
        if scores.max() > best_score:
            best_score = scores.max()
            best = replace(tried, item_prior=_PRIORS[int(scores.argmax())])
    return best


def _recency_factor(
    parameters: TabularParameters,
    tokens: TokenTable,
    zone: str | None,
    *,
    until_ms: int,
    rng: np.random.Generator,
) -> NDArray[np.float64]:
    """Active within a day against what the rate alone expects, by time since the last event."""
    rows = np.arange(len(tokens.start) - 1)
    asked = gap_questions(
        tokens, rows, from_ms=parameters.from_ms, until_ms=until_ms, every_days=14.0, rng=rng
    )
    queries = asked.queries(tokens)
    n_bins = len(_RECENCY_EDGES_H) + 2
    active, expected = np.full(n_bins, 1.0), np.full(n_bins, 1.0)
    day_ms = 24 * _MS_PER_HOUR
    for counts in _counts(parameters, tokens, queries, zone):
        at = asked.at_ms[counts.query]
        rate_per_h = _rate(parameters, counts, at)
        whole = at + day_ms <= until_ms
        clock_h = _clock_hours(parameters, counts, at[:, None], at[:, None] + day_ms, zone=zone)
        passed = np.where(whole, rate_per_h * clock_h[:, 0], 0.0)
        bins = _recency_bin(queries, counts)
        hit = whole & asked.is_event[counts.query] & (asked.wait_h[counts.query] < 24)
        # A day with activity counts the events that a constant rate with that chance would have.
        active += np.bincount(bins, hit, n_bins)
        expected += np.bincount(bins, -np.expm1(-passed), n_bins)
    return np.asarray(active / expected)
