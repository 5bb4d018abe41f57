"""What stands against tagging a version."""

from __future__ import annotations

import dataclasses
import subprocess
from pathlib import Path

import pytest

from release.checks import Checkout, problems, read_checkout

READY = Checkout(
    "1.2.0",
    "# Changelog\n\n## Unreleased\n\n## 1.2.0 - 2026-12-01\n\n### Added\n- A thing.\n\n## 1.1.0 - 2026-11-01\n- B.\n",
    head="a" * 40,
    tagged=None,
    clean=True,
)


def test_a_version_with_its_section_may_be_tagged_also_again() -> None:
    assert problems(READY) == []
    assert problems(dataclasses.replace(READY, tagged=READY.head)) == []


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"version": "1.2"}, "expected X.Y.Z"),
        ({"version": "1.3.0"}, "the second section must be `## 1.3.0 - <date>`"),
        ({"changelog": READY.changelog.replace("## Unreleased\n", "## Unreleased\n- More.\n")}, "move what is below"),
        ({"changelog": READY.changelog.replace("## Unreleased\n", "")}, "the first section must be"),
        ({"changelog": READY.changelog.replace("### Added\n- A thing.\n", "")}, "the section of 1.2.0 is empty"),
        ({"changelog": READY.changelog.replace(" - 2026-12-01", "")}, "the second section must be"),
        ({"clean": False}, "the work tree has uncommitted changes"),
        ({"tagged": "b" * 40}, "v1.2.0 is the tag of another commit"),
    ],
)
def test_what_stands_against_it(change: dict[str, object], problem: str) -> None:
    found = problems(dataclasses.replace(READY, **change))  # type: ignore[arg-type]  # fields by name
    assert [line for line in found if problem in line], found


def test_a_checkout_is_read_from_git(tmp_path: Path) -> None:
    def git(*arguments: str) -> str:
        who = ("-c", "user.name=x", "-c", "user.email=x@example.org")
        return subprocess.run(
            ["git", *who, *arguments], cwd=tmp_path, check=True, capture_output=True, text=True
        ).stdout

    (tmp_path / "CHANGELOG.md").write_text(READY.changelog, encoding="utf-8")
    git("init", "-q")
    git("add", "--all")
    git("commit", "-qm", "one")
    head = git("rev-parse", "HEAD").strip()
    assert read_checkout(tmp_path, "1.2.0") == dataclasses.replace(READY, head=head)
    git("tag", "-a", "v1.2.0", "-m", "v1.2.0")
    (tmp_path / "new").touch()
    assert read_checkout(tmp_path, "1.2.0") == dataclasses.replace(READY, head=head, tagged=head, clean=False)
