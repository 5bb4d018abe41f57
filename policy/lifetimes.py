"""Nothing that opens a door opens it for ever: robots, tokens, log-ins."""

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
#: Tokens whose end is that of their generation of credentials, and the property that says it.
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
    """Say whether a number lies between 1 and the limit; what is hidden is given the benefit of the doubt."""
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


def _robot_scope(resource: Resource) -> Iterator[str]:
    if resource.type != "harbor:index/robotAccount:RobotAccount":
        return
    level = resource.at("level")
    if not isinstance(level, Hidden) and level != "project":
        yield "level is not project: the robot reaches other tenants"
    permissions = items_of(resource.at("permissions"))
    for index, permission in enumerate(permissions):
        namespace = value_at(permission, "namespace")
        kind = value_at(permission, "kind")
        if kind == "system" or namespace == "*":
            yield f"permissions[{index}] is not of one project"
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
            yield "neither expiresAt nor rotationConfiguration is there: the token has no end of its own"
        if not is_missing(rotation) and not _is_within(value_at(rotation, "expirationDays"), limit):
            yield f"rotationConfiguration.expirationDays is not between 1 and {limit}"

    return check


def _generation_token(resource: Resource) -> Iterator[str]:
    key = _GENERATION_TOKENS.get(resource.type)
    if key is not None and is_missing(resource.at(key)):
        yield f"{key} is not there: the token has no end"


def _login(limit: int) -> Check:
    def check(resource: Resource) -> Iterator[str]:
        if resource.type not in _LOGIN_ROLES:
            return
        if not _is_within(resource.at("tokenMaxTtl"), limit):
            yield f"tokenMaxTtl is not between 1 and {limit} seconds"
        if is_set(period := resource.at("tokenPeriod")) and period != 0:
            yield "tokenPeriod is set: such a token can be renewed for ever"

    return check


POLICIES = (
    Policy(
        "robot-life-finite",
        "A robot of the registry has an end",
        "set a duration in days (usine:harbor.robotDays); -1 is for ever",
        limit=Limit("maxDays", "longest life of a robot, in days", 366, _robot),
    ),
    Policy(
        "robot-own-project",
        "A robot of the registry reaches one project, by rights that are named",
        "use level project, and name resource and action of each right",
        check=_robot_scope,
    ),
    Policy(
        "access-token-expires",
        "An access token of GitLab expires or is rotated",
        "set expiresAt, or a rotationConfiguration",
        limit=Limit("maxDays", "longest life of a rotated access token, in days", 366, _access_token),
    ),
    Policy(
        "generation-token-expires",
        "Deploy tokens and analysis tokens expire with their generation of credentials",
        "say `until` of the generation in usine:credentials",
        Level.ADVISORY,
        check=_generation_token,
    ),
    Policy(
        "login-life-finite",
        "What a log-in at Vault gives ends",
        "set tokenMaxTtl, and no tokenPeriod",
        limit=Limit("maxSeconds", "longest life of a token of Vault, in seconds", 12 * 3600, _login),
    ),
)
