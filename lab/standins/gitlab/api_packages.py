# ruff: noqa: ANN401 - JSON answers have any type
"""Packages of a project or group as objects: lists, deletion, and rules that protect them."""

from __future__ import annotations

from functools import partial
from typing import Annotated, Any, Literal

from pydantic import Field

from lab.standins.gitlab import access, packages
from lab.standins.gitlab.errors import ApiError, forbidden, not_found, parameter
from lab.standins.gitlab.params import Paging, Params
from lab.standins.gitlab.routing import Call, Router
from lab.standins.gitlab.site import GitLabSite
from lab.standins.needs import Need, needed_by
from lab.standins.store import Document

router = Router("packages")

PackageType = Literal["maven", "npm", "pypi", "generic", "conan", "nuget", "composer", "golang", "debian", "rubygems",
                      "helm", "terraform_module", "rpm", "ml_model", "cargo"]  # fmt: skip
Protectable = Literal["conan", "generic", "helm", "maven", "npm", "nuget", "pypi"]
PushLevel = Literal["maintainer", "owner", "admin"] | None
DeleteLevel = Literal["owner", "admin"] | None
Pattern = Annotated[str, Field(max_length=255)]
install = packages.install


class PackageFilter(Paging):
    """Filter of packages."""

    order_by: Literal["created_at", "name", "version", "type"] = "created_at"
    sort: Literal["asc", "desc"] = "asc"
    package_type: PackageType | None = None
    package_name: str | None = None


class NewRule(Params):
    """Parameters of a new rule."""

    package_name_pattern: str
    package_type: Protectable
    minimum_access_level_for_push: PushLevel = None
    minimum_access_level_for_delete: DeleteLevel = None
    at_least_one = ("minimum_access_level_for_push", "minimum_access_level_for_delete")


class ChangedRule(Params):
    """Parameters of an update."""

    package_name_pattern: str | None = None
    package_type: Protectable | None = None
    minimum_access_level_for_push: PushLevel = None
    minimum_access_level_for_delete: DeleteLevel = None


def _shown(site: GitLabSite, package: Document) -> Document:
    pipeline = site.store.get("pipeline", package["pipeline_id"] or 0)
    project = site.store.get("project", package["project_id"]) or {"full_path": ""}
    return {
        "id": package["id"],
        "name": package["name"],
        "conan_package_name": None,
        "version": package["version"],
        "package_type": package["package_type"],
        "status": "default",
        "_links": {"web_path": f"/{project['full_path']}/-/packages/{package['id']}"},
        "created_at": package["created_at"],
        "last_downloaded_at": None,
        "tags": package["tags"],
        "creator_id": package["creator_id"],
        "project_id": package["project_id"],
        "project_path": project["full_path"],
        "pipeline": {key: pipeline.get(key) for key in ("id", "sha", "ref", "source")} if pipeline else None,
    }


def _filtered(call: Call, found: list[Document], given: PackageFilter) -> Any:
    text = (given.package_name or "").lower()
    by = {"type": "package_type"}.get(given.order_by, given.order_by)
    kept = [one for one in found if given.package_type in (None, one["package_type"]) and text in one["name"].lower()]
    kept.sort(key=lambda one: (str(one[by] or ""), one["id"]), reverse=given.sort == "desc")
    return call.page(kept, given, partial(_shown, call.site))


def _project(call: Call, id_: str) -> Document:
    found = call.project(id_)
    if not packages.reads(call.site, call.actor, found):
        raise forbidden()
    return found


def _package(call: Call, id_: str, package_id: int) -> Document:
    project = _project(call, id_)
    found = call.store.get("package", package_id)
    if found is None or found["project_id"] != project["id"]:
        raise not_found("Package")
    return found


def _deletable(call: Call, id_: str, package_id: int) -> Document:
    """Return a package that the caller may delete: a maintainer, unless a rule asks for more."""
    found = _package(call, id_, package_id)
    project = call.project(id_)
    if call.project_level(project) < access.MAINTAINER:
        raise forbidden()
    if packages.rule_for(call.site, call.actor, project, found["package_type"], found["name"], "delete"):
        raise forbidden("Package is deletion protected.")
    return found


@router.get("/projects/{id}/packages", job_token=True)
@needed_by(Need.CATALOGUE, Need.LAB)
def list_packages(call: Call, id: str, given: PackageFilter) -> Any:
    """List the packages of a project."""
    return _filtered(call, call.store.find("package", project_id=_project(call, id)["id"]), given)


@router.get("/groups/{id}/packages")
@needed_by(Need.LAB)
def list_group_packages(call: Call, id: str, given: PackageFilter) -> Any:
    """List the packages of all projects of a group that the caller may read."""
    group = call.group(id, access.REPORTER)
    prefix = group["route"] + "/"
    seen = {
        one["id"]
        for one in call.store.find("project")
        if one["route"].startswith(prefix) and packages.reads(call.site, call.actor, one)
    }
    return _filtered(call, [one for one in call.store.find("package") if one["project_id"] in seen], given)


@router.get("/projects/{id}/packages/{package_id}", job_token=True)
@needed_by(Need.LAB, trace="packages")
def get_package(call: Call, id: str, package_id: int) -> Any:
    """Return one package."""
    return _shown(call.site, _package(call, id, package_id))


@router.get("/projects/{id}/packages/{package_id}/package_files", job_token=True)
@needed_by(Need.CATALOGUE, Need.LAB)
def list_files(call: Call, id: str, package_id: int, given: Paging) -> Any:
    """List the files of a package."""
    return call.page(packages.files(call.site, _package(call, id, package_id)), given, _file)


def _file(file: Document) -> Document:
    names = {"file_md5": "md5", "file_sha1": "sha1", "file_sha256": "sha256"}
    shown = {name: file[name] for name in ("id", "package_id", "created_at", "file_name", "size")}
    return {**shown, **{name: file[ours] for name, ours in names.items()}}


@router.delete("/projects/{id}/packages/{package_id}", job_token=True)
@needed_by(Need.CATALOGUE, Need.LAB, trace="packages")
def delete_package(call: Call, id: str, package_id: int) -> None:
    """Delete a package with its files."""
    packages.remove(call.site, _deletable(call, id, package_id))


@router.delete("/projects/{id}/packages/{package_id}/package_files/{package_file_id}", job_token=True)
@needed_by(Need.LAB, trace="package_files")
def delete_file(call: Call, id: str, package_id: int, package_file_id: int) -> None:
    """Delete one file of a package."""
    package = _deletable(call, id, package_id)
    found = next((one for one in packages.files(call.site, package) if one["id"] == package_file_id), None)
    if found is None:
        raise not_found()
    packages.remove_file(call.site, found)


# Rules ----------------------------------------------------------------------------------------------------------------


def _rule(rule: Document) -> Document:
    names = ("id", "project_id", "package_name_pattern", "package_type", "minimum_access_level_for_delete",
             "minimum_access_level_for_push")  # fmt: skip
    return {name: rule[name] for name in names}


def _one(call: Call, id_: str, rule_id: int) -> Document:
    project = call.project(id_, access.MAINTAINER)
    found = call.store.get("package_rule", rule_id)
    if found is None or found["project_id"] != project["id"]:
        raise not_found()
    return found


def _checked(call: Call, rule: Document, but: int | None = None) -> Document:
    pattern = rule["package_name_pattern"]
    others = call.store.find(
        "package_rule", project_id=rule["project_id"], package_type=rule["package_type"], package_name_pattern=pattern
    )
    wrong = []
    if not pattern.strip():
        wrong.append("Package name pattern can't be blank")
    if len(pattern) > 255:  # noqa: PLR2004 - GitLab's limit
        wrong.append("Package name pattern is too long (maximum is 255 characters)")
    if any(one["id"] != but for one in others):
        wrong.append("Package name pattern has already been taken")
    if rule["minimum_access_level_for_push"] is None and rule["minimum_access_level_for_delete"] is None:
        wrong.append("A rule must have at least a minimum access role for push or delete.")
    if wrong:
        raise ApiError(422, {"message": {"error": wrong}})
    return rule


@router.get("/projects/{id}/packages/protection/rules")
@needed_by(Need.PLUGINS, Need.LOOKUP, Need.INVENTORY, trace="packages/protection/rules")
def list_rules(call: Call, id: str, given: Paging) -> Any:
    """List the rules of a project."""
    project = call.project(id, access.MAINTAINER)
    return call.page(call.store.find("package_rule", project_id=project["id"]), given, _rule)


@router.post("/projects/{id}/packages/protection/rules")
@needed_by(Need.PLUGINS, trace="packages/protection/rules")
def create_rule(call: Call, id: str, given: NewRule) -> Any:
    """Create a rule."""
    project = call.project(id, access.MAINTAINER)
    rule = {"project_id": project["id"], **given.model_dump()}
    return _rule(call.store.add("package_rule", _checked(call, rule)))


@router.patch("/projects/{id}/packages/protection/rules/{rule_id}")
@needed_by(Need.PLUGINS, trace="packages/protection/rules")
def change_rule(call: Call, id: str, rule_id: int, given: ChangedRule) -> Any:
    """Update a rule."""
    sent = given.sent()
    if any(sent.get(name, "") is None for name in ("package_name_pattern", "package_type")):
        raise parameter("package_type does not have a valid value")
    changed = {**_one(call, id, rule_id), **sent}
    call.store.put("package_rule", _checked(call, changed, rule_id))
    return _rule(changed)


@router.delete("/projects/{id}/packages/protection/rules/{rule_id}")
@needed_by(Need.PLUGINS, Need.INVENTORY, Need.LAB, trace="packages/protection/rules")
def delete_rule(call: Call, id: str, rule_id: int) -> None:
    """Delete a rule."""
    call.store.remove("package_rule", _one(call, id, rule_id)["id"])
