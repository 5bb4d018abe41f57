"""Resources that hold data, which is lost when they are destroyed."""

from __future__ import annotations

import re
from typing import Final

#: Pulumi type tokens. All other resources are configuration, which a run can create again from the tenant files.
DATA_BEARING = frozenset(
    {
        "gitlab:index/group:Group",
        "gitlab:index/project:Project",
        "harbor:index/project:Project",
        "keycloak:index/realm:Realm",
        "kubernetes:core/v1:Namespace",
        "pulumi-python:dynamic/sonarqube:Project",
        "vault:index/mount:Mount",
        # Without its public keys, no signature can be verified.
        "vault:transit/secretBackendKey:SecretBackendKey",
    }
)


#: Resources of these types whose content is a copy, by logical name: the projects for the platform's scheduled work,
#: whose one file is generated from the tenant file (the second name is that of the project in the tenant's own group,
#: in states before issue 11), the repositories that zones pull from, Harbor's proxy caches of other registries, and
#: credentials of the platform's machines.
_COPIES: Final = (
    ("gitlab:index/project:Project", re.compile(r"[a-z0-9-]+/gitlab/(usine_jobs/project|operations)")),
    ("gitlab:index/project:Project", re.compile(r"foundation/gitlab/zones/[a-z0-9-]+/project")),
    ("harbor:index/project:Project", re.compile(r"foundation/harbor/proxy/[a-z0-9-]+")),
    ("vault:index/mount:Mount", re.compile(r"foundation/vault/platform")),
)


def holds_data(type_: str, name: str = "") -> bool:
    """Return whether a resource of this type token and logical name holds data."""
    return type_ in DATA_BEARING and not any(type_ == one and pattern.fullmatch(name) for one, pattern in _COPIES)


#: Resources for scheduled work in states before issue 11: one run deletes those of all tenants.
_SUPERSEDED: Final = (
    ("gitlab:index/project:Project", re.compile(r"[a-z0-9-]+/gitlab/operations")),
    ("gitlab:index/pipelineSchedule:PipelineSchedule", re.compile(r"[a-z0-9-]+/gitlab/operations/.+")),
    ("gitlab:index/pipelineScheduleVariable:PipelineScheduleVariable", re.compile(r"[a-z0-9-]+/gitlab/operations/.+")),
    ("vault:kv/secretV2:SecretV2", re.compile(r"[a-z0-9-]+/vault/pipelines/secret/ci/mirror/.+")),
)


def superseded(type_: str, name: str) -> bool:
    """Return whether a resource comes from an earlier version and another one replaces it."""
    return any(type_ == one and pattern.fullmatch(name) for one, pattern in _SUPERSEDED)
