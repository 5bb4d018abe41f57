"""The revisions and charts that production may use: only those that maintainers alone can create or move.

Argo CD takes the first ref whose short name is the revision, branch before tag, and a short SHA only then; a range of
versions takes the newest tag in it. So a developer could create a branch `v1.4.2` or `4f2c9ab`, or a tag in the
range. GitLab also accepts a branch `refs/tags/v1.4.2`, whose short name is the full name of the tag: such names are
protected, see `SHADOWS`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable

from model.problems import KeyPath, Note
from model.repository import OWN_REGISTRY, Repository
from model.tenant import Tenant
from model.texts import show

_SHA = re.compile(r"[0-9a-f]{40}")
_TAGS = "refs/tags/"
#: Tags that are protected in every repository that is no mirror, beside those of immutable images.
_ALWAYS = "v*"
#: Branches whose short name is the full name of a ref.
SHADOWS = "refs/*"


def protected_tags(tenant: Tenant, repository: Repository) -> tuple[str, ...]:
    """Return the patterns of tags that only maintainers can create.

    A mirror has none: its source may move tags, and nobody can move a protected tag.
    """
    return () if repository.mirror is not None else tuple(sorted({_ALWAYS, *tenant.registry.immutable}))


def check_revisions(tenant: Tenant, stated: Callable[[str, str], KeyPath], note: Note) -> None:
    """Report revisions of production that developers could create; `stated` returns the path of a revision."""
    for repository in tenant.repositories:
        if repository.deployment is None:
            continue
        for environment in tenant.environments:
            revision = repository.deployment.revision.of(environment.name)
            if environment.production and not _safe(tenant, repository, revision):
                note(
                    stated(repository.name, environment.name),
                    f"environment {environment.name} is production and follows {show(revision)}, which a developer "
                    f"could create or move; allowed: {'; '.join(_allowed(tenant, repository))}",
                )


def check_charts(tenant: Tenant, note: Note) -> None:
    """Report charts of the own registry whose version in production could be pushed again.

    Every job of a protected branch can push, with all dependencies that its build runs.
    """
    for repository in tenant.repositories:
        chart = repository.deployment.chart if repository.deployment is not None else None
        if chart is None or chart.source != OWN_REGISTRY:
            continue
        for environment in tenant.environments:
            version = chart.version.of(environment.name)
            fixed = version.startswith("sha256:") or matches(tenant.registry.immutable, version)
            if environment.production and not fixed:
                key = environment.name if environment.name in chart.version.environments else "default"
                patterns = ", ".join(tenant.registry.immutable) or "none here"
                note(
                    ("repositories", repository.name, "chart", "version", key),
                    f"environment {environment.name} is production and deploys version {show(version)} of the chart, "
                    "which any job of a protected branch could push again; allowed: a digest (sha256:...); a version "
                    f"that registry.immutable protects ({patterns})",
                )


def _safe(tenant: Tenant, repository: Repository, revision: str) -> bool:
    if _SHA.fullmatch(revision):
        return True
    if revision.startswith(_TAGS):
        return matches(protected_tags(tenant, repository), revision.removeprefix(_TAGS))
    return matches(repository.protected_branches, revision)


def _allowed(tenant: Tenant, repository: Repository) -> Iterable[str]:
    yield "a whole commit SHA of 40 digits"
    tags = protected_tags(tenant, repository)
    if tags:
        yield f"a protected tag as {_TAGS}NAME ({', '.join(tags)})"
    if repository.protected_branches:
        yield f"a protected branch ({', '.join(repository.protected_branches)})"


def matches(patterns: Iterable[str], name: str) -> bool:
    """Return whether one of GitLab's patterns matches a name: `*` stands for any text."""
    return any(re.fullmatch(".*".join(map(re.escape, pattern.split("*"))), name) for pattern in patterns)
