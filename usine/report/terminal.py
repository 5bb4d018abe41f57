"""A report on a terminal. Colours only repeat what signs and words tell."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table
from rich.text import Text

from usine.report import words
from usine.report.grouping import TenantGroup, at_risk, by_effect, by_weight
from usine.report.model import Action, Entry, Kind, Notice, PropertyChange, Report, Severity
from usine.report.values import both_sides, compare_lines, cut, visible

#: Limit of the objects of a tenant in a system, of the properties of an object, and of the lines of a property.
MOST = 20
_LONGEST_VALUE = 200
_NARROWEST = 20

_STYLES = {
    Action.DESTROYED: "bold red",
    Action.REPLACED: "bold magenta",
    Action.FAILED: "bold red",
    Action.MISSING: "bold red",
    Action.UNMANAGED: "bold yellow",
    Action.CHANGED: "yellow",
    Action.CREATED: "green",
}
_TONES = {"bad": "bold red", "warn": "bold yellow", "plain": "bold blue", "good": "bold green"}
_SEVERITIES = {Severity.ERROR: "bold red", Severity.WARNING: "bold yellow", Severity.INFO: "cyan"}
_LINES = {"-": "red", "+": "green", "…": "dim"}


def render(report: Report, console: Console, *, most: int = MOST) -> None:
    """Print a report: verdict, entries to read first, notices, all entries by tenant and system, and a table.

    `most` limits each list, but not the entries to read first. The number of entries that are left out is shown.
    """
    status = words.status(report)
    _line(console, 0, Text(visible(report.title), style="bold"))
    _line(console, 0, Text.assemble((f"{status.label}: ", _TONES[status.tone]), visible(report.verdict)))
    for label, value in report.facts:
        _line(console, 2, Text.assemble((f"{visible(label)}: ", "dim"), visible(value)))
    for title, entries in at_risk(report):
        _heading(console, f"{title}: {words.plural(len(entries), 'object')}", "bold red")
        for entry in entries:
            where = f"{words.tenant_name(entry.tenant)}  {entry.system}  "
            _line(console, 2, _object(entry, visible(where), visible(entry.name)))
    _notices(console, report.notices)
    groups = by_effect(report)
    for group in groups:
        _tenant(console, report.kind, group, most)
    if groups:
        console.print()
        console.print(_summary(report, groups))


def _notices(console: Console, notices: Sequence[Notice]) -> None:
    if notices:
        _heading(console, "Notices", "bold")
    for notice in by_weight(notices):
        place = f"{notice.path}:{notice.line}:{notice.column}: " if notice.path else ""
        severity = "waived" if notice.waived_by else notice.severity.value
        style = "dim" if notice.waived_by else _SEVERITIES[notice.severity]
        text = Text.assemble(
            visible(place), (f"{severity}: ", style), visible(notice.text), (f" [{visible(notice.rule)}]", "dim")
        )
        _line(console, 2, text)
        if notice.waived_by:
            _line(console, 6, Text(f"waived by {visible(notice.waived_by)}"))
        elif notice.remedy:
            _line(console, 6, Text(visible(notice.remedy)))


def _tenant(console: Console, kind: Kind, group: TenantGroup, most: int) -> None:
    _heading(console, visible(words.tenant_name(group.tenant)) + words.and_others(group.others), "bold")
    if group.others:
        shown = ", ".join(map(visible, group.others[:most]))
        rest = f" … and {len(group.others) - most:,} more" if len(group.others) > most else ""
        _line(console, 2, Text(f"the same for: {shown}{rest}", style="dim"))
    for system in group.systems:
        numbers = ", ".join(
            f"{system.counts[action]:,} {words.action_word(kind, action)}" for action in Action if system.counts[action]
        )
        _line(console, 2, Text.assemble((visible(system.system), "bold"), (f"  {numbers}", "dim")))
        for entry in system.entries[:most]:
            _line(console, 4, _object(entry, "", visible(words.object_name(entry))))
            _properties(console, entry.properties, most)
        _left_out(console, 4, len(system.entries) - most, "object")


def _object(entry: Entry, where: str, name: str) -> Text:
    style = _STYLES[entry.action]
    text = Text.assemble((f"{words.SIGNS[entry.action]:<3} ", style), where, f"{visible(words.type_name(entry.type))} ")
    text.append(name, style if entry.loses_data else "bold")
    if entry.loses_data:
        text.append("  holds data", style)
    if entry.seconds is not None:
        text.append(f"  {words.duration(entry.seconds)}", "dim")
    if entry.note:
        text.append(f"  {visible(entry.note)}")
    return text


def _properties(console: Console, properties: Sequence[PropertyChange], most: int) -> None:
    for change in properties[:most]:
        path = visible(change.path)
        lines = compare_lines(change)
        if lines is None:
            before, after = (cut(side, _LONGEST_VALUE) for side in both_sides(change))
            _line(console, 10, Text.assemble(f"{path}: ", (before, "red"), " -> ", (after, "green")))
            continue
        _line(console, 10, Text(f"{path}:"))
        for line in lines[:most]:
            shown = f"{line.sign} {cut(line.text, _LONGEST_VALUE)}".rstrip()
            _line(console, 12, Text(shown, style=_LINES.get(line.sign, "")))
        _left_out(console, 12, len(lines) - most, "line")
    _left_out(console, 10, len(properties) - most, "property", "properties")


def _summary(report: Report, groups: Iterable[TenantGroup]) -> Table:
    actions = words.actions_of(report)
    timed = any(entry.seconds is not None for entry in report.entries)
    table = Table(box=SIMPLE_HEAD, show_footer=True, pad_edge=False)
    table.add_column("tenant", footer="all", no_wrap=True)
    for action in actions:
        heading = f"{words.SIGNS[action]} {words.action_word(report.kind, action)}"
        table.add_column(heading, footer=f"{report.counts()[action]:,}", justify="right", style=_STYLES[action])
    if timed:
        total = words.duration(words.total_seconds(report.entries) or 0)
        table.add_column("work", footer=total, justify="right")
    for group in sorted(groups, key=lambda g: g.tenant or ""):
        cells = [f"{group.numbers[action]:,}" if group.numbers[action] else "" for action in actions]
        if timed:
            seconds = words.total_seconds(group.entries)
            cells.append("" if seconds is None else words.duration(seconds))
        table.add_row(Text(visible(words.tenant_name(group.tenant)) + words.and_others(group.others)), *cells)
    return table


def _heading(console: Console, text: str, style: str) -> None:
    console.print()
    _line(console, 0, Text(text, style=style))


def _line(console: Console, indent: int, text: Text) -> None:
    """Print a line. On a terminal it is wrapped with the same indentation; in a file it is not wrapped."""
    margin = Text(" " * indent)
    if not console.is_terminal:
        console.print(margin + text, soft_wrap=True)
        return
    for line in text.wrap(console, max(console.width - indent, _NARROWEST), overflow="fold"):
        line.rstrip()
        console.print(margin + line, soft_wrap=True)


def _left_out(console: Console, indent: int, number: int, word: str, several: str = "") -> None:
    if number > 0:
        counted = f"{number:,} {several}" if several and number > 1 else words.plural(number, word)
        _line(console, indent, Text(f"… and {counted} more", style="dim"))
