"""Keeps one confidential issue about drift: opens it, updates it when the findings change, closes it without drift."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

from pulumi_facts.values import ABSENT
from usine.report.markdown_text import code
from usine.report.model import FOUNDATION, Entry, Notice, Report, Severity
from usine.report.values import cut
from usine.sticky.connection import ProjectConnection, StickyError, connect, need, translated_errors
from usine.sticky.text import attributes_of, compose, hidden, is_marker

if TYPE_CHECKING:
    from gitlab.v4.objects import ProjectIssue

LABEL = "usine-drift"

_MOST_LISTED = 20
#: With more findings, the issue does not keep a fingerprint of each: they would fill the description.
_MOST_KEPT = 2000
_LONGEST_NAME = 100


def keep(report: Report, body: str, *, name: str, environment: Mapping[str, str] | None = None) -> str:
    """Update the project's issue about a stack from a report. Return what was done, in one line.

    `body` is the report as Markdown, with all text from elsewhere escaped. `name` is the stack. The issue is the one
    with the hidden marker and the token's user as its author: issues of other people are never changed. It is written
    only when the findings change. A report without findings whose scan has gaps changes nothing. Raises NoTokenError
    without a token, StickyError for all other failures.
    """
    environment = os.environ if environment is None else environment
    marker = f"usine:drift:{name.lower()}"
    if not is_marker(marker):
        raise StickyError(f"an issue cannot be named after {name!r}: letters, digits and ._:- only")
    connection = connect(environment, need(environment, "CI_PROJECT_ID"))
    link = environment.get("CI_PIPELINE_URL", "")
    with translated_errors("keep the issue about drift"):
        return _keep(connection, report, body, marker, name, link)


def _keep(connection: ProjectConnection, report: Report, body: str, marker: str, name: str, link: str) -> str:
    found = _own(connection, marker)
    issue = _single(found)
    blind = any(notice.severity is Severity.ERROR for notice in report.notices)
    if not report.entries:
        if issue is None or issue.state != "opened":
            return "no drift, no issue" if not blind else "could not look everywhere, found nothing: no issue"
        if blind:
            return f"issue #{issue.iid} left as it is: could not look everywhere"
        _comment(issue, f"**No drift any more.**{_source(link)}")
        _change(issue, state_event="close")
        return f"issue #{issue.iid} closed: no drift"
    prints = {fingerprint(entry): entry for entry in report.entries}
    digest = _digest([*prints, *map(_of_notice, report.notices)])
    kept = f"findings={','.join(sorted(prints))}" if len(prints) <= _MOST_KEPT else f"findings=+{len(prints)}"
    text = compose(hidden(marker, f"digest={digest}", kept), body)
    count = len(report.entries)
    title = f"Drift on {name}: {count} {'object differs' if count == 1 else 'objects differ'} from the stack's state"
    if opened := sum(entry.opens for entry in report.entries):
        title += f", {opened} {'gives' if opened == 1 else 'give'} access"
    if issue is None:
        return _open(connection, marker, title, text)
    return _update(issue, marker, title, text, digest, prints, link)


def _open(connection: ProjectConnection, marker: str, title: str, text: str) -> str:
    connection.project.issues.create({"title": title, "description": text, "confidential": True, "labels": [LABEL]})
    # A scan at the same time may have opened an issue as well: the older one stays.
    issue = _single(_own(connection, marker))
    return f"issue #{issue.iid} opened" if issue else "issue opened"


def _update(
    issue: ProjectIssue, marker: str, title: str, text: str, digest: str, prints: Mapping[str, Entry], link: str
) -> str:
    known = attributes_of(issue.description or "", marker) or ()
    unchanged = f"digest={digest}" in known
    opened = issue.state == "opened"
    if unchanged and opened:
        return f"issue #{issue.iid} unchanged"
    said = "There is drift again." if not opened else "What was found has changed."
    _comment(issue, f"**{said}**{_source(link)}\n{_difference(known, prints)}")
    changes = {"title": title, "description": text, "confidential": True}
    _change(issue, **changes, **({} if opened else {"state_event": "reopen"}))
    return f"issue #{issue.iid} {'updated' if opened else 'reopened'}"


def _difference(known: Sequence[str], prints: Mapping[str, Entry]) -> str:
    """Return what is new and how many findings are gone, if the issue has the fingerprints of the last report."""
    kept = next((word.removeprefix("findings=") for word in known if word.startswith("findings=")), "+")
    if kept.startswith("+"):
        return f"\n{len(prints)} findings now."
    before = set(kept.split(","))
    new = [entry for print_, entry in prints.items() if print_ not in before]
    gone = len(before - set(prints))
    lines = [f"\n{len(new)} new, {gone} gone, {len(prints) - len(new)} still there."]
    lines += [f"- {_shown(entry)}" for entry in new[:_MOST_LISTED]]
    if len(new) > _MOST_LISTED:
        lines.append(f"- and {len(new) - _MOST_LISTED} more")
    return "\n".join(lines)


def _shown(entry: Entry) -> str:
    words = (entry.tenant or FOUNDATION, entry.system, entry.name)
    return f"{entry.action}: " + " · ".join(code(cut(word, _LONGEST_NAME)) for word in words)


def _source(link: str) -> str:
    return f" [Pipeline]({link})" if link.startswith(("https://", "http://")) else ""


def _own(connection: ProjectConnection, marker: str) -> list[ProjectIssue]:
    """Return the issues of the token's user with this marker. The label is no criterion: people may remove it."""
    issues = connection.project.issues.list(
        iterator=True, author_id=connection.user, scope="all", state="all", order_by="created_at", sort="asc"
    )
    return [
        one
        for one in issues
        if one.author["id"] == connection.user and attributes_of(one.description or "", marker) is not None
    ]


def _single(found: Sequence[ProjectIssue]) -> ProjectIssue | None:
    """Return the oldest open issue, or else the newest. Other open ones are closed as doubles."""
    opened = sorted((one for one in found if one.state == "opened"), key=lambda one: int(one.iid))
    for double in opened[1:]:
        _comment(double, f"Double of #{opened[0].iid}.")
        _change(double, state_event="close")
    return opened[0] if opened else max(found, key=lambda one: int(one.iid), default=None)


def _comment(issue: ProjectIssue, text: str) -> None:
    issue.notes.create({"body": text})


def _change(issue: ProjectIssue, **changes: object) -> None:
    for key, value in changes.items():
        setattr(issue, key, value)
    issue.save()


def fingerprint(entry: Entry) -> str:
    """Return what identifies a finding in every scan: its values, without durations and dates."""
    properties = [
        [one.path, *("\0absent" if value is ABSENT else value for value in (one.before, one.after))]
        for one in entry.properties
    ]
    identity = [entry.action, entry.tenant, entry.system, entry.type, entry.name, properties]
    return _digest([json.dumps(identity, sort_keys=True, default=str)])[:12]


def _of_notice(notice: Notice) -> str:
    """Return what identifies a notice. Its text is no part of it, as it may count days."""
    return json.dumps([notice.rule, notice.severity, notice.tenant])


def _digest(texts: Iterable[str]) -> str:
    return hashlib.sha256("\0".join(sorted(texts)).encode()).hexdigest()[:32]
