"""The access of pipelines to a tenant's secrets in Vault: by the token that GitLab signs for each job.

No token of Vault is stored for them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pulumi
import pulumi_vault as vault
from pulumi_vault import jwt

from components.base import Component
from components.vault.policies import (
    operations_rules,
    pipeline_rules,
    review_rules,
    signing_rules,
    to_hcl,
    verification_rules,
)
from components.vault.secrets import write_secret
from model.lifecycle import pipelines_run
from model.naming import OPERATIONS_BRANCH, names_of
from model.tenant import Tenant

#: Lifetimes of a job's token, in seconds. A job reads secrets when it starts, so the token need not live long.
_TOKEN_TTL, _TOKEN_MAX_TTL = 900, 3600
#: Claims of the jobs that publish. The sources are those that a member of the tenant starts in this project itself. A
#: pipeline that a job of another project starts has the source `pipeline` (its child pipelines `parent_pipeline`), one
#: that a trigger token starts has `trigger`. The provider takes several values in one text, with commas.
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
class PipelineIdentity:
    """How Vault recognizes the jobs of a tenant.

    `auth_path` is the auth back end that accepts GitLab's job tokens. `group` is the id of the tenant's group in
    GitLab, `publishers` are the ids of its projects whose protected pipelines publish (all but mirrors). `operations`
    is the id of the project of the platform's scheduled work for the tenant; None if there is none.
    """

    auth_path: pulumi.Input[str]
    group: pulumi.Output[int]
    publishers: Sequence[pulumi.Output[int]]
    operations: pulumi.Output[int] | None


@dataclass(frozen=True, slots=True)
class PipelineAccessArgs:
    """`url` is Vault's own address, the audience of job tokens. `mount` is the tenant's KV mount.

    `identity` is None if GitLab is off. `secrets` are those that the platform writes for pipelines: fields by path in
    the mount. `signs`: the tenant has a key that signs images.
    """

    tenant: Tenant
    provider: vault.Provider
    url: str
    mount: vault.Mount
    identity: PipelineIdentity | None
    secrets: Mapping[str, Mapping[str, pulumi.Input[str]]]
    signs: bool


class PipelineAccess(Component):
    """Two roles for the jobs of a tenant's group, one for the platform's scheduled jobs, and the platform's secrets.

    Jobs of protected branches and tags read everything that pipelines need, and sign images. Any other job, for example
    of a merge request, reads only what everybody who can open a merge request may see, and signs nothing. Vault
    recognizes a job by the immutable id of the group: after a removal, another group can get the same path, but never
    the same id.
    """

    system = "vault"

    def __init__(self, name: str, args: PipelineAccessArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        """Register policies, roles and secrets."""
        super().__init__(name, opts)
        self._args = args
        self._prefix = name
        tenant = args.tenant
        names = names_of(tenant)
        jobs = args.identity
        if jobs is not None and pipelines_run(tenant):
            group = jobs.group.apply(str)
            verifies = verification_rules(tenant) if args.signs else ()
            if jobs.publishers:
                signs = signing_rules(tenant) if args.signs else ()
                trusted = self._policy(
                    "ci", names.pipeline_policy, to_hcl((*pipeline_rules(tenant), *signs, *verifies))
                )
                ids = pulumi.Output.all(*jobs.publishers).apply(lambda found: ",".join(str(id_) for id_ in found))
                self._role("ci", jobs.auth_path, trusted, {"namespace_id": group, "project_id": ids, **TRUSTED})
            anyone = self._policy("review", names.review_policy, to_hcl((*review_rules(tenant), *verifies)))
            self._role("review", jobs.auth_path, anyone, {"namespace_id": group})
            if jobs.operations is not None:
                own = self._policy("operations", names.operations_policy, to_hcl(operations_rules(tenant)))
                self._role("operations", jobs.auth_path, own, {"project_id": jobs.operations.apply(str), **SCHEDULED})
        for path, fields in args.secrets.items():
            write_secret(self, f"{name}/secret/{path}", args.mount, path, fields, args.provider)
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
            bound_audiences=[self._args.url],
            bound_claims=dict(claims),
            token_policies=[policy.name],
            token_ttl=_TOKEN_TTL,
            token_max_ttl=_TOKEN_MAX_TTL,
            opts=self.child(self._args.provider),
        )
