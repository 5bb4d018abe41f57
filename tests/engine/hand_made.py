"""The one table of changes made outside the program, in the eight systems, with the findings of a drift scan.

`docs/drift.md` shows it. Objects that the program does not manage are made by the deeds of `tests.drift.inventory`.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from lab.home import LabHome
from lab.settings import render
from lab.testing.platforms import PORT_BASE, TestLab
from model.naming import catalogue_tag
from model.reading.catalogue import FOLDER, read_catalogue
from model.reading.settings_load import read_settings
from tests.drift.inventory import by_hand_access, by_hand_clusters, by_hand_forge
from tests.drift.inventory.hand import Expected, Hand
from tests.engine import breaks, live, live_forge
from tests.engine.harness import ROOT

#: A finding that the report must have: kind, the name of the object, and the path of a property that changed.
Said = tuple[str, str, str]

_MERGE = {"Content-Type": "application/merge-patch+json"}
_JSON_PATCH = {"Content-Type": "application/json-patch+json"}


_STEPS = {"changed": "update", "missing": "create"}


@dataclass(frozen=True)
class HandMade:
    """One change: `what` for people, `do` makes it, `said` are all findings that the report may have for it.

    `by_hand` takes away again what no repair may or can, None where `--repair` does. `previewed`: the engine alone sees
    it, in `preview --refresh`, which then also updates the objects `along`.
    """

    system: str
    what: str
    do: Callable[[TestLab], None]
    said: frozenset[Said]
    by_hand: Callable[[TestLab], None] | None = None
    previewed: bool = False
    along: tuple[str, ...] = ()

    @property
    def steps(self) -> dict[str, str]:
        """The steps of `preview --refresh`, by the name of the object."""
        if not self.previewed:
            return {}
        return {name: _STEPS[kind] for kind, name, _ in self.said} | dict.fromkeys(self.along, "update")


def _ok(answer: httpx.Response) -> Any:
    assert answer.is_success, answer.text
    return answer.json() if answer.content else None


def changed(name: str, *paths: str) -> frozenset[Said]:
    return frozenset(("changed", name, path) for path in paths)


def missing(*names: str) -> frozenset[Said]:
    return frozenset(("missing", name, "") for name in names)


def unmanaged(*names: str) -> frozenset[Said]:
    return frozenset(("unmanaged", name, "") for name in names)


def broken(
    system: str, what: str, do: Callable[[TestLab], None], said: frozenset[Said], along: tuple[str, ...] = ()
) -> HandMade:
    """A change that the engine alone sees and repairs."""
    return HandMade(system, what, do, said, previewed=True, along=along)


def extra(
    what: str,
    deed: Callable[[Hand], Expected],
    name: str,
    by_hand: Callable[[TestLab], None] | None = None,
) -> HandMade:
    """An unmanaged object that a deed of the inventory's tests creates; `name` is its name without the number."""

    def do(lab: TestLab) -> None:
        _, _, made = deed(Hand(lab, "alpha"))
        assert made.startswith(name)

    system = deed.__name__.partition("_")[0]
    return HandMade(system, what, do, unmanaged(name), by_hand)


# Keycloak --------------------------------------------------------------------------------------------------------


def _realm(lab: TestLab) -> Any:
    lab.keycloak.connection.realm_name = live.REALM
    return lab.keycloak


def redirect_a_client(lab: TestLab) -> None:
    """Write the whole client: Keycloak sets properties that are left out to their defaults."""
    admin = _realm(lab)
    number = admin.get_client_id("argocd")
    admin.update_client(number, {**admin.get_client(number), "redirectUris": ["https://evil.example/*"]})


def allow_password_reset(lab: TestLab) -> None:
    _realm(lab).update_realm(live.REALM, {"resetPasswordAllowed": True})


def forbid_password_reset(lab: TestLab) -> None:
    _realm(lab).update_realm(live.REALM, {"resetPasswordAllowed": False})
    lab.keycloak.connection.realm_name = "master"


# Vault -----------------------------------------------------------------------------------------------------------


def mount_a_store(lab: TestLab) -> None:
    lab.vault.sys.enable_secrets_engine("kv", path="alpha-old", options={"version": "2"})


def rewrite_a_secret(lab: TestLab) -> None:
    value = {"username": "robot", "password": secrets.token_urlsafe(16)}
    lab.vault.secrets.kv.v2.create_or_update_secret("ci/registry/push", value, mount_point="alpha")


def forget_secrets(lab: TestLab) -> None:
    lab.vault.write_data("alpha/config", data={"max_versions": 1, "delete_version_after": "1h"})


def keep_secrets(lab: TestLab) -> None:
    lab.vault.write_data("alpha/config", data={"max_versions": 0, "delete_version_after": "0s"})


def unmount_the_store(lab: TestLab) -> None:
    lab.vault.sys.disable_secrets_engine("alpha-old")


# Kubernetes and Argo CD ------------------------------------------------------------------------------------------

_RBAC = "/apis/rbac.authorization.k8s.io/v1"
_NETWORK = "/apis/networking.k8s.io/v1"
_ARGOCD = "/apis/argoproj.io/v1alpha1/namespaces/argocd"


def _append(lab: TestLab, url: str, path: str, value: object) -> None:
    body = json.dumps([{"op": "add", "path": path, "value": value}])
    _ok(lab.kubernetes.patch(url, content=body, headers=_JSON_PATCH))


def slip_a_subject_in(lab: TestLab) -> None:
    subject = {"kind": "User", "apiGroup": "rbac.authorization.k8s.io", "name": "oidc:mallory"}
    _append(lab, f"{_RBAC}/namespaces/alpha-dev/rolebindings/usine-rw", "/subjects/-", subject)


def open_the_network(lab: TestLab) -> None:
    url = f"{_NETWORK}/namespaces/alpha-dev/networkpolicies/default-deny"
    _ok(lab.kubernetes.patch(url, json={"spec": {"ingress": [{}]}}, headers=_MERGE))


def label_a_namespace(lab: TestLab) -> None:
    _set_label(lab, "true")


def remove_the_label(lab: TestLab) -> None:
    _set_label(lab, None)


def _set_label(lab: TestLab, value: str | None) -> None:
    labels = {"metadata": {"labels": {"platform.example/trusted": value}}}
    _ok(lab.kubernetes.patch("/api/v1/namespaces/alpha-prod", json=labels, headers=_MERGE))


def add_a_source(lab: TestLab) -> None:
    _append(lab, f"{_ARGOCD}/appprojects/alpha-prod", "/spec/sourceRepos/-", "*")


def mistrust_no_certificate(lab: TestLab) -> None:
    data = {"data": {"insecure": "dHJ1ZQ=="}}
    _ok(lab.kubernetes.patch("/api/v1/namespaces/argocd/secrets/usine-alpha--deploy", json=data, headers=_MERGE))


def add_a_policy(lab: TestLab) -> None:
    url = "/api/v1/namespaces/argocd/configmaps/argocd-rbac-cm"
    patch = {"data": {"policy.extra.csv": "g, /alpha/developer, role:admin\n"}}
    lab.kubernetes.patch(url, json=patch, headers={"Content-Type": "application/merge-patch+json"}).raise_for_status()


# GitLab ----------------------------------------------------------------------------------------------------------

_GROUP = "/groups/tenants%2Falpha"
_API = "/projects/tenants%2Falpha%2Fapi"


def _user(lab: TestLab, name: str) -> int:
    return int(live_forge.get(lab.gitlab, "users", username=name)[0]["id"])


def invite_to_a_project(lab: TestLab) -> None:
    _ok(lab.gitlab.post(f"{_API}/members", json={"user_id": _user(lab, "chloe.petit"), "access_level": 50}))


def delete_the_project(lab: TestLab) -> None:
    _ok(lab.gitlab.delete("/projects/tenants%2Falpha%2Fextra-project"))


def _tag() -> str:
    """Return the catalogue's tag on the tests' platform, whose registry, the tools' image in it, is at its own port."""
    file = ROOT / "Pulumi.lab.yaml"
    there = render(file.read_text(encoding="utf-8"), LabHome(Path(".lab-test"), PORT_BASE))
    return catalogue_tag(read_catalogue(ROOT / FOLDER, read_settings(there.encode(), file.name)))


TAG = _tag()
_TAGS = "/projects/platform%2Fcatalogue/repository/tags"


def _tag_again(lab: TestLab, ref: str) -> None:
    _ok(lab.gitlab.delete(f"{_TAGS}/{TAG}"))
    _ok(lab.gitlab.post(_TAGS, json={"tag_name": TAG, "ref": ref}))


#: The commit of the tag before it was moved. It is not always the newest: other tests publish versions too.
_tagged: list[str] = []


def move_the_tag(lab: TestLab) -> None:
    commit = live_forge.get(lab.gitlab, f"{_TAGS}/{TAG}")["commit"]
    _tagged.append(commit["id"])
    _tag_again(lab, commit["parent_ids"][0])


def put_the_tag_back(lab: TestLab) -> None:
    _tag_again(lab, _tagged.pop())


# Harbor ----------------------------------------------------------------------------------------------------------


def _storage_quota(lab: TestLab, gib: int) -> None:
    project = lab.harbor.get("/projects/alpha").json()["project_id"]
    (quota,) = lab.harbor.get("/quotas", params={"reference": "project", "reference_id": project}).json()
    _ok(lab.harbor.put(f"/quotas/{quota['id']}", json={"hard": {"storage": gib * 1024**3}}))


def raise_the_storage_quota(lab: TestLab) -> None:
    _storage_quota(lab, 900)


def lower_the_storage_quota(lab: TestLab) -> None:
    _storage_quota(lab, 50)


# SonarQube -------------------------------------------------------------------------------------------------------


def delete_the_analysis(lab: TestLab) -> None:
    _ok(lab.sonarqube.post("/api/projects/delete", data={"project": "alpha:extra"}))


CHANGES: tuple[HandMade, ...] = (
    broken("keycloak", "a member added to a group", breaks.add_a_member,
             changed("alpha/keycloak/group/admin/members", "members")),
    broken("keycloak", "a group deleted", breaks.delete_a_group,
             missing("alpha/keycloak/group/security", "alpha/keycloak/group/security/members")),
    broken("keycloak", "a client sent to another address", redirect_a_client,
             changed("foundation/keycloak/client/argocd", "validRedirectUris")),
    HandMade("keycloak", "a setting that no file states: password reset", allow_password_reset,
             changed("foundation/keycloak/realm", "resetPasswordAllowed"), forbid_password_reset),
    extra("a group made", by_hand_access.keycloak_subgroup, "/alpha/extra"),
    extra("a client made", by_hand_access.keycloak_client, "client: extra"),
    broken("vault", "a policy widened", breaks.widen_a_policy, changed("alpha/vault/policy/env/dev", "policy")),
    broken("vault", "a workload role bound to another namespace", breaks.rebind_a_workload_role,
             changed("alpha/vault/kubernetes-role/dev", "boundServiceAccountNamespaces")),
    broken("vault", "a workload role deleted", breaks.delete_a_workload_role,
             missing("alpha/vault/kubernetes-role/prod")),
    extra("a policy written", by_hand_access.vault_policy, "policy: alpha.extra"),
    extra("a workload role made", by_hand_access.vault_workload_role, "role of kubernetes/nonprod-1: alpha-extra"),
    HandMade("vault", "a secrets engine mounted", mount_a_store, unmanaged("mount: alpha-old"), unmount_the_store),
    HandMade("vault", "a secret that the platform keeps written again", rewrite_a_secret,
             changed("alpha/vault/pipelines/secret/ci/registry/push", "dataJson")),
    HandMade("vault", "a secrets engine told to forget", forget_secrets, unmanaged("settings of mount: alpha"),
             keep_secrets),
    broken("kubernetes", "a quota raised", breaks.raise_a_quota,
             changed("alpha/kubernetes/dev/quota", 'spec.hard["limits.cpu"]')),
    broken("kubernetes", "a network policy deleted", breaks.delete_a_network_policy,
             missing("alpha/kubernetes/prod/network/default-deny")),
    broken("kubernetes", "Pod Security relaxed", breaks.relax_pod_security,
             changed("alpha/kubernetes/dev/namespace", 'metadata.labels["pod-security.kubernetes.io/enforce"]')),
    broken("kubernetes", "the subjects of a role binding replaced", breaks.replace_the_subjects,
             changed("alpha/kubernetes/prod/binding/rw", "subjects[0].name")),
    HandMade("kubernetes", "a subject added to a role binding", slip_a_subject_in,
             changed("alpha/kubernetes/dev/binding/rw", "subjects")),
    HandMade("kubernetes", "a network policy opened by a new rule", open_the_network,
             changed("alpha/kubernetes/dev/network/default-deny", "spec.ingress")),
    HandMade("kubernetes", "a label set on a namespace", label_a_namespace,
             changed("alpha/kubernetes/prod/namespace", 'metadata.labels["platform.example/trusted"]')),
    extra("a role bound", by_hand_clusters.kubernetes_role_binding, "nonprod-1: alpha-dev/extra"),
    extra("a network policy made", by_hand_clusters.kubernetes_network_policy, "nonprod-1: alpha-dev/extra"),
    broken("argocd", "the sources of a project replaced", breaks.open_an_argocd_project,
             changed("alpha/argocd/dev/project", "spec.sourceRepos")),
    HandMade("argocd", "a source added to a project", add_a_source,
             changed("alpha/argocd/prod/project", "spec.sourceRepos")),
    HandMade("argocd", "a key added to a repository's secret", mistrust_no_certificate,
             changed("alpha/argocd/repository/deploy", "data.insecure")),
    HandMade("argocd", "rights given in a policy of another name", add_a_policy,
             changed("foundation/argocd/rights", 'data["policy.extra.csv"]')),
    broken("argocd", "an application deleted", breaks.delete_an_application, missing("alpha/argocd/prod/deploy")),
    extra("an application made", by_hand_clusters.argocd_application, "nonprod-1: argocd/extra"),
    broken("gitlab", "a member's level raised", breaks.raise_a_member,
             changed("alpha/gitlab/member/emma.leroy", "accessLevel")),
    broken("gitlab", "a branch's protection removed", breaks.unprotect_a_branch,
             missing("alpha/gitlab/api/branch/main")),
    broken("gitlab", "a project's merge check switched off", breaks.loosen_a_project,
             changed("alpha/gitlab/api/project", "onlyAllowMergeIfPipelineSucceeds")),
    broken("gitlab", "a CI variable deleted", breaks.delete_a_variable,
             missing("alpha/gitlab/variable/USINE_TENANT")),
    broken("gitlab", "a project opened to all job tokens", breaks.open_the_job_token,
             changed("alpha/gitlab/api/job-token-scope", "enabled")),
    HandMade("gitlab", "somebody invited to a project", invite_to_a_project,
             unmanaged("tenants/alpha/api: chloe.petit")),
    extra("a deploy token made", by_hand_forge.gitlab_deploy_token_of_a_project, "tenants/alpha/api: extra"),
    extra("a CI variable set", by_hand_forge.gitlab_variable_of_the_group, "tenants/alpha: EXTRA:*"),
    HandMade("gitlab", "the catalogue's tag made again at another commit", move_the_tag,
             changed(f"foundation/gitlab/catalogue/version/{TAG}", "ref"), put_the_tag_back),
    extra("a project made", by_hand_forge.gitlab_project, "tenants/alpha/extra-project", delete_the_project),
    broken("harbor", "the images made public", breaks.publish_the_images, changed("alpha/harbor/project", "public")),
    broken("harbor", "a member's role raised", breaks.raise_a_registry_member,
             changed("alpha/harbor/member/developer", "role")),
    broken("harbor", "a robot deleted", breaks.delete_a_robot, missing("alpha/harbor/robot/push-1"),
           # Its secret is deleted with it: the objects that use it get the new one.
           ("alpha/vault/pipelines/secret/ci/registry/push",)),
    broken("harbor", "immutable tags let go", breaks.let_tags_be_overwritten, missing("alpha/harbor/immutable/v*")),
    extra("a robot made", by_hand_forge.harbor_robot_of_the_project, "robot: robot$alpha+extra"),
    extra("a webhook made", by_hand_forge.harbor_webhook, "alpha: webhook extra"),
    HandMade("harbor", "the storage quota raised", raise_the_storage_quota, unmanaged("alpha: storage quota"),
             lower_the_storage_quota),
    broken("sonarqube", "a permission granted", breaks.grant_a_permission,
             changed("alpha/sonarqube/api/permissions", "groups")),
    broken("sonarqube", "another quality gate chosen", breaks.choose_another_gate,
             changed("alpha/sonarqube/api/gate", "gate")),
    broken("sonarqube", "the new-code period shortened", breaks.shorten_the_new_code_period,
             changed("alpha/sonarqube/api/new-code", "value")),
    extra("a webhook made", by_hand_forge.sonarqube_webhook_of_a_project, "alpha:api: webhook extra"),
    extra("a project made", by_hand_forge.sonarqube_project, "project: alpha:extra", delete_the_analysis),
    broken("observability", "the alerts of an environment deleted", breaks.delete_the_alerts,
             missing("alpha/observability/dev/rules")),
    broken("observability", "the limit of a monitor raised", breaks.raise_a_limit_of_samples,
             changed("alpha/observability/prod/servicemonitor", "spec.sampleLimit")),
    extra("receivers of alerts made", by_hand_clusters.observability_receivers, "nonprod-1: alpha-dev/extra"),
)  # fmt: skip
