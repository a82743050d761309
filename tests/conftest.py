"""What the tests of all rooms share: no deadlines, and the one way of golden files.

A golden file ``NAME.json`` holds numbers of somebody else's, and ``NAME.py`` beside it a ``make()``
that asks for them. ``OPPORTUNE_REGENERATE_GOLDEN=1 make test`` writes every file that a test reads
anew; what has changed is then seen in the difference, and judged before it is committed.
"""

from __future__ import annotations

import json
import os
import runpy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings

# A busy machine is no failure: what must be fast is measured by `make bench`.
settings.register_profile("house", deadline=None)
settings.load_profile("house")

GOLDEN = Path(__file__).parent / "golden"


def read_golden(name: str, *, folder: Path = GOLDEN) -> dict[str, Any]:
    """Return what a golden file says, after making it anew where that is asked for."""
    path = folder / f"{name}.json"
    if os.environ.get("OPPORTUNE_REGENERATE_GOLDEN") == "1":
        made = runpy.run_path(str(path.with_suffix(".py")))["make"]()
        aside = path.with_suffix(f".{os.getpid()}.partial")  # workers may make it at once
        aside.write_text(json.dumps(made, indent=1, ensure_ascii=False))
        aside.replace(path)
    found: dict[str, Any] = json.loads(path.read_text())
    return found


@pytest.fixture(scope="session")
def golden() -> Callable[..., dict[str, Any]]:
    """Golden files by name."""
    return read_golden
