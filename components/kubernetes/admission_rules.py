"""What the API server refuses in a tenant namespace to every user, as plain values. This module does not use Pulumi.

The rules are CEL expressions for `ValidatingAdmissionPolicy` (issue 11.A5). They apply to people, to Argo CD, and to
operators that act for a tenant. They read the tenant's properties from its namespace, which no member of a tenant may
change: the label `usine.dev/tenant` names its registry project, the annotation `usine.dev/hosts` its host names.

An object that is older than a rule stays until somebody changes the fields that the rule checks. So the updates of
controllers (a deployment that scales an old replica set down) still succeed.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from components.kubernetes.admission_model import (
    CONTROLLERS,
    HOSTS,
    SPEC_CHANGED,
    AdmissionRule,
    Demand,
    Match,
    Requirement,
    cel_list,
    cel_text,
    template_changed,
    template_of,
)
from components.kubernetes.monitoring_rules import monitoring_rules
from components.kubernetes.operator_rules import operator_rules
from model.clusters import Cluster
from model.naming import CLUSTER_LABEL, DEPLOYER_SERVICE_ACCOUNT, TENANT_LABEL

#: Annotations that an Ingress may have: those of deployment tools and of cert-manager, and those of the NGINX
#: controller that change how the tenant's own hosts are served. With `server-alias` or `*-snippet`, a tenant could
#: serve other hosts.
_NGINX = "nginx.ingress.kubernetes.io"
_INGRESS_ANNOTATIONS = (
    *("argocd.argoproj.io/*", "kubectl.kubernetes.io/*", "meta.helm.sh/*", "helm.sh/*", "pulumi.com/*"),
    *("kubernetes.io/ingress.class", "kubernetes.io/tls-acme", "cert-manager.io/cluster-issuer"),
    *("cert-manager.io/issuer", "acme.cert-manager.io/http01-edit-in-place"),
    *(f"{_NGINX}/{key}" for key in ("ssl-redirect", "force-ssl-redirect", "backend-protocol", "affinity")),
    *(f"{_NGINX}/{key}" for key in ("proxy-body-size", "proxy-connect-timeout", "proxy-read-timeout")),
    *(f"{_NGINX}/{key}" for key in ("proxy-send-timeout", "session-cookie-name", "limit-rps", "limit-connections")),
    f"{_NGINX}/whitelist-source-range",
)

#: The slug of the tenant that a namespace belongs to, in CEL.
_TENANT = f"namespaceObject.metadata.labels['{TENANT_LABEL}']"
_TENANT_OF = "{}.metadata.?labels[?'" + TENANT_LABEL + "'].orValue('')"


def admission_rules(
    cluster: Cluster, registry: str | None, vault: str | None, webhook_hosts: Sequence[str] = ()
) -> tuple[AdmissionRule, ...]:
    """Return the rules of one cluster.

    `registry` is the host of the platform's registry, `vault` Vault's address; None if there is none. `webhook_hosts`
    are the hosts that Alertmanager may call for tenants.
    """
    return (
        _namespaces(),
        _services(),
        _ingresses(cluster),
        _routes(),
        _secrets(),
        _pods(cluster, registry),
        _claims(cluster),
        *operator_rules(cluster, vault),
        *monitoring_rules(webhook_hosts),
    )


def selector(others: Sequence[str]) -> tuple[Requirement, ...]:
    """Return the label selector of the tenant namespaces of a cluster.

    It excludes the namespaces of `others`, the clusters on the same API server. The rules of all of them apply to a
    namespace without the label of its cluster.
    """
    return (
        Requirement(TENANT_LABEL, "Exists"),
        *([Requirement(CLUSTER_LABEL, "NotIn", tuple(sorted(others)))] if others else []),
    )


def _namespaces() -> AdmissionRule:
    """Refuse a change of the tenant label: nobody takes over a namespace, or removes one from the rules below."""
    return AdmissionRule(
        "namespaces",
        (Match("", ("namespaces",), ("UPDATE",)),),
        (
            Demand(
                f"{_TENANT_OF.format('object')} == {_TENANT_OF.format('oldObject')}",
                f"a namespace has the label {TENANT_LABEL} from the day it is made, or never: "
                "one that exists is not given to a tenant, and a tenant's is not taken from it",
            ),
        ),
        namespaced=False,
    )


def _services() -> AdmissionRule:
    """Refuse services for outside traffic, which comes by the platform's ingress.

    With `externalIPs`, a service could take the traffic of addresses of other people (CVE-2020-8554).
    """
    return AdmissionRule(
        "services",
        (Match("", ("services",)),),
        (
            Demand(
                "object.spec.?type.orValue('ClusterIP') == 'ClusterIP'",
                "a service of a tenant has type ClusterIP: traffic comes in by the platform's ingress",
            ),
            Demand("object.spec.?externalIPs.orValue([]).size() == 0", "a service of a tenant has no externalIPs"),
        ),
        when=SPEC_CHANGED,
    )


_DECLARED = "declare it in the project's file, as the environment's url or among its hosts"


def _ingresses(cluster: Cluster) -> AdmissionRule:
    allowed = (*_INGRESS_ANNOTATIONS, *cluster.workloads.ingress_annotations)
    exact = [key for key in allowed if not key.endswith("*")]
    prefixes = [key.removesuffix("*") for key in allowed if key.endswith("*")]
    return AdmissionRule(
        "ingresses",
        (Match("networking.k8s.io", ("ingresses",)),),
        (
            Demand(
                "!has(object.spec.defaultBackend)", "an Ingress has no defaultBackend: it would answer for every host"
            ),
            Demand(
                "variables.foreign.size() == 0",
                f"every rule of an Ingress names a host, and only hosts of its environment; {_DECLARED}",
                "'not a host of this environment: ' + "
                "variables.foreign.map(h, h == '' ? 'none, which means every host' : h).join(', ') + "
                f"{cel_text('; ' + _DECLARED)}",
            ),
            Demand(
                "object.spec.?tls.orValue([]).all(t, t.?hosts.orValue([]).all(h, h in variables.hosts))",
                f"an Ingress has certificates for hosts of its environment only; {_DECLARED}",
            ),
            Demand(
                "variables.strange.size() == 0",
                "an Ingress has only annotations that the platform allows",
                "'annotations that the platform does not allow on an Ingress: ' + variables.strange.join(', ')",
            ),
        ),
        variables=(
            HOSTS,
            (
                "foreign",
                "object.spec.?rules.orValue([]).map(r, r.?host.orValue('')).filter(h, !(h in variables.hosts))",
            ),
            (
                "strange",
                "object.metadata.?annotations.orValue({}).map(k, k).filter(k, "
                f"!(k in {cel_list(exact)}) && !{cel_list(prefixes)}.exists(p, k.startsWith(p)))",
            ),
        ),
        when=f"{SPEC_CHANGED} || object.metadata.?annotations != oldObject.metadata.?annotations",
    )


def _routes() -> AdmissionRule:
    """Check the host names of Gateway API routes. A route without host names takes all those of its gateway."""
    return AdmissionRule(
        "routes",
        (Match("gateway.networking.k8s.io", ("grpcroutes", "httproutes", "tlsroutes")),),
        (
            Demand(
                "object.spec.?hostnames.orValue([]).size() > 0 && "
                "object.spec.?hostnames.orValue([]).all(h, h in variables.hosts)",
                f"a route names its hostnames, and only hosts of its environment; {_DECLARED}",
            ),
        ),
        variables=(HOSTS,),
        when=SPEC_CHANGED,
    )


def _secrets() -> AdmissionRule:
    """Refuse secrets of service accounts: they get a token without expiry, of any account of the namespace."""
    return AdmissionRule(
        "secrets",
        (Match("", ("secrets",), ("CREATE",)),),
        (
            Demand(
                "object.?type.orValue('') != 'kubernetes.io/service-account-token'",
                "a secret of a tenant is not of type kubernetes.io/service-account-token: its token would never end; "
                "a pod gets one by a projected volume",
            ),
        ),
    )


def _pods(cluster: Cluster, registry: str | None) -> AdmissionRule:
    """Check pods, and also the objects that create pods: so that the user gets the answer early."""
    rules = cluster.workloads
    demands = [
        Demand(
            f"!variables.changed || variables.spec.?volumes.orValue([]).all(v, v.all(k, k in "
            f"{cel_list(('name', *rules.volumes))}))",
            f"volumes of a tenant's pods are of these types: {', '.join(rules.volumes)}",
        ),
        Demand(
            "!variables.changed || variables.spec.?priorityClassName.orValue('') in "
            f"{cel_list(('', *rules.priority_classes))}",
            "priority classes of a tenant's pods: " + (", ".join(rules.priority_classes) or "none is allowed"),
        ),
        Demand(
            f"!variables.changed || variables.spec.?serviceAccountName.orValue('') != '{DEPLOYER_SERVICE_ACCOUNT}'",
            f"no pod runs as {DEPLOYER_SERVICE_ACCOUNT}, the account that Argo CD deploys as",
        ),
    ]
    variables = [("spec", template_of("object")), ("changed", template_changed("variables.spec"))]
    prefixes = [p for image in rules.images for p in ((image,) if image.endswith("/") else (f"{image}:", f"{image}@"))]
    if registry is not None or prefixes:
        # Without the platform's registry and without a list, images are not restricted.
        own = "''" if registry is None else f"{cel_text(registry + '/')} + {_TENANT} + '/'"
        variables += [("own", own), ("images", _IMAGES), ("foreign", _foreign(prefixes))]
        allowed = ["the project's own registry"] if registry is not None else []
        others = "".join(f", {image}" for image in rules.images)
        demands.insert(
            0,
            Demand(
                "!variables.changed || variables.foreign.size() == 0",
                f"a tenant's images come from {', '.join((*allowed, *rules.images))}",
                "'not an image for this project: ' + variables.foreign.join(', ') + '; allowed are those below ' + "
                f"variables.own + {cel_text(others)}",
            ),
        )
    return AdmissionRule(
        "pods",
        (
            Match("", ("pods",)),
            Match("", ("pods/ephemeralcontainers",), ("UPDATE",)),
            *CONTROLLERS,
        ),
        tuple(demands),
        tuple(variables),
    )


#: All images of a pod, including image volumes, which the kubelet pulls too.
_IMAGES = (
    "(variables.spec.?containers.orValue([]) + variables.spec.?initContainers.orValue([])"
    " + variables.spec.?ephemeralContainers.orValue([])).map(c, c.?image.orValue(''))"
    " + variables.spec.?volumes.orValue([]).filter(v, has(v.image)).map(v, v.image.?reference.orValue(''))"
)


def _foreign(prefixes: Iterable[str]) -> str:
    return (
        "variables.images.filter(i, !(variables.own != '' && i.startsWith(variables.own)) && "
        f"!{cel_list(prefixes)}.exists(p, i.startsWith(p)))"
    )


def _claims(cluster: Cluster) -> AdmissionRule:
    """Check persistent volume claims. A claim that names a volume could get one that is meant for another tenant."""
    demands = [
        Demand(
            # Controllers also create claims, from a tenant's template.
            # The controller that binds them sets the volume later.
            "request.operation == 'UPDATE' && !variables.tenant || "
            "object.spec.?volumeName.orValue('') == variables.before",
            "a claim does not choose its volume: leave volumeName out",
        )
    ]
    if (classes := cluster.workloads.storage_classes) is not None:
        demands.append(
            Demand(
                "(request.operation == 'UPDATE' && object.spec.?storageClassName == oldObject.spec.?storageClassName)"
                f" || object.spec.?storageClassName.orValue('') in {cel_list(classes)}",
                f"storage classes a tenant may use: {', '.join(classes) or 'none'}",
            )
        )
    return AdmissionRule(
        "claims",
        (Match("", ("persistentvolumeclaims",)),),
        tuple(demands),
        variables=(
            (
                "tenant",
                "request.userInfo.username.startsWith('system:serviceaccount:' + request.namespace + ':') || "
                f"request.userInfo.?groups.orValue([]).exists(g, g.startsWith({cel_text(cluster.oidc_prefix + '/')}))",
            ),
            ("before", "request.operation == 'UPDATE' ? oldObject.spec.?volumeName.orValue('') : ''"),
        ),
        when=SPEC_CHANGED,
    )
