from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from bandit.errors import BadInputError
from policies.conformance.suite import LAWS, Verdict, draw_laws, name_of
from service.cli import main
from service.jobs.check_policy import check_policy, read_options, verdict_line

MODULE = '''
from policies.baselines.fixed import NeverSend, RandomEligible


class Quiet(NeverSend):
    """Silence."""


class Careless(RandomEligible):
    """Says that it reads no features, and asks for no mask."""

    def __init__(self, shape, scheme, *, cares: bool = False):
        super().__init__(shape, scheme)
        self.cares = cares

    def pmf(self, request, key):
        even = super().pmf(request, key)
        return even if self.cares else even * 0 + 1 / request.n_actions
'''


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A working directory with a module of policies."""
    (tmp_path / "corner.py").write_text(MODULE)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    yield tmp_path
    sys.modules.pop("corner", None)


def test_a_class_of_the_working_directory_keeps_or_is_excused_from_every_law(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["check-policy", "corner:Quiet"]) == 0
    lines = capsys.readouterr().out.splitlines()
    told = {line[10:].split(":")[0]: line[:10].strip() for line in lines}
    assert list(told) == [name_of(law) for law in (*LAWS, *draw_laws())]
    assert set(told.values()) == {"kept", "declared"}


def test_a_broken_law_is_told_and_judged_by_the_exit_code(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """With options from a file it is kept again."""
    assert main(["check-policy", "corner:Careless"]) == 1
    said = capsys.readouterr().out
    assert "BROKEN    a pmf sums to one and respects any mask: expected probability 0" in said
    (here / "mine.toml").write_text("cares = true")
    options = read_options(here / "mine.toml")
    assert not [v for v in check_policy("corner:Careless", options=options) if v.broken]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["corner:Nothing"], "expected corner:Nothing to be a policy that can be imported"),
        (["nobody"], "expected a policy id out of"),
        (["corner:Quiet", "--options", "bad.toml"], "expected options as TOML in bad.toml"),
        (["lints", "--options", "odd.toml"], "got 'parms'"),
    ],
)
def test_what_cannot_be_checked_is_refused_in_one_line(
    here: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], words: str
) -> None:
    (here / "bad.toml").write_text("cares =")
    (here / "odd.toml").write_text("[parms]")
    assert main(["check-policy", *arguments]) == 2
    said = capsys.readouterr()
    assert words in said.err
    assert (said.out, said.err.count("\n")) == ("", 1)


def test_without_scipy_it_is_told_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing() -> None:
        raise ModuleNotFoundError("No module named 'scipy'")

    monkeypatch.setattr("service.jobs.check_policy.draw_laws", missing)
    with pytest.raises(BadInputError, match=r"pip install 'opportune\[ope\]'"):
        list(check_policy("random"))


def test_a_verdict_is_a_line() -> None:
    assert verdict_line(Verdict(law="a law")) == "kept      a law"
    assert verdict_line(Verdict(law="a law", excused="small")) == "declared  a law: small"
    assert verdict_line(Verdict(law="a law", broken="no")) == "BROKEN    a law: no"
