"""Conditions on the AppProjects: when they deploy nothing, and what they report as an orphan."""

from __future__ import annotations

import base64
import dataclasses
import fnmatch
import json
import subprocess
from pathlib import Path
from typing import Any

from components.argocd.clusters import registration
from components.kubernetes.cluster_roles import DENIED_KINDS
from model.settings import Stage, SyncWindow
from model.tenant import Freeze, State
from tests import factories
from tests.plans import plan_of, plan_of_samples
from usine.plan import Plan

FREEZE = Freeze("0 0 20 12 *", "336h", "Europe/Paris")
#: What Argo CD itself never reports (`isKnownOrphanedResourceExclusion` in its controller/appcontroller.go).
BUILT_IN = {("", "ServiceAccount", "default"), ("", "ConfigMap", "kube-root-ca.crt")}


def project(plan: Plan, environment: str) -> dict[str, Any]:
    (found,) = [r for r in plan.resources if r.inputs.get("kind") == "AppProject" and f"/{environment}/" in r.name]
    spec = found.inputs["spec"]
    assert isinstance(spec, dict)
    return spec


def test_a_freeze_is_added_to_the_windows_of_the_stage_and_stops_people_too() -> None:
    stage = Stage("prod", production=True, sync_windows=(SyncWindow("allow", "0 8 * * 1-5", "8h", manual_sync=False),))
    settings = factories.settings(stages={**factories.settings().stages, "prod": stage})
    dev, prod = (factories.environment("dev"), factories.environment("prod"))
    frozen = factories.tenant(environments=(dev, dataclasses.replace(prod, freezes=(FREEZE,))))
    plan = plan_of(frozen, settings=settings)
    deny, allow = project(plan, "prod")["syncWindows"]
    assert deny == {
        "kind": "deny",
        "schedule": "0 0 20 12 *",
        "duration": "336h",
        "timeZone": "Europe/Paris",
        "applications": ["*"],
        "manualSync": False,
    }
    assert (allow["kind"], allow["manualSync"]) == ("allow", False)
    assert "syncWindows" not in project(plan, "dev")


def test_nothing_that_a_team_writes_allows_a_sync() -> None:
    """Argo CD lets a manual sync through if each active window that denies allows it, whatever the others say."""
    for state in State:
        frozen = factories.tenant(
            state=state, environments=(dataclasses.replace(factories.environment("dev"), freezes=(FREEZE,)),)
        )
        for resource in plan_of(frozen).resources:
            if resource.inputs.get("kind") == "AppProject":
                spec: Any = resource.inputs["spec"]
                assert {(w["kind"], w["manualSync"]) for w in spec["syncWindows"]} == {("deny", False)}


def test_no_object_of_the_program_is_an_orphan() -> None:
    objects: list[Any] = [r.inputs for r in plan_of_samples().resources if "kind" in r.inputs]
    orphans = [each["spec"]["orphanedResources"] for each in objects if each["kind"] == "AppProject"]
    assert orphans
    assert all(one["warn"] for one in orphans)
    ignored = [entry for one in orphans for entry in one["ignore"]]
    namespaces = {each["metadata"]["name"] for each in objects if each["kind"] == "Namespace"}
    seen = set()
    for each in objects:
        metadata = each["metadata"]
        if metadata.get("namespace") not in namespaces:
            continue
        key = (each["apiVersion"].rpartition("/")[0], each["kind"], metadata["name"])
        seen.add(key[1])
        assert key in BUILT_IN or any(
            entry["group"] == key[0]
            and fnmatch.fnmatchcase(key[1], entry["kind"])
            and fnmatch.fnmatchcase(key[2], entry.get("name", "*"))
            for entry in ignored
        ), key
    assert {"Secret", "ServiceAccount", "RoleBinding", "NetworkPolicy", "ResourceQuota", "ExternalSecret"} <= seen
    assert {(entry["group"], entry["kind"]) for entry in ignored if "name" not in entry} == set(DENIED_KINDS), (
        "a whole kind is ignored only if a team cannot deploy it"
    )


def test_a_cluster_is_registered_by_a_command_that_prints_the_current_token(tmp_path: Path) -> None:
    token = tmp_path / "a token's file"
    token.write_text("first.marker-1", encoding="ascii")
    encoded = registration("prod-1", "https://api.example.fr:6443", str(token), "PEM")
    data = {key: base64.b64decode(value).decode() for key, value in encoded.items()}
    assert (data["name"], data["server"]) == ("prod-1", "https://api.example.fr:6443")
    config = json.loads(data["config"])
    assert config["tlsClientConfig"] == {"insecure": False, "caData": base64.b64encode(b"PEM").decode()}
    command = [config["execProviderConfig"]["command"], *config["execProviderConfig"]["args"]]
    for current in ("first.marker-1", "second.marker-2"):
        token.write_text(current, encoding="ascii")
        printed = subprocess.run(command, capture_output=True, text=True, check=True).stdout
        assert json.loads(printed) == {
            "apiVersion": config["execProviderConfig"]["apiVersion"],
            "kind": "ExecCredential",
            "status": {"token": current},
        }


def test_only_clusters_with_a_token_are_registered() -> None:
    clusters = factories.settings().clusters
    one = dataclasses.replace(clusters["prod-1"], argocd_token="/run/prod-1/token")
    settings = factories.settings(clusters={**clusters, "prod-1": one})
    plan = plan_of(factories.tenant(), settings=settings)
    made: list[Any] = [r.inputs["metadata"] for r in plan.resources if r.name.startswith("foundation/argocd/cluster/")]
    assert [(each["name"], each["namespace"]) for each in made] == [("usine-cluster--prod-1", "argocd")]
    assert made[0]["labels"]["argocd.argoproj.io/secret-type"] == "cluster"
