from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import pytest

from service.jobs import provenance as module
from service.jobs.provenance import code_fingerprint, provenance


def test_a_number_says_where_it_comes_from() -> None:
    """Machine, commit, code, versions and threads, all plain text."""
    found = provenance()
    assert {"machine", "commit", "code", "python", "versions", "threads"} == set(found)
    assert "cores" in found["machine"]
    assert found["versions"]["numpy"][0].isdigit()


def test_changed_code_has_another_fingerprint(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A byte, a name, a new file, a world's constants: each makes another version."""
    (tmp_path / "bandit").mkdir()
    source = tmp_path / "bandit" / "one.py"
    monkeypatch.setattr(module, "ROOT", tmp_path)
    seen = [code_fingerprint()]
    source.write_text("x = 1\n")
    seen.append(code_fingerprint())
    source.write_text("x = 2\n")
    seen.append(code_fingerprint())
    source.rename(source.with_name("two.py"))
    seen.append(code_fingerprint())
    (tmp_path / "bandit" / "shop.toml").write_text("rate = 0.1\n")
    seen.append(code_fingerprint())
    assert len(set(seen)) == 5
    assert seen[-1] == code_fingerprint()


def test_outside_a_checkout_the_commit_is_said_to_be_unknown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No repository, or no git at all: a word, not an error."""
    monkeypatch.setattr(module, "ROOT", tmp_path)
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    assert provenance()["commit"].startswith("unknown")

    def absent(*_: Any, **__: Any) -> None:
        raise FileNotFoundError("git")

    monkeypatch.setattr(subprocess, "run", absent)
    assert provenance()["commit"].startswith("unknown")


def test_a_library_that_is_not_there_is_absent(monkeypatch: pytest.MonkeyPatch) -> None:
    """Extras may be left out."""
    monkeypatch.setattr(module, "_LIBRARIES", ("numpy", "no-such-library"))
    assert provenance()["versions"]["no-such-library"] == "absent"
