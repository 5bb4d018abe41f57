"""Promotion of an image: which branch of the infra repository gets which digest. See docs/deploy.md."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from usine_ci.infra import ATTEMPTS, InfraRepository, MovedError
from usine_ci.problems import RefusedError
from usine_ci.text import clean

DIRECT: Final = "direct"
MERGE_REQUEST: Final = "merge-request"
_PROMOTION: Final = re.compile(
    rf"(?P<app>[a-z0-9](?:-?[a-z0-9])*)/(?P<environment>[a-z][a-z0-9]{{1,10}})=(?P<way>{DIRECT}|{MERGE_REQUEST})"
)
_DIGEST: Final = re.compile(r"sha256:[0-9a-f]{64}")
_REVISION: Final = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")
_IMAGE: Final = re.compile(r"[a-z0-9.-]+(?::[0-9]{1,5})?(?:/[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*)+")


@dataclass(frozen=True, slots=True)
class Promotion:
    """One application, one environment, and the way: `direct` or `merge-request`."""

    app: str
    environment: str
    way: str

    @property
    def branch(self) -> str:
        """The branch that it writes."""
        if self.way == DIRECT:
            return f"deploy/{self.environment}"
        return f"promote/{self.app}/{self.environment}"


@dataclass(frozen=True, slots=True)
class Image:
    """The image to promote: its repository in the registry, its digest, and the commit that it was built from."""

    repository: str
    digest: str
    revision: str

    def __post_init__(self) -> None:
        """Raise RefusedError for a value that is none of these."""
        for what, value, pattern in (
            ("the image's repository", self.repository, _IMAGE),
            ("the image's digest", self.digest, _DIGEST),
            ("the commit", self.revision, _REVISION),
        ):
            if pattern.fullmatch(value) is None:
                raise RefusedError(f"{what} is expected, such as {_EXAMPLES[pattern]}, not {clean(value) or 'nothing'}")

    def values(self, app: str) -> str:
        """Return the value file of an application."""
        content = {"repository": self.repository, "digest": self.digest, "revision": self.revision}
        lines = "".join(f"    {key}: {json.dumps(value)}\n" for key, value in content.items())
        return f"# Written by the promotion of {app}: a change made here is lost.\nimages:\n  {app}:\n{lines}"


_EXAMPLES: Final = {
    _IMAGE: "registry.example.fr/tenant/app",
    _DIGEST: "sha256: and 64 digits, which the job that pushes the image passes on",
    _REVISION: "40 digits",
}


@dataclass(frozen=True, slots=True)
class Target:
    """The infra repository: the server, its path there, the folder of its chart, and all promotions into it."""

    server: str
    repository: str
    folder: str
    promotions: Sequence[Promotion]
    token: str

    def file(self, promotion: Promotion) -> str:
        """Return the path of an application's value file in the repository."""
        path = f"images/{promotion.environment}/{promotion.app}.yaml"
        return path if self.folder in {"", "."} else f"{self.folder}/{path}"


def target_of(environ: Mapping[str, str] = os.environ) -> Target:
    """Return the target from the job's variables. Raises RefusedError if one is missing or wrong."""
    names = ("CI_SERVER_URL", "USINE_DEPLOY_REPOSITORY", "USINE_DEPLOY_PATH", "USINE_PROMOTIONS", "DEPLOY_TOKEN")
    if missing := [name for name in names if not environ.get(name)]:
        raise RefusedError(f"the job has no {', '.join(missing)}: the platform sets them from the key `deploys`")
    server, repository, folder, listed, token = (environ[name] for name in names)
    return Target(server, repository, folder, parse_promotions(listed), token)


def parse_promotions(listed: str) -> list[Promotion]:
    """Return the promotions of the variable USINE_PROMOTIONS. Raises RefusedError."""
    promotions = []
    for word in listed.split():
        match = _PROMOTION.fullmatch(word)
        if match is None:
            raise RefusedError(f"USINE_PROMOTIONS: {clean(word)}: expected <application>/<environment>=<way>")
        promotions.append(Promotion(**match.groupdict()))
    return promotions


def deploy(
    repository: InfraRepository, target: Target, environment: str, new: Mapping[str, str], message: str
) -> str | None:
    """Bring the branch of an environment up to date, with these files. Returns its new commit; None if it is that.

    The branch is the default branch and the files of the applications that are promoted directly. Its history is never
    rewritten, so it is the journal of what was deployed, and the server refuses the slower of two pushes.
    """
    direct = [p for p in target.promotions if p.environment == environment and p.way == DIRECT]
    branch = direct[0].branch
    for _ in range(ATTEMPTS):
        base, old = _head(repository), repository.head(branch)
        paths = [target.file(promotion) for promotion in direct]
        kept = {path: text for path in paths if old and (text := repository.read(old, path)) is not None}
        tree = repository.tree_with(base, {**kept, **new})
        if old is not None and tree == repository.tree(old) and repository.is_ancestor(base, old):
            return None
        parents = [base] if old is None or repository.is_ancestor(old, base) else [old]
        if parents == [old] and not repository.is_ancestor(base, str(old)):
            parents.append(base)
        commit = repository.commit(tree, parents, message)
        try:
            # No pipeline: nothing is built from this branch, and Argo CD follows it.
            repository.push(commit, branch, options=("ci.skip",))
        except MovedError:
            repository.fetch()
            continue
        return commit
    raise RefusedError(f"{branch} moved {ATTEMPTS} times while this job pushed: start it again")


def propose(repository: InfraRepository, target: Target, promotion: Promotion, image: Image, about: str) -> str | None:
    """Open or update the merge request of a promotion. Returns its address; None if the default branch has the image.

    The branch is always one commit on the default branch, so it never conflicts, and one merge request has the newest
    digest.
    """
    base, old, path = _head(repository), repository.head(promotion.branch), target.file(promotion)
    tree = repository.tree_with(base, {path: image.values(promotion.app)})
    if tree == repository.tree(base):
        if old is not None and repository.made_by_us(old):
            repository.delete(promotion.branch, old)
        return None
    title = f"Promote {promotion.app} to {promotion.environment}: {image.digest[:19]}"
    if old is not None and tree == repository.tree(old):
        return "already proposed"
    commit = repository.commit(tree, [base], f"{title}\n\n{about}\n")
    pushed = repository.push(
        commit,
        promotion.branch,
        replaces=old or "",
        options=(
            "merge_request.create",
            f"merge_request.target={repository.default_branch}",
            f"merge_request.title={title}",
            f"merge_request.description={about}".replace("\n", "\\n"),
            "merge_request.remove_source_branch",
        ),
    )
    return pushed.link or f"branch {promotion.branch}"


def tidy(repository: InfraRepository, target: Target) -> list[str]:
    """Delete the branches of promotions that are merged or no longer declared; GitLab closes their merge requests.

    A branch whose last commit somebody else made stays. Returns the deleted branches.
    """
    base = _head(repository)
    wanted = {promotion.branch: promotion for promotion in target.promotions if promotion.way == MERGE_REQUEST}
    deleted = []
    for branch in repository.branches("promote/"):
        head = repository.head(branch)
        if head is None or not repository.made_by_us(head):
            continue
        promotion = wanted.get(branch)
        path = target.file(promotion) if promotion is not None else None
        if path is None or repository.read(head, path) == repository.read(base, path):
            repository.delete(branch, head)
            deleted.append(branch)
    return deleted


def _head(repository: InfraRepository) -> str:
    head = repository.head(repository.default_branch)
    if head is None:
        raise RefusedError(f"the infra repository has no branch {repository.default_branch}")
    return head
