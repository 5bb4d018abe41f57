"""Routes of package managers' protocols: any body, and every way of authentication that GitLab has for them."""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import IO, Any, Final

from starlette.concurrency import run_in_threadpool
from starlette.datastructures import UploadFile
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, Response

from lab.standins.gitlab import access, packages
from lab.standins.gitlab.actors import Actor, basic, resolve, resolve_login
from lab.standins.gitlab.errors import ApiError, insufficient_scope, not_found, unauthorized
from lab.standins.gitlab.packages import Upload
from lab.standins.gitlab.routing import ENCODED_SLASH, Router
from lab.standins.gitlab.site import GitLabSite, digest
from lab.standins.needs import Need, needed_by
from lab.standins.store import Document, Store

_READS: Final = frozenset({"GET", "HEAD"})
_JOB_USER: Final = "gitlab-ci-token"
_REALM: Final = {"WWW-Authenticate": 'Basic realm="GitLab Packages Registry"'}
_CHUNK: Final = 2**20


@dataclass(frozen=True, slots=True)
class PackageCall:
    """One request of a package manager. `form` has the fields of a form, `body` is the file or the raw body."""

    site: GitLabSite
    actor: Actor | None
    form: dict[str, Any]
    body: IO[bytes]
    file_name: str = ""

    @property
    def store(self) -> Store:
        """The site's documents."""
        return self.site.store

    @contextlib.contextmanager
    def upload(self) -> Iterator[Upload]:
        """Read the body with its digests."""
        self.body.seek(0)
        with packages.received(iter(lambda: self.body.read(_CHUNK), b"")) as found:
            yield found

    def group(self, id_: str) -> Document:
        """Return a group whose packages the caller may read. Raises 404, or 401 without a token."""
        group = access.find_group(self.site, id_)
        if group is None or not self._sees(group):
            raise unauthorized() if self.actor is None else not_found("Group")
        return group

    def _sees(self, group: Document) -> bool:
        actor = self.actor
        if actor is None or actor.user is not None:
            return access.sees_group(self.site, actor, group)
        above = {one["id"] for one in access.lineage(self.site, group)}
        return actor.group_id in above and actor.may(*packages.READS)

    def file(self, found: Document | None, **headers: str) -> Response:
        """Answer with a file's content. Raises 404 without one."""
        if found is None:
            raise not_found("Package File")
        where = packages.path_of(self.site, found)
        return FileResponse(where, media_type="application/octet-stream", headers=headers)


Handler = Callable[..., Response]


def route(router: Router, method: str, path: str) -> Callable[[Handler], Handler]:
    """Return a decorator that makes a function of a `PackageCall` and the path's names a route.

    These routes are not in the API description: the fuzzer sends no bodies of package managers.
    """

    def made(function: Handler) -> Handler:
        async def endpoint(request: Request) -> Response:
            with tempfile.SpooledTemporaryFile(_CHUNK) as body:
                form, name = await _read(request, body)
                return await run_in_threadpool(_run, function, request, form, body, name)

        endpoint.__name__ = function.__name__
        router.fastapi.add_api_route(
            path,
            needed_by(Need.CATALOGUE, Need.LAB, trace=path.partition("packages/")[2].partition("/")[0])(endpoint),
            methods=[method],
            include_in_schema=False,
            response_model=None,
        )
        return function

    return made


async def _read(request: Request, body: IO[bytes]) -> tuple[dict[str, Any], str]:
    if not request.headers.get("content-type", "").startswith("multipart/form-data"):
        async for chunk in request.stream():
            body.write(chunk)
        return {}, ""
    fields: dict[str, Any] = {}
    name = ""
    try:
        async with request.form() as form:
            for key, value in form.multi_items():
                if isinstance(value, UploadFile):
                    name = value.filename or ""
                    while chunk := await value.read(_CHUNK):
                        body.write(chunk)
                else:
                    fields.setdefault(key, value)
    except Exception:  # noqa: BLE001 - each error of the parser is an invalid body
        raise ApiError(400, {"error": "Invalid form: message body does not match declared format"}) from None
    return fields, name


def _run(function: Handler, request: Request, form: dict[str, Any], body: IO[bytes], name: str) -> Response:
    site: GitLabSite = request.app.state.site
    actor = _actor(site, request)
    reads = request.method in _READS
    if actor is None and not reads:
        raise unauthorized()
    if actor is not None and actor.kind not in {"job", "deploy"}:
        scopes = ("api", "read_api") if reads else ("api",)
        if not actor.may(*scopes):
            raise insufficient_scope(*scopes)
    names = {key: str(value).replace(ENCODED_SLASH, "/") for key, value in request.path_params.items()}
    if any("\x00" in value or "\ufffd" in value for value in names.values()):
        raise ApiError(400, {"error": "Bad Request: a text is not valid UTF-8 or holds a null byte", "status": 400})
    call = PackageCall(site, actor, form, body, name)
    try:
        if reads:
            return function(call, **names)
        with site.store.transaction():
            return function(call, **names)
    except ApiError as error:
        challenge = _REALM if error.status == 401 else {}  # noqa: PLR2004 - HTTP status, unauthorised
        raise ApiError(error.status, error.body, {**error.headers, **challenge}) from None


def _actor(site: GitLabSite, request: Request) -> Actor | None:
    """Return the actor by a header of its own, a bearer token (npm) or basic authentication (pip, twine).

    A job token in basic authentication has the user name gitlab-ci-token, a deploy token its own.
    """
    headers = request.headers
    login = basic(request)
    if login is not None:
        found = resolve_login(site, *login)
        if found is None or (found.kind == "job") != (login[0] == _JOB_USER):
            raise ApiError(401, {"message": "401 Unauthorized"}, _REALM)
        return found
    scheme, _, bearer = headers.get("authorization", "").partition(" ")
    token = bearer.strip() if scheme.lower() == "bearer" else None
    secret = headers.get("private-token") or headers.get("job-token") or headers.get("deploy-token") or token
    if not secret:
        return None
    deploy = site.store.first("deploy_token", digest=digest(secret))
    if deploy is not None:
        found = resolve_login(site, str(deploy["username"]), secret)
    else:
        found = resolve(site, secret)
        if found is not None and headers.get("job-token") == secret and found.kind != "job":
            found = None
    if found is None:
        raise ApiError(401, {"message": "401 Unauthorized"}, _REALM)
    return found


def created() -> Response:
    """Answer 201 as `created!` does."""
    return JSONResponse({"message": "201 Created"}, 201)


def text(content: str) -> Response:
    """Answer with plain text."""
    return Response(content, media_type="text/plain")
