"""Repositories, artifacts and tags: what was pushed through `/v2/`."""

from __future__ import annotations

from typing import Annotated, Any, Final
from urllib.parse import unquote

from fastapi import Depends, Path
from starlette.responses import JSONResponse, Response

from lab.standins.harbor import api_registries, artifacts, bodies, errors, scanning
from lab.standins.harbor.call import Asking, Call, Id, NameOrId, Pages, Router, done
from lab.standins.store import Document

router: Final = Router(tags=["repository", "artifact"])

_BASE: Final = "/projects/{project_name}/repositories"
_REPOSITORY: Final = _BASE + "/{repository_name}"
_ARTIFACT: Final = _REPOSITORY + "/artifacts/{reference}"


def _repository_name(repository_name: str) -> str:
    # Slashes come encoded twice: the server undoes one, and Harbor the other.
    return unquote(repository_name)


Name = Annotated[str, Path(max_length=255)]
RepositoryName = Annotated[str, Depends(_repository_name)]


def shown_repository(call: Call, repo: Document) -> dict[str, Any]:
    """Return a repository as the API shows it."""
    body = {
        "id": repo["id"],
        "project_id": repo["project_id"],
        "name": repo["name"],
        "artifact_count": len(call.store.find("artifact", repository_id=repo["id"])),
        "pull_count": repo["pull_count"],
        "creation_time": repo["created"],
        "update_time": repo["updated"],
    }
    return {**body, **({"description": repo["description"]} if repo["description"] else {})}


def shown_tag(call: Call, tag: Document, name: str) -> dict[str, Any]:
    """Return a tag of the repository `name` as the API shows it."""
    body = {key: tag[key] for key in ("id", "repository_id", "artifact_id", "name", "push_time", "pull_time")}
    return {**body, "immutable": artifacts.immutable(call.site, tag["project_id"], name, tag["name"])}


def shown_artifact(call: Call, artifact: Document, *, tags: bool, labels: bool, overview: bool) -> dict[str, Any]:
    """Return an artifact as the API shows it."""
    left_out = ("blobs", "labels", "report")
    body = {key: value for key, value in artifact.items() if key not in left_out and value not in ("", [], {})}
    place = f"/api/v2.0/projects/{artifact['repository_name'].partition('/')[0]}/repositories"
    name = artifacts.short_name(artifact["repository_name"]).replace("/", "%252F")
    href = f"{place}/{name}/artifacts/{artifact['digest']}/additions/vulnerabilities"
    body["addition_links"] = {"vulnerabilities": {"absolute": False, "href": href}}
    if tags:
        found = artifacts.tags_of(call.site, artifact)
        body["tags"] = [shown_tag(call, tag, artifact["repository_name"]) for tag in found] or None
    if labels:
        labelled = (call.store.get("label", id_) for id_ in artifact["labels"])
        body["labels"] = [api_registries.shown_label(label) for label in labelled if label]
    if overview and (report := scanning.overview(artifact)):
        body["scan_overview"] = report
    return body


@router.get("/repositories")
def list_all_repositories(call: Asking, paging: Pages) -> Response:
    """List the repositories of all projects the principal sees."""
    seen = {project["id"] for project in call.store.find("project") if call.principal.sees(project)}
    repos = [repo for repo in call.store.find("repository") if repo["project_id"] in seen]
    return call.page(repos, paging, lambda repo: shown_repository(call, repo))


@router.get(_BASE)
def list_repositories(call: Asking, project_name: Name, paging: Pages) -> Response:
    """List the repositories of a project."""
    project = call.project(project_name, "list", "repository")
    repos = call.store.find("repository", project_id=project["id"])
    return call.page(repos, paging, lambda repo: shown_repository(call, repo))


@router.get(_REPOSITORY)
def get_repository(call: Asking, project_name: Name, name: RepositoryName) -> dict[str, Any]:
    """Show a repository."""
    call.project(project_name, "read", "repository")
    return shown_repository(call, artifacts.repository(call.site, f"{project_name}/{name}"))


@router.put(_REPOSITORY)
def update_repository(call: Asking, project_name: Name, name: RepositoryName, body: bodies.RepositoryBody) -> Response:
    """Change a repository's description."""
    call.project(project_name, "update", "repository")
    repo = artifacts.repository(call.site, f"{project_name}/{name}")
    call.store.put("repository", {**repo, "description": body.description or ""})
    return done()


@router.delete(_REPOSITORY)
def delete_repository(call: Asking, project_name: Name, name: RepositoryName) -> Response:
    """Delete a repository with its artifacts."""
    project = call.project(project_name, "delete", "repository")
    repo = artifacts.repository(call.site, f"{project_name}/{name}")
    artifacts.remove_repository(call.site, repo)
    call.audit("delete", "repository", repo["name"], project["id"])
    return done()


@router.get("/projects/{project_name_or_id}/artifacts")
def list_project_artifacts(
    call: Asking, name: NameOrId, paging: Pages, with_tag: bool = False, with_label: bool = False,
    with_scan_overview: bool = False,
) -> Response:  # fmt: skip
    """List the artifacts of a project."""
    call.require_login()
    project = call.project(name, "list", "artifact")
    found = call.store.find("artifact", project_id=project["id"])
    return call.page(
        found,
        paging,
        lambda item: shown_artifact(call, item, tags=with_tag, labels=with_label, overview=with_scan_overview),
    )


@router.get(_REPOSITORY + "/artifacts")
def list_artifacts(
    call: Asking, project_name: Name, name: RepositoryName, paging: Pages, with_tag: bool = True,
    with_label: bool = False, with_scan_overview: bool = False,
) -> Response:  # fmt: skip
    """List the artifacts of a repository, the last pushed first; `q=tags=nil` those without a tag."""
    call.project(project_name, "list", "artifact")
    found = call.store.find("artifact", repository_name=f"{project_name}/{name}")
    wanted = paging.tests.pop("tags", None)
    if wanted is not None:
        test, exact = wanted
        found = [item for item in found if _tags_match(call, item, test, exact)]
    found.sort(key=lambda item: str(item["push_time"]), reverse=True)
    return call.page(
        found,
        paging,
        lambda item: shown_artifact(call, item, tags=with_tag, labels=with_label, overview=with_scan_overview),
    )


def _tags_match(call: Call, artifact: Document, test: Any, exact: str | None) -> bool:  # noqa: ANN401 - a `query.Test`
    names = [tag["name"] for tag in artifacts.tags_of(call.site, artifact)]
    if exact in ("nil", "*"):
        return bool(names) is (exact == "*")
    return any(test(name) for name in names)


@router.post(_REPOSITORY + "/artifacts", status_code=201)
def copy_artifact(call: Asking, project_name: Name, name: RepositoryName) -> Response:
    """Refuse: copying within the registry is not part of this stand-in."""
    call.project(project_name, "create", "artifact")
    raise errors.HarborError("METHOD_NOT_ALLOWED", f"copying artifacts to {name} is not supported by this stand-in")


@router.get(_ARTIFACT)
def get_artifact(
    call: Asking, project_name: Name, name: RepositoryName, reference: str, with_tag: bool = True,
    with_label: bool = False, with_scan_overview: bool = False,
) -> dict[str, Any]:  # fmt: skip
    """Show an artifact by digest or tag."""
    call.project(project_name, "read", "artifact")
    found = artifacts.find(call.site, f"{project_name}/{name}", reference)
    return shown_artifact(call, found, tags=with_tag, labels=with_label, overview=with_scan_overview)


@router.delete(_ARTIFACT)
def delete_artifact(call: Asking, project_name: Name, name: RepositoryName, reference: str) -> Response:
    """Delete an artifact with its tags."""
    project = call.project(project_name, "delete", "artifact")
    found = artifacts.find(call.site, f"{project_name}/{name}", reference)
    artifacts.remove(call.site, found)
    call.audit("delete", "artifact", f"{project_name}/{name}@{found['digest']}", project["id"])
    return done()


@router.get(_ARTIFACT + "/tags")
def list_tags(call: Asking, project_name: Name, name: RepositoryName, reference: str, paging: Pages) -> Response:
    """List the tags of an artifact."""
    call.project(project_name, "list", "tag")
    found = artifacts.find(call.site, f"{project_name}/{name}", reference)
    return call.page(
        artifacts.tags_of(call.site, found), paging, lambda tag: shown_tag(call, tag, f"{project_name}/{name}")
    )


@router.post(_ARTIFACT + "/tags", status_code=201)
def create_tag(
    call: Asking, project_name: Name, name: RepositoryName, reference: str, body: bodies.TagBody
) -> Response:
    """Give an artifact another tag."""
    call.project(project_name, "create", "tag")
    found = artifacts.find(call.site, f"{project_name}/{name}", reference)
    if not body.name:
        raise errors.bad_request("invalid tag name")
    if call.store.first("tag", repository_id=found["repository_id"], name=body.name):
        raise errors.conflict(f"tag {body.name} already exists under the repository {found['repository_id']}")
    artifacts.point(call.site, found, body.name)
    return Response(status_code=201)


@router.delete(_ARTIFACT + "/tags/{tag_name}")
def delete_tag(call: Asking, project_name: Name, name: RepositoryName, reference: str, tag_name: str) -> Response:
    """Delete a tag, unless a rule protects it."""
    project = call.project(project_name, "delete", "tag")
    found = artifacts.find(call.site, f"{project_name}/{name}", reference)
    tag = call.store.first("tag", artifact_id=found["id"], name=tag_name)
    if tag is None:
        raise errors.not_found(f"tag {tag_name} attached to artifact {found['id']}")
    artifacts.remove_tag(call.site, tag, f"{project_name}/{name}")
    call.audit("delete", "tag", f"{project_name}/{name}:{tag_name}", project["id"])
    return done()


@router.post(_ARTIFACT + "/labels")
def add_label(
    call: Asking, project_name: Name, name: RepositoryName, reference: str, body: bodies.LabelBody
) -> Response:
    """Put a label on an artifact."""
    project = call.project(project_name, "create", "artifact-label")
    found = artifacts.find(call.site, f"{project_name}/{name}", reference)
    label = call.store.get("label", body.id or 0)
    if label is None or (label["scope"] == "p" and label["project_id"] != project["id"]):
        raise errors.not_found(f"label {body.id or 0}")
    if label["id"] in found["labels"]:
        raise errors.conflict("label is already added to the artifact")
    call.store.put("artifact", {**found, "labels": [*found["labels"], label["id"]]})
    return done()


@router.delete(_ARTIFACT + "/labels/{label_id}")
def remove_label(call: Asking, project_name: Name, name: RepositoryName, reference: str, label_id: Id) -> Response:
    """Take a label off an artifact."""
    call.project(project_name, "delete", "artifact-label")
    found = artifacts.find(call.site, f"{project_name}/{name}", reference)
    if label_id not in found["labels"]:
        raise errors.not_found(f"reference {label_id}")
    call.store.put("artifact", {**found, "labels": [id_ for id_ in found["labels"] if id_ != label_id]})
    return done()


@router.post(_ARTIFACT + "/scan", status_code=202)
def scan_artifact(call: Asking, project_name: Name, name: RepositoryName, reference: str) -> Response:
    """Scan an artifact."""
    call.project(project_name, "create", "scan")
    scanning.scan(call.site, artifacts.find(call.site, f"{project_name}/{name}", reference))
    return Response(status_code=202)


@router.get(_ARTIFACT + "/additions/vulnerabilities")
def get_vulnerabilities(call: Asking, project_name: Name, name: RepositoryName, reference: str) -> Response:
    """Show the report of an artifact."""
    call.project(project_name, "read", "artifact-addition")
    return JSONResponse(scanning.details(artifacts.find(call.site, f"{project_name}/{name}", reference)))
