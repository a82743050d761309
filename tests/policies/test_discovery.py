"""A distribution of somebody else's brings policies: found, built with TOML options, told apart."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from bandit.errors import BadInputError
from bandit.outcomes import RewardScheme
from policies import discovery
from policies.baselines.fixed import NeverSend
from policies.registry import build, defaults, entry, policies
from policies.shape import PolicyShape

ROOT = Path(__file__).resolve().parents[2]
MODULE = '''
from policies.baselines.fixed import RandomEligible


class Quiet(RandomEligible):
    """Silence and chance, after Cage (1952)."""

    def __init__(self, shape, scheme, *, share: float = 0.25, seed=None):
        super().__init__(shape, scheme)
        self.share, self.seed = share, seed
'''

Install = Callable[..., None]


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Install:
    """Put a distribution with these entry points, and the module, on the path."""

    def put(points: dict[str, str], *, name: str = "cage", module: str = MODULE) -> None:
        folder = tmp_path / f"{name}-1.0.dist-info"
        folder.mkdir()
        (folder / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
        lines = [f"{policy_id} = {path}" for policy_id, path in points.items()]
        (folder / "entry_points.txt").write_text("[opportune.policies]\n" + "\n".join(lines))
        (tmp_path / f"{name}_policies.py").write_text(module)

    monkeypatch.syspath_prepend(tmp_path)
    yield put
    sys.modules.pop("cage_policies", None)


def test_a_foreign_policy_is_built_by_its_id_with_options_from_toml(
    install: Install, small_shape: PolicyShape, hits: RewardScheme
) -> None:
    install({"quiet": "cage_policies:Quiet"})
    assert entry("quiet").reference == "Silence and chance, after Cage (1952)."
    assert defaults("quiet") == {"share": 0.25, "seed": None}
    policy = build("quiet", small_shape, scheme=hits, options={"share": 1, "seed": 7})
    assert (policy.policy_id, policy.share, policy.seed) == ("quiet", 1.0, 7)
    with pytest.raises(BadInputError, match=r"quiet\.share like 0\.25, got 'much'"):
        build("quiet", small_shape, scheme=hits, options={"share": "much"})


def test_nothing_is_imported_before_its_id_is_asked_for(
    install: Install, small_shape: PolicyShape, hits: RewardScheme
) -> None:
    install({"quiet": "cage_policies:Quiet"}, module="raise RuntimeError('imported')")
    build("lints", small_shape, scheme=hits)
    assert "quiet" in [point.name for point in discovery.found()]
    with pytest.raises(BadInputError, match=r"cage's cage_policies:Quiet .* RuntimeError"):
        build("quiet", small_shape, scheme=hits)
    with pytest.raises(BadInputError, match=r"policy id out of random.*quiet; got 'loud'"):
        entry("loud")


def test_an_id_of_ours_stays_ours_and_two_of_one_id_are_refused(
    install: Install, small_shape: PolicyShape, hits: RewardScheme
) -> None:
    install({"lints": "cage_policies:Quiet", "quiet": "cage_policies:Quiet"})
    install({"quiet": "tudor_policies:Quiet"}, name="tudor")
    assert entry("lints") in policies()
    told = "one policy called 'quiet', got cage_policies:Quiet of cage, tudor_policies:Quiet of"
    with pytest.raises(BadInputError, match=told):
        entry("quiet")


def test_an_entry_is_taken_as_it_is_under_the_id_of_its_entry_point(install: Install) -> None:
    own = (
        "from policies.entry import Entry\n"
        "from policies.baselines.fixed import NeverSend\n"
        "ENTRY = Entry(policy_id='hush', factory=NeverSend, options={}, reference='me', "
        "cost='1', needs='cage')\n"
    )
    install({"quiet": "cage_policies:ENTRY"}, module=own)
    assert (entry("quiet").policy_id, entry("quiet").needs) == ("quiet", "cage")
    assert discovery.named("cage_policies:ENTRY").policy_id == "hush"


def test_a_class_is_named_by_its_path() -> None:
    """With its own id where it has one, else with its name."""
    assert discovery.named("policies.baselines.fixed:NeverSend").policy_id == "never_send"
    assert discovery.entry_of(NeverSend, policy_id="x").factory is NeverSend
    assert [discovery.is_path(name) for name in ("a.b:C", "a:B.c", "lints", "a/b.py:C")] == [
        True,
        True,
        False,
        False,
    ]


def _needs_more(shape: PolicyShape, scheme: RewardScheme, depth: int) -> None:
    """An option without a default."""


@pytest.mark.parametrize(
    ("thing", "words"),
    [
        (_needs_more, r"options that have defaults, got _needs_more\(.*depth: 'int'\)"),
        (lambda: None, r"expected \(shape, scheme\)"),
        (17, "expected a class that is called with .*, got 17"),
    ],
)
def test_what_cannot_be_built_from_a_file_is_refused(thing: object, words: str) -> None:
    with pytest.raises(BadInputError, match=words):
        discovery.entry_of(thing, policy_id="mine")


@pytest.mark.parametrize("path", ["no_such_module:Policy", "policies.baselines.fixed:Nothing"])
def test_a_path_to_nothing_is_told(path: str) -> None:
    with pytest.raises(BadInputError, match=f"expected {path} to be a policy that can be"):
        discovery.named(path)


def test_the_registry_loads_no_heavy_library() -> None:
    """Whatever stands on one is named, not imported."""
    code = (
        "import sys, policies, policies.registry, policies.discovery; "
        "heavy = ('torch', 'ray', 'vowpalwabbit', 'scipy', 'implicit', 'faiss'); "
        "print([x for x in heavy if x in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT
    )
    assert done.stdout.strip() == "[]"
