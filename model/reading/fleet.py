"""The checks across tenants: functions that yield findings.

No name in a tool belongs to two tenants or is reserved; the quotas on a cluster fit into its capacity.
"""

from __future__ import annotations

import unicodedata
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from urllib.parse import urlsplit

from model.naming import all_names, names_of
from model.problems import Finding, KeyPath
from model.quantities import render_cpu, render_size
from model.reading.waves import check_probes
from model.reserved import platform_names, reserved_namespaces, who_reserves_slug
from model.settings import Settings
from model.tenant import Environment, Quota, State, Tenant
from model.texts import did_you_mean, enumerate_words, show

_RESOURCES = (("cpu", render_cpu), ("memory", render_size), ("storage", render_size), ("gpu", str), ("pods", str))


def check_fleet(tenants: Sequence[Tenant], settings: Settings, incomplete: frozenset[str]) -> Iterator[Finding]:
    """Yield all findings across tenants. `incomplete` are the sources of files with other problems."""
    yield from check_slugs(tenants)
    yield from check_names(tenants, settings, incomplete)
    yield from check_hosts(tenants, settings)
    yield from check_capacity([p for p in tenants if p.source not in incomplete], settings)


def fold(name: str) -> str:
    """Return a name as tools compare it that ignore case, the encoding of accents and the kind of separator."""
    folded = unicodedata.normalize("NFKC", name).casefold()
    for separator in "_.":
        folded = folded.replace(separator, "-")
    return folded


def check_slugs(tenants: Iterable[Tenant]) -> Iterator[Finding]:
    """Yield a finding for each slug that another tenant has too, as any tool compares them."""
    first: dict[str, Tenant] = {}
    for tenant in tenants:
        other = first.setdefault(fold(tenant.slug), tenant)
        if other is not tenant:
            yield Finding(
                tenant.source,
                ("slug",),
                f"the slug {tenant.slug} is taken by {other.source}: take another",
            )


def check_names(
    tenants: Iterable[Tenant], settings: Settings, incomplete: frozenset[str] = frozenset()
) -> Iterator[Finding]:
    """Yield a finding for each name in a tool that another tenant has too, or that is reserved."""
    kept = platform_names(settings)
    claimed: dict[str, dict[str, Tenant]] = defaultdict(dict)
    for tenant in tenants:
        known = who_reserves_slug(tenant.slug, settings) is not None  # the check of the file reports it
        for kind, names in all_names(tenant, settings).items():
            reserved, claims = kept.get(kind, frozenset()), claimed[kind]
            for name in names:
                other = claims.setdefault(name, tenant)
                if other is not tenant and other.slug != tenant.slug:  # `check_slugs` reports the same slug
                    yield Finding(tenant.source, ("slug",), f"{kind} {name} is claimed by {other.source} too")
                if name in reserved and not known:
                    yield Finding(tenant.source, ("slug",), f"{kind} {name} is reserved: choose another slug")
            if len(set(names)) != len(names) and tenant.source not in incomplete:
                doubles = enumerate_words(sorted({name for name in names if names.count(name) > 1}))
                yield Finding(
                    tenant.source, ("slug",), f"{kind} {doubles} would be the name of two objects of this tenant"
                )
        yield from _check_namespaces(tenant, settings)


def _check_namespaces(tenant: Tenant, settings: Settings) -> Iterator[Finding]:
    """Yield a finding for each environment whose namespace a service of its cluster has, or is likely to have."""
    for environment in tenant.environments:
        name = names_of(tenant).namespace(environment.name)
        if who := reserved_namespaces(settings.clusters[environment.cluster]).get(name):
            yield Finding(
                tenant.source,
                ("environments", environment.name),
                f"environments.{environment.name}: the Kubernetes namespace {name} is {who}: "
                "choose another name for the environment, or another slug",
                at_key=True,
            )


def check_hosts(tenants: Iterable[Tenant], settings: Settings) -> Iterator[Finding]:
    """Yield a finding for each host name that another environment or a tool of the platform has too.

    The check compares hosts and not whole URLs: an ingress controller merges the rules of all namespaces for a host, so
    a path in one namespace could replace a path of another one.
    """
    tools = {urlsplit(url).hostname: system for system, url in settings.addresses}
    grafana = settings.observability.grafana
    domain = None if grafana is None else grafana.domain
    first: dict[str, tuple[Tenant, Environment]] = {}
    for tenant in tenants:
        for environment in tenant.environments:
            for host in environment.all_hosts:
                path = ("environments", environment.name, *_where(environment, host))
                key = f"environments.{environment.name}.{'hosts' if 'hosts' in path else 'url'}"
                if host in tools:
                    yield Finding(tenant.source, path, f"{key}: {host} is the host of {tools[host]} on the platform")
                if domain is not None and (host == domain or host.endswith(f".{domain}")):
                    yield Finding(tenant.source, path, f"{key}: the hosts of {domain} are those of Grafana")
                other, its = first.setdefault(host, (tenant, environment))
                if (other, its) != (tenant, environment):
                    whose = "" if other is tenant else f" of {other.source}"
                    yield Finding(
                        tenant.source, path, f"{key}: environment {its.name}{whose} already has the host {host}"
                    )


def _where(environment: Environment, host: str) -> tuple[str | int, ...]:
    return ("hosts", environment.hosts.index(host)) if host in environment.hosts else ("url",)


def demand(tenant: Tenant, environment: Environment) -> Quota:
    """Return the capacity that an environment needs: its quota; of an archived tenant, its storage only."""
    if tenant.state is State.ARCHIVED:
        return replace(Quota(), storage=environment.quota.storage)
    return environment.quota


def check_capacity(tenants: Iterable[Tenant], settings: Settings) -> Iterator[Finding]:
    """Yield a finding for each cluster whose environments exceed its capacity, at the largest of them."""
    by_cluster: dict[str, list[tuple[Tenant, Environment]]] = defaultdict(list)
    for tenant in tenants:
        for environment in tenant.environments:
            by_cluster[environment.cluster].append((tenant, environment))
    for name, placed in by_cluster.items():
        capacity = settings.clusters[name].capacity
        if capacity is None:
            continue
        total = Quota()
        for tenant, environment in placed:
            total += demand(tenant, environment)
        for resource, render in _RESOURCES:
            used, offered = getattr(total, resource), getattr(capacity, resource)
            if used > offered:
                tenant, environment = max(placed, key=lambda pair: getattr(demand(*pair), resource))
                yield Finding(
                    tenant.source,
                    ("environments", environment.name, "quota", resource),
                    f"cluster {name} has {render(offered)} as its capacity for {resource}; the {len(placed)} "
                    f"environments of {len({p.slug for p, _ in placed})} tenants on it add up to {render(used)}; "
                    "this one is the largest",
                )


def check_selection(tenants: Sequence[Tenant], settings: Settings) -> Iterator[tuple[KeyPath, str]]:
    """Yield the path and a message for every tenant of the settings that does not exist, or cannot be what they say."""
    slugs = sorted({tenant.slug for tenant in tenants})
    for key, path, slug in _named(settings):
        if slug not in slugs:
            yield path, f"usine:{key}: no such tenant: {show(slug)}; {did_you_mean(slug, slugs)}"
    yield from check_probes(settings.fleet.waves, tenants)


def _named(settings: Settings) -> Iterator[tuple[str, KeyPath, str]]:
    """Yield each tenant that the settings name, after the key and its path."""
    for index, slug in enumerate(settings.tenants or ()):
        yield "tenants", ("tenants", index), slug
    for index, slug in enumerate(settings.catalogue.first):
        yield "catalogue.first", ("catalogue", "first", index), slug
    for slug in settings.tenant_credentials:
        yield "tenantCredentials", ("tenantCredentials", slug), slug
    for number, wave in enumerate(settings.fleet.waves):
        for index, slug in enumerate(wave.tenants):
            yield "fleet.waves", ("fleet", "waves", number, "tenants", index), slug
