from __future__ import annotations

from pathlib import Path

import pytest

from bandit.errors import BadInputError
from experiments.calibration_round_trip import truth, write_log
from service.cli import main
from service.jobs.calibrate import CalibrateSettings, calibrate_log
from service.reports import calibration_page
from simulator.config import evidence_of, load


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The log of two hundred users over two weeks."""
    folder = tmp_path_factory.mktemp("calibration") / "shop"
    write_log(truth(14), folder, n_users=200, seed=3)
    return folder


def test_a_log_becomes_a_world_that_can_be_read(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Tables are printed; the file says which constants it has from the log, and which not."""
    path = tmp_path / "mine.toml"
    words = ["calibrate", str(folder), "--out", str(path), "--warmup-days", "2", "--seed", "3"]
    assert main(words) == 0
    said = capsys.readouterr().out
    for expected in ("95 % interval", "not identified by this log", "clicks: all", "agrees"):
        assert expected in said
    config = load(path)
    assert config.items.n_items == 30
    found = {row.key: row for row in evidence_of(path)}
    success = found["delivery.success"]
    assert success.tag == "A"
    assert success.source.startswith("calibrated from shop: ")
    assert found["clock.zones"].source == "counted in shop"
    assert found["taste.half_life_days"] == next(
        row for row in evidence_of("ecommerce") if row.key == "taste.half_life_days"
    )
    assert sorted(p.name for p in tmp_path.iterdir()) == ["mine.html", "mine.toml"]
    page = (tmp_path / "mine.html").read_text()
    assert f"page: {tmp_path / 'mine.html'}" in said
    assert "Calibrated from shop" in page
    assert page.count("<svg") == 5
    for line in said.splitlines():
        if line.startswith("clicks: all"):
            assert f">{line.split()[2]}<" in page  # the same number


def test_the_page_goes_where_it_is_asked_to_and_never_goes_missing(tmp_path: Path) -> None:
    """Beside the world, or in the folder one is in."""
    log = Path("runs/x/cells/shop_lints_1/log")
    assert CalibrateSettings(log=log).page_path == Path("calibration.html")
    assert CalibrateSettings(log=log, out=Path("a/b.toml")).page_path == Path("a/b.html")
    page = Path("c.html")
    assert CalibrateSettings(log=log, out=Path("a/b.toml"), page=page).page_path == page
    assert CalibrateSettings(log=log).name == "shop_lints_1/log"


def test_bad_input_is_one_line_and_leaves_nothing(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """No folder, no logs, another preset, a file that cannot be written, no outcomes."""
    empty = tmp_path / "empty"
    empty.mkdir()
    half = tmp_path / "half"
    half.mkdir()
    for file in folder.glob("decisions-*.parquet"):
        (half / file.name).write_bytes(file.read_bytes())
    for words, expected in (
        ([str(tmp_path / "none")], "expected a folder"),
        ([str(empty)], "expected decision log files"),
        ([str(half)], "expected outcome log files"),
        ([str(folder), "--preset", "shopp"], "expected a preset"),
        ([str(folder), "--out", str(tmp_path / "world.json")], r"end in .toml"),
        ([str(folder), "--out", str(tmp_path / "no" / "world.toml")], "make the folder"),
        ([str(folder), "--page", str(tmp_path / "page.txt")], r"--page to end in .html"),
        ([str(folder), "--page", str(tmp_path / "no" / "a.html")], "make the folder"),
        ([str(folder), "--warmup-days", "60"], "warm-up"),
    ):
        assert main(["calibrate", *words]) == 2
        told = capsys.readouterr()
        assert expected in told.err
        assert told.err.count("\n") == 1
        assert told.out == ""
    assert sorted(p.name for p in tmp_path.iterdir()) == ["empty", "half"]


def test_a_file_that_could_not_be_written_whole_is_not_there(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def dies(*args: object) -> None:
        raise OSError("the disk is full")

    monkeypatch.setattr(Path, "replace", dies)
    settings = CalibrateSettings(log=folder, out=tmp_path / "world.toml", warmup_days=2)
    monkeypatch.setattr(calibration_page, "write_calibration_page", lambda path, tables: path)
    with pytest.raises(OSError, match="full"):
        list(calibrate_log(settings))
    assert not list(tmp_path.iterdir())


def test_negative_days_are_refused(folder: Path) -> None:
    with pytest.raises(BadInputError, match="warm-up"):
        list(calibrate_log(CalibrateSettings(log=folder, warmup_days=-1)))
