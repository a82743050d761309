"""A configuration as a TOML file, each constant with where it comes from.

A :class:`~simulator.config.WorldConfig` and the evidence of its constants enter; text leaves that
:func:`simulator.config.load` reads back to the same configuration. Format: https://toml.io/en/v1.0.0.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from simulator.config import WorldConfig

__all__ = ["toml_of"]

_CONTROL = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")  # what a comment may not hold


def toml_of(
    config: WorldConfig,
    *,
    evidence: Mapping[str, tuple[str, str]],
    comments: tuple[str, ...] = (),
) -> str:
    """Write a configuration as text.

    Parameters
    ----------
    config : WorldConfig
        What to write.
    evidence : mapping of str to (str, str)
        Tag and source of constants, by key such as ``click.rate``; others are "assumed".
    comments : tuple of str
        First lines.
    """
    lines = [f"# {_CONTROL.sub(' ', comment)}" for comment in comments]
    lines.append(f"name = {_quoted(config.name)}")
    lines.append(_line("reward_window_h", config.reward_window_h, "reward_window_h", evidence))
    for section, table in config.to_dict().items():
        if not isinstance(table, Mapping):
            continue
        lines += ["", f"[{section}]"]
        for name, value in table.items():
            lines.append(_line(name, value, f"{section}.{name}", evidence))
    return "\n".join(lines) + "\n"


def _line(name: str, value: Any, key: str, evidence: Mapping[str, tuple[str, str]]) -> str:
    """A constant with its tag and source."""
    tag, source = evidence.get(key, ("assumed", ""))
    return f"{name} = [{_value(value)}, {_quoted(tag)}, {_quoted(source)}]"


def _quoted(word: str) -> str:
    """A basic string: as in JSON, but TOML knows no surrogates and takes no bare DEL."""
    return json.dumps(word, ensure_ascii=False).replace("\x7f", "\\u007f")


def _value(value: Any) -> str:
    """A number, a word, a claim or a list of such, as TOML writes it."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return _quoted(value)
    if isinstance(value, (tuple, list)):
        return f"[{', '.join(_value(part) for part in value)}]"
    return repr(value)
