"""What must hold across tenants: pure functions over projects, each yielding findings.

Every name a tenant gets in any tool is claimed once and is not the platform's; what is asked of a cluster fits into it.
"""

from __future__ import annotations

import unicodedata
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from urllib.parse import urlsplit

from usine.naming import all_names, names_of, platform_names, reserved_namespaces
from usine.spec.amounts import render_cpu, render_size
from usine.spec.model import Environment, Project, Quota, State
from usine.spec.problems import Finding
from usine.spec.reserved import who_reserves_slug
from usine.spec.settings import Settings
from usine.spec.texts import did_you_mean, enumerate_words, show

_RESOURCES = (("cpu", render_cpu), ("memory", render_size), ("storage", render_size), ("gpu", str), ("pods", str))


def check_fleet(projects: Sequence[Project], settings: Settings, incomplete: frozenset[str]) -> Iterator[Finding]:
    """Yield all findings across tenants. `incomplete` are the sources of files that were wrong already."""
    yield from check_slugs(projects)
    yield from check_names(projects, settings, incomplete)
    yield from check_hosts(projects, settings)
    yield from check_capacity([p for p in projects if p.source not in incomplete], settings)


def fold(name: str) -> str:
    """Return what a tool that ignores case, accents' encoding and the kind of separator keeps of a name."""
    folded = unicodedata.normalize("NFKC", name).casefold()
    for separator in "_.":
        folded = folded.replace(separator, "-")
    return folded


def check_slugs(projects: Iterable[Project]) -> Iterator[Finding]:
    """No two tenants have the same slug, whatever a tool makes of it."""
    first: dict[str, Project] = {}
    for project in projects:
        other = first.setdefault(fold(project.slug), project)
        if other is not project:
            yield Finding(
                project.source,
                ("slug",),
                f"the slug {project.slug} is taken by {other.source}: take another",
            )


def check_names(
    projects: Iterable[Project], settings: Settings, incomplete: frozenset[str] = frozenset()
) -> Iterator[Finding]:
    """No name in any tool is claimed twice, or held by the platform or the tool itself."""
    kept = platform_names(settings)
    claimed: dict[str, dict[str, Project]] = defaultdict(dict)
    for project in projects:
        known = who_reserves_slug(project.slug, settings) is not None  # and was said already
        for kind, names in all_names(project, settings).items():
            reserved, claims = kept.get(kind, frozenset()), claimed[kind]
            for name in names:
                other = claims.setdefault(name, project)
                if other is not project and other.slug != project.slug:  # the same slug twice was said already
                    yield Finding(project.source, ("slug",), f"{kind} {name} is claimed by {other.source} too")
                if name in reserved and not known:
                    yield Finding(project.source, ("slug",), f"{kind} {name} is reserved: choose another slug")
            if len(set(names)) != len(names) and project.source not in incomplete:
                doubles = enumerate_words(sorted({name for name in names if names.count(name) > 1}))
                yield Finding(project.source, ("slug",), f"{kind} {doubles} would stand for two things here")
        yield from _check_namespaces(project, settings)


def _check_namespaces(project: Project, settings: Settings) -> Iterator[Finding]:
    """No environment takes the namespace of a service that its cluster has, or is likely to have."""
    for environment in project.environments:
        name = names_of(project).namespace(environment.name)
        if who := reserved_namespaces(settings.clusters[environment.cluster]).get(name):
            yield Finding(
                project.source,
                ("environments", environment.name),
                f"environments.{environment.name}: the Kubernetes namespace {name} is {who}: "
                "choose another name for the environment, or another slug",
                at_key=True,
            )


def check_hosts(projects: Iterable[Project], settings: Settings) -> Iterator[Finding]:
    """A host name is one environment's, and none of the platform's tools.

    Not only a whole URL: an ingress controller joins what several namespaces say of one host, so a second path of it
    could take over the first.
    """
    tools = {urlsplit(endpoint.url).hostname: system for system, endpoint in settings.endpoints.items()}
    first: dict[str, tuple[Project, Environment]] = {}
    for project in projects:
        for environment in project.environments:
            for host in environment.all_hosts:
                path = ("environments", environment.name, *_where(environment, host))
                key = f"environments.{environment.name}.{'hosts' if 'hosts' in path else 'url'}"
                if host in tools:
                    yield Finding(project.source, path, f"{key}: {host} is where {tools[host]} of the platform answers")
                other, its = first.setdefault(host, (project, environment))
                if (other, its) != (project, environment):
                    whose = "" if other is project else f" of {other.source}"
                    yield Finding(
                        project.source, path, f"{key}: environment {its.name}{whose} answers there already, at {host}"
                    )


def _where(environment: Environment, host: str) -> tuple[str | int, ...]:
    return ("hosts", environment.hosts.index(host)) if host in environment.hosts else ("url",)


def demand(project: Project, environment: Environment) -> Quota:
    """Return what an environment takes of its cluster: all of its quota; of an archived tenant, its data only."""
    if project.state is State.ARCHIVED:
        return replace(Quota(), storage=environment.quota.storage)
    return environment.quota


def check_capacity(projects: Iterable[Project], settings: Settings) -> Iterator[Finding]:
    """What all environments on a cluster may use fits into it. The largest one is where the finding points."""
    by_cluster: dict[str, list[tuple[Project, Environment]]] = defaultdict(list)
    for project in projects:
        for environment in project.environments:
            by_cluster[environment.cluster].append((project, environment))
    for name, placed in by_cluster.items():
        capacity = settings.clusters[name].capacity
        if capacity is None:
            continue
        total = Quota()
        for project, environment in placed:
            total += demand(project, environment)
        for resource, render in _RESOURCES:
            used, offered = getattr(total, resource), getattr(capacity, resource)
            if used > offered:
                project, environment = max(placed, key=lambda pair: getattr(demand(*pair), resource))
                yield Finding(
                    project.source,
                    ("environments", environment.name, "quota", resource),
                    f"cluster {name} has {resource} for {render(offered)}; the {len(placed)} environments of "
                    f"{len({p.slug for p, _ in placed})} projects on it add up to {render(used)}, and this is the "
                    "largest of them",
                )


def check_selection(projects: Iterable[Project], settings: Settings) -> Iterator[str]:
    """Yield a message for every selected tenant that does not exist."""
    slugs = sorted({project.slug for project in projects})
    for slug in settings.tenants or ():
        if slug not in slugs:
            yield f"usine:tenants: no such tenant: {show(slug)}; {did_you_mean(slug, slugs)}"
