"""Manual changes with all rights on the platform: creates objects, and removes them by the call of their finding."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import httpx

from lab.testing.platforms import TestLab
from usine.drift.inventory import Found

#: Tenant, last word of the type, name.
Expected = tuple[str | None, str, str]
#: The value of every manually created secret: no report may contain it.
MARKER = "hand-made-secret"
PERSON = "mallory.by-hand"
REALM = "usine"
_KUBE = "/apis/rbac.authorization.k8s.io/v1"


@dataclass(frozen=True)
class Hand:
    """A person with all rights on the platform. `slug` has an environment `dev`, an app `api`, an infra `deploy`."""

    lab: TestLab
    slug: str
    cluster: str = "nonprod-1"

    @property
    def namespace(self) -> str:
        return f"{self.slug}-dev"

    def gitlab(self, method: str, path: str, body: Any = None) -> Any:
        return answered(self.lab.gitlab.request(method, path, json=body))

    def group(self) -> int:
        return int(self.gitlab("GET", f"/groups/tenants%2F{self.slug}")["id"])

    def project(self, name: str = "api") -> int:
        return int(self.gitlab("GET", f"/projects/tenants%2F{self.slug}%2F{name}")["id"])

    def gitlab_person(self) -> int:
        found = self.gitlab("GET", f"/users?username={PERSON}")
        if found:
            return int(found[0]["id"])
        body = {"username": PERSON, "name": "M", "email": "m@example.test", "force_random_password": True}
        return int(self.gitlab("POST", "/users", {**body, "skip_confirmation": True})["id"])

    def keycloak(self, method: str, path: str, body: Any = None) -> Any:
        """`path` is below the realm."""
        connection = self.lab.keycloak.connection
        whole = f"admin/realms/{REALM}{path}"
        match method:
            case "GET":
                return answered(connection.raw_get(whole))
            case "POST":
                answer = connection.raw_post(whole, data=json.dumps(body))
                return str(answer.headers.get("Location", "")).rpartition("/")[2] if answer.ok else answered(answer)
            case "PUT":
                return answered(connection.raw_put(whole, data=json.dumps(body or {})))
            case _:
                return answered(connection.raw_delete(whole, data=json.dumps(body) if body else None))

    def keycloak_group(self, path: str = "") -> str:
        return str(self.keycloak("GET", f"/group-by-path/{self.slug}{path}")["id"])

    def keycloak_person(self) -> str:
        found = self.keycloak("GET", f"/users?username={PERSON}&exact=true")
        return str(found[0]["id"]) if found else str(self.keycloak("POST", "/users", {"username": PERSON}))

    def vault(self, method: str, path: str, body: Any = None) -> Any:
        return self.lab.vault.adapter.request(method, f"/v1/{path}", json=body)

    def kubernetes(self, method: str, path: str, body: Any = None) -> Any:
        return answered(self.lab.kubernetes.request(method, path, json=body))

    def make(self, path: str, name: str, namespaced: bool = True, **body: Any) -> str:
        """Make an object in the tenant's namespace; return how a finding names it."""
        labels = body.pop("labels", {})
        self.kubernetes("POST", path, {"metadata": {"name": name, "labels": labels}, **body})
        return f"{self.cluster}: {self.namespace}/{name}" if namespaced else f"{self.cluster}: {name}"

    def harbor(self, method: str, path: str, body: Any = None) -> Any:
        return answered(self.lab.harbor.request(method, path, json=body))

    def harbor_project(self) -> int:
        return int(self.harbor("GET", f"/projects/{self.slug}")["project_id"])

    def sonarqube(self, path: str, **form: str) -> Any:
        return answered(self.lab.sonarqube.post(path, data=form))


def answered(answer: Any) -> Any:
    assert answer.status_code < httpx.codes.BAD_REQUEST, f"{answer.status_code} {answer.text}"
    return answer.json() if answer.content else None


def deeds(module: Mapping[str, Any], systems: tuple[str, ...]) -> tuple[Callable[[Hand], Expected], ...]:
    """The functions of a module whose names begin with one of these systems."""
    return tuple(value for name, value in module.items() if name.startswith(tuple(f"{s}_" for s in systems)))


# Removal ----------------------------------------------------------------------------------------------------------


def undo(hand: Hand, found: Found) -> None:
    """Send the call that the finding names."""
    if found.removal.startswith("kubectl "):
        _kubectl(hand, found)
        return
    for call in found.removal.split(", then "):
        method, _, rest = call.partition(" ")
        path, _, body = rest.partition(" ")
        _SYSTEMS[found.system](hand, method, path, json.loads(body) if body.startswith(("{", "[")) else None)


def in_order(found: Found) -> tuple[bool, ...]:
    """Sort so that nothing takes another finding away with it: accounts and containers go last, a registry after the
    replication to it, a member of a group after the members of its projects, and of the root after those of the groups
    below.
    """
    last = (":User", ":TechnicalAccount", ":Group", ":Project", ":Mount", ":Namespace", ":Registry")
    contains = found.type.endswith(last)
    return contains, found.type.endswith(":GroupMembership"), found.name.startswith("tenants: ")


def _kubectl(hand: Hand, found: Found) -> None:
    words = re.fullmatch(r"kubectl --context (\S+)(?: -n (\S+))? delete (\S+) (\S+)", found.removal)
    assert words, found.removal
    _, namespace, plural, name = words.groups()
    apis: Mapping[str, str] = {
        **dict.fromkeys(("roles", "rolebindings", "clusterroles", "clusterrolebindings"), _KUBE),
        "networkpolicies": "/apis/networking.k8s.io/v1",
        "namespacedimagevalidatingpolicies": "/apis/policies.kyverno.io/v1",
        "validatingadmissionpolicybindings": "/apis/admissionregistration.k8s.io/v1",
        **dict.fromkeys(("appprojects", "applications", "applicationsets"), "/apis/argoproj.io/v1alpha1"),
        **dict.fromkeys(("secretstores", "externalsecrets"), "/apis/external-secrets.io/v1"),
        **dict.fromkeys(("prometheusrules", "podmonitors"), "/apis/monitoring.coreos.com/v1"),
        "alertmanagerconfigs": "/apis/monitoring.coreos.com/v1alpha1",
        **dict.fromkeys(("schedules", "restores"), "/apis/velero.io/v1"),
    }
    where = f"/namespaces/{namespace}" if namespace else ""
    hand.kubernetes("DELETE", f"{apis.get(plural, '/api/v1')}{where}/{plural}/{name}")


def _vault(hand: Hand, method: str, path: str, body: Any) -> None:
    if path.startswith("/v1/auth/token/revoke-accessor"):
        return  # the finding has the accessor's first characters only: see `revoke`
    hand.vault(method, path.removeprefix("/v1/"), body)


def revoke(hand: Hand, found: Found) -> None:
    """Revoke the token of a finding, as a person with the list of accessors can."""
    begins = found.removal.rpartition(" ")[2]
    accessors = hand.vault("LIST", "auth/token/accessors")["data"]["keys"]
    (accessor,) = (one for one in accessors if one.startswith(begins))
    hand.vault("POST", "auth/token/revoke-accessor", {"accessor": accessor})


_SYSTEMS: Mapping[str, Callable[[Hand, str, str, Any], Any]] = {
    "gitlab": lambda hand, method, path, body: hand.gitlab(method, path.removeprefix("/api/v4"), body),
    "keycloak": lambda hand, method, path, body: hand.keycloak(
        method, path.removeprefix(f"/admin/realms/{REALM}"), body
    ),
    "vault": _vault,
    "harbor": lambda hand, method, path, body: hand.harbor(method, path.removeprefix("/api/v2.0"), body),
    "sonarqube": lambda hand, method, path, body: answered(hand.lab.sonarqube.request(method, path, json=body)),
}


def sweep(hand: Hand) -> None:
    """Delete the accounts: the call of a finding only blocks one of them, and the other has no finding."""
    hand.gitlab("DELETE", f"/users/{hand.gitlab_person()}?hard_delete=true")
    users = answered(hand.lab.sonarqube.get("/api/v2/users-management/users", params={"q": PERSON}))["users"]
    for user in users:
        answered(hand.lab.sonarqube.delete(f"/api/v2/users-management/users/{user['id']}"))
    hand.vault("DELETE", "identity/entity/name/extra")
