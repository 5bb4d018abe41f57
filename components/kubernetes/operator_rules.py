"""What tenants may request from a cluster's operators: External Secrets and cert-manager (see also `monitoring_rules`).

An operator has its own rights and its own network access, so its resources could bypass the isolation of a namespace
(issue 11.A8): with a webhook generator or a store, it calls addresses that the tenant cannot reach; with
`bearerTokenFile`, Prometheus sends its own token; a certificate authority signs any name. Tenants read these kinds; a
cluster's `operators` open some for writing. The rules here apply to every writer in both cases.

The fields are those of external-secrets v1 (apis/externalsecrets/v1) and cert-manager v1
(pkg/apis/certmanager/v1). Where new versions may add fields, the rules list the allowed ones.
"""

from __future__ import annotations

from components.kubernetes.admission_model import (
    HOSTS,
    SPEC_CHANGED,
    AdmissionRule,
    Demand,
    Match,
    cel_list,
    cel_text,
)
from model.clusters import Cluster
from model.naming import TENANT_LABEL, VAULT_SERVICE_ACCOUNT, kubernetes_auth_path

_VAULT_KEYS = ("server", "path", "version", "auth", "caBundle", "caProvider")
_SERVER_USAGES = ("digital signature", "key encipherment", "server auth")


def operator_rules(cluster: Cluster, vault: str | None) -> tuple[AdmissionRule, ...]:
    """Return the rules of one cluster. `vault` is Vault's address; None if there is none."""
    return _stores(cluster, vault), _external_secrets(), _pushes(), _certificates(), _issuers()


def _stores(cluster: Cluster, url: str | None) -> AdmissionRule:
    """Allow only stores that read the tenant's mount in the platform's Vault, as the account `vault` of the namespace.

    Without `serviceAccountRef`, External Secrets logs in with its own account. `headers`, `tls` and `namespace` would
    change what a proxy before Vault does with the request.
    """
    demand = Demand("false", "the platform has no Vault: there is nothing a SecretStore could read")
    if url is not None:
        vault = "object.spec.provider.vault"
        demand = Demand(
            "object.spec.?provider.orValue({}).map(k, k) == ['vault'] && "
            f"{vault}.server == {cel_text(url)} && "
            f"{vault}.?path.orValue('') == namespaceObject.metadata.labels['{TENANT_LABEL}'] && "
            f"{vault}.all(k, k in {cel_list(_VAULT_KEYS)}) && "
            + (_token_review(vault, cluster) if cluster.pull is None else _signed_token(vault, cluster)),
            "a SecretStore reads the project's own mount: provider vault, server "
            f"{url}, path as the project's slug, {_LOG_IN[cluster.pull is not None]} "
            f"{kubernetes_auth_path(cluster)}, role as the namespace and serviceAccountRef {VAULT_SERVICE_ACCOUNT}; "
            f"other keys of vault: {', '.join(key for key in _VAULT_KEYS if key not in ('server', 'path', 'auth'))}",
        )
    return AdmissionRule("stores", (Match("external-secrets.io", ("secretstores",)),), (demand,), when=SPEC_CHANGED)


#: What the message says about the log-in, by whether the cluster pulls its objects.
_LOG_IN = {False: "auth.kubernetes with mountPath", True: "auth.jwt with kubernetesServiceAccountToken and path"}


def _token_review(vault: str, cluster: Cluster) -> str:
    auth = f"{vault}.auth.kubernetes"
    return (
        f"{vault}.?auth.orValue({{}}).map(k, k) == ['kubernetes'] && "
        f"{auth}.all(k, k in {cel_list(('mountPath', 'role', 'serviceAccountRef'))}) && "
        f"{auth}.?mountPath.orValue('') == {cel_text(kubernetes_auth_path(cluster))} && "
        f"{auth}.?role.orValue('') == request.namespace && "
        f"has({auth}.serviceAccountRef) && "
        f"{auth}.serviceAccountRef.?name.orValue('') == {cel_text(VAULT_SERVICE_ACCOUNT)} && "
        f"!has({auth}.serviceAccountRef.namespace)"
    )


def _signed_token(vault: str, cluster: Cluster) -> str:
    """Allow the log-in by a token that the operator requests for the account `vault`, for Vault's audience only."""
    auth = f"{vault}.auth.jwt"
    account = f"{auth}.kubernetesServiceAccountToken.serviceAccountRef"
    return (
        f"{vault}.?auth.orValue({{}}).map(k, k) == ['jwt'] && "
        f"{auth}.all(k, k in {cel_list(('path', 'role', 'kubernetesServiceAccountToken'))}) && "
        f"{auth}.?path.orValue('') == {cel_text(kubernetes_auth_path(cluster))} && "
        f"{auth}.?role.orValue('') == request.namespace && "
        f"has({auth}.kubernetesServiceAccountToken) && "
        f"{auth}.kubernetesServiceAccountToken.map(k, k) == ['serviceAccountRef'] && "
        f"{account}.?name.orValue('') == {cel_text(VAULT_SERVICE_ACCOUNT)} && "
        f"{account}.?audiences.orValue([]) == {cel_list((cluster.token_audience,))} && "
        f"!has({account}.namespace)"
    )


def _external_secrets() -> AdmissionRule:
    sources = "(object.spec.?data.orValue([]) + object.spec.?dataFrom.orValue([])).filter(d, has(d.sourceRef))"
    return AdmissionRule(
        "external-secrets",
        (Match("external-secrets.io", ("externalsecrets",)),),
        (
            Demand(
                "variables.kinds.all(k, k == 'SecretStore')",
                "an ExternalSecret reads a SecretStore of its namespace, not a ClusterSecretStore",
            ),
            Demand(
                "variables.sources.all(d, !has(d.sourceRef.generatorRef))",
                "an ExternalSecret has no generatorRef: a generator calls addresses on the operator's behalf",
            ),
            Demand(
                "!has(object.spec.target) || !has(object.spec.target.manifest)", "an ExternalSecret makes a Secret only"
            ),
        ),
        variables=(
            ("sources", sources),
            (
                "kinds",
                "[object.spec.?secretStoreRef.?kind.orValue('SecretStore')] + "
                "variables.sources.map(d, d.sourceRef.?storeRef.?kind.orValue('SecretStore'))",
            ),
        ),
        when=SPEC_CHANGED,
    )


def _pushes() -> AdmissionRule:
    """Refuse what writes into stores, and generators: with any values, the operator calls addresses in them."""
    return AdmissionRule(
        "pushes",
        (Match("external-secrets.io", ("pushsecrets",)), Match("generators.external-secrets.io", ("*",))),
        (Demand("false", "push secrets and generators are the platform's: the operator calls any address for them"),),
    )


def _certificates() -> AdmissionRule:
    """Allow certificates for the environment's hosts and the namespace's services: an issuer signs any name."""
    own = "n in variables.hosts || n.endsWith('.' + request.namespace + '.svc') || "
    own += "n.endsWith('.' + request.namespace + '.svc.cluster.local')"
    others = ("ipAddresses", "uris", "emailAddresses", "otherNames", "literalSubject")
    return AdmissionRule(
        "certificates",
        (Match("cert-manager.io", ("certificates",)),),
        (
            Demand(
                f"(object.spec.?dnsNames.orValue([]) + [object.spec.?commonName.orValue('')]).all(n, n == '' || {own})",
                "a certificate is for hosts of its environment (url and hosts in the project's file) or for services "
                "of its namespace",
            ),
            Demand(
                " && ".join(f"!has(object.spec.{name})" for name in others),
                f"a certificate names hosts only, none of {', '.join(others)}",
            ),
            Demand(
                "!object.spec.?isCA.orValue(false) && "
                f"object.spec.?usages.orValue([]).all(u, u in {cel_list(_SERVER_USAGES)})",
                f"a certificate is no authority and for servers: usages are {', '.join(_SERVER_USAGES)}",
            ),
        ),
        variables=(HOSTS,),
        when=SPEC_CHANGED,
    )


def _issuers() -> AdmissionRule:
    return AdmissionRule(
        "issuers",
        (Match("cert-manager.io", ("issuers",)),),
        (Demand("false", "issuers are the platform's: they have cert-manager call any address"),),
        when=SPEC_CHANGED,
    )
