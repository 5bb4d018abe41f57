"""A report as one self-contained HTML page: it makes no request, works without JavaScript, and can be printed."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from urllib.parse import quote

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from usine.report import values, words
from usine.report.grouping import at_risk, by_effect, by_weight
from usine.report.model import Action, Kind, Report

_PAGE = Path(__file__).with_name("page")
#: With more objects, the page shows closed tenants; with fewer, everything is open.
_OPEN_OBJECTS = 150
_KINDS = {Kind.DIFF: "Change", Kind.RUN: "Run", Kind.DRIFT: "Drift"}
#: Actions whose properties are the whole object.
_WHOLE = frozenset({Action.CREATED, Action.DESTROYED, Action.UNMANAGED})


def render(report: Report) -> str:
    """Render the page: HTML with inline style and script, under a content security policy that allows only these."""
    style, script = _source("style.css"), _source("script.js")
    groups = by_effect(report)
    shown = sum(len(group.entries) for group in groups)
    small = shown <= _OPEN_OBJECTS
    return (
        _environment()
        .get_template("page.html.j2")
        .render(
            report=report,
            kind=_KINDS[report.kind],
            status=words.status(report),
            sides=words.sides(report.kind),
            actions=words.actions_of(report),
            counts=report.counts(),
            systems=_systems(report),
            timed=any(entry.seconds is not None for entry in report.entries),
            at_risk=at_risk(report),
            notices=by_weight(report.notices),
            groups=groups,
            shown=shown,
            small=small,
            opens=lambda entry: small and bool(entry.properties) and entry.action not in _WHOLE,
            style=Markup(style),  # noqa: S704 - our own file
            script=Markup(script),  # noqa: S704 - our own file
            style_hash=_hash(style),
            script_hash=_hash(script),
        )
    )


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(_PAGE),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        # Invisible characters are made visible, wherever a text is inserted.
        finalize=lambda value: values.visible(value) if type(value) is str else value,
    )
    environment.filters.update(
        both_sides=values.both_sides,
        code_pieces=values.code_pieces,
        compare=values.compare_lines,
        type_name=words.type_name,
        object_name=words.object_name,
        tenant_name=words.tenant_name,
        duration=words.duration,
        seconds=words.total_seconds,
        moment=lambda text: text[:16].replace("T", " "),
        number=lambda number: f"{number:,}",
        fragment=lambda tenant: quote(f"tenant={values.visible(words.tenant_name(tenant))}", safe="=()"),
        sign=lambda action: words.SIGNS[action],
    )
    environment.globals.update(action_word=words.action_word, plural=words.plural, and_others=words.and_others)
    return environment


@cache
def _source(name: str) -> str:
    return (_PAGE / name).read_text(encoding="utf-8")


def _hash(source: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(source.encode()).digest()).decode()


def _systems(report: Report) -> Mapping[str, int]:
    counted: dict[str, int] = {}
    for entry in report.entries:
        counted[entry.system] = counted.get(entry.system, 0) + 1
    return dict(sorted(counted.items()))
