"""How pipelines reach a tenant's secrets in Vault: by the identity GitLab signs for each job, never a stored token."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pulumi
import pulumi_vault as vault
from pulumi_vault import jwt, kv

from components.base import Component, FoundationRefs, secret
from components.vault.policies import operations_rules, pipeline_rules, review_rules, to_hcl
from model.lifecycle import pipelines_run
from model.naming import OPERATIONS_BRANCH, names_of
from model.settings import Settings, System
from model.tenant import Tenant

#: Seconds: what a job reads, it reads when it starts; its token need not outlive it.
_TOKEN_TTL, _TOKEN_MAX_TTL = 900, 3600
#: Claims of the jobs that publish. The source is what somebody of the tenant did in this very project: a pipeline that
#: another project's job started has `pipeline` (a child of it `parent_pipeline`), one that a trigger's token started
#: `trigger`. Several values stand with commas, as the provider takes them.
TRUSTED: Mapping[str, str] = {
    "ref_protected": "true",
    "ref_type": "branch,tag",
    "pipeline_source": "push,web,api,schedule",
}
#: Claims of the platform's own scheduled jobs.
SCHEDULED: Mapping[str, str] = {
    "ref_protected": "true",
    "ref_type": "branch",
    "ref": OPERATIONS_BRANCH,
    "pipeline_source": "schedule",
}


@dataclass(frozen=True, slots=True)
class PipelineAccessArgs:
    """`mount` is the tenant's KV mount, `group` the id of its group in GitLab (None: GitLab is off).

    `operations` is the id of the project of the platform's scheduled work for it (None: there is none),
    `publishers` are those of the projects whose protected pipelines publish: of all but mirrors. `secrets` are what the
    platform keeps for pipelines: fields by path in the mount.
    """

    tenant: Tenant
    settings: Settings
    provider: vault.Provider
    refs: FoundationRefs
    mount: vault.Mount
    group: pulumi.Output[int] | None
    operations: pulumi.Output[int] | None
    publishers: Sequence[pulumi.Output[int]]
    secrets: Mapping[str, Mapping[str, pulumi.Input[str]]]


class PipelineAccess(Component):
    """Two roles for the jobs of a tenant's group, one for the platform's own, and the secrets the platform keeps.

    Jobs of protected branches and tags read all that pipelines need; any other job, a merge request's for instance,
    only what may be seen by whoever can open one. A job is known by the group's immutable id: a path can be taken over
    after a removal, an id never is.
    """

    system = "vault"

    def __init__(self, name: str, args: PipelineAccessArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        """Register policies, roles and secrets."""
        super().__init__(name, opts)
        self._args = args
        self._prefix = name
        tenant = args.tenant
        names = names_of(tenant)
        path = args.refs.pipeline_auth_path
        if path is not None and args.group is not None and pipelines_run(tenant):
            group = args.group.apply(str)
            if args.publishers:
                trusted = self._policy("ci", names.pipeline_policy, to_hcl(pipeline_rules(tenant)))
                ids = pulumi.Output.all(*args.publishers).apply(lambda found: ",".join(str(id_) for id_ in found))
                self._role("ci", path, trusted, {"namespace_id": group, "project_id": ids, **TRUSTED})
            anyone = self._policy("review", names.review_policy, to_hcl(review_rules(tenant)))
            self._role("review", path, anyone, {"namespace_id": group})
            if args.operations is not None:
                own = self._policy("operations", names.operations_policy, to_hcl(operations_rules(tenant)))
                self._role("operations", path, own, {"project_id": args.operations.apply(str), **SCHEDULED})
        for path_in_mount, fields in args.secrets.items():
            kv.SecretV2(
                f"{name}/secret/{path_in_mount}",
                mount=args.mount.path,
                name=path_in_mount,
                data_json=secret(pulumi.Output.all(**fields).apply(lambda values: json.dumps(values, sort_keys=True))),
                # A credential that was rotated away is of no use to anyone.
                delete_all_versions=True,
                opts=self.child(args.provider, parent=args.mount),
            )
        self.register_outputs({})

    def _policy(self, short: str, name: str, rules: str) -> vault.Policy:
        return vault.Policy(
            f"{self._prefix}/policy/{short}", name=name, policy=rules, opts=self.child(self._args.provider)
        )

    def _role(
        self, short: str, path: pulumi.Input[str], policy: vault.Policy, claims: Mapping[str, pulumi.Input[str]]
    ) -> None:
        jwt.AuthBackendRole(
            f"{self._prefix}/jwt-role/{short}",
            backend=path,
            role_name=policy.name,
            role_type="jwt",
            user_claim="project_path",
            bound_audiences=[self._args.settings.endpoints[System.VAULT].url],
            bound_claims=dict(claims),
            token_policies=[policy.name],
            token_ttl=_TOKEN_TTL,
            token_max_ttl=_TOKEN_MAX_TTL,
            opts=self.child(self._args.provider),
        )
