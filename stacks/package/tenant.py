"""One tenant as a component that takes texts: what a program in another language can say.

No `from __future__ import annotations` here: Pulumi reads the annotations of components as they are.
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
    """What a tenant is made from. The component's name is the tenant's slug."""

    tenant: str
    """Text of the tenant's file, as in projects.d."""
    settings: str
    """Text of the platform's settings file, as Pulumi.prod.yaml."""
    authorities: NotRequired[dict[str, str]]
    """PEM text of each certificate authority the settings name, by its path as written there."""


class Tenant(pulumi.ComponentResource):
    """Everything of one tenant, on a platform whose foundation is there.

    Its providers are its own, and take credentials from the environment. What holds across tenants (two files that
    claim one name) is not checked here: the program that makes several of them checks it.
    """

    summary: pulumi.Output[dict[str, Any]]
    """Where each thing is; no secret."""

    def __init__(self, name: str, args: TenantArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        """Check the texts, and register what the tenant gets. Raises ValueError with every problem."""
        tenant, settings, authorities = _read(name, args)
        super().__init__("usine:index:Tenant", name, {}, opts)
        child = pulumi.ResourceOptions(parent=self)
        providers = make_providers(settings, [tenant], authorities, f"{name}/", child)
        known = know_people(settings, providers, tenant.people)
        for message in known.messages():
            pulumi.log.warn(message, self)
        refs = look_up(settings, providers, tenant.people, known)
        made = TenantProject(tenant.slug, TenantProjectArgs(tenant, settings, providers, refs), child)
        self.summary = pulumi.Output.from_input(dict(made.summary))
        self.register_outputs({"summary": self.summary})


def _read(name: str, args: TenantArgs) -> tuple[CheckedTenant, Settings, Mapping[str, str]]:
    """Read the texts. Raises ValueError."""
    try:
        settings = read_settings(args["settings"].encode(), "settings")
        tenant = check_text(args["tenant"].encode(), f"{name}.yaml", settings)
    except SpecError as error:
        raise ValueError("\n".join(str(problem) for problem in error.problems)) from None
    authorities: Mapping[str, str] = args.get("authorities") or {}
    if missing := sorted(str(path) for path in settings.authorities if str(path) not in authorities):
        raise ValueError(f"authorities: the settings name {', '.join(missing)}")
    return tenant, replace(settings, foundation=FoundationMode.SKIP, tenants=(tenant.slug,)), authorities
