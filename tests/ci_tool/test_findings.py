"""`usine-ci findings` on reports of the tools: reports for GitLab, the log, the threshold, waivers.

The reports of Gitleaks and Semgrep are recorded; those of Trivy are written after the types of its version 0.74.
"""

from __future__ import annotations

import copy
import datetime
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import jsonschema  # type: ignore[import-untyped] # has no types
import pytest
from usine_ci import cli
from usine_ci.findings import licenses
from usine_ci.findings.model import Severity, reaches

from tests.ci_tool.gitlab_reports import CODE_QUALITY, security_schema

REPORTS = Path(__file__).resolve().parent / "reports"
#: What each recorded report is, and the options of the job that judges it.
TOOLS: Mapping[str, tuple[str, str, list[str]]] = {
    "gitleaks": ("gitleaks", "secret_detection", ["secret"]),
    "semgrep": ("semgrep", "sast", ["code"]),
    "trivy-fs": ("trivy", "dependency_scanning", ["dependency", "license"]),
    "trivy-image": ("trivy", "container_scanning", ["image"]),
    "trivy-config": ("trivy", "sast", ["infrastructure"]),
}
TODAY = datetime.datetime.now(datetime.UTC).date()
MARKER = "Zq7MarkerOfASecret"


class Job:
    """A repository and a recorded report, judged as a job does."""

    def __init__(self, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.folder = folder
        self._capsys = capsys
        self.log = ""

    def waive(self, **entry: object) -> None:
        lines = [f"{'  - ' if not index else '    '}{key}: {value}" for index, (key, value) in enumerate(entry.items())]
        self.waivers("waivers:\n" + "\n".join(lines) + "\n")

    def waivers(self, text: str) -> None:
        (self.folder / ".usine").mkdir(exist_ok=True)
        (self.folder / ".usine/waivers.yaml").write_text(text, encoding="utf-8")

    def run(self, name: str, *more: str, value: object = None, threshold: str = "high") -> int:
        tool, kind, scanned = TOOLS[name]
        report = self.folder / "raw.json"
        report.write_text(json.dumps(recorded(name) if value is None else value), encoding="utf-8")
        code = cli.main(
            ["findings", "--tool", tool, "--input", str(report), "--scanned", *scanned, "--root", str(self.folder),
             f"--{kind.replace('_', '-')}", str(self.folder / "gitlab.json"), "--threshold", threshold,
             "--code-quality", str(self.folder / "quality.json"), *more]
        )  # fmt: skip
        shown = self._capsys.readouterr()
        self.log = shown.out + shown.err
        return code

    def report(self) -> Any:
        return json.loads((self.folder / "gitlab.json").read_text(encoding="utf-8"))

    def quality(self) -> Any:
        return json.loads((self.folder / "quality.json").read_text(encoding="utf-8"))

    def everything(self) -> str:
        return self.log + (self.folder / "gitlab.json").read_text() + (self.folder / "quality.json").read_text()


def recorded(name: str) -> Any:
    return json.loads((REPORTS / f"{name}.json").read_text(encoding="utf-8"))


@pytest.fixture
def job(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Job:
    return Job(tmp_path, capsys)


@pytest.mark.parametrize("name", TOOLS)
def test_reports_have_the_form_that_gitlab_reads(name: str, job: Job) -> None:
    job.run(name)
    assert job.report()["vulnerabilities"]
    jsonschema.validate(job.report(), security_schema(TOOLS[name][1]))
    assert job.quality()
    jsonschema.validate(job.quality(), CODE_QUALITY)
    ids = [each["id"] for each in job.report()["vulnerabilities"]]
    assert len(set(ids)) == len(ids)


@pytest.mark.parametrize("name", TOOLS)
def test_the_same_scan_has_the_same_ids(name: str, job: Job) -> None:
    job.run(name)
    first = [each["id"] for each in job.report()["vulnerabilities"]], job.quality()
    job.run(name)
    assert ([each["id"] for each in job.report()["vulnerabilities"]], job.quality()) == first


def test_a_secret_is_named_by_place_and_rule(job: Job) -> None:
    assert job.run("gitleaks", threshold="critical") == 1
    assert "conf/storage.ini:3: critical: aws-access-token: a secret of the kind aws-access-token in commit" in job.log
    assert ", or waive it in .usine/waivers.yaml\n" in job.log
    assert job.log.endswith("2 findings at critical or above, 0 below, 0 waived\n")


def test_a_flaw_is_named_by_place_and_rule_with_its_fix(job: Job) -> None:
    assert job.run("semgrep") == 1
    assert "parcel/report.py:8: high: python-command-injection: A shell runs a command" in job.log
    assert "; pass a list of arguments to subprocess.run, without shell=True, or waive it in" in job.log
    assert "src/report.js:5: high: javascript-command-injection: " in job.log
    assert "not analysed: broken.py: " in job.log
    assert job.report()["scan"]["messages"][0]["level"] == "warn"


def test_a_vulnerability_names_the_line_of_the_lock_file_and_the_fixed_version(job: Job) -> None:
    assert job.run("trivy-fs") == 1
    assert "requirements.txt:1: critical: CVE-2025-43859: h11 0.14.0: " in job.log
    assert "; update h11 to 0.16.0, or waive it in" in job.log
    first = job.report()["vulnerabilities"][0]
    assert first["location"] == {
        "file": "requirements.txt",
        "dependency": {"package": {"name": "h11"}, "version": "0.14.0"},
    }
    assert first["identifiers"][0]["type"] == "cve"


def test_an_image_is_named(job: Job) -> None:
    job.run("trivy-image")
    assert {each["location"]["image"] for each in job.report()["vulnerabilities"]} == {
        recorded("trivy-image")["ArtifactName"]
    }


def test_a_manifest_is_named_by_line(job: Job) -> None:
    assert job.run("trivy-config") == 1
    assert "dev/deployment.yaml:14: high: KSV-0017: Container 'web' of" in job.log
    assert all(each["location"]["start_line"] >= 1 for each in job.report()["vulnerabilities"])


# What makes the job red -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("threshold", "code"), [("none", 0), ("low", 1), ("medium", 1), ("high", 1), ("critical", 0)])
def test_only_findings_at_the_threshold_make_the_job_red(threshold: str, code: int, job: Job) -> None:
    assert job.run("semgrep", threshold=threshold) == code
    assert "python-command-injection" in job.log, "it is shown in any case"


def test_what_nobody_has_rated_counts_like_low() -> None:
    assert [reaches(Severity.UNKNOWN, word) for word in ("none", "low", "medium")] == [False, True, False]


def test_the_threshold_is_a_variable_of_the_tenant(job: Job, monkeypatch: pytest.MonkeyPatch) -> None:
    report = job.folder / "raw.json"
    report.write_text(json.dumps(recorded("semgrep")))
    arguments = [
        "findings",
        "--tool",
        "semgrep",
        "--input",
        str(report),
        "--scanned",
        "code",
        "--root",
        str(job.folder),
    ]
    for value, code in [("critical", 0), ("high", 1), ("", 1), (None, 1)]:
        monkeypatch.delenv("USINE_FINDINGS", raising=False)
        if value is not None:
            monkeypatch.setenv("USINE_FINDINGS", value)
        assert cli.main(arguments) == code, value


def test_a_misspelt_threshold_is_refused(job: Job) -> None:
    assert job.run("semgrep", threshold="hihg") == 2
    assert job.log == "no such threshold: 'hihg'; did you mean high?\n"


@pytest.mark.parametrize(
    ("name", "denied", "expected"),
    [
        ("AGPL-3.0-only", ["forbidden"], True),
        ("AGPL-3.0-only", ["AGPL-3.0-only"], True),
        ("AGPL-3.0", ["AGPL-3.0-or-later"], True),
        ("MIT OR AGPL-3.0-only", ["AGPL-3.0-only"], False),
        ("GPL-3.0-only OR AGPL-3.0-only", ["AGPL-3.0-only", "gpl-3.0"], True),
        ("MIT AND AGPL-3.0-only", ["AGPL-3.0-only"], True),
        ("GPL-2.0-only WITH Classpath-exception-2.0", ["GPL-2.0-only"], True),
        ("MIT", ["GPL-2.0-only"], False),
        ("MIT", [], False),
    ],
)
def test_denied_licenses(name: str, denied: list[str], expected: bool) -> None:
    category = "forbidden" if name == "AGPL-3.0-only" else "notice"
    assert licenses.is_denied(name, category, denied) is expected


def test_a_denied_license_is_critical(job: Job) -> None:
    license_ = recorded("trivy-fs")["Results"]
    (name,) = {each["Name"] for result in license_ for each in result.get("Licenses", []) if each["PkgName"] == "h11"}
    assert job.run("trivy-fs", "--denied-licenses", "", threshold="critical") == 1  # for the vulnerability
    assert "which the platform denies" not in job.log
    assert job.run("trivy-fs", "--denied-licenses", f"X {name}", threshold="critical") == 1
    assert (
        f": critical: {name}: h11 has the licence {name}, which the platform denies; replace the package, or" in job.log
    )


@pytest.mark.parametrize("content", ["", "{", "[1]", "{}", '{"results": 1}', "[" * 100_000])
@pytest.mark.parametrize("tool", ["gitleaks", "semgrep", "trivy"])
def test_half_a_report_is_no_green_job(tool: str, content: str, job: Job) -> None:
    report = job.folder / "raw.json"
    report.write_text(content)
    assert cli.main(["findings", "--tool", tool, "--input", str(report), "--scanned", "code"]) == 2
    assert cli.main(["findings", "--tool", tool, "--input", str(report) + "x", "--scanned", "code"]) == 2


def test_what_a_tool_writes_to_its_error_output_is_no_green_job(job: Job) -> None:
    errors = job.folder / "errors"
    errors.write_text("\n")
    assert job.run("gitleaks", "--errors", str(errors), value=[]) == 0
    errors.write_text("ERR [git] fatal: \x1b[31mbad revision\n")
    assert job.run("gitleaks", "--errors", str(errors), value=[]) == 2
    assert job.log == "gitleaks: the scan failed: ERR [git] fatal: bad revision\n"


# Text of others -------------------------------------------------------------------------------------------------------


def leaves(value: Any, at: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Yield the place of each text in a report."""
    pairs = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, child in pairs:
        yield from [(*at, key)] if isinstance(child, str) else leaves(child, (*at, key))


def planted(value: Any, text: str) -> Any:
    """Return a report with a text added to each of its texts that no decision is made by."""
    changed = copy.deepcopy(value)
    for place in leaves(value):
        if place[-1] not in {"Severity", "severity", "ArtifactType", "Status", "Category", "Class", "PrimaryURL"}:
            parent = changed
            for key in place[:-1]:
                parent = parent[key]
            parent[place[-1]] += text
    return changed


QUOTED = {
    "gitleaks": ["Secret", "Match", "Message", "Author", "Email", "Description", "Link"],
    "semgrep": ["lines"],
    "trivy-config": ["Content", "Highlighted"],
}


@pytest.mark.parametrize("name", QUOTED)
def test_what_a_tool_quotes_is_shown_nowhere(name: str, job: Job) -> None:
    value = recorded(name)
    places = [place for place in leaves(value) if place[-1] in QUOTED[name]]
    assert places
    for place in places:
        parent = value
        for key in place[:-1]:
            parent = parent[key]
        parent[place[-1]] = f"password = {MARKER}"
    assert job.run(name, value=value) == 1
    assert MARKER not in job.everything()


@pytest.mark.parametrize("name", TOOLS)
@pytest.mark.parametrize(
    ("text", "never"),
    [
        (" glpat-AbCdEfGhIjKlMnOpQrSt", "glpat-"),
        ("\x1b[31m\x1b[0K\r\n", "\x1b"),
        ("\nsection_start:1700000000:x[collapsed=true]\r\x1b[0K", "section_start:1"),
        ("\u202e\u200b", "\u202e"),
    ],
)
def test_a_text_of_a_repository_does_nothing_to_the_log_and_the_reports(
    name: str, text: str, never: str, job: Job
) -> None:
    job.run(name, value=planted(recorded(name), text))
    assert never not in job.everything()
    assert all(line.isprintable() for line in job.log.splitlines())
    jsonschema.validate(job.report(), security_schema(TOOLS[name][1]))


# Waivers --------------------------------------------------------------------------------------------------------------

SECRETS = [{"rule": "aws-access-token"}, {"rule": "generic-api-key"}]


def entry(**changes: object) -> dict[str, object]:
    return {"scanner": "code", "rule": "python-command-injection", "path": '"*/report.py"', "reason": "Only we call it",
            "until": TODAY + datetime.timedelta(days=30), **changes}  # fmt: skip


def test_a_waiver_turns_the_job_green_until_its_last_day(job: Job) -> None:
    assert job.run("semgrep") == 1
    text = "waivers:\n"
    for rule in ("python-command-injection", "javascript-command-injection"):
        text += f"  - {{scanner: code, rule: {rule}, path: 'src/*', reason: Only we call it, until: {TODAY}}}\n"
    job.waivers(text.replace("path: 'src/*'", "path: 'parcel/*'", 1))
    assert job.run("semgrep") == 0
    assert f"parcel/report.py:8: high: python-command-injection: waived until {TODAY}: Only we call it" in job.log
    assert job.report()["vulnerabilities"] == []
    assert job.log.endswith("0 findings at high or above, 0 below, 2 waived\n")


def test_an_expired_waiver_waives_nothing_and_is_reported(job: Job) -> None:
    job.waive(**entry(until=TODAY - datetime.timedelta(days=1)))
    assert job.run("semgrep") == 1
    notice = "the waiver of python-command-injection expired on"
    assert f".usine/waivers.yaml:2:5: {notice}" in job.log
    assert [each["location"]["path"] for each in job.quality() if notice in each["description"]] == [
        ".usine/waivers.yaml"
    ]


def test_a_waiver_of_another_rule_path_or_scanner_waives_nothing(job: Job) -> None:
    for change in ({"rule": "python-sql-injection"}, {"path": "parcel"}, {"scanner": "dependency"}):
        job.waive(**entry(**change))
        assert job.run("semgrep") == 1
        assert ("waives nothing here" in job.log) == ("scanner" not in change), "another job is responsible for it"


def test_a_waiver_of_an_old_secret_is_not_called_unused(job: Job) -> None:
    job.waive(**entry(scanner="secret", rule="private-key", path="keys/old.pem"))
    assert job.run("gitleaks", value=[]) == 0
    assert "waives nothing" not in job.log


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("waivers:\n  - {scaner: code}\n", ":2:6: no such key: 'scaner'; did you mean scanner?"),
        ("waivers:\n  - {scanner: code}\n", ":2:5: missing: rule, path, reason, until"),
        ("waiver: []\n", ":1:1: no such key: 'waiver'; did you mean waivers?"),
        ("- a\n", ":1:1: expected the keys waivers"),
        ("waivers: 3\n", ":1:10: expected a list of waivers"),
        ("waivers:\n  - 3\n", ":2:5: expected the keys scanner, rule, path, reason, until"),
        ("waivers:\n  - {scanner: code, scanner: code}\n", ":2:21: scanner is there twice"),
        ("a: [\n", ":2:1: not YAML: "),
        ("waivers: &a [*a]\n", ": no aliases"),
        ("waivers: [!!python/name:os.system ]\n", ":1:11: expected the keys"),
        ("\x00", ": not YAML: "),
        ("waivers: [" + "[" * 5000, ""),
        ("# " + "x" * 300_000, ": larger than 256 KiB"),
    ],
)
def test_a_wrong_file_is_red_and_waives_nothing(text: str, problem: str, job: Job) -> None:
    job.waivers(text)
    assert job.run("semgrep", threshold="none") == 1
    assert f".usine/waivers.yaml{problem}" in job.log
    assert "Traceback" not in job.log


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"scanner": "cod"}, "2:14: no such scanner: 'cod'; did you mean code?"),
        ({"rule": '"python-*"'}, "3:11: name one rule, vulnerability or licence"),
        ({"path": "/etc"}, "4:11: expected a path from the root"),
        ({"scanner": "secret", "path": '"*"'}, "4:11: a waiver of a secret names its file"),
        ({"scanner": "secret", "path": '"**/*"'}, "4:11: a waiver of a secret names its file"),
        ({"reason": "because"}, "5:13: give the reason in at least 10 characters"),
        ({"reason": ""}, "5:12: expected a text"),
        ({"until": "next year"}, "6:12: expected a date such as"),
        ({"until": TODAY + datetime.timedelta(days=91)}, "6:12: at most 90 days ahead"),
        ({"until": "9999-12-31"}, "6:12: at most 90 days ahead"),
    ],
)
def test_a_wrong_entry_is_named_with_its_place(change: dict[str, object], problem: str, job: Job) -> None:
    job.waive(**entry(**change))
    assert job.run("semgrep", threshold="none") == 1
    assert f".usine/waivers.yaml:{problem}" in job.log


def test_all_problems_of_a_file_are_reported_at_once(job: Job) -> None:
    job.waive(**entry(scanner="cod", reason="because", until="soon"))
    job.run("semgrep")
    assert job.log.count("[error: no waiver of this file counts]") == 3


def test_a_link_is_not_followed(job: Job) -> None:
    secret = job.folder / "elsewhere"
    secret.write_text(f"{MARKER}: 1\n")
    (job.folder / ".usine").mkdir()
    (job.folder / ".usine/waivers.yaml").symlink_to(secret)
    assert job.run("semgrep", threshold="none") == 1
    assert "a symbolic link" in job.log
    assert MARKER not in job.log


def test_the_place_in_an_image_does_not_change_with_its_tag(job: Job) -> None:
    job.run("trivy-image")
    first = job.quality()
    assert {each["location"]["path"] for each in first} == {
        "debian 12.5",
        "usr/lib/python3/h11-0.14.0.dist-info/METADATA",
    }
    job.run("trivy-image", value=json.loads(json.dumps(recorded("trivy-image")).replace("3f1c0a5b", "00000000")))
    assert job.quality() == first
