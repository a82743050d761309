from __future__ import annotations

import tomllib
from collections.abc import Iterator
from importlib.metadata import EntryPoint

import pytest

from bandit.errors import BadInputError
from bandit.outcomes import UPLIFT
from policies import discovery
from policies.entry import Entry
from policies.registry import DEFAULT, PolicyShape, build, defaults, policies
from service.cli import main
from service.jobs.policy_list import policy_lines

SHAPE = PolicyShape(
    n_context=2, n_item_features=2, n_slot_features=2, n_users=2, n_items=2, n_slots=2
)


def parts(lines: Iterator[str]) -> dict[str, str]:
    """Text of each policy by its id."""
    text = "\n".join(lines)
    blocks = [block for block in text.split("\n\n") if block.strip()]
    return {block.split()[0].strip(":"): block for block in blocks if "\n" in block}


def test_every_policy_is_listed_with_all_there_is_to_know() -> None:
    listed = parts(policy_lines())
    assert list(listed) == [one.policy_id for one in policies()]
    for one in policies():
        block = listed[one.policy_id]
        assert one.reference in block
        assert one.cost in block
        assert (f"opportune[{one.needs}]" if one.needs else "nothing more") in block
        for law, reason in build(one.policy_id, SHAPE, scheme=UPLIFT).cannot.items():
            assert f"{law}: {reason}" in block
    assert "(the default)" in listed[DEFAULT]


@pytest.mark.parametrize("policy_id", [one.policy_id for one in policies()])
def test_options_are_toml_that_builds_the_policy(policy_id: str) -> None:
    """What is printed may be pasted: it reads as the defaults."""
    block = parts(policy_lines([policy_id]))[policy_id]
    toml = block.split("  options    ")[1].split("\n  cannot")[0]
    table = {} if toml == "none" else tomllib.loads(toml)
    wanted = {
        name: {k: list(v) if isinstance(v, tuple) else v for k, v in value.items()}
        if isinstance(value, dict)
        else value
        for name, value in defaults(policy_id).items()
    }
    assert table == wanted
    build(policy_id, SHAPE, scheme=UPLIFT, options=table)


def test_others_are_listed_too_and_none_of_them_stops_the_list(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    points = (
        EntryPoint("quiet", "policies.baselines.fixed:NeverSend", discovery.GROUP),
        EntryPoint("gone", "no_such_module:Policy", discovery.GROUP),
        EntryPoint("lints", "policies.baselines.fixed:NeverSend", discovery.GROUP),
    )
    monkeypatch.setattr(discovery, "found", lambda: points)
    text = "\n".join(policy_lines())
    assert "quiet\n  from       policies.baselines.fixed:NeverSend" in text
    assert "gone: expected a distribution without a name's no_such_module:Policy" in text
    assert "lints: policies.baselines.fixed:NeverSend is never built: the id is ours" in text


def test_what_cannot_be_built_here_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """An extra that is missing; nested tables and options without a value are printed."""

    def build_nothing(*_: object, **__: object) -> None:
        raise ModuleNotFoundError("No module named 'moon'", name="moon")

    far = Entry(
        policy_id="far",
        factory=build_nothing,  # type: ignore[arg-type]
        options={"seed": None, "deep": {"hours": (1, 2), "inner": {"on": True}}},
        reference="nobody",
        cost="1",
        needs="moon",
    )
    monkeypatch.setattr("service.jobs.check_policy.entry", lambda _: far)
    lines = list(policy_lines(["far"]))
    assert "  cannot     not known here: expected the extra 'moon' for policy 'far'" in "\n".join(
        lines
    )
    assert [line.strip() for line in lines[4:9]] == [
        "options    # seed: not set",
        "[deep]",
        "hours = [1, 2]",
        "[deep.inner]",
        "on = true",
    ]


def test_the_command_prints_what_is_asked_for(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["policies", "lints", "policies.baselines.fixed:NeverSend"]) == 0
    assert list(parts(iter([capsys.readouterr().out]))) == ["lints", "never_send"]
    assert main(["policies", "lintz"]) == 2
    assert "got 'lintz'" in capsys.readouterr().err
    with pytest.raises(BadInputError):
        list(policy_lines(["lintz"]))
