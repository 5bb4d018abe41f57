"""The real Argo CD on the fleet's API server: its two controllers and its repository server.

Argo CD reads its settings, projects, applications and credentials from the namespace in which the fleet's `up` wrote
them. Only the account with which it enters the cluster belongs to the installation and is made here: it has the rights
of docs/deploy.md and no others.
"""

from __future__ import annotations

import base64
import json
import secrets
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, TypeVar

import httpx
import yaml

from lab import parts, process
from lab.process import Command
from lab.sockets import LOOPBACK
from lab.testing.platforms import TestLab
from tests.engine.harness import ROOT

NAMESPACE = "argocd"
APPLICATIONS = f"/apis/argoproj.io/v1alpha1/namespaces/{NAMESPACE}/applications"
PROJECTS = f"/apis/argoproj.io/v1alpha1/namespaces/{NAMESPACE}/appprojects"
SETS = f"/apis/argoproj.io/v1alpha1/namespaces/{NAMESPACE}/applicationsets"
_CORE = f"/api/v1/namespaces/{NAMESPACE}"
_RBAC = "/apis/rbac.authorization.k8s.io/v1"
_CLUSTER = f"{_CORE}/secrets/usine-cluster--nonprod-1"
#: The account, and the names of its rights.
_ACCOUNT = "argocd-application-controller"
_PART_OF = {"app.kubernetes.io/part-of": "argocd"}
_APPLY = {"Content-Type": "application/apply-patch+yaml"}
_MERGE = {"Content-Type": "application/merge-patch+json"}
_PATIENCE = 60.0
_T = TypeVar("_T")


class ArgoCD:
    """Argo CD while it runs, and its objects."""

    def __init__(self, lab: TestLab, programs: tuple[str, ...]) -> None:
        self._lab = lab
        self._programs = programs

    def applications(self) -> dict[str, dict[str, Any]]:
        """Return the applications by name."""
        items = self._lab.kubernetes.get(APPLICATIONS).raise_for_status().json()["items"]
        return {item["metadata"]["name"]: item for item in items}

    def wait(self, read: Callable[[], _T | None], what: str) -> _T:
        """Return the first result that is true. Fails with the end of the logs if it is late or a program has ended."""
        deadline = time.monotonic() + _PATIENCE
        while not (found := read()):
            ended = [name for name in self._programs if process.running(self._lab.home, name) is None]
            late = time.monotonic() > deadline
            if ended or late:
                logs = "\n".join(process.tail(self._lab.home, name) for name in ended or self._programs)
                raise AssertionError(f"{what}: {ended} ended\n{logs}" if ended else f"{what}: it is late\n{logs}")
            time.sleep(0.2)
        return found

    def wait_for(self, name: str, state: tuple[str | None, ...]) -> dict[str, Any]:
        """Return an application as soon as its sync status, health and last operation are these."""

        def read() -> dict[str, Any] | None:
            application = self.applications().get(name)
            return application if application is not None and state_of(application) == state else None

        return self.wait(read, f"{name} {state}")

    def sync(self, name: str) -> None:
        """Ask for a sync as Argo CD's API does for a person."""
        body = {"operation": {"initiatedBy": {"username": "somebody"}, "sync": {"prune": True}}}
        merge(self._lab, f"{APPLICATIONS}/{name}", body)

    def refresh(self, path: str, annotation: str, value: str) -> None:
        """Ask for a comparison now, as Argo CD's own command does, and wait for its end.

        The controllers remove the annotation as their last step: that of sets after it has deleted applications
        (`Reconcile` in `applicationset_controller.go`). Stopped in between, it leaves the annotation on the object.
        """
        merge(self._lab, path, {"metadata": {"annotations": {annotation: value}}})
        self.wait(lambda: annotation not in _annotations(self._lab, path), f"the comparison of {path}")


def state_of(application: Mapping[str, Any]) -> tuple[str | None, ...]:
    """Return sync status, health and the last operation's phase."""
    status = application.get("status", {})
    return (
        status.get("sync", {}).get("status"),
        status.get("health", {}).get("status"),
        status.get("operationState", {}).get("phase"),
    )


def message_of(application: Mapping[str, Any]) -> str:
    """Return what the last operation and its objects, and the conditions, report."""
    status = application.get("status", {})
    operation = status.get("operationState", {})
    results = operation.get("syncResult", {}).get("resources") or ()
    texts = [operation.get("message", ""), *(result["message"] for result in results)]
    return "\n".join([*texts, *(condition["message"] for condition in status.get("conditions", ()))])


@contextmanager
def running(lab: TestLab, folder: Path) -> Iterator[ArgoCD]:
    """Run Argo CD. At the end nothing of it is left: no process, no account, and no status of an application."""
    made = parts.ensure(["argocd-program", "helm"])
    program = made["argocd-program"] / "argocd"
    # A script of Argo CD's image, which reports on the signature of a commit. No project asks for signatures.
    script = folder / "git-verify-wrapper.sh"
    script.write_text('#!/bin/sh\ngit verify-commit "$1" 2>&1 || true\n', encoding="utf-8")
    script.chmod(0o755)
    with ExitStack() as ends:
        ends.callback(_forget, lab)
        ends.enter_context(_account(lab, folder / "token"))
        environment = {
            "ARGOCD_ASK_PASS_SOCK": str(folder / "askpass"),
            "ARGOCD_GPG_ENABLED": "false",
            "HOME": str(folder),
            "KUBECONFIG": str(_kubeconfig(lab, folder)),
            "PATH": f"{folder}:{program.parent}:{made['helm']}:/usr/local/bin:/usr/bin:/bin",
            "TMPDIR": str(folder),
        }
        commands = _commands(list(lab.home.ports.argocd))
        for name, arguments in commands.items():
            ends.callback(process.stop, lab.home, name, 5.0)
            variables = {**environment, "ARGOCD_BINARY_NAME": name}
            process.start(lab.home, name, Command((str(program), *arguments), variables))
        yield ArgoCD(lab, tuple(commands))


def _commands(ports: list[int]) -> dict[str, tuple[str, ...]]:
    """Return the arguments of each program by its name."""
    redis, repo = f"{LOOPBACK}:{ports[0]}", f"{LOOPBACK}:{ports[1]}"
    own = ("--namespace", NAMESPACE)
    return {
        "redis": (redis,),
        "argocd-repo-server": (
            "--address", LOOPBACK, "--port", str(ports[1]), "--redis", redis,
            "--metrics-address", LOOPBACK, "--metrics-port", str(ports[2]),
        ),
        "argocd-application-controller": (
            *own, "--repo-server", repo, "--redis", redis, "--metrics-port", str(ports[3]),
            "--self-heal-backoff-timeout-seconds", "0",
        ),
        "argocd-applicationset-controller": (
            *own, "--argocd-repo-server", repo, "--metrics-addr", f"{LOOPBACK}:{ports[4]}",
            "--probe-addr", f"{LOOPBACK}:{ports[5]}", "--webhook-addr", f"{LOOPBACK}:{ports[6]}",
        ),
    }  # fmt: skip


def _kubeconfig(lab: TestLab, folder: Path) -> Path:
    """Return the configuration with which Argo CD reads its own namespace."""
    content = yaml.safe_load(lab.home.kubeconfig.read_text(encoding="utf-8"))
    for context in content["contexts"]:
        context["context"]["namespace"] = NAMESPACE
    path = folder / "kubeconfig"
    path.write_text(yaml.safe_dump(content), encoding="utf-8")
    path.chmod(0o600)
    return path


@contextmanager
def _account(lab: TestLab, token: Path) -> Iterator[None]:
    """Make the account of the installation, and put its token where the registration of the cluster finds it."""
    rules = yaml.safe_load(
        (ROOT / "docs" / "deploy.md").read_text(encoding="utf-8").split("rules:\n")[1].split("```")[0]
    )
    key = base64.b64encode(secrets.token_bytes(32)).decode()
    subject = {"kind": "ServiceAccount", "name": _ACCOUNT, "namespace": NAMESPACE}
    role = {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": _ACCOUNT}
    objects: dict[str, dict[str, Any]] = {
        f"{_CORE}/serviceaccounts": {"metadata": {"name": _ACCOUNT}},
        f"{_CORE}/secrets": {
            "metadata": {"name": "argocd-secret", "labels": _PART_OF},
            "data": {"server.secretkey": key},
        },
        f"{_RBAC}/clusterroles": {"metadata": {"name": _ACCOUNT}, "rules": rules},
        f"{_RBAC}/clusterrolebindings": {"metadata": {"name": _ACCOUNT}, "roleRef": role, "subjects": [subject]},
    }
    cluster = read(lab, _CLUSTER)
    with ExitStack() as ends:
        for path, body in objects.items():
            ends.callback(lab.kubernetes.delete, f"{path}/{body['metadata']['name']}")
            lab.kubernetes.post(path, json=body).raise_for_status()
        asked = {"spec": {"expirationSeconds": 3600}}
        issued = lab.kubernetes.post(f"{_CORE}/serviceaccounts/{_ACCOUNT}/token", json=asked).raise_for_status()
        token.write_text(issued.json()["status"]["token"], encoding="utf-8")
        token.chmod(0o600)
        config = json.loads(base64.b64decode(cluster["data"]["config"]))
        config["execProviderConfig"]["args"][-1] = str(token)
        ends.callback(put_back, lab, _CLUSTER, cluster)
        merge(lab, _CLUSTER, {"data": {"config": base64.b64encode(json.dumps(config).encode()).decode()}})
        yield


def _forget(lab: TestLab) -> None:
    """Remove what Argo CD has written into the platform's own objects."""
    for path in (APPLICATIONS, PROJECTS):
        for item in lab.kubernetes.get(path).raise_for_status().json()["items"]:
            if "status" in item or "operation" in item:
                merge(lab, f"{path}/{item['metadata']['name']}", {"status": None, "operation": None})


# Objects --------------------------------------------------------------------------------------------------------------


def read(lab: TestLab, path: str) -> dict[str, Any]:
    found: dict[str, Any] = lab.kubernetes.get(path).raise_for_status().json()
    return found


def _annotations(lab: TestLab, path: str) -> dict[str, str]:
    found: dict[str, str] = read(lab, path)["metadata"].get("annotations", {})
    return found


def merge(lab: TestLab, path: str, body: Mapping[str, Any]) -> None:
    """Change an object as a person does."""
    query = {"fieldManager": "somebody"}
    lab.kubernetes.patch(path, params=query, json=body, headers=_MERGE).raise_for_status()


def put_back(lab: TestLab, path: str, before: Mapping[str, Any]) -> None:
    """Restore an object of the program as it was, with the program as the only owner of its fields."""
    if added := read(lab, path).get("spec", {}).keys() - before.get("spec", {}).keys():
        merge(lab, path, {"spec": dict.fromkeys(added)})
    (manager,) = [one["manager"] for one in before["metadata"]["managedFields"] if one["operation"] == "Apply"]
    kept = {"name", "namespace", "labels", "annotations"}
    metadata = {key: value for key, value in before["metadata"].items() if key in kept}
    body = {**{key: value for key, value in before.items() if key != "status"}, "metadata": metadata}
    query = {"fieldManager": manager, "force": "true"}
    answer: httpx.Response = lab.kubernetes.patch(path, params=query, headers=_APPLY, content=yaml.safe_dump(body))
    answer.raise_for_status()
