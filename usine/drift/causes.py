"""One line for what has one cause: hundreds of objects that changed in the same way."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from importlib import metadata
from typing import Any

from usine.drift.findings import Finding
from usine.report.model import ABSENT, Action

#: So many objects do not change alike by somebody's hand.
LEAST = 10
_INDEX = re.compile(r'\[(\d+|"[^"]*")\]')
#: The Python package of each provider: its version is that of the plugin this checkout runs.
_PACKAGES = {
    "gitlab": "pulumi-gitlab",
    "harbor": "pulumiverse-harbor",
    "keycloak": "pulumi-keycloak",
    "kubernetes": "pulumi-kubernetes",
    "vault": "pulumi-vault",
}
_PROVIDER = "pulumi:providers:"


@dataclass(frozen=True, slots=True)
class Cause:
    """Findings that share what happened to them. `text` is one line for people.

    `upgrade`: the provider has another version than the one the state was written with.
    """

    text: str
    findings: tuple[Finding, ...]
    upgrade: bool = False

    @property
    def objects(self) -> int:
        """How many objects it is about."""
        return len({finding.object_key for finding in self.findings})


def upgrades(resources: Iterable[Mapping[str, Any]]) -> dict[str, str]:
    """Return by provider how its version moved since the state was written: ``7.10.0 -> 7.11.0``.

    `resources` are those of the stack's checkpoint.
    """
    moved: dict[str, str] = {}
    for resource in resources:
        provider = str(resource["type"]).removeprefix(_PROVIDER)
        written = str((resource.get("inputs") or {}).get("version") or "")
        if provider in _PACKAGES and written and str(resource["type"]).startswith(_PROVIDER):
            try:
                installed = metadata.version(_PACKAGES[provider])
            except metadata.PackageNotFoundError:
                continue
            if installed != written:
                moved[provider] = f"{written} -> {installed}"
    return moved


def group(
    findings: Sequence[Finding], moved: Mapping[str, str], least: int = LEAST
) -> tuple[tuple[Cause, ...], tuple[Finding, ...]]:
    """Return the causes of `least` objects and more, the largest first, and the findings that have none.

    `moved` is what `upgrades` gives.
    """
    alike: dict[tuple[object, ...], list[Finding]] = {}
    for finding in findings:
        alike.setdefault(_signature(finding), []).append(finding)
    causes: list[Cause] = []
    single: set[str] = set()
    for members in alike.values():
        count = len({member.object_key for member in members})
        if count >= least:
            upgraded = members[0].kind is Action.CHANGED and _provider(members[0]) in moved
            causes.append(Cause(_text(members[0], count, moved), tuple(members), upgraded))
        else:
            single |= {member.key for member in members}
    causes.sort(key=lambda cause: (-cause.objects, cause.text))
    return tuple(causes), tuple(finding for finding in findings if finding.key in single)


def _signature(finding: Finding) -> tuple[object, ...]:
    if finding.kind is not Action.CHANGED:
        return finding.kind, finding.type
    return finding.kind, finding.type, _anywhere(finding.path), _shape(finding.expected), _shape(finding.found)


def _anywhere(path: str) -> str:
    return _INDEX.sub("[*]", path)


def _shape(value: object) -> str:
    """What a value is like: small words and numbers count, texts of people do not."""
    if value is ABSENT:
        return "nothing"
    if value is None or isinstance(value, (bool, int, float)):
        return str(value).lower()
    if isinstance(value, str):
        return '""' if not value else "a text"
    return "a list" if isinstance(value, list) else "a mapping"


def _text(example: Finding, count: int, moved: Mapping[str, str]) -> str:
    provider = _provider(example)
    short = example.type.rsplit(":", 1)[-1]
    if example.kind is not Action.CHANGED:
        return f"{count} objects {example.kind.value} of one type, {short}"
    what = f"{_anywhere(example.path)} of {short}: {_shape(example.expected)} -> {_shape(example.found)}"
    if provider in moved:
        return f"provider upgrade ({provider} {moved[provider]}): {count} objects changed alike, {what}"
    return f"one cause: {count} objects changed alike, {what}"


def _provider(finding: Finding) -> str:
    return finding.type.split(":", 1)[0]
