"""Tries every write of `admission_model` and `admission_operators` in a tenant's namespace."""

from __future__ import annotations

from collections.abc import Iterator

import httpx

from tests.engine import admission_operators
from tests.engine.admission_model import (
    HOST,
    WHO,
    Attempt,
    Json,
    changed,
    container,
    object_of,
    pod_spec,
    template,
)


def attempts(registry: str, vault: str) -> Iterator[Attempt]:
    """Yield every attempt; `registry` is the host of the platform's registry, `vault` is Vault's URL."""
    yield from _services()
    yield from _routes()
    yield from _pods(registry)
    yield from _others()
    yield from admission_operators.attempts(vault)


def _services() -> Iterator[Attempt]:
    service = object_of("v1", "Service", spec={"ports": [{"port": 80}]})
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
    slice_ = object_of(
        "discovery.k8s.io/v1", "EndpointSlice", addressType="IPv4", endpoints=[{"addresses": ["10.0.0.1"]}]
    )
    for who in ("person", "deployer"):
        yield Attempt(
            "endpoints", "api/v1/endpoints", object_of("v1", "Endpoints", subsets=subsets), "cannot create", who
        )
        yield Attempt("a slice", "apis/discovery.k8s.io/v1/endpointslices", slice_, "cannot create", who)


def _routes() -> Iterator[Attempt]:
    backend = {"service": {"name": "x", "port": {"number": 80}}}
    paths = {"paths": [{"path": "/", "pathType": "Prefix", "backend": backend}]}
    ingress = object_of("networking.k8s.io/v1", "Ingress", spec={"rules": [{"host": HOST, "http": paths}]})
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
    route = object_of("gateway.networking.k8s.io/v1", "HTTPRoute", spec={"hostnames": [HOST]})
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
    pod, where = object_of("v1", "Pod", spec=pod_spec(own)), "api/v1/pods"
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
    for much, stop in (("20Gi", ""), ("900Gi", "exceeded quota: usine")):
        disk = {"requests": {"ephemeral-storage": "1Gi"}, "limits": {"ephemeral-storage": much}}
        yield Attempt(f"{much} of a node's disk", where, changed(pod, "spec/containers/0/resources", disk), stop)
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
        workload = object_of("apps/v1", kind, spec={**spec, "template": template(own)})
        foreign = changed(workload, "spec/template", template(beta))
        for who in ("person", "deployer"):
            yield Attempt(f"a {kind}", f"apis/apps/v1/{kind.lower()}s", workload, who=who)
            yield Attempt(f"a foreign {kind}", f"apis/apps/v1/{kind.lower()}s", foreign, "not an image", who)
    job = {"template": {"spec": {**pod_spec(beta), "restartPolicy": "Never"}}}
    yield Attempt("a job", "apis/batch/v1/jobs", object_of("batch/v1", "Job", spec=job), "not an image")
    cron = {"schedule": "0 3 * * *", "jobTemplate": {"spec": job}}
    yield Attempt("a cron job", "apis/batch/v1/cronjobs", object_of("batch/v1", "CronJob", spec=cron), "not an image")


def _others() -> Iterator[Attempt]:
    token = object_of("v1", "Secret", type="kubernetes.io/service-account-token")
    token["metadata"]["annotations"] = {"kubernetes.io/service-account.name": "usine-deployer"}
    for who in WHO:
        yield Attempt("an endless token", "api/v1/secrets", token, "is not of type kubernetes.io/service-account", who)
    yield Attempt("a secret", "api/v1/secrets", object_of("v1", "Secret", stringData={"key": "value"}))
    claim = object_of("v1", "PersistentVolumeClaim", spec={"accessModes": ["ReadWriteOnce"]})
    claim["spec"]["resources"] = {"requests": {"storage": "1Gi"}}
    where = "api/v1/persistentvolumeclaims"
    yield Attempt("a claim", where, claim)
    for who in WHO:  # also a controller, which creates claims from a stateful set's template
        yield Attempt(
            "a volume", where, changed(claim, "spec/volumeName", "pv-of-beta"), "does not choose its volume", who
        )


def send(client: httpx.Client, attempt: Attempt, namespace: str = "alpha-dev") -> httpx.Response:
    """Send one attempt to the API server."""
    start, _, plural = attempt.api.rpartition("/")
    url = f"/{start}/namespaces/{namespace}/{plural}?dryRun=All"
    return client.post(url, json=attempt.body, headers=headers(attempt.who))


def headers(who: str) -> list[tuple[str, str]]:
    """Return the headers by which an administrator acts as someone else."""
    return [
        (name, value)
        for name, values in WHO[who].items()
        for value in ((values,) if isinstance(values, str) else values)
    ]


def surprises(client: httpx.Client, registry: str, vault: str, namespace: str = "alpha-dev") -> list[str]:
    """Try everything; return a line for each attempt with an unexpected answer."""
    found = []
    for attempt in attempts(registry, vault):
        answer = send(client, attempt, namespace)
        message = str(answer.json().get("message", ""))
        right = answer.status_code == 403 and attempt.stop in message if attempt.stop else answer.is_success
        if not right:
            found.append(f"{attempt.who}, {attempt.what}: {answer.status_code} {message or 'allowed'}")
    return found


def surprising_updates(client: httpx.Client, registry: str, namespace: str = "alpha-dev") -> list[str]:
    """Create a deployment, a service and a pod and try to change each; return a line for each unexpected answer."""
    own, beta = f"{registry}/alpha/app:1", f"{registry}/beta/app:1"
    spec = {"selector": {"matchLabels": {"app": "x"}}, "template": template(own)}
    made = {
        f"/apis/apps/v1/namespaces/{namespace}/deployments": object_of("apps/v1", "Deployment", spec=spec),
        f"/api/v1/namespaces/{namespace}/services": object_of("v1", "Service", spec={"ports": [{"port": 80}]}),
        f"/api/v1/namespaces/{namespace}/pods": object_of("v1", "Pod", spec=pod_spec(own)),
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
