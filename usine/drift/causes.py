"""Groups findings with the same change: hundreds of them have one cause, such as a provider upgrade."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from importlib import metadata
from typing import Any

from pulumi_facts import tokens
from pulumi_facts.paths import with_any_index
from pulumi_facts.values import ABSENT
from usine.drift.findings import DriftFinding
from usine.report.model import Action

#: So many objects do not change in the same way by manual changes.
LEAST = 10
#: The Python package of each provider, whose version is that of the plugin.
_PACKAGES = {
    "gitlab": "pulumi-gitlab",
    "harbor": "pulumiverse-harbor",
    "keycloak": "pulumi-keycloak",
    "kubernetes": "pulumi-kubernetes",
    "vault": "pulumi-vault",
}


@dataclass(frozen=True, slots=True)
class Cause:
    """Findings with the same change. `text` is one line for people.

    `upgrade`: the provider's version differs from the one that wrote the state.
    """

    text: str
    findings: tuple[DriftFinding, ...]
    upgrade: bool = False

    @property
    def objects(self) -> int:
        """The number of objects."""
        return len({finding.object_key for finding in self.findings})


def upgrades(resources: Iterable[Mapping[str, Any]]) -> dict[str, str]:
    """Return, by provider, how its version changed since the state was written: ``7.10.0 -> 7.11.0``.

    `resources` are those of the stack's checkpoint.
    """
    moved: dict[str, str] = {}
    for resource in resources:
        provider = tokens.package_of(str(resource["type"]))
        written = str((resource.get("inputs") or {}).get("version") or "")
        if tokens.is_provider(str(resource["type"])) and written and provider in _PACKAGES:
            try:
                installed = metadata.version(_PACKAGES[provider])
            except metadata.PackageNotFoundError:
                continue
            if installed != written:
                moved[provider] = f"{written} -> {installed}"
    return moved


def group(
    findings: Sequence[DriftFinding], moved: Mapping[str, str], least: int = LEAST
) -> tuple[tuple[Cause, ...], tuple[DriftFinding, ...]]:
    """Return the causes with at least `least` objects, the largest first, and the other findings.

    `moved` is the result of `upgrades`.
    """
    alike: dict[tuple[object, ...], list[DriftFinding]] = {}
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


def _signature(finding: DriftFinding) -> tuple[object, ...]:
    if finding.kind is not Action.CHANGED:
        return finding.kind, finding.type
    return finding.kind, finding.type, with_any_index(finding.path), _shape(finding.expected), _shape(finding.found)


def _shape(value: object) -> str:
    """Return the form of a value for comparison: booleans and numbers as they are, texts only as empty or not."""
    if value is ABSENT:
        return "nothing"
    if value is None or isinstance(value, (bool, int, float)):
        return str(value).lower()
    if isinstance(value, str):
        return '""' if not value else "a text"
    return "a list" if isinstance(value, list) else "a mapping"


def _text(example: DriftFinding, count: int, moved: Mapping[str, str]) -> str:
    provider = _provider(example)
    short = example.type.rsplit(":", 1)[-1]
    if example.kind is not Action.CHANGED:
        return f"{count} objects {example.kind.value} of one type, {short}"
    what = f"{with_any_index(example.path)} of {short}: {_shape(example.expected)} -> {_shape(example.found)}"
    if provider in moved:
        return f"provider upgrade ({provider} {moved[provider]}): {count} objects changed in the same way, {what}"
    return f"one cause: {count} objects changed in the same way, {what}"


def _provider(finding: DriftFinding) -> str:
    return tokens.package_of(finding.type)
