"""Refs, merges and pipelines of merge requests."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from lab.standins.gitlab import access, ci_pipelines, git_push
from lab.standins.gitlab.actors import Actor
from lab.standins.gitlab.ci_pipelines import NoPipelineError, PipelineRequest
from lab.standins.gitlab.git import ZERO, RepositoryError
from lab.standins.gitlab.git_push import HEADS
from lab.standins.gitlab.repositories import Update, last, listeners, notify, person, repository
from lab.standins.gitlab.site import GitLabSite, now
from lab.standins.store import Document


def install(site: GitLabSite) -> None:
    """Register for pushes to source branches. Merge requests are updated before branches get their pipelines."""
    site.removing.append(_removing)
    site.settled.append(_settled)
    if _pushed not in listeners:
        listeners.insert(0, _pushed)


def refresh(site: GitLabSite, one: Document) -> Document:
    """Update a merge request and its ref to the current source branch. Returns it."""
    source = site.store.get("project", one["source_project_id"])
    target = site.store.get("project", one["target_project_id"])
    sha = repository(site, source).ref(HEADS + one["source_branch"]) if source is not None else None
    if target is None or source is None or sha is None:
        return one
    repo, ref = repository(site, target), f"refs/merge-requests/{one['iid']}/head"
    if source["id"] != target["id"]:
        repo.fetch(repository(site, source), f"+{HEADS}{one['source_branch']}:{ref}")
    else:
        repo.update(ref, sha)
    changed = {**one, "sha": sha}
    site.store.put("merge_request", changed)
    return changed


def base_of(site: GitLabSite, one: Document) -> str | None:
    """Return the merge base of target and source, or the one at the time of the merge."""
    if one["base_sha"]:
        return str(one["base_sha"])
    target = site.store.get("project", one["target_project_id"])
    head = repository(site, target).ref(HEADS + one["target_branch"]) if target is not None else None
    if target is None or head is None or not one["sha"]:
        return None
    return repository(site, target).merge_base(head, one["sha"])


def can_merge_now(site: GitLabSite, one: Document) -> tuple[bool, str]:
    """Return whether it can be merged, and its detailed status."""
    if one["state"] != "opened":
        return False, "not_open"
    target = site.store.get("project", one["target_project_id"])
    repo = repository(site, target) if target is not None else None
    head = repo.ref(HEADS + one["target_branch"]) if repo is not None else None
    if target is None or repo is None or head is None or not one["sha"]:
        return False, "commits_status"
    if one["draft"]:
        return False, "draft_status"
    found = pipelines_of(site, one)
    if target.get("only_allow_merge_if_pipeline_succeeds"):
        good = {"success", "skipped"} if target.get("allow_merge_on_skipped_pipeline") else {"success"}
        if not found or found[-1]["status"] not in good:
            return False, "ci_must_pass"
    if site.premium:
        rules = site.store.find("approval_rule", project_id=target["id"])
        wanted = max((int(rule.get("approvals_required") or 0) for rule in rules), default=0)
        if len(one["approved_by_ids"]) < wanted:
            return False, "not_approved"
    if target.get("merge_method") == "ff" and not repo.is_ancestor(head, one["sha"]):
        return False, "need_rebase"
    return (True, "mergeable") if repo.merge_tree(head, one["sha"]) else (False, "conflict")


def merge(
    site: GitLabSite, one: Document, user: Document, *, squash: bool, message: str | None
) -> tuple[Document, Sequence[Update]]:
    """Merge it with its project's method. Returns it and the updated refs; raises RepositoryError on a conflict."""
    target = site.store.get("project", one["target_project_id"])
    assert target is not None  # noqa: S101 - found through it
    repo, ref = repository(site, target), HEADS + one["target_branch"]
    head, base, sha = repo.ref(ref), base_of(site, one), str(one["sha"])
    tree = repo.merge_tree(head, sha) if head else None
    if head is None or tree is None:
        raise RepositoryError("conflict")
    who, squashed, merged = person(user), None, None
    if squash:
        author = last(repo, sha)
        squashed = repo.write_commit(tree, [head], message or one["title"], author.author if author else who, who)
    tip = squashed or sha
    if target.get("merge_method") != "ff":
        source = one["source_branch"]
        default = f"Merge branch '{source}' into '{one['target_branch']}'\n\n{one['title']}\n"
        text = default if squash or not message else message
        merged = repo.write_commit(tree, [head, tip], text, who, who)
    new = merged or tip
    repo.update(ref, new, head)
    changed = {
        **one,
        "state": "merged",
        "merged_at": now(),
        "updated_at": now(),
        "merged_by_id": user["id"],
        "merge_commit_sha": merged,
        "squash_commit_sha": squashed,
        "base_sha": base,
    }
    site.store.put("merge_request", changed)
    return changed, [Update(ref, head, new)]


def complete(site: GitLabSite, one: Document, user: Document, wish: Mapping[str, Any]) -> Document:
    """Merge it as a user wishes, and remove its branch. Returns it; raises RepositoryError on a conflict."""
    merged, updates = merge(site, one, user, squash=wish["squash"], message=wish["message"])
    target = site.store.get("project", one["target_project_id"])
    assert target is not None  # noqa: S101 - found through it
    notify(site, target, user, updates)
    if wish["remove"]:
        _remove_source(site, merged, user)
    return site.store.get("merge_request", one["id"]) or merged


def _remove_source(site: GitLabSite, one: Document, user: Document) -> None:
    source, actor = site.store.get("project", one["source_project_id"]), ci_pipelines.acting(user)
    branch = one["source_branch"]
    if source is None or git_push.protecting(site, source, "protected_branch", branch):
        return
    if not git_push.can_push(site, actor, source, branch) or branch == source["default_branch"]:
        return
    repo = repository(site, source)
    sha = repo.ref(HEADS + branch)
    if sha is not None:
        repo.update(HEADS + branch, ZERO, sha)
        notify(site, source, user, [Update(HEADS + branch, sha, ZERO)])


def _settled(site: GitLabSite, pipeline: Document) -> None:
    """Merge a merge request with auto-merge, once its newest pipeline has succeeded."""
    if pipeline["status"] != "success":
        return
    for one in site.store.find("merge_request", sha=pipeline["sha"], state="opened"):
        wish, project = one.get("auto_merge"), site.store.get("project", one["target_project_id"])
        if (
            wish is None
            or project is None
            or [known["id"] for known in pipelines_of(site, one)[-1:]] != [pipeline["id"]]
        ):
            continue
        user = site.store.get("user", wish["user_id"])
        if user is None or not git_push.can_merge(site, ci_pipelines.acting(user), project, one["target_branch"]):
            continue
        if can_merge_now(site, one)[0]:
            complete(site, one, user, wish)


def pipelines_of(site: GitLabSite, one: Document) -> list[Document]:
    """Return its pipelines, and those of its source branch for the current commit, by id."""
    own = site.store.find("pipeline", merge_request_id=one["id"])
    branch = site.store.find(
        "pipeline", project_id=one["source_project_id"], ref=one["source_branch"], sha=one["sha"], tag=False
    )
    found = {
        pipeline["id"]: pipeline for pipeline in [*own, *branch] if pipeline["merge_request_id"] in {None, one["id"]}
    }
    return [found[id_] for id_ in sorted(found)]


def run_pipeline(
    site: GitLabSite, one: Document, actor: Actor, *, keep_errors: bool = True, strict: bool = False
) -> Document | None:
    """Run a pipeline of a merge request: in the target project if the user may do so, else in the source project.

    Returns None if nothing runs; with `strict`, raises NoPipelineError instead.
    """
    source = site.store.get("project", one["source_project_id"])
    target = site.store.get("project", one["target_project_id"])
    if source is None or target is None or not one["sha"]:
        return None
    forked = source["id"] != target["id"]
    allowed = not forked or target.get("ci_allow_fork_pipelines_to_run_in_parent_project", True)
    if allowed and access.project_level(site, actor, target) >= access.DEVELOPER:
        project, ref = target, f"refs/merge-requests/{one['iid']}/head"
    else:
        project, ref = source, HEADS + one["source_branch"]
    wanted = PipelineRequest(
        "merge_request_event", ref, one["sha"], actor, keep_errors=keep_errors, merge_request=one, heed_skip=not strict
    )
    try:
        return ci_pipelines.create(site, project, wanted)
    except NoPipelineError:
        if strict:
            raise
        return None


def _pushed(
    site: GitLabSite, project: Document, user: Document | None, updates: Sequence[Update], options: Sequence[str]
) -> None:
    for update in updates:
        if not update.ref.startswith(HEADS):
            continue
        branch = update.ref.removeprefix(HEADS)
        of_source = site.store.find(
            "merge_request", source_project_id=project["id"], source_branch=branch, state="opened"
        )
        for one in of_source:
            if update.new == ZERO:
                continue
            fresh = refresh(site, {**one, "approved_by_ids": [], "auto_merge": None, "updated_at": now()})
            if user is not None and not {"ci.skip", "ci.no_pipeline"} & set(options):
                run_pipeline(site, fresh, ci_pipelines.acting(user))
        _merged_by_push(site, project, branch, update, user)


def _merged_by_push(site: GitLabSite, project: Document, branch: str, update: Update, user: Document | None) -> None:
    """Mark a merge request as merged if a push brought its commits to the target."""
    if ZERO in {update.new, update.old}:
        return
    repo = repository(site, project)
    for one in site.store.find("merge_request", target_project_id=project["id"], target_branch=branch, state="opened"):
        if one["sha"] and repo.is_ancestor(one["sha"], update.new) and not repo.is_ancestor(one["sha"], update.old):
            content = {"state": "merged", "merged_at": now(), "updated_at": now(), "base_sha": update.old}
            site.store.put("merge_request", {**one, **content, "merged_by_id": user["id"] if user else None})


def _removing(site: GitLabSite, project: Document) -> None:
    """Delete the issues and merge requests of a deleted project."""
    kinds = ("issue", "note", "trigger", "commit_status")
    for kind, field in (*((kind, "project_id") for kind in kinds), ("merge_request", "target_project_id")):
        for one in site.store.find(kind, **{field: project["id"]}):
            site.store.remove(kind, one["id"])
