"""The package registry for files: generic packages and Maven repositories, of projects and groups."""

from __future__ import annotations

import re
from typing import Final

from starlette.responses import Response

from lab.standins.gitlab import access, packages
from lab.standins.gitlab.errors import ApiError, bad_request, forbidden, not_found, parameter
from lab.standins.gitlab.package_clients import PackageCall, created, route, text
from lab.standins.gitlab.routing import Router
from lab.standins.store import Document

router = Router("generic and Maven packages")

_NAME: Final = re.compile(r"[A-Za-z0-9._+-]+")
_FILE: Final = re.compile(r"(?!~)[A-Za-z0-9._+~-]+(?<!~)")
_VERSION: Final = re.compile(r"(?!.*\.\.)[\w+.-]+", re.ASCII)
_MAVEN_PATH: Final = re.compile(r"@?([\w.-]*/)*[\w.+-]*", re.ASCII)
_METADATA: Final = "maven-metadata.xml"
_SNAPSHOT: Final = "-SNAPSHOT"

_GENERIC: Final = "/projects/{id}/packages/generic/{name}/{version}/{file_name}"


def _duplicates(call: PackageCall, project: Document, kind: str) -> bool:
    """Whether the group's package settings allow a file of a name twice: the default, for all versions of GitLab."""
    return bool(access.namespace(call.site, project).get(f"{kind}_duplicates_allowed", True))


def _checked(**given: tuple[re.Pattern[str], str]) -> None:
    wrong = [name for name, (pattern, value) in given.items() if not pattern.fullmatch(value)]
    if wrong:
        raise parameter(*(f"{name} is invalid" for name in wrong))


@route(router, "PUT", _GENERIC)
def put_generic(call: PackageCall, id: str, name: str, version: str, file_name: str) -> Response:
    """Publish a file of a generic package."""
    project = packages.writable(call.site, call.actor, id)
    _checked(package_name=(_NAME, name), package_version=(_VERSION, version), file_name=(_FILE, file_name))
    packages.protect(call.site, call.actor, project, "generic", name)
    package = packages.ensure(call.site, call.actor, project, "generic", name, version)
    if packages.latest_file(call.site, package, file_name) and not _duplicates(call, project, "generic"):
        raise bad_request("Duplicate package is not allowed")
    with call.upload() as upload:
        packages.add_file(call.site, package, file_name, upload)
    return created()


@route(router, "GET", _GENERIC)
def get_generic(call: PackageCall, id: str, name: str, version: str, file_name: str) -> Response:
    """Download a file of a generic package."""
    project = packages.readable(call.site, call.actor, id)
    package = packages.find(call.site, project, "generic", name, version)
    if package is None:
        raise not_found()
    found = packages.latest_file(call.site, package, file_name)
    if found is None:
        raise not_found()
    return call.file(found, **{"X-Checksum-SHA256": found["sha256"]})


# Maven ----------------------------------------------------------------------------------------------------------------


def _split(path: str, file_name: str) -> tuple[str, str | None]:
    """Return name and version of a package; the metadata of all versions has no version."""
    if file_name.partition(".xml")[0] + ".xml" == _METADATA and not path.endswith(_SNAPSHOT):
        return path, None
    name, _, version = path.rpartition("/")
    return name, version


def _digest(file_name: str) -> tuple[str, str]:
    """Return the file whose digest is meant, and the kind of digest; an empty kind for a file itself."""
    name, _, kind = file_name.rpartition(".")
    return (name, kind) if kind in {"md5", "sha1"} else (file_name, "")


@route(router, "PUT", "/projects/{id}/packages/maven/{path:path}/{file_name}")
def put_maven(call: PackageCall, id: str, path: str, file_name: str) -> Response:
    """Publish a file of a Maven package. Of digests, GitLab compares SHA-1 with its own and ignores MD5."""
    project = packages.writable(call.site, call.actor, id)
    _checked(file_name=(_NAME, file_name))
    name, version = _split(path, file_name)
    if not _MAVEN_PATH.fullmatch(path) or not name or version == "" or ".." in path:
        raise ApiError(400, {"message": "Validation failed: Maven metadatum path is invalid"})
    packages.protect(call.site, call.actor, project, "maven", name)
    package = packages.ensure(call.site, call.actor, project, "maven", name, version)
    of, kind = _digest(file_name)
    known = packages.latest_file(call.site, package, of)
    if kind == "md5":
        return text("")
    with call.upload() as upload:
        if kind == "sha1":
            if known is None:
                raise not_found()
            if upload.content.read().decode("utf-8", "replace").strip() != known["sha1"]:
                raise ApiError(409, {"message": "409 Conflict"})
            return Response(status_code=204)
        if known is not None and version is not None and not _duplicates(call, project, "maven"):
            raise bad_request("Duplicate package is not allowed")
        packages.add_file(call.site, package, of, upload)
    return Response(status_code=200)


@route(router, "GET", "/projects/{id}/packages/maven/{path:path}/{file_name}")
def get_maven(call: PackageCall, id: str, path: str, file_name: str) -> Response:
    """Download a file of a project's Maven package, or its digest."""
    project = packages.readable(call.site, call.actor, id)
    name, version = _split(path, file_name)
    return _maven_file(call, packages.find(call.site, project, "maven", name, version), file_name)


@route(router, "GET", "/groups/{id}/-/packages/maven/{path:path}/{file_name}")
def get_group_maven(call: PackageCall, id: str, path: str, file_name: str) -> Response:
    """Download a file of a Maven package of any project of a group, or its digest.

    The list of job tokens of the package's project is checked (`authorize_read_package!(package.project)`).
    """
    name, version = _split(path, file_name)
    found = [
        one
        for one in packages.of_group(call.site, call.actor, call.group(id), "maven")
        if (one["name"], one["version"]) == (name, version)
    ]
    if found:
        project = call.store.get("project", found[-1]["project_id"])
        if project is None or not packages.reads(call.site, call.actor, project):
            raise forbidden()
    return _maven_file(call, found[-1] if found else None, file_name)


def _maven_file(call: PackageCall, package: Document | None, file_name: str) -> Response:
    of, kind = _digest(file_name)
    found = packages.latest_file(call.site, package, of) if package else None
    if found is None:
        raise not_found("Package")
    return text(found[kind]) if kind else call.file(found)
