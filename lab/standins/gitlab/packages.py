"""Packages of projects: storage, lookup, and package protection rules."""

from __future__ import annotations

import hashlib
import re
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Final

from lab.standins.gitlab import access
from lab.standins.gitlab.actors import Actor
from lab.standins.gitlab.errors import forbidden, not_found, unauthorized
from lab.standins.gitlab.site import GitLabSite, now
from lab.standins.store import Document

#: Types for which a protection rule can exist (18.3: the flags of generic, nuget and helm are gone).
PROTECTABLE: Final = ("conan", "generic", "helm", "maven", "npm", "nuget", "pypi")
PUSH_LEVELS: Final = {"maintainer": access.MAINTAINER, "owner": access.OWNER, "admin": access.ADMIN}
DELETE_LEVELS: Final = {"owner": access.OWNER, "admin": access.ADMIN}
READS: Final = frozenset({"read_package_registry", "write_package_registry"})
WRITES: Final = frozenset({"write_package_registry"})
_CHUNK: Final = 2**20


@dataclass(frozen=True, slots=True)
class Upload:
    """A received file, with the digests that GitLab stores."""

    content: IO[bytes]
    size: int
    md5: str
    sha1: str
    sha256: str


@contextmanager
def received(chunks: Iterator[bytes]) -> Iterator[Upload]:
    """Write a body to a temporary file and compute its digests."""
    digests = hashlib.md5(usedforsecurity=False), hashlib.sha1(usedforsecurity=False), hashlib.sha256()
    size = 0
    with tempfile.SpooledTemporaryFile(_CHUNK) as file:
        for chunk in chunks:
            file.write(chunk)
            size += len(chunk)
            for one in digests:
                one.update(chunk)
        file.seek(0)
        yield Upload(file, size, *(one.hexdigest() for one in digests))


# Access ---------------------------------------------------------------------------------------------------------------


def level(site: GitLabSite, actor: Actor | None, project: Document) -> int:
    """Return the level by which an actor uses the package registry of a project.

    A deploy token needs a scope of the registry: with `read_package_registry` it reads like a reporter, with
    `write_package_registry` it also publishes like a developer.
    """
    if actor is not None and actor.user is None:
        own = access.project_level(site, actor, project) > access.NONE
        if not own or not actor.may(*READS):
            return access.NONE
        return access.DEVELOPER if actor.may(*WRITES) else access.REPORTER
    return access.project_level(site, actor, project)


def _switched_off(project: Document) -> bool:
    return bool(project.get("package_registry_access_level") == "disabled")


def _outside(site: GitLabSite, actor: Actor | None, project: Document) -> bool:
    """Whether a project is invisible to an actor."""
    if not access.accepts_token(site, actor, project):
        return True
    if actor is not None and actor.user is None:
        return project["visibility"] == "private" and level(site, actor, project) == access.NONE
    return not access.sees_project(site, actor, project)


def readable(site: GitLabSite, actor: Actor | None, id_: str) -> Document:
    """Return a project whose packages an actor may read.

    As in `user_project_with_read_package`: 404 if the project is not visible, also to a job token that is not in its
    list; 401 instead without a token; 403 if it is visible without packages.
    """
    project = access.find_project(site, id_)
    if project is None or _outside(site, actor, project):
        raise unauthorized() if actor is None else not_found("Project")
    if not reads(site, actor, project):
        raise unauthorized() if actor is None else forbidden()
    return project


def reads(site: GitLabSite, actor: Actor | None, project: Document, *, listed: bool = True) -> bool:
    """Whether an actor may read the packages of a project; without `listed`, whatever the list of job tokens has."""
    if _switched_off(project) or (listed and _outside(site, actor, project)):
        return False
    anyone = project["visibility"] == "public" and project.get("package_registry_access_level") != "private"
    return bool(anyone) or level(site, actor, project) >= access.REPORTER


def writable(site: GitLabSite, actor: Actor | None, id_: str) -> Document:
    """Return a project in which an actor may publish.

    A job token that is not in the project's list gets 403 with the reason (`handle_job_token_failure!`), if its user
    sees the project; everyone else who does not see it gets 404.
    """
    if actor is None:
        raise unauthorized()
    project = access.find_project(site, id_)
    if project is not None and not access.accepts_token(site, actor, project):
        source = site.store.get("project", actor.project_id or 0) or {"full_path": ""}
        raise forbidden(
            f"Authentication by CI/CD job token not allowed from {source['full_path']} to {project['full_path']}."
        )
    if project is None or _outside(site, actor, project):
        raise not_found("Project")
    if _switched_off(project) or level(site, actor, project) < access.DEVELOPER or project.get("archived"):
        raise forbidden()
    return project


def rule_for(
    site: GitLabSite, actor: Actor | None, project: Document, kind: str, name: str, action: str
) -> Document | None:
    """Return a rule that keeps an actor from `push` or `delete` of a package; None if there is none.

    Administrators pass every rule, but a job never is one. A deploy token passes none, at whatever level.
    """
    if actor is None or actor.admin:
        return None
    mine = access.ADMIN if actor.user is None else access.project_level(site, actor, project)
    for rule in site.store.find("package_rule", project_id=project["id"], package_type=kind):
        wanted = PUSH_LEVELS.get(rule[f"minimum_access_level_for_{action}"] or "", access.NONE)
        if _matches(rule["package_name_pattern"], name) and (actor.user is None or mine < wanted):
            return rule
    return None


def protect(site: GitLabSite, actor: Actor | None, project: Document, kind: str, name: str) -> None:
    """Raise 403 if a rule keeps an actor from publishing a package."""
    if rule_for(site, actor, project, kind, name, "push"):
        raise forbidden("Package protected.")


def _matches(pattern: str, name: str) -> bool:
    """Whether a pattern matches a name, as ILIKE does: `*` stands for any text."""
    expression = ".*".join(map(re.escape, pattern.split("*")))
    return re.fullmatch(expression, name, re.IGNORECASE | re.DOTALL) is not None


# Storage --------------------------------------------------------------------------------------------------------------


def find(site: GitLabSite, project: Document, kind: str, name: str, version: str | None) -> Document | None:
    """Return a package, None if it does not exist."""
    return site.store.first("package", project_id=project["id"], package_type=kind, name=name, version=version)


def ensure(
    site: GitLabSite, actor: Actor | None, project: Document, kind: str, name: str, version: str | None
) -> Document:
    """Return a package, which is created if it does not exist."""
    found = find(site, project, kind, name, version)
    if found is not None:
        return found
    job = actor.job if actor else None
    return site.store.add(
        "package",
        {
            "project_id": project["id"],
            "package_type": kind,
            "name": name,
            "version": version,
            "created_at": now(),
            "creator_id": actor.user["id"] if actor and actor.user else None,
            "pipeline_id": job["pipeline_id"] if job else None,
            "tags": [],
        },
    )


def files(site: GitLabSite, package: Document) -> list[Document]:
    """Return the files of a package, oldest first."""
    return site.store.find("package_file", package_id=package["id"])


def latest_file(site: GitLabSite, package: Document, name: str) -> Document | None:
    """Return the newest file of a name: a duplicate replaces the earlier one for its readers."""
    found = [one for one in files(site, package) if one["file_name"] == name]
    return found[-1] if found else None


def add_file(site: GitLabSite, package: Document, name: str, upload: Upload, **more: object) -> Document:
    """Store a file of a package."""
    kept = site.store.add(
        "package_file",
        {
            "package_id": package["id"],
            "project_id": package["project_id"],
            "file_name": name,
            "size": upload.size,
            "md5": upload.md5,
            "sha1": upload.sha1,
            "sha256": upload.sha256,
            "created_at": now(),
            **more,
        },
    )
    where = path_of(site, kept)
    where.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with where.open("wb") as file:
        while chunk := upload.content.read(_CHUNK):
            file.write(chunk)
    return kept


def path_of(site: GitLabSite, file: Document) -> Path:
    """Return where a file's content is."""
    return site.data / "packages" / str(file["id"])


def remove(site: GitLabSite, package: Document) -> None:
    """Delete a package with its files."""
    for file in files(site, package):
        remove_file(site, file)
    site.store.remove("package", package["id"])


def remove_file(site: GitLabSite, file: Document) -> None:
    """Delete a file of a package."""
    site.store.remove("package_file", file["id"])
    path_of(site, file).unlink(missing_ok=True)


def install(site: GitLabSite) -> None:
    """Delete the packages of a project with the project."""

    def forget(_: GitLabSite, project: Document) -> None:
        for package in site.store.find("package", project_id=project["id"]):
            remove(site, package)
        for rule in site.store.find("package_rule", project_id=project["id"]):
            site.store.remove("package_rule", rule["id"])

    site.removing.append(forget)


def of_group(site: GitLabSite, actor: Actor | None, group: Document, kind: str) -> list[Document]:
    """Return the packages of a type in all projects of a group that an actor may read, oldest first.

    As in GitLab's finders, levels decide and not the lists of job tokens: the caller checks these, where GitLab does.
    """
    prefix = group["route"] + "/"
    inside = [one for one in site.store.find("project") if one["route"].startswith(prefix)]
    seen = {one["id"] for one in inside if reads(site, actor, one, listed=False)}
    return [one for one in site.store.find("package", package_type=kind) if one["project_id"] in seen]
