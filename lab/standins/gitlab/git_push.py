"""Rules for pushes to branches and tags: protections, roles, and GitLab's messages."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Final

from lab.standins.gitlab import access
from lab.standins.gitlab.actors import Actor
from lab.standins.gitlab.git import ZERO, BareRepository
from lab.standins.gitlab.repositories import Update, repositories
from lab.standins.gitlab.site import GitLabSite
from lab.standins.store import Document

HEADS: Final = "refs/heads/"
TAGS: Final = "refs/tags/"

NO_PUSH: Final = "You are not allowed to push code to this project."
_PROTECTED: Final = "You are not allowed to push code to protected branches on this project."
_CREATE: Final = "You are not allowed to create protected branches on this project."
_CREATE_WEB: Final = "You can only create protected branches using the web interface and API."
_FORCED: Final = "You are not allowed to force push code to a protected branch on this project."
_DELETE: Final = (
    "You are not allowed to delete protected branches from this project. "
    "Only a project maintainer or owner can delete a protected branch."
)
_DELETE_WEB: Final = "You can only delete protected branches using the web interface."
_DELETE_DEFAULT: Final = "The default branch of a project cannot be deleted."
_HEX: Final = "You cannot create a branch with a SHA-1 or SHA-256 branch name."
_TAG_HEX: Final = "You cannot create a tag with a SHA-1 or SHA-256 tag name."
_TAG_CHANGE: Final = "You are not allowed to change existing tags on this project."
_TAG_UPDATE: Final = "Protected tags cannot be updated."
_TAG_DELETE: Final = (
    "You are not allowed to delete protected tags from this project. "
    "Only a project maintainer or owner can delete a protected tag."
)
_TAG_DELETE_WEB: Final = "You can only delete protected tags using the web interface."
_TAG_CREATE: Final = "You are not allowed to create this tag as it is protected."
_TAG_DEFAULT: Final = "You cannot use default branch name to create a tag"


def protecting(site: GitLabSite, project: Document, kind: str, name: str) -> list[Document]:
    """Return the protections (`protected_branch`, `protected_tag`) of a name, also those with wildcards."""
    rules = site.store.find(kind, project_id=project["id"])
    return [rule for rule in rules if rule["name"] == name or _wild(rule["name"], name)]


def _wild(pattern: str, name: str) -> bool:
    if "*" not in pattern:
        return False
    return re.fullmatch(".*".join(re.escape(part) for part in pattern.split("*")), name, re.DOTALL) is not None


def ref_protected(site: GitLabSite, project: Document, ref: str) -> bool:
    """Whether a full ref is a protected branch or tag."""
    if ref.startswith(HEADS):
        return bool(protecting(site, project, "protected_branch", ref.removeprefix(HEADS)))
    if ref.startswith(TAGS):
        return bool(protecting(site, project, "protected_tag", ref.removeprefix(TAGS)))
    return False


def level(site: GitLabSite, actor: Actor | None, project: Document) -> int:
    """Return an actor's level for a project's code; a deploy token with write access is a developer."""
    if actor is not None and actor.kind == "deploy" and actor.may("write_repository"):
        own = access.project_level(site, actor, project)
        return access.DEVELOPER if own else access.NONE
    return access.project_level(site, actor, project)


def _allowed(site: GitLabSite, actor: Actor | None, project: Document, levels: Iterable[Document]) -> bool:
    """Whether one of a protection's access levels allows an actor."""
    own = level(site, actor, project)
    user = actor.user if actor is not None else None
    for one in levels:
        if one.get("user_id"):
            if user is not None and user["id"] == one["user_id"] and own >= access.DEVELOPER:
                return True
        elif one.get("group_id"):
            group = site.store.get("namespace", one["group_id"])
            member = user is not None and group is not None and access.user_group_level(site, user["id"], group)
            if member and own >= access.DEVELOPER:
                return True
        elif one.get("deploy_key_id"):
            continue
        elif (
            one["access_level"] != access.NONE
            and user is not None
            and own >= max(one["access_level"], access.DEVELOPER)
        ):
            return True
    return False


def can_push(site: GitLabSite, actor: Actor | None, project: Document, branch: str) -> bool:
    """Whether commits may be added to a branch."""
    rules = protecting(site, project, "protected_branch", branch)
    if not rules:
        return level(site, actor, project) >= access.DEVELOPER
    return any(_allowed(site, actor, project, rule["push_access_levels"]) for rule in rules)


def can_merge(site: GitLabSite, actor: Actor | None, project: Document, branch: str) -> bool:
    """Whether merge requests may be merged to a branch."""
    rules = protecting(site, project, "protected_branch", branch)
    if not rules:
        return level(site, actor, project) >= access.DEVELOPER
    return any(
        _allowed(site, actor, project, [*rule["merge_access_levels"], *rule["push_access_levels"]]) for rule in rules
    )


def can_run(site: GitLabSite, actor: Actor | None, project: Document, ref: str) -> bool:
    """Whether pipelines may be started, or scheduled, on a full ref."""
    if ref.startswith(TAGS):
        return can_tag(site, actor, project, ref.removeprefix(TAGS))
    branch = ref.removeprefix(HEADS)
    return can_push(site, actor, project, branch) or can_merge(site, actor, project, branch)


def can_tag(site: GitLabSite, actor: Actor | None, project: Document, tag: str) -> bool:
    """Whether a tag with this name may be created."""
    rules = protecting(site, project, "protected_tag", tag)
    if not rules:
        return level(site, actor, project) >= access.DEVELOPER
    return any(_allowed(site, actor, project, rule["create_access_levels"]) for rule in rules)


def verdicts(
    site: GitLabSite, actor: Actor, project: Document, repo: BareRepository, updates: Sequence[Update]
) -> list[tuple[Update, str, str]]:
    """Return for each ref of a push the refusals of a plain and of a forced push; an empty text allows it."""
    default = repositories(site).default_branch(project)
    empty = default is None
    return [(update, *_verdict(site, actor, project, update, default, empty, repo)) for update in updates]


def _verdict(
    site: GitLabSite,
    actor: Actor,
    project: Document,
    update: Update,
    default: str | None,
    empty: bool,
    repo: BareRepository,
) -> tuple[str, str]:
    if level(site, actor, project) < access.DEVELOPER:
        return NO_PUSH, NO_PUSH
    if update.ref.startswith(HEADS):
        return _branch(site, actor, project, update, default, empty)
    if update.ref.startswith(TAGS):
        refusal = _tag(site, actor, project, update, default, repo)
        return refusal, refusal
    return "", ""  # git hides other refs from a push


def _branch(
    site: GitLabSite, actor: Actor, project: Document, update: Update, default: str | None, empty: bool
) -> tuple[str, str]:
    name = update.ref.removeprefix(HEADS)
    if update.new == ZERO and name == default:
        return _DELETE_DEFAULT, _DELETE_DEFAULT
    if update.new != ZERO and re.match(r"[0-9a-f]{40}(-/|/|$)", name):
        return _HEX, _HEX
    rules = protecting(site, project, "protected_branch", name)
    if not rules:
        return "", ""
    refusal = ""
    if update.new == ZERO:
        refusal = _DELETE_WEB if level(site, actor, project) >= access.MAINTAINER else _DELETE
    elif not can_push(site, actor, project, name):
        creates = _CREATE_WEB if can_merge(site, actor, project, name) else _CREATE
        refusal = _PROTECTED if empty or update.old != ZERO else creates
    forced = refusal if all(rule.get("allow_force_push") for rule in rules) else _FORCED
    return refusal, forced


def _tag(
    site: GitLabSite, actor: Actor, project: Document, update: Update, default: str | None, repo: BareRepository
) -> str:
    name = update.ref.removeprefix(TAGS)
    own = level(site, actor, project)
    exists = repo.ref(update.ref) is not None
    if exists and own < access.MAINTAINER:
        return _TAG_CHANGE
    if not exists and name == default:
        return _TAG_DEFAULT
    if update.new != ZERO and re.match(r"[0-9a-f]{40}", name):
        return _TAG_HEX
    if not protecting(site, project, "protected_tag", name):
        return ""
    if exists and update.new != ZERO:
        return _TAG_UPDATE
    if update.new == ZERO:
        return _TAG_DELETE_WEB if own >= access.MAINTAINER else _TAG_DELETE
    return "" if can_tag(site, actor, project, name) else _TAG_CREATE
