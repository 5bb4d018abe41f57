"""The steps of the scenario: a tenant's chain, and attempts that must be refused."""

from __future__ import annotations

import base64
import json
import secrets
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

from lab.chain.analysis import Analysis
from lab.chain.forge import AuthenticatedGit, ForgeClient, GitCredential, RunnerJob
from lab.chain.registry import RegistryClient
from lab.chain.secrets import JobVault
from lab.chain.transcript import Transcript
from lab.home import LabHome
from lab.secrets import Secrets
from lab.servers.argocd import NAMESPACE
from lab.servers.kubernetes import admin_client

_BRANCH = "attempt"
#: A pipeline of a developer who may push only unprotected branches, and tries to read secrets of protected ones.
_ATTEMPT = """\
attempt:
  script: [id]
  rules: [{when: on_success}]
  id_tokens:
    VAULT_ID_TOKEN: {aud: $VAULT_ADDR}
    OTHER_ID_TOKEN: {aud: https://elsewhere.example.fr}
"""
_SOURCES = {
    "Containerfile": "FROM scratch\nCOPY app.py /\n",
    "app.py": "def add(a: int, b: int) -> int:\n    return a + b\n",
}


@dataclass(frozen=True, slots=True)
class WalkedTenant:
    """What the scenario needs of a tenant: an app and an infra repository, an environment, and two users.

    `namespace` belongs to the environment. With `repository_secret`, Argo CD clones the infra repository.
    """

    slug: str
    app: str
    infra: str
    namespace: str
    repository_secret: str
    maintainer: str
    developer: str


@dataclass(frozen=True, slots=True, repr=False)
class FoundCredentials:
    """Credentials of a tenant's pipelines and clusters, collected by the steps. `repr` shows none."""

    robot: Mapping[str, str]
    puller: tuple[str, str]
    reader: GitCredential
    analysis_token: str


class Chain:
    """The scenario, on one platform."""

    def __init__(self, home: LabHome, root: str, analysis: Analysis, transcript: Transcript) -> None:
        """`root` is the group in GitLab that contains all tenants."""
        base = "http://127.0.0.1"
        self._harbor = f"{base}:{home.ports.harbor}"
        self._openbao = f"{base}:{home.ports.openbao}"
        self._forge = ForgeClient(f"{base}:{home.ports.gitlab}", Secrets.load(home).gitlab_token, root)
        self._kubernetes = admin_client(home)
        self._analysis = analysis
        self._log = transcript
        self._tag = f"v{secrets.token_hex(4)}"

    def walk(self, own: WalkedTenant, other: WalkedTenant) -> None:
        """Run the whole scenario. Raises LabError when a step that later steps need is refused or fails."""
        try:
            with tempfile.TemporaryDirectory(prefix="usine-chain-") as folder:
                self._deliver(own, Path(folder) / "own")
                theirs = self._deliver(other, Path(folder) / "other")
                self._try_as_other_tenant(own, other, theirs, Path(folder) / "trespass")
                self._try_as_developer(own, Path(folder) / "attempt")
        finally:
            self._forge.close()
            self._kubernetes.close()

    # What must work --------------------------------------------------------------------------------------------------

    def _deliver(self, tenant: WalkedTenant, folder: Path) -> FoundCredentials:
        """Push, build, analyse and deploy, as the tenant does to deliver to production."""
        log, forge, who = self._log, self._forge, f"{tenant.slug}, pipeline of main"
        folder.mkdir()
        person = forge.person(tenant.maintainer)
        checkout = self._push(tenant, person, folder)
        job = forge.take_job(tenant.slug, tenant.app, "quality", ref="main")
        vault = log.allowed(
            who, f"log in to OpenBao as {tenant.slug}.ci", lambda: self._log_in(f"{tenant.slug}.ci", job)
        )
        token = log.allowed(
            who, "read the analysis token", lambda: vault.read(tenant.slug, f"ci/quality/{tenant.app}")
        )["token"]
        log.allowed(
            who,
            "analyse the code in SonarQube",
            lambda: self._analysis.run(f"{tenant.slug}:{tenant.app}", token, checkout),
        )
        forge.finish(job)
        job = forge.take_job(tenant.slug, tenant.app, "container", ref="main")
        vault = self._log_in(f"{tenant.slug}.ci", job)
        robot = log.allowed(who, "read the push robot", lambda: vault.read(tenant.slug, "ci/registry/push"))
        content = secrets.token_bytes(2048)
        push = self._registry(tenant, robot["username"], robot["password"])
        log.allowed(
            who, f"push {tenant.slug}/{tenant.app}:{self._tag} to Harbor", lambda: push.push(self._tag, content)
        )
        log.refused(who, "push another image under that immutable tag", lambda: push.push(self._tag, b"another"))
        forge.finish(job)
        log.refused(who, "clone with the token of a finished job", lambda: self._clone(job, tenant, folder / "late"))
        puller = self._pull_secret(tenant)
        cluster = f"{tenant.slug}, namespace {tenant.namespace}"
        pulled = log.allowed(
            cluster, "pull with the namespace's secret", lambda: self._registry(tenant, *puller).pull(self._tag)
        )
        if pulled != content:
            raise AssertionError("the pulled image is not the pushed image")
        log.refused(cluster, "push with it", lambda: self._registry(tenant, *puller).push("x", b"x"))
        reader, url = self._repository_secret(tenant)
        argocd = f"{tenant.slug}, Argo CD"
        log.allowed(
            argocd,
            "clone the infra repository",
            lambda: AuthenticatedGit(reader).run("clone", "-q", url, str(folder / "infra")),
        )
        log.refused(argocd, "push to it", lambda: self._push_something(AuthenticatedGit(reader), folder / "infra"))
        return FoundCredentials(robot, puller, reader, token)

    def _push(self, tenant: WalkedTenant, person: GitCredential, folder: Path) -> Path:
        log, who = self._log, f"{tenant.slug}, {tenant.maintainer}"
        git, checkout = AuthenticatedGit(person), folder / "app"
        url = self._forge.clone_url(tenant.slug, tenant.app)
        log.allowed(who, f"clone {tenant.slug}/{tenant.app}", lambda: git.run("clone", "-q", url, str(checkout)))
        for name, text in _SOURCES.items():
            (checkout / name).write_text(text, encoding="utf-8")
        (checkout / "version").write_text(self._tag, encoding="utf-8")
        git.run("add", "--all", folder=checkout)
        git.run("commit", "-q", "-m", f"Version {self._tag}", folder=checkout)
        log.allowed(
            who,
            "push to the protected branch main",
            lambda: git.run("push", "-q", "origin", "HEAD:main", folder=checkout),
        )
        return checkout

    # As another tenant -----------------------------------------------------------------------------------------------

    def _try_as_other_tenant(
        self, own: WalkedTenant, other: WalkedTenant, theirs: FoundCredentials, folder: Path
    ) -> None:
        """Try to get in with all credentials of the other tenant."""
        log, forge, who = self._log, self._forge, f"{other.slug}, on {own.slug}'s"
        folder.mkdir()
        git = AuthenticatedGit(forge.person(other.maintainer))
        url = forge.clone_url(own.slug, own.app)
        log.refused(who, "clone the repository as a user", lambda: git.run("clone", "-q", url, str(folder / "a")))
        checkout = folder / "again"
        git.run("clone", "-q", forge.clone_url(other.slug, other.app), str(checkout))
        git.run("commit", "-q", "--allow-empty", "-m", "Again", folder=checkout)
        git.run("push", "-q", "origin", "HEAD:main", folder=checkout)
        job = forge.take_job(other.slug, other.app, "quality", ref="main")
        log.refused(who, f"log in to OpenBao as {own.slug}.ci", lambda: self._log_in(f"{own.slug}.ci", job))
        log.refused(who, f"log in to OpenBao as {own.slug}.review", lambda: self._log_in(f"{own.slug}.review", job))
        vault = self._log_in(f"{other.slug}.ci", job)
        log.refused(who, "read the push robot", lambda: vault.read(own.slug, "ci/registry/push"))
        log.refused(who, "clone the repository with a job's token", lambda: self._clone(job, own, folder / "b"))
        forge.finish(job)
        robot = self._registry(own, theirs.robot["username"], theirs.robot["password"])
        log.refused(who, "push an image with the push robot", lambda: robot.push(self._tag, b"x"))
        log.refused(who, "pull the image with the push robot", lambda: robot.pull(self._tag))
        puller = self._registry(own, *theirs.puller)
        log.refused(who, "pull the image with the namespace's secret", lambda: puller.pull(self._tag))
        infra = forge.clone_url(own.slug, own.infra)
        log.refused(
            who,
            "clone the infra repository",
            lambda: AuthenticatedGit(theirs.reader).run("clone", "-q", infra, str(folder / "c")),
        )
        log.refused(
            who,
            "analyse code in the project",
            lambda: self._analysis.run(f"{own.slug}:{own.app}", theirs.analysis_token, checkout),
        )

    # From an unprotected branch, and from a merge request ------------------------------------------------------------

    def _try_as_developer(self, tenant: WalkedTenant, folder: Path) -> None:
        """Try to get in as a developer of the same tenant, with a modified pipeline."""
        log, forge = self._log, self._forge
        who = f"{tenant.slug}, {tenant.developer}"
        folder.mkdir()
        person = forge.person(tenant.developer)
        git, checkout = AuthenticatedGit(person), folder / "app"
        git.run("clone", "-q", forge.clone_url(tenant.slug, tenant.app), str(checkout))
        branch = f"{_BRANCH}-{self._tag}"
        (checkout / ".gitlab-ci.yml").write_text(_ATTEMPT, encoding="utf-8")
        git.run("commit", "-q", "--all", "-m", "A pipeline of my own", folder=checkout)
        log.refused(
            who,
            "push to the protected branch main",
            lambda: git.run("push", "-q", "origin", "HEAD:main", folder=checkout),
        )
        log.refused(
            who, "create a protected tag", lambda: git.run("push", "-q", "origin", "HEAD:refs/tags/v9", folder=checkout)
        )
        log.allowed(who, "push a branch", lambda: git.run("push", "-q", "origin", f"HEAD:{branch}", folder=checkout))
        job = forge.take_job(tenant.slug, tenant.app, "attempt", ref=branch)
        self._check_unprotected_job(tenant, f"{tenant.slug}, unprotected branch", job)
        forge.finish(job)
        number = log.allowed(
            who, "open a merge request", lambda: forge.open_merge_request(person, tenant.slug, tenant.app, branch)
        )
        job = forge.take_job(tenant.slug, tenant.app, "attempt", ref=f"refs/merge-requests/{number}/head")
        self._check_unprotected_job(tenant, f"{tenant.slug}, merge request", job)
        forge.finish(job)

    def _check_unprotected_job(self, tenant: WalkedTenant, who: str, job: RunnerJob) -> None:
        """Check that a job of an unprotected branch can only pull."""
        log, slug = self._log, tenant.slug
        log.refused(who, f"log in to OpenBao as {slug}.ci", lambda: self._log_in(f"{slug}.ci", job))
        log.refused(
            who,
            "log in with an ID token for another audience",
            lambda: self._log_in(f"{slug}.review", job, "OTHER_ID_TOKEN"),
        )
        vault = log.allowed(who, f"log in to OpenBao as {slug}.review", lambda: self._log_in(f"{slug}.review", job))
        log.refused(who, "read the push robot", lambda: vault.read(slug, "ci/registry/push"))
        log.refused(who, "read the analysis token", lambda: vault.read(slug, f"ci/quality/{tenant.app}"))
        robot = log.allowed(who, "read the pull robot", lambda: vault.read(slug, "review/registry/pull"))
        registry = self._registry(tenant, robot["username"], robot["password"])
        log.allowed(who, "pull an image with it", lambda: registry.pull(self._tag))
        log.refused(who, "push an image with it", lambda: registry.push("x", b"x"))

    # Each tool -------------------------------------------------------------------------------------------------------

    def _log_in(self, role: str, job: RunnerJob, identity: str = "VAULT_ID_TOKEN") -> JobVault:
        return JobVault(self._openbao).log_in(role, job.variables[identity])

    def _registry(self, tenant: WalkedTenant, user: str, password: str) -> RegistryClient:
        return RegistryClient(self._harbor, f"{tenant.slug}/{tenant.app}", user, password)

    def _clone(self, job: RunnerJob, tenant: WalkedTenant, folder: Path) -> str:
        credential = GitCredential("gitlab-ci-token", job.token)
        return AuthenticatedGit(credential).run(
            "clone", "-q", self._forge.clone_url(tenant.slug, tenant.app), str(folder)
        )

    @staticmethod
    def _push_something(git: AuthenticatedGit, checkout: Path) -> str:
        git.run("commit", "-q", "--allow-empty", "-m", "Something", folder=checkout)
        return git.run("push", "-q", "origin", "HEAD:refs/heads/something", folder=checkout)

    def _secret(self, namespace: str, name: str) -> dict[str, str]:
        answer = self._kubernetes.get(f"/api/v1/namespaces/{quote(namespace)}/secrets/{quote(name)}")
        answer.raise_for_status()
        content: dict[str, Any] = answer.json()["data"]
        return {key: base64.b64decode(value).decode() for key, value in content.items()}

    def _pull_secret(self, tenant: WalkedTenant) -> tuple[str, str]:
        config = json.loads(self._secret(tenant.namespace, "usine-registry")[".dockerconfigjson"])
        entry = config["auths"][self._harbor.removeprefix("http://")]
        return entry["username"], entry["password"]

    def _repository_secret(self, tenant: WalkedTenant) -> tuple[GitCredential, str]:
        content = self._secret(NAMESPACE, tenant.repository_secret)
        return GitCredential(content["username"], content["password"]), content["url"]
