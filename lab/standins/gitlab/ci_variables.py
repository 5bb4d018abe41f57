# ruff: noqa: ANN401 - YAML has any type
"""The variables of a pipeline and of a job: predefined, of the configuration, of groups and the project, passed in."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlsplit

from lab.standins.gitlab import access
from lab.standins.gitlab.api_instance import REVISION, VERSION
from lab.standins.gitlab.git import ZERO
from lab.standins.gitlab.protection import matches
from lab.standins.gitlab.repositories import last, repositories, repository
from lab.standins.gitlab.site import GitLabSite
from lab.standins.gitlab.variables import value_of
from lab.standins.store import Document

_USE: Final = re.compile(r"\$(?:\$|\{(\w+)\}|(\w+))")
_ROUNDS: Final = 10
_SLUG: Final = 63


@dataclass(frozen=True, slots=True)
class Variable:
    """A variable for a runner; `raw` ones contain no references to others."""

    key: str
    value: str
    public: bool = True
    masked: bool = False
    file: bool = False
    raw: bool = False

    def shown(self) -> Document:
        """Return it in the runners' protocol."""
        kinds = {"file": True} if self.file else {}
        return {"key": self.key, "value": self.value, "public": self.public, "masked": self.masked, **kinds} | (
            {"raw": True} if self.raw else {}
        )


def values(found: Iterable[Variable]) -> dict[str, str]:
    """Return values by name; of several with one name, the last."""
    return {one.key: one.value for one in found}


def expand(text: str, known: Mapping[str, str]) -> str:
    """Replace `$NAME` and `${NAME}` in a text; unknown names stay."""
    for _ in range(_ROUNDS):
        changed = _USE.sub(lambda match: known.get(match[1] or match[2] or "", match[0]), text)
        if changed == text or len(changed) > 2**16:
            break
        text = changed
    return text.replace("$$", "$")


def expanded(found: list[Variable]) -> list[Variable]:
    """Return the variables with references to others replaced, as GitLab does before it sends them to a runner."""
    known = values(found)
    made = []
    for one in found:
        others = {key: value for key, value in known.items() if key != one.key}
        value = one.value if one.raw or "$" not in one.value else expand(one.value, others)
        made.append(Variable(one.key, value, one.public, one.masked, one.file, one.raw))
    return made


def slug(text: str) -> str:
    """Return a name in the form of `CI_COMMIT_REF_SLUG`."""
    return re.sub(r"[^a-z0-9]", "-", text.lower())[:_SLUG].strip("-")


def of_yaml(given: Mapping[str, Any]) -> list[Variable]:
    """Return the `variables:` of a configuration."""
    made = []
    for key, value in given.items():
        raw = isinstance(value, dict) and value.get("expand") is False
        text = value.get("value", "") if isinstance(value, dict) else value
        made.append(Variable(str(key), _text(text), raw=raw))
    return made


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return "" if value is None else str(value)


def of_settings(site: GitLabSite, project: Document, *, protected: bool, environment: str | None) -> list[Variable]:
    """Return the variables of the groups, from the top, and of the project; a closer scope takes precedence."""
    space = access.namespace(site, project)
    above = list(reversed(access.lineage(site, space))) if space["kind"] == "group" else []
    sources = [*(("group", group["id"]) for group in above), ("project", project["id"])]
    made = []
    for kind, id_ in sources:
        found = site.store.find("variable", source_type=kind, source_id=id_)
        for one in sorted(found, key=lambda one: (one["environment_scope"] != "*", len(one["environment_scope"]))):
            scope = one["environment_scope"]
            if one["protected"] and not protected:
                continue
            if scope == "*" or (environment is not None and matches(scope, environment)):
                file = one["variable_type"] == "file"
                made.append(Variable(one["key"], value_of(site, one), False, one["masked"], file, one["raw"]))
    return made


def given(site: GitLabSite, pipeline: Document) -> list[Variable]:
    """Return the variables of the pipeline: from the API, a trigger or a schedule."""
    return [
        Variable(
            one["key"],
            site.unseal(one["sealed"]),
            False,
            file=one["variable_type"] == "file",
            raw=one.get("raw", False),
        )
        for one in pipeline["variables"]
    ]


def _made(pairs: Mapping[str, Any]) -> list[Variable]:
    return [Variable(key, _text(value)) for key, value in pairs.items() if value is not None]


def of_pipeline(site: GitLabSite, project: Document, pipeline: Document) -> list[Variable]:
    """Return the predefined variables of all jobs."""
    url = urlsplit(site.url)
    port = url.port or (443 if url.scheme == "https" else 80)
    space = access.namespace(site, project)
    root = project["full_path"].split("/")[0]
    commit = last(repository(site, project), pipeline["sha"])
    ref, merge_request = pipeline["ref"], pipeline.get("merge_request_id")
    title, _, rest = (commit.message if commit else "").partition("\n")
    user = site.store.get("user", pipeline["user_id"]) or {}
    branch = not pipeline["tag"] and not merge_request
    pairs: dict[str, Any] = {
        "CI": "true",
        "GITLAB_CI": "true",
        "CI_SERVER": "yes",
        "CI_SERVER_URL": site.url,
        "CI_SERVER_HOST": url.hostname,
        "CI_SERVER_PORT": port,
        "CI_SERVER_PROTOCOL": url.scheme,
        "CI_SERVER_FQDN": url.netloc,
        "CI_SERVER_NAME": "GitLab",
        "CI_SERVER_VERSION": VERSION + ("-ee" if site.enterprise else ""),
        "CI_SERVER_VERSION_MAJOR": VERSION.split(".")[0],
        "CI_SERVER_VERSION_MINOR": VERSION.split(".")[1],
        "CI_SERVER_VERSION_PATCH": VERSION.split(".")[2],
        "CI_SERVER_REVISION": REVISION,
        "CI_API_V4_URL": f"{site.url}/api/v4",
        "CI_API_GRAPHQL_URL": f"{site.url}/api/graphql",
        "CI_PROJECT_ID": project["id"],
        "CI_PROJECT_NAME": project["path"],
        "CI_PROJECT_TITLE": project["name"],
        "CI_PROJECT_DESCRIPTION": project.get("description") or "",
        "CI_PROJECT_PATH": project["full_path"],
        "CI_PROJECT_PATH_SLUG": slug(project["full_path"]),
        "CI_PROJECT_NAMESPACE": space["full_path"],
        "CI_PROJECT_NAMESPACE_ID": space["id"],
        "CI_PROJECT_NAMESPACE_SLUG": slug(space["full_path"]),
        "CI_PROJECT_ROOT_NAMESPACE": root,
        "CI_PROJECT_URL": f"{site.url}/{project['full_path']}",
        "CI_PROJECT_VISIBILITY": project["visibility"],
        "CI_PROJECT_TOPICS": ",".join(project.get("topics") or []),
        "CI_DEFAULT_BRANCH": repositories(site).default_branch(project) or project["default_branch"],
        "CI_CONFIG_PATH": project.get("ci_config_path") or ".gitlab-ci.yml",
        "CI_PIPELINE_ID": pipeline.get("id"),
        "CI_PIPELINE_IID": pipeline.get("iid"),
        "CI_PIPELINE_SOURCE": pipeline["source"],
        "CI_PIPELINE_CREATED_AT": pipeline["created_at"],
        "CI_PIPELINE_URL": f"{site.url}/{project['full_path']}/-/pipelines/{pipeline.get('id')}",
        "CI_PIPELINE_NAME": pipeline.get("name"),
        "CI_PIPELINE_SCHEDULE_DESCRIPTION": pipeline.get("schedule_description"),
        "CI_PIPELINE_TRIGGERED": "true" if pipeline["source"] == "trigger" else None,
        "CI_COMMIT_SHA": pipeline["sha"],
        "CI_COMMIT_SHORT_SHA": pipeline["sha"][:8],
        "CI_COMMIT_BEFORE_SHA": pipeline.get("before_sha") or ZERO,
        "CI_COMMIT_REF_NAME": ref,
        "CI_COMMIT_REF_SLUG": slug(ref),
        "CI_COMMIT_REF_PROTECTED": pipeline["protected"],
        "CI_COMMIT_BRANCH": ref if branch else None,
        "CI_COMMIT_TAG": ref if pipeline["tag"] else None,
        "CI_COMMIT_MESSAGE": commit.message if commit else "",
        "CI_COMMIT_TITLE": title,
        "CI_COMMIT_DESCRIPTION": rest.strip(),
        "CI_COMMIT_AUTHOR": f"{commit.author.name} <{commit.author.email}>" if commit else "",
        "CI_COMMIT_TIMESTAMP": commit.committed if commit else "",
        "GITLAB_USER_ID": user.get("id"),
        "GITLAB_USER_LOGIN": user.get("username"),
        "GITLAB_USER_NAME": user.get("name"),
        "GITLAB_USER_EMAIL": user.get("email"),
    }
    return _made({**pairs, **_of_merge_requests(site, project, pipeline)})


def _of_merge_requests(site: GitLabSite, project: Document, pipeline: Document) -> dict[str, Any]:
    if not pipeline.get("merge_request_id"):
        if pipeline["tag"]:
            return {}
        opened = site.store.find(
            "merge_request", source_project_id=project["id"], source_branch=pipeline["ref"], state="opened"
        )
        paths = [f"{_path(site, one['target_project_id'])}!{one['iid']}" for one in opened]
        return {"CI_OPEN_MERGE_REQUESTS": ",".join(paths) or None}
    found = site.store.get("merge_request", pipeline["merge_request_id"])
    if found is None:
        return {}
    target, source = _path(site, found["target_project_id"]), _path(site, found["source_project_id"])
    return {
        "CI_MERGE_REQUEST_ID": found["id"],
        "CI_MERGE_REQUEST_IID": found["iid"],
        "CI_MERGE_REQUEST_REF_PATH": f"refs/merge-requests/{found['iid']}/head",
        "CI_MERGE_REQUEST_PROJECT_ID": found["target_project_id"],
        "CI_MERGE_REQUEST_PROJECT_PATH": target,
        "CI_MERGE_REQUEST_PROJECT_URL": f"{site.url}/{target}",
        "CI_MERGE_REQUEST_TARGET_BRANCH_NAME": found["target_branch"],
        "CI_MERGE_REQUEST_TARGET_BRANCH_PROTECTED": _protected(site, project, found["target_branch"]),
        "CI_MERGE_REQUEST_SOURCE_PROJECT_ID": found["source_project_id"],
        "CI_MERGE_REQUEST_SOURCE_PROJECT_PATH": source,
        "CI_MERGE_REQUEST_SOURCE_PROJECT_URL": f"{site.url}/{source}",
        "CI_MERGE_REQUEST_SOURCE_BRANCH_NAME": found["source_branch"],
        "CI_MERGE_REQUEST_SOURCE_BRANCH_SHA": "",
        "CI_MERGE_REQUEST_TITLE": found["title"],
        "CI_MERGE_REQUEST_DRAFT": found["draft"],
        "CI_MERGE_REQUEST_LABELS": ",".join(found["labels"]) or None,
        "CI_MERGE_REQUEST_EVENT_TYPE": "detached",
        "CI_MERGE_REQUEST_DIFF_BASE_SHA": _base(site, found),
    }


def _base(site: GitLabSite, request: Document) -> str | None:
    """Return the merge base of source and target."""
    target = site.store.get("project", request["target_project_id"])
    repo = repository(site, target) if target is not None else None
    head = repo.ref(f"refs/heads/{request['target_branch']}") if repo is not None else None
    return repo.merge_base(head, request["sha"]) if repo is not None and head and request["sha"] else None


def _path(site: GitLabSite, project_id: int) -> str:
    return str((site.store.get("project", project_id) or {"full_path": ""})["full_path"])


def _protected(site: GitLabSite, project: Document, branch: str) -> bool:
    rules = site.store.find("protected_branch", project_id=project["id"])
    return any(matches(rule["name"], branch) for rule in rules)


def of_job(site: GitLabSite, project: Document, job: Document, environment: Document | None) -> list[Variable]:
    """Return the predefined variables of one job."""
    pairs: dict[str, Any] = {
        "CI_JOB_ID": job.get("id"),
        "CI_JOB_NAME": job["name"],
        "CI_JOB_NAME_SLUG": slug(job["name"]),
        "CI_JOB_STAGE": job["stage"],
        "CI_JOB_STATUS": "running",
        "CI_JOB_MANUAL": "true" if job["when"] == "manual" else None,
        "CI_JOB_URL": f"{site.url}/{project['full_path']}/-/jobs/{job.get('id')}",
        "CI_JOB_TIMEOUT": job["timeout"],
        "CI_NODE_TOTAL": 1,
    }
    if environment is not None:
        pairs |= {
            "CI_ENVIRONMENT_ID": environment["id"],
            "CI_ENVIRONMENT_NAME": environment["name"],
            "CI_ENVIRONMENT_SLUG": environment["slug"],
            "CI_ENVIRONMENT_TIER": environment["tier"],
            "CI_ENVIRONMENT_ACTION": job["environment_action"],
            "CI_ENVIRONMENT_URL": environment.get("external_url"),
        }
    return _made(pairs)


def all_of_job(
    site: GitLabSite, project: Document, pipeline: Document, job: Document, inherited: Iterable[Variable] = ()
) -> list[Variable]:
    """Return all variables of a job except its tokens, in rising precedence.

    `inherited` are those of the dotenv reports of earlier jobs.
    """
    found = site.store.get("environment", job["environment_id"]) if job.get("environment_id") else None
    name = found["name"] if found else None
    return [
        *of_pipeline(site, project, pipeline),
        *of_job(site, project, job, found),
        *of_yaml(job["variables"]),
        *inherited,
        *of_settings(site, project, protected=pipeline["protected"], environment=name),
        *given(site, pipeline),
    ]
