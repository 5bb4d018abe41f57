"""One program for each provider that creates every supported resource; `step` changes some of their properties."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import pulumi
import pulumi_keycloak as kc
import pulumi_kubernetes as k8s
import pulumi_vault as vault

MARKER = "secret-marker-7f3a"


def vault_program(address: str, token: str, key: str, certificate: str, step: int) -> None:
    """Create mounts, policies, auth back ends and roles, groups and aliases, a secret; call one function."""
    provider = vault.Provider("v", address=address, token=pulumi.Output.secret(token))
    options = pulumi.ResourceOptions(provider=provider)
    kv = vault.Mount(
        "kv", path="tenants/a", type="kv", options={"version": "2"}, description=f"step {step}", opts=options
    )
    vault.Mount("alias", path="kvtwo", type="kv-v2", opts=options)
    policy = vault.Policy(
        "policy", name="pol", policy='path "x" { capabilities = ["read"] }\n' + "# more\n" * step, opts=options
    )
    vault.Policy("named", policy=policy.name.apply(lambda name: f"# {name}\n"), opts=options)
    kubernetes = vault.AuthBackend("k8s", type="kubernetes", path="k8s", description=f"step {step}", opts=options)
    vault.AuthBackend("plain", type="userpass", opts=options)
    vault.kubernetes.AuthBackendConfig(
        "config", backend=kubernetes.path, kubernetes_host="https://127.0.0.1:6443", disable_local_ca_jwt=True,
        kubernetes_ca_cert=certificate, token_reviewer_jwt=pulumi.Output.secret(MARKER) if step else None, opts=options,
    )  # fmt: skip
    vault.kubernetes.AuthBackendRole(
        "pods", backend=kubernetes.path, role_name="dev", bound_service_account_names=["b", "a"],
        bound_service_account_namespaces=["ns", "other"][: step + 1], token_policies=[policy.name], token_ttl=3600,
        audience="vault", opts=options,
    )  # fmt: skip
    jwt = vault.jwt.AuthBackend(
        "jwt", path="gitlab", jwt_validation_pubkeys=[key], bound_issuer=f"https://gitlab/{step}", opts=options
    )
    vault.jwt.AuthBackendRole(
        "ci", backend=jwt.path, role_name="ci", role_type="jwt", user_claim="sub", bound_audiences=["b", "a"],
        bound_claims={"project_id": str(12 + step), "ref_protected": "true"}, token_policies=["pol"],
        token_explicit_max_ttl=600, opts=options,
    )  # fmt: skip
    group = vault.identity.Group(
        "group",
        name="grp",
        type="external",
        policies=["pol", "more"][: step + 1],
        metadata={"tenant": "a"},
        opts=options,
    )
    vault.identity.GroupAlias("link", name="/a/dev", mount_accessor=jwt.accessor, canonical_id=group.id, opts=options)
    data = json.dumps({"k": f"{MARKER}-{step}", "b": "<&>"})
    vault.kv.SecretV2("secret", mount=kv.path, name="ci/x", data_json=pulumi.Output.secret(data), opts=options)
    invoke = pulumi.InvokeOptions(provider=provider)
    pulumi.export("type", vault.get_auth_backend_output(path="token", opts=invoke).type)


def keycloak_program(settings: Mapping[str, str], step: int) -> None:
    """Create a realm with all supported objects."""
    provider = kc.Provider(
        "k", url=settings["url"], client_id=settings["clientId"], username=settings["username"], client_timeout=60,
        password=pulumi.Output.secret(settings["password"]), root_ca_certificate=settings.get("rootCaCertificate"),
    )  # fmt: skip
    options = pulumi.ResourceOptions(provider=provider)
    realm = kc.Realm(
        "realm", realm="usine-compared", display_name=f"Usine {step}", password_policy="length(8)",
        security_defenses={"brute_force_detection": {"max_login_failures": 10 + step}}, opts=options,
    )  # fmt: skip
    top = kc.Group("top", realm_id=realm.id, name="teleservice", attributes={"k": f"v##w{step}"}, opts=options)
    child = kc.Group("child", realm_id=realm.id, parent_id=top.id, name="dev", opts=options)
    user = kc.User(
        "user", realm_id=realm.id, username="alice.martin", email="a@example.fr", first_name="A", last_name=f"M{step}",
        opts=options,
    )  # fmt: skip
    other = kc.User("other", realm_id=realm.id, username="bob.durand", opts=options)
    kc.GroupMemberships(
        "members",
        realm_id=realm.id,
        group_id=child.id,
        members=[user.username, other.username][: step + 1],
        opts=options,
    )
    scope = kc.openid.ClientScope("scope", realm_id=realm.id, name="groups", description=f"g{step}", opts=options)
    vault_client = kc.openid.Client(
        "client", realm_id=realm.id, client_id="vault", name="Vault", access_type="CONFIDENTIAL",
        standard_flow_enabled=True, valid_redirect_uris=["http://b/*", "http://a/*"][step:],
        service_accounts_enabled=True, opts=options,
    )  # fmt: skip
    cli = kc.openid.Client(
        "cli", realm_id=realm.id, client_id="cli", access_type="PUBLIC", direct_access_grants_enabled=True,
        web_origins=["+"], opts=options,
    )  # fmt: skip
    kc.openid.GroupMembershipProtocolMapper(
        "groups", realm_id=realm.id, client_scope_id=scope.id, name="groups", claim_name=f"groups{step}", opts=options
    )
    kc.openid.AudienceProtocolMapper(
        "audience", realm_id=realm.id, client_id=cli.id, name="aud", included_custom_audience=vault_client.client_id,
        add_to_id_token=not step, opts=options,
    )  # fmt: skip
    kc.openid.UserAttributeProtocolMapper(
        "attribute",
        realm_id=realm.id,
        client_id=cli.id,
        name="ua",
        user_attribute="email",
        claim_name="m",
        opts=options,
    )
    kc.openid.UserPropertyProtocolMapper(
        "property", realm_id=realm.id, client_id=cli.id, name="up", user_property="email", claim_name="n", opts=options
    )
    kc.openid.ClientDefaultScopes(
        "defaults", realm_id=realm.id, client_id=vault_client.id, default_scopes=["profile", "email", scope.name],
        opts=options,
    )  # fmt: skip
    kc.openid.ClientOptionalScopes(
        "optionals", realm_id=realm.id, client_id=cli.id, optional_scopes=["phone", "address"][step:], opts=options
    )


def kubernetes_program(kubeconfig: str, step: int) -> None:
    """Create a namespace with a tenant's objects, a patch, and an object without a name."""
    settings = k8s.KubeClientSettingsArgs(qps=500, burst=1000)
    provider = k8s.Provider("k", kubeconfig=kubeconfig, kube_client_settings=settings)
    options = pulumi.ResourceOptions(provider=provider)
    core = k8s.core.v1
    namespace = core.Namespace("ns", metadata={"name": "compared", "labels": {"step": str(step)}}, opts=options)

    def meta(name: str) -> Any:
        return {"name": name, "namespace": namespace.metadata.name}

    hard: Any = {"requests.cpu": f"{4000 * (step + 1)}m", "requests.memory": "8192Mi", "pods": "40"}
    core.ResourceQuota("quota", metadata=meta("quota"), spec={"hard": hard}, opts=options)
    limits: Any = [{"type": "Container", "default": {"cpu": "500m", "memory": f"{512 + step}Mi"}}]
    core.LimitRange("limits", metadata=meta("limits"), spec={"limits": limits}, opts=options)
    k8s.networking.v1.NetworkPolicy(
        "policy", metadata=meta("deny"), opts=options,
        spec={
            "pod_selector": {}, "policy_types": ["Ingress"], "ingress": [],
            "egress": [{"ports": [{"port": 53 + step}]}],
        },
    )  # fmt: skip
    core.ServiceAccount("account", metadata=meta("vault"), automount_service_account_token=False, opts=options)
    rules: Any = [{"api_groups": [""], "resources": ["pods"], "verbs": ["get", "list"][: step + 1]}]
    k8s.rbac.v1.Role("role", metadata=meta("role"), rules=rules, opts=options)
    k8s.rbac.v1.RoleBinding(
        "binding", metadata=meta("binding"), opts=options,
        role_ref={"api_group": "rbac.authorization.k8s.io", "kind": "Role", "name": f"role{step or ''}"},
        subjects=[{"kind": "Group", "name": "/a/dev", "api_group": "rbac.authorization.k8s.io"}],
    )  # fmt: skip
    placed: Any = {"namespace": namespace.metadata.name, "annotations": {"a.b/c": "d"}}
    core.Secret("secret", metadata=meta("pull"), string_data={"k": pulumi.Output.secret(MARKER)}, opts=options)
    core.ConfigMap("nameless", metadata=placed, data={"a": str(step)}, opts=options)
    base = core.ConfigMap("base", metadata=meta("base"), data={"x": "1"}, opts=options)
    core.ConfigMapPatch(
        "patch", metadata=meta("base"), data={"y": str(step)},
        opts=pulumi.ResourceOptions(provider=provider, depends_on=[base]),
    )  # fmt: skip
    template: Any = {
        "metadata": {"labels": {"app": "w"}},
        "spec": {"containers": [{"name": "c", "image": f"x:{step}"}]},
    }
    unwaited: Any = {**meta("web"), "annotations": {"pulumi.com/skipAwait": "true"}}
    k8s.apps.v1.Deployment(
        "web", metadata=unwaited, opts=options,
        spec={"replicas": 0, "selector": {"match_labels": {"app": "w"}}, "template": template},
    )  # fmt: skip
    pulumi.export("system", core.Namespace.get("system", "kube-system", opts=options).metadata.name)
