"""GitLab's code quality report."""

from __future__ import annotations

import dataclasses
import json

import jsonschema  # type: ignore[import-untyped]
import pytest

from tests.report import samples
from usine.report import code_quality
from usine.report.model import Kind, Notice, Report, Severity

#: The format as GitLab documents it ("Code Quality report format").
SCHEMA = {
    "type": "array",
    "items": {
        "type": "object",
        "required": ["description", "check_name", "fingerprint", "severity", "location"],
        "additionalProperties": False,
        "properties": {
            "description": {"type": "string", "minLength": 1},
            "check_name": {"type": "string", "minLength": 1},
            "fingerprint": {"type": "string", "pattern": "^[0-9a-f]{64}$"},
            "severity": {"enum": ["info", "minor", "major", "critical", "blocker"]},
            "location": {
                "type": "object",
                "required": ["path", "lines"],
                "properties": {
                    "path": {"type": "string", "pattern": "^(?!/)(?!\\./)."},
                    "lines": {
                        "type": "object",
                        "required": ["begin"],
                        "properties": {"begin": {"type": "integer", "minimum": 1}},
                    },
                },
            },
        },
    },
}
ERROR = Notice("cross-tenant", Severity.ERROR, "names petitions", "take it out", "projects.d/a.yaml", 12, 5, "a")


def rendered(*notices: Notice) -> list[dict[str, object]]:
    findings = json.loads(code_quality.render(Report(Kind.DIFF, "t", "v", notices=notices)))
    jsonschema.validate(findings, SCHEMA)
    assert isinstance(findings, list)
    return findings


@pytest.mark.parametrize("report", [samples.diff(), samples.run(), samples.drift()], ids=lambda r: r.kind.value)
def test_every_kind_of_report_follows_the_format(report: Report) -> None:
    assert len(rendered(*report.notices)) == len(report.notices)


def test_a_notice_becomes_a_finding() -> None:
    (finding,) = rendered(ERROR)
    assert finding["description"] == "names petitions: take it out"
    assert (finding["check_name"], finding["severity"]) == ("cross-tenant", "blocker")
    assert finding["location"] == {"path": "projects.d/a.yaml", "lines": {"begin": 12}}
    (waived,) = rendered(dataclasses.replace(ERROR, waived_by="agnes.platel until 2027-03-02: moving day"))
    assert waived["severity"] == "info"
    assert "(waived by agnes.platel until 2027-03-02: moving day)" in str(waived["description"])


def test_a_notice_without_a_file_has_a_path() -> None:
    (finding,) = rendered(dataclasses.replace(ERROR, path=""))
    assert finding["location"] == {"path": "Pulumi.yaml", "lines": {"begin": 1}}


def test_a_finding_that_only_moves_stays_the_same_and_twins_differ() -> None:
    (one,) = rendered(ERROR)
    (moved,) = rendered(dataclasses.replace(ERROR, line=99))
    assert one["fingerprint"] == moved["fingerprint"]
    twins = rendered(ERROR, dataclasses.replace(ERROR, line=99), dataclasses.replace(ERROR, text="names cantine"))
    assert len({str(finding["fingerprint"]) for finding in twins}) == 3


def test_a_report_without_notices_is_an_empty_list() -> None:
    assert rendered() == []


def test_hostile_texts_stay_on_their_line() -> None:
    text = "x\n\u202e\ud800</td>"
    (finding,) = rendered(Notice("r", Severity.INFO, text, text, text))
    assert str(finding["description"]).isprintable()
