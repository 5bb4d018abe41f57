"""The platform as a function of settings and tenants. The engine (`__main__`) and the offline plan both run it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import pulumi

from components.foundation import Foundation, FoundationArgs, look_up
from components.people import know_people
from components.tenant import TenantProject, TenantProjectArgs
from model.settings import FoundationMode, Settings, System
from model.tenant import Tenant
from model.zone_naming import argocd_client
from stacks.platform.providers import make_providers


@dataclass(frozen=True, slots=True)
class Files:
    """The files that the program needs, read before it runs.

    `authorities` is the PEM text of each file of `Settings.authorities`, by its path in the settings; `catalogue` is
    the text of the CI catalogue's files, by their path in the catalogue.
    """

    authorities: Mapping[str, str]
    catalogue: Mapping[str, str]


#: `out` of the checkout, seen from the folder of this program. In the program's own folders, these files would change
#: the digest that binds a plan (CI of 2026-11-30), and Git would not ignore them.
_RENDERED: Final = "../../out/rendered"


def build(settings: Settings, tenants: Sequence[Tenant], files: Files, people: frozenset[str] | None = None) -> None:
    """Register all resources and outputs of this stack.

    Args:
        settings: the platform's settings; `settings.tenants` and `settings.foundation` select what this stack has.
        tenants: all tenants of the platform, including those of other stacks.
        files: the files that the program needs.
        people: user names for which the foundation has accounts; None, as in a run of the engine: all people of all
            tenants.
    """
    selected = [tenant for tenant in tenants if settings.selected(tenant.slug)]
    providers = make_providers(settings, selected, files.authorities, rendered=_RENDERED)
    if settings.foundation is FoundationMode.SKIP:
        own = people_of(selected)
        known = know_people(settings, providers, own)
        refs = look_up(settings, providers, own, known)
    else:
        everyone = people_of(tenants) if people is None else people
        known = know_people(settings, providers, everyone)
        args = FoundationArgs(settings, providers, everyone, files.authorities, files.catalogue, known)
        refs = Foundation("foundation", args).refs
    summaries = {}
    for tenant in selected:
        arguments = TenantProjectArgs(tenant, settings, providers, refs, files.authorities)
        summaries[tenant.slug] = TenantProject(tenant.slug, arguments).summary
    for message in known.messages():
        pulumi.log.warn(message)
    pulumi.export("platform", _platform(settings))
    pulumi.export("tenants", summaries)


def people_of(tenants: Sequence[Tenant]) -> frozenset[str]:
    """Return the user names of all people of these tenants."""
    return frozenset(person for tenant in tenants for person in tenant.people)


def _platform(settings: Settings) -> dict[str, object]:
    endpoints = {system.value: one.url for system, one in sorted(settings.endpoints.items())}
    argocds = {argocd_client(one.name): one.url for one in settings.argocd.instances if one.url}
    return {
        "systems": sorted(system.value for system in settings.systems),
        "foundation": settings.foundation.value,
        "issuer": settings.issuer if settings.on(System.KEYCLOAK) else None,
        "endpoints": {**endpoints, **argocds},
    }
