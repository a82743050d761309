"""The registry builds by id, from TOML, and misses no policy class."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
import tomllib

import pytest

import policies as house
from bandit.errors import BadInputError
from bandit.outcomes import RewardScheme
from bandit.protocols import Policy
from policies.baselines.count_policy import CountPolicy
from policies.explored import Explored
from policies.explorers.thompson import Thompson
from policies.models.linear import LinearModel
from policies.registry import build, defaults, entry, policies
from policies.shape import PolicyShape


def test_every_id_builds_a_policy_of_that_id(small_shape: PolicyShape, hits: RewardScheme) -> None:
    for listed in policies():
        policy = build(listed.policy_id, small_shape, scheme=hits)
        assert isinstance(policy, Policy)
        assert policy.policy_id == listed.policy_id
        assert listed.reference and listed.cost


def test_every_policy_model_and_explorer_is_listed(
    small_shape: PolicyShape, hits: RewardScheme
) -> None:
    """Found by walking the package: a class with a ``pmf`` that no entry builds would escape."""
    found = set()
    for module in pkgutil.walk_packages(house.__path__, "policies."):
        if module.name.startswith("policies.conformance"):
            continue  # examines policies and is none
        for _, cls in inspect.getmembers(importlib.import_module(module.name), inspect.isclass):
            if cls.__module__ == module.name and not getattr(cls, "_is_protocol", False):
                is_belief = hasattr(cls, "best_shares") and hasattr(cls, "update")
                found |= {cls} if is_belief or hasattr(cls, "pmf") else set()
    built: set[type] = set()
    for listed in policies():
        policy = build(listed.policy_id, small_shape, scheme=hits)
        built.add(type(policy))
        if isinstance(policy, Explored):
            built |= {type(policy.model), type(policy.explorer)}
    assert found - {CountPolicy} == built


def test_options_come_from_toml(small_shape: PolicyShape, hits: RewardScheme) -> None:
    table = tomllib.loads("[explorer]\nn_draws = 7\nscale = 2\n[model]\nnoise_sd = 0.25")
    policy = build("lints", small_shape, scheme=hits, options=table)
    assert isinstance(policy, Explored)
    assert isinstance(policy.model, LinearModel)
    assert policy.explorer == Thompson(n_draws=7, scale=2.0)
    head = policy.model.head.params
    assert head.noise_sd == 0.25
    assert head.prior_precision == defaults("lints")["model"]["prior_precision"]


def test_a_whole_dataclass_may_stand_for_its_table(
    small_shape: PolicyShape, hits: RewardScheme
) -> None:
    policy = build("lints", small_shape, scheme=hits, options={"explorer": Thompson(n_draws=9)})
    assert isinstance(policy, Explored)
    assert policy.explorer == Thompson(n_draws=9)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"parms": {}}, "expected options of 'lints' out of .*, got 'parms'"),
        (
            {"explorer": {"draws": 3}},
            r"expected fields of lints.explorer out of .*, got \['draws'\]",
        ),
        ({"explorer": {"n_draws": "3"}}, "expected lints.explorer.n_draws like 32, got '3'"),
        ({"explorer": {"n_draws": 3.5}}, "expected lints.explorer.n_draws like 32, got 3.5"),
        ({"explorer": {"scale": True}}, "expected lints.explorer.scale like 1.0, got True"),
    ],
)
def test_unknown_and_mistyped_options_are_errors(
    options: dict[str, object], message: str, small_shape: PolicyShape, hits: RewardScheme
) -> None:
    with pytest.raises(BadInputError, match=message):
        build("lints", small_shape, scheme=hits, options=options)


def test_an_unknown_id_is_an_error_that_lists_the_known_ones() -> None:
    with pytest.raises(BadInputError, match=r"random, never_send.*got 'lintz'"):
        entry("lintz")
