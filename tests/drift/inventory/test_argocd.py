"""Objects in the namespaces of Argo CDs that no program made."""

from __future__ import annotations

import base64
import dataclasses
from pathlib import Path
from typing import Any

from model.argocd import ONLY_INSTANCE, ArgoCDInstance
from model.settings import Settings, System
from tests.drift.inventory.api_server import serving
from tests.drift.inventory.clusters import (
    ARGO,
    CLEAN,
    NONPROD,
    PROD,
    STATE,
    cluster,
    item,
    items,
    kubeconfig,
)
from tests.drift.inventory.scanning import MARKER, names, only, resource, scan


def test_unmanaged_objects_of_argo_cd_are_found(tmp_path: Path) -> None:
    def secret(name: str, server: str) -> dict[str, Any]:
        data = {
            "server": base64.b64encode(server.encode()).decode(),
            "config": base64.b64encode(MARKER.encode()).decode(),
        }
        return item(name, "argocd", data=data)

    answers = {
        f"{ARGO}/appprojects": items(item("default", "argocd"), item("alpha-dev", "argocd"), item("alpha-x", "argocd")),
        f"{ARGO}/applications": items(
            item("handy", "argocd", spec={"project": "alpha-dev", "destination": {"namespace": "alpha-prod"}}),
        ),
        f"{ARGO}/applicationsets": items(item("many", "argocd")),
        # The server has one answer for repositories and clusters.
        "/api/v1/namespaces/argocd/secrets": items(
            secret("usine-beta--deploy", "https://nonprod.example.test"),
            secret("usine-alpha.dev--deploy", "https://nonprod.example.test"),
            secret("evil", "https://evil.example"),
        ),
    }
    inventory, _ = cluster(tmp_path, answers, System.ARGOCD)
    assert names(inventory) == {
        ("alpha", "AppProject", "nonprod-1: argocd/alpha-x"),
        ("alpha", "Application", "nonprod-1: argocd/handy"),
        (None, "ApplicationSet", "nonprod-1: argocd/many"),
        ("beta", "Secret", "nonprod-1: argocd/usine-beta--deploy"),
        ("alpha", "Secret", "nonprod-1: argocd/usine-alpha.dev--deploy"),
        (None, "Secret", "nonprod-1: argocd/evil"),
    }
    details = {found.detail for found in inventory.found}
    assert "deploys into alpha-prod, by project alpha-dev" in details
    assert "the credential of a cluster, https://evil.example" in details
    assert "the credential of a cluster, https://nonprod.example.test" not in details  # the settings name it


def test_an_application_that_claims_an_application_set_as_its_owner_is_found(tmp_path: Path) -> None:
    """Those that the set makes are no findings; the owner's name alone hides nothing."""

    def application(name: str, project: str, kind: str = "ApplicationSet", owner: str = "alpha-dev--deploy") -> Any:
        made = item(name, "argocd", spec={"project": project, "destination": {"namespace": project}})
        made["metadata"]["ownerReferences"] = [{"kind": kind, "name": owner}]
        return made

    applications = items(
        application("alpha-dev--deploy.web", "alpha-dev"),
        application("alpha-dev--deploy.evil", "default"),
        application("alpha-dev--deploy.prod", "alpha-prod"),
        application("alpha-dev--deployment", "alpha-dev"),
        application("handy", "alpha-dev"),
        application("other", "alpha-dev", kind="ConfigMap"),
        application("of-the-set-below", "default", owner="by-hand"),
    )
    answers = {
        f"{ARGO}/appprojects": items(item("alpha-dev", "argocd")),
        f"{ARGO}/applications": applications,
        f"{ARGO}/applicationsets": items(item("alpha-dev--deploy", "argocd"), item("by-hand", "argocd")),
        "/api/v1/namespaces/argocd/secrets": items(),
    }
    made = resource("kubernetes:argoproj.io/v1alpha1:ApplicationSet", "argocd/alpha-dev--deploy", provider=NONPROD)
    state = (*STATE, made)
    with serving({**CLEAN, **answers}) as api:
        environment = kubeconfig(tmp_path, api.url, api.url)
        inventory = scan(only(System.ARGOCD, api.url), state, environment=environment)
    assert names(inventory) == {
        *(
            ("alpha", "Application", f"nonprod-1: argocd/{name}")
            for name in ("alpha-dev--deploy.evil", "alpha-dev--deploy.prod", "alpha-dev--deployment", "handy", "other")
        ),
        (None, "ApplicationSet", "nonprod-1: argocd/by-hand"),
    }


def instances(dmz: ArgoCDInstance, url: str) -> Settings:
    """Settings of two zones with an Argo CD each: that of `lab` on nonprod-1, and this one of `dmz`, with prod-1."""
    base = only(System.ARGOCD, url)
    lab = ArgoCDInstance(ONLY_INSTANCE, "nonprod-1", "argocd", "https://argocd.example.test", ("lab",))
    prod = dataclasses.replace(base.clusters["prod-1"], zone="dmz")
    argocd = dataclasses.replace(base.argocd, instances=(lab, dmz))
    return dataclasses.replace(base, argocd=argocd, clusters={**base.clusters, "prod-1": prod}, zones=("lab", "dmz"))


def test_what_is_made_in_the_second_argo_cd_is_found(tmp_path: Path) -> None:
    """Also a project with the name of one that the first Argo CD has, and the cluster of the other zone."""
    state = (*STATE, resource("kubernetes:argoproj.io/v1alpha1:AppProject", "argocd/alpha-prod", provider=PROD))
    of_lab = {"server": base64.b64encode(b"https://nonprod.example.test").decode()}
    of_dmz = {"server": base64.b64encode(b"https://prod.example.test").decode()}
    empty = {f"{ARGO}/applications": items(), f"{ARGO}/applicationsets": items()}
    first = {
        f"{ARGO}/appprojects": items(item("alpha-dev", "argocd"), item("alpha-prod", "argocd")),
        "/api/v1/namespaces/argocd/secrets": items(item("usine-alpha--x", "argocd", data=of_lab)),
    }
    second = {
        f"{ARGO}/appprojects": items(item("alpha-prod", "argocd"), item("alpha-dev", "argocd"), item("beta", "argocd")),
        "/api/v1/namespaces/argocd/secrets": items(
            item("usine-alpha--x", "argocd", data=of_lab), item("usine-alpha--y", "argocd", data=of_dmz)
        ),
    }
    dmz = ArgoCDInstance("dmz", "prod-1", "argocd", "https://argocd-dmz.example.test", ("dmz",))
    with serving({**CLEAN, **empty, **first}) as near, serving({**CLEAN, **empty, **second}) as far:
        inventory = scan(instances(dmz, near.url), state, environment=kubeconfig(tmp_path, near.url, far.url))
    found = {(one.tenant, one.type.rpartition(":")[2], one.name, one.provider) for one in inventory.found}
    assert inventory.gaps == ()
    assert found == {
        ("alpha", "AppProject", "nonprod-1: argocd/alpha-prod", NONPROD),
        ("alpha", "AppProject", "prod-1: argocd/alpha-dev", PROD),
        ("beta", "AppProject", "prod-1: argocd/beta", PROD),
        # The server has one answer for credentials of repositories and of clusters.
        ("alpha", "Secret", "nonprod-1: argocd/usine-alpha--x", NONPROD),
        ("alpha", "Secret", "prod-1: argocd/usine-alpha--x", PROD),
        ("alpha", "Secret", "prod-1: argocd/usine-alpha--y", PROD),
        (None, "Secret", "prod-1: argocd/usine-alpha--x", PROD),
    }
    (registered,) = (one for one in inventory.found if one.type.endswith(":Secret") and one.tenant is None)
    assert registered.detail == "the credential of a cluster, https://nonprod.example.test"


def test_an_argo_cd_in_a_second_namespace_of_the_same_cluster_is_scanned(tmp_path: Path) -> None:
    edge = ARGO.replace("argocd", "argocd-edge")
    paths = ("appprojects", "applications", "applicationsets")
    empty = {f"{prefix}/{path}": items() for prefix in (ARGO, edge) for path in paths}
    secrets = {f"/api/v1/namespaces/{name}/secrets": items() for name in ("argocd", "argocd-edge")}
    made = {f"{edge}/appprojects": items(item("default", "argocd-edge"), item("alpha-dev", "argocd-edge"))}
    dmz = ArgoCDInstance("dmz", "nonprod-1", "argocd-edge", "https://argocd-edge.example.test", ("dmz",))
    with serving({**CLEAN, **empty, **secrets, **made}) as api:
        environment = kubeconfig(tmp_path, api.url, api.url)
        inventory = scan(instances(dmz, api.url), STATE, environment=environment)
    assert names(inventory) == {("alpha", "AppProject", "nonprod-1: argocd-edge/alpha-dev")}
