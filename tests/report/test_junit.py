"""JUnit XML: the format and its content."""

from __future__ import annotations

import dataclasses
from xml.etree import ElementTree

import pytest

from tests.report import samples
from usine.report import junit
from usine.report.model import Action, Entry, Kind, Notice, Report, Severity

NOTICES = (
    Notice("one-tenant", Severity.ERROR, "two tenants", "one each", "projects.d/b.yaml", 3, 7),
    Notice(
        "one-tenant", Severity.ERROR, "and a file", "leave it", waived_by="agnes.platel until 2027-03-02: moving day"
    ),
    Notice("review-date", Severity.WARNING, "look again", "set a date", "projects.d/b.yaml", 9, 1),
)


def parse(text: str) -> ElementTree.Element:
    """Parse a report, and check the published format (the schema of Jenkins' xunit plugin, GitLab's parser)."""
    root = ElementTree.fromstring(text)  # noqa: S314 - our own output
    assert root.tag == "testsuites"
    for suite in root:
        assert suite.tag == "testsuite"
        assert {"name", "tests", "failures", "errors", "time"} <= suite.attrib.keys()
        for case in suite:
            assert case.tag == "testcase"
            assert {"name", "classname", "time"} <= case.attrib.keys() <= {"name", "classname", "time", "file"}
            assert len(case) <= 1
            for child in case:
                assert child.tag in {"failure", "error", "system-out"}
                assert child.attrib.keys() == (set() if child.tag == "system-out" else {"message", "type"})
                assert child.text
    for level in (root, *root):
        cases = list(level.iter("testcase"))
        assert level.attrib["tests"] == str(len(cases))
        for tag, name in (("failure", "failures"), ("error", "errors")):
            assert level.attrib[name] == str(sum(case.find(tag) is not None for case in cases))
        assert float(level.attrib["time"]) >= 0
    return root


def outcomes(root: ElementTree.Element) -> dict[tuple[str, str], str]:
    return {
        (case.attrib["classname"], case.attrib["name"]): case[0].tag if len(case) else "passed"
        for case in root.iter("testcase")
    }


@pytest.mark.parametrize("report", [samples.diff(), samples.run(), samples.drift()], ids=str)
def test_every_kind_of_report_follows_the_format(report: Report) -> None:
    root = parse(junit.render(report))
    assert junit.render(report) == junit.render(report)
    assert (root.attrib["name"], bool(len(root))) == (f"usine {report.kind.value}", True)


def test_a_case_per_rule_fails_when_the_rule_refuses() -> None:
    report = Report(Kind.DIFF, "t", "v", notices=NOTICES)
    root = parse(junit.render(report, rules=("one-tenant", "own-tenant", "review-date")))
    assert outcomes(root) == {
        ("rules", "one-tenant"): "failure",
        ("rules", "own-tenant"): "passed",
        ("rules", "review-date"): "system-out",
    }
    case = root[0][0]
    assert case.attrib["file"] == "projects.d/b.yaml"
    assert case[0].attrib["message"] == "two tenants"
    assert case[0].text == (
        "projects.d/b.yaml:3:7: error: two tenants\n    one each\n"
        "error: and a file (waived by agnes.platel until 2027-03-02: moving day)\n    leave it"
    )


def test_a_waived_notice_passes() -> None:
    root = parse(junit.render(Report(Kind.DIFF, "t", "v", notices=NOTICES[1:2])))
    assert outcomes(root) == {("rules", "one-tenant"): "system-out"}


def test_drift_fails_by_tenant_and_system_and_clean_parts_pass() -> None:
    report = samples.drift()
    looked = [("cantine", "vault"), *((e.tenant, e.system) for e in report.entries)]
    found = outcomes(parse(junit.render(report, looked_at=looked)))
    systems = {k: v for k, v in found.items() if k[0] != "rules"}
    assert systems[("cantine", "vault")] == "passed"
    assert sorted(k for k, v in systems.items() if v == "failure") == sorted(
        {(e.tenant or "(foundation)", e.system) for e in report.entries}
    )


def test_a_part_that_could_not_be_scanned_is_an_error() -> None:
    notice = Notice("not-told", Severity.ERROR, "vault did not answer", tenant="teleservice")
    assert outcomes(parse(junit.render(Report(Kind.DRIFT, "t", "v", notices=(notice,))))) == {
        ("rules", "not-told"): "error"
    }


def test_a_failed_object_fails_its_case() -> None:
    done = Entry(Action.CREATED, "a", "vault", "x:y:Z", "a/vault/z", seconds=1.5)
    failed = Entry(Action.FAILED, "a", "harbor", "x:y:Z", "a/harbor/z", seconds=0.25, note="503")
    root = parse(junit.render(Report(Kind.RUN, "t", "v", entries=(done, failed))))
    assert outcomes(root) == {("a", "harbor"): "failure", ("a", "vault"): "passed"}
    assert (root[0].attrib["time"], root[0][0][0].text) == ("1.750", "! failed Z z (503)")


def test_hostile_texts_stay_texts() -> None:
    text = 'x\x00\x1b[31m\u202e]]></failure><script>"&\ud800'
    notice = Notice("r", Severity.ERROR, text, text, text)
    entry = Entry(Action.UNMANAGED, text, text, text, text, note=text)
    root = parse(junit.render(Report(Kind.DRIFT, text, text, entries=(entry,), notices=(notice,))))
    assert len(root.findall(".//testcase")) == 2
    assert "\\u202e]]></failure><script>" in (root[0][0][0].text or "")


def test_many_entries_are_cut_with_a_count() -> None:
    one = Entry(Action.UNMANAGED, "a", "vault", "x:y:Z", "n")
    many = tuple(dataclasses.replace(one, name=f"n{n}") for n in range(500))
    text = parse(junit.render(Report(Kind.DRIFT, "t", "v", entries=many)))[0][0][0].text or ""
    assert text.endswith("… and 300 objects more")
