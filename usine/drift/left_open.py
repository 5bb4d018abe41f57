"""Settings that the program leaves open and somebody moved: the other plugins' blind spot.

A plugin compares what the program says. What it does not say, the system fills in, and the plugin reads it into the
state; a later change of it is no difference to the plugin. So what was read now is set beside what the last run read.
Only what could be declared counts: numbers, dates and addresses that a system computes change by themselves.
"""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from functools import cache
from typing import Final

from pulumi._types import input_type_py_to_pulumi_names

from usine.drift.findings import Finding, Means
from usine.drift.observe import Observation
from usine.drift.paths import parse
from usine.plan.model import SECRET
from usine.report.model import Action

_PACKAGES: Final = {
    "gitlab": "pulumi_gitlab",
    "harbor": "pulumiverse_harbor",
    "keycloak": "pulumi_keycloak",
    "vault": "pulumi_vault",
}
#: People change their own accounts and a tenant its projects, as far as nobody said how they are to be.
_THEIR_OWN: Final = frozenset({"gitlab:index/project:Project", "gitlab:index/user:User", "keycloak:index/user:User"})
#: What Vault writes when people log in, in a group whose members the log-in decides; its API refuses it to everyone.
_BY_LOG_IN: Final = frozenset({("vault:identity/group:Group", "memberEntityIds")})


def moved(observation: Observation) -> Iterator[Finding]:
    """Yield a finding for each setting that the program leaves open and that is not what the last run read."""
    address, live = observation.address, observation.live
    if live is None or address.type in _THEIR_OWN:
        return
    noticed = {parse(path)[0] for path in observation.differs}
    for name in sorted(settable(address.type) & observation.known.outputs.keys() - noticed):
        before, now = observation.known.outputs[name], live.outputs.get(name)
        if (address.type, name) in _BY_LOG_IN and observation.known.inputs.get("type") == "external":
            continue
        if name in observation.known.inputs or SECRET in {str(before), str(now)} or _same(before, now):
            continue
        yield Finding(
            Action.CHANGED,
            address.tenant,
            address.system,
            address.type,
            address.name,
            name,
            before,
            now,
            address.urn,
            means=Means.HAND,
            call="set it back, or say in components/ how it is to be",
        )


@cache
def settable(type_: str) -> frozenset[str]:
    """Return the properties that a program can set, by the provider's SDK; none for a type it does not have."""
    package, module, name = type_.split(":")
    if package not in _PACKAGES:
        return frozenset()
    place = module.partition("/")[0]
    try:
        sdk = importlib.import_module(_PACKAGES[package] if place == "index" else f"{_PACKAGES[package]}.{place}")
        arguments: type = getattr(sdk, f"{name}Args")
    except (ImportError, AttributeError):
        return frozenset()
    return frozenset(input_type_py_to_pulumi_names(arguments).values())


def _same(before: object, now: object) -> bool:
    """Say whether two values mean the same: empty in any way is empty, and a list's order may be the server's."""
    if not before and not now:
        return True
    if isinstance(before, list) and isinstance(now, list):
        return sorted(map(repr, before)) == sorted(map(repr, now))
    return before == now
