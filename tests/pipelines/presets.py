"""What the jobs of each preset print and produce on the clean example. docs/pipelines.md has it as a table."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Seen:
    """`prints` is in the log of the job; `produces` are files that GitLab keeps, reports included."""

    job: str
    prints: str
    produces: tuple[str, ...] = ()


#: The jobs that run the code of the team and analyse it. Scanners, image, packages, promotion have their own pages.
JOBS: Final[Mapping[str, tuple[Seen, ...]]] = {
    "generic": (
        Seen("test", "9 cases, 0 failed", ("junit.xml",)),
        Seen("quality", "QUALITY GATE STATUS: PASSED"),
    ),
    "python": (
        Seen("test", "18 passed", ("junit.xml", "coverage.xml", "coverage-relative.xml")),
        Seen("build", "", ("dist/lib/h11/__init__.py",)),
        Seen("quality", "QUALITY GATE STATUS: PASSED"),
    ),
    "node": (
        Seen("test", "pass 16", ("junit.xml", "coverage/lcov.info")),
        Seen("build", "", ("node_modules/minimist/index.js",)),
        Seen("quality", "QUALITY GATE STATUS: PASSED"),
    ),
    "java": (
        Seen(
            "test",
            "BUILD SUCCESS",
            (
                "target/parcel-1.0.0.jar",
                "target/lib/commons-text-1.14.0.jar",
                "target/surefire-reports/TEST-fr.example.parcel.PriceTest.xml",
                "target/site/jacoco/jacoco.xml",
            ),
        ),
        Seen("quality", "QUALITY GATE STATUS: PASSED"),
    ),
    "go": (
        Seen("test", "DONE 5 tests", ("junit.xml", "cobertura.xml", "coverage.out", "tests.json")),
        Seen("build", "", ("dist/parcel",)),
        Seen("quality", "QUALITY GATE STATUS: PASSED"),
    ),
}
#: Tests in the JUnit reports.
TESTS: Final = {"generic": 9, "python": 18, "node": 16, "java": 16, "go": 5}
#: The presets whose language SonarQube measures, and the least coverage of their examples in percent.
MEASURED: Final = frozenset({"python", "node", "java", "go"})
LEAST: Final = 80
#: The preset whose merge request is corrected and merged, with a bug: GitLab and SonarQube treat all presets alike.
MERGED: Final = "python"


def table() -> str:
    """Return the table of docs/pipelines.md."""
    lines = ["| preset | job | prints | produces |", "|---|---|---|---|"]
    for preset, jobs in JOBS.items():
        for seen in jobs:
            produced = [f"`{path}`" for path in seen.produces]
            if seen.job == "test":
                produced.append(f"{TESTS[preset]} tests in the JUnit report")
            if seen.job == "quality":
                produced.append(f"SonarQube's coverage: {f'at least {LEAST} %' if preset in MEASURED else 'none'}")
            prints = f"`{seen.prints}`" if seen.prints else ""
            lines.append(f"| {preset} | `{seen.job}` | {prints} | {', '.join(produced)} |")
    return "\n".join(lines)
