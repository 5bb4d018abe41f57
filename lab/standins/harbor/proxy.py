"""`/v2/`: Harbor's checks, then the registry behind it, with streamed bodies.

Permissions are checked here. The registry gets a token of Harbor with the rights that the request needs. It stores
manifests by digest and never sees tags.
"""

from __future__ import annotations

import datetime
import hashlib
import re
from collections.abc import AsyncIterator
from typing import Any, Final
from urllib.parse import quote

import httpx
from fastapi import APIRouter
from starlette.background import BackgroundTask
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse

from lab.standins.harbor import accessories, artifacts, errors, principals, scanning
from lab.standins.harbor.call import identify
from lab.standins.harbor.principals import Bearer, Principal
from lab.standins.harbor.registry import RegistryConnections
from lab.standins.harbor.site import HarborSite
from lab.standins.harbor.tokens import SERVICE
from lab.standins.needs import Need, needed_by
from lab.standins.store import Document

router: Final = APIRouter(tags=["registry protocol"])

_PARTS: Final = re.compile(
    r"/v2/(?P<name>[^?]+?)/(?P<kind>manifests|blobs/uploads|blobs|tags/list|referrers)(?:/(?P<reference>[^/]*))?"
)
_NAME: Final = re.compile(r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*(?:/[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*)+")
_REFERENCE: Final = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,127}|sha256:[0-9a-f]{64}|sha512:[0-9a-f]{128}")
_LARGEST_MANIFEST: Final = 4 * 1024 * 1024
_ACTIONS: Final = {"GET": "pull", "HEAD": "pull", "PUT": "push", "POST": "push", "PATCH": "push", "DELETE": "delete"}
_NOT_FORWARDED: Final = ("host", "authorization", "cookie", "connection", "x-lab-token")
_NOT_RETURNED: Final = ("connection", "transfer-encoding", "date", "server")
_VERSION: Final = {"Docker-Distribution-Api-Version": "registry/2.0"}


# -- tokens ------------------------------------------------------------------------------------------------------------


@router.get("/service/token", include_in_schema=False)
@needed_by(Need.CHAIN, Need.CATALOGUE, trace="push")
async def give_token(request: Request) -> Response:
    """Sign a token for the requested scopes, with the actions that the principal is allowed."""
    return await run_in_threadpool(_token, request)


def _token(request: Request) -> Response:
    site: HarborSite = request.app.state.site
    service = request.query_params.get("service", "")
    if service != SERVICE:
        return Response(f"Unable to handle service: {service}", 400)
    scopes = [scope for text in request.query_params.getlist("scope") for scope in text.split() if scope]
    principal = identify(request, site)
    if not principal.known and not scopes:
        return Response(status_code=401)
    access = [_granted(site, principal, scope) for scope in scopes]
    return JSONResponse(site.tokens.make(principal.name, access, int(site.settings.get("token_expiration"))))


def _granted(site: HarborSite, principal: Principal, scope: str) -> dict[str, Any]:
    kind, _, rest = scope.partition(":")
    name = rest.rpartition(":")[0] or rest
    entry: dict[str, Any] = {"type": kind, "name": name, "actions": []}
    if kind == "registry" and name == "catalog" and principal.admin:
        entry["actions"] = ["*"]
    if kind == "repository" and "/" in name:
        project = site.store.first("project", name=name.partition("/")[0])
        if project:
            rights = ("pull", "push", "delete")
            entry["actions"] = [action for action in rights if principal.may(project, action, "repository")]
    return entry


# -- callers -----------------------------------------------------------------------------------------------------------


def _bearer(site: HarborSite, token: str) -> Principal:
    claims = site.tokens.read(token)
    if claims is None:
        return Principal(site)
    return Bearer(site, str(claims.get("sub", "")), tuple(claims.get("access") or ()), float(claims["iat"]))


def _caller(request: Request, site: HarborSite) -> Principal:
    scheme, value = principals.credentials(request)
    return _bearer(site, value) if scheme == "bearer" else identify(request, site)


def _challenge(request: Request, site: HarborSite, scope: str, message: str) -> Response:
    if request.headers.get("Authorization"):
        challenge = 'Basic realm="harbor"'
    else:
        challenge = f'Bearer realm="{site.url}/service/token",service="{SERVICE}"' + (scope and f',scope="{scope}"')
    return errors.unauthorized(message).response({"WWW-Authenticate": challenge, **_VERSION})


def _allowed(site: HarborSite, principal: Principal, repository: str, action: str) -> bool:
    # An unknown project is a separate error, for callers with the permission.
    project = site.project(repository.partition("/")[0])
    if isinstance(principal, Bearer):
        # A token for a deleted project gives no access to a new one with its name.
        made = datetime.datetime.fromisoformat(project["created"]).timestamp()
        return principal.issued >= int(made) and principal.may_pull_or_push(repository, action)
    return principal.may(project, action, "repository")


def _scope(repository: str, action: str) -> str:
    return f"repository:{repository}:{'pull,push' if action == 'push' else action}"


# -- requests ----------------------------------------------------------------------------------------------------------


@router.api_route("/v2", methods=["GET", "HEAD"], include_in_schema=False)
@router.api_route("/v2/", methods=["GET", "HEAD"], include_in_schema=False)
@needed_by(Need.CHAIN, Need.CATALOGUE, trace="push")
async def check(request: Request) -> Response:
    """Answer that this is a registry, or 401 for an unknown client."""
    site: HarborSite = request.app.state.site
    principal = await run_in_threadpool(_caller, request, site)
    if not principal.known:
        return _challenge(request, site, "", "unauthorized: unauthorized")
    return JSONResponse({}, headers=_VERSION)


@router.api_route("/v2/{path:path}", methods=list(_ACTIONS), include_in_schema=False)
@needed_by(Need.CHAIN, Need.CATALOGUE, trace="push")
async def handle(request: Request, path: str) -> Response:  # noqa: ARG001 - parsed whole
    """Check and forward all other requests."""
    site: HarborSite = request.app.state.site
    found = _PARTS.fullmatch(request.url.path.rstrip("/"))
    if found is None or not _NAME.fullmatch(found["name"]):
        raise errors.bad_request(f"invalid repository name: {request.url.path.removeprefix('/v2/')}")
    name, kind, reference, action = found["name"], found["kind"], found["reference"] or "", _ACTIONS[request.method]
    if kind in ("manifests", "referrers") and not _REFERENCE.fullmatch(reference):
        raise errors.HarborError("NOT_FOUND", "invalid reference format")
    needed = [(name, action)]
    source = request.query_params.get("from") if kind == "blobs/uploads" and request.method == "POST" else None
    if source:
        if not _NAME.fullmatch(source):
            raise errors.bad_request(f"invalid repository name: {source}")
        needed.append((source, "pull"))
    principal = await run_in_threadpool(_caller, request, site)
    for repository, wanted in needed:
        if action == "pull" and not request.headers.get("Authorization"):
            message = "authorize header needed to send HEAD to repository"
        elif await run_in_threadpool(_allowed, site, principal, repository, wanted):
            continue
        else:
            message = f"unauthorized to access repository: {repository}, action: {wanted}"
        scope = " ".join(_scope(*pair) for pair in needed)
        return _challenge(request, site, scope, f"unauthorized: {message}")
    if action != "pull" and site.settings.get("read_only"):
        raise errors.denied("The system is in read only mode. Any modification is prohibited.")
    if kind == "tags/list":
        return await run_in_threadpool(_tags, request, site, name)
    if kind == "referrers":
        return await run_in_threadpool(_referrers, request, site, name, reference)
    if kind == "manifests":
        return await _manifest(request, name, reference)
    return await _blob(request, site, name, source)


def _tags(request: Request, site: HarborSite, name: str) -> Response:
    repo = artifacts.repository(site, name)
    names = sorted(tag["name"] for tag in site.store.find("tag", repository_id=repo["id"]))
    last, number = request.query_params.get("last"), request.query_params.get("n")
    if last:
        names = [tag for tag in names if tag > last]
    headers = {}
    if number is not None:
        if not re.fullmatch(r"\d{1,9}", number):
            raise errors.bad_request("the N must be a positive int type")
        if 0 < int(number) < len(names):
            names = names[: int(number)]
            headers = {"Link": f'</v2/{name}/tags/list?n={number}&last={quote(names[-1])}>; rel="next"'}
        elif int(number) == 0:
            names = []
    return JSONResponse({"name": name, "tags": names}, headers=headers)


async def _manifest(request: Request, name: str, reference: str) -> Response:
    site: HarborSite = request.app.state.site
    registry: RegistryConnections = request.app.state.registry
    tag = None if artifacts.is_digest(reference) else reference
    if request.method == "DELETE":
        if tag:
            raise errors.HarborError("UNSUPPORTED", f"unsupported digest {tag}: invalid checksum digest format")
        await run_in_threadpool(_delete, site, name, reference)
        return Response(status_code=202)
    if request.method == "PUT":
        return await _push(request, name, reference, tag)
    # Harbor lets cosign, by its name in the header, pull what it is about to sign.
    signs = "cosign" in request.headers.get("User-Agent", "") and await run_in_threadpool(_pushes, request, site, name)
    found = await run_in_threadpool(_pullable, site, name, reference, gated=not signs)
    answer = await _forward(request, registry, f"/v2/{name}/manifests/{found['digest']}", [(name, ["pull"])])
    if answer.status_code == httpx.codes.OK and request.method == "GET":
        await run_in_threadpool(_pulled, site, found, tag)
    return answer


def _referrers(request: Request, site: HarborSite, name: str, digest: str) -> Response:
    """Answer with the accessories of a digest, also if there is no such artifact."""
    if not artifacts.is_digest(digest):
        raise errors.bad_request(f"unsupported digest {digest}")
    wanted = request.query_params.get("artifactType", "")
    repo = site.store.first("repository", name=name)
    found = accessories.descriptors(site, repo["id"], digest, wanted) if repo else []
    headers = {"Content-Type": artifacts.INDEXES[0], **({"OCI-Filters-Applied": "artifactType"} if wanted else {})}
    return JSONResponse({"schemaVersion": 2, "mediaType": artifacts.INDEXES[0], "manifests": found}, headers=headers)


def _pushes(request: Request, site: HarborSite, name: str) -> bool:
    return _allowed(site, _caller(request, site), name, "push")


def _pullable(site: HarborSite, name: str, reference: str, *, gated: bool) -> Document:
    found = artifacts.find(site, name, reference)
    if gated:
        scanning.gate(site, site.project(found["project_id"]), found)
    return found


def _pulled(site: HarborSite, artifact: Document, tag: str | None) -> None:
    with site.store.transaction():
        artifacts.pulled(site, artifact, tag)


def _delete(site: HarborSite, name: str, digest: str) -> None:
    with site.store.transaction():
        artifacts.remove(site, artifacts.find(site, name, digest))


async def _push(request: Request, name: str, reference: str, tag: str | None) -> Response:
    site: HarborSite = request.app.state.site
    registry: RegistryConnections = request.app.state.registry
    raw = bytearray()
    async for chunk in request.stream():
        raw += chunk
        if len(raw) > _LARGEST_MANIFEST:
            raise errors.HarborError("REQUEST_ENTITY_TOO_LARGE", "http: request body too large")
    content = bytes(raw)
    manifest = artifacts.Manifest(content, request.headers.get("Content-Type", ""))
    digest = f"sha256:{hashlib.sha256(content).hexdigest()}" if tag else reference
    project = await run_in_threadpool(_check_push, site, name, digest, tag, manifest)
    answer = await _forward(
        request, registry, f"/v2/{name}/manifests/{digest}", [(name, ["pull", "push"])], content=content
    )
    if answer.status_code == httpx.codes.CREATED:
        await run_in_threadpool(_record, site, project, name, digest, manifest, tag)
        answer.headers["Location"] = f"{site.url}/v2/{name}/manifests/{reference}"
        if manifest.subject:
            answer.headers["OCI-Subject"] = manifest.subject
    return answer


def _check_push(site: HarborSite, name: str, digest: str, tag: str | None, manifest: artifacts.Manifest) -> Document:
    project = site.project(name.partition("/")[0])
    if project["registry_id"]:
        raise errors.HarborError("METHOD_NOT_ALLOWED", f"can not push artifact to a proxy project: {project['name']}")
    # A push to an existing immutable tag is refused, also with the same content.
    if tag and _exists(site, name, tag) and artifacts.immutable(site, project["id"], name, tag):
        short = artifacts.short_name(name)
        raise errors.precondition(f"Failed to process request due to '{short}:{tag}' configured as immutable.")
    artifacts.check_quota(site, project["id"], {digest: manifest.size, **manifest.blobs})
    return project


def _exists(site: HarborSite, name: str, tag: str) -> bool:
    known = site.store.first("repository", name=name)
    return known is not None and site.store.first("tag", repository_id=known["id"], name=tag) is not None


def _record(
    site: HarborSite, project: Document, name: str, digest: str, manifest: artifacts.Manifest, tag: str | None
) -> None:
    with site.store.transaction():
        artifact = artifacts.record(site, project, name, digest, manifest, tag)
        if project["metadata"].get("auto_scan") == "true" and scanning.scannable(artifact):
            scanning.scan(site, artifact)


# -- blobs -------------------------------------------------------------------------------------------------------------


async def _blob(request: Request, site: HarborSite, name: str, source: str | None) -> Response:
    registry: RegistryConnections = request.app.state.registry
    project = await run_in_threadpool(site.project, name.partition("/")[0])
    path = request.url.path
    rights = [(name, ["pull", "push"] if request.method != "DELETE" else ["delete"])]
    if source:
        rights.append((source, ["pull"]))
    digest = request.query_params.get("digest") or request.query_params.get("mount") or ""
    size = 0
    if request.method == "PUT" or (request.method == "POST" and "digest" in request.query_params):
        size = await _upload_size(request, registry, path, rights)
    elif source and digest:
        size = await _blob_size(registry, source, digest)
    if size and digest:
        await run_in_threadpool(artifacts.check_quota, site, project["id"], {digest: size})
    answer = await _forward(request, registry, path, rights, content=request.stream())
    if answer.status_code == httpx.codes.CREATED and digest:
        size = size or await _blob_size(registry, name, digest)  # its length was not sent
        await run_in_threadpool(artifacts.count, site, project["id"], {digest: size})
    return answer


async def _upload_size(
    request: Request, registry: RegistryConnections, path: str, rights: list[tuple[str, list[str]]]
) -> int:
    """Return the size of the blob of a completing upload: this request's body, else the data sent before."""
    length = request.headers.get("Content-Length", "")
    if re.fullmatch(r"\d{1,18}", length) and int(length):
        return int(length)
    if request.method == "POST":
        return 0
    try:
        found = await registry.client.get(path, params=str(request.url.query), headers=registry.headers(rights))
    except httpx.HTTPError:
        return 0
    # The registry answers `0-0` also for an empty upload.
    range_ = re.fullmatch(r"0-([1-9]\d{0,17})", found.headers.get("Range", ""))
    return int(range_[1]) + 1 if range_ and found.is_success else 0


async def _blob_size(registry: RegistryConnections, repository: str, digest: str) -> int:
    try:
        found = await registry.client.head(
            f"/v2/{repository}/blobs/{digest}", headers=registry.headers([(repository, ["pull"])])
        )
    except httpx.HTTPError:
        return 0
    return int(found.headers.get("Content-Length", 0)) if found.is_success else 0


async def _forward(
    request: Request, registry: RegistryConnections, path: str, rights: list[tuple[str, list[str]]],
    *, content: bytes | AsyncIterator[bytes] | None = None,
) -> Response:  # fmt: skip
    """Forward a request and stream the answer, with the registry's URLs replaced by Harbor's."""
    headers = {name: value for name, value in request.headers.items() if name not in _NOT_FORWARDED}
    headers.update(registry.headers(rights))
    if request.method in ("GET", "HEAD", "DELETE"):
        content = None
    query = request.url.query
    url = httpx.URL(registry.site.registry_url + path + (f"?{query}" if query else ""))
    sent = registry.client.build_request(request.method, url, headers=headers, content=content)
    try:
        answer = await registry.client.send(sent, stream=True)
    except httpx.HTTPError:
        raise errors.HarborError("BAD_GATEWAY", "the registry behind Harbor does not answer") from None
    kept = {name: value for name, value in answer.headers.items() if name not in _NOT_RETURNED}
    if location := kept.get("location"):
        place = httpx.URL(location)
        kept["location"] = registry.site.url + place.raw_path.decode("ascii")
    kept.pop("www-authenticate", None)  # it concerns only Harbor
    if answer.status_code == httpx.codes.UNAUTHORIZED:
        await answer.aclose()
        raise errors.HarborError("BAD_GATEWAY", "the registry behind Harbor does not trust its token")
    return StreamingResponse(answer.aiter_raw(), answer.status_code, kept, background=BackgroundTask(answer.aclose))
