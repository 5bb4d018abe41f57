"""The real Argo CD deploys what a tenant's repository says into the tenant's own namespace, and nothing anywhere else.

The applications are those that Argo CD makes from the folders of beta's repository, which it reads with the credential
that the platform delivered. Each wall is seen alone: first the AppProject refuses, then, with the AppProject opened by
hand, the account of the namespace that Argo CD deploys as.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

from lab.testing.platforms import TestLab
from model.tenant import State
from tests import factories
from tests.engine import live, live_forge
from tests.engine.argocd import (
    APPLICATIONS,
    PROJECTS,
    SETS,
    ArgoCD,
    merge,
    message_of,
    put_back,
    read,
    running,
    state_of,
)
from tests.engine.fleet import Fleet
from tests.plans import plan_of
from usine.report import as_json
from usine.report.model import Action

pytestmark = pytest.mark.servers

_REPOSITORY = "/projects/tenants%2Fbeta%2Fdeploy/repository/commits"
_PROJECT = f"{PROJECTS}/beta-dev"
_SET = f"{SETS}/beta-dev--deploy"
_CONFIG_MAP, _HOSTILE_MAP = (f"/api/v1/namespaces/beta-dev/configmaps/{name}" for name in ("web", "hostile"))
_OWN = "/apis/argoproj.io/v1alpha1/namespaces/beta-dev/applications/own"
#: Makes the controller of sets read the folders now.
_NEW_FOLDERS = ("argocd.argoproj.io/application-set-refresh", "true")
_REGISTRATION = "foundation/argocd/cluster/nonprod-1"
_API = "argoproj.io/v1alpha1"
_DONE = ("Synced", "Healthy", "Succeeded")


def manifest(kind: str, name: str, api: str = "v1", **more: object) -> str:
    namespace = {"namespace": more.pop("namespace")} if "namespace" in more else {}
    return yaml.safe_dump({"apiVersion": api, "kind": kind, "metadata": {"name": name, **namespace}, **more})


_ADMIN: dict[str, object] = {
    "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "cluster-admin"},
    "subjects": [{"kind": "ServiceAccount", "name": "default", "namespace": "beta-dev"}],
}
_RBAC = "rbac.authorization.k8s.io/v1"
_ESCAPE: dict[str, object] = {
    "project": "default",
    "source": {"repoURL": "https://git.example.fr/a.git", "path": "."},
    "destination": {"server": "https://kubernetes.default.svc", "namespace": "argocd"},
}
#: What the team tries beside its application, by folder: its manifest, and what the AppProject answers.
_REFUSED = {
    "elsewhere": (
        manifest("ConfigMap", "theft", namespace="alpha-dev", data={"a": "b"}),
        "namespace alpha-dev is not permitted in project 'beta-dev'",
    ),
    "cluster": (
        manifest("ClusterRoleBinding", "theft", _RBAC, **_ADMIN),
        "resource rbac.authorization.k8s.io:ClusterRoleBinding is not permitted in project beta-dev",
    ),
    "rights": (
        manifest("RoleBinding", "theft", _RBAC, **_ADMIN),
        "resource rbac.authorization.k8s.io:RoleBinding is not permitted in project beta-dev",
    ),
    "application": (
        manifest("Application", "theft", _API, namespace="argocd", spec=_ESCAPE),
        "resource argoproj.io:Application is not permitted in project beta-dev",
    ),
}
_WEB = manifest("ConfigMap", "web", data={"greeting": "{{ .Values.greeting }}", "release": "{{ .Release.Name }}"})
#: A folder whose name is a variable of the template: it stays a text.
_HOSTILE = "{{ .path.path }}"
_FILES = {
    "web/Chart.yaml": "apiVersion: v2\nname: web\nversion: 0.1.0\n",
    "web/values.yaml": "greeting: hello\n",
    "web/templates/map.yaml": _WEB,
    f"{_HOSTILE}/map.yaml": manifest("ConfigMap", "hostile", data={"a": "b"}),
    **{f"{folder}/object.yaml": text for folder, (text, _) in _REFUSED.items()},
}
#: The ends of the names of the applications.
_NAMES = ("web", "path.path", *_REFUSED)
#: What Argo CD reports by folder once the AppProject permits everything: the account of the namespace may do nothing.
_ACCOUNT = 'User "system:serviceaccount:beta-dev:usine-deployer" cannot'
_FORBIDDEN = {
    "elsewhere": ('configmaps "theft" is forbidden', _ACCOUNT),
    # An error of Argo CD itself hides the answer of the API server.
    "cluster": ("error running kubectl auth reconcile",),
    "rights": ('rolebindings.rbac.authorization.k8s.io "theft" is forbidden', _ACCOUNT),
    "application": ('applications.argoproj.io "theft" is forbidden', _ACCOUNT),
}
_THEFTS = (
    "/api/v1/namespaces/alpha-dev/configmaps/theft",
    *(f"/apis/{_RBAC}/{place}/theft" for place in ("clusterrolebindings", "namespaces/beta-dev/rolebindings")),
    f"{APPLICATIONS}/theft",
)
#: A project that permits everything.
_OPEN: dict[str, object] = {
    "destinations": [{"server": "*", "namespace": "*"}],
    "clusterResourceWhitelist": [{"group": "*", "kind": "*"}],
    "namespaceResourceBlacklist": [],
}


@contextmanager
def pushed(lab: TestLab) -> Iterator[None]:
    """Commit the folders to beta's repository, and delete them again."""
    commit(lab, [{"action": "create", "file_path": _path(file), "content": text} for file, text in _FILES.items()])
    try:
        yield
    finally:
        commit(lab, [{"action": "delete", "file_path": _path(file)} for file in _FILES])


def _path(file: str) -> str:
    return f"charts/beta/{file}"


def commit(lab: TestLab, actions: list[dict[str, str]]) -> None:
    body = {"branch": "main", "commit_message": "Folders [skip ci]", "actions": actions}
    lab.gitlab.post(_REPOSITORY, json=body).raise_for_status()


@contextmanager
def changed(lab: TestLab, spec: Mapping[str, Any]) -> Iterator[None]:
    """Change beta's AppProject by hand."""
    before = read(lab, _PROJECT)
    merge(lab, _PROJECT, {"spec": spec})
    try:
        yield
    finally:
        put_back(lab, _PROJECT, before)


def test_argo_cd_deploys_into_the_tenants_namespace_and_nowhere_else(fleet: Fleet, tmp_path: Path) -> None:
    lab = fleet.lab
    before = (live.kubernetes(lab), live_forge.gitlab(lab))
    with ExitStack() as ends:
        ends.callback(clean, lab)  # after the end of the controllers, which would make applications again
        argo = ends.enter_context(running(lab, tmp_path))
        with pushed(lab):
            argo.refresh(_SET, *_NEW_FOLDERS)
            deploys(lab, argo)
            refuses_by_the_project(argo)
            differs_in_nothing(fleet, tmp_path)
            with foreign_applications(lab, argo):
                refuses_by_the_account(lab, argo)
                waits_for_the_window(lab, argo)
                refuses_a_foreign_repository(argo)
                assert "status" not in read(lab, _OWN), "an application in a namespace of a tenant had an effect"
        keeps_what_a_deleted_folder_deployed(lab, argo)
    assert (live.kubernetes(lab), live_forge.gitlab(lab)) == before


def deploys(lab: TestLab, argo: ArgoCD) -> None:
    """A folder is an application. Argo CD reads it with the credential that `up` delivered."""
    argo.wait_for(_application("web"), _DONE)
    made = read(lab, _CONFIG_MAP)
    assert made["data"] == {"greeting": "hello", "release": _application("web")}
    assert [one["manager"] for one in made["metadata"]["managedFields"]] == ["argocd-controller"]
    hostile = argo.wait_for(_application("path.path"), _DONE)
    assert hostile["spec"]["source"]["path"] == f"charts/beta/{_HOSTILE}"
    argo.wait(lambda: made_by_the_set(argo) == set(map(_application, _NAMES)), "the applications of all folders")


def differs_in_nothing(fleet: Fleet, folder: Path) -> None:
    """What Argo CD writes into the program's objects is no drift, and neither are the applications that it makes."""
    file = folder / "drift.json"
    fleet.stack.usine("drift", "--json", str(file), "--history", str(folder / "history"))
    found = as_json.load(file.read_text(encoding="utf-8"))
    # Only the registration of the cluster has changed: it has the token of this test.
    assert [(entry.action, entry.name) for entry in found.entries] == [(Action.CHANGED, _REGISTRATION)]


def refuses_by_the_project(argo: ArgoCD) -> None:
    texts = {folder: (text,) for folder, (_, text) in _REFUSED.items()}
    argo.wait(lambda: reported(argo, texts), "the refusals of the AppProject")


def refuses_by_the_account(lab: TestLab, argo: ArgoCD) -> None:
    """Without the AppProject's limits, the API server refuses: Argo CD acts as the account of beta's namespace."""
    with changed(lab, _OPEN):
        for folder in _FORBIDDEN:  # the set makes them again, and their first sync comes at once
            lab.kubernetes.delete(f"{APPLICATIONS}/{_application(folder)}").raise_for_status()
        argo.wait(lambda: reported(argo, _FORBIDDEN), "the refusals of the account")
    assert not [path for path in _THEFTS if lab.kubernetes.get(path).status_code != httpx.codes.NOT_FOUND]


def waits_for_the_window(lab: TestLab, argo: ArgoCD) -> None:
    """Nothing is deployed for a suspended tenant, not even by a person, until it is active again."""
    suspended = factories.tenant(state=State.SUSPENDED, environments=(factories.environment("dev"),))
    (spec,) = [each.inputs["spec"] for each in plan_of(suspended).resources if each.inputs.get("kind") == "AppProject"]
    assert isinstance(spec, dict)
    person, automatic = _application("web"), _application("path.path")

    def refused() -> bool:
        application = argo.applications()[person]
        if state_of(application)[2] == "Succeeded":  # also when Argo CD has not seen the window yet
            argo.sync(person)
        return "blocked by sync window" in message_of(application)

    with changed(lab, {"syncWindows": spec["syncWindows"]}):
        argo.wait(refused, "the refusal of a person's sync")
        for path in (_CONFIG_MAP, _HOSTILE_MAP):
            lab.kubernetes.delete(path).raise_for_status()
        argo.wait_for(person, ("OutOfSync", "Missing", "Running"))
        assert "operation" not in argo.wait_for(automatic, ("OutOfSync", "Missing", "Succeeded"))
        assert {lab.kubernetes.get(path).status_code for path in (_CONFIG_MAP, _HOSTILE_MAP)} == {httpx.codes.NOT_FOUND}
    for name in (person, automatic):
        argo.refresh(f"{APPLICATIONS}/{name}", "argocd.argoproj.io/refresh", "normal")  # otherwise after minutes
        argo.wait_for(name, _DONE)


@contextmanager
def foreign_applications(lab: TestLab, argo: ArgoCD) -> Iterator[None]:
    """Create two applications of beta's project: in beta's own namespace, and with alpha's repository."""
    theirs = argo.applications()[_application("web")]["spec"]
    source = theirs["source"]
    foreign = {**theirs, "source": {**source, "repoURL": source["repoURL"].replace("beta", "alpha")}}
    with ExitStack() as ends:
        for path, spec in ((_OWN, theirs), (f"{APPLICATIONS}/foreign", foreign)):
            folder, _, name = path.rpartition("/")
            ends.callback(lab.kubernetes.delete, path)
            body = {"apiVersion": _API, "kind": "Application", "metadata": {"name": name}, "spec": spec}
            lab.kubernetes.post(folder, json=body).raise_for_status()
        yield


def refuses_a_foreign_repository(argo: ArgoCD) -> None:
    refused = "tenants/alpha/deploy.git is not permitted in project 'beta-dev'"
    argo.wait(lambda: refused in message_of(argo.applications().get("foreign", {})), "the refusal of a repository")


def keeps_what_a_deleted_folder_deployed(lab: TestLab, argo: ArgoCD) -> None:
    argo.refresh(_SET, *_NEW_FOLDERS)
    argo.wait(lambda: not made_by_the_set(argo), "the end of the applications")
    assert read(lab, _CONFIG_MAP)["data"]["greeting"] == "hello"


def made_by_the_set(argo: ArgoCD) -> set[str]:
    return {name for name in argo.applications() if name.startswith(_application(""))}


def reported(argo: ArgoCD, texts: Mapping[str, tuple[str, ...]]) -> bool:
    """Return whether the application of each folder reports its texts."""
    applications = argo.applications()
    found = {folder: message_of(applications.get(_application(folder), {})) for folder in texts}
    return all(text in found[folder] for folder, wanted in texts.items() for text in wanted)


def _application(folder: str) -> str:
    return f"beta-dev--deploy.{folder}"


def clean(lab: TestLab) -> None:
    """Delete what Argo CD has created."""
    for name in _NAMES:
        lab.kubernetes.delete(f"{APPLICATIONS}/{_application(name)}")
    for path in (_CONFIG_MAP, _HOSTILE_MAP):
        lab.kubernetes.delete(path)
