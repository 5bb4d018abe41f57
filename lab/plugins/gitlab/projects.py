"""Projects."""

from __future__ import annotations

from typing import Final

from lab.plugins.bridge import Customise
from lab.plugins.fields import fields
from lab.plugins.gitlab.client import GitLabPluginClient, segment, wait
from lab.plugins.gitlab.groups import GroupOrProject, set_values
from lab.plugins.items import table
from lab.plugins.planning import Data
from lab.plugins.schema import Shape, one_of, resource
from lab.plugins.server import refused
from lab.plugins.wire import UNKNOWN, Properties

#: Properties that GitLab accepts only for an existing project.
_AFTERWARDS: Final = (
    "issuesTemplate", "mergeRequestsTemplate", "issueBranchTemplate", "mergePipelinesEnabled", "mergeTrainsEnabled",
    "mergeTrainsSkipTrainAllowed", "ciDefaultGitDepth", "ciForwardDeploymentEnabled",
    "ciForwardDeploymentRollbackAllowed", "ciSeparatedCaches", "ciPushRepositoryForJobTokenAllowed",
    "ciIdTokenSubClaimComponents", "ciDeletePipelinesInSeconds", "ciDisplayPipelineVariables",
    "ciRestrictPipelineCancellationRole", "ciPipelineVariablesMinimumOverrideRole", "keepLatestArtifact",
    "allowPipelineTriggerApproveDeployment", "preventMergeWithoutJiraIssue", "protectMergeRequestPipelines",
    "autoDuoCodeReviewEnabled", "resourceGroupDefaultProcessMode", "maxArtifactsSize", "mergeRequestTitleRegex",
    "mergeRequestTitleRegexDescription", "automaticRebaseEnabled", "mrDefaultTitleTemplate",
    "reviewerAssignmentStrategy",
)  # fmt: skip
#: Properties that are not sent unchanged at creation and update.
_APART: Final = ("name", "namespaceId", "archived", "initializeWithReadme")
_PLACES: Final = ("pathWithNamespace", "sshUrlToRepo", "httpUrlToRepo", "webUrl")


def _shape() -> Shape:
    shape = resource("gitlab:index/project:Project", sets=("topics",), autoname=("name",))
    public = ("pagesAccessLevel", "packageRegistryAccessLevel")
    levels = {name: one_of("disabled", "private", "enabled") for name in shape.fields if name.endswith("AccessLevel")}
    return shape.tuned(
        validate={
            **levels,
            **dict.fromkeys(public, one_of("public", "private", "enabled", "disabled")),
            "visibilityLevel": one_of("private", "internal", "public"),
            "mergeMethod": one_of("merge", "rebase_merge", "ff"),
            "squashOption": one_of("never", "default_on", "always", "default_off"),
            "autoCancelPendingPipelines": one_of("enabled", "disabled"),
            "autoDevopsDeployStrategy": one_of("continuous", "manual", "timed_incremental"),
            "buildGitStrategy": one_of("clone", "fetch"),
            "ciPipelineVariablesMinimumOverrideRole": one_of("developer", "maintainer", "owner", "no_one_allowed"),
        },
        # Without a path, GitLab derives it from the name.
        suppress={"path": lambda _old, new, _plan: not new},
    )


def _moved(prior: Properties | None, planned: Properties, _inputs: object) -> set[str]:
    """Make URLs unknown when the project is renamed or moved."""
    if prior is not None and any(prior.get(name) != planned.get(name) for name in ("path", "namespaceId")):
        planned.update(dict.fromkeys(_PLACES, UNKNOWN))
    return set()


class _GitLabProject(GroupOrProject):
    def customise(self) -> Customise:
        return _moved

    def creation(self, data: Data) -> Properties:
        names = {name: field for name, field in self.sent.items() if name not in _AFTERWARDS}
        body = {"name": data.get("name"), **set_values(data, {**names, **fields("namespaceId")})}
        if data.raw("initializeWithReadme") is not None:
            body["initialize_with_readme"] = data.get("initializeWithReadme")
        return body

    def create(self, data: Data, client: GitLabPluginClient) -> None:
        """Create it, wait until GitLab has protected its branch, then set the other properties."""
        made = client.post("projects", self.creation(data))
        data.id = str(made["id"])
        if data.get("archived"):
            client.post(f"{self.path(data)}/archive")
        if _expects_protection(client, made):
            self._wait_for_protection(data, client, made)
        more = set_values(
            data, {name: field for name, field in self.sent.items() if name in (*_AFTERWARDS, "description")}
        )
        if more:
            with refused(f'Could not update project "{data.id}"'):
                client.put(self.path(data), more)
        self.read(data, client)

    def _wait_for_protection(self, data: Data, client: GitLabPluginClient, project: Properties) -> None:
        branch = project.get("default_branch")
        if not branch:
            return  # the repository is empty

        def protected() -> bool:
            found = client.find(f"{self.path(data)}/repository/branches/{segment(branch)}")
            return found is None or bool(found.get("protected"))

        wait(protected, f"branch {branch} to reach 'protected' status")

    def take(self, data: Data, found: Properties, client: GitLabPluginClient) -> None:
        super().take(data, found, client)
        data.set("namespaceId", found["namespace"]["id"])

    def update(self, data: Data, client: GitLabPluginClient) -> None:
        """Update it; a new namespace and archiving need separate requests."""
        body = self.changed(data)
        if body.get("path") == "":
            del body["path"]
        client.put(self.path(data), {"name": data.get("name"), **body})
        if data.changed("namespaceId"):
            client.put(f"{self.path(data)}/transfer", {"namespace": data.get("namespaceId")})
        if data.changed("archived"):
            doing = "archive" if data.get("archived") else "unarchive"
            with refused(f'project "{data.id}" could not be {doing}d'):
                client.post(f"{self.path(data)}/{doing}")
        self.read(data, client)


def _expects_protection(gitlab: GitLabPluginClient, project: Properties) -> bool:
    """Whether GitLab protects the default branch itself."""
    namespace = project["namespace"]
    if namespace["kind"] == "group":
        group = gitlab.get(f"groups/{namespace['id']}", with_projects=False)
        return bool(group.get("default_branch_protection"))
    if (gitlab.get("user")).get("is_admin"):
        return bool(gitlab.get("application/settings").get("default_branch_protection"))
    return True


PROJECT: Final = _shape()
_SETTINGS: Final = [name for name, field in PROJECT.fields.items() if field.input and name not in _APART]
RESOURCES: Final = table(
    _GitLabProject(
        shape=PROJECT,
        collection="projects",
        always=fields("name"),
        sent={**fields(*_SETTINGS), "visibilityLevel": "visibility"},
        read_back=fields("archived", "runnersToken", "emptyRepo", "avatarUrl", *_PLACES),
    )
)
