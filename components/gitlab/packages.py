"""The package registry of a tenant: who publishes which format, and the tokens of readers outside the platform."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pulumi
import pulumi_gitlab as gitlab

from components.base import Component, UserPassword, secret
from model.lifecycle import workloads_authenticate
from model.settings import Credential
from model.tenant import Tenant

#: All package types that GitLab can protect. It has no rule for its other types (Composer, Terraform modules, ...).
_PROTECTABLE = ("conan", "generic", "helm", "maven", "npm", "nuget", "pypi")


def protect_packages(
    owner: Component, prefix: str, project: gitlab.Project, tenant: Tenant, provider: gitlab.Provider
) -> None:
    """Let maintainers publish the formats of the tenant file, and nobody of the tenant the others.

    A job has the level of the person who started it, so a developer publishes neither by hand nor from a merge request,
    and the pipeline of a protected tag does, because only maintainers create one. No member of a tenant has the level
    admin, and GitLab treats no job as an administrator's.
    """
    for kind in _PROTECTABLE:
        gitlab.ProjectPackageProtectionRule(
            f"{prefix}/packages/{kind}",
            project=project.id,
            package_name_pattern="*",
            package_type=kind,
            minimum_access_level_for_push="maintainer" if kind in tenant.packages else "admin",
            opts=owner.child(provider, parent=project),
        )


def package_readers(
    owner: Component,
    prefix: str,
    group: gitlab.Group,
    tenant: Tenant,
    credentials: Sequence[Credential],
    provider: gitlab.Provider,
) -> Mapping[str, UserPassword]:
    """Create a deploy token per reader and credential generation; return the last one of each reader.

    It reads the packages of all projects of the group, and nothing else.
    """
    if not workloads_authenticate(tenant):
        return {}
    found = {}
    for reader in tenant.package_registry.readers:
        tokens = [
            gitlab.GroupDeployToken(
                f"{prefix}/package-reader/{reader}/{credential.name}",
                group=group.id,
                name=f"packages-{reader}-{credential.name}",
                scopes=["read_package_registry"],
                expires_at=f"{credential.until}T23:59:59Z" if credential.until else None,
                # As for other deploy tokens (components/gitlab/repository.py): GitLab returns another offset.
                opts=pulumi.ResourceOptions.merge(
                    owner.child(provider, parent=group),
                    pulumi.ResourceOptions(
                        ignore_changes=["expiresAt"],
                        replacement_trigger=credential.until.isoformat() if credential.until else "never",
                    ),
                ),
            )
            for credential in credentials
        ]
        found[reader] = UserPassword(tokens[-1].username, secret(tokens[-1].token))
    return found
