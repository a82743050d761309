"""The house stands as DESIGN §2 draws it."""

from __future__ import annotations

import ast
import importlib.util
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
ROOMS = {"bandit": 0, "encoders": 1, "policies": 1, "simulator": 1, "service": 2, "experiments": 3}
HEAVY = ("torch", "ray", "vowpalwabbit", "gymnasium", "pandas", "sklearn", "matplotlib", "scipy")
SOURCES = [path for room in ROOMS for path in sorted((ROOT / room).rglob("*.py"))]


def imported(path: Path) -> set[str]:
    """Top-level names that a file imports, wherever in the file."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
            names.add(node.module.split(".")[0])
    return names


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_imports_point_one_way(path: Path) -> None:
    """A room imports itself and lower rooms; siblings do not know each other."""
    room = path.relative_to(ROOT).parts[0]
    for name in imported(path) & set(ROOMS):
        assert name == room or ROOMS[name] < ROOMS[room], f"{path} imports {name}"


def test_the_ground_imports_numpy_and_pyarrow_only() -> None:
    """``bandit/`` stands on the standard library, numpy, pyarrow; scipy in ``ope/`` alone."""
    for path in (ROOT / "bandit").rglob("*.py"):
        foreign = imported(path) - set(sys.stdlib_module_names) - {"bandit", "numpy", "pyarrow"}
        allowed = {"scipy"} if "ope" in path.relative_to(ROOT).parts else set()
        assert foreign <= allowed, f"{path} imports {foreign - allowed}"


@pytest.mark.parametrize("room", ROOMS)
def test_each_room_is_ours(room: str) -> None:
    """``bandit`` is also a linter's import name; ours must be the one found."""
    found = importlib.util.find_spec(room)
    assert found is not None
    assert found.origin is not None
    assert Path(found.origin).is_relative_to(ROOT)


@pytest.mark.parametrize(
    "code",
    [
        "import bandit, bandit.loop, bandit.protocols",
        "import service.cli; service.cli.main(['--help'])",
    ],
)
def test_heavy_libraries_load_only_where_they_are_needed(code: str) -> None:
    """Neither ``import bandit`` nor ``opportune --help`` loads any of them."""
    guarded = f"import sys\ntry:\n    {code}\nexcept SystemExit:\n    pass\n"
    listing = f"print('LOADED', [x for x in {HEAVY!r} if x in sys.modules])"
    done = subprocess.run(
        [sys.executable, "-c", guarded + listing],
        capture_output=True,
        text=True,
        check=True,
        cwd=ROOT,
    )
    assert done.stdout.strip().endswith("LOADED []"), done.stdout


def test_no_file_outgrows_one_idea() -> None:
    """Stop at 400 lines; 500 is a failure."""
    lengths = {path.relative_to(ROOT): len(path.read_text().splitlines()) for path in SOURCES}
    assert not {path: length for path, length in lengths.items() if length > 500}


def test_everything_that_make_installs_is_pinned() -> None:
    """What ``dev`` asks for, and what that asks for, stands in the one constraints file."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = project["optional-dependencies"]
    pins = dict(
        line.split("==")
        for line in (ROOT / "constraints.txt").read_text().splitlines()
        if not line.startswith("#")
    )
    pinned = {plain(name) for name in pins}
    asked, waiting = set(project["dependencies"]), ["dev"]
    while waiting:
        for wanted in extras[waiting.pop()]:
            if wanted.startswith("opportune["):
                waiting += wanted.removeprefix("opportune[").rstrip("]").split(",")
            else:
                asked.add(wanted)
    assert len(asked) > 15
    assert not {wanted for wanted in asked if plain(wanted) not in pinned}


def plain(requirement: str) -> str:
    """The name of a requirement as the index writes it."""
    return re.split(r"[\[><=; ]", requirement)[0].lower().replace("_", "-")
