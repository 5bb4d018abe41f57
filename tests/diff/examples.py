"""The examples of docs/examples, made by the tool: `python -m tests.diff.examples` writes them again."""

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
# What `usine diff` says of a change

Comments as a merge request gets them, made by the tool in a scratch repository with three tenants. To make them again:
`.venv/bin/python -m tests.diff.examples`; a test holds that they are what the tool makes. The page itself is the same
report in another form: `usine diff --html FILE`.

"""


def comment(report: Report) -> str:
    """Return the comment, with a fixed name for the scratch commit: it is another whenever a file of ours is."""
    return re.sub(r"(?<=main `)[0-9a-f]{12}", "1a2b3c4d5e6f", markdown.render(report, marker=MARKER))


def index() -> str:
    """Return the list of examples."""
    return _INTRODUCTION + "".join(f"- [{s.title}]({s.name}.md)\n" for s in SCENARIOS)


def run(scratch: Scratch, scenario: Scenario) -> Report:
    """Make a change in the clean scratch repository and return what the tool says of it."""
    scratch.clean()
    scenario.change(scratch)
    return scratch.report(scenario.author)


def main() -> None:
    """Write them all."""
    FOLDER.mkdir(exist_ok=True)
    (FOLDER / "README.md").write_text(index(), encoding="utf-8")
    with tempfile.TemporaryDirectory() as folder:
        scratch = Scratch(Path(folder))
        for scenario in SCENARIOS:
            (FOLDER / f"{scenario.name}.md").write_text(comment(run(scratch, scenario)), encoding="utf-8")


if __name__ == "__main__":
    main()
