"""The tools of the catalogue's jobs, as parts. They are made on request: the platform itself does not need them.

tools/Containerfile builds the same versions from the same locked modules (tests/ci_tool/test_containerfile.py).
"""

from __future__ import annotations

from lab.parts.part import Part
from lab.parts.python_tools import PythonTools
from lab.parts.recipes import GoBuild, TaggedGoBuild

_GITLEAKS = "8.30.1"
_HELM = "3.22.0"
_COSIGN = "3.1.3"
_BUILDAH = "1.45.0"
_TRIVY = "0.74.0"
_KUBERNETES_VALIDATE = "1.37.0"
_SEMGREP = "1.185.0"
_WAPITI = "3.2.3"
_PROMETHEUS = "0.315.1"
_PROMETHEUS_OPERATOR = "0.85.0"
_ARGOCD = "3.5.7"

JOB_TOOLS: tuple[Part, ...] = (
    # Longest builds first.
    Part(
        name="trivy",
        version=_TRIVY,
        recipe=TaggedGoBuild(
            module="trivy",
            packages=("github.com/aquasecurity/trivy/cmd/trivy",),
            variables=(("github.com/aquasecurity/trivy/pkg/version/app.ver", _TRIVY),),
            experiments=("jsonv2",),
        ),
        provides=("trivy",),
        about="scans dependencies, licences, configuration and images",
        megabytes=500,
        minutes=8,
        on_request=True,
    ),
    Part(
        name="buildah",
        version=_BUILDAH,
        # It enters a user namespace in C, before Go's runtime starts. With Go's own OpenPGP and resolvers, and without
        # the driver of btrfs, it needs no library but libc.
        recipe=TaggedGoBuild(
            module="buildah",
            packages=("go.podman.io/buildah/cmd/buildah",),
            tags=("containers_image_openpgp", "exclude_graphdriver_btrfs", "netgo", "osusergo"),
            cgo=True,
        ),
        provides=("buildah",),
        about="builds images without privileges",
        megabytes=80,
        minutes=3,
        on_request=True,
    ),
    Part(
        name="cosign",
        version=_COSIGN,
        recipe=GoBuild(
            module="cosign",
            packages=("github.com/sigstore/cosign/v3/cmd/cosign",),
            variables=(("sigs.k8s.io/release-utils/version.gitVersion", f"v{_COSIGN}"),),
        ),
        provides=("cosign",),
        about="signs images, attaches and verifies attestations",
        megabytes=150,
        minutes=4,
        on_request=True,
    ),
    Part(
        name="helm",
        version=_HELM,
        recipe=GoBuild(
            module="helm",
            packages=("helm.sh/helm/v3/cmd/helm",),
            variables=(("helm.sh/helm/v3/internal/version.version", f"v{_HELM}"),),
        ),
        provides=("helm",),
        about="checks and renders charts",
        megabytes=80,
        minutes=2,
        on_request=True,
    ),
    Part(
        name="gitleaks",
        version=_GITLEAKS,
        recipe=GoBuild(
            module="gitleaks",
            packages=("github.com/zricethezav/gitleaks/v8",),
            variables=(("github.com/zricethezav/gitleaks/v8/version.Version", _GITLEAKS),),
        ),
        provides=("gitleaks",),
        about="finds secrets in the history of a repository",
        megabytes=20,
        minutes=0.5,
        on_request=True,
    ),
    Part(
        name="kubernetes-validate",
        version=_KUBERNETES_VALIDATE,
        recipe=PythonTools(module="kubernetes-validate", commands=("kubernetes-validate",)),
        provides=("bin/kubernetes-validate",),
        about="checks rendered manifests against the schemas that it contains",
        megabytes=90,
        on_request=True,
    ),
    Part(
        name="semgrep",
        version=_SEMGREP,
        recipe=PythonTools(module="semgrep", commands=("semgrep", "pysemgrep")),
        provides=("bin/semgrep", "bin/pysemgrep"),
        about="static analysis of code with rules of a file",
        megabytes=100,
        on_request=True,
    ),
    Part(
        name="wapiti",
        version=_WAPITI,
        recipe=PythonTools(module="wapiti", commands=("wapiti",), built=("yaswfp",)),
        provides=("bin/wapiti",),
        about="dynamic analysis of a web application, where there is no ZAP",
        megabytes=60,
        on_request=True,
    ),
)

#: Writes the small vulnerability database that `lab.vulnerabilities` publishes. No job runs it.
DATABASE_WRITER = Part(
    name="trivy-db",
    version="20260813",
    recipe=GoBuild(module="trivy-db", packages=(".",)),
    provides=("trivy-db",),
    about="writes a vulnerability database for trivy",
    megabytes=5,
    minutes=0.3,
    on_request=True,
)

#: Check rules and routes, and evaluate rules, in the tests. No job runs them.
MONITORING_TOOLS = Part(
    name="prometheus-tools",
    version=_PROMETHEUS,
    # Of the clients for service discovery, only that of Kubernetes: the operator's configuration needs it.
    recipe=TaggedGoBuild(
        module="prometheus",
        packages=(
            "github.com/prometheus/prometheus/cmd/promtool",
            "github.com/prometheus/alertmanager/cmd/amtool",
            "github.com/prometheus/prometheus/cmd/prometheus",
        ),
        tags=("remove_all_sd", "enable_kubernetes_sd"),
    ),
    provides=("promtool", "amtool", "prometheus"),
    about="promtool and amtool, which check rules and routes of alerts in the tests, and Prometheus",
    megabytes=250,
    minutes=5,
    on_request=True,
)

#: Turn our objects into configuration and send alerts, in one test. The newest Alertmanager's module lacks its web
#: pages, so this one is the version that the operator's module requires.
MONITORING_SERVERS = Part(
    name="prometheus-operator-server",
    version=_PROMETHEUS_OPERATOR,
    recipe=GoBuild(
        module="prometheus-operator",
        packages=(
            "github.com/prometheus-operator/prometheus-operator/cmd/operator",
            "github.com/prometheus/alertmanager/cmd/alertmanager",
        ),
    ),
    provides=("operator", "alertmanager"),
    about="the Prometheus operator and Alertmanager, which the test of alerts runs",
    megabytes=200,
    minutes=4,
    on_request=True,
)

#: Deploy in one test. They are one program: what they have in common is the largest part of it.
ARGOCD_PROGRAM = Part(
    name="argocd-program",
    version=_ARGOCD,
    recipe=GoBuild(
        module="argocd",
        packages=(".",),
        variables=(("github.com/argoproj/argo-cd/v3/common.version", _ARGOCD),),
    ),
    provides=("argocd",),
    about="Argo CD's controllers and repository server, which the test of deployments runs",
    megabytes=250,
    minutes=3.5,
    on_request=True,
)
