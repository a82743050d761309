from __future__ import annotations

import pytest

from service.reports.truth_section import coverage_answer


@pytest.mark.parametrize(("plausible", "words"), [(True, "2 cover"), (False, "1 cover")])
def test_coverage_is_counted_over_cells_with_enough_overlap(plausible: bool, words: str) -> None:
    """Of those, the ones that cover; and thin ones that are called usable are a fault."""
    cell = {
        "logger": "broad",
        "policy": "one",
        "weighting": "joint",
        "is_enough": True,
        "is_consistent": True,
        "verdict": "usable",
        "coverage_clustered": {"is_plausible": True},
    }
    cells = [
        cell,
        cell | {"policy": "two", "coverage_clustered": {"is_plausible": plausible}},
        cell | {"policy": "three", "is_enough": False},
    ]
    said = coverage_answer({"cells": cells})
    assert said.startswith("Of 2 cells")
    assert words in said
    assert "2 of the 3 policies" in said
    assert said.endswith("called usable: 1.")
