"""The objects of SonarQube as Pulumi resources; the package's docstring has an example."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, Literal

import pulumi
from pulumi import Input, Output, ResourceOptions, dynamic

from components.sonarqube.dynamic.provider import AUTHORITY_KEY, KINDS, URL_KEY, SonarProvider

#: For resources that set a value: otherwise a forced replacement would set it and then delete it.
_SET: Final = ResourceOptions(delete_before_replace=True)

#: Permissions by the name of a group, or the login of a user.
Holders = Mapping[str, Sequence[str]]
#: A setting: a text (also for numbers and booleans), a list, or a list of texts by field name.
Value = Input[str] | Sequence[Input[str]] | Sequence[Mapping[str, Input[str]]]


def sonarqube_provider(
    name: str, url: Input[str], authority: Input[str] | None = None, opts: ResourceOptions | None = None
) -> pulumi.ProviderResource:
    """Return the explicit provider of the resources below; it trusts `authority` (PEM text) instead of the public ones.

    The provider has the address, so a new address changes the provider and no resource. The plugin reads the token from
    SONAR_TOKEN. Without this provider, the same keys come from the stack's configuration (`sonarqube:url`,
    `sonarqube:ca`), and the state then has the whole configuration.
    """
    inputs: dict[str, Input[str]] = {URL_KEY: url}
    if authority is not None:
        inputs[AUTHORITY_KEY] = authority
    return pulumi.ProviderResource("pulumi-python", name, inputs, opts)


@dataclass(frozen=True, slots=True)
class ProjectArgs:
    """A changed `key` replaces the project; `name` is used at creation only.

    `visibility` is `private` or `public`. A changed `main_branch` renames the branch and keeps its analyses.
    """

    key: Input[str]
    name: Input[str]
    visibility: Input[str] = "private"
    main_branch: Input[str] = "main"


class Project(dynamic.Resource, module="sonarqube", name="Project"):
    """A project. Its deletion deletes all its analyses. Id: its key."""

    key: Output[str]
    name: Output[str]
    visibility: Output[str]
    main_branch: Output[str]

    def __init__(self, resource_name: str, args: ProjectArgs, opts: ResourceOptions | None = None) -> None:
        """Register the resource under the given logical name."""
        props = {"key": args.key, "name": args.name, "visibility": args.visibility, "main_branch": args.main_branch}
        super().__init__(SonarProvider(KINDS["Project"]), resource_name, props, opts)


@dataclass(frozen=True, slots=True)
class GroupArgs:
    """`name` is the value of the `groups` claim whose holders SonarQube adds at log-in: `/slug/role`.

    `members` are the people who may be members, by their name at the identity provider; None allows everybody.
    """

    name: Input[str]
    description: Input[str] = ""
    members: Sequence[str] | None = None


class Group(dynamic.Resource, module="sonarqube", name="Group"):
    """A group. It keeps its permissions if its name changes. Id: given by SonarQube."""

    name: Output[str]
    description: Output[str]

    def __init__(self, resource_name: str, args: GroupArgs, opts: ResourceOptions | None = None) -> None:
        """Register the resource under the given logical name."""
        members = None if args.members is None else list(args.members)
        props = {"name": args.name, "description": args.description, "members": members}
        super().__init__(SonarProvider(KINDS["Group"]), resource_name, props, opts)


@dataclass(frozen=True, slots=True)
class ProjectPermissionsArgs:
    """All permissions on the project. Its groups and users must exist before (use `depends_on`).

    Permissions are `user` (browse), `codeviewer`, `issueadmin`, `securityhotspotadmin`, `scan` and `admin`. A group of
    SONAR_TOKEN's account needs `admin` here, even if the account administers the whole server.
    """

    project: Input[str]
    groups: Holders
    users: Holders = field(default_factory=dict)


class ProjectPermissions(dynamic.Resource, module="sonarqube", name="ProjectPermissions"):
    """The exact permissions on a project: other permissions are drift, and are removed. Id: the project's key."""

    project: Output[str]
    groups: Output[Mapping[str, Sequence[str]]]
    users: Output[Mapping[str, Sequence[str]]]

    def __init__(self, resource_name: str, args: ProjectPermissionsArgs, opts: ResourceOptions | None = None) -> None:
        """Register the resource under the given logical name."""
        props = {"project": args.project, "groups": _lists(args.groups), "users": _lists(args.users)}
        opts = ResourceOptions.merge(opts, _SET)
        super().__init__(SonarProvider(KINDS["ProjectPermissions"]), resource_name, props, opts)


@dataclass(frozen=True, slots=True)
class GlobalPermissionsArgs:
    """All global permissions: `admin`, `gateadmin`, `profileadmin`, `provisioning` and `scan`.

    SONAR_TOKEN's account needs `admin`, `provisioning` (for projects) and `gateadmin` (for quality gates).
    """

    groups: Holders
    users: Holders = field(default_factory=dict)


class GlobalPermissions(dynamic.Resource, module="sonarqube", name="GlobalPermissions"):
    """The exact global permissions. Deletion changes nothing in SonarQube. Id: `global`."""

    groups: Output[Mapping[str, Sequence[str]]]
    users: Output[Mapping[str, Sequence[str]]]

    def __init__(self, resource_name: str, args: GlobalPermissionsArgs, opts: ResourceOptions | None = None) -> None:
        """Register the resource under the given logical name."""
        props = {"groups": _lists(args.groups), "users": _lists(args.users)}
        super().__init__(SonarProvider(KINDS["GlobalPermissions"]), resource_name, props, opts)


@dataclass(frozen=True, slots=True)
class TechnicalAccountArgs:
    """A changed `login` replaces the account; `name` is its display name."""

    login: Input[str]
    name: Input[str]


class TechnicalAccount(dynamic.Resource, module="sonarqube", name="TechnicalAccount"):
    """An account without a password: nobody can log in to it, and its tokens have its permissions.

    Its deletion deactivates it, which revokes all its tokens. Id: given by SonarQube.
    """

    login: Output[str]
    name: Output[str]

    def __init__(self, resource_name: str, args: TechnicalAccountArgs, opts: ResourceOptions | None = None) -> None:
        """Register the resource under the given logical name."""
        props = {"login": args.login, "name": args.name}
        opts = ResourceOptions.merge(opts, _SET)
        super().__init__(SonarProvider(KINDS["TechnicalAccount"]), resource_name, props, opts)


@dataclass(frozen=True, slots=True)
class ProjectAnalysisTokenArgs:
    """`name` is the beginning of the token's name; `expires` is its last day (`2027-01-31`), None for no expiry.

    `login` is that of the `TechnicalAccount` that the token belongs to; the token has the permissions of the account.
    Any change creates a new token, and revokes the old one at the end of the run.
    """

    name: Input[str]
    login: Input[str]
    expires: Input[str] | None = None


class ProjectAnalysisToken(dynamic.Resource, module="sonarqube", name="ProjectAnalysisToken"):
    """A user token of a technical account, for the analyses of a project. Id: `<login>/<token_name>`.

    `token` is its value, always a Pulumi secret. A revoked or expired token is created again. In states of earlier
    versions, it is a project analysis token of the administrator, which is replaced.
    """

    token: Output[str]
    token_name: Output[str]
    login: Output[str]
    expires: Output[str | None]

    def __init__(self, resource_name: str, args: ProjectAnalysisTokenArgs, opts: ResourceOptions | None = None) -> None:
        """Register the resource under the given logical name."""
        props = {
            "name": args.name,
            "login": args.login,
            "expires": args.expires,
            "token": None,
            "token_name": None,
        }
        opts = ResourceOptions.merge(opts, ResourceOptions(additional_secret_outputs=["token"]))
        super().__init__(SonarProvider(KINDS["ProjectAnalysisToken"]), resource_name, props, opts)


@dataclass(frozen=True, slots=True)
class Condition:
    """The gate fails when the metric is below (`LT`) or above (`GT`) `error`; ratings are 1 (A) to 5 (E)."""

    metric: str
    op: Literal["LT", "GT"]
    error: int | float | str


@dataclass(frozen=True, slots=True)
class QualityGateArgs:
    """`conditions` are all conditions, in any order; `default`: it is the gate of projects that select none."""

    name: Input[str]
    conditions: Sequence[Condition]
    default: bool = False


class QualityGate(dynamic.Resource, module="sonarqube", name="QualityGate"):
    """A quality gate. A changed name replaces it. Id: its name."""

    name: Output[str]
    default: Output[bool]

    def __init__(self, resource_name: str, args: QualityGateArgs, opts: ResourceOptions | None = None) -> None:
        """Register the resource under the given logical name."""
        conditions = [{"metric": c.metric, "op": c.op, "error": c.error} for c in args.conditions]
        props = {"name": args.name, "conditions": conditions, "default": args.default}
        super().__init__(SonarProvider(KINDS["QualityGate"]), resource_name, props, opts)


@dataclass(frozen=True, slots=True)
class QualityGateAssociationArgs:
    """`project` is the key of the project, `gate` the name of the gate."""

    project: Input[str]
    gate: Input[str]


class QualityGateAssociation(dynamic.Resource, module="sonarqube", name="QualityGateAssociation"):
    """The quality gate of a project. Id: the project's key."""

    project: Output[str]
    gate: Output[str]

    def __init__(
        self, resource_name: str, args: QualityGateAssociationArgs, opts: ResourceOptions | None = None
    ) -> None:
        """Register the resource under the given logical name."""
        props = {"project": args.project, "gate": args.gate}
        opts = ResourceOptions.merge(opts, _SET)
        super().__init__(SonarProvider(KINDS["QualityGateAssociation"]), resource_name, props, opts)


@dataclass(frozen=True, slots=True)
class WebhookArgs:
    """SonarQube calls `url` after each analysis of the project; None: of all projects. It refuses loopback addresses.

    With `secret`, SonarQube signs its requests (header X-Sonar-Webhook-HMAC-SHA256). It shows only whether there is a
    secret, so a secret that is changed manually is not detected.
    """

    name: Input[str]
    url: Input[str]
    project: Input[str] | None = None
    secret: Input[str] | None = field(default=None, repr=False)


class Webhook(dynamic.Resource, module="sonarqube", name="Webhook"):
    """A webhook. Id: `<project>/<key>`, with `-` for the whole server."""

    name: Output[str]
    url: Output[str]
    project: Output[str | None]

    def __init__(self, resource_name: str, args: WebhookArgs, opts: ResourceOptions | None = None) -> None:
        """Register the resource under the given logical name."""
        secret = None if args.secret is None else Output.secret(args.secret)
        props = {"name": args.name, "url": args.url, "project": args.project, "secret": secret}
        opts = ResourceOptions.merge(opts, ResourceOptions(additional_secret_outputs=["secret"]))
        super().__init__(SonarProvider(KINDS["Webhook"]), resource_name, props, opts)


@dataclass(frozen=True, slots=True)
class NewCodePeriodArgs:
    """`type` is `NUMBER_OF_DAYS` (with `value`, 1 to 90) or `PREVIOUS_VERSION`."""

    project: Input[str]
    type: Input[str]
    value: Input[int] | None = None


class NewCodePeriod(dynamic.Resource, module="sonarqube", name="NewCodePeriod"):
    """The period of new code on a project's main branch. Id: the project's key."""

    project: Output[str]
    type: Output[str]
    value: Output[str | None]

    def __init__(self, resource_name: str, args: NewCodePeriodArgs, opts: ResourceOptions | None = None) -> None:
        """Register the resource under the given logical name."""
        props = {"project": args.project, "type": args.type, "value": args.value}
        opts = ResourceOptions.merge(opts, _SET)
        super().__init__(SonarProvider(KINDS["NewCodePeriod"]), resource_name, props, opts)


@dataclass(frozen=True, slots=True)
class ServerSettingsArgs:
    """Values by key, of a project or (without one) of the whole server. Other keys stay unchanged.

    `secured` are secrets, for keys that end in `.secured`. SonarQube never shows them: a manual change is not detected,
    a removal is. For SonarQube an empty text is not a value: leave the key out.
    """

    values: Mapping[str, Value] = field(default_factory=dict)
    secured: Mapping[str, Input[str]] = field(default_factory=dict, repr=False)
    project: Input[str] | None = None


class ServerSettings(dynamic.Resource, module="sonarqube", name="Settings"):
    """Settings by key. Deletion resets them to their inherited values. Id: `<project or ->/<keys, with commas>`."""

    project: Output[str | None]

    def __init__(self, resource_name: str, args: ServerSettingsArgs, opts: ResourceOptions | None = None) -> None:
        """Register the resource under the given logical name."""
        secured = Output.secret(dict(args.secured)) if args.secured else None
        props = {"project": args.project, "values": dict(args.values), "secured": secured}
        opts = ResourceOptions.merge(opts, _SET)
        opts = ResourceOptions.merge(opts, ResourceOptions(additional_secret_outputs=["secured"]))
        super().__init__(SonarProvider(KINDS["Settings"]), resource_name, props, opts)


def _lists(holders: Holders) -> dict[str, list[str]]:
    return {name: list(permissions) for name, permissions in holders.items()}
