from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from simulator.config import evidence_of, load
from simulator.config_file import toml_of


@pytest.mark.parametrize("preset", ["ecommerce", "tiny", "identity"])
def test_what_is_written_is_read_back_with_its_sources(preset: str, tmp_path: Path) -> None:
    """The same configuration to the last bit."""
    config = load(preset)
    evidence = {row.key: (row.tag, row.source) for row in evidence_of(preset)}
    path = tmp_path / "world.toml"
    path.write_text(toml_of(config, evidence=evidence, comments=("a world",)), encoding="utf-8")
    assert load(path) == config
    again = {row.key: (row.tag, row.source) for row in evidence_of(path)}
    assert {key: again[key] for key in evidence} == evidence
    assert path.read_text(encoding="utf-8").startswith("# a world\n")


def test_any_name_source_and_comment_is_written_as_toml(tmp_path: Path) -> None:
    """Letters of any alphabet, pictures, quotes, line breaks and control characters."""
    odd = 'Käse "🧀" \\ \x7f\x01\n\t#'
    config = replace(load("tiny"), name=odd)
    path = tmp_path / "world.toml"
    text = toml_of(config, evidence={"click.rate": ("M", odd)}, comments=(odd,))
    path.write_text(text, encoding="utf-8")
    assert load(path) == config
    assert {e.key: e.source for e in evidence_of(path)}["click.rate"] == odd
