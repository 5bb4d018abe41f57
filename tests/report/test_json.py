"""JSON: it is read back unchanged, follows the published schema, and all mistakes are reported."""

from __future__ import annotations

import json
from pathlib import Path

import jsonschema  # type: ignore[import-untyped]
import pytest
from hypothesis import given

from tests.report import samples
from tests.report.test_markdown import REPORTS
from tests.report.texts import UNTIMED
from usine.report import as_json, terraform
from usine.report.model import Report

PUBLISHED = Path(__file__).resolve().parents[2] / "docs" / "report.schema.json"
SAMPLES = ("diff", "run", "drift", "nothing", "hostile", "large")


@pytest.mark.parametrize("name", SAMPLES)
def test_a_written_report_is_read_back_unchanged(name: str) -> None:
    report: Report = getattr(samples, name)()
    text = as_json.render(report)
    assert as_json.render(as_json.load(text)) == text
    assert text.isascii()
    if name == "hostile":  # it has half a surrogate pair, which is not a text
        assert as_json.load(text).verdict == report.verdict.replace("\ud800", "\ufffd")
    else:
        assert as_json.load(text) == report


@UNTIMED
@given(REPORTS)
def test_any_report_is_read_back_unchanged_and_follows_the_schema(report: Report) -> None:
    text = as_json.render(report)
    assert as_json.render(as_json.load(text)) == text
    if "\\ud800" not in repr(report):  # half a surrogate pair is not a text
        assert as_json.load(text) == report
    jsonschema.validate(json.loads(text), json.loads(as_json.schema()), jsonschema.Draft202012Validator)


def test_the_published_schema_is_that_of_the_reader() -> None:
    assert PUBLISHED.read_text(encoding="utf-8") == as_json.schema()


def test_an_absent_value_differs_from_null() -> None:
    text = as_json.render(samples.diff())
    gpu = next(
        change for entry in json.loads(text)["entries"] for change in entry["properties"] if "gpu" in change["path"]
    )
    assert gpu == {"path": 'spec.hard["requests.nvidia.com/gpu"]', "after": "1"}


def test_fields_of_a_later_minor_change_are_ignored() -> None:
    document = json.loads(as_json.render(samples.run()))
    document["later"] = document["entries"][0]["later"] = document["notices"][0]["later"] = {"any": "thing"}
    assert as_json.load(json.dumps(document)) == samples.run()


def test_every_mistake_is_named_with_its_place_and_without_its_value() -> None:
    document = json.loads(as_json.render(samples.diff()))
    document["kind"] = "hunter2"
    document["entries"][3]["action"] = "hunter2"
    del document["notices"][0]["text"]
    with pytest.raises(as_json.ReportError) as caught:
        as_json.load(json.dumps(document))
    lines = str(caught.value).splitlines()
    assert [line.partition(": ")[0] for line in lines] == ["kind", "notices[0].text", "entries[3].action"]
    assert "'diff', 'run' or 'drift'" in lines[0]
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize("text", ["", "{", "[]", "null", '{"format": "usine-report/2"}', "\x00"])
def test_a_text_that_is_not_a_report_is_refused(text: str) -> None:
    with pytest.raises(as_json.ReportError):
        as_json.load(text)


@pytest.mark.parametrize(
    ("name", "numbers"),
    [
        ("diff", {"create": 13, "update": 6, "delete": 6}),  # one replaced object counts twice
        ("run", {"create": 9, "update": 2, "delete": 2}),  # two failed objects do not count
        ("drift", {"create": 2, "update": 4, "delete": 2}),  # the numbers of its repair
        ("nothing", {"create": 0, "update": 0, "delete": 0}),
    ],
)
def test_the_widget_gets_its_three_numbers(name: str, numbers: dict[str, int]) -> None:
    assert json.loads(terraform.render(getattr(samples, name)())) == numbers
