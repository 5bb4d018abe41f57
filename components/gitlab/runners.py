"""Runners of the platform: declared here, and installed by hand (docs/runners.md).

A runner of the tenants takes jobs of protected branches and tags, or the other jobs, and never both: what a merge
request leaves on a machine or in a cache cannot reach a job that publishes. The platform's scheduled work has a runner
of its own, because its projects are outside the tenants' root group.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pulumi
import pulumi_gitlab as gitlab

from components.base import Component, number, secret
from model.naming import RUNNER_VARIABLE, RunnerPurpose, runner_description
from model.settings import Credential, RunnerSettings


@dataclass(frozen=True, slots=True)
class GitLabRunnersArgs:
    """`tenants` is the root group of all tenants, `operations` the group of the platform's scheduled work.

    There is a runner per purpose for each of `credentials`.
    """

    provider: gitlab.Provider
    settings: RunnerSettings
    tenants: gitlab.Group
    operations: gitlab.Group
    credentials: Sequence[Credential]


class GitLabRunners(Component):
    """Group runners, and the CI variables by which jobs name them.

    `tokens` is the current authentication token for each purpose, always secret.
    """

    system = "gitlab"
    tokens: Mapping[RunnerPurpose, pulumi.Output[str]]

    def __init__(self, name: str, args: GitLabRunnersArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        """Register the runners and the variables."""
        super().__init__(name, opts)
        self._args = args
        self.tokens = {purpose: self._runner(name, purpose) for purpose in RunnerPurpose}
        # Jobs of the catalogue have the tag $USINE_RUNNER, which is `unprotected` in its files. A group's variable
        # overrides that value, and only pipelines of protected branches and tags see a protected one.
        self._variable(name, args.tenants, RunnerPurpose.PROTECTED)
        self._variable(name, args.operations, RunnerPurpose.OPERATIONS)
        self.register_outputs({})

    def _variable(self, name: str, group: gitlab.Group, purpose: RunnerPurpose) -> None:
        gitlab.GroupVariable(
            f"{name}/variable/{purpose.value}",
            group=group.id,
            key=RUNNER_VARIABLE,
            value=purpose.value,
            protected=True,
            opts=self.child(self._args.provider, parent=group),
        )

    def _runner(self, name: str, purpose: RunnerPurpose) -> pulumi.Output[str]:
        """Create a runner per credential generation, and return the token of the last one."""
        args = self._args
        group = args.operations if purpose is RunnerPurpose.OPERATIONS else args.tenants
        runners = [
            gitlab.UserRunner(
                f"{name}/{purpose.value}-{credential.name}",
                runner_type="group_type",
                group_id=number(group.id),
                description=runner_description(purpose, credential.name),
                access_level="not_protected" if purpose is RunnerPurpose.UNPROTECTED else "ref_protected",
                tag_lists=[purpose.value],
                # A job without a tag waits, and its page says so. Otherwise one of a protected branch could run where
                # the jobs of merge requests run.
                untagged=False,
                locked=True,
                maximum_timeout=args.settings.timeout,
                opts=pulumi.ResourceOptions.merge(
                    self.child(args.provider, parent=group), pulumi.ResourceOptions(additional_secret_outputs=["token"])
                ),
            )
            for credential in args.credentials
        ]
        return secret(runners[-1].token)
