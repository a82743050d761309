from __future__ import annotations

from pathlib import Path

import pytest

from bandit.errors import BadInputError
from service.jobs.study import read_study

ROOT = Path(__file__).resolve().parents[3]
SMALL = 'name = "s"\npresets = ["tiny"]\npolicies = ["random"]\n'


def written(folder: Path, text: str) -> Path:
    path = folder / "study.toml"
    path.write_text(text)
    return path


def test_a_study_is_read_with_its_worlds_policies_and_changes(tmp_path: Path) -> None:
    """A world's file is looked for beside the study."""
    (tmp_path / "mine.toml").write_text('base = "tiny"\n')
    text = (
        'presets = ["tiny", "mine.toml"]\n'
        'policies = ["lints", { name = "wide", policy = "lints", '
        "options = { explorer = { scale = 2.0 } } }]\n"
        "users = 7\ndays = 2\nseeds = 3\nseed = 5\nhours = 6\nalpha = 0.1\n"
        "[world.click]\nrate = 0.3\n"
    )
    study = read_study(written(tmp_path, text))
    assert (study.name, study.alpha) == ("study", 0.1)
    assert [c.world for c in study.comparisons] == ["tiny", "mine"]
    first = study.comparisons[0]
    assert (first.users, first.days, first.seeds, first.seed, first.hours) == (7, 2, 3, 5, 6)
    assert [e.name for e in first.entrants[:2]] == ["lints", "wide"]
    assert first.config().click.rate == 0.3
    assert study.plain()["worlds"][1]["users"] == 7


def test_the_example_study_is_one() -> None:
    """The file that the page names."""
    study = read_study(ROOT / "experiments" / "first_look.toml")
    assert study.name == "first_look"
    assert len(study.comparisons) > 1


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (SMALL + "seed_count = 3\n", "got seed_count"),
        (SMALL + 'users = "many"\n', "users to be a whole number"),
        (SMALL + "seeds = true\n", "seeds to be a whole number"),
        (SMALL + "alpha = 5\n", "alpha between 0 and 1"),
        (SMALL + "users = 0\n", "users from 1"),
        (SMALL + "[world]\nclick = 3\n", r"\[world.SECTION\]"),
        (SMALL + "[world.click]\nrte = 3\n", "click.rte"),
        (SMALL + "[world.clik]\nrate = 3\n", "clik"),
        ('presets = ["tiny"]\npolicies = []\n', "policies in"),
        ('policies = ["random"]\n', "presets in"),
        ('presets = ["tiny", "tiny"]\npolicies = ["random"]\n', "each of presets once"),
        ('presets = ["tiny", "tiny.toml"]\npolicies = ["random"]\n', "worlds of unlike names"),
        ('presets = [3]\npolicies = ["random"]\n', "presets to be names or files"),
        ('presets = ["shop"]\npolicies = ["random"]\n', "expected a preset"),
        ('presets = ["tiny"]\npolicies = ["lintz"]\n', "expected a policy id"),
        ('name = "../s"\n', "name of letters"),
        ("presets = [", "to be TOML"),
    ],
)
def test_what_is_no_study_is_refused(text: str, words: str, tmp_path: Path) -> None:
    """By the key, what was expected and what came."""
    with pytest.raises(BadInputError, match=words):
        read_study(written(tmp_path, text))


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    """Bad input, as any other."""
    with pytest.raises(BadInputError, match=r"none\.toml"):
        read_study(tmp_path / "none.toml")
