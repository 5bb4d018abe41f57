"""A tenant's life under the real engine on real servers, from the first `up` to its removal."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator

import httpx
import pytest

from model.reading.load import load
from model.reading.settings_load import load_settings
from tests.engine import breaks, live, live_forge
from tests.engine.fleet import POLICIES, Fleet
from tests.engine.plugin_processes import watched
from tests.engine.tenants import ALPHA, GAMMA
from tests.vault_policies import superfluous
from usine.drift.scan import scan_stack
from usine.engine.log_ins import end_log_ins

pytestmark = pytest.mark.servers

#: The credentials in the local platform's environment, by plugin.
OWN = {
    "vault": {"VAULT_TOKEN"},
    "keycloak": {"KEYCLOAK_USER", "KEYCLOAK_PASSWORD"},
    "gitlab": {"GITLAB_TOKEN"},
    "harbor": {"HARBOR_PASSWORD"},
    "kubernetes": {"KUBECONFIG"},
    "dynamic": {"SONAR_TOKEN"},
}

#: Rights of the policies in docs/ci.md that no run here needs, each with its reason. Every other right must be used.
_JOB = "the job reads the other systems' credentials (tests/ci/test_stack.py)"
_MIRRORS = "tenants with scheduled work (tests/engine/test_drift_layouts.py)"
_LOG_INS = "people who have logged in (tests/engine/test_isolation.py)"
_INTERRUPTED = "what an interrupted run made is looked up (usine/engine/lookup/vault.py)"
_SETTINGS = "settings that drop a cluster or a system, or change a role's rights"
_OFFICIAL = "the official plugin reads a secret's metadata, the stand-in its version with the value"
LOOK_ELSEWHERE = {
    ("read", "+/metadata/ci/*"): _OFFICIAL,
    ("read", "+/metadata/review/*"): _OFFICIAL,
    ("read", "platform/data/look"): _JOB,
    ("read", "+/data/operations/*"): _MIRRORS,
    ("read", "+/metadata/operations/*"): _MIRRORS,
    ("read", "identity/entity/id/*"): _LOG_INS,
    ("write", "identity/lookup/group"): _INTERRUPTED,
}
PIPELINE_ELSEWHERE = {
    ("read", "+/metadata/ci/*"): _OFFICIAL,
    ("read", "+/metadata/review/*"): _OFFICIAL,
    ("read", "platform/data/pipeline"): _JOB,
    ("read", "+/data/operations/*"): _MIRRORS,
    ("write", "+/data/operations/*"): _MIRRORS,
    ("read", "+/metadata/operations/*"): _MIRRORS,
    ("delete", "+/metadata/operations/*"): _MIRRORS,
    ("read", "identity/entity/id/*"): _LOG_INS,
    ("delete", "identity/entity/id/*"): _LOG_INS,
    ("read", "sys/mounts"): _INTERRUPTED,
    ("write", "identity/lookup/group"): _INTERRUPTED,
    ("delete", "sys/auth/*"): _SETTINGS,
    ("delete", "auth/oidc/*"): _SETTINGS,
    ("write", "identity/group/*"): _SETTINGS,
    ("write", "identity/group-alias/*"): _SETTINGS,
    ("delete", "identity/group-alias/*"): _SETTINGS,
}


def test_up_creates_everything(fleet: Fleet) -> None:
    assert {step.op for step in fleet.created.steps} == {"create"}
    after = fleet.after
    assert fleet.before["keycloak"] == {}
    assert "/alpha/dev/rw" in after["keycloak"]["groups"]
    assert after["keycloak"]["groups"]["/alpha/prod/rw"]["members"] == ["alice.martin", "chloe.petit"]
    assert after["keycloak"]["groups"]["/alpha/prod/ro"]["members"] == ["emma.leroy"]
    assert {"alpha/", "beta/"} <= set(after["vault"]["mounts"])
    assert {"namespaces//alpha-dev", "namespaces//alpha-prod", "namespaces//beta-dev"} <= set(after["kubernetes"])
    # The API server accepts several sources, and prunes nothing of an application set.
    chart, values = after["kubernetes"]["applications/argocd/alpha-dev--deploy"]["spec"]["sources"]
    assert chart["repoURL"].endswith("/alpha/charts/alpha")
    assert chart["helm"]["valueFiles"] == ["$values/charts/alpha/values.yaml"]
    assert values["ref"] == "values"
    folders = after["kubernetes"]["applicationsets/argocd/beta-dev--deploy"]["spec"]
    assert folders["template"]["spec"]["project"] == "beta-dev"
    assert folders["goTemplateOptions"] == ["missingkey=error"]
    assert folders["generators"][0]["git"]["directories"] == [{"path": "charts/beta/*"}]
    assert folders["syncPolicy"] == {"preserveResourcesOnDeletion": True}
    reader = after["kubernetes"]["secrets/argocd/usine-alpha.dev--deploy"]
    assert reader["data"] == ["password", "project", "type", "url", "username"]
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
    # The API server accepts Kyverno's kind, with the key that Vault has; of two clusters, one has a verifier.
    policies = {name: one for name, one in after["kubernetes"].items() if name.startswith("namespacedimage")}
    assert set(policies) == {"namespacedimagevalidatingpolicies/alpha-prod/usine-signed-images"}
    (attestor,) = live.attestors(fleet.lab, "alpha-prod")
    key = fleet.lab.vault.adapter.get("/v1/usine-signing/keys/alpha")["data"]["keys"]["1"]["public_key"]
    assert attestor["cosign"]["key"]["data"] == key
    assert after["kubernetes"]["secrets/kyverno/usine-alpha-prod"]["data"] == [".dockerconfigjson"]
    # Production is backed up, and the API server has every field of the schedule.
    backups = {name: one["spec"] for name, one in after["kubernetes"].items() if name.startswith("schedules/")}
    assert set(backups) == {"schedules/velero/usine-alpha-prod"}
    (spec,) = backups.values()
    assert (spec["skipImmediately"], spec["useOwnerReferencesInBackup"]) == (False, False)
    assert spec["template"]["includedNamespaces"] == ["alpha-prod"]
    assert {"secrets", "rolebindings.rbac.authorization.k8s.io"} < {
        *spec["template"]["excludedNamespaceScopedResources"]
    }
    assert (spec["template"]["storageLocation"], spec["template"]["ttl"]) == ("lab", "720h0m0s")


def test_a_tenant_with_dashboards_has_a_grafana_of_its_own(fleet: Fleet) -> None:
    """The API server accepts it in a namespace with Pod Security `restricted`."""
    objects = fleet.after["kubernetes"]
    assert {name for name in objects if "/grafana/" in name} == {
        *(f"{kind}/grafana/grafana-alpha" for kind in ("configmaps", "deployments", "ingresses", "services")),
        *("configmaps/grafana/grafana-alpha.dashboards", "networkpolicies/grafana/grafana-alpha"),
    }
    redirects, public, scopes = fleet.after["keycloak"]["clients"]["grafana-alpha"]
    assert (redirects, public) == (["https://alpha.grafana.example.gouv.fr/login/generic_oauth"], True)
    assert "groups" in scopes
    sources = json.loads(objects["configmaps/grafana/grafana-alpha"]["data"]["datasources.yaml"])["datasources"]
    bounds = {source["uid"]: source["secureJsonData"]["httpHeaderValue1"] for source in sources}
    assert bounds == {"metrics": "alpha-dev,alpha-prod", "logs": "alpha"}
    # Pod Security judges the pods of a deployment only when they are created.
    pod = copy.deepcopy(objects["deployments/grafana/grafana-alpha"]["spec"]["template"]["spec"])
    body = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "as-deployed"}, "spec": pod}
    pods = "/api/v1/namespaces/grafana/pods?dryRun=All"
    fleet.lab.kubernetes.post(pods, json=body).raise_for_status()
    pod["containers"][0]["securityContext"]["allowPrivilegeEscalation"] = True
    assert fleet.lab.kubernetes.post(pods, json=body).status_code == httpx.codes.FORBIDDEN


def test_a_second_up_changes_nothing_and_a_refresh_finds_no_drift(fleet: Fleet) -> None:
    with watched() as credentials:
        run = fleet.stack.up("--expect-no-changes", *POLICIES)
    assert (run.exit_code, run.steps) == (0, ()), run.output
    # Each plugin's process has only the credentials of its own system (issue 11.A16).
    assert credentials == OWN
    # With the policy of the pipeline's read-only jobs (docs/ci.md).
    with fleet.stack.with_policy("usine-look"):
        # As `usine drift` does; the command itself would use the local platform's credentials.
        settings = load_settings(fleet.stack.settings_file)
        scan = scan_stack(fleet.stack.engine, settings, load(fleet.stack.projects, settings))
        # Created manually on every platform, and to be ignored in drift scans (docs/ci.md).
        by_hand = {"policy: usine-look", "policy: usine-pipeline"}
        assert ({finding.name for finding in scan.findings}, scan.unseen) == (by_hand, ())
        refreshed = fleet.stack.run("refresh", "--preview-only", "--expect-no-changes")
        assert refreshed.exit_code == 0, refreshed.output
        breaks.widen_a_policy(fleet.lab)
        refused = fleet.stack.up("--refresh", "--target", "**alpha/vault/policy/env/dev")
        assert (refused.exit_code != 0, "permission denied" in refused.output) == (True, True), refused.output
    fleet.stack.up("--refresh", "--target", "**alpha/vault/policy/env/dev").must()
    assert superfluous("usine-look", fleet.stack.requests["usine-look"]) <= LOOK_ELSEWHERE.keys()


@pytest.fixture
def pipeline(fleet: Fleet) -> Iterator[None]:
    """A session of Vault with the policy of the pipeline's job `up`."""
    with fleet.stack.with_policy("usine-pipeline"):
        yield
    assert superfluous("usine-pipeline", fleet.stack.requests["usine-pipeline"]) <= PIPELINE_ELSEWHERE.keys()


@pytest.mark.usefixtures("pipeline")
def test_a_change_affects_only_its_objects_and_only_an_archived_tenant_is_removed(fleet: Fleet) -> None:
    stack, before = fleet.stack, live.snapshot(fleet.lab)

    # Only one quota, one person's role and one new tenant change.
    changed = ALPHA.replace("quota: {cpu: 2", "quota: {cpu: 3", 1).replace("devops: [", "readonly: [")
    stack.tenant("alpha", changed)
    stack.tenant("gamma", GAMMA)
    run = stack.up().must()
    edits = {step.name: step for step in run.steps if step.name.startswith("alpha/")}
    others = {step.name: step.op for step in run.steps if step.name not in edits}
    assert set(others.values()) == {"create"}
    assert all(name.startswith(("gamma/", *ACCOUNTS)) for name in others), others
    assert {step.op for step in edits.values()} == {"update"}
    quota = edits.pop("alpha/kubernetes/dev/quota")
    assert quota.paths == ('spec.hard["limits.cpu"]', 'spec.hard["requests.cpu"]')
    assert {name.split("/")[1] for name in edits} == {"keycloak", "gitlab", "sonarqube"}
    hard = live.kubernetes(stack.lab)["resourcequotas/alpha-dev/usine"]["spec"]["hard"]
    assert (hard["limits.cpu"], hard["requests.cpu"]) == ("3", "3")
    groups = live.keycloak(stack.lab)["groups"]
    where = {path for path, group in groups.items() if "chloe.petit" in group["members"]}
    assert where == {"/alpha/readonly", "/alpha/audit", "/alpha/dev/ro", "/alpha/prod/ro"}
    members = live_forge.gitlab(stack.lab)["groups"]["tenants/alpha"]["members"]
    assert ("chloe.petit", 20) in members

    # The file of an active tenant is removed: its protected objects stop the run, and nothing changes.
    made = live.snapshot(stack.lab)
    stack.remove("gamma")
    refused = stack.guarded_up()
    assert refused.exit_code != 0
    assert "protect" in refused.output
    assert live.snapshot(stack.lab) == made

    stack.tenant("gamma", GAMMA + "state: archived\n")
    archived = stack.up(*POLICIES).must()
    assert all(step.name.startswith("gamma/") for step in archived.steps), archived.steps
    groups = live.keycloak(stack.lab)["groups"]
    assert [path for path, group in groups.items() if path.startswith("/gamma") and group["members"]] == []
    assert "gamma/" in live.vault(stack.lab)["mounts"]

    # All objects of an archived tenant are removed, and alpha is what it was before.
    stack.remove("gamma")
    stack.tenant("alpha", ALPHA)
    removed = stack.up().must().ops()
    back = {name: op for name, op in removed.items() if name.startswith("alpha/")}
    assert back == dict.fromkeys(["alpha/kubernetes/dev/quota", *edits], "update")
    gone = {name: op for name, op in removed.items() if name not in back}
    assert set(gone.values()) == {"delete"}
    assert all(name.startswith(("gamma/", *ACCOUNTS)) for name in gone), gone
    assert live.snapshot(stack.lab) == before
    # As `usine up` does then; the command itself would use the local platform's credentials.
    settings = load_settings(stack.settings_file)
    assert end_log_ins(settings, load(stack.projects, settings), stack.engine.environment) == ()


#: Objects of the foundation for the person that only gamma names.
ACCOUNTS = ("foundation/keycloak/account/jeanne.moulin", "foundation/gitlab/account/jeanne.moulin")
