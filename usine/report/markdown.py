"""A report as a comment on a merge request or as an issue, in GitLab's Markdown: limited, the largest risks first.

Every text from outside goes through `usine.report.markdown_text`, so that a tenant file cannot insert markup, mention a
person or run a quick action.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence

from usine.report import words
from usine.report.grouping import SystemGroup, TenantGroup, at_risk, by_effect, by_weight
from usine.report.markdown_text import code, fenced, html_code, prose
from usine.report.model import Action, Entry, Kind, Notice, PropertyChange, Report
from usine.report.values import both_sides, compare_lines, cut

#: GitLab refuses notes and descriptions of more than 1,048,576 characters, and opens long ones slowly.
GITLAB_LIMIT = 1_000_000
DEFAULT_LIMIT = 100_000
#: With less, the verdict may not fit.
LEAST_LIMIT = 10_000

_MARKER = re.compile(r"[a-z0-9][a-z0-9:._/-]*")
_LINK = re.compile(r"https?://[A-Za-z0-9._~:/?#%&=+@,;-]{1,500}")
#: Reserved for the count of what is left out, and for closing tags.
_RESERVE = 1_000
_LONGEST_TEXT = 600
_LONGEST_VALUE = 160
_MOST_ITEMS = 50
_MOST_PROPERTIES = 20
_MOST_OTHERS = 100
_MOST_LINES = 40
#: Actions for which the name is enough; the page and the JSON have every property.
_BY_NAME = frozenset({Action.CREATED, Action.DESTROYED, Action.UNMANAGED})


def render(report: Report, *, marker: str, limit: int = DEFAULT_LIMIT, link: str = "") -> str:
    """Render a comment of at most `limit` characters, which starts with the hidden line ``<!-- marker -->``.

    `marker` (``usine:diff``) identifies the comment, so that it can be updated. A comment that is too long keeps the
    largest risks and says how much is left out. `link` is the address of the whole report; it is ignored unless it is a
    plain http address. Raises ValueError for a marker that could end the hidden line, and for a limit that GitLab
    refuses or that is too small.
    """
    if not _MARKER.fullmatch(marker) or "--" in marker:
        raise ValueError(f"a marker consists of lower-case letters, digits and single :._/-, not {marker!r}")
    if not LEAST_LIMIT <= limit <= GITLAB_LIMIT:
        raise ValueError(f"a limit is {LEAST_LIMIT:,} to {GITLAB_LIMIT:,} characters, not {limit:,}")
    page = _Page(limit - _RESERVE)
    page.add(f"<!-- {marker} -->\n")
    page.add(f"### {prose(cut(report.title, _LONGEST_TEXT // 4))}\n\n")
    page.add(f"**{words.status(report).label}:** {prose(cut(report.verdict, _LONGEST_TEXT))}\n\n")
    facts = [f"{prose(label)}: {prose(cut(value, _LONGEST_VALUE))}" for label, value in report.facts]
    page.add("<sub>" + " · ".join(facts) + "</sub>\n\n" if facts else "")
    _at_risk(page, report)
    _notices(page, report)
    groups = by_effect(report)
    _summary(page, report, groups)
    left_out = _tenants(page, report, groups)
    return page.text() + _ending(left_out, page.cut, link)


class _Page:
    """The text so far, and the room that is left."""

    def __init__(self, room: int) -> None:
        self.room = room
        self.cut = False
        self._parts: list[str] = []

    def add(self, text: str) -> bool:
        """Add a text if it fits; return whether it did."""
        if len(text) > self.room:
            self.cut = True
            return False
        self._parts.append(text)
        self.room -= len(text)
        return True

    def items(self, lines: Sequence[str], word: str, empty: str = "") -> None:
        """Add the lines of a list that fit, at most `_MOST_ITEMS`, and a line with the number of the others."""
        shown = 0
        while shown < min(len(lines), _MOST_ITEMS) and self.add(lines[shown]):
            shown += 1
        if rest := len(lines) - shown:
            self.cut = True
            self._parts.append(f"{empty or '- '}… and {words.plural(rest, word)} more\n")  # from the reserve

    def text(self) -> str:
        return re.sub(r"\n{3,}", "\n\n", "".join(self._parts))


def _at_risk(page: _Page, report: Report) -> None:
    for title, entries in at_risk(report):
        page.add(f"#### {title}: {words.plural(len(entries), 'object')}\n\n")
        lines = [
            f"- **{words.SIGNS[e.action]} {_tenant_name(e.tenant)}, {prose(e.system)}: "
            f"{prose(words.type_name(e.type))}** {code(cut(e.name, _LONGEST_VALUE))}{_note(e)}\n"
            for e in entries
        ]
        page.items(lines, "object")
        page.add("\n")


def _notices(page: _Page, report: Report) -> None:
    refusing = [notice for notice in report.notices if notice.refuses]
    others = [notice for notice in by_weight(report.notices) if not notice.refuses]
    refused = "Could not be scanned" if report.kind is Kind.DRIFT else "Refused by the rules"
    for title, listed in ((refused, refusing), ("Warnings and remarks", others)):
        if listed:
            page.add(f"#### {title}\n\n")
            page.items([_notice(notice) for notice in listed], "notice")
            page.add("\n")


def _notice(notice: Notice) -> str:
    place = f" {code(f'{notice.path}:{notice.line}:{notice.column}')}" if notice.path else ""
    severity = "waived" if notice.waived_by else notice.severity.value
    shown = f"- **{severity}** {code(notice.rule)}{place} — {prose(cut(notice.text, _LONGEST_TEXT))}"
    if notice.waived_by:
        return f"{shown}<br>Waived by {prose(cut(notice.waived_by, _LONGEST_TEXT))}\n"
    return f"{shown}<br>{_remedy(notice)}\n" if notice.remedy else f"{shown}\n"


def _remedy(notice: Notice) -> str:
    return f"To fix: {prose(cut(notice.remedy, _LONGEST_TEXT))}"


def _summary(page: _Page, report: Report, groups: Sequence[TenantGroup]) -> None:
    actions = words.actions_of(report)
    if not actions:
        return
    heads = [f"{code(words.SIGNS[action])} {words.action_word(report.kind, action)}" for action in actions]
    page.add(f"| tenant | {' | '.join(heads)} |\n|---|{'--:|' * len(heads)}\n")
    rows = [
        _row(_tenant_name(group.tenant) + words.and_others(group.others), (group.numbers[a] for a in actions))
        for group in groups
    ]
    page.items(rows, "tenant", "| ")
    if len(groups) > 1:
        page.add(_row("**all**", (report.counts()[action] for action in actions)))
    page.add("\n")


def _row(name: str, numbers: Iterable[int]) -> str:
    return f"| {name} | {' | '.join(f'{number:,}' if number else '' for number in numbers)} |\n"


def _tenants(page: _Page, report: Report, groups: Sequence[TenantGroup]) -> list[Entry]:
    """Add the tenants' details, the largest risk first, until the page is full; return the other entries."""
    for position, group in enumerate(groups):
        left_out = _tenant(page, report.kind, group)
        if left_out:
            return left_out + [entry for rest in groups[position + 1 :] for entry in rest.entries]
    return []


def _tenant(page: _Page, kind: Kind, group: TenantGroup) -> list[Entry]:
    numbers = ", ".join(
        f"{group.counts[action]:,} {words.action_word(kind, action)}" for action in Action if group.counts[action]
    )
    entries = list(group.entries)
    closing = "\n</details>\n\n"
    each = f" (each){_others(group)}" if group.others else "</summary>\n\n"
    name = f"<b>{_summary_name(group.tenant)}</b>{words.and_others(group.others)}"
    head = f"<details><summary>{name}: {numbers}{each}"
    if len(head) + len(closing) > page.room or not page.add(head):
        page.cut = True
        return entries
    page.room -= len(closing)
    shown = 0
    for text in _entries(kind, group.systems):
        if not page.add(text):
            break
        shown += 1
    page.room += len(closing)
    page.add(closing)
    return entries[shown:]


def _others(group: TenantGroup) -> str:
    """Return the end of the summary of a group, and the folded list of its other tenants."""
    names = ", ".join(code(cut(slug, _LONGEST_VALUE)) for slug in group.others[:_MOST_OTHERS])
    rest = len(group.others) - _MOST_OTHERS
    more = f" … and {rest:,} more" if rest > 0 else ""
    return f"</summary>\n\n<details><summary>The same for</summary>\n\n{names}{more}\n\n</details>\n\n"


def _entries(kind: Kind, systems: Iterable[SystemGroup]) -> Iterator[str]:
    """Yield the text of each entry; the first one of a system comes after the system's name."""
    for system in systems:
        heading = f"\n**{prose(system.system)}**\n\n"
        for entry in system.entries:
            yield heading + _entry(kind, entry)
            heading = ""


def _entry(kind: Kind, entry: Entry) -> str:
    name = code(cut(words.object_name(entry), _LONGEST_VALUE))
    time = f" ({words.duration(entry.seconds)})" if entry.seconds is not None else ""
    line = f"- {code(words.SIGNS[entry.action])} {prose(words.type_name(entry.type))} {name}"
    if entry.loses_data:
        line += " **holds data**"
    line += f"{time}{_note(entry)}\n"
    return line if entry.action in _BY_NAME else line + _properties(kind, entry.properties)


def _properties(kind: Kind, properties: Sequence[PropertyChange]) -> str:
    shown = properties[:_MOST_PROPERTIES]
    rows: list[str] = []
    blocks: list[str] = []
    for change in shown:
        lines = compare_lines(change)
        if lines is None:
            sides = (code(cut(side, _LONGEST_VALUE)) for side in both_sides(change))
            rows.append(f"  | {code(cut(change.path, _LONGEST_VALUE))} | {' | '.join(sides)} |\n")
        else:
            texts = [cut(f"{line.sign}{line.text}", _LONGEST_VALUE) for line in lines[:_MOST_LINES]]
            if len(lines) > _MOST_LINES:
                texts.append(f" … and {len(lines) - _MOST_LINES:,} more lines")
            block = fenced(texts).replace("\n", "\n  ")
            blocks.append(f"\n  {code(cut(change.path, _LONGEST_VALUE))}\n\n  {block}\n")
    before, after = words.sides(kind)
    table = f"\n  | property | {before} | {after} |\n  |---|---|---|\n{''.join(rows)}" if rows else ""
    rest = len(properties) - len(shown)
    more = f"\n  … and {rest:,} more {'property' if rest == 1 else 'properties'}\n" if rest else ""
    return table + "".join(blocks) + more + ("\n" if shown else "")


def _note(entry: Entry) -> str:
    return f" — {prose(cut(entry.note, _LONGEST_TEXT))}" if entry.note else ""


def _tenant_name(tenant: str | None) -> str:
    return prose(cut(words.tenant_name(tenant), _LONGEST_VALUE))


def _summary_name(tenant: str | None) -> str:
    return words.tenant_name(None) if tenant is None else html_code(cut(tenant, _LONGEST_VALUE))


def _ending(left_out: Sequence[Entry], was_cut: bool, link: str) -> str:
    where = f"<{link}>" if _LINK.fullmatch(link) else ""
    if not left_out and not was_cut:
        return f"The whole report: {where}\n" if where else ""
    objects = f"{words.plural(len(left_out), 'object')} of the smallest risk" if left_out else "some lines"
    tenants = {entry.tenant for entry in left_out}
    among = f", of {words.plural(len(tenants), 'tenant')}," if tenants else ""
    verb = "is" if len(left_out) == 1 else "are"
    rest = f" The whole report: {where}" if where else " The whole is in this job's artifacts."
    return f"**Cut:** {objects}{among} {verb} not shown here.{rest}\n"
