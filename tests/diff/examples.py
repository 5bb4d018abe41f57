"""The examples in docs/examples, made by the tool: `python -m tests.diff.examples` writes them."""

from __future__ import annotations

import re
import tempfile
from pathlib import Path

from tests.diff.scenarios import SCENARIOS, Scenario
from tests.diff.scratch import ROOT, Scratch
from usine.commands.diff import MARKER
from usine.report import markdown
from usine.report.model import Report

FOLDER = ROOT / "docs" / "examples"
_INTRODUCTION = """\
# Examples of `usine diff`

Comments on merge requests, made by the tool in a scratch repository with three tenants. To make them again, run
`.venv/bin/python -m tests.diff.examples`; a test checks that they are up to date. `usine diff --html FILE` writes the
same report as a page.

"""


def comment(report: Report) -> str:
    """Return the comment, with a fixed name for the scratch commit, whose hash depends on all files."""
    return re.sub(r"(?<=main `)[0-9a-f]{12}", "1a2b3c4d5e6f", markdown.render(report, marker=MARKER))


def index() -> str:
    """Return the list of examples."""
    return _INTRODUCTION + "".join(f"- [{s.title}]({s.name}.md)\n" for s in SCENARIOS)


def run(scratch: Scratch, scenario: Scenario) -> Report:
    """Make a change in the clean scratch repository and return its report."""
    scratch.clean()
    scenario.change(scratch)
    return scratch.report(scenario.author)


def main() -> None:
    """Write all examples."""
    FOLDER.mkdir(exist_ok=True)
    (FOLDER / "README.md").write_text(index(), encoding="utf-8")
    with tempfile.TemporaryDirectory() as folder:
        scratch = Scratch(Path(folder))
        for scenario in SCENARIOS:
            (FOLDER / f"{scenario.name}.md").write_text(comment(run(scratch, scenario)), encoding="utf-8")


if __name__ == "__main__":
    main()
