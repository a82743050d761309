"""The main job: ``opportune run``; every step resumable, one table and one page at the end.

Settings enter; a folder ``runs/<id>/`` leaves with the decision log, artefacts, metrics and
report. Steps: data → encoder → campaigns → online → truth → report.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from bandit.draws import key_of
from bandit.errors import BadInputError
from service.jobs.encoder_step import encoder_step
from service.jobs.online import (
    OnlineSettings,
    frozen_after,
    prepare,
    timing_of,
    walk_online,
    warm_from,
)
from service.jobs.progress import Progress
from service.jobs.purchase_features import EncodedDays
from service.jobs.shop_data import ShopData, load_shop
from service.jobs.steps import Run, open_run
from service.jobs.truth import evaluate_against_truth
from service.jobs.workers import workers

__all__ = ["RunSettings", "run"]

_SEEDS = 5
_LARGEST_SEED = 2**32
_ENCODED = "encoded.npz"


@dataclass(frozen=True, slots=True, kw_only=True)
class RunSettings:
    """What a run is asked for.

    Parameters
    ----------
    data : Path, optional
        The user's own file; the Complete Journey data without it.
    zone : str, optional
        IANA zone of the users.
    columns : tuple of str
        ``YOURS=OURS`` pairs.
    seed : int
        The first of five seeds.
    full : bool
        All seeds on all users.

    Raises
    ------
    BadInputError
        For a seed that is none, or columns of no file.
    """

    data: Path | None = None
    zone: str | None = None
    columns: tuple[str, ...] = ()
    seed: int = 1
    full: bool = False

    def __post_init__(self) -> None:
        if not 0 <= self.seed < _LARGEST_SEED:
            raise BadInputError(f"expected a seed from 0 to 2**32 - 1, got {self.seed}")
        if self.columns and self.data is None:
            raise BadInputError(
                f"expected --column to name columns of a file, got {', '.join(self.columns)} "
                "without --data: name the file as well"
            )

    @property
    def online(self) -> OnlineSettings:
        """How much the online step walks."""
        seeds = tuple(range(self.seed, self.seed + _SEEDS))
        return OnlineSettings(seeds=seeds, n_users_more=None if self.full else 600)


def run(settings: RunSettings, *, root: Path, say: Callable[[str], None] = print) -> Path:
    """Run every step that is not done yet; return the run's folder."""
    from service.reports.page import write_report

    data, seconds = _loaded(settings)
    for line in (data.source, *data.lines, data.shop.note):
        say(line)
    with open_run(root, _plain(settings), say=say) as job:
        job.step("data", lambda folder: _described(data, folder) | {"seconds": seconds})
        _learn_and_judge(data, job, settings.seed)
        encoded = job.folder / "encoder" / _ENCODED
        online = job.step(
            "online",
            lambda folder: walk_online(
                data.shop, folder, settings=settings.online, encoded=encoded
            ),
        )
        job.step("truth", lambda folder: _truth(data, job, encoded))
        job.finish()
        page = write_report(job.folder)
    for line in _table(online):
        say(line)
    say(f"report: {page.resolve()}")
    return job.folder


def _described(data: ShopData, folder: Path) -> dict[str, Any]:
    data.write_names(folder)
    return data.described()


def _loaded(settings: RunSettings) -> tuple[ShopData, float]:
    """The data and how many seconds it took to read, clean and cut it."""
    started = time.monotonic()
    data = load_shop(settings.data, zone=settings.zone, columns=settings.columns)
    # Reading takes several times what is kept of it: the rest is given back.
    pa.default_memory_pool().release_unused()
    return data, round(time.monotonic() - started, 1)


def _learn_and_judge(data: ShopData, job: Run, seed: int) -> None:
    """Train the encoder and judge the campaigns, which need nothing of each other, side by side.

    Each in a process of its own: what training took of memory is given back when it ends.
    """
    with workers(1) as learner, workers(1) as judge:
        campaigns: Callable[[], dict[str, Any]] = dict
        if data.is_journey and not job.has("campaigns"):
            campaigns = judge.submit(_campaigns, seed).result
        judge.shutdown(wait=False)
        job.step("encoder", lambda folder: learner.submit(_encode, data, folder, seed).result())
        if data.is_journey:
            job.step("campaigns", lambda folder: campaigns())


def _encode(data: ShopData, folder: Path, seed: int) -> dict[str, Any]:
    from safetensors import SafetensorError

    shop = data.shop
    try:
        done = encoder_step(
            shop,
            key=key_of("encoder", seed),
            folder=folder / "artefact",
            encode_from=warm_from(shop),
        )
    except SafetensorError as error:
        # What that library makes of a full disk.
        raise OSError(f"the encoder could not be written: {error}") from error
    done.encoded.save(folder / _ENCODED)
    tables = {
        "next_item": done.next_item,
        "active_in_slot": done.active_in_slot,
        "calibration": done.calibration,
    }
    for name, table in tables.items():
        pq.write_table(table, folder / f"{name}.parquet")
    return done.report | {name: table.to_pylist() for name, table in tables.items()}


def _campaigns(seed: int) -> dict[str, Any]:
    from service.jobs.campaigns import N_STAGES, campaigns

    started = time.monotonic()
    with Progress(N_STAGES, "campaigns", line=1) as progress:
        found = campaigns(key=key_of("campaigns", seed), advance=lambda _: progress.step())
    # Its own time: the step's would be what is left of it when the encoder is done.
    return found | {"seconds": round(time.monotonic() - started, 1)}


def _truth(data: ShopData, job: Run, encoded: Path) -> dict[str, Any]:
    shop = data.shop
    timing = timing_of(shop)
    with Progress(shop.n_days - warm_from(shop), "features") as progress:
        prepared = prepare(
            shop,
            timing,
            EncodedDays.load(encoded),
            skip=frozen_after(shop),
            advance=progress.step,
        )
    return evaluate_against_truth(prepared, job.folder / "online")


def _plain(settings: RunSettings) -> dict[str, Any]:
    """Settings as JSON, with the data file's size and time so that a changed file is new."""
    plain = asdict(settings) | {"columns": list(settings.columns), "data": None}
    if settings.data is not None:
        stat = settings.data.stat()
        plain["data"] = [str(settings.data.resolve()), stat.st_size, stat.st_mtime_ns]
    return plain


def _table(online: dict[str, Any]) -> list[str]:
    """Lines for the terminal: what each policy was worth, and the differences that matter."""
    lines = ["", f"{'policy':42}{'value':>9}  {'95 % interval':21}{'sends':>7}{'hits/send':>11}"]
    for row in online["table"]:
        hits = "" if row["hits_per_send"] is None else f"{row['hits_per_send']:.4f}"
        interval = f"[{row['lower']:+.5f}, {row['upper']:+.5f}]"
        value = f"{row['policy']:42}{row['value']:+9.5f}  {interval:21}"
        lines.append(f"{value}{row['send_share']:7.1%}{hits:>11}")
    lines.append("value: hits less .01 a send, per decision; a hit would have happened anyway")
    for gain in online["gains"]:
        lines.append(
            f"{gain['what']}: {gain['one']} less {gain['other']} = {gain['value']:+.5f} "
            f"[{gain['value_lower']:+.5f}, {gain['value_upper']:+.5f}]"
        )
    return lines
