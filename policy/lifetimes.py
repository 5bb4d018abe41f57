"""Lifetimes: robots, tokens and log-ins expire."""

from __future__ import annotations

from collections.abc import Iterator

from policy.model import Check, Hidden, Level, Limit, Policy, Resource, is_missing, is_set, items_of, value_at

_ACCESS_TOKENS = frozenset(
    {
        "gitlab:index/groupAccessToken:GroupAccessToken",
        "gitlab:index/personalAccessToken:PersonalAccessToken",
        "gitlab:index/projectAccessToken:ProjectAccessToken",
    }
)
#: Tokens that expire with their credential generation, and the property with the date.
_GENERATION_TOKENS = {
    "gitlab:index/deployToken:DeployToken": "expiresAt",
    "gitlab:index/groupDeployToken:GroupDeployToken": "expiresAt",
    "gitlab:index/projectDeployToken:ProjectDeployToken": "expiresAt",
    "pulumi-python:dynamic/sonarqube:ProjectAnalysisToken": "expires",
}
_LOGIN_ROLES = frozenset(
    {
        "vault:appRole/authBackendRole:AuthBackendRole",
        "vault:jwt/authBackendRole:AuthBackendRole",
        "vault:kubernetes/authBackendRole:AuthBackendRole",
    }
)


def _is_within(value: object, limit: int) -> bool:
    """Return whether a number is between 1 and the limit. A hidden value counts as within it."""
    if isinstance(value, Hidden):
        return True
    return isinstance(value, int) and not isinstance(value, bool) and 1 <= value <= limit


def _robot(limit: int) -> Check:
    def check(resource: Resource) -> Iterator[str]:
        if resource.type == "harbor:index/robotAccount:RobotAccount" and not _is_within(resource.at("duration"), limit):
            yield f"duration is not between 1 and {limit} days"
        if resource.type == "harbor:index/configSystem:ConfigSystem" and not _is_within(
            resource.at("robotTokenExpiration"), limit
        ):
            yield f"robotTokenExpiration is not between 1 and {limit} days"

    return check


def _pulls_from_proxies(resource: Resource) -> bool:
    """Return whether a robot of the platform only pulls, and only from caches of other registries: no tenant's data.

    Harbor gives a robot of a project rights in that project alone, and no tenant's project has a dot in its name.
    """
    permissions = items_of(resource.at("permissions"))
    pull = [{"resource": "repository", "action": "pull"}]
    return (
        resource.tenant is None
        and bool(permissions)
        and all(
            value_at(permission, "kind") == "project"
            and str(value_at(permission, "namespace")).startswith("proxy.")
            and [
                {key: value_at(access, key) for key in pull[0]} for access in items_of(value_at(permission, "accesses"))
            ]
            == pull
            for permission in permissions
        )
    )


def _robot_scope(resource: Resource) -> Iterator[str]:
    if resource.type != "harbor:index/robotAccount:RobotAccount":
        return
    level = resource.at("level")
    if not isinstance(level, Hidden) and level != "project" and not _pulls_from_proxies(resource):
        yield "level is not project: the robot has access to other tenants"
    permissions = items_of(resource.at("permissions"))
    for index, permission in enumerate(permissions):
        namespace = value_at(permission, "namespace")
        kind = value_at(permission, "kind")
        if kind == "system" or namespace == "*":
            yield f"permissions[{index}] is not for one project"
        elif resource.tenant is not None and isinstance(namespace, str) and namespace != resource.tenant:
            yield f"permissions[{index}].namespace is not the tenant's own project"
        for place, access in enumerate(items_of(value_at(permission, "accesses"))):
            if "*" in (value_at(access, "resource"), value_at(access, "action")):
                yield f"permissions[{index}].accesses[{place}] is a wildcard"


def _access_token(limit: int) -> Check:
    def check(resource: Resource) -> Iterator[str]:
        if resource.type not in _ACCESS_TOKENS:
            return
        rotation = resource.at("rotationConfiguration")
        if is_missing(rotation) and is_missing(resource.at("expiresAt")):
            yield "neither expiresAt nor rotationConfiguration is set: the token does not expire by itself"
        if not is_missing(rotation) and not _is_within(value_at(rotation, "expirationDays"), limit):
            yield f"rotationConfiguration.expirationDays is not between 1 and {limit}"

    return check


def _generation_token(resource: Resource) -> Iterator[str]:
    key = _GENERATION_TOKENS.get(resource.type)
    if key is not None and is_missing(resource.at(key)):
        yield f"{key} is not set: the token does not expire"


def _login(limit: int) -> Check:
    def check(resource: Resource) -> Iterator[str]:
        if resource.type not in _LOGIN_ROLES:
            return
        if not _is_within(resource.at("tokenMaxTtl"), limit):
            yield f"tokenMaxTtl is not between 1 and {limit} seconds"
        if is_set(period := resource.at("tokenPeriod")) and period != 0:
            yield "tokenPeriod is set: the token can be renewed without limit"

    return check


POLICIES = (
    Policy(
        "robot-life-finite",
        "A Harbor robot expires",
        "set a duration in days (usine:harbor.robotDays); -1 means no expiry",
        limit=Limit("maxDays", "longest lifetime of a robot, in days", 366, _robot),
    ),
    Policy(
        "robot-own-project",
        "A Harbor robot has access to one project, with listed permissions",
        "use level project, and name resource and action of each permission",
        check=_robot_scope,
    ),
    Policy(
        "access-token-expires",
        "A GitLab access token expires or is rotated",
        "set expiresAt, or a rotationConfiguration",
        limit=Limit("maxDays", "longest lifetime of a rotated access token, in days", 366, _access_token),
    ),
    Policy(
        "generation-token-expires",
        "Deploy tokens and analysis tokens expire with their credential generation",
        "set `until` of the generation in usine:credentials",
        Level.ADVISORY,
        check=_generation_token,
    ),
    Policy(
        "login-life-finite",
        "The token of a Vault log-in expires",
        "set tokenMaxTtl, and no tokenPeriod",
        limit=Limit("maxSeconds", "longest lifetime of a Vault token, in seconds", 12 * 3600, _login),
    ),
)
