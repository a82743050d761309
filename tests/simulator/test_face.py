from __future__ import annotations

from dataclasses import fields
from typing import Any

import numpy as np
import pytest

from bandit.errors import BadInputError
from bandit.outcomes import ENGAGEMENT, UPLIFT
from simulator.config import load
from simulator.face import Face, Options
from simulator.vector_env import PushVectorEnv


def test_the_keywords_of_an_environment_are_the_options_of_a_face() -> None:
    """Each once, by the same name."""
    assert list(Options.__annotations__) == [field.name for field in fields(Face)]


def test_options_reach_the_configuration_and_all_users_have_opted_in() -> None:
    """Shorthands, sections to change, and a preset given whole."""
    face = Face(preset="tiny", n_candidates=1, changes={"fatigue": {"slope": 0.1}})
    config = face.ground().config
    assert (config.clock.n_candidates, config.fatigue.slope) == (1, 0.1)
    whole = Face(preset=load("ecommerce"), horizon_days=3, changes={"click": {"rate": 0.1}})
    config = whole.ground().config
    assert (config.clock.horizon_days, config.click.rate) == (3, 0.1)
    assert config.opt_out.opt_in_share == 1.0
    assert whole.ground() is whole.ground()


def test_what_stands_outside_sections_can_be_changed_and_numbers_may_be_numpys() -> None:
    """Samplers of hyperparameters hand them out."""
    face = Face(
        preset="tiny",
        changes={"reward_window_h": 2.0, "items": {"n_items": 1}},
        n_candidates=np.int64(1),
        horizon_days=np.int32(3),
    )
    config = face.ground().config
    assert (config.reward_window_h, config.items.n_items) == (2.0, 1)
    assert (config.clock.n_candidates, config.clock.horizon_days) == (1, 3)


def test_a_scheme_is_named_or_given() -> None:
    """What attributes is left out: the world's truth cannot answer for it."""
    config = load("tiny")
    assert Face().reward_scheme(config) is UPLIFT
    assert Face(scheme=UPLIFT).reward_scheme(config) is UPLIFT
    assert Face(scheme="uplift_value").reward_scheme(config).name == "uplift_value"
    engagement = Face(scheme="engagement").reward_scheme(config)
    assert len(engagement) == len(ENGAGEMENT) - 1


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"clock": "weekly"}, "clock to be one of daily, hourly, got 'weekly'"),
        ({"reward_timing": "never"}, "reward_timing to be one of arrival, decision, got 'never'"),
        ({"observe": "all"}, "observe to be one of full, history, minimal, request, got 'all'"),
        ({"scheme": "clicks"}, "one of uplift, uplift_value, engagement, got 'clicks'"),
        ({"truth": 1}, "truth to be a bool, got 1"),
        ({"preset": "shop"}, "expected a preset, one of ecommerce, .*, got 'shop'"),
        ({"preset": "tiny", "n_candidates": 3}, "at most items.n_items = 2 candidates, got .* = 3"),
        ({"changes": {"fatigue": {"slop": 1.0}}}, "got fatigue.slop: correct the spelling"),
        ({"changes": {"click": {"rate": float("nan")}}}, "click.rate in .*, got nan"),
        ({"changes": {"fatigue": 0.2}}, r"expected \[fatigue\] to be a table, got 0.2"),
        ({"changes": {"clock": 3}}, r"expected \[clock\] to be a table"),
        ({"changes": ["fatigue"]}, r"changes to be sections .*, got \['fatigue'\]"),
        ({"preset": 3}, "preset to be a name, a path or a WorldConfig, got 3"),
        ({"n_candidates": True}, "clock.n_candidates to be of the kind of 20, got True"),
        ({"horizon_days": 0}, "clock.horizon_days in .*, got 0"),
        ({"num_envs": 0}, "num_envs to be a whole number above 0, got 0"),
        ({"autoreset_mode": "Later"}, "autoreset_mode to be one of NEXT_STEP, .*, got 'Later'"),
        (
            {"render_mode": "human"},
            r"render_mode to be None or one of \['rgb_array'\], got 'human'",
        ),
    ],
)
def test_a_bad_option_is_refused_by_name(options: dict[str, Any], message: str) -> None:
    """The message says what was expected and what came."""
    with pytest.raises(BadInputError, match=message):
        PushVectorEnv(**options)


def test_an_option_that_there_is_not_is_refused_by_the_signature() -> None:
    """A misspelt keyword is no silent default."""
    with pytest.raises(TypeError, match="presett"):
        PushVectorEnv(2, presett="tiny")  # type: ignore[call-arg]
