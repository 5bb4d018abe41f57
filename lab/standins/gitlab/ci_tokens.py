"""Tokens of a running job: its job token, and the ID tokens of its `id_tokens`."""

from __future__ import annotations

import secrets
import time
import uuid
from collections.abc import Sequence
from typing import Any, Final

from lab.standins.gitlab import access, identity
from lab.standins.gitlab.actors import Actor
from lab.standins.gitlab.site import GitLabSite, digest
from lab.standins.store import Document

_BEFORE: Final = 5
_NAMES: Final = {
    access.GUEST: "guest",
    access.PLANNER: "planner",
    access.REPORTER: "reporter",
    access.DEVELOPER: "developer",
    access.MAINTAINER: "maintainer",
    access.OWNER: "owner",
}


def install(site: GitLabSite) -> None:
    """Register the function that resolves job tokens."""
    site.token_kinds.append(actor)


def issue() -> str:
    """Return a new job token."""
    return f"glcbt-{secrets.token_hex(2)}_{secrets.token_urlsafe(20)}"


def actor(site: GitLabSite, secret: str) -> Actor | None:
    """Return the actor of a job token, while the job runs."""
    job = site.store.first("job", token_digest=digest(secret))
    if job is None or job["status"] != "running":
        return None
    user = site.store.get("user", job["user_id"])
    if user is None or user["state"] != "active":
        return None
    return Actor("job", frozenset(), user, project_id=job["project_id"], job=job)


def identity_token(
    site: GitLabSite, job: Document, pipeline: Document, audience: str | list[str], components: Sequence[str] = ()
) -> str:
    """Return a JWT with a job's claims, valid until the job's timeout.

    In a merge request from a fork, the project claims are the fork's, as in GitLab; `job_project_*` are those of the
    project in which the job runs.
    """
    project = _project(site, pipeline["project_id"])
    source = _project(site, pipeline.get("source_project_id") or pipeline["project_id"])
    moment = int(time.time())
    ref, kind = pipeline["ref"], "tag" if pipeline["tag"] else "branch"
    custom = {"project_path": source["full_path"], "ref_type": kind, "ref": ref}
    wanted = [name for name in components or custom if name in custom]
    claims: dict[str, Any] = {
        "iss": site.url,
        "sub": ":".join(f"{name}:{custom[name]}" for name in wanted),
        "aud": audience,
        "iat": moment,
        "nbf": moment - _BEFORE,
        "exp": moment + job["timeout"],
        "jti": str(uuid.uuid4()),
        **_project_claims(site, source, ""),
        **_user_claims(site, source, job["user_id"]),
        **_project_claims(site, project, "job_"),
        "pipeline_id": str(pipeline["id"]),
        "pipeline_source": pipeline["source"],
        "job_id": str(job["id"]),
        "ref": ref,
        "ref_type": kind,
        "ref_path": f"refs/{'tags' if pipeline['tag'] else 'heads'}/{ref}",
        "ref_protected": "true" if pipeline["protected"] else "false",
        "runner_id": job["runner_id"],
        "runner_environment": "self-hosted",
        "sha": pipeline["sha"],
        "project_visibility": project["visibility"],
        **_environment_claims(site, job),
        **({"ci_config_ref_uri": pipeline["config_ref_uri"]} if pipeline.get("config_ref_uri") else {}),
        **({"ci_config_sha": pipeline["config_sha"]} if pipeline.get("config_ref_uri") else {}),
    }
    return identity.sign(site, claims)


def _project(site: GitLabSite, id_: int) -> Document:
    found = site.store.get("project", id_)
    if found is None:
        raise LookupError(f"no project {id_}")
    return found


def _project_claims(site: GitLabSite, project: Document, prefix: str) -> dict[str, str]:
    space = access.namespace(site, project)
    return {
        f"{prefix}namespace_id": str(space["id"]),
        f"{prefix}namespace_path": space["full_path"],
        f"{prefix}project_id": str(project["id"]),
        f"{prefix}project_path": project["full_path"],
    }


def _user_claims(site: GitLabSite, project: Document, user_id: int) -> dict[str, Any]:
    user = site.store.get("user", user_id)
    if user is None:
        return {"user_id": "", "user_login": None, "user_email": None, "user_access_level": None}
    level = access.user_project_level(site, user["id"], project)
    claims: dict[str, Any] = {
        "user_id": str(user["id"]),
        "user_login": user["username"],
        "user_email": user["email"],
        "user_access_level": _NAMES.get(level),
    }
    if user.get("pass_user_identities_to_ci_jwt"):
        claims["user_identities"] = [
            {"provider": one["provider"], "extern_uid": one["extern_uid"]} for one in user.get("identities", [])
        ]
    if site.options.get("ci_jwt_groups_direct"):
        memberships = site.store.find("member", source_type="group", user_id=user["id"])
        groups = [site.store.get("namespace", one["source_id"]) for one in memberships]
        claims["groups_direct"] = sorted(group["full_path"] for group in groups if group is not None)
    return claims


def _environment_claims(site: GitLabSite, job: Document) -> dict[str, str]:
    found = site.store.get("environment", job["environment_id"]) if job.get("environment_id") else None
    if found is None:
        return {}
    protected = site.premium and site.store.first(
        "protected_environment", project_id=job["project_id"], name=found["name"]
    )
    return {
        "environment": found["name"],
        "environment_protected": "true" if protected else "false",
        "deployment_tier": found["tier"],
        "environment_action": job["environment_action"],
    }
