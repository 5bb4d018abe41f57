"""The rules for Semgrep find what they are for, and only that: the real Semgrep on samples of each language."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path
from typing import Final

import pytest
import usine_ci.rules
import yaml
from usine_ci.findings.model import Severity

from lab.parts import tools

RULES: Final = Path(usine_ci.rules.__path__[0]) / "semgrep"
SAMPLES: Final = Path(__file__).resolve().parent / "samples"
SUFFIXES: Final = {"python": "py", "javascript": "js", "java": "java", "go": "go"}
Marks = set[tuple[str, int, str]]


def marked(word: str) -> Marks:
    """Return the lines of the samples after a comment that says which rule finds them (`ruleid`) or does not (`ok`)."""
    found = set()
    for language, suffix in SUFFIXES.items():
        lines = (SAMPLES / f"{language}.txt").read_text(encoding="utf-8").splitlines()
        for number, line in enumerate(lines, 1):
            mark = re.search(rf"(?:#|//) {word}: ([\w-]+)$", line)
            if mark:
                found.add((f"sample.{suffix}", number + 1, mark[1]))
    return found


@pytest.mark.servers
def test_each_rule_finds_its_samples_and_nothing_else(tmp_path: Path) -> None:
    code = tmp_path / "code"
    code.mkdir()
    for language, suffix in SUFFIXES.items():
        (code / f"sample.{suffix}").write_bytes((SAMPLES / f"{language}.txt").read_bytes())
    command = ["semgrep", "scan", "--config", str(RULES), "--metrics", "off", "--quiet", "--json", "."]
    environment = tools.environment(tmp_path / "home", ("semgrep",))
    done = subprocess.run(command, cwd=code, env=environment, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    assert report["errors"] == []
    found = {(r["path"], r["start"]["line"], r["check_id"].rpartition(".")[2]) for r in report["results"]}
    assert found == marked("ruleid")


def test_each_rule_has_a_sample_that_it_finds_and_one_that_it_does_not() -> None:
    rules = {rule["id"] for path in RULES.glob("*.yaml") for rule in yaml.safe_load(path.read_text())["rules"]}
    assert {rule for _, _, rule in marked("ruleid")} == rules
    assert {rule for _, _, rule in marked("ok")} >= rules - {"go-weak-cipher"}  # its safe way has another name


@pytest.mark.parametrize("language", SUFFIXES)
def test_a_rule_says_how_bad_what_to_do_and_shows_no_code(language: str) -> None:
    for rule in yaml.safe_load((RULES / f"{language}.yaml").read_text(encoding="utf-8"))["rules"]:
        assert rule["id"].startswith(f"{language}-")
        assert Severity.of(rule["metadata"]["severity"]) is not Severity.UNKNOWN
        assert re.fullmatch(r"CWE-\d+", rule["metadata"]["cwe"])
        assert rule["metadata"]["fix"]
        assert "$" not in rule["message"], "a metavariable shows code, which may hold a secret"
