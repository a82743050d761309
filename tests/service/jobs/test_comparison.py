from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from bandit.errors import BadInputError
from bandit.outcomes import UPLIFT
from service.jobs.comparison import Comparison
from service.jobs.entrants import STATICS, entrants

SMALL: dict[str, Any] = {
    "preset": "tiny",
    "entrants": entrants(["random"], scheme=UPLIFT),
    "users": 5,
    "days": 1,
}


def test_static_pushes_walk_three_seeds_and_the_best_of_them_all(tmp_path: Path) -> None:
    """The others walk every seed, in order."""
    found = Comparison(**SMALL, seeds=5, seed=7).walk(tmp_path, n_workers=1)
    seeds = {name: [cell["seed"] for cell in cells] for name, cells in found.items()}
    assert seeds["random"] == seeds["never_send"] == [7, 8, 9, 10, 11]
    statics = sorted(len(seeds[entrant.name]) for entrant in STATICS)
    assert statics == [3, 3, 3, 5]
    assert (tmp_path / "tiny_random_7" / "log").is_dir()
    assert not (tmp_path / "tiny_random_8" / "log").exists()


def test_what_it_rests_on_is_told_whole() -> None:
    """A constant of the world that changed makes it another comparison."""
    plain = Comparison(**SMALL).plain()
    changed = Comparison(**SMALL, changes={"click": {"rate": 0.3}}).plain()
    assert plain["world"]["click"]["rate"] == 0.2
    assert changed["world"]["click"]["rate"] == 0.3
    assert plain["policies"][0] == {"name": "random", "policy": "random", "options": {}}


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"users": 0}, "users from 1"),
        ({"seeds": 0}, "seeds from 1"),
        ({"seed": -1}, "seed from 0"),
        ({"hours": 5}, "hours out of"),
        ({"days": 0}, "one day or more"),
        ({"preset": "shop"}, "expected a preset"),
    ],
)
def test_what_cannot_be_walked_is_refused(changes: dict[str, Any], words: str) -> None:
    """When it is asked for."""
    with pytest.raises(BadInputError, match=words):
        Comparison(**(SMALL | changes))
