"""Which resources hold data: what their destruction loses, nobody can make again."""

from __future__ import annotations

#: Pulumi type tokens. Everything else is configuration, which the tenant files can always make anew.
DATA_BEARING = frozenset(
    {
        "gitlab:index/group:Group",
        "gitlab:index/project:Project",
        "harbor:index/project:Project",
        "keycloak:index/realm:Realm",
        "kubernetes:core/v1:Namespace",
        "pulumi-python:dynamic/sonarqube:Project",
        "vault:index/mount:Mount",
    }
)


def holds_data(type_: str) -> bool:
    """Say whether a resource of this type token holds data."""
    return type_ in DATA_BEARING
