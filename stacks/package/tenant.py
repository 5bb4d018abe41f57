"""One tenant as a component whose inputs are texts, for programs in any language.

This module has no `from __future__ import annotations`: Pulumi reads the annotations of components at run time.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, NotRequired, TypedDict

import pulumi

from components.foundation import look_up
from components.people import know_people
from components.tenant import TenantProject, TenantProjectArgs
from model.problems import SpecError
from model.reading.load import check_text
from model.reading.settings_load import read_settings
from model.settings import FoundationMode, Settings
from model.tenant import Tenant as CheckedTenant
from stacks.platform.providers import make_providers


class TenantArgs(TypedDict):
    """The inputs of a tenant. The name of the component is the tenant's slug."""

    tenant: str
    """Text of the tenant's file, as in projects.d."""
    settings: str
    """Text of the platform's settings file, as in Pulumi.prod.yaml."""
    authorities: NotRequired[dict[str, str]]
    """PEM text of each certificate authority that the settings name, by its path in the settings."""


class Tenant(pulumi.ComponentResource):
    """One tenant, with all its objects, on a platform whose foundation exists.

    The component creates its own providers, which read credentials from the environment. It does not check rules across
    tenants (for example two tenant files that use the same name): the program that creates several tenants does that.
    """

    summary: pulumi.Output[dict[str, Any]]
    """Addresses and names of the tenant's objects; no secrets."""

    def __init__(self, name: str, args: TenantArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        """Check the texts and register the tenant's objects. Raises ValueError with all problems of the texts."""
        tenant, settings, authorities = _read(name, args)
        super().__init__("usine:index:Tenant", name, {}, opts)
        child = pulumi.ResourceOptions(parent=self)
        providers = make_providers(settings, [tenant], authorities, f"{name}/", child)
        known = know_people(settings, providers, tenant.people)
        for message in known.messages():
            pulumi.log.warn(message, self)
        refs = look_up(settings, providers, tenant.people, known)
        made = TenantProject(tenant.slug, TenantProjectArgs(tenant, settings, providers, refs, authorities), child)
        self.summary = pulumi.Output.from_input(dict(made.summary))
        self.register_outputs({"summary": self.summary})


def _read(name: str, args: TenantArgs) -> tuple[CheckedTenant, Settings, Mapping[str, str]]:
    """Return the tenant, the settings and the authorities. Raises ValueError with all problems of the texts."""
    try:
        settings = read_settings(args["settings"].encode(), "settings")
        tenant = check_text(args["tenant"].encode(), f"{name}.yaml", settings)
    except SpecError as error:
        raise ValueError("\n".join(str(problem) for problem in error.problems)) from None
    authorities: Mapping[str, str] = args.get("authorities") or {}
    if missing := sorted(str(path) for path in settings.authorities if str(path) not in authorities):
        raise ValueError(f"authorities: the settings name {', '.join(missing)}")
    return tenant, replace(settings, foundation=FoundationMode.SKIP, tenants=(tenant.slug,)), authorities
