"""Options of a push that create or update a merge request: `merge_request.create`, `.title` and others.

A refusal does not decline the push: git shows it as a warning of the server.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from lab.standins.gitlab import access
from lab.standins.gitlab.actors import Actor
from lab.standins.gitlab.ci_merge_requests import add, refresh
from lab.standins.gitlab.git import ZERO
from lab.standins.gitlab.git_push import HEADS
from lab.standins.gitlab.repositories import Update, repositories, repository
from lab.standins.gitlab.site import GitLabSite, now
from lab.standins.store import Document

_LIMIT: Final = 10
_NAMESPACES: Final = ("merge_request.", "mr.")
_KEYS: Final = frozenset({"create", "target", "title", "description", "draft", "remove_source_branch"})
#: Options of GitLab that the stand-in refuses by name, because it does not do what they ask for.
_UNSUPPORTED: Final = frozenset(
    {"assign", "label", "merge_when_pipeline_succeeds", "milestone", "target_project", "unassign", "unlabel"}
)


def answer(site: GitLabSite, project: Document, actor: Actor, updates: Sequence[Update], options: Sequence[str]) -> str:
    """Create or update the merge requests that the options ask for. Returns what git shows after the push."""
    wanted = _parsed(options)
    branches = [
        update.ref.removeprefix(HEADS) for update in updates if update.ref.startswith(HEADS) and update.new != ZERO
    ]
    branches = [branch for branch in branches if branch != repositories(site).default_branch(project)]
    said = ""
    if wanted:
        errors = _errors(site, project, branches, wanted)
        if not errors:
            errors = [error for branch in branches if (error := _one(site, project, actor, branch, wanted))]
        if errors:
            given = " ".join(f"'{option}'" for option in options)
            said = f"WARNINGS:\nError encountered with push options {given}: " + "\n\n".join(errors) + "\n\n"
    for branch in branches:
        if (one := _open(site, project, branch)) is not None:
            link = f"{site.url}/{project['full_path']}/-/merge_requests/{one['iid']}"
            said += f"View merge request for {branch}:\n  {link}\n\n"
    return said


def _parsed(options: Sequence[str]) -> dict[str, str]:
    found = {}
    for option in options:
        for namespace in _NAMESPACES:
            key, _, value = option.removeprefix(namespace).partition("=")
            if option.startswith(namespace) and key.strip() in _KEYS | _UNSUPPORTED:
                found[key.strip()] = value.strip()
    return found


def _errors(site: GitLabSite, project: Document, branches: Sequence[str], wanted: dict[str, str]) -> list[str]:
    errors = [f"The stand-in does not support merge_request.{key}" for key in sorted(_UNSUPPORTED & set(wanted))]
    if len(branches) > _LIMIT:
        errors.append(f"Too many branches pushed ({len(branches)} were pushed, limit is {_LIMIT})")
    target = wanted.get("target")
    if target and repository(site, project).ref(HEADS + target) is None:
        errors.append(f"Target branch {project['full_path']}:{target} does not exist")
    return errors


def _open(site: GitLabSite, project: Document, branch: str) -> Document | None:
    key = {"source_project_id": project["id"], "target_project_id": project["id"], "state": "opened"}
    return site.store.first("merge_request", **key, source_branch=branch)


def _one(site: GitLabSite, project: Document, actor: Actor, branch: str, wanted: dict[str, str]) -> str:
    """Create or update the merge request of one branch; return what is wrong."""
    if actor.user is None or access.project_level(site, actor, project) < access.DEVELOPER:
        return "User access was denied"
    changes: Document = {}
    if wanted.get("title"):
        changes["title"] = wanted["title"]
    if "description" in wanted:
        changes["description"] = wanted["description"].replace("\\n", "\n")
    if "remove_source_branch" in wanted:
        changes["remove_source_branch"] = True
    if wanted.get("target"):
        changes["target_branch"] = wanted["target"]
    if "draft" in wanted:
        changes["draft"] = True
    if (known := _open(site, project, branch)) is not None:
        changed = {**known, **changes, "updated_at": now()}
        site.store.put("merge_request", changed)
        refresh(site, changed)
        return ""
    if "create" not in wanted:
        return f"A merge_request.create push option is required to create a merge request for branch {branch}"
    head = repository(site, project).ref(HEADS + branch)
    default = repositories(site).default_branch(project)
    commit = repository(site, project).commit(head) if head else None
    title = commit.message.partition("\n")[0] if commit else branch
    content = {"title": title, "target_branch": default, "assignee_ids": [actor.user["id"]], **changes}
    add(site, actor, {**content, "source_branch": branch, "source_project_id": project["id"], "sha": head}, project)
    return ""
