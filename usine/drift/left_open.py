"""Changed settings that the program does not set: the other plugins do not see them.

A plugin compares the inputs of the program. The system chooses the other settings, and the plugin reads them into the
state; it sees no difference when they change later. So the values that were read now are compared with those of the
last run. Only properties that a program can set count: numbers, dates and addresses that a system computes change by
themselves.
"""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from functools import cache
from typing import Final

from pulumi_facts.paths import parse
from pulumi_facts.values import SECRET
from usine.drift.findings import DriftFinding, Means
from usine.drift.observe import Observation
from usine.report.model import Action

_PACKAGES: Final = {
    "gitlab": "pulumi_gitlab",
    "harbor": "pulumiverse_harbor",
    "keycloak": "pulumi_keycloak",
    "vault": "pulumi_vault",
}
#: People may change their own accounts, and a tenant its projects, except for settings of the program.
_SELF_MANAGED: Final = frozenset({"gitlab:index/project:Project", "gitlab:index/user:User", "keycloak:index/user:User"})
#: Vault writes this when people log in, if the log-in decides the group's members; its API refuses other writers.
_BY_LOG_IN: Final = frozenset({("vault:identity/group:Group", "memberEntityIds")})


def moved(observation: Observation) -> Iterator[DriftFinding]:
    """Yield a finding for each setting that the program does not set and that differs from the last run."""
    address, live = observation.address, observation.live
    if live is None or address.type in _SELF_MANAGED:
        return
    noticed = {parse(path)[0] for path in observation.differs}
    known = observation.known
    moves = {
        name
        for name in known.outputs.keys() - known.inputs.keys() - noticed
        if SECRET not in {str(known.outputs[name]), str(live.outputs.get(name))}
        and not _same(known.outputs[name], live.outputs.get(name))
    }
    # Only then: to import the SDKs takes half of the processor time of a scan that finds nothing.
    for name in sorted(moves and moves & settable(address.type)):
        if (address.type, name) in _BY_LOG_IN and known.inputs.get("type") == "external":
            continue
        yield DriftFinding(
            Action.CHANGED,
            address.tenant,
            address.system,
            address.type,
            address.name,
            name,
            known.outputs[name],
            live.outputs.get(name),
            address.urn,
            means=Means.HAND,
            call="set it back, or set it in components/",
        )


@cache
def settable(type_: str) -> frozenset[str]:
    """Return the properties that a program can set, from the provider's SDK; none for an unknown type."""
    package, module, name = type_.split(":")
    if package not in _PACKAGES:
        return frozenset()
    from pulumi._types import input_type_py_to_pulumi_names  # noqa: PLC0415 - takes a third of a second

    place = module.partition("/")[0]
    try:
        sdk = importlib.import_module(_PACKAGES[package] if place == "index" else f"{_PACKAGES[package]}.{place}")
        arguments: type = getattr(sdk, f"{name}Args")
    except (ImportError, AttributeError):
        return frozenset()
    return frozenset(input_type_py_to_pulumi_names(arguments).values())


def _same(before: object, now: object) -> bool:
    """Return whether two values mean the same. All empty values are equal, and the order of a list does not count."""
    if not before and not now:
        return True
    if isinstance(before, list) and isinstance(now, list):
        return sorted(map(repr, before)) == sorted(map(repr, now))
    return before == now
