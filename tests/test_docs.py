from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from bandit.decide import Mode
from bandit.log_schema import SCHEMA
from bandit.metrics import metrics_table
from policies.registry import policies
from service.cli import main
from simulator.config import PRESETS, load
from simulator.realism import BANDS

ROOT = Path(__file__).resolve().parent.parent
PAGES = ("README.md", "ARCHITECTURE.md", "DECISIONS.md", "CHANGELOG.md")


def text_of(page: str) -> str:
    return (ROOT / page).read_text()


def test_the_example_of_the_readme_runs_and_prints_what_it_says() -> None:
    """A reader who copies it sees the line that the page shows."""
    page = text_of("README.md")
    code, _ = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    assert len([line for line in code.splitlines() if line]) <= 20
    assert max(map(len, code.splitlines())) <= 100
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code],
        capture_output=True,
        text=True,
        check=True,
        cwd=ROOT,
    )
    assert f"It prints `{done.stdout.strip()}`" in page


def test_the_five_lines_for_a_small_file_run(tmp_path: Path) -> None:
    """On a file of that shape, in the folder where it lies."""
    _, code = re.findall(r"```python\n(.*?)```", text_of("README.md"), re.DOTALL)
    rows = [
        f"{n % 97 / 97},{n % 5},{n % 40},{'soup' if n % 97 > 60 else 'tea'},purchase"
        for n in range(400)
    ]
    (tmp_path / "user_behavior.csv").write_text(
        "\n".join(["time,freq,amount,category,action", *rows])
    )
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code],
        capture_output=True,
        text=True,
        check=True,
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    assert "push 'soup' now" in done.stdout


@pytest.mark.parametrize("page", PAGES)
def test_no_page_holds_a_gap_or_a_link_to_nothing(page: str) -> None:
    """Placeholders are filled; files that are linked or named as code exist."""
    text = text_of(page)
    assert "@@" not in text
    linked = re.findall(r"\]\((?!http)([^)#]+)\)", text)
    named = re.findall(r"`((?:bandit|encoders|policies|service|tests)/[\w/]+\.py)`", text)
    missing = [name for name in linked + named if not (ROOT / name).exists()]
    assert not missing


def test_every_column_of_the_log_is_explained() -> None:
    """A column without a word about it is a column nobody can use."""
    section = text_of("ARCHITECTURE.md").split("column by column")[1]
    assert not [name for name in SCHEMA.names if f"`{name}`" not in section]
    for mode in Mode:
        assert f"{mode.value} {mode.name.lower().replace('_', ' ')}" in section


def test_every_command_and_option_stands_in_the_readme(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """What the command line offers is what the page shows."""
    page = text_of("README.md")
    assert main([]) == 0
    commands = re.findall(r"^    ([a-z]+)  ", capsys.readouterr().out, re.MULTILINE)
    assert {"run", "check", "report"} <= set(commands)
    for command in commands:
        with pytest.raises(SystemExit):
            main([command, "--help"])
        offered = set(re.findall(r"--[a-z]+", capsys.readouterr().out)) - {"--help"}
        assert f"opportune {command}" in page
        assert not [option for option in offered if option not in page], command


def test_every_target_and_study_stands_in_the_readme() -> None:
    """What ``make`` and ``python -m experiments.NAME`` can do."""
    page = text_of("README.md")
    targets = re.findall(r"^([a-z-]+):", text_of("Makefile"), re.MULTILINE)
    assert len(targets) > 5
    assert not [target for target in targets if f"make {target}" not in page]
    studies = [
        path.stem for path in (ROOT / "experiments").glob("*.py") if "def main" in path.read_text()
    ]
    assert studies
    assert not [study for study in studies if f"python -m experiments.{study}" not in page]


def test_every_metric_is_explained_as_it_explains_itself() -> None:
    """Name, meaning, unit and direction, word by word."""
    page = text_of("ARCHITECTURE.md")
    missing = [
        row["metric"]
        for row in metrics_table().to_pylist()
        if "| `{metric}` | {meaning} | {unit} | {better} |".format(**row) not in page
    ]
    assert not missing


def test_every_preset_of_the_simulator_is_documented() -> None:
    """What it is and what its mechanism is; and it is there."""
    page = text_of("ARCHITECTURE.md")
    assert not [preset for preset in PRESETS if f"| `{preset}` |" not in page]
    assert all(load(preset).name == preset for preset in PRESETS)


def test_every_realism_test_is_documented_with_its_band() -> None:
    """By its number."""
    section = text_of("ARCHITECTURE.md").split("### Realism")[1]
    numbers = {name.split()[0] for name in BANDS if not name.endswith("/wk")}
    assert len(numbers) == 8
    assert not [number for number in numbers if f"| {number} |" not in section]


def test_every_policy_id_stands_in_the_readme() -> None:
    """A policy that is not named is one that nobody asks for."""
    page = text_of("README.md")
    assert not [entry for entry in policies() if f"`{entry.policy_id}`" not in page]


def test_every_dependency_has_its_decision() -> None:
    """One entry a dependency: what for, what else was looked at."""
    page = text_of("DECISIONS.md").lower()
    project = (ROOT / "pyproject.toml").read_text()
    names = set(re.findall(r'"([a-z][a-z0-9-]+)(?:\[[a-z]+\])?(?:[><=]=[^"]*)?"', project))
    block = project.split("dependencies")[1].split("[project.scripts]")[0]
    wanted = {name for name in names if f'"{name}' in block} - {"opportune"}
    assert not [name for name in wanted if name not in page]
