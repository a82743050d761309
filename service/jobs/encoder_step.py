"""The main job's first step: train an encoder on the training range and say how good it is.

A shop's purchases enter; skill tables (next category, activity by window), and what the encoder
says at each local midnight of the online days, leave. Baselines beside it: popularity of the
last seven days, each household's own histogram, and the tabular recency encoder. Nothing after
the training range trains anything; at a query only what lies strictly before it is read.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from bandit.events import Histories, histories_of
from service.jobs.encoder_skill import ItemSums, item_sums, skill_table, slot_sums
from service.jobs.purchase_features import EncodedDays
from service.jobs.purchases import Purchases

__all__ = ["EncoderStep", "encoder_step"]

Array = NDArray[np.float64]

_HOUSEHOLDS_AT_ONCE = 256
_CELLS_AT_ONCE = 10_000_000  # baskets × categories of one padded answer
_WEEK = 7
_AGAINST = "tabular recency"


@dataclass(frozen=True, slots=True, kw_only=True)
class EncoderStep:
    """What the step hands on; ``report`` is plain and goes into ``metrics.json``."""

    report: dict[str, Any]
    next_item: pa.Table  # row, metric, value, low, high, difference …
    active_in_slot: pa.Table
    calibration: pa.Table  # predicted, active, n of the encoder's slot chances
    encoded: EncodedDays


class _Foretells(Protocol):
    def item_scores(
        self, histories: Histories, at_ms: NDArray[np.int64], *, items: NDArray[np.int64] | None
    ) -> Array: ...

    def slot_probabilities(
        self,
        histories: Histories,
        at_ms: NDArray[np.int64],
        *,
        start_ms: NDArray[np.int64],
        end_ms: NDArray[np.int64],
    ) -> Array: ...


def encoder_step(
    shop: Purchases,
    *,
    key: int,
    folder: Path | None = None,
    encode_from: int | None = None,
    epochs: int | None = None,
    is_quiet: bool = False,
) -> EncoderStep:
    """Train on the training range, measure on the online range, encode every midnight.

    Parameters
    ----------
    shop : Purchases
        The purchases, their days and windows.
    key : int
        Seeds training and the bootstrap.
    folder : Path, optional
        Where the artefact goes.
    encode_from : int, optional
        First day whose midnight is encoded; the first online day by default. Earlier days lie
        inside the training range: what the encoder says of them is in-sample.
    epochs : int, optional
        Fewer or more passes than the default.
    is_quiet : bool
        Show no progress bar.
    """
    from encoders.artefact import save_encoder
    from encoders.tabular import TabularRecencyEncoder

    n_codes = int(shop.events.item.max()) + 1
    everyone = histories_of(shop.events, np.arange(shop.n_users))
    started = time.monotonic()
    encoder = _trained(shop, everyone, n_codes, key=key, epochs=epochs, is_quiet=is_quiet)
    train_seconds = time.monotonic() - started
    if folder is not None:
        save_encoder(encoder, folder)
    tabular = TabularRecencyEncoder.fit(
        everyone, zone=shop.zone, until_ms=shop.train_until_ms, n_items=n_codes, key=key
    )
    rows: dict[str, _Foretells] = {
        "two-stream encoder": encoder,
        _AGAINST: tabular,
        "personal histogram": _histogram(tabular),
    }
    with _bar("measuring", (len(rows) + 1) * 2 * len(_chunks(shop)), is_quiet) as bar:
        items = {n: _item_skill(shop, foretells, bar) for n, foretells in rows.items()}
        items["popularity, 7 days"] = _popularity_skill(shop, n_codes)
        started = time.monotonic()
        first_day = shop.train_days if encode_from is None else encode_from
        encoded = _encoded(shop, encoder, bar, first_day=first_day)
        encode_seconds = time.monotonic() - started
        chances = {
            n: _chances(shop, foretells, bar)
            for n, foretells in rows.items()
            if foretells is not encoder
        }
        online = encoded.slot_probabilities[:, shop.train_days - first_day :]
        chances = {"two-stream encoder": online} | chances
    happened = _happened(shop)
    slots = {n: slot_sums(chance, happened) for n, chance in chances.items()}
    slots["popularity, 7 days"] = slot_sums(_weekly_chance(shop), happened)
    return EncoderStep(
        report={
            "encoder_id": encoder.encoder_id,
            "n_households": shop.n_users,
            "n_categories": n_codes,
            "n_baskets": int(items[_AGAINST].n.sum()),
            "n_windows": int(happened.size),
            "train_seconds": round(train_seconds, 1),
            "encode_seconds": round(encode_seconds, 1),
            "fit": encoder.notes,
        },
        next_item=skill_table(items, against=_AGAINST, key=key),
        active_in_slot=skill_table(slots, against=_AGAINST, key=key),
        calibration=slots["two-stream encoder"].calibration(),
        encoded=encoded,
    )


def _trained(
    shop: Purchases,
    everyone: Histories,
    n_codes: int,
    *,
    key: int,
    epochs: int | None,
    is_quiet: bool,
) -> Any:
    from encoders.config import EncoderConfig, TrainingConfig
    from encoders.training import train

    how = TrainingConfig() if epochs is None else TrainingConfig(epochs=epochs)
    with _bar("training the encoder", 1000, is_quiet) as bar:

        def progress(share: float, text: str) -> None:
            bar.set_postfix_str(text, refresh=False)
            bar.update(round(1000 * share) - bar.n)

        return train(
            everyone,
            zone=shop.zone,
            until_ms=shop.train_until_ms,
            config=EncoderConfig(n_items=n_codes),
            key=key,
            training=how,
            progress=progress,
        )


def _histogram(tabular: Any) -> Any:
    """Each household's own counts, all of its past alike, shrunk to the population."""
    from encoders.tabular import TabularRecencyEncoder

    never = 1e6
    parameters = replace(
        tabular.parameters,
        item_half_life_d=never,
        rhythm_half_life_d=never,
        recency_factor=np.ones_like(tabular.parameters.recency_factor),
    )
    return TabularRecencyEncoder(parameters, zone=tabular.zone)


def _chunks(shop: Purchases) -> list[NDArray[np.int64]]:
    """Households in groups of as many late baskets, so that a group's padded answers stay small."""
    everyone = histories_of(shop.events, np.arange(shop.n_users))
    late = _late_baskets(everyone, shop.train_until_ms)
    n_baskets = np.bincount(late.row, minlength=shop.n_users)
    order = np.argsort(n_baskets, kind="stable")
    n_codes = int(shop.events.item.max()) + 1
    groups, begin = [], 0
    while begin < len(order):
        end = min(begin + _HOUSEHOLDS_AT_ONCE, len(order))
        while (end - begin) * n_baskets[order[end - 1]] * n_codes > _CELLS_AT_ONCE:
            if end == begin + 1:
                break
            end = begin + (end - begin + 1) // 2
        groups.append(np.asarray(order[begin:end], np.int64))
        begin = end
    return groups


def _item_skill(shop: Purchases, foretells: _Foretells, bar: Any) -> ItemSums:
    total: ItemSums | None = None
    for users in _chunks(shop):
        part = _chunk_item_skill(shop, foretells, users)
        total = part if total is None else total + part
        bar.update(1)
    if total is None:
        raise AssertionError("a shop has households")
    return total


def _chunk_item_skill(shop: Purchases, foretells: _Foretells, users: NDArray[np.int64]) -> ItemSums:
    histories = histories_of(shop.events, users)
    basket = _late_baskets(histories, shop.train_until_ms)
    n_each = np.bincount(basket.row, minlength=len(users))
    place = np.arange(len(basket.row)) - (np.cumsum(n_each) - n_each)[basket.row]
    at_ms = np.full((len(users), max(int(n_each.max(initial=0)), 1)), shop.train_until_ms)
    at_ms[basket.row, place] = basket.at_ms
    log_p = foretells.item_scores(histories, at_ms, items=None)[basket.row, place]
    return item_sums(
        log_p,
        household=users[basket.row],
        n_households=shop.n_users,
        target_row=basket.target_row,
        target_item=basket.target_item,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Baskets:
    """Instants with purchases in the online range, and the distinct items of each."""

    row: NDArray[np.int64]  # (Q,) history
    at_ms: NDArray[np.int64]  # (Q,)
    target_row: NDArray[np.int64]  # (P,) position of the basket
    target_item: NDArray[np.int64]  # (P,)


def _late_baskets(histories: Histories, from_ms: int) -> _Baskets:
    row = np.repeat(np.arange(histories.n_users), np.diff(histories.offsets))
    late = np.flatnonzero(histories.events.at_ms >= from_ms)
    row, at_ms = row[late], histories.events.at_ms[late]
    item = histories.events.item[late]
    is_first = np.ones(len(late), np.bool_)
    is_first[1:] = (np.diff(row) != 0) | (np.diff(at_ms) != 0)
    basket = np.cumsum(is_first) - 1
    pairs = np.unique(np.column_stack([basket, item]), axis=0).reshape(-1, 2)
    return _Baskets(
        row=row[is_first],
        at_ms=at_ms[is_first],
        target_row=pairs[:, 0],
        target_item=pairs[:, 1],
    )


def _popularity_skill(shop: Purchases, n_codes: int) -> ItemSums:
    """Categories by how many baskets of the last seven whole days held them."""
    everyone = histories_of(shop.events, np.arange(shop.n_users))
    starts = shop.edges_ms[:, 0]
    past = _late_baskets(everyone, int(starts[shop.train_days - _WEEK]))
    past_day = np.searchsorted(starts, past.at_ms, side="right") - 1
    daily = np.zeros((shop.n_days, n_codes))
    np.add.at(daily, (past_day[past.target_row], past.target_item), 1.0)
    basket = _late_baskets(everyone, shop.train_until_ms)
    day = np.searchsorted(starts, basket.at_ms, side="right") - 1
    total: ItemSums | None = None
    for today in shop.online_days:
        mine = np.flatnonzero(day == today)
        counts = daily[today - _WEEK : today].sum(axis=0) + 1.0
        place = np.flatnonzero(day[basket.target_row] == today)
        part = item_sums(
            np.tile(np.log(counts / counts.sum()), (len(mine), 1)),
            household=basket.row[mine],
            n_households=shop.n_users,
            target_row=np.searchsorted(mine, basket.target_row[place]),
            target_item=basket.target_item[place],
        )
        total = part if total is None else total + part
    if total is None:
        raise AssertionError("a shop has online days")
    return total


def _midnights(
    shop: Purchases, n_rows: int, *, first_day: int | None = None
) -> tuple[NDArray[np.int64], ...]:
    first = shop.train_days if first_day is None else first_day
    edges = shop.edges_ms[first:]  # (T, S + 1)
    shape = (n_rows, len(edges), shop.n_slots)
    return (
        np.broadcast_to(edges[:, 0], shape[:2]),
        np.broadcast_to(edges[:, :-1], shape),
        np.broadcast_to(edges[:, 1:], shape),
    )


def _chances(shop: Purchases, foretells: _Foretells, bar: Any) -> Array:
    found = np.empty((shop.n_users, len(shop.online_days), shop.n_slots))
    for users in _chunks(shop):
        at_ms, start_ms, end_ms = _midnights(shop, len(users))
        found[users] = foretells.slot_probabilities(
            histories_of(shop.events, users), at_ms, start_ms=start_ms, end_ms=end_ms
        )
        bar.update(1)
    return found


def _encoded(shop: Purchases, encoder: Any, bar: Any, *, first_day: int) -> EncodedDays:
    n_days = shop.n_days - first_day
    context = np.empty((shop.n_users, n_days, encoder.n_leading))
    scores = np.empty((shop.n_users, n_days, shop.n_items))
    chances = np.empty((shop.n_users, n_days, shop.n_slots))
    for users in _chunks(shop):
        histories = histories_of(shop.events, users)
        at_ms, start_ms, end_ms = _midnights(shop, len(users), first_day=first_day)
        answer = encoder.answer(
            histories, at_ms, items=shop.item_codes, start_ms=start_ms, end_ms=end_ms
        )
        context[users] = answer.context[:, :, : encoder.n_leading]
        scores[users], chances[users] = answer.item_scores, answer.slot_probabilities
        bar.update(2)
    return EncodedDays(
        first_day=first_day, context=context, item_scores=scores, slot_probabilities=chances
    )


def _happened(shop: Purchases) -> NDArray[np.bool_]:
    found = np.zeros((shop.n_users, len(shop.online_days), shop.n_slots), np.bool_)
    late = shop.active_day >= shop.train_days
    day = shop.active_day[late] - shop.train_days
    found[shop.active_user[late], day, shop.active_slot[late]] = True
    return found


def _weekly_chance(shop: Purchases) -> Array:
    """Share of households active in the window over the last seven days, for each day."""
    daily = np.zeros((shop.n_days, shop.n_slots))
    np.add.at(daily, (shop.active_day, shop.active_slot), 1.0 / shop.n_users)
    weekly = np.stack([daily[day - _WEEK : day].mean(axis=0) for day in shop.online_days])
    return np.broadcast_to(weekly, (shop.n_users, *weekly.shape))


def _bar(text: str, total: int, is_quiet: bool) -> Any:
    from tqdm import tqdm

    return tqdm(
        total=total, desc=text, disable=is_quiet, bar_format="{l_bar}{bar}| {elapsed} {postfix}"
    )
