"""The life of a platform under the real engine on real servers. Tests of this module share one stack, in this order."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.engine import live, live_forge
from tests.engine.harness import Stack
from tests.lab_fixture import TestLab

pytestmark = pytest.mark.servers

ALPHA = """
    owner: alice.martin
    contact: alpha@example.gouv.fr
    members:
      devops: [chloe.petit]
      developer: [emma.leroy]
    environments:
      dev: {stage: dev, cluster: nonprod-1, quota: {cpu: 2, memory: 4Gi, storage: 10Gi, pods: 20}}
      prod: {stage: prod, cluster: prod-1, quota: {cpu: 2, memory: 4Gi, storage: 10Gi, pods: 20}}
    repositories:
      api: {kind: app}
      deploy: {kind: infra, path: charts/alpha}
    """
BETA = """
    owner: bob.durand
    contact: beta@example.gouv.fr
    environments:
      dev: {stage: dev, cluster: nonprod-1}
    repositories:
      deploy: {kind: infra, path: .}
    """

#: The policy pack goes along where a run makes, keeps and archives: on what the servers answer, too, it must hold.
POLICIES = ("--policy-pack", "policy")


@pytest.fixture(scope="module")
def stack(lab: TestLab, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    stack = Stack(lab, "life", tmp_path_factory.mktemp("life"))
    stack.tenant("alpha", ALPHA)
    stack.tenant("beta", BETA)
    yield stack
    stack.close()


def test_up_creates_everything(stack: Stack) -> None:
    before = live.snapshot(stack.lab)
    run = stack.guarded_up(*POLICIES).must()
    assert {step.op for step in run.steps} == {"create"}
    after = live.snapshot(stack.lab)
    assert before["keycloak"] == {}
    assert "/alpha/dev/rw" in after["keycloak"]["groups"]
    assert after["keycloak"]["groups"]["/alpha/prod/rw"]["members"] == ["alice.martin", "chloe.petit"]
    assert after["keycloak"]["groups"]["/alpha/prod/ro"]["members"] == ["emma.leroy"]
    assert {"alpha/", "beta/"} <= set(after["vault"]["mounts"])
    assert {"namespaces//alpha-dev", "namespaces//alpha-prod", "namespaces//beta-dev"} <= set(after["kubernetes"])
    assert "applications/argocd/alpha-dev--deploy" in after["kubernetes"]
    assert after["gitlab"]["groups"]["tenants/alpha"]["members"] == [
        ("alice.martin", 40),
        ("chloe.petit", 40),
        ("emma.leroy", 30),
    ]
    assert after["gitlab"]["projects"]["tenants/alpha/api"]["files"] == [".gitlab-ci.yml", "README.md"]
    assert after["harbor"]["projects"]["alpha"]["metadata"]["public"] == "false"
    assert after["sonarqube"]["projects"]["alpha:api"]["permissions"]["/alpha/readonly"] == ["codeviewer", "user"]
    level = after["kubernetes"]["namespaces//alpha-dev"]["labels"]["pod-security.kubernetes.io/enforce"]
    assert level == "restricted"


def test_again_changes_nothing(stack: Stack) -> None:
    run = stack.up("--expect-no-changes", *POLICIES)
    assert (run.exit_code, run.steps) == (0, ()), run.output


def test_a_refresh_right_after_finds_no_drift(stack: Stack) -> None:
    assert stack.drift().must().steps == ()
    refreshed = stack.run("refresh", "--preview-only", "--expect-no-changes")
    assert refreshed.exit_code == 0, refreshed.output


def test_changing_one_field_makes_exactly_that_change(stack: Stack) -> None:
    path = stack.projects / "alpha.yaml"
    path.write_text(
        path.read_text("utf-8").replace(
            "dev: {stage: dev, cluster: nonprod-1, quota: {cpu: 2",
            "dev: {stage: dev, cluster: nonprod-1, quota: {cpu: 3",
        ),
        "utf-8",
    )
    run = stack.up().must()
    assert run.ops() == {"alpha/kubernetes/dev/quota": "update"}
    assert run.steps[0].paths == ('spec.hard["limits.cpu"]', 'spec.hard["requests.cpu"]')
    quota = live.kubernetes(stack.lab)["resourcequotas/alpha-dev/usine"]
    assert (quota["spec"]["hard"]["limits.cpu"], quota["spec"]["hard"]["requests.cpu"]) == ("3", "3")


def test_a_role_removed_from_a_member_is_removed_everywhere(stack: Stack) -> None:
    path = stack.projects / "alpha.yaml"
    path.write_text(path.read_text("utf-8").replace("devops: [chloe.petit]", "readonly: [chloe.petit]"), "utf-8")
    run = stack.up().must()
    assert set(run.ops().values()) == {"update"}
    groups = live.keycloak(stack.lab)["groups"]
    where = {path for path, group in groups.items() if "chloe.petit" in group["members"]}
    assert where == {"/alpha/readonly", "/alpha/dev/ro", "/alpha/prod/ro"}
    members = live_forge.gitlab(stack.lab)["groups"]["tenants/alpha"]["members"]
    assert ("chloe.petit", 20) in members


def test_removing_a_tenant_is_stopped_by_what_is_protected(stack: Stack) -> None:
    before = live.snapshot(stack.lab)
    text = (stack.projects / "beta.yaml").read_text("utf-8")
    stack.remove("beta")
    run = stack.guarded_up()
    assert run.exit_code != 0
    assert "protect" in run.output
    assert live.snapshot(stack.lab) == before
    (stack.projects / "beta.yaml").write_text(text, "utf-8")
    assert stack.up("--expect-no-changes").exit_code == 0


def test_an_archived_tenant_goes_without_touching_the_others(stack: Stack) -> None:
    stack.tenant("beta", BETA + "state: archived\n")
    archived = stack.guarded_up(*POLICIES).must()
    assert all(step.name.startswith("beta/") for step in archived.steps), archived.steps
    groups = live.keycloak(stack.lab)["groups"]
    assert [path for path, group in groups.items() if path.startswith("/beta") and group["members"]] == []
    before = live.snapshot(stack.lab)
    assert "beta/" in before["vault"]["mounts"]

    stack.remove("beta")
    removed = stack.guarded_up().must()
    gone = {step.name for step in removed.steps}
    assert set(removed.ops().values()) == {"delete"}
    accounts = ("foundation/keycloak/account/bob.durand", "foundation/gitlab/account/bob.durand")
    assert all(name.startswith(("beta/", *accounts)) for name in gone), gone

    after = live.snapshot(stack.lab)
    assert [name for name in after["kubernetes"] if "beta" in name] == []
    assert [name for name in after["keycloak"]["groups"] if "beta" in name] == []
    assert [name for part in after["vault"].values() for name in part if "beta" in name] == []
    forge = (*after["gitlab"]["groups"], *after["gitlab"]["projects"], *after["harbor"]["projects"])
    assert [name for name in (*forge, *after["sonarqube"]["projects"]) if "beta" in name] == []
    for name, value in before["kubernetes"].items():
        if "beta" not in name:
            assert after["kubernetes"][name] == value


def test_destroy_leaves_nothing(lab: TestLab, stack: Stack) -> None:
    stack.destroy().must()
    left = live.snapshot(lab)
    assert left["kubernetes"] == {}
    assert left["keycloak"] == {}
    assert set(left["vault"]["auth"]) == {"token/"}
    assert (left["vault"]["policies"], left["vault"]["groups"], left["vault"]["roles"]) == ({}, {}, {})
    assert (left["gitlab"]["groups"], left["gitlab"]["projects"], left["harbor"]["projects"]) == ({}, {}, {})
    assert [user for user, *_ in left["gitlab"]["users"]] == ["root"]
    assert (left["sonarqube"]["projects"], left["sonarqube"]["groups"], left["sonarqube"]["gates"]) == ({}, [], {})
    assert [m for m in left["vault"]["mounts"] if m not in {"cubbyhole/", "identity/", "sys/"}] == []
