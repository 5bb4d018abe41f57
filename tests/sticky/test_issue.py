"""The issue about drift: opened, updated when the findings change, closed, reopened; always one, and confidential."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import pytest

from pulumi_facts.values import ABSENT
from tests.sticky.conftest import Forge
from usine.report.model import Action, Entry, EntrySeverity, Kind, Notice, PropertyChange, Report, Severity
from usine.sticky import issue
from usine.sticky.connection import StickyError

POLICY = Entry(
    Action.CHANGED,
    "guichet",
    "vault",
    "vault:index/policy:Policy",
    "guichet.dev",
    (PropertyChange("policy", "a", "b"),),
)
ROBOT = Entry(Action.UNMANAGED, "guichet", "harbor", "harbor:index/robotAccount:RobotAccount", "robot$guichet+byhand")
BLIND = Notice("could-not-look", Severity.ERROR, "harbor does not answer", tenant="guichet")


def report(*entries: Entry, notices: tuple[Notice, ...] = (), **more: Any) -> Report:
    return Report(Kind.DRIFT, "usine drift: prod", f"{len(entries)} objects", entries=entries, notices=notices, **more)


def keep(forge: Forge, found: Report, body: str = "<!-- usine:drift -->\nwhat was found", name: str = "prod") -> str:
    return issue.keep(found, body, name=name, environment=forge.environment)


def comments(one: Any) -> list[str]:
    return [note.body for note in one.notes.list(get_all=True, sort="asc") if not note.system]


def test_the_life_of_the_issue(forge: Forge, written: Callable[[], list[str]]) -> None:
    assert keep(forge, report()) == "no drift, no issue"
    assert written() == []
    assert keep(forge, report(POLICY)) == "issue #1 opened"
    (opened,) = forge.issues()
    assert (opened.state, opened.confidential, opened.labels) == ("opened", True, ["usine-drift"])
    assert opened.title == "Drift on prod: 1 object differs from the stack's state"
    hidden, *text = opened.description.splitlines()
    assert hidden.startswith("<!-- usine:drift:prod digest=")
    assert text == ["what was found"], "the report's own hidden line is left out"
    written()

    # The same finding with another date and duration: the issue does not change.
    older = dataclasses.replace(POLICY, note="since 2026-11-20", seconds=3.0)
    assert keep(forge, report(older, facts=(("duration", "12 s"),)), "since yesterday") == "issue #1 unchanged"
    assert written() == []

    assert keep(forge, report(POLICY, ROBOT)) == "issue #1 updated"
    changed = dataclasses.replace(POLICY, properties=(PropertyChange("policy", "a", ABSENT),))
    assert keep(forge, report(changed)) == "issue #1 updated"
    (updated,) = forge.issues()
    first, second = comments(updated)
    assert "1 new, 0 gone, 1 still there." in first
    assert "- unmanaged: `guichet` · `harbor` · `robot$guichet+byhand`" in first
    assert forge.environment["CI_PIPELINE_URL"] in first
    assert "1 new, 2 gone, 0 still there." in second

    assert keep(forge, report()) == "issue #1 closed: no drift"
    assert keep(forge, report()) == "no drift, no issue"
    assert keep(forge, report(changed)) == "issue #1 reopened"
    (again,) = forge.issues()
    assert (again.state, len(comments(again))) == ("opened", 4)


def test_another_stack_has_another_issue(forge: Forge) -> None:
    keep(forge, report(POLICY))
    assert keep(forge, report(ROBOT), name="prod-dmz") == "issue #2 opened"
    assert keep(forge, report(), name="prod-dmz") == "issue #2 closed: no drift"
    assert [one.state for one in forge.issues()] == ["opened", "closed"]


def test_a_scan_with_gaps_does_not_close_the_issue(forge: Forge) -> None:
    assert "could not look everywhere" in keep(forge, report(notices=(BLIND,)))
    keep(forge, report(POLICY))
    assert "left as it is" in keep(forge, report(notices=(BLIND,)))
    assert [one.state for one in forge.issues()] == ["opened"]


def test_the_title_counts_what_opens_a_way_in(forge: Forge) -> None:
    keep(forge, report(dataclasses.replace(POLICY, severity=EntrySeverity.CRITICAL), ROBOT))
    (opened,) = forge.issues()
    assert opened.title == "Drift on prod: 2 objects differ from the stack's state, 1 gives access"


def test_a_manually_closed_issue_is_reopened(forge: Forge) -> None:
    keep(forge, report(POLICY))
    forge.project.issues.update(1, {"state_event": "close"})
    assert keep(forge, report(POLICY)) == "issue #1 reopened"


def test_a_manually_published_issue_is_confidential_again_after_the_next_change(forge: Forge) -> None:
    keep(forge, report(POLICY))
    forge.project.issues.update(1, {"confidential": False, "labels": []})
    keep(forge, report(POLICY, ROBOT))
    (one,) = forge.issues()
    assert (one.confidential, one.labels) == (True, []), "labels are people's"


def test_issues_of_other_people_are_never_changed(forge: Forge) -> None:
    """The findings do not get into a public issue that another person created with the marker."""
    planted = forge.project.issues.create(
        {"title": "trap", "description": "<!-- usine:drift:prod digest=0 findings=+0 -->", "labels": ["usine-drift"]}
    )
    assert keep(forge, report(POLICY)) == "issue #2 opened"
    assert forge.project.issues.get(planted.iid).title == "trap"


def test_doubles_are_reduced_to_the_oldest(forge: Forge) -> None:
    keep(forge, report(POLICY))
    (first,) = forge.issues()
    forge.bot().issues.create({"title": "again", "description": first.description, "confidential": True})
    assert keep(forge, report(POLICY)) == "issue #1 unchanged"
    assert [one.state for one in forge.issues()] == ["opened", "closed"]
    assert comments(forge.issues()[1]) == ["Double of #1."]


def test_hostile_texts_have_no_effect(forge: Forge) -> None:
    keep(forge, report(POLICY))
    name = "x`\n/close\n@all <img src=x onerror=alert(1)>\u202e"
    keep(forge, report(POLICY, dataclasses.replace(ROBOT, name=name)), "/close\n/confidential\nbody")
    (one,) = forge.issues()
    (said,) = comments(one)
    assert one.state == "opened"
    assert "\n/" not in one.description
    assert "\n/" not in said
    assert "<code>x&#96;&#92;n&#47;close&#92;n&#64;all &#60;img src" in said, "what is not plain is code, escaped"


def test_thousands_of_findings_fit(forge: Forge) -> None:
    many = tuple(dataclasses.replace(ROBOT, name=f"robot-{n}") for n in range(2500))
    assert keep(forge, report(*many), "x" * 1_100_000) == "issue #1 opened"
    assert keep(forge, report(*many)) == "issue #1 unchanged"
    assert keep(forge, report(*many[1:])) == "issue #1 updated"
    assert keep(forge, report(*many[:100])) == "issue #1 updated"
    (one,) = forge.issues()
    assert len(one.description) < 10_000
    assert keep(forge, report(*many[:150])) == "issue #1 updated"
    assert "- and 30 more" in comments(one)[-1]
    assert comments(one)[0].endswith("2499 findings now.")


def test_a_name_that_cannot_be_a_marker_is_refused(forge: Forge) -> None:
    with pytest.raises(StickyError, match="named after 'prod --> x'"):
        keep(forge, report(POLICY), name="prod --> x")
