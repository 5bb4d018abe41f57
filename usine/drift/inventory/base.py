"""What an inventory is made of: what the state knows, what the stack speaks of, and what was found beside it."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final, Protocol

import requests
from requests.adapters import HTTPAdapter
from urllib3.util import Retry

from model.settings import FoundationMode, Settings
from model.tenant import Tenant
from usine.data_bearing import holds_data
from usine.engine.lookup.base import LookError, Rest
from usine.engine.urns import address_of

Json = Any

#: How many questions are asked at once, over all systems.
CONCURRENCY: Final = 8
_PAGES: Final = 10_000
#: A question is asked again when the system is throttled or starting, after the time it asks for.
_AGAIN: Final = Retry(
    total=None,
    connect=1,
    read=1,
    status=6,
    other=0,
    redirect=5,
    status_forcelist={429, 502, 503, 504},
    allowed_methods={"GET"},
    backoff_factor=0.5,
    backoff_max=30,
    respect_retry_after_header=True,
    raise_on_status=False,
)


@dataclass(frozen=True, slots=True)
class Managed:
    """A resource of the state.

    `id` is as the provider's plugin writes it, `provider` the logical name of its explicit provider (empty: none).
    Encrypted secrets stand in `inputs` and `outputs` as the checkpoint has them.
    """

    urn: str
    type: str
    id: str
    inputs: Mapping[str, Any]
    outputs: Mapping[str, Any]
    provider: str = ""

    @property
    def tenant(self) -> str | None:
        """The tenant it belongs to, None for the foundation."""
        return address_of(self.urn).tenant


def managed(checkpoint: Mapping[str, Any]) -> tuple[Managed, ...]:
    """Return the objects of an exported checkpoint (`Engine.export_state`): no component, no provider."""
    deployment = checkpoint.get("deployment") or {}
    return tuple(
        Managed(
            urn=str(resource["urn"]),
            type=str(resource["type"]),
            id=str(resource["id"]),
            inputs=resource.get("inputs") or {},
            outputs=resource.get("outputs") or {},
            provider=str(resource.get("provider", "")).rpartition("::")[0].rpartition("::")[2],
        )
        for resource in deployment.get("resources") or ()
        if resource.get("id") and address_of(resource["urn"]).is_object
    )


@dataclass(frozen=True, slots=True)
class Found:
    """An object that is in a system and that no state knows.

    `system` is a value of `model.settings.System`, `tenant` None for what belongs to no tenant. `type` is the
    Pulumi type token it would have, `import_id` what `pulumi import` takes for it; None where no plugin of the platform
    has the type, or where importing would take more than this object. `provider` is the logical name of the provider
    that reaches it. `name` is what its system calls it, as ``<place>: <name>``, the same at every look. `detail` is one
    line for people: what it gives, to whom. `removal` is the API call by which a person takes it away.
    """

    system: str
    tenant: str | None
    type: str
    name: str
    provider: str
    import_id: str | None = None
    detail: str = ""
    removal: str = ""

    @property
    def holds_data(self) -> bool:
        """Say whether its removal loses data."""
        return holds_data(self.type)


@dataclass(frozen=True, slots=True)
class Blind:
    """A tenant (None: the foundation) that could not be looked at whole in a system, and why, in one line."""

    system: str
    tenant: str | None
    reason: str


@dataclass(frozen=True, slots=True)
class Inventory:
    """What no state knows, and where nobody could look; both sorted."""

    found: tuple[Found, ...]
    blind: tuple[Blind, ...]


@dataclass(frozen=True, slots=True)
class Look:
    """One piece of looking, independent of the others: if `take` raises LookError, `tenants` were not seen whole."""

    tenants: tuple[str | None, ...]
    take: Callable[[], Iterable[Found]]


class System(Protocol):
    """One system that can list what it holds."""

    def looks(self) -> Iterable[Look]:
        """Return all there is to look at. Asks the system nothing yet."""


class Scope:
    """What the stack speaks of, and who owns what by its name."""

    def __init__(self, settings: Settings, projects: Iterable[Tenant], resources: Iterable[Managed]) -> None:
        """Take all tenants of the platform, and all objects of the stack's state.

        A tenant whose file is gone and whose objects are still in the state is one of the stack's, too.
        """
        self.settings = settings
        self.resources = tuple(resources)
        self.projects = {project.slug: project for project in projects}
        in_state = {tenant for resource in self.resources if (tenant := resource.tenant) is not None}
        self.slugs = frozenset(self.projects) | in_state
        self.tenants = frozenset(slug for slug in self.projects if settings.selected(slug)) | in_state
        self.foundation = settings.foundation is not FoundationMode.SKIP

    @property
    def everyone(self) -> tuple[str | None, ...]:
        """All that the stack speaks of, foundation first."""
        return (*((None,) if self.foundation else ()), *sorted(self.tenants))

    def speaks_of(self, tenant: str | None) -> bool:
        """Say whether the stack holds this tenant (None: the foundation)."""
        return self.foundation if tenant is None else tenant in self.tenants

    def of(self, type_: str, tenant: str | None = None) -> tuple[Managed, ...]:
        """Return the managed objects of a type, of one tenant or of the foundation."""
        return tuple(r for r in self._by_type.get(type_, ()) if r.tenant == tenant)

    def every(self, type_: str) -> tuple[Managed, ...]:
        """Return all managed objects of a type."""
        return self._by_type.get(type_, ())

    def knows(self, type_: str, id_: str) -> bool:
        """Say whether the state has an object of this type and plugin's id."""
        return (type_, id_) in self._ids

    def owner(self, name: str, separators: str) -> str | None:
        """Return the tenant whose slug is the name, or the part of it before one of the separators; None: nobody's.

        With a dash among them the longest slug counts: `a-b-dev` is `a-b`'s, if there is one.
        """
        ends = [position for position, character in enumerate(name) if character in separators]
        return next((name[:end] for end in (len(name), *reversed(ends)) if name[:end] in self.slugs), None)

    @cached_property
    def _by_type(self) -> Mapping[str, tuple[Managed, ...]]:
        grouped: dict[str, list[Managed]] = {}
        for resource in self.resources:
            grouped.setdefault(resource.type, []).append(resource)
        return {type_: tuple(of_type) for type_, of_type in grouped.items()}

    @cached_property
    def _ids(self) -> frozenset[tuple[str, str]]:
        # A rotated access token of GitLab has another id, which the plugin tells with the outputs. The engine keeps the
        # id of the creation until the next refresh (issue 11.B6).
        ids = {(resource.type, resource.id) for resource in self.resources}
        return frozenset(
            ids | {(r.type, r.outputs["id"]) for r in self.resources if isinstance(r.outputs.get("id"), str)}
        )


class Reader:
    """Questions to one API, from several threads; never a change. Every method raises LookError.

    Once a system does not answer at all, no further question waits for it.
    """

    def __init__(self, system: str, rest: Rest) -> None:
        """Read with the session of `rest`, which knows the address and the credential."""
        self._system = system
        self._rest = rest
        self._down = threading.Event()
        for scheme in ("http://", "https://"):
            rest.session.mount(scheme, HTTPAdapter(pool_maxsize=CONCURRENCY, max_retries=_AGAIN))

    def get(self, path: str, *, accept: str = "application/json", **query: str) -> Json:
        """Return the answer, None for «not found»."""
        return self._ask("GET", path, params=query, headers={"Accept": accept})

    def listed(self, path: str, *, of: str | None = None, **query: str) -> Json:
        """Return the answer of a list, None if the object `of` that it belongs to is gone.

        A list that is not found is one that could not be looked at (LookError).
        """
        return self._translated("GET", path, lambda: self._rest.listed(path, of=of, params=query))

    def lookup(self, path: str, body: Mapping[str, str]) -> Json:
        """Return the answer to a question that the API wants posted, None for «not found»."""
        return self._ask("POST", path, json=body)

    def pages(self, path: str, size: str = "per_page", *, of: str | None = None, **query: str) -> Iterator[Json]:
        """Yield the items of every page of a list, see `listed`; `size` is how the API calls the length of a page."""
        for page in range(1, _PAGES):
            items = self.listed(path, of=of, **{**query, "page": str(page), size: "100"}) or []
            yield from items
            if len(items) < 100:  # noqa: PLR2004 - a page that is not full is the last
                return
        raise LookError(f"{self._system}: {path} has more than {_PAGES} pages")

    def _ask(self, method: str, path: str, **options: Json) -> Json:
        return self._translated(method, path, lambda: self._rest.call(method, path, **options))

    def _translated(self, method: str, path: str, question: Callable[[], Json]) -> Json:
        if self._down.is_set():
            raise LookError(f"{self._system} does not answer")
        try:
            return question()
        except requests.HTTPError as error:
            status = error.response.status_code
            raise LookError(f"{self._system} refused {method} {path}: HTTP {status}") from None
        except (requests.ConnectionError, requests.Timeout):
            self._down.set()
            raise LookError(f"{self._system} does not answer") from None
        except requests.RequestException as error:
            raise LookError(f"{self._system}: {method} {path}: {type(error).__name__}") from None
