"""What a project can be set to: which property is which parameter, and when GitLab takes it."""

from __future__ import annotations

from dataclasses import replace
from typing import Final
from urllib.parse import quote, urlsplit, urlunsplit

from lab.plugins.fields import snake
from lab.plugins.gitlab.common import known, rfc3339
from lab.plugins.gitlab.groups import computed_block
from lab.plugins.planning import Data, is_zero
from lab.plugins.schema import Shape, one_of, resource
from lab.plugins.server import PluginError
from lab.plugins.wire import UNKNOWN, Properties, Value

_RENAMED: Final = {
    "visibilityLevel": "visibility",
    "publicJobs": "public_builds",
    "publicBuilds": "public_builds",
}
#: Sent at creation, and when changed.
CREATED: Final = (
    "path",
    "description",
    "defaultBranch",
    "pagesAccessLevel",
    "ciConfigPath",
    "resolveOutdatedDiffDiscussions",
    "analyticsAccessLevel",
    "autoCancelPendingPipelines",
    "autoDevopsDeployStrategy",
    "autoDevopsEnabled",
    "autocloseReferencedIssues",
    "buildGitStrategy",
    "buildTimeout",
    "buildsAccessLevel",
    "containerRegistryAccessLevel",
    "emailsEnabled",
    "externalAuthorizationClassificationLabel",
    "forkingAccessLevel",
    "issuesAccessLevel",
    "mergeRequestsAccessLevel",
    "publicJobs",
    "publicBuilds",
    "repositoryAccessLevel",
    "repositoryStorage",
    "requirementsAccessLevel",
    "securityAndComplianceAccessLevel",
    "snippetsAccessLevel",
    "suggestionCommitMessage",
    "topics",
    "wikiAccessLevel",
    "squashCommitTemplate",
    "mergeCommitTemplate",
    "requestAccessEnabled",
    "lfsEnabled",
    "visibilityLevel",
    "mergeMethod",
    "onlyAllowMergeIfPipelineSucceeds",
    "onlyAllowMergeIfAllDiscussionsAreResolved",
    "allowMergeOnSkippedPipeline",
    "sharedRunnersEnabled",
    "groupRunnersEnabled",
    "removeSourceBranchAfterMerge",
    "packagesEnabled",
    "printingMergeRequestLinkEnabled",
    "squashOption",
    "releasesAccessLevel",
    "environmentsAccessLevel",
    "featureFlagsAccessLevel",
    "infrastructureAccessLevel",
    "monitorAccessLevel",
    "modelExperimentsAccessLevel",
    "modelRegistryAccessLevel",
    "packageRegistryAccessLevel",
)
#: What GitLab takes only of a project that is there.
AFTERWARDS: Final = (
    "description",
    "issuesTemplate",
    "mergeRequestsTemplate",
    "issueBranchTemplate",
    "mergePipelinesEnabled",
    "mergeTrainsEnabled",
    "mergeTrainsSkipTrainAllowed",
    "ciDefaultGitDepth",
    "ciForwardDeploymentEnabled",
    "ciForwardDeploymentRollbackAllowed",
    "ciSeparatedCaches",
    "ciPushRepositoryForJobTokenAllowed",
    "ciIdTokenSubClaimComponents",
    "ciDeletePipelinesInSeconds",
    "ciDisplayPipelineVariables",
    "ciRestrictPipelineCancellationRole",
    "ciPipelineVariablesMinimumOverrideRole",
    "keepLatestArtifact",
    "allowPipelineTriggerApproveDeployment",
    "preventMergeWithoutJiraIssue",
    "protectMergeRequestPipelines",
    "autoDuoCodeReviewEnabled",
    "resourceGroupDefaultProcessMode",
    "maxArtifactsSize",
    "mergeRequestTitleRegex",
    "mergeRequestTitleRegexDescription",
    "automaticRebaseEnabled",
    "mrDefaultTitleTemplate",
    "reviewerAssignmentStrategy",
)
_LEVELS: Final = ("disabled", "private", "enabled")
_WITH_PUBLIC: Final = ("public", "private", "enabled", "disabled")
_COMPUTED_PLACES: Final = ("pathWithNamespace", "sshUrlToRepo", "httpUrlToRepo", "webUrl")
READ_ONLY: Final = (*_COMPUTED_PLACES, "runnersToken", "emptyRepo", "avatarUrl")


def theirs(name: str) -> str:
    """Return the parameter of a property."""
    return _RENAMED.get(name, snake(name))


def _shape() -> Shape:
    shape = resource("gitlab:index/project:Project", sets=("topics",), autoname=("name",))
    levels = {
        name: one_of(*_LEVELS)
        for name in shape.fields
        if name.endswith("AccessLevel") and name not in ("pagesAccessLevel", "packageRegistryAccessLevel")
    }
    shape = shape.tuned(
        conflicts={
            "importUrl": ("initializeWithReadme",),
            "initializeWithReadme": ("importUrl", "forkedFromProjectId"),
            "forkedFromProjectId": ("initializeWithReadme",),
            "templateName": ("templateProjectId",),
            "templateProjectId": ("templateName",),
            "publicJobs": ("publicBuilds",),
            "publicBuilds": ("publicJobs",),
        },
        required_with={
            "importUrlUsername": ("importUrl", "importUrlPassword"),
            "importUrlPassword": ("importUrl", "importUrlUsername"),
            "mrDefaultTargetSelf": ("forkedFromProjectId",),
            "branches": ("forkedFromProjectId",),
        },
        validate={
            **levels,
            "pagesAccessLevel": one_of(*_WITH_PUBLIC),
            "packageRegistryAccessLevel": one_of(*_WITH_PUBLIC),
            "visibilityLevel": one_of("private", "internal", "public"),
            "mergeMethod": one_of("merge", "rebase_merge", "ff"),
            "squashOption": one_of("never", "default_on", "always", "default_off"),
            "autoCancelPendingPipelines": one_of("enabled", "disabled"),
            "autoDevopsDeployStrategy": one_of("continuous", "manual", "timed_incremental"),
            "buildGitStrategy": one_of("clone", "fetch"),
            "ciPipelineVariablesMinimumOverrideRole": one_of("developer", "maintainer", "owner", "no_one_allowed"),
        },
        suppress={
            # No path given leaves the one GitLab made of the name.
            "path": lambda _old, new, _plan: not new,
            # Only of use at creation, and never told: once there is a project a change of it is none.
            "skipWaitForDefaultBranchProtection": lambda _old, _new, _plan: True,
        },
        fields={"containerExpirationPolicy": {"validate": {"cadence": one_of("1d", "7d", "14d", "1month", "3month")}}},
    )
    fields = dict(shape.fields)
    fields["containerExpirationPolicy"] = computed_block(fields["containerExpirationPolicy"])
    return replace(shape, fields=fields)


PROJECT: Final = _shape()


def given(data: Data, names: tuple[str, ...]) -> Properties:
    """Return the request for those of `names` the program says; an empty text or 0 says nothing, False does."""
    body: Properties = {}
    for name in names:
        value = data.raw(name)
        if value is not None and (isinstance(value, bool) or not is_zero(value)):
            body[theirs(name)] = value
    return body


def changed(data: Data) -> Properties:
    """Return the request for what changes."""
    names = dict.fromkeys((*CREATED, *AFTERWARDS, "mrDefaultTargetSelf"))
    body = {theirs(name): data.get(name) for name in names if data.changed(name)}
    if body.get("path") == "":
        del body["path"]
    return body


def moved(prior: Properties | None, planned: Properties, _inputs: object) -> set[str]:
    """Addresses are not known yet when the project is renamed or goes elsewhere."""
    if prior is not None and any(prior.get(name) != planned.get(name) for name in ("path", "namespaceId")):
        planned.update(dict.fromkeys(_COMPUTED_PLACES, UNKNOWN))
    return set()


def policy_outputs(policy: Properties | None) -> Properties | None:
    """Return how old images are cleaned up, by property."""
    if policy is None:
        return None
    return {
        "cadence": policy.get("cadence") or "",
        "keepN": policy.get("keep_n") or 0,
        "olderThan": policy.get("older_than") or "",
        "nameRegexDelete": policy.get("name_regex_delete") or policy.get("name_regex") or "",
        "nameRegexKeep": policy.get("name_regex_keep") or "",
        "enabled": bool(policy.get("enabled")),
        "nextRunAt": rfc3339(policy.get("next_run_at")) or "",
    }


def policy_body(block: Properties | None) -> Properties:
    """Return the request for how old images are cleaned up."""
    said = known(block)
    return {
        snake(name): value
        for name, value in said.items()
        if name != "nextRunAt" and (isinstance(value, bool) or not is_zero(value))
    }


def import_url(data: Data) -> Value:
    """Return the address to import from, with the credentials in it; raises `PluginError` when it has others."""
    url, name, password = data.get("importUrl"), data.get("importUrlUsername"), data.get("importUrlPassword")
    if not name and not password:
        return url
    split = urlsplit(url)
    credentials = f"{quote(name, safe='')}:{quote(password, safe='')}"
    held = split.netloc.rpartition("@")[0]
    if held and held != credentials:
        raise PluginError(
            "Unable to construct import URL for API: the `import_url` already contains credentials which don't match "
            "the credentials from `import_url_username` and `import_url_password`"
        )
    return urlunsplit(split._replace(netloc=f"{credentials}@{split.netloc.rpartition('@')[2]}"))
