"""Repositories, artifacts and tags that were pushed through `/v2/`."""

from __future__ import annotations

from typing import Annotated, Any, Final
from urllib.parse import unquote

from fastapi import Depends, Path
from starlette.responses import JSONResponse, Response

from lab.standins.harbor import accessories, artifacts, errors, scanning
from lab.standins.harbor.call import Asking, HarborCall, HarborRouter, Pages, done
from lab.standins.needs import Need, needed_by
from lab.standins.store import Document

router: Final = HarborRouter(tags=["repository", "artifact"])

_BASE: Final = "/projects/{project_name}/repositories"
_REPOSITORY: Final = _BASE + "/{repository_name}"
_ARTIFACT: Final = _REPOSITORY + "/artifacts/{reference}"


def _repository_name(repository_name: str) -> str:
    # Slashes are encoded twice: the server decodes one level, and Harbor the other.
    return unquote(repository_name)


Name = Annotated[str, Path(max_length=255)]
RepositoryName = Annotated[str, Depends(_repository_name)]


def shown_repository(call: HarborCall, repo: Document) -> dict[str, Any]:
    """Return a repository as shown in the API."""
    return {
        "id": repo["id"],
        "project_id": repo["project_id"],
        "name": repo["name"],
        "artifact_count": sum(
            accessories.kind(call.site, artifact) is None
            for artifact in call.store.find("artifact", repository_id=repo["id"])
        ),
        "pull_count": repo["pull_count"],
        "creation_time": repo["created"],
        "update_time": repo["updated"],
    }


def shown_tag(call: HarborCall, tag: Document, name: str) -> dict[str, Any]:
    """Return a tag of the repository `name` as shown in the API."""
    body = {key: tag[key] for key in ("id", "repository_id", "artifact_id", "name", "push_time", "pull_time")}
    return {**body, "immutable": artifacts.immutable(call.site, tag["project_id"], name, tag["name"])}


def shown_artifact(call: HarborCall, artifact: Document, *, tags: bool, overview: bool) -> dict[str, Any]:
    """Return an artifact as shown in the API."""
    left_out = ("blobs", "report", "manifest_size")
    body = {key: value for key, value in artifact.items() if key not in left_out and value not in ("", [], {})}
    place = f"/api/v2.0/projects/{artifact['repository_name'].partition('/')[0]}/repositories"
    name = artifacts.short_name(artifact["repository_name"]).replace("/", "%252F")
    href = f"{place}/{name}/artifacts/{artifact['digest']}/additions/vulnerabilities"
    body["addition_links"] = {"vulnerabilities": {"absolute": False, "href": href}}
    attached = accessories.of(call.site, artifact["repository_id"], artifact["digest"])
    body["accessories"] = [accessories.shown(accessory, artifact) for accessory in attached] or None
    if tags:
        found = artifacts.tags_of(call.site, artifact)
        body["tags"] = [shown_tag(call, tag, artifact["repository_name"]) for tag in found] or None
    if overview and (report := scanning.overview(artifact)):
        body["scan_overview"] = report
    return body


@router.get(_BASE)
@needed_by(Need.PLUGINS, Need.PEOPLE)
def list_repositories(call: Asking, project_name: Name, paging: Pages) -> Response:
    """List the repositories of a project."""
    project = call.project(project_name, "list", "repository")
    repos = call.store.find("repository", project_id=project["id"])
    return call.page(repos, paging, lambda repo: shown_repository(call, repo))


@router.delete(_REPOSITORY)
@needed_by(Need.PLUGINS)
def delete_repository(call: Asking, project_name: Name, name: RepositoryName) -> Response:
    """Delete a repository with its artifacts."""
    call.project(project_name, "delete", "repository")
    repo = artifacts.repository(call.site, f"{project_name}/{name}")
    artifacts.remove_repository(call.site, repo)
    return done()


@router.get(_ARTIFACT)
@needed_by(Need.CATALOGUE_JOBS)
def get_artifact(
    call: Asking, project_name: Name, name: RepositoryName, reference: str, with_tag: bool = True,
    with_scan_overview: bool = False,
) -> dict[str, Any]:  # fmt: skip
    """Return an artifact by digest or tag."""
    call.project(project_name, "read", "artifact")
    found = artifacts.find(call.site, f"{project_name}/{name}", reference)
    return shown_artifact(call, found, tags=with_tag, overview=with_scan_overview)


@router.delete(_ARTIFACT)
@needed_by(Need.ISOLATION)
def delete_artifact(call: Asking, project_name: Name, name: RepositoryName, reference: str) -> Response:
    """Delete an artifact with its tags."""
    call.project(project_name, "delete", "artifact")
    found = artifacts.find(call.site, f"{project_name}/{name}", reference)
    artifacts.remove(call.site, found)
    return done()


@router.delete(_ARTIFACT + "/tags/{tag_name}")
@needed_by(Need.ISOLATION)
def delete_tag(call: Asking, project_name: Name, name: RepositoryName, reference: str, tag_name: str) -> Response:
    """Delete a tag, unless it is immutable."""
    call.project(project_name, "delete", "tag")
    found = artifacts.find(call.site, f"{project_name}/{name}", reference)
    tag = call.store.first("tag", artifact_id=found["id"], name=tag_name)
    if tag is None:
        raise errors.not_found(f"tag {tag_name} attached to artifact {found['id']}")
    artifacts.remove_tag(call.site, tag, f"{project_name}/{name}")
    return done()


@router.post(_ARTIFACT + "/scan", status_code=202)
@needed_by(Need.CATALOGUE_JOBS)
def scan_artifact(call: Asking, project_name: Name, name: RepositoryName, reference: str) -> Response:
    """Scan an artifact."""
    call.project(project_name, "create", "scan")
    scanning.scan(call.site, artifacts.find(call.site, f"{project_name}/{name}", reference))
    return Response(status_code=202)


@router.get(_ARTIFACT + "/additions/vulnerabilities")
@needed_by(Need.CATALOGUE_JOBS)
def get_vulnerabilities(call: Asking, project_name: Name, name: RepositoryName, reference: str) -> Response:
    """Return the report of an artifact."""
    call.project(project_name, "read", "artifact-addition")
    return JSONResponse(scanning.details(artifacts.find(call.site, f"{project_name}/{name}", reference)))
