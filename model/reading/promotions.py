"""The checks of the key `deploys`: what it names is in the file, and production changes by merge requests only."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import Protocol

from model.problems import KeyPath
from model.promotion import DEPLOY_BRANCHES, PROMOTION_BRANCHES, deploy_branch, promotion_branch
from model.repository import Promotion, Repository, RepositoryKind
from model.revisions import matches
from model.tenant import Tenant
from model.texts import did_you_mean, enumerate_words, show


class Note(Protocol):
    """Takes a finding."""

    def __call__(self, path: KeyPath, message: str, *, at_key: bool = False) -> None:
        """Report what is wrong at a path."""


def check_promotions(
    tenant: Tenant,
    environments: Collection[str],
    repositories: Collection[str],
    wrong: Collection[KeyPath],
    note: Note,
) -> None:
    """Report what is wrong with the keys `deploys` of a file.

    `environments` and `repositories` are all names of the file. `wrong` are the paths of values that are left out.
    """
    by_name = {repository.name: repository for repository in tenant.repositories}
    production = {environment.name for environment in tenant.environments if environment.production}
    for application in tenant.repositories:
        deploys = application.deploys
        if deploys is None:
            continue
        path: KeyPath = ("repositories", application.name, "deploys")
        if ("repositories", application.name, "kind") not in wrong:
            for message in _application(application):
                note(path, f"repositories.{application.name}: {message}", at_key=True)
        for name, way in deploys.environments.items():
            key = (*path, "environments", name)
            if name not in environments:
                hint = did_you_mean(name, environments)
                note(key, f"no such environment in this file: {show(name)}; {hint}", at_key=True)
            elif name in production and way is Promotion.DIRECT:
                note(
                    key,
                    f"environment {name} is production: only people deploy there, so no pipeline writes to it "
                    f"directly; allowed: {Promotion.MERGE_REQUEST}",
                )
        target = by_name.get(deploys.repository)
        if target is None:
            if deploys.repository not in repositories:
                hint = did_you_mean(deploys.repository, [r.name for r in tenant.repositories if _holds_digests(r)])
                note((*path, "repository"), f"no such repository in this file: {show(deploys.repository)}; {hint}")
        elif not {("repositories", target.name, key) for key in ("kind", "mirror")} & set(wrong):
            if _holds_digests(target):
                _check_branches(application, target, note)
            else:
                allowed = enumerate_words(r.name for r in tenant.repositories if _holds_digests(r)) or "none"
                note(
                    (*path, "repository"),
                    f"{target.name} is {_instead(target)}; a repository of kind infra is expected, "
                    f"allowed here: {allowed}",
                )


def _holds_digests(repository: Repository) -> bool:
    deployment = repository.deployment
    return deployment is not None and repository.mirror is None and not deployment.each_folder


def _instead(repository: Repository) -> str:
    """Return why a repository holds no digests."""
    if repository.mirror is not None:
        return "a mirror, which only its source changes"
    if repository.deployment is not None:
        return "a repository with an application in each folder (eachFolder)"
    return f"of kind {repository.kind}"


def _application(repository: Repository) -> Iterator[str]:
    if repository.kind is not RepositoryKind.APP:
        yield f"deploys is for repositories of kind app; this one has kind {repository.kind}"
    if repository.mirror is not None:
        yield "a mirror has no pipeline that publishes, so it deploys nothing: leave out deploys"


def _check_branches(application: Repository, target: Repository, note: Note) -> None:
    """Report revisions and protections of the infra repository that a promotion would not get past."""
    deploys = application.deploys
    if deploys is None or target.deployment is None:
        raise ValueError(f"{application.name} deploys nothing, or {target.name} is no infra repository")
    first = target.default_branch.partition("/")[0]
    if first in {DEPLOY_BRANCHES, PROMOTION_BRANCHES}:
        note(
            ("repositories", target.name, "defaultBranch"),
            f"promotions of {application.name} write branches below {first}/: the default branch needs another name",
        )
    for environment, way in deploys.environments.items():
        direct = way is Promotion.DIRECT
        branch = deploy_branch(environment) if direct else promotion_branch(application.name, environment)
        if direct and environment in target.deployment.revision.environments:
            note(
                ("repositories", target.name, "revision", environment),
                f"{application.name} is promoted directly to {environment}, which therefore follows {branch}: leave "
                f"out this revision, or promote by {Promotion.MERGE_REQUEST}",
                at_key=True,
            )
        for pattern in target.protected_branches:
            if matches((pattern,), branch) and pattern != target.default_branch:
                note(
                    ("repositories", target.name, "protectedBranches"),
                    f"{show(pattern)} protects {branch}, which the promotion of {application.name} writes; only "
                    "maintainers push to a protected branch, and a pipeline does not",
                )
