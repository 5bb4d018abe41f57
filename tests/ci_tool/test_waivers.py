"""Waivers as properties: whatever the file holds, the reader ends with waivers or with problems."""

from __future__ import annotations

import datetime
import re
import tempfile
from pathlib import Path

import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from usine_ci.findings.model import Finding, Scanner, Severity
from usine_ci.findings.waivers import LONGEST, WAIVERS_FILE, Waiver, judge, read
from usine_ci.problems import Problem

TODAY = datetime.date(2026, 11, 29)
_days = st.integers(-400, 400).map(lambda days: TODAY + datetime.timedelta(days=days))
_words = st.sampled_from(["a", "b", "CVE-2024-1", "src/a.py", "src/b.py", "x y"])
findings = st.builds(
    Finding, scanner=st.sampled_from(Scanner), rule=_words, severity=st.sampled_from(Severity), path=_words,
    line=st.integers(1, 9), text=st.just("t"), fix=st.just("f"),
)  # fmt: skip
waivers = st.builds(
    Waiver, scanner=st.sampled_from(Scanner), rule=_words, path=st.sampled_from(["*", "src/*", "src/a.py", "a"]),
    reason=st.just("a good reason"), until=_days, line=st.integers(1, 99), column=st.just(5),
)  # fmt: skip


def reading(data: bytes) -> tuple[tuple[Waiver, ...], tuple[Problem, ...]]:
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "waivers.yaml"
        file.write_bytes(data)
        return read(file, WAIVERS_FILE, TODAY)


@settings(max_examples=60, deadline=None)
@given(st.one_of(st.binary(max_size=200), st.text(max_size=200).map(str.encode)))
def test_no_content_of_the_file_is_a_traceback(data: bytes) -> None:
    read_, problems = reading(data)
    assert not read_
    for problem in problems:
        assert re.match(re.escape(WAIVERS_FILE) + r"(:\d+:\d+)?: \S", str(problem))


@settings(max_examples=60, deadline=None)
@given(st.lists(waivers, max_size=5))
def test_what_is_written_is_read_back_unless_it_is_too_far_ahead(written: list[Waiver]) -> None:
    entries = [
        {"scanner": w.scanner.value, "rule": w.rule, "path": w.path, "reason": w.reason, "until": w.until}
        for w in written
    ]
    got, problems = reading(yaml.safe_dump({"waivers": entries}).encode())
    wrong = [
        w for w in written
        if w.until > TODAY + LONGEST or (w.scanner is Scanner.SECRET and w.path == "*")
    ]  # fmt: skip
    assert bool(problems) == bool(wrong)
    if not wrong:
        assert [(w.scanner, w.rule, w.path, w.until) for w in got] == [
            (w.scanner, w.rule, w.path, w.until) for w in written
        ]


@settings(max_examples=100, deadline=None)
@given(st.lists(findings, max_size=6), st.lists(waivers, max_size=4), st.sets(st.sampled_from(Scanner)))
def test_each_finding_is_open_or_waived_by_a_waiver_that_is_valid_today(
    found: list[Finding], given_: list[Waiver], scanned: set[Scanner]
) -> None:
    result = judge(found, given_, scanned, TODAY, WAIVERS_FILE)
    assert sorted(map(repr, (*result.open, *(finding for finding, _ in result.waived)))) == sorted(map(repr, found))
    for finding, waiver in result.waived:
        assert (waiver.scanner, waiver.rule) == (finding.scanner, finding.rule)
        assert waiver.until >= TODAY
    for finding in result.open:
        assert not [w for w in given_ if w.scanner in scanned and w.until >= TODAY and w.covers(finding)]
    assert len(result.notices) <= len([w for w in given_ if w.scanner in scanned])
