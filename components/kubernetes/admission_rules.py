"""What the API server refuses in a tenant's namespace whatever the rights of who asks, as plain values. No Pulumi here.

Rules are in CEL, as `ValidatingAdmissionPolicy` takes them (issue 11.A5). They hold for everybody: people, Argo CD, and
operators that work for a tenant. What belongs to the tenant is read from its namespace, which nobody of a tenant may
write: the label `usine.dev/tenant` names its registry project, the annotation `usine.dev/hosts` its host names.

An object that broke a rule before the rule was there stays until somebody changes the part that the rule is about: the
controllers' own updates (a deployment that scales an old replica set down) go on.
"""

from __future__ import annotations

from collections.abc import Iterable

from components.kubernetes.admission_model import (
    HOSTS,
    SPEC_CHANGED,
    AdmissionRule,
    Demand,
    Match,
    Requirement,
    cel_list,
    cel_text,
)
from components.kubernetes.operator_rules import operator_rules
from model.naming import CLUSTER_LABEL, DEPLOYER_SERVICE_ACCOUNT, TENANT_LABEL
from model.settings import Cluster, Settings, System

#: Annotations an Ingress may have: of tools that deploy, of cert-manager, and of the NGINX controller those that change
#: how the tenant's own hosts are served. A `server-alias` or a `*-snippet` would take other hosts over.
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

_TENANT_OF = "{}.metadata.?labels[?'" + TENANT_LABEL + "'].orValue('')"


def admission_rules(settings: Settings, cluster: Cluster) -> tuple[AdmissionRule, ...]:
    """Return the rules of one cluster."""
    return (
        _namespaces(),
        _services(),
        _ingresses(cluster),
        _routes(),
        _secrets(),
        _pods(settings, cluster),
        _claims(cluster),
        *operator_rules(settings, cluster),
    )


def selector(settings: Settings, cluster: Cluster) -> tuple[Requirement, ...]:
    """Return what a namespace's labels must be for it to be a tenant's on this cluster.

    Where settings have several clusters on one API server, those of the others are left out. A namespace that lacks
    the label of its cluster is under the rules of all.
    """
    others = sorted(c.name for c in settings.clusters.values() if c.server == cluster.server and c is not cluster)
    return (
        Requirement(TENANT_LABEL, "Exists"),
        *([Requirement(CLUSTER_LABEL, "NotIn", tuple(others))] if others else []),
    )


def _namespaces() -> AdmissionRule:
    """A namespace cannot become a tenant's, or stop being one: neither a takeover nor a way out of the rules below."""
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
    """Traffic comes in by the platform's ingress. `externalIPs` takes other people's addresses (CVE-2020-8554)."""
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
    """Routes of the Gateway API. Without host names, a route takes all those of its gateway."""
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
    """Such a secret gets a token that never ends, of any account of the namespace."""
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


def _pods(settings: Settings, cluster: Cluster) -> AdmissionRule:
    """Pods, and for an early answer what makes them."""
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
    variables = [("spec", _template_of("object")), ("changed", _template_changed())]
    prefixes = [p for image in rules.images for p in ((image,) if image.endswith("/") else (f"{image}:", f"{image}@"))]
    harbor = settings.on(System.HARBOR)
    if harbor or prefixes:
        # Without a registry of ours and without a list, the platform says nothing of images.
        own = f"{cel_text(settings.registry_host + '/')} + namespaceObject.metadata.labels['{TENANT_LABEL}'] + '/'"
        variables += [("own", own if harbor else "''"), ("images", _IMAGES), ("foreign", _foreign(prefixes))]
        allowed = ["the project's own registry"] if harbor else []
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
            Match("apps", ("daemonsets", "deployments", "replicasets", "statefulsets")),
            Match("batch", ("cronjobs", "jobs")),
        ),
        tuple(demands),
        tuple(variables),
    )


#: Also of image volumes, which a kubelet pulls like a container's.
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


def _template_of(of: str) -> str:
    """Return the pod's own part of a pod, or of what makes pods."""
    # `dyn`: one expression for several kinds, which the API server would else find fault with, kind by kind.
    return (
        f"request.resource.resource == 'pods' ? dyn({of}).spec : request.resource.resource == 'cronjobs' "
        f"? dyn({of}).spec.jobTemplate.spec.template.spec : dyn({of}).spec.template.spec"
    )


def _template_changed() -> str:
    return f"request.operation != 'UPDATE' || variables.spec != ({_template_of('oldObject')})"


def _claims(cluster: Cluster) -> AdmissionRule:
    """Claims for volumes. One that names a volume could get what another tenant, or nobody yet, was meant to have."""
    demands = [
        Demand(
            # A controller makes claims from a tenant's template, too; the one that binds them sets the volume later.
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
