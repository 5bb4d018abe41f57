"""The rule on references: a tenant file must not name objects of another tenant."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

from model.naming import names_of
from model.problems import KeyPath
from model.tenant import Tenant
from model.texts import show_path
from usine.report.model import Severity
from usine.rules.model import Change, Flag


@dataclass(frozen=True, slots=True)
class _Reference:
    """A name in a tenant file. `kind` is `url`, `host`, `mirror`, or `path` (a path among the tenant's secrets)."""

    kind: str
    value: str
    path: KeyPath


@dataclass(frozen=True, slots=True)
class _Owners:
    """The owners of names: other tenants' slugs, namespaces (slug by name) and public hosts, and the tools' hosts."""

    slugs: frozenset[str]
    namespaces: Mapping[str, str]
    hosts: Mapping[str, str]
    tools: frozenset[str]


def cross_tenant(change: Change) -> Iterator[Flag]:
    """Report each new mirror, URL, egress host or secret path that belongs to another tenant."""
    everyone = {**(change.base or {}), **change.head}
    for base, head in change.written:
        known = {(r.kind, r.value) for r in _references(base)} if base is not None else set()
        new = [reference for reference in _references(head) if (reference.kind, reference.value) not in known]
        if not new:
            continue
        owners = _owners(change, [tenant for slug, tenant in everyone.items() if slug != head.slug])
        for reference in new:
            if (found := _whose(reference, owners)) is not None:
                text, severity = found
                yield Flag(
                    text,
                    tenant=head.slug,
                    path=reference.path,
                    object=show_path(tuple(part for part in reference.path if isinstance(part, str))),
                    severity=severity,
                )


def _references(tenant: Tenant) -> Iterator[_Reference]:
    for environment in tenant.environments:
        path: KeyPath = ("environments", environment.name)
        if environment.url is not None:
            yield _Reference("url", environment.url, (*path, "url"))
        for index, host in enumerate(environment.hosts):
            yield _Reference("url", f"https://{host}", (*path, "hosts", index))
        for index, opening in enumerate(environment.egress):
            yield _Reference("host", opening.host, (*path, "egress", index, "host"))
    for repository in tenant.repositories:
        if (mirror := repository.mirror) is not None:
            path = ("repositories", repository.name, "mirror")
            yield _Reference("mirror", mirror.url, (*path, "url"))
            if mirror.credentials is not None:
                yield _Reference("path", mirror.credentials, (*path, "credentials"))


def _owners(change: Change, others: Iterable[Tenant]) -> _Owners:
    slugs: set[str] = set()
    namespaces: dict[str, str] = {}
    hosts: dict[str, str] = {}
    for tenant in sorted(others, key=lambda other: other.slug):
        slugs.add(tenant.slug)
        for environment in tenant.environments:
            namespaces[names_of(tenant).namespace(environment.name)] = tenant.slug
            for host in environment.all_hosts:
                hosts.setdefault(host, tenant.slug)
    tools = {_host(url) for _, url in change.settings.addresses}
    return _Owners(frozenset(slugs), namespaces, hosts, frozenset(tools))


def _host(url: str) -> str:
    return urlsplit(url).hostname or ""


def _whose(reference: _Reference, owners: _Owners) -> tuple[str, Severity] | None:
    """Return message and severity of a reference to another tenant; None for any other reference."""
    if reference.kind == "path":
        first, _, rest = reference.value.partition("/")
        if rest and first in owners.slugs:
            return (
                f"the secret's path begins with {first}, another tenant; it is read in this tenant's own mount",
                Severity.WARNING,
            )
        return None
    host = reference.value if reference.kind == "host" else _host(reference.value)
    for label in host.split("."):
        if label in owners.namespaces:
            return f"{host} is inside {label}, a namespace of {owners.namespaces[label]}", Severity.ERROR
    if reference.kind == "mirror" and host in owners.tools:
        for segment in urlsplit(reference.value).path.removesuffix(".git").split("/"):
            if segment in owners.slugs:
                return f"the mirror copies a repository of {segment}, another tenant", Severity.ERROR
        return None
    owner = next((owners.hosts[name] for name in _upwards(host) if name in owners.hosts), None)
    if owner is None:
        return None
    if reference.kind == "url":
        return f"{host} is an address of {owner}", Severity.ERROR
    return f"{host} is a public address of {owner}: inform its owner", Severity.WARNING


def _upwards(host: str) -> Iterator[str]:
    """Yield a host name and each of its parent domains, without the top-level domain."""
    labels = host.split(".")
    for start in range(len(labels) - 1):
        yield ".".join(labels[start:])
