"""The examples in docs/examples are the output of the tool."""

from __future__ import annotations

import pytest

from tests.diff.examples import FOLDER, comment, index, run
from tests.diff.scenarios import SCENARIOS, Scenario
from tests.diff.scratch import Scratch

AGAIN = "make them again: .venv/bin/python -m tests.diff.examples"


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.name)
def test_an_example_is_the_output_of_the_tool(repository: Scratch, scenario: Scenario) -> None:
    assert comment(run(repository, scenario)) == (FOLDER / f"{scenario.name}.md").read_text("utf-8"), AGAIN


def test_every_example_is_listed() -> None:
    assert (FOLDER / "README.md").read_text("utf-8") == index(), AGAIN
    assert {path.stem for path in FOLDER.glob("*.md")} == {"README", *(scenario.name for scenario in SCENARIOS)}
