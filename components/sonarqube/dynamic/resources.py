"""The objects of SonarQube as Pulumi resources; how they are used is in the package's docstring."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, Literal

import pulumi
from pulumi import Input, Output, ResourceOptions, dynamic

from components.sonarqube.dynamic.provider import AUTHORITY_KEY, KINDS, URL_KEY, SonarProvider

#: What is made by setting it: a forced replacement must not end with the deletion of what it set.
_SET: Final = ResourceOptions(delete_before_replace=True)

#: Permissions by the name of a group, or the login of a user.
Holders = Mapping[str, Sequence[str]]
#: A setting: a text (also for numbers and booleans), a list, or a list of texts by field name.
Value = Input[str] | Sequence[Input[str]] | Sequence[Mapping[str, Input[str]]]


def sonarqube_provider(
    name: str, url: Input[str], authority: Input[str] | None = None, opts: ResourceOptions | None = None
) -> pulumi.ProviderResource:
    """Return the explicit provider of the resources below; `authority` is PEM text to trust instead of the public ones.

    It holds the address for all of them, so that a move changes the provider and no resource. The token is read from
    SONAR_TOKEN by the plugin and never given here. Without this provider, the stack's configuration is asked for the
    same keys (`sonarqube:url`, `sonarqube:ca`); the whole of it is then kept in the state.
    """
    inputs: dict[str, Input[str]] = {URL_KEY: url}
    if authority is not None:
        inputs[AUTHORITY_KEY] = authority
    return pulumi.ProviderResource("pulumi-python", name, inputs, opts)


@dataclass(frozen=True, slots=True)
class ProjectArgs:
    """`key` identifies it for ever (another one is another project); `name` counts at creation only.

    `visibility` is `private` or `public`. A changed `main_branch` renames the branch and keeps its analyses.
    """

    key: Input[str]
    name: Input[str]
    visibility: Input[str] = "private"
    main_branch: Input[str] = "main"


class Project(dynamic.Resource, module="sonarqube", name="Project"):
    """A project; its deletion deletes every analysis. Id: its key."""

    key: Output[str]
    name: Output[str]
    visibility: Output[str]
    main_branch: Output[str]

    def __init__(self, resource_name: str, args: ProjectArgs, opts: ResourceOptions | None = None) -> None:
        """Register it under the given logical name."""
        props = {"key": args.key, "name": args.name, "visibility": args.visibility, "main_branch": args.main_branch}
        super().__init__(SonarProvider(KINDS["Project"]), resource_name, props, opts)


@dataclass(frozen=True, slots=True)
class GroupArgs:
    """`name` is the value of the `groups` claim that makes somebody a member when they log in: `/slug/role`.

    `members` are the only ones who may stay members, by the name the identity provider gives them; None lets anybody.
    """

    name: Input[str]
    description: Input[str] = ""
    members: Sequence[str] | None = None


class Group(dynamic.Resource, module="sonarqube", name="Group"):
    """A group; a change of its name keeps its permissions. Id: SonarQube's own."""

    name: Output[str]
    description: Output[str]

    def __init__(self, resource_name: str, args: GroupArgs, opts: ResourceOptions | None = None) -> None:
        """Register it under the given logical name."""
        members = None if args.members is None else list(args.members)
        props = {"name": args.name, "description": args.description, "members": members}
        super().__init__(SonarProvider(KINDS["Group"]), resource_name, props, opts)


@dataclass(frozen=True, slots=True)
class ProjectPermissionsArgs:
    """Every permission anybody has on the project; groups and users have to exist (say so by `depends_on`).

    There are `user` (see it), `codeviewer`, `issueadmin`, `securityhotspotadmin`, `scan` and `admin`. A group of
    SONAR_TOKEN's account needs `admin` here, also where the account administers the whole server.
    """

    project: Input[str]
    groups: Holders
    users: Holders = field(default_factory=dict)


class ProjectPermissions(dynamic.Resource, module="sonarqube", name="ProjectPermissions"):
    """The exact permissions on a project: what else is there is drift, and goes. Id: the project's key."""

    project: Output[str]
    groups: Output[Mapping[str, Sequence[str]]]
    users: Output[Mapping[str, Sequence[str]]]

    def __init__(self, resource_name: str, args: ProjectPermissionsArgs, opts: ResourceOptions | None = None) -> None:
        """Register it under the given logical name."""
        props = {"project": args.project, "groups": _lists(args.groups), "users": _lists(args.users)}
        opts = ResourceOptions.merge(opts, _SET)
        super().__init__(SonarProvider(KINDS["ProjectPermissions"]), resource_name, props, opts)


@dataclass(frozen=True, slots=True)
class GlobalPermissionsArgs:
    """Every global permission anybody has, of `admin`, `gateadmin`, `profileadmin`, `provisioning` and `scan`.

    SONAR_TOKEN's account needs `admin`, and for the resources here `provisioning` (projects) and `gateadmin` (gates).
    """

    groups: Holders
    users: Holders = field(default_factory=dict)


class GlobalPermissions(dynamic.Resource, module="sonarqube", name="GlobalPermissions"):
    """The exact global permissions; deleting it leaves them as they are. Id: `global`."""

    groups: Output[Mapping[str, Sequence[str]]]
    users: Output[Mapping[str, Sequence[str]]]

    def __init__(self, resource_name: str, args: GlobalPermissionsArgs, opts: ResourceOptions | None = None) -> None:
        """Register it under the given logical name."""
        props = {"groups": _lists(args.groups), "users": _lists(args.users)}
        super().__init__(SonarProvider(KINDS["GlobalPermissions"]), resource_name, props, opts)


@dataclass(frozen=True, slots=True)
class TechnicalAccountArgs:
    """`login` is for ever (another one is another account), `name` what people see of it."""

    login: Input[str]
    name: Input[str]


class TechnicalAccount(dynamic.Resource, module="sonarqube", name="TechnicalAccount"):
    """An account that nobody logs in to: it has no password, and its tokens do what permissions give to it.

    Its deletion deactivates it, which revokes every token of it, by any maker. Id: SonarQube's own.
    """

    login: Output[str]
    name: Output[str]

    def __init__(self, resource_name: str, args: TechnicalAccountArgs, opts: ResourceOptions | None = None) -> None:
        """Register it under the given logical name."""
        props = {"login": args.login, "name": args.name}
        opts = ResourceOptions.merge(opts, _SET)
        super().__init__(SonarProvider(KINDS["TechnicalAccount"]), resource_name, props, opts)


@dataclass(frozen=True, slots=True)
class ProjectAnalysisTokenArgs:
    """`name` is the beginning of the token's name; `expires` the day it ends (`2027-01-31`), None for never.

    `login` is the account whose token it is, one of `TechnicalAccount`: the token may do all that its account may. Any
    change makes a new token, and revokes the old one when everything else has been updated.
    """

    name: Input[str]
    login: Input[str]
    expires: Input[str] | None = None


class ProjectAnalysisToken(dynamic.Resource, module="sonarqube", name="ProjectAnalysisToken"):
    """A user token of a technical account, for the analyses of a project. Id: `<login>/<token_name>`.

    `token` is its secret, always a Pulumi secret. A token that was revoked or has expired is made again. In states of
    the versions before, it is a project analysis token of the administrator: that one is replaced.
    """

    token: Output[str]
    token_name: Output[str]
    login: Output[str]
    expires: Output[str | None]

    def __init__(self, resource_name: str, args: ProjectAnalysisTokenArgs, opts: ResourceOptions | None = None) -> None:
        """Register it under the given logical name."""
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
    """`conditions` are all of them, in any order; `default`: for every project that takes no other."""

    name: Input[str]
    conditions: Sequence[Condition]
    default: bool = False


class QualityGate(dynamic.Resource, module="sonarqube", name="QualityGate"):
    """A quality gate; another name is another gate. Id: its name."""

    name: Output[str]
    default: Output[bool]

    def __init__(self, resource_name: str, args: QualityGateArgs, opts: ResourceOptions | None = None) -> None:
        """Register it under the given logical name."""
        conditions = [{"metric": c.metric, "op": c.op, "error": c.error} for c in args.conditions]
        props = {"name": args.name, "conditions": conditions, "default": args.default}
        super().__init__(SonarProvider(KINDS["QualityGate"]), resource_name, props, opts)


@dataclass(frozen=True, slots=True)
class QualityGateAssociationArgs:
    """The project's key and the gate's name."""

    project: Input[str]
    gate: Input[str]


class QualityGateAssociation(dynamic.Resource, module="sonarqube", name="QualityGateAssociation"):
    """The quality gate of a project. Id: the project's key."""

    project: Output[str]
    gate: Output[str]

    def __init__(
        self, resource_name: str, args: QualityGateAssociationArgs, opts: ResourceOptions | None = None
    ) -> None:
        """Register it under the given logical name."""
        props = {"project": args.project, "gate": args.gate}
        opts = ResourceOptions.merge(opts, _SET)
        super().__init__(SonarProvider(KINDS["QualityGateAssociation"]), resource_name, props, opts)


@dataclass(frozen=True, slots=True)
class WebhookArgs:
    """Called after each analysis of the project, or of every project without one. SonarQube refuses loopback addresses.

    With `secret`, SonarQube signs what it sends (header X-Sonar-Webhook-HMAC-SHA256). It can't be read back: whether
    there is one is seen, which one is not.
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
        """Register it under the given logical name."""
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
    """What counts as new code on a project's main branch. Id: the project's key."""

    project: Output[str]
    type: Output[str]
    value: Output[str | None]

    def __init__(self, resource_name: str, args: NewCodePeriodArgs, opts: ResourceOptions | None = None) -> None:
        """Register it under the given logical name."""
        props = {"project": args.project, "type": args.type, "value": args.value}
        opts = ResourceOptions.merge(opts, _SET)
        super().__init__(SonarProvider(KINDS["NewCodePeriod"]), resource_name, props, opts)


@dataclass(frozen=True, slots=True)
class ServerSettingsArgs:
    """Values by key, of a project or (without one) of the whole server. Keys that are not named are left alone.

    `secured` are secrets, for keys that end in `.secured`. SonarQube never shows them: one that is changed by hand is
    not seen, one that is taken away is. An empty text is no value for SonarQube: leave the key out.
    """

    values: Mapping[str, Value] = field(default_factory=dict)
    secured: Mapping[str, Input[str]] = field(default_factory=dict, repr=False)
    project: Input[str] | None = None


class ServerSettings(dynamic.Resource, module="sonarqube", name="Settings"):
    """Settings by key; deleting it returns each to what it inherits. Id: `<project or ->/<keys, comma between>`."""

    project: Output[str | None]

    def __init__(self, resource_name: str, args: ServerSettingsArgs, opts: ResourceOptions | None = None) -> None:
        """Register it under the given logical name."""
        secured = Output.secret(dict(args.secured)) if args.secured else None
        props = {"project": args.project, "values": dict(args.values), "secured": secured}
        opts = ResourceOptions.merge(opts, _SET)
        opts = ResourceOptions.merge(opts, ResourceOptions(additional_secret_outputs=["secured"]))
        super().__init__(SonarProvider(KINDS["Settings"]), resource_name, props, opts)


def _lists(holders: Holders) -> dict[str, list[str]]:
    return {name: list(permissions) for name, permissions in holders.items()}
