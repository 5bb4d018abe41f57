"""Request bodies, with the types of Harbor's API description. Unknown members are ignored, as in Harbor.

Types are strict: a number is not accepted as text. `null` is the same as a missing member.
"""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

_LARGEST = 2**63 - 1
Int = Annotated[int, Field(strict=True, ge=-_LARGEST, le=_LARGEST)]
Text = str | None
Number = Int | None
Flag = bool | None


class Body(BaseModel):
    """Base class of all bodies."""

    model_config = ConfigDict(strict=True, extra="ignore")

    def sent(self) -> dict[str, Any]:
        """Return the members that the client sent, without nulls."""
        return self.model_dump(exclude_unset=True, exclude_none=True)


class CveBody(Body):
    """Return one exempted vulnerability."""

    cve_id: Text = None


class AllowlistBody(Body):
    """Exempted vulnerabilities, until `expires_at` (seconds since 1970)."""

    id: Number = None
    project_id: Number = None
    expires_at: Number = None
    items: list[CveBody] | None = None


class MetadataBody(Body):
    """Settings of a project, all texts."""

    public: Text = None
    enable_content_trust: Text = None
    enable_content_trust_cosign: Text = None
    prevent_vul: Text = None
    severity: Text = None
    auto_scan: Text = None
    auto_sbom_generation: Text = None
    reuse_sys_cve_allowlist: Text = None
    retention_id: Text = None
    proxy_speed_kb: Text = None
    max_upstream_conn: Text = None
    proxy_cache_local_on_not_found: Text = None


class ProjectBody(Body):
    """A new or updated project."""

    project_name: Annotated[str, Field(max_length=255)] | None = None
    public: Flag = None
    metadata: MetadataBody | None = None
    cve_allowlist: AllowlistBody | None = None
    storage_limit: Number = None
    registry_id: Number = None


class MemberUserBody(Body):
    """A user by id or name."""

    user_id: Number = None
    username: Text = None


class GroupBody(Body):
    """A user group; types: 1 LDAP, 2 HTTP, 3 OIDC."""

    id: Number = None
    group_name: Text = None
    group_type: Number = None
    ldap_group_dn: Text = None


class MemberBody(Body):
    """A member to add."""

    role_id: Number = None
    member_user: MemberUserBody | None = None
    member_group: GroupBody | None = None


class RoleBody(Body):
    """A member's new role."""

    role_id: Number = None


class AccessBody(Body):
    """Return one permission."""

    resource: Text = None
    action: Text = None
    effect: Text = None


class PermissionBody(Body):
    """Permissions in a project (`namespace` is its name or `*`) or the system (`kind` system, `namespace` /)."""

    kind: Text = None
    namespace: Text = None
    access: list[AccessBody] | None = None


class RobotBody(Body):
    """A new or updated robot; `duration` is in days, -1 for no expiry."""

    name: Text = None
    description: Text = None
    level: Text = None
    disable: Flag = None
    duration: Number = None
    permissions: list[PermissionBody] | None = None


class SecretBody(Body):
    """A robot's new secret, or none to generate one."""

    secret: Text = None


class SelectorBody(Body):
    """The scope of a rule."""

    kind: Text = None
    decoration: Text = None
    pattern: Text = None
    extras: Text = None


class RuleBody(Body):
    """A rule of retention or immutability."""

    id: Number = None
    priority: Number = None
    disabled: Flag = None
    action: Text = None
    template: Text = None
    params: dict[str, Any] | None = None
    tag_selectors: list[SelectorBody] | None = None
    scope_selectors: dict[str, list[SelectorBody]] | None = None


class TriggerBody(Body):
    """Trigger of the retention."""

    kind: Text = None
    settings: dict[str, Any] | None = None
    references: dict[str, Any] | None = None


class ScopeBody(Body):
    """The project of a retention policy."""

    level: Text = None
    ref: Number = None


class RetentionBody(Body):
    """A retention policy."""

    id: Number = None
    algorithm: Text = None
    rules: list[RuleBody] | None = None
    trigger: TriggerBody | None = None
    scope: ScopeBody | None = None


class TargetBody(Body):
    """Target of a webhook."""

    type: Text = None
    address: Text = None
    auth_header: Text = None
    skip_cert_verify: Flag = None
    payload_format: Text = None


class WebhookBody(Body):
    """A webhook policy."""

    name: Text = None
    description: Text = None
    enabled: Flag = None
    event_types: list[str] | None = None
    targets: list[TargetBody] | None = None


class HardBody(Body):
    """A quota's limits: `{"storage": bytes}`."""

    hard: dict[str, Int] | None = None


class CredentialBody(Body):
    """A credential for another registry."""

    type: Text = None
    access_key: Text = None
    access_secret: Text = None


class RegistryBody(Body):
    """Another registry."""

    name: Text = None
    description: Text = None
    type: Text = None
    url: Text = None
    insecure: Flag = None
    ca_certificate: Text = None
    credential: CredentialBody | None = None


class RegistryChange(Body):
    """An update of another registry."""

    name: Text = None
    description: Text = None
    url: Text = None
    insecure: Flag = None
    ca_certificate: Text = None
    credential_type: Text = None
    access_key: Text = None
    access_secret: Text = None


class RegistryId(Body):
    """Return one end of a replication."""

    id: Number = None


class TriggerSettings(Body):
    """Schedule of a replication."""

    cron: Text = None


class ReplicationTrigger(Body):
    """Trigger of a replication."""

    type: Text = None
    trigger_settings: TriggerSettings | None = None


class ReplicationFilter(Body):
    """Filter of images."""

    type: Text = None
    value: Any = None
    decoration: Text = None


class ReplicationBody(Body):
    """A replication policy."""

    name: Text = None
    description: Text = None
    src_registry: RegistryId | None = None
    dest_registry: RegistryId | None = None
    dest_namespace: Text = None
    dest_namespace_replace_count: Number = None
    trigger: ReplicationTrigger | None = None
    filters: list[ReplicationFilter] | None = None
    deletion: Flag = None
    override: Flag = None
    enabled: Flag = None
    speed: Number = None
    copy_by_chunk: Flag = None


class LabelBody(Body):
    """A label: scope g (global) or p (project)."""

    id: Number = None
    name: Text = None
    description: Text = None
    color: Text = None
    scope: Text = None
    project_id: Number = None


class UserBody(Body):
    """A local user."""

    username: Annotated[str, Field(max_length=255)] | None = None
    email: Annotated[str, Field(max_length=255)] | None = None
    realname: Text = None
    comment: Text = None
    password: Text = None


class AdminFlag(Body):
    """Whether a user is an administrator."""

    sysadmin_flag: Flag = None


class DefaultFlag(Body):
    """Whether a scanner is the default."""

    is_default: Flag = None


class ScheduleTypeBody(Body):
    """A schedule: type Hourly, Daily, Weekly, Custom, Manual or None, and a cron text with six fields."""

    type: Text = None
    cron: Text = None


class ScheduleBody(Body):
    """A system job's schedule."""

    schedule: ScheduleTypeBody | None = None
    parameters: dict[str, Any] | None = None
