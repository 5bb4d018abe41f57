"""Writes of operators' kinds that a tenant may try, and the definitions of these kinds for the API server."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

import httpx

from tests.engine.admission_model import HOST, Attempt, Json, changed, object_of


def attempts(vault: str) -> Iterator[Attempt]:
    """The writes as an operator, which may write these kinds; a person may only when the cluster allows them."""
    for what, api, good, bad in operators_kinds(vault):
        if good is not None:
            yield Attempt(what, api, good, who="operator")
        yield Attempt(f"{what}, not opened", api, good or bad[0][1], "cannot create resource")
        for stop, body in bad:
            yield Attempt(f"{what}: {stop}", api, body, stop, "operator")


def operators_kinds(vault: str) -> Iterator[tuple[str, str, Json | None, list[tuple[str, Json]]]]:
    """Yield kind, list, an allowed object (None: there is none), and the refused objects with their reasons."""
    login = {"mountPath": "kubernetes/nonprod-1", "role": "alpha-dev", "serviceAccountRef": {"name": "vault"}}
    provider = {"server": vault, "path": "alpha", "version": "v2", "auth": {"kubernetes": login}}
    store = object_of("external-secrets.io/v1", "SecretStore", spec={"provider": {"vault": provider}})
    where, stop = "spec/provider/vault", "reads the project's own mount"
    webhook = {"webhook": {"url": "http://169.254.169.254/latest/meta-data", "result": {}}}
    as_operator = {key: value for key, value in login.items() if key != "serviceAccountRef"}
    elsewhere = {**login, "serviceAccountRef": {"name": "vault", "namespace": "beta-dev"}}
    yield (
        "store",
        "apis/external-secrets.io/v1/secretstores",
        store,
        [
            (stop, changed(store, path, value))
            for path, value in (
                ("spec/provider", webhook),
                (f"{where}/server", "https://evil.example.fr"),
                (f"{where}/path", "beta"),
                (f"{where}/auth", {"tokenSecretRef": {"name": "x", "key": "token"}}),
                (f"{where}/auth/kubernetes", as_operator),
                (f"{where}/auth/kubernetes", elsewhere),
                (f"{where}/auth/kubernetes/mountPath", "kubernetes/prod-1"),
                (f"{where}/auth/kubernetes/role", "alpha-prod"),
                (f"{where}/auth/kubernetes/serviceAccountRef/name", "usine-deployer"),
                (f"{where}/auth/kubernetes/secretRef", {"name": "x"}),
                (f"{where}/headers", {"X-Forwarded-Host": "evil.example.fr"}),
                (f"{where}/namespace", "other"),
            )
        ],
    )
    data = [{"secretKey": "password", "remoteRef": {"key": "env/dev/db"}}]
    spec = {"secretStoreRef": {"name": "vault"}, "data": data, "dataFrom": [{"extract": {"key": "env/dev/db"}}]}
    secret = object_of("external-secrets.io/v1", "ExternalSecret", spec=spec)
    generator = {
        "generatorRef": {"apiVersion": "generators.external-secrets.io/v1alpha1", "kind": "Webhook", "name": "x"}
    }
    shared = {"storeRef": {"name": "platform", "kind": "ClusterSecretStore"}}
    yield (
        "secret",
        "apis/external-secrets.io/v1/externalsecrets",
        secret,
        [
            ("not a ClusterSecretStore", changed(secret, "spec/secretStoreRef/kind", "ClusterSecretStore")),
            ("not a ClusterSecretStore", changed(secret, "spec/data/0/sourceRef", shared)),
            ("not a ClusterSecretStore", changed(secret, "spec/dataFrom/0/sourceRef", shared)),
            ("has no generatorRef", changed(secret, "spec/dataFrom/0", {"sourceRef": generator})),
            (
                "makes a Secret only",
                changed(secret, "spec/target", {"manifest": {"apiVersion": "v1", "kind": "ConfigMap"}}),
            ),
        ],
    )
    stop = "push secrets and generators are the platform's"
    push = object_of(
        "external-secrets.io/v1alpha1",
        "PushSecret",
        spec={
            "secretStoreRefs": [{"name": "vault"}],
            "selector": {"secret": {"name": "usine-registry"}},
            "data": [{"match": {"secretKey": "a", "remoteRef": {"remoteKey": "b"}}}],
        },
    )
    yield "push", "apis/external-secrets.io/v1alpha1/pushsecrets", None, [(stop, push)]
    called = {"url": "http://169.254.169.254/latest/meta-data", "result": {}}
    hook = object_of("generators.external-secrets.io/v1alpha1", "Webhook", spec=called)
    yield "generator", "apis/generators.external-secrets.io/v1alpha1/webhooks", None, [(stop, hook)]
    issuer = {"name": "internal", "kind": "ClusterIssuer"}
    spec = {"secretName": "x", "dnsNames": [HOST, "db.alpha-dev.svc"], "commonName": HOST, "issuerRef": issuer}
    certificate = object_of("cert-manager.io/v1", "Certificate", spec=spec)
    yield (
        "Certificate",
        "apis/cert-manager.io/v1/certificates",
        certificate,
        [
            ("is for hosts of its environment", changed(certificate, "spec/dnsNames", [HOST, "vault.example.fr"])),
            ("is for hosts of its environment", changed(certificate, "spec/dnsNames", ["db.beta-dev.svc"])),
            ("is for hosts of its environment", changed(certificate, "spec/commonName", "vault.example.fr")),
            ("names hosts only", changed(certificate, "spec/ipAddresses", ["10.0.0.1"])),
            ("names hosts only", changed(certificate, "spec/uris", ["spiffe://cluster.local/ns/beta-dev/sa/default"])),
            ("is no authority", changed(certificate, "spec/isCA", value=True)),
            ("is no authority", changed(certificate, "spec/usages", ["client auth"])),
        ],
    )
    acme = object_of("cert-manager.io/v1", "Issuer", spec={"acme": {"server": "http://169.254.169.254"}})
    yield "Issuer", "apis/cert-manager.io/v1/issuers", None, [("issuers are the platform's", acme)]


@contextmanager
def known(client: httpx.Client) -> Iterator[None]:
    """Define the routes of the Gateway API and the operators' kinds while the block runs.

    External Secrets' own definitions are part of the lab.
    """
    url = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
    for group, kind in KINDS:
        client.post(url, json=_definition(group, kind)).raise_for_status()
    try:
        deadline = time.monotonic() + 30
        for group, kind in KINDS:
            while client.get(f"/apis/{group}/v1/{kind.lower()}s").status_code != httpx.codes.OK:
                assert time.monotonic() < deadline
                time.sleep(0.1)
        yield
    finally:
        for group, kind in KINDS:
            client.delete(f"{url}/{kind.lower()}s.{group}").raise_for_status()


KINDS = (
    ("gateway.networking.k8s.io", "HTTPRoute"),
    ("cert-manager.io", "Certificate"),
    ("cert-manager.io", "Issuer"),
)


def _definition(group: str, kind: str) -> Json:
    """Return a kind whose objects may have any field: admission policies run before validation."""
    plural = f"{kind.lower()}s"
    schema = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
    # The API server requires this annotation on kinds of *.k8s.io.
    approved = {"api-approved.kubernetes.io": "https://github.com/kubernetes-sigs/gateway-api/pull/3328"}
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{plural}.{group}", "annotations": approved if group.endswith(".k8s.io") else {}},
        "spec": {
            "group": group,
            "names": {"kind": kind, "listKind": f"{kind}List", "plural": plural, "singular": kind.lower()},
            "scope": "Namespaced",
            "versions": [{"name": "v1", "served": True, "storage": True, "schema": {"openAPIV3Schema": schema}}],
        },
    }
