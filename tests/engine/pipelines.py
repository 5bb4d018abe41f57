"""Isolation of pipelines on a platform of two tenants: `alpha` has a mirror, and one person maintains both."""

from __future__ import annotations

import base64
import itertools
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final
from urllib.parse import quote

import httpx
import jwt

from lab.chain.forge import ForgeClient, RunnerJob
from lab.chain.secrets import JobVault
from lab.chain.transcript import SystemRefusal
from lab.secrets import Secrets
from lab.standins.gitlab import identity
from lab.standins.gitlab.site import GitLabSite
from lab.standins.serve import Configuration
from lab.testing.platforms import TestLab
from tests.engine.tenants import ALPHA_WITHOUT_HARBOR as ALPHA
from tests.engine.tenants import BETA

#: Alpha with a mirror; alpha's owner also maintains beta.
TENANTS: Final = {
    "alpha": ALPHA.rstrip()
    + "\n      copie: {mirror: {url: https://git.example.fr/x.git, schedule: '0 4 * * *', credentials: mirror/x}}\n",
    "beta": BETA.replace("developer: [idris.diallo]", "{developer: [idris.diallo], devops: [alice.martin]}"),
}
SOURCES: Final = (
    *("push", "web", "api", "schedule"),
    *("trigger", "pipeline", "parent_pipeline", "merge_request_event", "chat", "external", "webide"),
)
TRUSTED: Final = frozenset(SOURCES[:4])


@contextmanager
def forges(lab: TestLab) -> Iterator[tuple[ForgeClient, ForgeClient]]:
    """The tenants' projects and the platform's scheduled projects, as people and runners see them."""
    url, token = f"http://127.0.0.1:{lab.home.ports.gitlab}", Secrets.load(lab.home).gitlab_token
    tenants, jobs = ForgeClient(url, token, "tenants"), ForgeClient(url, token, "platform")
    try:
        yield tenants, jobs
    finally:
        tenants.close()
        jobs.close()


def vault(lab: TestLab) -> JobVault:
    return JobVault(f"http://127.0.0.1:{lab.home.ports.openbao}")


def refused(call: Any) -> str:
    """Return the refusal; fail when the request was allowed."""
    try:
        call()
    except SystemRefusal as error:
        return str(error)
    raise AssertionError("allowed")


def log_in(lab: TestLab, role: str, job: RunnerJob) -> JobVault:
    return vault(lab).log_in(role, job.variables["VAULT_ID_TOKEN"])


# The platform's scheduled work ----------------------------------------------------------------------------------------


def scheduled_work(lab: TestLab) -> None:
    """The scheduled job reads only what it needs; the tenant's maintainers see it, but cannot start or change it."""
    lab.vault.secrets.kv.v2.create_or_update_secret("mirror/x", {"username": "u"}, mount_point="alpha")
    with forges(lab) as (_, jobs):
        project = jobs.project("jobs", "alpha")
        (schedule,) = jobs.call("GET", f"{project}/pipeline_schedules")
        assert (schedule["owner"]["username"], schedule["description"]) == ("usine_jobs", "mirror-copie")
        play = f"{project}/pipeline_schedules/{schedule['id']}/play"
        # As GitLab's scheduler does: as the owner.
        jobs.call("POST", play, headers={"Sudo": "usine_jobs"})
        job = jobs.take_job("jobs", "alpha", "mirror-copie", ref="main")
        assert job.variables["GITLAB_USER_LOGIN"] == "usine_jobs"
        assert job.variables["MIRROR_TARGET"] == "tenants/alpha/copie"
        assert job.variables["VAULT_TRUSTED_ROLE"] == "alpha.operations"
        reader = log_in(lab, "alpha.operations", job)
        assert reader.read("alpha", "operations/mirror/copie").keys() == {"token"}
        assert reader.read("alpha", "mirror/x") == {"username": "u"}
        for path in ("ci/registry/push", "env/dev/db"):
            assert "permission denied" in refused(lambda path=path: reader.read("alpha", path))
        for role in ("alpha.ci", "alpha.review", "beta.ci", "beta.review"):
            assert "claim" in refused(lambda role=role: log_in(lab, role, job))
        jobs.finish(job)
        token = jobs.person("alice.martin").token
        mine = {"headers": {"PRIVATE-TOKEN": token}}
        assert jobs.call("GET", f"{project}/pipelines", **mine)[0]["source"] == "schedule"
        attempts: tuple[tuple[str, str, dict[str, Any]], ...] = (
            ("POST", play, {}),
            ("POST", play.replace("/play", "/take_ownership"), {}),
            ("POST", f"{project}/pipeline", {"ref": "main"}),
            ("PUT", project, {"ci_config_path": "mine.yml@tenants/alpha/api"}),
            ("POST", f"{project}/variables", {"key": "MIRROR_SOURCE", "value": "https://elsewhere.example.fr"}),
            ("POST", f"{project}/members", {"user_id": 1, "access_level": 40}),
        )
        for method, path, body in attempts:
            assert "403" in refused(lambda m=method, p=path, b=body: jobs.call(m, p, json=b, **mine)), path
        # Not even an administrator can give it variables.
        given = {"ref": "main", "variables": [{"key": "USINE_TENANT", "value": "beta"}]}
        answer = lab.gitlab.post(f"{project}/pipeline", json=given)
        assert (answer.status_code, "pipeline variables" in answer.text) == (400, True)


# What pipelines include -----------------------------------------------------------------------------------------------


def push_to_the_catalogue(lab: TestLab) -> None:
    """Files on the branch reach no pipeline: neither a team's, nor a mirror's, nor the platform's own."""
    with forges(lab) as (tenants, jobs):
        project = "/projects/platform%2Fcatalogue"

        def push(texts: dict[str, str]) -> None:
            actions = [{"action": "update", "file_path": path, "content": text} for path, text in texts.items()]
            body = {"branch": "main", "commit_message": "By hand", "actions": actions}
            jobs.call("POST", f"{project}/repository/commits", json=body)

        def text_of(path: str) -> str:
            found = jobs.call("GET", f"{project}/repository/files/{quote(path, safe='')}", params={"ref": "main"})
            return base64.b64decode(found["content"]).decode()

        before = {path: text_of(path) for path in ("jobs/base.yml", "off.yml")}
        base = before["jobs/base.yml"].replace("\nvariables:\n", "\nvariables:\n  PUSHED: here\n", 1)
        push({"jobs/base.yml": base, "off.yml": "robbed: {script: [env]}\n"})
        (schedule,) = jobs.call("GET", f"{jobs.project('jobs', 'alpha')}/pipeline_schedules")
        play = f"{jobs.project('jobs', 'alpha')}/pipeline_schedules/{schedule['id']}/play"
        jobs.call("POST", play, headers={"Sudo": "usine_jobs"})
        tenants.call("POST", f"{tenants.project('alpha', 'api')}/pipeline", json={"ref": "main"})
        for forge, *place in ((jobs, "jobs", "alpha", "mirror-copie"), (tenants, "alpha", "api", "quality")):
            job = forge.take_job(*place, ref="main")
            assert (job.variables.get("PUSHED"), job.variables["VAULT_ADDR"][:4]) == (None, "http"), place
            forge.finish(job)
        answer = lab.gitlab.post(f"{tenants.project('alpha', 'copie')}/pipeline", json={"ref": "main"})
        assert (answer.status_code, "pipeline" in answer.text.lower()) == (400, True), answer.text
        # The tag protects it: a pipeline that includes the branch, as a team may write it, runs what was pushed.
        for ref, pushed in (("main", "here"), ("$USINE_CATALOGUE_TAG", None)):
            include = f"{{project: platform/catalogue, ref: {ref}, file: /presets/generic.yml}}"
            action = {"action": "update", "file_path": ".gitlab-ci.yml", "content": f"include: [{include}]\n"}
            body = {"branch": "main", "commit_message": "[skip ci]", "actions": [action]}
            tenants.call("POST", f"{tenants.project('alpha', 'api')}/repository/commits", json=body)
            tenants.call("POST", f"{tenants.project('alpha', 'api')}/pipeline", json={"ref": "main"})
            job = tenants.take_job("alpha", "api", "quality", ref="main")
            assert job.variables.get("PUSHED") == pushed
            tenants.finish(job)
        push(before)


# From one tenant into another -----------------------------------------------------------------------------------------


def maintainer_of_both(lab: TestLab) -> None:
    """GitLab lets a job of beta start alpha's protected pipeline for a person of both; it gets no rights in OpenBao."""
    with forges(lab) as (tenants, _):
        _give_a_containerfile(tenants)
        headers = {"PRIVATE-TOKEN": tenants.person("alice.martin").token}
        source = tenants.project("beta", "api")
        result: dict[str, Any] = {}
        for name, text in (
            ("plain", "go: {trigger: {project: tenants/alpha/api, branch: main}}\n"),
            ("with", "go: {variables: {A: b}, trigger: {project: tenants/alpha/api, branch: main}}\n"),
            ("jobs", "go: {trigger: {project: platform/jobs/alpha, branch: main}}\n"),
        ):
            action = {"action": "create", "file_path": ".gitlab-ci.yml", "content": text}
            known = tenants.call("GET", f"{source}/repository/tree", params={"ref": "main"})
            if any(one["path"] == ".gitlab-ci.yml" for one in known):
                action["action"] = "update"
            body = {"branch": "main", "commit_message": "[skip ci]", "actions": [action]}
            tenants.call("POST", f"{source}/repository/commits", json=body, headers=headers)
            made = tenants.call("POST", f"{source}/pipeline", json={"ref": "main"}, headers=headers)
            (bridge,) = tenants.call("GET", f"{source}/pipelines/{made['id']}/bridges")
            result[name] = bridge.get("failure_reason") or bridge["downstream_pipeline"]["source"]
        assert result == {
            "plain": "pipeline",
            "with": "downstream_pipeline_creation_failed",
            "jobs": "insufficient_bridge_permissions",
        }
        # The job of the image: a pipeline with this source has none that analyses.
        job = tenants.take_job("alpha", "api", "container", ref="main")
        claims = jwt.decode(job.variables["VAULT_ID_TOKEN"], options={"verify_signature": False})
        assert (claims["pipeline_source"], claims["ref_protected"]) == ("pipeline", "true")
        assert "pipeline_source" in refused(lambda: log_in(lab, "alpha.ci", job))
        log_in(lab, "alpha.review", job)
        tenants.finish(job)


def _give_a_containerfile(tenants: ForgeClient) -> None:
    """Commit a Containerfile to alpha's repository, without which no pipeline there has a job of the image."""
    project = tenants.project("alpha", "api")
    known = tenants.call("GET", f"{project}/repository/tree", params={"ref": "main"})
    if all(one["path"] != "Containerfile" for one in known):
        action = {"action": "create", "file_path": "Containerfile", "content": "FROM scratch\n"}
        body = {"branch": "main", "commit_message": "[skip ci]", "actions": [action]}
        tenants.call("POST", f"{project}/repository/commits", json=body)


# Every combination of claims ------------------------------------------------------------------------------------------


def combinations(lab: TestLab) -> int:
    """Log in with each combination of a job's claims, signed with GitLab's key; return the number of combinations."""
    site = _site(lab)
    roles = {
        role: lab.vault.read(f"auth/gitlab/role/{role}")["data"]["bound_claims"]
        for role in ("alpha.ci", "alpha.ci.dev", "alpha.ci.prod", "alpha.review", "alpha.operations")
    }
    assert "environment_protected" not in roles["alpha.ci.prod"], "the lab's GitLab protects no environment"
    group, own = roles["alpha.ci"]["namespace_id"][0], roles["alpha.ci"]["project_id"][0]
    jobs = roles["alpha.operations"]["project_id"][0]
    other = lab.vault.read("auth/gitlab/role/beta.ci")["data"]["bound_claims"]["namespace_id"][0]
    now = int(time.time())
    audience = f"http://127.0.0.1:{lab.home.ports.openbao}"
    base = {"iss": site.url, "aud": audience, "iat": now, "nbf": now - 5, "exp": now + 600}
    tried = 0
    with httpx.Client(base_url=f"http://127.0.0.1:{lab.home.ports.openbao}/v1", trust_env=False) as bao:
        for where, protected, kind, source, (ref, environment) in itertools.product(
            # A project of the tenant, its mirror, the platform's project for it, another tenant's project with an id of
            # this one.
            (("app", group, own), ("mirror", group, "0"), ("jobs", "0", jobs), ("foreign", other, own)),
            ("true", "false"),
            ("branch", "tag"),
            SOURCES,
            (("main", None), ("x", None), ("main", "dev"), ("main", "prod"), ("main", "prod/eu")),
        ):
            if ref == "x" and where[0] != "jobs":
                continue
            few = kind == "branch" and source in {"push", "merge_request_event"} and where[0] in {"app", "foreign"}
            if environment and not few:
                continue
            token = identity.sign(
                site,
                {
                    **base,
                    **{"namespace_id": where[1], "project_id": where[2], "project_path": "x", "ref": ref},
                    **{"ref_protected": protected, "ref_type": kind, "pipeline_source": source},
                    # GitLab leaves them out for a job without an environment.
                    **({"environment": environment, "environment_protected": "false"} if environment else {}),
                },
            )
            trusted = where[0] == "app" and protected == "true" and source in TRUSTED
            expected = {
                "alpha.ci": trusted,
                "alpha.ci.dev": trusted and environment == "dev",
                "alpha.ci.prod": trusted and environment == "prod",
                "alpha.review": where[0] in {"app", "mirror"},
                "alpha.operations": (where[0], protected, kind, source, ref)
                == ("jobs", "true", "branch", "schedule", "main"),
            }
            for role, allowed in expected.items():
                if role.startswith("alpha.ci.") and not environment and not trusted:
                    continue  # it is bound to everything that `alpha.ci` is bound to
                answer = bao.post("/auth/gitlab/login", json={"role": role, "jwt": token})
                assert (answer.status_code == 200) is allowed, (
                    role,
                    where,
                    protected,
                    kind,
                    source,
                    ref,
                    environment,
                    answer.text,
                )
                tried += 1
    return tried


def _site(lab: TestLab) -> GitLabSite:
    """Return the stand-in's data, which has its signing key."""
    url = f"http://127.0.0.1:{lab.home.ports.gitlab}"
    return GitLabSite.open(Configuration(lab.home.ports.gitlab, url, lab.home.data / "gitlab" / "site", "", {}))
