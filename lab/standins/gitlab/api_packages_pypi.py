"""The package registry for Python: upload as twine does it, the simple index, downloads."""

from __future__ import annotations

import html
import re
from collections.abc import Iterable
from typing import Final

from starlette.responses import Response

from lab.standins.gitlab import packages
from lab.standins.gitlab.errors import bad_request, not_found, parameter
from lab.standins.gitlab.package_clients import PackageCall, created, route
from lab.standins.gitlab.routing import Router
from lab.standins.store import Document

router = Router("PyPI packages")

_SHA256: Final = re.compile(r"[0-9a-fA-F]{64}")
_NAME: Final = re.compile(r"[\w.+-]+", re.ASCII)
_VERSION: Final = re.compile(
    r"v?(\d+!)?\d+(\.\d+)*([-_.]?(a|b|c|rc|alpha|beta|pre|preview)[-_.]?\d*)?(-\d+|[-_.]?(post|rev|r)[-_.]?\d*)?"
    r"([-_.]?dev[-_.]?\d*)?(\+[a-z0-9]+([-_.][a-z0-9]+)*)?",
    re.IGNORECASE | re.ASCII,
)


def _normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


@route(router, "POST", "/projects/{id}/packages/pypi")
def upload(call: PackageCall, id: str) -> Response:
    """Upload a distribution. A file that exists is refused; another file joins the package."""
    project = packages.writable(call.site, call.actor, id)
    name, version = str(call.form.get("name") or ""), str(call.form.get("version") or "")
    given = {"content": call.file_name, "name": name, "version": version}
    if missing := [f"{key} is missing" for key, value in given.items() if not value]:
        raise parameter(*missing)
    claimed = str(call.form.get("sha256_digest") or "")
    if claimed and not _SHA256.fullmatch(claimed):
        raise parameter("sha256_digest is invalid")
    packages.protect(call.site, call.actor, project, "pypi", name)
    if not _NAME.fullmatch(name):
        raise bad_request("Validation failed: Name is invalid")
    if not _VERSION.fullmatch(version):
        raise bad_request("Validation failed: Version is invalid")
    if "/" in call.file_name or call.file_name in {".", ".."}:
        raise parameter("content is invalid")
    known = call.store.find("package", project_id=project["id"], package_type="pypi")
    same = next((one for one in known if _normal(one["name"]) == _normal(name) and one["version"] == version), None)
    package = same or packages.ensure(call.site, call.actor, project, "pypi", name, version)
    if packages.latest_file(call.site, package, call.file_name):
        raise bad_request("Validation failed: File name has already been taken")
    with call.upload() as content:
        # GitLab does not compare the digests, but serves the one that the client claims.
        more = {"sha256": claimed.lower()} if claimed else {}
        python = str(call.form.get("requires_python") or "")
        packages.add_file(call.site, package, call.file_name, content, requires_python=python, **more)
    return created()


def _page(title: str, links: Iterable[tuple[str, str, str]]) -> Response:
    lines = "".join(
        f'<a href="{html.escape(url)}" data-requires-python="{html.escape(python)}">{html.escape(label)}</a><br>\n'
        for url, label, python in links
    )
    head = f"<!DOCTYPE html>\n<html>\n<head><title>Links for {html.escape(title)}</title></head>\n"
    return Response(
        f"{head}<body><h1>Links for {html.escape(title)}</h1>\n{lines}</body>\n</html>\n", media_type="text/html"
    )


def _index(call: PackageCall, of: str, found: list[Document], name: str) -> Response:
    """Answer with the files of a package; `of` is the address of the project's or group's registry."""
    wanted = [one for one in found if _normal(one["name"]) == _normal(name)]
    if not wanted:
        raise not_found("Package")
    links = [
        (f"{of}/files/{file['sha256']}/{file['file_name']}#sha256={file['sha256']}", file["file_name"],
         file.get("requires_python") or "")
        for package in wanted
        for file in packages.files(call.site, package)
    ]  # fmt: skip
    return _page(wanted[0]["name"], links)


def _names(of: str, found: list[Document], title: str) -> Response:
    names = sorted({_normal(one["name"]) for one in found})
    return _page(title, [(f"{of}/simple/{name}", name, "") for name in names])


def _download(call: PackageCall, found: list[Document], sha256: str, file_name: str) -> Response:
    files = [file for package in found for file in packages.files(call.site, package)]
    match = [one for one in files if (one["sha256"], one["file_name"]) == (sha256, file_name)]
    if not match:
        raise not_found("Package")
    return call.file(match[-1])


def _of_project(call: PackageCall, id_: str) -> tuple[str, list[Document], str]:
    project = packages.readable(call.site, call.actor, id_)
    found = call.store.find("package", project_id=project["id"], package_type="pypi")
    return f"{call.site.url}/api/v4/projects/{project['id']}/packages/pypi", found, str(project["name"])


def _of_group(call: PackageCall, id_: str) -> tuple[str, list[Document], str]:
    """Return the packages of a group. GitLab checks no list of job tokens here (`skip_job_token_policies`)."""
    group = call.group(id_)
    found = packages.of_group(call.site, call.actor, group, "pypi")
    return f"{call.site.url}/api/v4/groups/{group['id']}/-/packages/pypi", found, str(group["name"])


@route(router, "GET", "/projects/{id}/packages/pypi/simple")
def project_names(call: PackageCall, id: str) -> Response:
    """List the packages of a project."""
    return _names(*_of_project(call, id))


@route(router, "GET", "/projects/{id}/packages/pypi/simple/{name}")
@route(router, "GET", "/projects/{id}/packages/pypi/simple/{name}/")
def project_index(call: PackageCall, id: str, name: str) -> Response:
    """List the files of a project's package."""
    of, found, _ = _of_project(call, id)
    return _index(call, of, found, name)


@route(router, "GET", "/projects/{id}/packages/pypi/files/{sha256}/{file_name}")
def project_file(call: PackageCall, id: str, sha256: str, file_name: str) -> Response:
    """Download a file of a project's package."""
    return _download(call, _of_project(call, id)[1], sha256, file_name)


@route(router, "GET", "/groups/{id}/-/packages/pypi/simple")
def group_names(call: PackageCall, id: str) -> Response:
    """List the packages of a group's projects."""
    return _names(*_of_group(call, id))


@route(router, "GET", "/groups/{id}/-/packages/pypi/simple/{name}")
@route(router, "GET", "/groups/{id}/-/packages/pypi/simple/{name}/")
def group_index(call: PackageCall, id: str, name: str) -> Response:
    """List the files of a package of a group's projects."""
    of, found, _ = _of_group(call, id)
    return _index(call, of, found, name)


@route(router, "GET", "/groups/{id}/-/packages/pypi/files/{sha256}/{file_name}")
def group_file(call: PackageCall, id: str, sha256: str, file_name: str) -> Response:
    """Download a file of a package of a group's projects."""
    return _download(call, _of_group(call, id)[1], sha256, file_name)
