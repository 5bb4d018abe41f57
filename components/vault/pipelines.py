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
    pipeline_environment_rules,
    pipeline_rules,
    review_rules,
    signing_rules,
    to_hcl,
    verification_rules,
)
from components.vault.secrets import write_secret
from model.lifecycle import pipelines_run
from model.naming import OPERATIONS_BRANCH, names_of
from model.tenant import Environment, Tenant

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
    `protects_environments`: GitLab restricts who deploys to production environments, and its tokens state that.
    """

    auth_path: pulumi.Input[str]
    group: pulumi.Output[int]
    publishers: Sequence[pulumi.Output[int]]
    operations: pulumi.Output[int] | None
    protects_environments: bool = False


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
    """Two roles for the jobs of a tenant's group, one per environment, one for the platform's scheduled jobs, and the
    platform's secrets.

    Jobs of protected branches and tags read everything that pipelines need, and sign images. Any other job, for example
    of a merge request, reads only what everybody who can open a merge request may see, and signs nothing. A job of a
    protected branch or tag that names an environment also reads the folder of that environment, and no other. Vault
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
                claims: Mapping[str, pulumi.Input[str]] = {"namespace_id": group, "project_id": ids, **TRUSTED}
                self._role("ci", jobs.auth_path, claims, trusted)
                for environment in tenant.environments:
                    self._environment(environment, jobs, claims, trusted)
            anyone = self._policy("review", names.review_policy, to_hcl((*review_rules(tenant), *verifies)))
            self._role("review", jobs.auth_path, {"namespace_id": group}, anyone)
            if jobs.operations is not None:
                own = self._policy("operations", names.operations_policy, to_hcl(operations_rules(tenant)))
                self._role("operations", jobs.auth_path, {"project_id": jobs.operations.apply(str), **SCHEDULED}, own)
        for path, fields in args.secrets.items():
            write_secret(self, f"{name}/secret/{path}", args.mount.path, path, fields, args.provider, parent=args.mount)
        self.register_outputs({})

    def _environment(
        self,
        environment: Environment,
        jobs: PipelineIdentity,
        claims: Mapping[str, pulumi.Input[str]],
        trusted: vault.Policy,
    ) -> None:
        """Create the role of an environment: it is bound to more than that of all protected pipelines, and reads more.

        The author of a job chooses the name of its environment, so it is the protected ref that keeps others out. Where
        GitLab protects production environments, only those whom it lets deploy there start such a job.
        """
        names, short = names_of(self._args.tenant), f"ci/{environment.name}"
        rules = to_hcl(pipeline_environment_rules(self._args.tenant, environment))
        policy = self._policy(short, names.pipeline_environment_policy(environment.name), rules)
        bound = {**claims, "environment": environment.name}
        if environment.production and jobs.protects_environments:
            bound["environment_protected"] = "true"
        self._role(short, jobs.auth_path, bound, policy, trusted)

    def _policy(self, short: str, name: str, rules: str) -> vault.Policy:
        return vault.Policy(
            f"{self._prefix}/policy/{short}", name=name, policy=rules, opts=self.child(self._args.provider)
        )

    def _role(
        self,
        short: str,
        path: pulumi.Input[str],
        claims: Mapping[str, pulumi.Input[str]],
        policy: vault.Policy,
        *more: vault.Policy,
    ) -> None:
        """Create a role that is called as the first of its policies."""
        jwt.AuthBackendRole(
            f"{self._prefix}/jwt-role/{short}",
            backend=path,
            role_name=policy.name,
            role_type="jwt",
            user_claim="project_path",
            bound_audiences=[self._args.url],
            bound_claims=dict(claims),
            token_policies=[policy.name, *(other.name for other in more)],
            token_ttl=_TOKEN_TTL,
            token_max_ttl=_TOKEN_MAX_TTL,
            opts=self.child(self._args.provider),
        )
