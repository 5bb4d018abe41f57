"""Environments that jobs create."""

from __future__ import annotations

from typing import Final

from lab.standins.gitlab.api_environments import _TIERS, slug
from lab.standins.gitlab.site import GitLabSite, now
from lab.standins.store import Document

OTHER: Final = "other"


def finished(site: GitLabSite, job: Document) -> None:
    """Change the state of a job's environment: a deployment makes it available, the job that stops it stops it."""
    environment = site.store.get("environment", job["environment_id"] or 0)
    states = {"start": "available", "stop": "stopped"}
    state = states.get(job["environment_action"])
    if environment is not None and state is not None and job["status"] == "success":
        site.store.put("environment", {**environment, "state": state, "updated_at": now()})


def add(site: GitLabSite, project: Document, name: str, *, tier: str | None, url: str | None) -> Document:
    """Add an environment to a project; without a tier, its name determines the tier."""
    moment = now()
    return site.store.add(
        "environment",
        {
            "project_id": project["id"],
            "name": name,
            "slug": slug(name),
            "state": "available",
            "external_url": url,
            "description": None,
            "kubernetes_namespace": None,
            "flux_resource_path": None,
            "auto_stop_setting": "always",
            "auto_stop_at": None,
            "tier": tier or next((known for known, pattern in _TIERS if pattern.search(name)), OTHER),
            "created_at": moment,
            "updated_at": moment,
        },
    )
