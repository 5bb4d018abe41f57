"""URNs, events and states in the engine's format."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pulumi_facts.urns import address_of
from usine.engine.events import Step
from usine.program import PROGRAM

STACK = "urn:pulumi:lab::usine::pulumi:pulumi:Stack::usine-lab"
PROVIDER = "urn:pulumi:lab::usine::pulumi:providers:vault::vault"
REALM = (
    "urn:pulumi:lab::usine::usine:usine:Foundation$usine:keycloak:KeycloakFoundation$keycloak:index/realm:Realm"
    "::foundation/keycloak/realm"
)


def program_files(folder: Path) -> None:
    """Write a file for each entry of `PROGRAM` that is not there yet: `<entry>`, or `<entry>/a.py` for a folder."""
    for name in PROGRAM:
        path = folder / name
        if not path.exists():
            path = path if path.suffix else path / "a.py"
            path.parent.mkdir(exist_ok=True)
            path.write_text("1", encoding="utf-8")


def tenant(slug: str) -> str:
    return f"urn:pulumi:lab::usine::usine:usine:TenantProject::{slug}"


def vault(slug: str, kind: str, name: str) -> str:
    """Return the URN of a tenant's object in Vault; `kind` is ``Policy``, ``Mount``…"""
    token = f"vault:index/{kind[0].lower()}{kind[1:]}:{kind}"
    return f"urn:pulumi:lab::usine::usine:usine:TenantProject$usine:vault:VaultTenant${token}::{slug}/vault/{name}"


def step(op: str, urn: str) -> Step:
    return Step(op, address_of(urn))


def checkpoint(*urns: str, archived: tuple[str, ...] = (), protected: tuple[str, ...] = ()) -> dict[str, Any]:
    """Return a checkpoint with these resources; their tenants are active, except those in `archived`."""
    slugs = {address.tenant for urn in urns if (address := address_of(urn)).tenant}
    states = {slug: {"state": "archived" if slug in archived else "active"} for slug in slugs}
    stack = {"urn": STACK, "type": "pulumi:pulumi:Stack", "outputs": {"tenants": states}}
    resources = [
        {"urn": urn, "type": address_of(urn).type, "custom": True, **({"protect": True} if urn in protected else {})}
        for urn in urns
    ]
    return {"version": 3, "deployment": {"manifest": {"time": "now"}, "resources": [stack, *resources]}}


def pre(op: str, urn: str, at: int = 0, **metadata: Any) -> dict[str, Any]:
    return {"timestamp": at, "resourcePreEvent": {"metadata": {"op": op, "urn": urn, **metadata}}}


def end(op: str, urn: str, at: int = 0) -> dict[str, Any]:
    return {"timestamp": at, "resOutputsEvent": {"metadata": {"op": op, "urn": urn}}}


def failed(op: str, urn: str, at: int = 0) -> dict[str, Any]:
    return {"timestamp": at, "resOpFailedEvent": {"metadata": {"op": op, "urn": urn}}}


def error(urn: str, message: str) -> dict[str, Any]:
    return {"diagnosticEvent": {"severity": "error", "urn": urn, "message": message}}
