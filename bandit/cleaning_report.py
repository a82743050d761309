"""What cleaning did to a file: counts, and the lines that tell them to a person.

Counts enter; text leaves.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

__all__ = ["CleaningReport", "told_words"]

_WORDS_TOLD = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class CleaningReport:
    """What came, what was kept, what was dropped and why; the numbers always add up."""

    n_in: int
    n_kept: int
    dropped: dict[str, int] = field(default_factory=dict)
    n_capped: int = 0
    n_missing_amount: int = 0
    n_by_device: int = 0
    unreadable: dict[str, int] = field(default_factory=dict)
    assumed_zone: str | None = None
    synonyms: dict[str, int] = field(default_factory=dict)
    undefined: dict[str, int] = field(default_factory=dict)

    def lines(self) -> list[str]:
        """Say it in plain lines for a person."""
        said = [f"{self.n_in:,} rows came, {self.n_kept:,} kept"]
        said += [f"  dropped {count:,}: {why}" for why, count in self.dropped.items() if count]
        if self.undefined:
            said.append(f"    undefined: {told_words(self.undefined)}")
        if self.n_capped:
            said.append(f"  capped {self.n_capped:,} outlying amounts at their category's limit")
        said += [
            f"  {count:,} cells of {name} cannot be read and count as missing"
            for name, count in self.unreadable.items()
            if count
        ]
        if self.assumed_zone is not None:
            said.append(f"  times say no zone and were read from the clock of {self.assumed_zone}")
        if self.n_by_device:
            said.append(f"  {self.n_by_device:,} rows without a user stand under their device")
        said += [f"  read {count:,} rows of {word}" for word, count in self.synonyms.items()]
        return said


def told_words(words: Mapping[str, int]) -> str:
    """The commonest words with their counts, a few of them."""
    common = sorted(words.items(), key=lambda entry: (-entry[1], entry[0]))
    told = ", ".join(f"{word!r} {count:,}" for word, count in common[:_WORDS_TOLD])
    return told + (f" and {len(common) - _WORDS_TOLD} more" if len(common) > _WORDS_TOLD else "")
