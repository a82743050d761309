from __future__ import annotations

import json
import re
import shutil
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pa_csv
import pyarrow.parquet as pq
import pytest

from bandit.log import logged_hash, read_log
from service.cli import main
from service.reports.page import write_report

ZONE = "America/New_York"
ROOT = Path(__file__).resolve().parents[2]


class Page(HTMLParser):
    """Tags, their attributes, and the text between them."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.words: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.words.append(data)

    @property
    def text(self) -> str:
        return " ".join(self.words)


@pytest.fixture
def run_copy(finished_run: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(finished_run, tmp_path / "runs" / finished_run.name))


def metrics_of(folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((folder / "metrics.json").read_text())
    return found


def test_a_run_leaves_log_artefact_metrics_and_page(finished_run: Path) -> None:
    """What the README promises of ``runs/<id>/``; nothing half-written beside it."""
    for name in (
        "metrics.json",
        "report.html",
        "encoder/artefact",
        "online/log",
        "online/walks.parquet",
    ):
        assert (finished_run / name).exists(), name
    assert not list(finished_run.rglob("*partial*"))
    metrics = metrics_of(finished_run)
    assert {"run", "data", "encoder", "online", "truth"} <= set(metrics)
    assert {"machine", "commit", "versions", "settings"} <= set(metrics["run"])
    # The campaigns belong to the Complete Journey data alone.
    assert "campaigns" not in metrics


def test_the_numbers_of_a_run_can_be_read_back_as_ids_of_the_file(finished_run: Path) -> None:
    """Every user and item of the log has one row, with an id that the file knows."""
    users = pq.read_table(finished_run / "data/users.parquet")
    items = pq.read_table(finished_run / "data/items.parquet")
    log = read_log(finished_run / "online/log/random")
    assert set(log["user"].to_pylist()) <= set(users["user"].to_pylist())
    assert set(log["item"].to_pylist()) - {-1} <= set(items["item"].to_pylist())
    assert users["user"].to_pylist() == list(range(users.num_rows))
    assert items["id"].to_pylist() == metrics_of(finished_run)["data"]["items"]
    assert len(set(users["id"].to_pylist())) == users.num_rows


def test_every_file_that_a_run_leaves_is_explained(finished_run: Path) -> None:
    """What lies there stands in ARCHITECTURE.md, and what stands there lies there."""
    page = (ROOT / "ARCHITECTURE.md").read_text().split("## What a run leaves")[1]
    cells = [line.split("|")[1] for line in page.split("\n## ")[0].splitlines() if "| `" in line]
    named = re.findall(r"`([^`]+)`", " ".join(cells))
    patterns = {
        name: re.escape(name).replace("<policy>", "[a-z-]+").replace("NNNNNN", r"\d{6}")
        for name in named
    }
    left = [
        path.relative_to(finished_run).as_posix()
        for path in finished_run.rglob("*")
        if path.is_file()
    ]
    for path in left:
        assert any(re.fullmatch(pattern, path) for pattern in patterns.values()), path
    # The campaigns belong to the Complete Journey data alone.
    for name in set(named) - {"campaigns/result.json"}:
        assert any(re.fullmatch(patterns[name], path) for path in left), name


def test_a_run_that_was_cut_off_goes_on_where_it_stopped(
    run_copy: Path, shop_file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Without its last step and its metrics, the rest is taken as it is and the end is equal."""
    before = metrics_of(run_copy)
    (run_copy / "metrics.json").unlink()
    shutil.rmtree(run_copy / "truth")
    (run_copy / ".truth.partial").mkdir()
    (run_copy / ".truth.partial" / "half").write_text("half")
    root = run_copy.parent
    assert main(["run", "--data", str(shop_file), "--zone", ZONE, "--out", str(root)]) == 0
    said = capsys.readouterr().out
    assert "going on with" in said
    assert "online: done before" in said
    after = metrics_of(run_copy)
    assert after["online"] == before["online"]
    assert after["truth"]["cells"] == before["truth"]["cells"]
    assert list(root.iterdir()) == [run_copy]


def test_the_stated_hashes_are_those_of_the_logs(finished_run: Path) -> None:
    """Same seed, same log: the hash in the metrics can be checked by anyone."""
    stated = metrics_of(finished_run)["online"]["log_hash"]
    assert stated["lints warm"] == logged_hash(read_log(finished_run / "online/log/lints-warm"))
    assert all(stated.values())


def test_the_page_needs_no_network(finished_run: Path) -> None:
    """No script, no link or source that leaves the page, no address in its style."""
    page = (finished_run / "report.html").read_text()
    for tag, attributes in Page(page).tags:
        assert tag not in {"script", "link", "img", "iframe", "object"}
        for name in ("href", "src", "xlink:href"):
            assert (attributes.get(name) or "#").startswith("#")
    assert "@import" not in page
    assert not re.findall(r"url\((?!#)", page)


def test_the_page_shows_the_numbers_of_the_metrics(finished_run: Path) -> None:
    """Every policy's value as written, and the absence of a step as a sentence."""
    words = Page((finished_run / "report.html").read_text()).text
    for row in metrics_of(finished_run)["online"]["table"]:
        assert row["policy"] in words
        assert format(row["value"], "+.5f").replace("-", "−") in words  # noqa: RUF001
    assert "Not part of this run: campaigns" in words
    assert "no uplift" in words


def test_the_same_run_gives_the_same_page(run_copy: Path) -> None:
    """Byte by byte, drawings included."""
    first = write_report(run_copy).read_bytes()
    assert write_report(run_copy).read_bytes() == first


def test_text_from_data_is_shown_and_not_run(run_copy: Path) -> None:
    """A category called like a tag stays words."""
    metrics = metrics_of(run_copy)
    metrics["data"]["items"][0] = "<script>alert(1)</script>"
    (run_copy / "metrics.json").write_text(json.dumps(metrics))
    page = Page(write_report(run_copy).read_text())
    assert "script" not in {tag for tag, _ in page.tags}
    assert "<script>alert(1)</script>" in page.text


def test_a_folder_without_a_finished_run_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Exit code 2, and what to do."""
    assert main(["report", str(tmp_path)]) == 2
    assert "metrics.json" in capsys.readouterr().err
    (tmp_path / "metrics.json").write_text("{")
    assert main(["report", str(tmp_path)]) == 2
    (tmp_path / "metrics.json").write_text("{}")
    assert main(["report", str(tmp_path)]) == 2
    assert not (tmp_path / "report.html").exists()


def test_rubbish_is_refused_before_anything_is_written(
    tmp_path: Path, shop_file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Ways to be wrong; each names what was expected in one line, none leaves a folder."""
    table = pa_csv.read_csv(shop_file)
    one = table.filter(pc.equal(table["user"], "u00"))
    naive = table["time"].cast(pa.timestamp("ms"))
    pq.write_table(table.set_column(2, "time", naive), tmp_path / "naive.parquet")
    pa_csv.write_csv(one, tmp_path / "one_user.csv")
    rubbish = {
        "empty.csv": b"",
        "binary.parquet": bytes(range(256)) * 9,
        "no_time.csv": b"user,category,action\nu1,c1,purchase\n",
        "bad_time.csv": b"user,category,time,action\nu1,c1,yesterday,purchase\n",
        "no_zone.csv": b"user,category,time,action\nu1,c1,2024-10-01T10:00:00,purchase\n",
        "open_quote.csv": shop_file.read_bytes() + b'u1,"c1,1730419200000,purchase,1\n',
    }
    for name, content in rubbish.items():
        (tmp_path / name).write_bytes(content)
    for name in (*rubbish, "naive.parquet", "one_user.csv"):
        runs = tmp_path / "runs"
        assert main(["run", "--data", str(tmp_path / name), "--out", str(runs)]) == 2, name
        said = capsys.readouterr()
        assert "expected" in said.err
        assert (said.out, said.err.count("\n")) == ("", 1)
        assert not runs.exists()


def test_check_says_what_a_run_would_do(
    shop_file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Rows kept, and the split into training and walking."""
    assert main(["check", str(shop_file), "--zone", ZONE]) == 0
    said = capsys.readouterr().out
    assert "40 users" in said
    assert "44 days from 2024-10-01 (America/New_York) train, 16 are walked" in said


def test_columns_can_be_renamed(shop_file: Path, tmp_path: Path) -> None:
    """A file with names of its own, read with ``--column``."""
    table = pa_csv.read_csv(shop_file)
    renamed = table.rename_columns(["client", "category", "when", "action", "amount"])
    pa_csv.write_csv(renamed, tmp_path / "own.csv")
    own = ["--column", "client=user", "--column", "when=time"]
    assert main(["check", str(tmp_path / "own.csv"), *own]) == 0
    assert main(["check", str(tmp_path / "own.csv")]) == 2


def test_encoder_skill_is_measured_on_online_days_only(finished_run: Path) -> None:
    """Windows counted: households × online days × windows."""
    metrics = metrics_of(finished_run)
    online = metrics["data"]["days"] - metrics["data"]["train_days"]
    assert metrics["encoder"]["n_windows"] == 40 * online * 6
    values = [row["value"] for row in metrics["encoder"]["active_in_slot"]]
    assert np.isfinite(values).all()


def test_the_committed_tables_are_made_from_a_finished_run(
    finished_run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The small version of ``python -m experiments.main_job``."""
    from experiments import main_job

    arguments = ["main_job", "--run", str(finished_run), "--out", str(tmp_path)]
    monkeypatch.setattr("sys.argv", arguments)
    main_job.main()
    stored = json.loads((tmp_path / "main_job_online.json").read_text())
    assert len(stored["rows"]) == len(metrics_of(finished_run)["online"]["table"])
    assert (tmp_path / "main_job_truth.md").read_text().count("| broad |") > 10
