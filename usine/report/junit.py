"""JUnit XML, which GitLab shows as tests: one test case per rule, and one per tenant and system."""

from __future__ import annotations

import io
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final
from xml.etree import ElementTree

from usine.report.grouping import by_tenant
from usine.report.model import Action, Entry, EntrySeverity, Kind, Notice, Report
from usine.report.values import both_sides, cut, visible
from usine.report.words import SIGNS, action_word, object_name, plural, tenant_name, total_seconds, type_name

_RULES: Final = "rules"
#: Limits of the text of a test case: GitLab limits the artifact only.
_MOST_ENTRIES = 200
_LONGEST_VALUE = 300


@dataclass(frozen=True, slots=True)
class _Case:
    """A test case. `outcome` is the element for a case that did not pass (``failure``, ``error``), or empty.

    `opens`: the case has an entry with unauthorised access.
    """

    name: str
    suite: str
    file: str = ""
    seconds: float | None = None
    outcome: str = ""
    message: str = ""
    text: str = ""
    opens: bool = False


def render(report: Report, *, rules: Iterable[str] = (), looked_at: Iterable[tuple[str | None, str]] = ()) -> str:
    """Render a report as JUnit XML.

    Each rule with notices is a case, which fails if the rule refuses; if a part could not be scanned for drift, it is
    an error. Each tenant and system is a case, which fails with the drift or with the failures of a run; a change that
    is not applied has no such cases. `rules` and `looked_at` (tenant and system) are further cases, which pass, so that
    GitLab sees that a failure is gone. Cases with unauthorised access come first.
    """
    cases = [*_of_rules(report, rules), *_of_systems(report, looked_at)]
    cases.sort(key=lambda case: not case.opens)
    root = ElementTree.Element("testsuites", _totals(f"usine {report.kind.value}", cases))
    for suite in dict.fromkeys(case.suite for case in cases):
        members = [case for case in cases if case.suite == suite]
        element = ElementTree.SubElement(root, "testsuite", _totals(suite, members))
        for case in members:
            element.append(_element(case))
    ElementTree.indent(root)
    buffer = io.BytesIO()
    ElementTree.ElementTree(root).write(buffer, encoding="utf-8", xml_declaration=True)
    return buffer.getvalue().decode() + "\n"


def _totals(name: str, cases: Sequence[_Case]) -> dict[str, str]:
    return {
        "name": visible(name),
        "tests": str(len(cases)),
        "failures": str(sum(case.outcome == "failure" for case in cases)),
        "errors": str(sum(case.outcome == "error" for case in cases)),
        "time": f"{sum(case.seconds or 0 for case in cases):.3f}",
    }


def _element(case: _Case) -> ElementTree.Element:
    attributes = {"name": visible(case.name), "classname": visible(case.suite), "time": f"{case.seconds or 0:.3f}"}
    if case.file:
        attributes["file"] = visible(case.file)
    element = ElementTree.Element("testcase", attributes)
    if case.outcome:
        child = ElementTree.SubElement(
            element, case.outcome, {"message": visible(case.message), "type": visible(case.suite)}
        )
        child.text = visible(case.text, keep="\n")
    elif case.text:
        ElementTree.SubElement(element, "system-out").text = visible(case.text, keep="\n")
    return element


# Rules ------------------------------------------------------------------------------------------------------------


def _of_rules(report: Report, rules: Iterable[str]) -> list[_Case]:
    by_rule: dict[str, list[Notice]] = {rule: [] for rule in rules}
    for notice in report.notices:
        by_rule.setdefault(notice.rule, []).append(notice)
    return [_rule(rule, notices, report.kind) for rule, notices in by_rule.items()]


def _rule(rule: str, notices: Sequence[Notice], kind: Kind) -> _Case:
    refusing = [notice for notice in notices if notice.refuses]
    first = (refusing or list(notices))[:1]
    return _Case(
        name=rule,
        suite=_RULES,
        file=first[0].path if first else "",
        outcome=("error" if kind is Kind.DRIFT else "failure") if refusing else "",
        message=refusing[0].text if refusing else "",
        text="\n".join(map(_notice, notices)),
    )


def _notice(notice: Notice) -> str:
    place = f"{notice.path}:{notice.line}:{notice.column}: " if notice.path else ""
    waived = f" (waived by {notice.waived_by})" if notice.waived_by else ""
    remedy = f"\n    {notice.remedy}" if notice.remedy else ""
    return f"{place}{notice.severity.value}: {notice.text}{waived}{remedy}"


# Tenants and systems ----------------------------------------------------------------------------------------------


def _of_systems(report: Report, looked_at: Iterable[tuple[str | None, str]]) -> list[_Case]:
    if report.kind is Kind.DIFF:
        return []
    found: dict[tuple[str, str], tuple[Entry, ...]] = {
        (tenant_name(tenant), system): () for tenant, system in looked_at
    }
    for tenant in by_tenant(report.entries):
        for group in tenant.systems:
            found[tenant_name(tenant.tenant), group.system] = group.entries
    return [_system(tenant, system, found[tenant, system], report.kind) for tenant, system in sorted(found)]


def _system(tenant: str, system: str, entries: Sequence[Entry], kind: Kind) -> _Case:
    bad = [entry for entry in entries if kind is Kind.DRIFT or entry.action is Action.FAILED]
    lines = [line for entry in bad[:_MOST_ENTRIES] for line in _entry(entry, kind)]
    if len(bad) > _MOST_ENTRIES:
        lines.append(f"… and {plural(len(bad) - _MOST_ENTRIES, 'object')} more")
    verb = "differ" if kind is Kind.DRIFT else "failed"
    opened = sum(entry.opens for entry in bad)
    ways = f", {opened} of them {'gives' if opened == 1 else 'give'} access" if opened else ""
    return _Case(
        name=system,
        suite=tenant,
        seconds=total_seconds(entries),
        outcome="failure" if bad else "",
        message=f"{plural(len(bad), 'object')} {verb}{ways}" if bad else "",
        text="\n".join(lines),
        opens=opened > 0,
    )


def _entry(entry: Entry, kind: Kind) -> Iterable[str]:
    note = f" ({entry.note})" if entry.note else ""
    severity = f"{entry.severity.value}: " if entry.severity is not EntrySeverity.NORMAL else ""
    what = f"{action_word(kind, entry.action)} {type_name(entry.type)} {object_name(entry)}"
    yield f"{severity}{SIGNS[entry.action]} {what}{note}"
    for change in entry.properties:
        before, after = both_sides(change)
        yield f"    {change.path}: {cut(before, _LONGEST_VALUE)} -> {cut(after, _LONGEST_VALUE)}"
