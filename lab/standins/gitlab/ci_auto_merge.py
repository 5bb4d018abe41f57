"""Merge requests that GitLab merges by itself as soon as their pipeline has succeeded.

A person who may merge sets this while the pipeline runs. A push to the source branch takes it back.
"""

from __future__ import annotations

from collections.abc import Sequence

from lab.standins.gitlab import ci_merge_requests, git_push
from lab.standins.gitlab.ci_pipelines import acting
from lab.standins.gitlab.git import ZERO, RepositoryError
from lab.standins.gitlab.git_push import HEADS
from lab.standins.gitlab.repositories import Update, listeners, notify, repository
from lab.standins.gitlab.site import GitLabSite
from lab.standins.store import Document

_ACTIVE = frozenset({"created", "waiting_for_resource", "preparing", "pending", "running"})
_KEY = "auto_merge_user_id"


def install(site: GitLabSite) -> None:
    """Register for pipelines that end, and for pushes."""
    site.settled.append(_settled)
    if _pushed not in listeners:
        listeners.append(_pushed)


def possible(site: GitLabSite, one: Document) -> bool:
    """Whether a merge request's pipeline still runs, so that its end can be awaited."""
    found = ci_merge_requests.pipelines_of(site, one)
    return bool(found) and found[-1]["status"] in _ACTIVE


def set_by(site: GitLabSite, one: Document, user: Document) -> Document:
    """Let a merge request be merged by this user once its pipeline has succeeded. Returns it."""
    changed = {**one, _KEY: user["id"]}
    site.store.put("merge_request", changed)
    return changed


def is_set(one: Document) -> bool:
    """Whether a merge request is merged by itself."""
    return one["state"] == "opened" and one.get(_KEY) is not None


def _settled(site: GitLabSite, pipeline: Document) -> None:
    one = site.store.get("merge_request", pipeline["merge_request_id"] or 0)
    if pipeline["status"] != "success" or one is None or not is_set(one):
        return
    user = site.store.get("user", one[_KEY])
    target = site.store.get("project", one["target_project_id"])
    if user is None or target is None:
        return
    allowed = git_push.can_merge(site, acting(user), target, one["target_branch"])
    if not allowed or not ci_merge_requests.can_merge_now(site, one)[0]:
        return
    try:
        merged, updates = ci_merge_requests.merge(site, one, user, squash=bool(one["squash"]), message=None)
    except RepositoryError:
        return
    notify(site, target, user, updates)
    if merged["remove_source_branch"]:
        remove_source(site, merged, user)


def remove_source(site: GitLabSite, one: Document, user: Document) -> None:
    """Delete the source branch of a merged request, if it is not protected and the user may push to it."""
    source, branch = site.store.get("project", one["source_project_id"]), one["source_branch"]
    if source is None or git_push.protecting(site, source, "protected_branch", branch):
        return
    if not git_push.can_push(site, acting(user), source, branch) or branch == source["default_branch"]:
        return
    repo = repository(site, source)
    sha = repo.ref(HEADS + branch)
    if sha is not None:
        repo.update(HEADS + branch, ZERO, sha)
        notify(site, source, user, [Update(HEADS + branch, sha, ZERO)])


def _pushed(
    site: GitLabSite, project: Document, _user: Document | None, updates: Sequence[Update], _options: Sequence[str]
) -> None:
    for update in updates:
        branch = update.ref.removeprefix(HEADS)
        found = site.store.find("merge_request", source_project_id=project["id"], source_branch=branch, state="opened")
        for one in found:
            if is_set(one):
                site.store.put("merge_request", {**one, _KEY: None})
