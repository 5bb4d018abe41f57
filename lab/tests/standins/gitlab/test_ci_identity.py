"""CI ID tokens: claims, published keys, and verification by a real OpenBao."""

from __future__ import annotations

import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import jwt
import pytest

from lab.standins.gitlab import identity
from lab.standins.gitlab.site import GitLabSite
from lab.standins.serve import Configuration
from lab.testing.ci_client import Runner, branch, commit, project_runner, variables
from lab.testing.gitlab_server import ROOT_TOKEN, LiveGitLab, live_gitlab
from lab.testing.names import name
from lab.tests.plugins import servers

AUDIENCE = "https://vault.test"
CONFIG = f"""
job:
  script: [x]
  environment: {{name: prod, deployment_tier: production}}
  variables: {{WHERE: vault}}
  id_tokens:
    ID_TOKEN: {{aud: '{AUDIENCE}'}}
    SEVERAL: {{aud: ['https://$WHERE.one', 'https://two']}}
  rules: [{{if: $CI_COMMIT_BRANCH}}, {{if: $CI_COMMIT_TAG}}, {{if: '$CI_PIPELINE_SOURCE == "merge_request_event"'}}]
"""


@pytest.fixture
def runner(live: LiveGitLab, seeded: Any) -> Runner:
    """Return a runner after the first job of the committed configuration was taken."""
    commit(seeded, {".gitlab-ci.yml": CONFIG}, message="[skip ci]")
    return project_runner(live, seeded)


def verified(live: LiveGitLab, token: str, audience: str = AUDIENCE) -> dict[str, Any]:
    """Return the claims after a verification that uses only the issuer's URL, as libraries do."""
    found = httpx.get(f"{live.url}/.well-known/openid-configuration", trust_env=False).json()
    keys = jwt.PyJWKSet.from_dict(httpx.get(found["jwks_uri"], trust_env=False).json())
    key = keys[jwt.get_unverified_header(token)["kid"]]
    return dict(jwt.decode(token, key, algorithms=["RS256"], audience=audience, issuer=found["issuer"]))


def test_claims(live: LiveGitLab, seeded: Any, group: Any, runner: Runner) -> None:
    pipeline = seeded.pipelines.create({"ref": "main"})
    job = runner.must_take()
    claims = verified(live, variables(job)["ID_TOKEN"])
    user = live.root.users.list(username="root")[0]
    assert claims["exp"] - claims["iat"] == 3600
    assert claims["iat"] - claims["nbf"] == 5
    assert len(claims["jti"]) == 36
    expected = {
        "iss": live.url,
        "aud": AUDIENCE,
        "sub": f"project_path:{seeded.path_with_namespace}:ref_type:branch:ref:main",
        "namespace_id": str(group.id),
        "namespace_path": group.full_path,
        "project_id": str(seeded.id),
        "project_path": seeded.path_with_namespace,
        "user_id": str(user.id),
        "user_login": "root",
        "user_email": "admin@example.com",
        "pipeline_id": str(pipeline.id),
        "pipeline_source": "api",
        "job_id": str(job["id"]),
        "job_project_id": str(seeded.id),
        "job_project_path": seeded.path_with_namespace,
        "job_namespace_id": str(group.id),
        "ref": "main",
        "ref_type": "branch",
        "ref_path": "refs/heads/main",
        "ref_protected": "true",
        "environment": "prod",
        "environment_protected": "false",
        "environment_action": "start",
        "deployment_tier": "production",
        "runner_environment": "self-hosted",
        "sha": pipeline.sha,
        "project_visibility": "private",
        "ci_config_ref_uri": f"{live.url.split('://')[1]}/{seeded.path_with_namespace}//.gitlab-ci.yml@refs/heads/main",
        "ci_config_sha": pipeline.sha,
    }
    assert {key: claims.get(key) for key in expected} == expected
    assert claims["runner_id"] == int(variables(job)["CI_RUNNER_ID"])
    assert "user_access_level" in claims
    several = verified(live, variables(job)["SEVERAL"], "https://two")
    assert several["aud"] == ["https://vault.one", "https://two"]
    with pytest.raises(jwt.InvalidAudienceError):
        verified(live, variables(job)["ID_TOKEN"], "https://other.test")


def test_refs(live: LiveGitLab, seeded: Any, runner: Runner) -> None:
    branch(seeded, "side")
    seeded.pipelines.create({"ref": "side"})
    side = verified(live, variables(runner.must_take())["ID_TOKEN"])
    assert (side["ref_protected"], side["ref"], side["sub"].rpartition(":")[2]) == ("false", "side", "side")
    seeded.tags.create({"tag_name": "v1", "ref": "main"})
    seeded.pipelines.create({"ref": "v1"})
    tag = verified(live, variables(runner.must_take())["ID_TOKEN"])
    assert (tag["ref_type"], tag["ref_path"], tag["ref_protected"]) == ("tag", "refs/tags/v1", "false")


def test_the_claims_of_an_environment(premium: LiveGitLab) -> None:
    """A job without one has none of them; only the edition that protects environments says that one is protected."""
    project = premium.root.projects.create({"name": name("p"), "initialize_with_readme": True})
    config = CONFIG.replace("job:", "prod:") + CONFIG.replace("job:", "dev:").replace("name: prod", "name: dev")
    plain = CONFIG.replace("job:", "plain:").replace("  environment: {name: prod, deployment_tier: production}\n", "")
    commit(project, {".gitlab-ci.yml": config + plain}, message="[skip ci]")
    premium.root.http_post(
        f"/projects/{project.id}/protected_environments",
        post_data={"name": "prod", "deploy_access_levels": [{"access_level": 40}]},
    )
    runner = project_runner(premium, project)
    project.pipelines.create({"ref": "main"})
    found = {}
    for _ in range(3):
        job = runner.must_take()
        claims = verified(premium, variables(job)["ID_TOKEN"])
        found[job["job_info"]["name"]] = claims.get("environment"), claims.get("environment_protected")
    assert found == {"prod": ("prod", "true"), "dev": ("dev", "false"), "plain": (None, None)}


def test_who_runs_it(live: LiveGitLab, seeded: Any, runner: Runner, someone: Any) -> None:
    user, client = someone()
    seeded.members.create({"user_id": user.id, "access_level": 40})
    client.projects.get(seeded.id).pipelines.create({"ref": "main"})
    claims = verified(live, variables(runner.must_take())["ID_TOKEN"])
    assert (claims["user_login"], claims["user_access_level"]) == (user.username, "maintainer")


def test_a_configuration_in_another_project_adds_no_claim(live: LiveGitLab, seeded: Any, runner: Runner) -> None:
    other = live.root.projects.create({"name": name("c"), "visibility": "internal", "initialize_with_readme": True})
    commit(other, {"jobs.yml": CONFIG})
    seeded.ci_config_path = f"jobs.yml@{other.path_with_namespace}"
    seeded.save()
    seeded.pipelines.create({"ref": "main"})
    assert "ci_config_ref_uri" not in verified(live, variables(runner.must_take())["ID_TOKEN"])


def test_keys_survive_a_restart_and_rotate(tmp_path: Path) -> None:
    data = tmp_path / "data"
    site = GitLabSite.open(Configuration(0, "http://gitlab.test", data, ROOT_TOKEN, {}))
    identity.install(site)
    old = identity.sign(site, {"sub": "old"})
    (first,) = identity.published(site)
    assert stat.S_IMODE((data / "identity.json").stat().st_mode) == 0o600
    site.store.close()
    with live_gitlab(data) as live:
        assert verified_by(live, old, "old")
        again = GitLabSite.open(Configuration(0, live.url, data, ROOT_TOKEN, {}))
        identity.rotate(again)
        new = identity.sign(again, {"sub": "new"})
        again.store.close()
        assert jwt.get_unverified_header(new)["kid"] != first["kid"]
        assert verified_by(live, old, "old")
        assert verified_by(live, new, "new")
        identity.rotate(again)
        assert not verified_by(live, old, "old"), "only the previous key is still published"
    assert "d" not in first, "the private part is not published"


def verified_by(live: LiveGitLab, token: str, subject: str) -> bool:
    keys = jwt.PyJWKSet.from_dict(httpx.get(f"{live.url}/oauth/discovery/keys", trust_env=False).json()).keys
    known = {key.key_id: key for key in keys}
    kid = jwt.get_unverified_header(token)["kid"]
    return kid in known and jwt.decode(token, known[kid], algorithms=["RS256"])["sub"] == subject


# OpenBao --------------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def bao(live: LiveGitLab, tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    """Return OpenBao with a JWT back end that trusts this GitLab."""
    with (
        servers.openbao(tmp_path_factory.mktemp("bao")) as address,
        httpx.Client(base_url=f"{address}/v1", headers={"X-Vault-Token": servers.TOKEN}, trust_env=False) as client,
    ):
        client.post("/sys/auth/jwt", json={"type": "jwt"}).raise_for_status()
        settings = {"oidc_discovery_url": live.url, "bound_issuer": live.url}
        client.post("/auth/jwt/config", json=settings).raise_for_status()
        yield client


def role(bao: httpx.Client, group: Any, **claims: Any) -> str:
    made = name("role")
    content = {
        "role_type": "jwt",
        "user_claim": "project_path",
        "bound_audiences": [AUDIENCE],
        "bound_claims": {"namespace_id": str(group.id), **claims},
        "token_policies": ["default"],
    }
    bao.post(f"/auth/jwt/role/{made}", json=content).raise_for_status()
    return made


def login(bao: httpx.Client, role_: str, token: str) -> tuple[int, str]:
    answer = bao.post("/auth/jwt/login", json={"role": role_, "jwt": token})
    return answer.status_code, "" if answer.is_success else str(answer.json()["errors"])


def test_openbao_accepts_only_protected_branches(
    live: LiveGitLab, bao: httpx.Client, seeded: Any, group: Any, runner: Runner
) -> None:
    strict = role(bao, group, ref_protected="true", pipeline_source=["push", "schedule", "api"])
    seeded.pipelines.create({"ref": "main"})
    good = variables(runner.must_take())["ID_TOKEN"]
    assert login(bao, strict, good) == (200, "")
    status, message = login(bao, strict, good[:-6] + "AAAAAA")
    assert (status, "signature" in message) == (400, True)
    branch(seeded, "side")
    seeded.pipelines.create({"ref": "side"})
    side = runner.must_take()
    status, message = login(bao, strict, variables(side)["ID_TOKEN"])
    assert (status, "ref_protected" in message) == (400, True)
    assert login(bao, role(bao, group), variables(side)["ID_TOKEN"]) == (200, ""), "a weaker role"
    status, message = login(bao, strict, variables(side)["SEVERAL"])
    assert (status, "audience" in message) == (400, True)
    elsewhere = live.root.groups.create({"name": name("g"), "path": name("g")})
    status, message = login(bao, role(bao, elsewhere, ref_protected="true"), good)
    assert (status, "namespace_id" in message) == (400, True)


def test_openbao_and_merge_requests(
    live: LiveGitLab, bao: httpx.Client, seeded: Any, group: Any, runner: Runner, someone: Any
) -> None:
    strict = role(bao, group, ref_protected="true")
    branch(seeded, "side")
    commit(seeded, {"x": "y"}, branch="side", message="[skip ci]")
    request = seeded.mergerequests.create({"source_branch": "side", "target_branch": "main", "title": "side"})
    request.pipelines.create({})
    token = variables(runner.must_take())["ID_TOKEN"]
    claims = verified(live, token)
    assert (claims["pipeline_source"], claims["ref"], claims["ref_protected"]) == (
        "merge_request_event",
        "side",
        "false",
    )
    assert login(bao, strict, token)[0] == 400
    assert login(bao, role(bao, group, pipeline_source="merge_request_event"), token)[0] == 200
    seeded.protectedbranches.create({"name": "side"})
    request.pipelines.create({})
    both = variables(runner.must_take())["ID_TOKEN"]
    assert verified(live, both)["ref_protected"] == "true", "both branches are protected now"
    user, client = someone()
    seeded.members.create({"user_id": user.id, "access_level": 20})
    fork = client.projects.get(seeded.id).forks.create({})
    mine = client.projects.get(fork.id)
    made = project_runner(live, fork)
    commit(mine, {"z": "z"}, branch="theirs", start_branch="main", message="[skip ci]")
    outside = {"source_branch": "theirs", "target_branch": "main", "title": "t", "target_project_id": seeded.id}
    iid = mine.mergerequests.create(outside).iid
    client.projects.get(seeded.id).mergerequests.get(iid).pipelines.create({})
    foreign = variables(made.must_take())["ID_TOKEN"]
    claims = verified(live, foreign)
    assert (claims["project_id"], claims["ref_protected"]) == (str(fork.id), "false")
    assert login(bao, role(bao, group), foreign)[0] == 400, "it is from a fork outside the group"
    seeded.mergerequests.get(iid).pipelines.create({})
    inside = verified(live, variables(runner.must_take())["ID_TOKEN"])
    assert (inside["project_id"], inside["job_project_id"]) == (str(fork.id), str(seeded.id))
