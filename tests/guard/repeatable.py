"""Resource types whose create can be repeated: after an interrupted run, the next run simply creates the object again.

Every other type needs a finder or a remover in `usine/engine/lookup/`; `test_finders.py` checks it. The reasons come
from the source code of the provider plugins, which the stand-in plugins (`lab/plugins/`) follow.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

_PUT: Final = "create is a PUT: it replaces what is there"
_SETTINGS: Final = "create sets values of something that always exists"

#: The reason, by resource type.
REPEATABLE: Final[Mapping[str, str]] = {
    "gitlab:index/projectJobTokenScopes:ProjectJobTokenScopes": "create adds missing entries and removes others",
    "gitlab:index/projectLevelMrApprovals:ProjectLevelMrApprovals": _SETTINGS,
    "gitlab:index/projectPushRules:ProjectPushRules": "create changes the rules that are there",
    "gitlab:index/userIdentity:UserIdentity": "create sets the identity of an account that exists",
    "harbor:index/configAuth:ConfigAuth": _SETTINGS,
    "harbor:index/configSystem:ConfigSystem": _SETTINGS,
    "harbor:index/garbageCollection:GarbageCollection": "create changes the schedule that is there",
    "harbor:index/interrogationServices:InterrogationServices": "create changes the schedule that is there",
    "keycloak:index/groupMemberships:GroupMemberships": "create adds members to a group",
    "keycloak:openid/clientDefaultScopes:ClientDefaultScopes": "create attaches the scopes that are missing",
    "keycloak:openid/clientOptionalScopes:ClientOptionalScopes": "create attaches the scopes that are missing",
    "vault:index/policy:Policy": _PUT,
    "vault:jwt/authBackendRole:AuthBackendRole": _PUT,
    "vault:kubernetes/authBackendConfig:AuthBackendConfig": _PUT,
    "vault:kubernetes/authBackendRole:AuthBackendRole": _PUT,
    "vault:kv/secretV2:SecretV2": "create writes a new version of the secret",
    "vault:transit/secretBackendKey:SecretBackendKey": "create leaves a key that exists unchanged, and configures it",
}

#: The reason, by what the resource type begins with.
REPEATABLE_PACKAGES: Final[Mapping[str, str]] = {
    "kubernetes:": "the provider adopts an object that exists (`upsert_existing_objects`)",
}


def is_repeatable(type_: str) -> bool:
    """Return whether the next run may create such an object again, whether or not it exists."""
    return type_ in REPEATABLE or type_.startswith(tuple(REPEATABLE_PACKAGES))
