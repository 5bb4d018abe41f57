"""The attributes of a project: parameters and defaults."""

from __future__ import annotations

from typing import Any, Final, Literal

from lab.standins.gitlab.groups import Visibility
from lab.standins.gitlab.params import Bool, Hash, Int, Paging, Params, Text, Texts, truth
from lab.standins.store import Document

Access = Literal["disabled", "private", "enabled"] | None
PublicAccess = Literal["disabled", "private", "enabled", "public"] | None

#: Features with an access level, and the default level.
FEATURES: Final[dict[str, str]] = {
    "issues": "enabled",
    "repository": "enabled",
    "merge_requests": "enabled",
    "forking": "enabled",
    "wiki": "enabled",
    "builds": "enabled",
    "snippets": "enabled",
    "pages": "private",
    "analytics": "enabled",
    "container_registry": "enabled",
    "security_and_compliance": "private",
    "releases": "enabled",
    "environments": "enabled",
    "feature_flags": "enabled",
    "infrastructure": "enabled",
    "monitor": "enabled",
    "model_experiments": "enabled",
    "model_registry": "enabled",
    "package_registry": "enabled",
    "requirements": "enabled",
}
#: Older boolean parameters of some features.
SWITCHES: Final[dict[str, str]] = {
    "issues_enabled": "issues",
    "merge_requests_enabled": "merge_requests",
    "wiki_enabled": "wiki",
    "jobs_enabled": "builds",
    "snippets_enabled": "snippets",
    "container_registry_enabled": "container_registry",
    "packages_enabled": "package_registry",
    "security_and_compliance_enabled": "security_and_compliance",
    "requirements_enabled": "requirements",
}

ATTRIBUTES: Final[dict[str, Any]] = {
    "description": None,
    "resolve_outdated_diff_discussions": False,
    "service_desk_enabled": False,
    "emails_enabled": True,
    "show_default_award_emojis": True,
    "show_diff_preview_in_email": True,
    "warn_about_potentially_unwanted_characters": True,
    "enforce_auth_checks_on_uploads": True,
    "shared_runners_enabled": True,
    "group_runners_enabled": True,
    "resource_group_default_process_mode": "unordered",
    "remove_source_branch_after_merge": True,
    "lfs_enabled": True,
    "public_jobs": True,
    "request_access_enabled": True,
    "only_allow_merge_if_pipeline_succeeds": False,
    "allow_merge_on_skipped_pipeline": False,
    "only_allow_merge_if_all_discussions_are_resolved": False,
    "printing_merge_request_link_enabled": True,
    "merge_method": "merge",
    "squash_option": "default_off",
    "suggestion_commit_message": None,
    "merge_commit_template": None,
    "squash_commit_template": None,
    "issue_branch_template": None,
    "merge_request_title_regex": None,
    "merge_request_title_regex_description": None,
    "mr_default_title_template": None,
    "auto_devops_enabled": True,
    "auto_devops_deploy_strategy": "continuous",
    "autoclose_referenced_issues": True,
    "repository_storage": "default",
    "build_git_strategy": "fetch",
    "build_timeout": 3600,
    "build_coverage_regex": None,
    "auto_cancel_pending_pipelines": "enabled",
    "ci_config_path": None,
    "ci_default_git_depth": 20,
    "keep_latest_artifact": True,
    "ci_forward_deployment_enabled": True,
    "ci_forward_deployment_rollback_allowed": True,
    "ci_allow_fork_pipelines_to_run_in_parent_project": True,
    "ci_separated_caches": True,
    "ci_display_pipeline_variables": False,
    "ci_pipeline_variables_minimum_override_role": "developer",
    "ci_push_repository_for_job_token_allowed": False,
    "ci_id_token_sub_claim_components": ["project_path", "ref_type", "ref"],
    "ci_delete_pipelines_in_seconds": None,
    "max_artifacts_size": None,
    "protect_merge_request_pipelines": True,
    "external_authorization_classification_label": "",
    "cicd_catalog_enabled": False,
}
PREMIUM: Final[dict[str, Any]] = {
    "approvals_before_merge": 0,
    "mirror": False,
    "mirror_trigger_builds": False,
    "only_mirror_protected_branches": False,
    "mirror_overwrites_diverged_branches": False,
    "merge_pipelines_enabled": False,
    "merge_trains_enabled": False,
    "merge_trains_skip_train_allowed": False,
    "only_allow_merge_if_all_status_checks_passed": False,
    "allow_pipeline_trigger_approve_deployment": False,
    "prevent_merge_without_jira_issue": False,
    "issues_template": None,
    "merge_requests_template": None,
    "ci_restrict_pipeline_cancellation_role": "developer",
    "auto_duo_code_review_enabled": False,
    "reviewer_assignment_strategy": "disabled",
}


class ProjectParams(Params):
    """Parameters of creation and update."""

    description: Text = None
    visibility: Visibility | None = None
    default_branch: Text = None
    topics: Texts = None
    tag_list: Texts = None
    issues_access_level: Access = None
    repository_access_level: Access = None
    merge_requests_access_level: Access = None
    forking_access_level: Access = None
    wiki_access_level: Access = None
    builds_access_level: Access = None
    snippets_access_level: Access = None
    pages_access_level: PublicAccess = None
    analytics_access_level: Access = None
    container_registry_access_level: Access = None
    security_and_compliance_access_level: Access = None
    releases_access_level: Access = None
    environments_access_level: Access = None
    feature_flags_access_level: Access = None
    infrastructure_access_level: Access = None
    monitor_access_level: Access = None
    model_experiments_access_level: Access = None
    model_registry_access_level: Access = None
    package_registry_access_level: PublicAccess = None
    requirements_access_level: Access = None
    issues_enabled: Bool = None
    merge_requests_enabled: Bool = None
    wiki_enabled: Bool = None
    jobs_enabled: Bool = None
    snippets_enabled: Bool = None
    container_registry_enabled: Bool = None
    packages_enabled: Bool = None
    resolve_outdated_diff_discussions: Bool = None
    service_desk_enabled: Bool = None
    emails_disabled: Bool = None
    emails_enabled: Bool = None
    show_default_award_emojis: Bool = None
    show_diff_preview_in_email: Bool = None
    warn_about_potentially_unwanted_characters: Bool = None
    enforce_auth_checks_on_uploads: Bool = None
    shared_runners_enabled: Bool = None
    group_runners_enabled: Bool = None
    resource_group_default_process_mode: (
        Literal["unordered", "oldest_first", "newest_first", "newest_ready_first"] | None
    ) = None
    remove_source_branch_after_merge: Bool = None
    container_expiration_policy_attributes: Hash = None
    lfs_enabled: Bool = None
    public_builds: Bool = None
    public_jobs: Bool = None
    request_access_enabled: Bool = None
    only_allow_merge_if_pipeline_succeeds: Bool = None
    allow_merge_on_skipped_pipeline: Bool = None
    only_allow_merge_if_all_discussions_are_resolved: Bool = None
    only_allow_merge_if_all_status_checks_passed: Bool = None
    printing_merge_request_link_enabled: Bool = None
    merge_method: Literal["ff", "rebase_merge", "merge"] | None = None
    squash_option: Literal["never", "always", "default_on", "default_off"] | None = None
    suggestion_commit_message: Text = None
    merge_commit_template: Text = None
    squash_commit_template: Text = None
    issue_branch_template: Text = None
    merge_request_title_regex: Text = None
    merge_request_title_regex_description: Text = None
    mr_default_title_template: Text = None
    auto_devops_enabled: Bool = None
    auto_devops_deploy_strategy: Literal["continuous", "manual", "timed_incremental"] | None = None
    autoclose_referenced_issues: Bool = None
    repository_storage: Text = None
    build_git_strategy: Literal["fetch", "clone"] | None = None
    build_timeout: Int = None
    build_coverage_regex: Text = None
    auto_cancel_pending_pipelines: Literal["disabled", "enabled"] | None = None
    ci_config_path: Text = None
    ci_default_git_depth: Int = None
    keep_latest_artifact: Bool = None
    ci_forward_deployment_enabled: Bool = None
    ci_forward_deployment_rollback_allowed: Bool = None
    ci_allow_fork_pipelines_to_run_in_parent_project: Bool = None
    ci_separated_caches: Bool = None
    ci_display_pipeline_variables: Bool = None
    restrict_user_defined_variables: Bool = None
    ci_pipeline_variables_minimum_override_role: (
        Literal["no_one_allowed", "developer", "maintainer", "owner"] | None
    ) = None
    ci_push_repository_for_job_token_allowed: Bool = None
    ci_id_token_sub_claim_components: Texts = None
    ci_delete_pipelines_in_seconds: Int = None
    ci_restrict_pipeline_cancellation_role: Literal["developer", "maintainer", "no_one"] | None = None
    max_artifacts_size: Int = None
    protect_merge_request_pipelines: Bool = None
    external_authorization_classification_label: Text = None
    cicd_catalog_enabled: Bool = None
    approvals_before_merge: Int = None
    mirror: Bool = None
    mirror_trigger_builds: Bool = None
    only_mirror_protected_branches: Bool = None
    mirror_overwrites_diverged_branches: Bool = None
    merge_pipelines_enabled: Bool = None
    merge_trains_enabled: Bool = None
    merge_trains_skip_train_allowed: Bool = None
    allow_pipeline_trigger_approve_deployment: Bool = None
    prevent_merge_without_jira_issue: Bool = None
    issues_template: Text = None
    merge_requests_template: Text = None
    auto_duo_code_review_enabled: Bool = None
    reviewer_assignment_strategy: Text = None


class NewProject(ProjectParams):
    """Parameters of a new project."""

    name: Text = None
    path: Text = None
    namespace_id: Int = None
    initialize_with_readme: Bool = None
    repository_object_format: Literal["sha1", "sha256"] | None = None
    import_url: Text = None
    at_least_one = ("name", "path")


class ChangedProject(ProjectParams):
    """Parameters of an update."""

    name: Text = None
    path: Text = None


class ProjectFilter(Paging):
    """Filter of projects."""

    archived: Bool = None
    active: Bool = None
    include_subgroups: Bool = None
    include_pending_delete: Bool = None
    marked_for_deletion_on: Text = None
    id_after: Int = None
    id_before: Int = None
    membership: Bool = None
    min_access_level: Literal[10, 15, 20, 30, 40, 50, "10", "15", "20", "30", "40", "50"] | None = None
    owned: Bool = None
    search: Text = None
    search_namespaces: Bool = None
    simple: Bool = None
    starred: Bool = None
    statistics: Bool = None
    topic: Texts = None
    visibility: Visibility | None = None
    with_shared: Bool = None
    with_issues_enabled: Bool = None
    with_merge_requests_enabled: Bool = None
    order_by: Literal["id", "name", "path", "created_at", "updated_at", "last_activity_at", "similarity"] = "created_at"
    sort: Literal["asc", "desc"] = "desc"


def attributes(given: ProjectParams, *, premium: bool) -> Document:
    """Return the parameters that are stored in the document; `None` only if null is a value."""
    sent = given.sent()
    for switch, feature in SWITCHES.items():
        if sent.get(switch) is not None:
            sent.setdefault(f"{feature}_access_level", "enabled" if sent[switch] else "disabled")
    if sent.get("emails_disabled") is not None:
        sent["emails_enabled"] = not sent["emails_disabled"]
    if sent.get("public_builds") is not None:
        sent.setdefault("public_jobs", sent["public_builds"])
    if sent.get("restrict_user_defined_variables") is not None:
        restricted = "maintainer" if sent["restrict_user_defined_variables"] else "developer"
        sent.setdefault("ci_pipeline_variables_minimum_override_role", restricted)
    defaults = {
        **ATTRIBUTES,
        **{f"{feature}_access_level": level for feature, level in FEATURES.items()},
        **(PREMIUM if premium else {}),
    }
    kept = {name: value for name, value in sent.items() if name in defaults}
    kept = {name: value for name, value in kept.items() if value is not None or defaults[name] is None}
    topics = sent.get("topics", sent.get("tag_list"))
    if topics is not None:
        kept["topics"] = sorted(set(topics))
    policy = sent.get("container_expiration_policy_attributes")
    if policy:
        kept["container_expiration_policy"] = _policy(policy)
    return kept


_KEPT: Final = frozenset({"1", "5", "10", "25", "50", "100"})


def _policy(given: Document) -> Document:
    made: Document = {}
    for name in ("cadence", "older_than", "name_regex", "name_regex_keep"):
        if isinstance(given.get(name), str | None) and name in given:
            made[name] = given[name]
    if isinstance(given.get("name_regex_delete"), str):
        made["name_regex"] = given["name_regex_delete"]
    if "keep_n" in given:
        made["keep_n"] = int(str(given["keep_n"])) if str(given["keep_n"]) in _KEPT else None
    if "enabled" in given:
        made["enabled"] = truth(given["enabled"])
    return made
