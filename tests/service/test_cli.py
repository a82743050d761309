from __future__ import annotations

import errno
import os
import subprocess
import sys
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path

import pytest

from bandit.errors import BadInputError
from service.cli import main
from simulator.config import WorldConfig

ROOT = Path(__file__).resolve().parents[2]


def test_help_is_shown_without_a_command(capsys: pytest.CaptureFixture[str]) -> None:
    """Called bare, the command says what it can do."""
    assert main([]) == 0
    assert "run" in capsys.readouterr().out


def test_an_unknown_command_exits_with_2() -> None:
    """Argparse's own exit code for wrong usage is kept."""
    with pytest.raises(SystemExit) as caught:
        main(["dance"])
    assert caught.value.code == 2


def test_a_missing_file_is_named_and_nothing_is_written(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Bad data: a clear error, exit code 2, no run folder."""
    runs = tmp_path / "runs"
    assert main(["run", "--data", str(tmp_path / "none.csv"), "--out", str(runs)]) == 2
    assert "none.csv" in capsys.readouterr().err
    assert not runs.exists()


HEADER = "user,item,time,action\n"


def lines_of(
    *, user: str = "u{}", item: str = "i{}", first_s: int = 1_577_836_800, n: int = 300
) -> str:
    """Made-up purchases, one in ten hours from 2020 on; ``{}`` stands for a number."""
    rows = [(user.format(k % 9), item.format(k % 7), first_s + k * 36_000) for k in range(n)]
    return HEADER + "".join(f"{u},{i},{t},purchase\n" for u, i, t in rows)


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("empty.csv", "", "expected events in"),
        ("header.csv", HEADER, "expected events in"),
        ("binary.csv", bytes(range(256)) * 9, "expected UTF-8 text in"),
        ("binary.parquet", bytes(range(256)) * 9, "to be a whole parquet file"),
        ("binary.jsonl", bytes(range(256)) * 9, "are no JSON object"),
        ("missing.csv", "user,when\na,1\n", "missing: time, action, item (or category)"),
        ("one_row.csv", lines_of(n=1), "at least two users, got 1"),
        (
            "one_time.csv",
            HEADER + "u1,x,1577836800,view\nu1,x,1577836800,purchase\nu2,x,1577836800,purchase\n",
            "at least 28 days of purchases, got 1",
        ),
        (
            "future.csv",
            lines_of(first_s=4_200_000_000),
            "from 1990 to 2100; 300 of 300 rows fit none",
        ),
        ("ahead.csv", lines_of(first_s=2_190_000_000), "before September 2039"),
        ("no_users.csv", lines_of(user="NaN"), "{'missing user': 300}"),
        ("no_items.csv", lines_of(item="NaN"), "{'missing item and category': 300}"),
        ("huge.csv", lines_of(item="i{}" + "x" * 2_500_000, n=1), "rows of less than a megabyte"),
    ],
)
def test_rubbish_ends_in_one_clear_line_and_leaves_nothing(
    name: str,
    content: str | bytes,
    words: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Exit code 2; ``check`` says the same, with the rows that came, where it can be read."""
    path = tmp_path / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    assert main(["run", "--data", str(path), "--out", str(tmp_path / "runs")]) == 2
    said = capsys.readouterr()
    assert words in said.err
    assert (said.out, said.err.count("\n")) == ("", 1)
    assert main(["check", str(path)]) in (0, 2)
    assert words in "".join(capsys.readouterr())
    assert [found.name for found in tmp_path.iterdir()] == [name]


def test_a_folder_and_a_file_that_may_not_be_read_are_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Exit code 2, and what the system says."""
    out = ["--out", str(tmp_path / "runs")]
    (tmp_path / "folder.csv").mkdir()
    assert main(["run", "--data", str(tmp_path / "folder.csv"), *out]) == 2
    assert "folder.csv, found a folder" in capsys.readouterr().err
    (tmp_path / "mine.csv").write_text(HEADER)

    def refused(path: Path, *_: object) -> None:
        raise PermissionError(errno.EACCES, "Permission denied", str(path))

    monkeypatch.setattr(Path, "open", refused)  # rights do not stop everybody
    assert main(["run", "--data", str(tmp_path / "mine.csv"), *out]) == 2
    assert "Permission denied" in capsys.readouterr().err
    assert not (tmp_path / "runs").exists()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--seed", "-1"], "expected a seed from 0"),
        (["--seed", str(2**70)], "expected a seed from 0"),
        (["--column", "when=time"], "without --data"),
    ],
)
def test_options_that_mean_nothing_are_refused_at_once(
    arguments: list[str], words: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Not after minutes of work, and not in silence."""
    assert main(["run", *arguments, "--out", str(tmp_path / "runs")]) == 2
    assert words in capsys.readouterr().err
    assert not (tmp_path / "runs").exists()


def test_a_folder_that_cannot_be_written_is_named(
    tmp_path: Path, shop_file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The machine's fault, not the data's: exit code 1, the path, and what to do."""
    (tmp_path / "file").write_text("in the way")
    runs = tmp_path / "file" / "runs"
    assert main(["run", "--data", str(shop_file), "--out", str(runs)]) == 1
    said = capsys.readouterr().err
    assert str(runs) in said
    assert "call again" in said


@pytest.mark.parametrize(
    ("error", "code", "words"),
    [
        (OSError(errno.ENOSPC, "No space left on device"), 1, "No space left on device"),
        (MemoryError("Unable to allocate 9 GiB"), 1, "about 3 GB of memory"),
        (BrokenProcessPool("a process was terminated"), 1, "about 3 GB of memory"),
        (KeyboardInterrupt(), 130, "call again to go on"),
        (BadInputError("expected purchases, got none"), 2, "expected purchases, got none"),
    ],
)
def test_what_stops_a_run_is_said_in_one_line(
    error: BaseException,
    code: int,
    words: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """No traceback for what the reader can mend; each kind with its exit code."""

    def stopped(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr("service.jobs.run.run", stopped)
    assert main(["run"]) == code
    said = capsys.readouterr().err
    assert words in said
    assert said.count("\n") == 1


@pytest.mark.parametrize(("given", "found"), [(None, "1"), ("3", "3")])
def test_one_thread_a_process_unless_told_otherwise(given: str | None, found: str) -> None:
    """A command started by hand runs like ``make run``; who sets the number keeps it."""
    name = "OMP_NUM_THREADS"
    others = {key: value for key, value in os.environ.items() if key != name}
    code = f"import os, service.cli; print(os.environ['{name}'])"
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
        cwd=ROOT,
        env=others if given is None else others | {name: given},
    )
    assert done.stdout.strip() == found


def test_the_installed_command_answers() -> None:
    """The console script of the distribution is this module's ``main``."""
    command = Path(sys.executable).with_name("opportune")
    done = subprocess.run([command, "--help"], capture_output=True, text=True, check=True)
    assert "item and when" in " ".join(done.stdout.split())


@pytest.mark.parametrize("command", [["check"], ["run", "--data"]])
def test_wrong_options_are_named(
    shop_file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], command: list[str]
) -> None:
    """An unknown zone, a column that is named twice or not there; one line, nothing written."""
    for options, says in (
        (["--zone", "Mars/Olympus"], "Mars/Olympus"),
        (["--column", "user=user", "--column", "user=item"], "one --column for 'user'"),
        (["--column", "client=user"], "not in the file: ['client']"),
        (["--column", "user"], "YOURS=OURS"),
    ):
        out = ["--out", str(tmp_path / "runs")] if command[0] == "run" else []
        assert main([*command, str(shop_file), *options, *out]) == 2
        said = capsys.readouterr()
        assert says in said.err
        assert (said.out, said.err.count("\n")) == ("", 1)
    assert not (tmp_path / "runs").exists()


def test_the_trap_prints_one_log_under_two_schemes(capsys: pytest.CaptureFixture[str]) -> None:
    """A line a scheme, and no run folder."""
    assert main(["simulate", "--trap", "--users", "40", "--days", "3"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split("  ")[0] for line in lines[1:]] == [
        "uplift",
        "uplift less the cost of sending",
        "engagement",
    ]


@pytest.mark.parametrize(
    ("arguments", "unheard"),
    [
        (["--trap", "--preset", "news"], "--preset"),
        (["--trap", "--hours", "1", "--policy", "lints"], "--hours, --policy"),
        (["--trap", "--workers", "1"], "--workers"),
        (["--check-realism", "--days", "90"], "--days"),
        (["--check-realism", "--out", "elsewhere"], "--out"),
    ],
)
def test_options_that_would_not_be_heard_are_refused(
    arguments: list[str], unheard: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Rather than a table of another world than was asked for."""
    assert main(["simulate", *arguments]) == 2
    said = capsys.readouterr()
    assert f"got {unheard}: leave it out" in said.err
    assert said.out == ""


def test_one_of_the_two_tables_is_printed_at_a_time(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        main(["simulate", "--trap", "--check-realism"])
    assert "not allowed with" in capsys.readouterr().err


def test_realism_is_printed_figure_by_figure_and_judged_by_the_exit_code(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A hundred users are too few to pass or fail by: what counts is which table is printed."""
    from simulator import realism

    assert main(["simulate", "--check-realism", "--users", "5"]) == 2
    assert "at least 100 users" in capsys.readouterr().err
    asked = []

    def measured(config: WorldConfig, *, seed: int, n_users: int) -> realism.RealismTable:
        asked.append((config.name, seed, n_users))
        check = realism.Check(
            name="i", what="clicks", figure=0.5, error=0.1, low=0.0, high=0.4, how="by hand"
        )
        return realism.RealismTable(
            preset=config.name, seed=seed, n_users=n_users, checks=(check,), weights=()
        )

    monkeypatch.setattr(realism, "check_realism", measured)
    assert main(["simulate", "--check-realism", "--preset", "tiny", "--seed", "3"]) == 1
    assert asked == [("tiny", 3, 4000)]
    assert "FAIL" in capsys.readouterr().out
