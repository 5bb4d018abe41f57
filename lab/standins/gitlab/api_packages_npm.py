"""The package registry for npm: publication, metadata, tarballs, dist-tags; of a project and of a group."""

from __future__ import annotations

import base64
import binascii
import json
import re
from typing import Any, Final

from starlette.responses import JSONResponse, Response

from lab.standins.gitlab import access, packages
from lab.standins.gitlab.errors import ApiError, forbidden, not_found
from lab.standins.gitlab.package_clients import PackageCall, route
from lab.standins.gitlab.routing import Router
from lab.standins.store import Document

router = Router("npm packages")

_NAME: Final = re.compile(r"(?:@[A-Za-z0-9_.-]+/)?[-+._a-zA-Z0-9]+")
_SEMVER: Final = re.compile(
    r"(0|[1-9]\d*)\.(0|[1-9]\d*)\.(0|[1-9]\d*)(-[0-9A-Za-z-]+(\.[0-9A-Za-z-]+)*)?(\+[0-9A-Za-z-]+(\.[0-9A-Za-z-]+)*)?",
    re.ASCII,
)
_LEFT_OUT: Final = frozenset({"readme", "readmeFilename", "licenseText", "contributors", "exports"})
_LATEST: Final = "latest"


def _refused(message: str, status: int) -> ApiError:
    return ApiError(status, {"message": message, "error": message})


def _body(call: PackageCall) -> dict[str, Any]:
    call.body.seek(0)
    try:
        content = json.loads(call.body.read())
    except (ValueError, RecursionError):
        raise ApiError(400, {"error": "Problem: message body does not match declared format"}) from None
    return content if isinstance(content, dict) else {}


@route(router, "PUT", "/projects/{id}/packages/npm/{name:path}")
def publish(call: PackageCall, id: str, name: str) -> Response:
    """Publish a version; an existing version is refused."""
    if name.startswith("-/package/"):
        return _tag(call, id, name.removeprefix("-/package/"))
    project = packages.writable(call.site, call.actor, id)
    body = _body(call)
    versions, tags, attachments = (body.get(key) for key in ("versions", "dist-tags", "_attachments"))
    if not isinstance(versions, dict) or not versions:
        raise ApiError(400, {"error": "versions is missing"})
    version, manifest = next(iter(versions.items()))
    attachment = attachments.get(f"{name}-{version}.tgz") if isinstance(attachments, dict) else None
    if not isinstance(attachment, dict) or not attachment.get("data") or not isinstance(manifest, dict):
        raise _refused("Attachment data is empty.", 400)
    if packages.find(call.site, project, "npm", name, version):
        raise _refused("Package already exists.", 403)
    if packages.rule_for(call.site, call.actor, project, "npm", name, "push"):
        raise _refused("Package protected.", 403)
    if not _NAME.fullmatch(name):
        raise _refused("Validation failed: Name is invalid", 400)
    if not _SEMVER.fullmatch(version):
        raise _refused("Validation failed: Version should follow SemVer: https://semver.org", 400)
    try:
        content = base64.b64decode(str(attachment["data"]))
    except (binascii.Error, ValueError):
        raise _refused("Attachment data is empty.", 400) from None
    package = packages.ensure(call.site, call.actor, project, "npm", name, version)
    kept = {key: value for key, value in manifest.items() if key not in _LEFT_OUT}
    chosen = next(iter(tags), _LATEST) if isinstance(tags, dict) else _LATEST
    call.store.put("package", {**package, "manifest": kept})
    _set_tag(call, project, name, version, chosen)
    with packages.received(iter([content])) as upload:
        packages.add_file(call.site, package, f"{name}-{version}.tgz", upload)
    return JSONResponse({"message": "201 Created"}, 201)


def _set_tag(call: PackageCall, project: Document, name: str, version: str, tag: str) -> None:
    """Move a dist-tag to a version."""
    for one in call.store.find("package", project_id=project["id"], package_type="npm", name=name):
        tags = [known for known in one["tags"] if known != tag] + ([tag] if one["version"] == version else [])
        call.store.put("package", {**one, "tags": tags})


def _split_tag(rest: str) -> tuple[str, str]:
    """Return package and tag of `<name>/dist-tags[/<tag>]`."""
    name, _, tag = rest.partition("/dist-tags")
    return name, tag.strip("/")


def _tag(call: PackageCall, id_: str, rest: str) -> Response:
    """Move a tag to the version in the body."""
    name, tag = _split_tag(rest)
    project = packages.writable(call.site, call.actor, id_)
    call.body.seek(0)
    version = call.body.read().decode("utf-8", "replace").strip().strip('"')
    if not version or not tag:
        raise ApiError(400, {"message": f'400 (Bad request) "{"Tag" if version else "Version"}" not given'})
    if packages.find(call.site, project, "npm", name, version) is None:
        raise not_found("Package")
    _set_tag(call, project, name, version, tag)
    return Response(status_code=204)


@route(router, "DELETE", "/projects/{id}/packages/npm/-/package/{rest:path}")
def remove_tag(call: PackageCall, id: str, rest: str) -> Response:
    """Remove a dist-tag. Like the deletion of packages, this needs a maintainer."""
    name, tag = _split_tag(rest)
    project = packages.writable(call.site, call.actor, id)
    if packages.level(call.site, call.actor, project) < access.MAINTAINER:
        raise forbidden()
    for one in call.store.find("package", project_id=project["id"], package_type="npm", name=name):
        if tag in one["tags"]:
            call.store.put("package", {**one, "tags": [known for known in one["tags"] if known != tag]})
            return Response(status_code=204)
    raise not_found("Package tag")


def _found(call: PackageCall, found: list[Document], name: str) -> Response:
    """Answer with the metadata of a package or, for `-/package/<name>/dist-tags`, with its tags."""
    if name.startswith("-/package/"):
        wanted = _named(found, _split_tag(name.removeprefix("-/package/"))[0])
        if not wanted:
            raise not_found()
        return JSONResponse(_tags(wanted))
    wanted = _named(found, name)
    if not wanted:
        raise not_found("Packages")
    return JSONResponse(
        {"name": name, "versions": {p["version"]: _shown(call, p) for p in wanted}, "dist-tags": _tags(wanted)}
    )


def _named(found: list[Document], name: str) -> list[Document]:
    return [one for one in found if one["name"] == name and "manifest" in one]


def _shown(call: PackageCall, package: Document) -> dict[str, Any]:
    (file, *_) = packages.files(call.site, package)
    of = f"{call.site.url}/api/v4/projects/{package['project_id']}/packages/npm"
    dist = {"shasum": file["sha1"], "tarball": f"{of}/{package['name']}/-/{file['file_name']}"}
    return {**package["manifest"], "name": package["name"], "version": package["version"], "dist": dist}


def _tags(found: list[Document]) -> dict[str, str]:
    tags = {tag: one["version"] for one in found for tag in one["tags"]}
    return {_LATEST: found[-1]["version"], **tags}


@route(router, "GET", "/projects/{id}/packages/npm/{name:path}")
def project_package(call: PackageCall, id: str, name: str) -> Response:
    """Return a project's package, or one of its tarballs."""
    project = packages.readable(call.site, call.actor, id)
    found = call.store.find("package", project_id=project["id"], package_type="npm")
    package, mark, file_name = name.partition("/-/")
    if not mark or name.startswith("-/"):
        return _found(call, found, name)
    files = [file for one in _named(found, package) for file in packages.files(call.site, one)]
    wanted = next((one for one in files if one["file_name"] == file_name), None)
    if wanted is None:
        raise not_found("Package")
    return call.file(wanted)


@route(router, "GET", "/groups/{id}/-/packages/npm/{name:path}")
def group_package(call: PackageCall, id: str, name: str) -> Response:
    """Return a package of a group's projects. Its tarballs are at its project, which checks its list of job tokens."""
    found = packages.of_group(call.site, call.actor, call.group(id), "npm")
    for project_id in {one["project_id"] for one in _named(found, name)}:
        project = call.store.get("project", project_id)
        if project is None or not packages.reads(call.site, call.actor, project):
            raise forbidden()
    return _found(call, found, name)
