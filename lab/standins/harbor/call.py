"""The argument of the API's handlers: the caller, the site, and common checks and answers."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Header, Path, Request
from starlette.responses import JSONResponse, Response

from lab.standins.harbor import errors, principals
from lab.standins.harbor.principals import Principal, Robot, UserPrincipal
from lab.standins.harbor.query import HarborPaging
from lab.standins.harbor.site import HarborSite
from lab.standins.store import Document, Store

_LARGEST = 2**63 - 1
Render = Callable[[Any], dict[str, Any]]


class HarborCall:
    """Return one request."""

    def __init__(self, request: Request) -> None:
        """Identify the caller."""
        self.request = request
        self.site: HarborSite = request.app.state.site
        self.principal: Principal = identify(request, self.site)

    @property
    def store(self) -> Store:
        """The documents."""
        return self.site.store

    # -- checks --------------------------------------------------------------------------------------------------------

    def require_login(self) -> None:
        """Raise 401 for an anonymous caller."""
        if not self.principal.known:
            raise errors.unauthorized()

    def require_system(self, action: str, resource: str) -> None:
        """Raise 401 for an anonymous caller, 403 without this system permission."""
        self.require_login()
        if not self.principal.may_system(action, resource):
            raise errors.forbidden(self.principal.name)

    def may_system(self, action: str, resource: str) -> bool:
        """Whether the principal has this system permission."""
        return self.principal.may_system(action, resource)

    def project(self, name_or_id: str | int, action: str, resource: str = "") -> Document:
        """Return a project in which the principal has this permission.

        Raises 401 for an anonymous caller and 403 without the permission, also if the project does not exist; 404 if it
        does not exist and the caller has the permission.
        """
        try:
            found: Document | None = self.site.project(name_or_id)
        except errors.HarborError:
            found = None
        if not self.principal.may(found, action, resource):
            self.require_login()
            raise errors.forbidden()
        return found if found is not None else self.site.project(name_or_id)

    @property
    def person(self) -> UserPrincipal | None:
        """The principal if it is a user."""
        return self.principal if isinstance(self.principal, UserPrincipal) else None

    @property
    def robot(self) -> Robot | None:
        """The principal if it is a robot."""
        return self.principal if isinstance(self.principal, Robot) else None

    # -- answers -------------------------------------------------------------------------------------------------------

    def page(self, items: Iterable[Any], paging: HarborPaging, render: Render) -> Response:
        """Answer a page of documents."""
        return self.listed([render(item) for item in items], paging)

    def listed(self, items: Sequence[Mapping[str, Any]], paging: HarborPaging) -> Response:
        """Answer a page of rendered items."""
        shown, total = paging.apply(items)
        return JSONResponse(shown, headers=paging.headers(self.request.url, total))

    def created(self, id_: int | str, body: Any = None, *, under: str | None = None) -> Response:  # noqa: ANN401 - JSON
        """Answer 201 with the object's location, below the request's path or `under`."""
        path = under or self.request.url.path.rstrip("/")
        headers = {"Location": f"{path}/{id_}"}
        return Response(status_code=201, headers=headers) if body is None else JSONResponse(body, 201, headers)


def done() -> Response:
    """Answer 200 without a body, as Harbor does for updates."""
    return Response(status_code=200)


def identify(request: Request, site: HarborSite) -> Principal:
    """Return the caller by Basic, ID token, or session; anonymous if the credentials are invalid."""
    scheme, value = principals.credentials(request)
    found: Principal | None = None
    if scheme == "basic" and (pair := principals.basic(value)):
        found = principals.log_in(site, *pair)
    elif scheme == "bearer":
        found = request.app.state.provider.person(value)
    if found is None and (session := request.app.state.sessions.user(request)):
        found = principals.person(site, session)
    return found or Principal(site)


def _call(request: Request) -> HarborCall:
    return HarborCall(request)


def _name_or_id(
    project_name_or_id: Annotated[str, Path(max_length=255)],
    x_is_resource_name: Annotated[bool, Header()] = False,
) -> str | int:
    digits = project_name_or_id.isdecimal() and len(project_name_or_id) < 19  # noqa: PLR2004 - 64 bits
    return int(project_name_or_id) if digits and not x_is_resource_name else project_name_or_id


Asking = Annotated[HarborCall, Depends(_call)]
NameOrId = Annotated[str | int, Depends(_name_or_id)]
Pages = Annotated[HarborPaging, Depends(HarborPaging)]
Id = Annotated[int, Path(ge=-_LARGEST, le=_LARGEST)]


class HarborRouter(APIRouter):
    """A part of the API. Each handler runs in one transaction, which an exception undoes."""

    def add_api_route(self, path: str, endpoint: Callable[..., Any], **options: Any) -> None:  # noqa: ANN401 - FastAPI's
        """Add a handler, which takes its `HarborCall` as `call`."""

        @functools.wraps(endpoint)
        def handler(**arguments: Any) -> Any:  # noqa: ANN401 - any answer
            with arguments["call"].store.transaction():
                return endpoint(**arguments)

        # Annotations are text, which must be resolved in the handler's module.
        handler.__signature__ = inspect.signature(endpoint, eval_str=True)  # type: ignore[attr-defined]
        super().add_api_route(path, handler, **options)
