"""The one way of golden files: read as they are, and made anew only where that is asked for."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

FOLDER = Path(__file__).parent / "golden"
REGENERATE = "OPPORTUNE_REGENERATE_GOLDEN"
Golden = Callable[..., dict[str, Any]]


def test_every_golden_file_has_its_maker_beside_it() -> None:
    """Numbers that nobody can make again are numbers that nobody can check."""
    stored = {path.stem for path in FOLDER.iterdir() if path.suffix not in {".py", ""}}
    makers = {path.stem for path in FOLDER.glob("*.py")}
    assert stored == makers
    assert stored == {path.stem for path in FOLDER.glob("*.json")}
    assert all("def make() -> dict" in path.read_text() for path in FOLDER.glob("*.py"))


def test_a_golden_file_is_made_anew_only_where_that_is_asked_for(
    golden: Golden, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By one variable; what was made is what is read, and nothing else is left behind."""
    (tmp_path / "sums.json").write_text('{"two": 2}')
    (tmp_path / "sums.py").write_text("def make() -> dict:\n    return {'two': 1 + 1.5}\n")
    monkeypatch.delenv(REGENERATE, raising=False)
    assert golden("sums", folder=tmp_path) == {"two": 2}
    monkeypatch.setenv(REGENERATE, "1")
    assert golden("sums", folder=tmp_path) == {"two": 2.5}
    assert json.loads((tmp_path / "sums.json").read_text()) == {"two": 2.5}
    assert {path.suffix for path in tmp_path.iterdir() if path.is_file()} == {".json", ".py"}
