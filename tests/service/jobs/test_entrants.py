from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from bandit.errors import BadInputError
from bandit.outcomes import UPLIFT
from policies.explored import Explored
from policies.explorers.thompson import Thompson
from policies.shape import PolicyShape
from service.jobs.entrants import SILENCE, STATICS, Entrant, entrants, policy_of

SHAPE = PolicyShape(
    n_context=2, n_item_features=1, n_slot_features=1, n_users=3, n_items=2, n_slots=2
)


def test_references_run_beside_what_is_asked_for() -> None:
    """Silence and the static pushes, each once, also where somebody asks for them."""
    found = entrants(["lints", "never_send", STATICS[0].name], scheme=UPLIFT)
    assert [e.name for e in found[:3]] == ["lints", "never_send", STATICS[0].name]
    assert {e.name for e in found} == {"lints", SILENCE.name, *(e.name for e in STATICS)}
    assert len(found) == 2 + len(STATICS)


def test_a_table_names_a_policy_with_options_of_its_own() -> None:
    """Two sets of options are two rows."""
    wide = {"name": "wide", "policy": "lints", "options": {"explorer": {"scale": 2.0}}}
    first, second, *_ = entrants([wide, "lints"], scheme=UPLIFT)
    assert first == Entrant(name="wide", policy_id="lints", options={"explorer": {"scale": 2.0}})
    assert second.plain() == {"name": "lints", "policy": "lints", "options": {}}
    built = policy_of(first, SHAPE, scheme=UPLIFT, popularity=np.zeros(2))
    assert isinstance(built, Explored)
    assert built.explorer == Thompson(scale=2.0)


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        ("lintz", "expected a policy id out of"),
        ({"name": "x"}, "a table with policy"),
        (3, "a table with policy"),
        ({"policy": "lints", "option": {}}, "got option"),
        ({"policy": "lints", "options": 3}, "options to be a table"),
        ({"policy": "lints", "options": {"model": {"lambda": 1.0}}}, "lambda"),
        ({"policy": "lints", "name": "../x"}, "a name of letters"),
        ({"policy": "lints", "name": ""}, "a name of letters"),
        ({"policy": "static_push", "name": "s", "options": {"hours": 3}}, "got hours"),
        ({"policy": "static_push", "name": "s", "options": {"hour": "3"}}, "from 0 to 23"),
        ({"policy": "static_push", "name": "s", "options": {"hour": 9.5}}, "got 9.5"),
        ({"policy": "random", "name": "never_send"}, "never_send to be the reference"),
        ({"policy": "lints", "name": "static_20h_7"}, "static_20h_7 to be the reference"),
        ({"policy": "static_push", "name": "static_20h_7"}, "static_20h_7 to be the reference"),
        ({"policy": "static_push", "name": "s", "options": {"hour": 99}}, "from 0 to 23"),
    ],
)
def test_what_cannot_be_built_is_refused_before_anything_runs(asked: Any, words: str) -> None:
    """By what was expected and what came."""
    with pytest.raises(BadInputError, match=words):
        entrants([asked], scheme=UPLIFT)


def test_a_reference_may_be_asked_for_in_full() -> None:
    """With the options that make it what it is; it then runs once."""
    asked = [{"policy": "never_send"}, STATICS[0].plain()]
    found = entrants(asked, scheme=UPLIFT)
    assert [e.name for e in found].count(STATICS[0].name) == 1
    assert {e.name for e in found} == {SILENCE.name, *(e.name for e in STATICS)}


def test_one_name_for_two_policies_is_refused() -> None:
    """A table could not tell them apart."""
    with pytest.raises(BadInputError, match="lints more than once"):
        entrants(["lints", {"policy": "lints", "options": {}}], scheme=UPLIFT)
