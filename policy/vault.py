"""Vault: to what a log-in role is bound, and which paths a policy gives access to."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from model.naming import REVIEW_FOLDER, SIGNING_MOUNT, VAULT_SERVICE_ACCOUNT, TenantNames
from policy.model import Hidden, Policy, Resource, is_missing, is_set, items_of, texts_of, value_at

#: Sources of pipelines that start outside the project or from a merge request.
_STARTED_ELSEWHERE = frozenset({"pipeline", "parent_pipeline", "trigger", "merge_request_event", "external"})
#: Claims of GitLab's job tokens that keep their meaning: an id is never used again.
_IMMUTABLE_CLAIMS = ("namespace_id", "project_id")
#: What the subjects of tokens of service accounts begin with, and what the names in them look like.
_SERVICE_ACCOUNTS = "system:serviceaccount:"
_NAMES = re.compile(r"[a-z0-9]([a-z0-9.-]*[a-z0-9])?")
_JWT_ROLE = "vault:jwt/authBackendRole:AuthBackendRole"
#: The log-ins of a SecretStore, and where they name the service account. The second is for clusters that pull.
_LOG_INS = {
    "kubernetes": ("serviceAccountRef",),
    "jwt": ("kubernetesServiceAccountToken", "serviceAccountRef"),
}
#: Policies without access to secrets, which every role may have.
_HARMLESS = ("default",)
_STANZA = re.compile(r'\s*path\s+"(?P<path>[^"\n]+)"\s*\{(?P<body>[^{}]*)\}')
_CAPABILITIES = re.compile(r"capabilities\s*=\s*\[(?P<list>[^\]]*)\]")
_COMMENT = re.compile(r"^\s*(#|//).*$", re.M)
_READ = frozenset({"read", "list"})


@dataclass(frozen=True, slots=True)
class _Stanza:
    path: str
    capabilities: frozenset[str]


def _parse(text: str) -> tuple[_Stanza, ...] | None:
    """Read a policy of plain path rules; None if it contains anything else."""
    text, position, stanzas = _COMMENT.sub("", text), 0, []
    while match := _STANZA.match(text, position):
        position = match.end()
        capabilities = _CAPABILITIES.search(match["body"])
        if capabilities is None:
            return None
        stanzas.append(_Stanza(match["path"], frozenset(re.findall(r'"([^"]*)"', capabilities["list"]))))
    return tuple(stanzas) if not text[position:].strip() else None


def _own_paths(resource: Resource) -> Iterator[str]:
    if resource.type != "vault:index/policy:Policy":
        return
    text, name = resource.at("policy"), resource.at("name")
    if not isinstance(text, str):
        return
    stanzas = _parse(text)
    if stanzas is None:
        yield "the policy contains more than paths with capabilities, and cannot be checked"
        return
    names = TenantNames(resource.tenant) if resource.tenant is not None else None
    if names is not None and isinstance(name, str) and not name.startswith(f"{names.slug}."):
        yield "name does not begin with the tenant's slug and a dot"
    for number, stanza in enumerate(stanzas, 1):
        mount = stanza.path.split("/", 1)[0]
        if stanza.capabilities & {"sudo", "root"}:
            yield f"path {number} gives sudo"
        if names is not None and mount != names.secrets_mount and not _signs(stanza, names):
            yield f"path {number} is not in the tenant's own mount"
        elif "*" in mount or "+" in mount or "{{" in mount:
            yield f"path {number} has a wildcard in place of a mount"
        if (
            names is not None
            and name == names.review_policy
            and not (
                stanza.path.startswith(f"{names.secrets_mount}/data/{REVIEW_FOLDER}/") and stanza.capabilities <= _READ
            )
            and not _reads_public_key(stanza, names)
        ):
            yield f"path {number} of the policy for every pipeline is not read-only below {REVIEW_FOLDER}/"


def _signs(stanza: _Stanza, names: TenantNames) -> bool:
    """Return whether a path is the tenant's own key that signs images: to sign with it, or to read its public part."""
    signs = stanza.path == f"{SIGNING_MOUNT}/sign/{names.signing_key}/sha2-256" and stanza.capabilities == {"update"}
    return signs or _reads_public_key(stanza, names)


def _reads_public_key(stanza: _Stanza, names: TenantNames) -> bool:
    return stanza.path == f"{SIGNING_MOUNT}/keys/{names.signing_key}" and stanza.capabilities == {"read"}


def _is_of_workloads(resource: Resource) -> bool:
    """Return whether a role for signed tokens is for a service account. No job of GitLab has such a subject."""
    subject = resource.at("boundSubject")
    return resource.type == _JWT_ROLE and isinstance(subject, str) and subject.startswith(_SERVICE_ACCOUNTS)


def _signed_workload(resource: Resource) -> Iterator[str]:
    subject = str(resource.at("boundSubject")).removeprefix(_SERVICE_ACCOUNTS)
    namespace, separator, account = subject.partition(":")
    if not separator or not _NAMES.fullmatch(namespace) or not _NAMES.fullmatch(account):
        yield "boundSubject is not exactly one account of one namespace"
    if resource.tenant is not None and namespace.rpartition("-")[0] != resource.tenant:
        yield "boundSubject is not in a namespace of the tenant"
    audiences = resource.at("boundAudiences")
    if is_missing(audiences) or any("*" in audience for audience in texts_of(audiences)):
        yield "boundAudiences is empty or has a wildcard: tokens for other services are accepted"
    yield from _own_policies(resource)


def _jwt_role(resource: Resource) -> Iterator[str]:
    if resource.type != _JWT_ROLE or _is_of_workloads(resource):
        return
    audiences = resource.at("boundAudiences")
    if is_missing(audiences):
        yield "boundAudiences is empty: tokens for other services are accepted"
    if any("*" in audience for audience in texts_of(audiences)):
        yield "boundAudiences has a wildcard"
    yield from _own_policies(resource)
    policies = items_of(resource.at("tokenPolicies"))
    if not any(policy not in _HARMLESS for policy in policies):
        return
    claims = resource.at("boundClaims")
    if isinstance(claims, Hidden):
        return
    immutable = [resource.at("boundClaims", claim) for claim in _IMMUTABLE_CLAIMS]
    if all(is_missing(value) for value in immutable):
        yield "boundClaims has neither namespace_id nor project_id: a path can be used again, an id never is"
    if any(isinstance(value, str) and "*" in value for value in immutable):
        yield "boundClaims has a wildcard in place of an id"
    protected = resource.at("boundClaims", "ref_protected")
    weak = all(policy in _HARMLESS or _is_review(policy) for policy in policies)
    if protected != "true" and not isinstance(protected, Hidden) and not weak:
        yield "ref_protected is not bound, and the role gives more than the policy for every pipeline"
    for environment in filter(None, map(_environment_of, policies)):
        bound = resource.at("boundClaims", "environment")
        if bound != environment and not isinstance(bound, Hidden):
            yield "environment is not bound to the environment of a policy in tokenPolicies"
    sources = resource.at("boundClaims", "pipeline_source")
    if not weak and not isinstance(sources, Hidden):
        listed = {source.strip() for source in sources.split(",")} if isinstance(sources, str) else set()
        if not listed or listed & _STARTED_ELSEWHERE or "*" in str(sources):
            yield "pipeline_source allows pipelines that another project, a parent pipeline or a token starts"


def _is_review(policy: object) -> bool:
    if not isinstance(policy, str):
        return True  # unknown: checked again when it is known
    slug = policy.partition(".")[0]
    return policy == TenantNames(slug).review_policy


def _environment_of(policy: object) -> str:
    """Return the environment of whose jobs it is the policy; an empty text for other policies."""
    if not isinstance(policy, str):
        return ""
    slug, _, rest = policy.partition(".")
    environment = rest.removeprefix("ci.")
    return environment if policy == TenantNames(slug).pipeline_environment_policy(environment) else ""


def _kubernetes_role(resource: Resource) -> Iterator[str]:
    if _is_of_workloads(resource):
        yield from _signed_workload(resource)
    if resource.type != "vault:kubernetes/authBackendRole:AuthBackendRole":
        return
    for key, word in (("boundServiceAccountNames", "account"), ("boundServiceAccountNamespaces", "namespace")):
        bound = resource.at(key)
        if isinstance(bound, Hidden):
            continue
        if len(items_of(bound)) != 1 or any("*" in text for text in texts_of(bound)):
            yield f"{key} is not exactly one {word}"
    if is_set(resource.at("boundServiceAccountNamespaceSelector")):
        yield "boundServiceAccountNamespaceSelector allows every namespace with a label"
    if is_missing(resource.at("audience")):
        yield "audience is empty: tokens for other services are accepted"
    slug = resource.tenant
    for namespace in texts_of(resource.at("boundServiceAccountNamespaces")):
        # The name of an environment has no dash: the slug is the text before the last dash.
        if slug is not None and namespace.rpartition("-")[0] != slug:
            yield "boundServiceAccountNamespaces is not a namespace of the tenant"
    yield from _own_policies(resource)


def _secret_store(resource: Resource) -> Iterator[str]:
    """Find stores of External Secrets that read anything but the tenant's mount, as the account of their namespace."""
    slug = resource.tenant
    if resource.type != "kubernetes:external-secrets.io/v1:SecretStore" or slug is None:
        return
    provider = resource.at("spec", "provider")
    vault, auth = value_at(provider, "vault"), value_at(provider, "vault", "auth")
    if isinstance(auth, Hidden):
        return
    if not isinstance(provider, Mapping) or [*provider] != ["vault"]:
        yield "the provider is not vault alone"
        return
    if value_at(vault, "path") != TenantNames(slug).secrets_mount:
        yield "path is not the tenant's mount"
    (kind, *others) = auth or ("",) if isinstance(auth, Mapping) else ("",)
    login = value_at(auth, kind)
    if kind not in _LOG_INS or others or not isinstance(login, Mapping):
        yield "auth is not kubernetes or jwt alone: any other log-in needs a stored credential"
        return
    # The name of an environment has no dash: the slug is the text before the last dash.
    role, namespace = login.get("role"), resource.at("metadata", "namespace")
    known = namespace if isinstance(namespace, str) else role
    if not isinstance(role, str) or role.rpartition("-")[0] != slug or role != known:
        yield "role is not that of the namespace"
    account = value_at(login, *_LOG_INS[kind])
    named = dict(account) if isinstance(account, Mapping) else {}
    bound = kind != "jwt" or len(items_of(named.pop("audiences", None))) == 1
    if named != {"name": VAULT_SERVICE_ACCOUNT} or not bound or "secretRef" in login:
        yield f"serviceAccountRef is not the account {VAULT_SERVICE_ACCOUNT} of the namespace"


def _identity_group(resource: Resource) -> Iterator[str]:
    if resource.type == "vault:identity/group:Group":
        yield from _own_policies(resource, "policies")


def _own_policies(resource: Resource, key: str = "tokenPolicies") -> Iterator[str]:
    """Find policies of other tenants in the policies of a role or group."""
    for index, policy in enumerate(items_of(resource.at(key))):
        if policy == "root":
            yield f"{key}[{index}] is root"
        elif (
            resource.tenant is not None
            and isinstance(policy, str)
            and policy not in _HARMLESS
            and not policy.startswith(f"{resource.tenant}.")
        ):
            yield f"{key}[{index}] is not a policy of the tenant"


POLICIES = (
    Policy(
        "vault-policy-own-paths",
        "The policies of a tenant give access to its own mount and its own signing key only; "
        "the policy for every pipeline is read-only",
        "begin every path with the tenant's mount, without sudo and without a wildcard for the mount; of keys, "
        "name the tenant's own, to sign or to read its public part",
        check=_own_paths,
    ),
    Policy(
        "jwt-role-bound",
        "A role for signed tokens is bound to an audience and an immutable id; a role for publishing, also to "
        "protected refs and to pipelines that start in the project itself; a role of an environment, also to its name",
        "bind boundAudiences, boundClaims.namespace_id or project_id, boundClaims.ref_protected to true, and "
        "boundClaims.pipeline_source; for an environment, boundClaims.environment",
        check=_jwt_role,
    ),
    Policy(
        "kubernetes-role-bound",
        "A role for workloads is bound to one namespace of the tenant, one account and an audience",
        "name the one namespace and the one service account, without wildcards",
        check=_kubernetes_role,
    ),
    Policy(
        "secret-store-bound",
        "A SecretStore of a tenant reads its own mount, as the account of its namespace and without a credential",
        "name the tenant's mount, the namespace's role and its service account; no other provider or log-in",
        check=_secret_store,
    ),
    Policy(
        "vault-group-own-policies",
        "A Vault group has policies of its own tenant only",
        "name policies that begin with the tenant's slug and a dot",
        check=_identity_group,
    ),
)
