from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from service.cli import main


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


def test_the_installed_command_answers() -> None:
    """The console script of the distribution is this module's ``main``."""
    command = Path(sys.executable).with_name("opportune")
    done = subprocess.run([command, "--help"], capture_output=True, text=True, check=True)
    assert "item and when" in done.stdout


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
