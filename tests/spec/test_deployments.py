"""The keys `chart`, `parameters` and `eachFolder`, with what the platform allows."""

from __future__ import annotations

import dataclasses

from model.settings import Settings, System
from tests.spec.helpers import HEAD, SETTINGS, one, problems

PLATFORM = dataclasses.replace(
    SETTINGS,
    argocd=dataclasses.replace(
        SETTINGS.argocd, charts={"shared": "oci://registry.example.fr/charts", "public": "https://charts.example.fr"}
    ),
)
DIGEST = f"sha256:{'0a' * 32}"
FILE = HEAD + "environments: {dev: {}, prod: {}}\nrepositories:\n  deploy:\n    kind: infra\n"


def said(text: str, settings: Settings = PLATFORM) -> list[str]:
    return [str(problem).removeprefix("tenant.yaml:") for problem in problems(FILE + text, settings=settings)]


def test_a_chart_has_a_version_for_each_environment() -> None:
    tenant = one(
        FILE + f"    chart: {{source: shared, name: charts/web, version: {{dev: 1.4.2, prod: '{DIGEST}'}}}}\n", PLATFORM
    )
    deployment = tenant.repositories[0].deployment
    assert deployment is not None
    assert deployment.chart is not None
    assert (deployment.chart.source, deployment.chart.name) == ("shared", "charts/web")
    assert deployment.chart.version.environments == {"dev": "1.4.2", "prod": DIGEST}
    assert said("    chart: {source: registry, name: web, version: {dev: 1.4.2}}\n") == [
        "11:42: environment prod has no version of the chart: state it, or `default` for all others"
    ]


def test_only_the_platform_s_repositories_are_sources() -> None:
    assert said("    chart: {source: publik, name: web, version: {default: 1.4.2}}\n") == [
        '11:21: repositories.deploy.chart.source: no such source of charts: "publik"; did you mean public? '
        "Allowed: registry, shared, public"
    ]
    assert said("    chart: {source: 'oci://evil.example/x', name: web, version: {default: 1.4.2}}\n")[0].startswith(
        "11:21: repositories.deploy.chart.source: no such source of charts"
    )


def test_production_deploys_only_charts_that_nobody_pushes_again() -> None:
    """A job of a protected branch may push, and so may each dependency that its build runs."""

    def of(version: str, source: str = "registry", more: str = "") -> list[str]:
        return said(f"    chart: {{source: {source}, name: web, version: {version}}}\n{more}")

    assert of("{default: 1.4.2}") == [
        '11:61: environment prod is production and deploys version "1.4.2" of the chart, which any job of a protected '
        "branch could push again; allowed: a digest (sha256:...); a version that registry.immutable protects (v*)"
    ]
    assert of("{dev: 1.5.0, prod: 1.4.2}")[0].startswith("11:70: environment prod is production")
    assert of("{dev: 1.5.0, prod: v1.4.2}") == []
    assert of(f"{{dev: 1.5.0, prod: '{DIGEST}'}}") == []
    assert of("{default: 1.4.2}", more="registry: {immutable: ['1.*']}\n") == []
    assert "(none here)" in of("{default: v1.4.2}", more="registry: {immutable: []}\n")[0]
    assert of("{default: 1.4.2}", source="shared") == [], "the platform answers for its own charts"


def test_a_helm_repository_has_no_digests() -> None:
    assert said(f"    chart: {{source: public, name: web, version: {{default: '{DIGEST}'}}}}\n") == [
        "11:59: public is a Helm repository, which has versions and no digests"
    ]
    assert said(f"    chart: {{source: registry, name: web, version: {{default: '{DIGEST}'}}}}\n") == []


def test_a_platform_without_harbor_has_no_own_registry() -> None:
    without = dataclasses.replace(PLATFORM, systems=PLATFORM.systems - {System.HARBOR})
    assert said("    chart: {source: registry, name: web, version: {default: v1.4.2}}\n", without) == [
        "11:21: registry is the tenant's project in Harbor, and this platform has no Harbor"
    ]


def test_a_wrong_parameter_is_not_shown() -> None:
    (message,) = said("    parameters: {token: Xy7kQ2pLw9}\n")
    assert "put a secret into Vault" in message
    assert "Xy7kQ2pLw9" not in message
    (message,) = said("    parameters: {a: 'Xy7kQ2pLw9 zz'}\n")
    assert "Xy7kQ2pLw9" not in message
