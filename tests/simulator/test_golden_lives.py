from __future__ import annotations

import runpy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

MAKER = Path(__file__).parents[1] / "golden" / "simulator_lives.py"


@pytest.mark.parametrize("hours", [1, 24])
def test_every_preset_lives_the_life_that_is_written_down(
    golden: Callable[..., dict[str, Any]], hours: int
) -> None:
    """Outcomes and last states, hashed; a change that is meant is written down anew."""
    written = golden("simulator_lives")
    life_of = runpy.run_path(str(MAKER))["life_of"]
    assert set(written) >= {"ecommerce", "tiny", "identity"}
    lived = {preset: life_of(preset, hours) for preset in written}
    assert lived == {preset: hashes[str(hours)] for preset, hashes in written.items()}
