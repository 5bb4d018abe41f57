"""Selects the next job of a runner, and builds the runner's answer with the job's data."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import urlsplit

from lab.standins.gitlab import (
    access,
    ci_artifact_types,
    ci_artifacts,
    ci_caches,
    ci_config,
    ci_jobs,
    ci_tokens,
    ci_variables,
)
from lab.standins.gitlab.ci_variables import Variable
from lab.standins.gitlab.site import GitLabSite, digest
from lab.standins.store import Document

_FEATURES: Final = {
    "trace_sections": True,
    "token_mask_prefixes": ["glpat-", "glcbt-", "glrt-"],
    "failure_reasons": ["unknown_failure", "script_failure", "runner_system_failure", "job_execution_timeout"],
}


def take(site: GitLabSite, runner: Document) -> Document | None:
    """Assign the oldest pending job that a runner may run, and return the job's data; None if there is none."""
    for job in site.store.find("job", status="pending"):
        project = site.store.get("project", job["project_id"])
        pipeline = site.store.get("pipeline", job["pipeline_id"])
        if project is None or pipeline is None or not _fits(site, runner, project, pipeline, job):
            continue
        token = ci_tokens.issue()
        taken = ci_jobs.change(site, job, "running", runner_id=runner["id"], token_digest=digest(token))
        return _job_data(site, runner, project, pipeline, taken, token)
    return None


def _fits(site: GitLabSite, runner: Document, project: Document, pipeline: Document, job: Document) -> bool:
    tags = _tags(site, project, pipeline, job)
    if not tags <= set(runner["tag_list"]) or (not tags and not runner["run_untagged"]):
        return False
    if runner["access_level"] == "ref_protected" and not pipeline["protected"]:
        return False
    if project.get("builds_access_level") == "disabled" or project.get("archived"):
        return False
    if runner["runner_type"] == "project_type":
        return project["id"] in runner["project_ids"]
    if runner["runner_type"] == "group_type":
        above = {one["id"] for one in access.lineage(site, access.namespace(site, project))}
        return bool(project.get("group_runners_enabled", True)) and not above.isdisjoint(runner["group_ids"])
    return bool(project.get("shared_runners_enabled", True))


def _tags(site: GitLabSite, project: Document, pipeline: Document, job: Document) -> set[str]:
    """Return the tags of a job, with its variables expanded (`Seed::Build#evaluate_runner_tags`)."""
    tags = job["config"].get("tags") or []
    if not any("$" in tag for tag in tags):
        return set(tags)
    known = ci_variables.values(ci_variables.expanded(ci_variables.all_of_job(site, project, pipeline, job)))
    return {ci_variables.expand(tag, known) for tag in tags}


def _job_data(
    site: GitLabSite, runner: Document, project: Document, pipeline: Document, job: Document, token: str
) -> Document:
    config = job["config"]
    variables = _variables(site, runner, project, pipeline, job, token)
    known = ci_variables.values(variables)
    return {
        "id": job["id"],
        "token": token,
        "allow_git_fetch": project.get("build_git_strategy", "fetch") == "fetch",
        "job_info": {
            "id": job["id"],
            "name": job["name"],
            "stage": job["stage"],
            "project_id": project["id"],
            "project_name": project["path"],
            "project_full_name": project["full_path"],
            "namespace_id": project["namespace_id"],
            "time_in_queue_seconds": ci_jobs.seconds(job["queued_at"], job["started_at"]) or 0.0,
            "user_id": job["user_id"],
        },
        "git_info": _git(site, project, pipeline, token, known.get("GIT_DEPTH")),
        "runner_info": {"timeout": job["timeout"], "runner_session_url": None},
        "inputs": [],
        "variables": [one.shown() for one in variables],
        "steps": _steps(config, job),
        "hooks": [],
        "image": _image(config.get("image"), known),
        "services": [_image(one, known) for one in config.get("services") or []],
        "artifacts": ci_artifact_types.declared(config.get("artifacts"), known),
        "cache": ci_caches.of_job(site, project, pipeline, job, known),
        "credentials": [],
        "dependencies": ci_artifacts.dependencies(site, job, token),
        "features": _FEATURES,
    }


def _git(site: GitLabSite, project: Document, pipeline: Document, token: str, wanted: str | None = None) -> Document:
    """Return the data for git.

    With a depth of 0, it has all branches and tags (`Ci::BuildRunnerPresenter#refspecs`).
    """
    url = urlsplit(site.url)
    ref, number = pipeline["ref"], pipeline["id"]
    specs = [f"+refs/pipelines/{number}:refs/pipelines/{number}"]
    depth = int(wanted) if wanted is not None and wanted.isdecimal() else project.get("ci_default_git_depth", 20) or 0
    if depth == 0:
        specs += ["+refs/heads/*:refs/remotes/origin/*", "+refs/tags/*:refs/tags/*"]
    elif pipeline["tag"]:
        specs.append(f"+refs/tags/{ref}:refs/tags/{ref}")
    elif not pipeline["merge_request_id"]:
        specs.append(f"+refs/heads/{ref}:refs/remotes/origin/{ref}")
    return {
        "repo_url": f"{url.scheme}://gitlab-ci-token:{token}@{url.netloc}/{project['full_path']}.git",
        "repo_object_format": "sha1",
        "ref": ref,
        "sha": pipeline["sha"],
        "before_sha": pipeline["before_sha"],
        "ref_type": "tag" if pipeline["tag"] else "branch",
        "refspecs": specs,
        "depth": depth,
    }


def _steps(config: Mapping[str, Any], job: Document) -> list[Document]:
    def step(name: str, lines: list[str], when: str, *, forgiven: bool) -> Document:
        return {"name": name, "script": lines, "timeout": job["timeout"], "when": when, "allow_failure": forgiven}

    lines = (ci_config.lines(config.get("before_script")) or []) + (ci_config.lines(config.get("script")) or [])
    steps = [step("script", lines, "on_success", forgiven=False)]
    if after := ci_config.lines(config.get("after_script")):
        steps.append(step("after_script", after, "always", forgiven=True))
    return steps


def _image(image: Any, known: Mapping[str, str]) -> Document | None:  # noqa: ANN401 - YAML has any type
    if not image:
        return None
    content = {"name": image} if isinstance(image, str) else dict(image)
    name = ci_variables.expand(str(content.get("name", "")), known)
    policy = content.get("pull_policy")
    return {
        "name": name,
        "entrypoint": content.get("entrypoint"),
        "ports": [],
        "pull_policy": [policy] if isinstance(policy, str) else policy,
        "executor_opts": {},
        **({"alias": content["alias"]} if "alias" in content else {}),
    }


def _variables(
    site: GitLabSite, runner: Document, project: Document, pipeline: Document, job: Document, token: str
) -> list[Variable]:
    """Return the variables for a runner. Of several with one name, the last applies."""
    repo = _git(site, project, pipeline, token)["repo_url"]
    own = [
        Variable("CI_JOB_TOKEN", token, public=False, masked=True),
        Variable("CI_REPOSITORY_URL", repo, public=False),
        Variable("CI_JOB_STARTED_AT", job["started_at"]),
        Variable("CI_RUNNER_ID", str(runner["id"])),
        Variable("CI_RUNNER_DESCRIPTION", runner["description"] or ""),
        Variable("CI_RUNNER_TAGS", str(runner["tag_list"]).replace("'", '"')),
        Variable("CI_DEPENDENCY_PROXY_USER", "gitlab-ci-token"),
    ]
    inherited = ci_artifacts.variables(site, job)
    found = ci_variables.expanded([*own, *ci_variables.all_of_job(site, project, pipeline, job, inherited)])
    known = ci_variables.values(found)
    return [*found, *_identities(site, pipeline, job, known)]


def _identities(site: GitLabSite, pipeline: Document, job: Document, known: Mapping[str, str]) -> list[Variable]:
    made = []
    for name, wanted in (job["config"].get("id_tokens") or {}).items():
        audience = wanted["aud"]
        if isinstance(audience, list):
            audience = [ci_variables.expand(one, known) for one in audience]
        else:
            audience = ci_variables.expand(audience, known)
        token = ci_tokens.identity_token(site, job, pipeline, audience, wanted.get("sub_components") or ())
        made.append(Variable(str(name), token, public=False, masked=True, raw=True))
    return made
