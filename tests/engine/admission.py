"""Writes that a tenant tries in Kubernetes, as its people and as the account Argo CD deploys as, and what stops each.

All with ``dryRun=All``: the API server asks its admission policies, and keeps nothing.
"""

from __future__ import annotations

import copy
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import httpx

Json = Any

#: Who asks: somebody with all rights in alpha's dev environment, and Argo CD on behalf of it.
PERSON = {
    "Impersonate-User": "oidc:emma.leroy",
    "Impersonate-Group": ("oidc:/alpha/dev/rw", "system:authenticated"),
}
DEPLOYER = {
    "Impersonate-User": "system:serviceaccount:alpha-dev:usine-deployer",
    "Impersonate-Group": ("system:serviceaccounts", "system:serviceaccounts:alpha-dev", "system:authenticated"),
}
#: An operator with every right there is.
OPERATOR = {"Impersonate-User": "system:serviceaccount:operators:operator", "Impersonate-Group": ("system:masters",)}
HOST = "app.alpha.example.fr"
WHO = {"person": PERSON, "deployer": DEPLOYER, "operator": OPERATOR}


@dataclass(frozen=True)
class Attempt:
    """One write of `body` to a list of the namespace: `stop` is in the answer that refuses it, empty: it is allowed."""

    what: str
    api: str
    body: Json
    stop: str = ""
    who: str = "person"


def changed(base: Json, path: str, value: object) -> Json:
    """The object with the value at a path of keys and numbers, made where it is not there."""
    result = copy.deepcopy(base)
    inner = result
    *way, last = path.split("/")
    for key in way:
        inner = inner[int(key)] if isinstance(inner, list) else inner.setdefault(key, {})
    if isinstance(inner, list):
        inner[int(last)] = value
    else:
        inner[last] = value
    return result


def _object(api: str, kind: str, **parts: object) -> Json:
    return {"apiVersion": api, "kind": kind, "metadata": {"name": "tried"}, **parts}


def pod_spec(image: str) -> Json:
    """Of a pod that Pod Security ``restricted`` takes."""
    return {
        "securityContext": {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}},
        "containers": [container(image)],
    }


def container(image: str) -> Json:
    return {
        "name": "main",
        "image": image,
        "securityContext": {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}},
    }


def _template(image: str) -> Json:
    return {"metadata": {"labels": {"app": "x"}}, "spec": {**pod_spec(image), "restartPolicy": "Always"}}


def attempts(registry: str, vault: str) -> Iterator[Attempt]:
    """Yield everything to be tried; `registry` is the host of the platform's, `vault` its URL."""
    yield from _services()
    yield from _routes()
    yield from _pods(registry)
    yield from _others()
    yield from _operators(vault)


def _services() -> Iterator[Attempt]:
    service = _object("v1", "Service", spec={"ports": [{"port": 80}]})
    where = "api/v1/services"
    yield Attempt("a service", where, service)
    for kind in ("NodePort", "LoadBalancer"):
        yield Attempt(f"a {kind}", where, changed(service, "spec/type", kind), "has type ClusterIP")
    name = {"type": "ExternalName", "externalName": "kube-apiserver.internal"}
    yield Attempt("an ExternalName", where, changed(service, "spec", name), "has type ClusterIP")
    addresses = changed(service, "spec/externalIPs", ["10.0.0.1"])
    for who in WHO:
        yield Attempt("external addresses", where, addresses, "has no externalIPs", who)
    subsets = [{"addresses": [{"ip": "10.0.0.1"}], "ports": [{"port": 443}]}]
    slice_ = _object(
        "discovery.k8s.io/v1", "EndpointSlice", addressType="IPv4", endpoints=[{"addresses": ["10.0.0.1"]}]
    )
    for who in ("person", "deployer"):
        yield Attempt(
            "endpoints", "api/v1/endpoints", _object("v1", "Endpoints", subsets=subsets), "cannot create", who
        )
        yield Attempt("a slice", "apis/discovery.k8s.io/v1/endpointslices", slice_, "cannot create", who)


def _routes() -> Iterator[Attempt]:
    backend = {"service": {"name": "x", "port": {"number": 80}}}
    paths = {"paths": [{"path": "/", "pathType": "Prefix", "backend": backend}]}
    ingress = _object("networking.k8s.io/v1", "Ingress", spec={"rules": [{"host": HOST, "http": paths}]})
    where = "apis/networking.k8s.io/v1/ingresses"
    tls = changed(ingress, "spec/tls", [{"hosts": [HOST], "secretName": "x"}])
    yield Attempt("an ingress", where, changed(tls, "metadata/annotations", {"cert-manager.io/cluster-issuer": "x"}))
    for host in ("app.beta.example.fr", "*.alpha.example.fr", "alpha.example.fr"):
        for who in ("person", "deployer"):
            foreign = changed(ingress, "spec/rules/0/host", host)
            yield Attempt(f"host {host}", where, foreign, f"not a host of this environment: {host}", who)
    second = changed(ingress, "spec/rules", [*ingress["spec"]["rules"], {"host": "x.example.fr", "http": paths}])
    yield Attempt("a second host", where, second, "not a host of this environment: x.example.fr")
    yield Attempt("every host", where, changed(ingress, "spec/rules/0", {"http": paths}), "which means every host")
    yield Attempt("the default", where, changed(ingress, "spec/defaultBackend", backend), "has no defaultBackend")
    certificate = changed(ingress, "spec/tls", [{"hosts": ["vault.example.fr"], "secretName": "x"}])
    yield Attempt("a certificate", where, certificate, "has certificates for hosts of its environment only")
    for key in ("nginx.ingress.kubernetes.io/server-alias", "nginx.ingress.kubernetes.io/configuration-snippet"):
        noted = changed(ingress, "metadata/annotations", {key: "x"})
        yield Attempt(key, where, noted, f"annotations that the platform does not allow on an Ingress: {key}")
    route = _object("gateway.networking.k8s.io/v1", "HTTPRoute", spec={"hostnames": [HOST]})
    where = "apis/gateway.networking.k8s.io/v1/httproutes"
    yield Attempt("a route", where, route)
    for name, spec in {
        "another's": {"hostnames": [HOST, "app.beta.example.fr"]},
        "every": {},
        "no": {"hostnames": []},
    }.items():
        stop = "a route names its hostnames, and only hosts of its environment"
        yield Attempt(f"a route for {name} host", where, changed(route, "spec", spec), stop)


def _pods(registry: str) -> Iterator[Attempt]:
    own, beta, public = f"{registry}/alpha/app:1", f"{registry}/beta/app:1", "docker.io/library/alpine:3"
    pod, where = _object("v1", "Pod", spec=pod_spec(own)), "api/v1/pods"
    for who in WHO:
        yield Attempt("a pod", where, pod, who=who)
        for image in (
            beta,
            public,
            "sha256:" + "0" * 64,
            f"{registry}/alphabet/app:1",
            f"{registry.upper()}x/alpha/a:1",
        ):
            foreign = changed(pod, "spec/containers/0/image", image)
            yield Attempt(f"image {image}", where, foreign, f"not an image for this project: {image}", who)
    yield Attempt("platform's image", where, changed(pod, "spec/containers/0/image", f"{registry}/platform/base/x:1"))
    init = changed(pod, "spec/initContainers", [{**container(public), "name": "init"}])
    yield Attempt("an init container", where, init, f"not an image for this project: {public}")
    for name, source, stop in (
        ("image", {"reference": beta}, f"not an image for this project: {beta}"),
        ("csi", {"driver": "secrets.example"}, "volumes of a tenant's pods are of these types"),
    ):
        volume = changed(pod, "spec/volumes", [{"name": "v", name: source}])
        yield Attempt(f"a volume of type {name}", where, volume, stop)
    for kind in ("emptyDir", "projected"):
        yield Attempt(f"a volume of type {kind}", where, changed(pod, "spec/volumes", [{"name": "v", kind: {}}]))
    important = changed(pod, "spec/priorityClassName", "system-cluster-critical")
    yield Attempt("a priority class", where, important, "priority classes of a tenant's pods: none is allowed")
    deployer = changed(pod, "spec/serviceAccountName", "usine-deployer")
    yield Attempt("as the deployer", where, deployer, "no pod runs as usine-deployer")
    selector = {"matchLabels": {"app": "x"}}
    for kind, spec in (
        ("Deployment", {"selector": selector}),
        ("DaemonSet", {"selector": selector}),
        ("ReplicaSet", {"selector": selector}),
        ("StatefulSet", {"selector": selector, "serviceName": "x"}),
    ):
        workload = _object("apps/v1", kind, spec={**spec, "template": _template(own)})
        foreign = changed(workload, "spec/template", _template(beta))
        for who in ("person", "deployer"):
            yield Attempt(f"a {kind}", f"apis/apps/v1/{kind.lower()}s", workload, who=who)
            yield Attempt(f"a foreign {kind}", f"apis/apps/v1/{kind.lower()}s", foreign, "not an image", who)
    job = {"template": {"spec": {**pod_spec(beta), "restartPolicy": "Never"}}}
    yield Attempt("a job", "apis/batch/v1/jobs", _object("batch/v1", "Job", spec=job), "not an image")
    cron = {"schedule": "0 3 * * *", "jobTemplate": {"spec": job}}
    yield Attempt("a cron job", "apis/batch/v1/cronjobs", _object("batch/v1", "CronJob", spec=cron), "not an image")


def _others() -> Iterator[Attempt]:
    token = _object("v1", "Secret", type="kubernetes.io/service-account-token")
    token["metadata"]["annotations"] = {"kubernetes.io/service-account.name": "usine-deployer"}
    for who in WHO:
        yield Attempt("an endless token", "api/v1/secrets", token, "is not of type kubernetes.io/service-account", who)
    yield Attempt("a secret", "api/v1/secrets", _object("v1", "Secret", stringData={"key": "value"}))
    claim = _object("v1", "PersistentVolumeClaim", spec={"accessModes": ["ReadWriteOnce"]})
    claim["spec"]["resources"] = {"requests": {"storage": "1Gi"}}
    where = "api/v1/persistentvolumeclaims"
    yield Attempt("a claim", where, claim)
    for who in WHO:  # also a controller, which makes claims from a stateful set's template
        yield Attempt(
            "a volume", where, changed(claim, "spec/volumeName", "pv-of-beta"), "does not choose its volume", who
        )


def _operators(vault: str) -> Iterator[Attempt]:
    """As an operator that may write these kinds, which a person may not until the cluster opens them."""
    for what, api, good, bad in operators_kinds(vault):
        if good is not None:
            yield Attempt(what, api, good, who="operator")
        yield Attempt(f"{what}, not opened", api, good or bad[0][1], "cannot create resource")
        for stop, body in bad:
            yield Attempt(f"{what}: {stop}", api, body, stop, "operator")


def operators_kinds(vault: str) -> Iterator[tuple[str, str, Json | None, list[tuple[str, Json]]]]:
    """Yield kind, list, what may be (None: nothing), and what may not be with the reason for each."""
    login = {"mountPath": "kubernetes/nonprod-1", "role": "alpha-dev", "serviceAccountRef": {"name": "vault"}}
    provider = {"server": vault, "path": "alpha", "version": "v2", "auth": {"kubernetes": login}}
    store = _object("external-secrets.io/v1", "SecretStore", spec={"provider": {"vault": provider}})
    where, stop = "spec/provider/vault", "reads the project's own mount"
    webhook = {"webhook": {"url": "http://169.254.169.254/latest/meta-data"}}
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
                ("spec/provider", {"vault": provider, **webhook}),
                (f"{where}/server", "https://evil.example.fr"),
                (f"{where}/path", "beta"),
                (f"{where}/auth", {"tokenSecretRef": {"name": "x", "key": "token"}}),
                (f"{where}/auth/kubernetes", as_operator),
                (f"{where}/auth/kubernetes", elsewhere),
                (f"{where}/auth/kubernetes/mountPath", "kubernetes/prod-1"),
            )
        ],
    )
    data = [{"secretKey": "password", "remoteRef": {"key": "env/dev/db"}}]
    spec = {"secretStoreRef": {"name": "vault"}, "data": data, "dataFrom": [{"extract": {"key": "env/dev/db"}}]}
    secret = _object("external-secrets.io/v1", "ExternalSecret", spec=spec)
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
    for kind, endpoints in (("ServiceMonitor", "endpoints"), ("PodMonitor", "podMetricsEndpoints")):
        relabel = [
            {"sourceLabels": ["__meta_kubernetes_pod_name"], "targetLabel": "pod"},
            {"action": "drop", "regex": "x"},
        ]
        scraped = {"port": "http", "tlsConfig": {"serverName": "x"}, "relabelings": relabel}
        monitor = _object("monitoring.coreos.com/v1", kind, spec={endpoints: [scraped], "selector": {}})
        first = f"spec/{endpoints}/0"
        address = [{"targetLabel": "__address__", "replacement": "vault.platform.svc:8200"}]
        named = [{"sourceLabels": ["x"], "targetLabel": "${1}__"}]
        relabelings = "relabelings set plain labels"
        yield (
            kind,
            f"apis/monitoring.coreos.com/v1/{kind.lower()}s",
            monitor,
            [
                ("none of bearerTokenFile", changed(monitor, f"{first}/bearerTokenFile", "/var/run/secrets/token")),
                ("none of bearerTokenFile", changed(monitor, f"{first}/proxyUrl", "http://proxy.example.fr")),
                ("none of bearerTokenFile", changed(monitor, f"{first}/honorLabels", value=True)),
                ("no files of Prometheus", changed(monitor, f"{first}/tlsConfig", {"keyFile": "/etc/key"})),
                ("its own namespace only", changed(monitor, "spec/namespaceSelector", {"any": True})),
                ("its own namespace only", changed(monitor, "spec/namespaceSelector", {"matchNames": ["beta-dev"]})),
                ("has no scrapeClass", changed(monitor, "spec/scrapeClass", "platform")),
                (relabelings, changed(monitor, f"{first}/relabelings", address)),
                (relabelings, changed(monitor, f"{first}/metricRelabelings", named)),
                (relabelings, changed(monitor, f"{first}/metricRelabelings", [{"targetLabel": "namespace"}])),
                (relabelings, changed(monitor, f"{first}/relabelings", [{"action": "LabelMap", "regex": "(.+)"}])),
            ],
        )
    probe = _object("monitoring.coreos.com/v1", "Probe", spec={"prober": {"url": "vault.platform.svc"}})
    yield "Probe", "apis/monitoring.coreos.com/v1/probes", None, [("probes and scrape configurations", probe)]
    issuer = {"name": "internal", "kind": "ClusterIssuer"}
    spec = {"secretName": "x", "dnsNames": [HOST, "db.alpha-dev.svc"], "commonName": HOST, "issuerRef": issuer}
    certificate = _object("cert-manager.io/v1", "Certificate", spec=spec)
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
    acme = _object("cert-manager.io/v1", "Issuer", spec={"acme": {"server": "http://169.254.169.254"}})
    yield "Issuer", "apis/cert-manager.io/v1/issuers", None, [("issuers are the platform's", acme)]


def send(client: httpx.Client, attempt: Attempt, namespace: str = "alpha-dev") -> httpx.Response:
    """Ask the API server for one attempt."""
    start, _, plural = attempt.api.rpartition("/")
    headers = [
        (name, value)
        for name, values in WHO[attempt.who].items()
        for value in ((values,) if isinstance(values, str) else values)
    ]
    url = f"/{start}/namespaces/{namespace}/{plural}?dryRun=All"
    return client.post(url, json=attempt.body, headers=headers)


def surprises(client: httpx.Client, registry: str, vault: str, namespace: str = "alpha-dev") -> list[str]:
    """Try everything; return what went otherwise than it must, a line each."""
    found = []
    for attempt in attempts(registry, vault):
        answer = send(client, attempt, namespace)
        message = str(answer.json().get("message", ""))
        right = answer.status_code == 403 and attempt.stop in message if attempt.stop else answer.is_success
        if not right:
            found.append(f"{attempt.who}, {attempt.what}: {answer.status_code} {message or 'allowed'}")
    return found


def surprising_updates(client: httpx.Client, registry: str, namespace: str = "alpha-dev") -> list[str]:
    """Make a deployment, a service, a pod, and try to change each; return what went otherwise than it must."""
    own, beta = f"{registry}/alpha/app:1", f"{registry}/beta/app:1"
    template = {"selector": {"matchLabels": {"app": "x"}}, "template": _template(own)}
    made = {
        f"/apis/apps/v1/namespaces/{namespace}/deployments": _object("apps/v1", "Deployment", spec=template),
        f"/api/v1/namespaces/{namespace}/services": _object("v1", "Service", spec={"ports": [{"port": 80}]}),
        f"/api/v1/namespaces/{namespace}/pods": _object("v1", "Pod", spec=pod_spec(own)),
    }
    noted: Json = {"metadata": {"annotations": {"note": "x"}}}
    debugging = {"spec": {"ephemeralContainers": [{**container(beta), "name": "debug"}]}}
    foreign = {"spec": {"template": {"spec": {"containers": [{"name": "main", "image": beta}]}}}}
    changes = (
        ("deployments", noted, ""),
        ("deployments", {"spec": {"replicas": 2}}, ""),
        ("deployments", foreign, "not an image for this project"),
        ("services", noted, ""),
        ("services", {"spec": {"type": "NodePort"}}, "has type ClusterIP"),
        ("pods", noted, ""),
        ("pods", {"spec": {"containers": [{"name": "main", "image": beta}]}}, "not an image for this project"),
        ("pods/tried/ephemeralcontainers", debugging, "not an image for this project"),
    )
    found = []
    try:
        for url, body in made.items():
            client.post(url, json=body).raise_for_status()
        for kind, change, stop in changes:
            url = next(url for url in made if url.endswith(kind.split("/")[0]))
            answer = client.patch(
                f"{url}/{kind.partition('/')[2] or 'tried'}?dryRun=All",
                json=change,
                headers={"Content-Type": "application/strategic-merge-patch+json"},
            )
            right = answer.status_code == 403 and stop in answer.text if stop else answer.is_success
            if not right:
                found.append(f"{kind}: {answer.status_code} {answer.text}")
    finally:
        for url in made:
            client.delete(f"{url}/tried", params={"gracePeriodSeconds": "0"})
    return found


@contextmanager
def operators(client: httpx.Client) -> Iterator[None]:
    """Have the API server know routes of the Gateway API and the operators' kinds, while the block runs."""
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
    ("external-secrets.io", "SecretStore"),
    ("external-secrets.io", "ExternalSecret"),
    ("monitoring.coreos.com", "ServiceMonitor"),
    ("monitoring.coreos.com", "PodMonitor"),
    ("monitoring.coreos.com", "Probe"),
    ("cert-manager.io", "Certificate"),
    ("cert-manager.io", "Issuer"),
)


def _definition(group: str, kind: str) -> Json:
    """A kind whose objects may hold anything: admission is asked before the schema is."""
    plural = f"{kind.lower()}s"
    schema = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
    # The API server wants this note on kinds of *.k8s.io.
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
