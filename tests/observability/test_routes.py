"""`amtool` routes alerts by the configuration that the operator generates for two tenants."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.observability.fleet import objects, tenant
from tests.observability.promtool import alertmanager_configuration, must, write

pytestmark = pytest.mark.servers  # the part of promtool and amtool is built

#: The route that docs/observability.md asks the platform for.
PLATFORM = {"receiver": "platform", "matchers": ['severity=~".+"']}


@pytest.fixture(scope="module")
def configuration(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = objects(tenant("alpha"), tenant("beta"), tenant("alpha-b"))
    folder = tmp_path_factory.mktemp("alertmanager")
    return write(folder, "alertmanager.yaml", alertmanager_configuration(made, [PLATFORM]))


def routed(configuration: Path, **labels: str) -> list[str]:
    """Return the receivers of an alert, without those that send nothing."""
    found = must(
        "amtool", "config", "routes", "test", f"--config.file={configuration}",
        *(f"{name}={value}" for name, value in labels.items()),
    )  # fmt: skip
    return [name for name in found.strip().split(",") if not name.endswith("/nobody")]


def test_alertmanager_accepts_the_configuration(configuration: Path) -> None:
    must("amtool", "check-config", configuration)


@pytest.mark.parametrize(
    ("severity", "receivers"),
    [
        ("info", ["usine/receiver-1"]),
        ("warning", ["usine/receiver-1", "usine/receiver-3"]),
        ("critical", [*(f"usine/receiver-{index}" for index in (1, 2, 3)), "usine-webhooks/receiver-1"]),
    ],
)
def test_an_alert_reaches_its_tenant_s_receivers_and_the_platform(
    configuration: Path, severity: str, receivers: list[str]
) -> None:
    labels = {"alertname": "X", "namespace": "alpha-dev", "tenant": "alpha", "environment": "dev", "severity": severity}
    assert sorted(routed(configuration, **labels)) == sorted(["platform", *(f"alpha-dev/{name}" for name in receivers)])


def test_an_own_alert_of_a_team_is_routed_by_its_namespace_alone(configuration: Path) -> None:
    found = routed(configuration, alertname="Own", namespace="beta-prod", severity="warning", tenant="alpha")
    assert sorted(found) == ["beta-prod/usine/receiver-1", "beta-prod/usine/receiver-3", "platform"]


def test_an_alert_on_a_deployment_reaches_the_tenant_of_the_application(configuration: Path) -> None:
    found = routed(configuration, alertname="X", namespace="argocd", tenant="alpha-b", severity="critical")
    assert sorted(found) == [*(f"argocd/alpha-b/receiver-{index}" for index in (1, 2, 3)), "platform"]


def test_an_alert_of_the_platform_reaches_no_tenant(configuration: Path) -> None:
    for namespace in ("monitoring", "argocd", "alpha-devx", "alpha"):
        assert routed(configuration, alertname="X", namespace=namespace, severity="critical") == ["platform"]


def test_without_a_route_of_its_own_the_platform_misses_the_alerts_of_tenants(tmp_path: Path) -> None:
    """The reason for the requirement in docs/observability.md."""
    made = alertmanager_configuration(objects(tenant("alpha"), tenant("beta"), tenant("alpha-b")), [])
    file = write(tmp_path, "alertmanager.yaml", made)
    found = routed(file, alertname="X", namespace="alpha-dev", tenant="alpha", severity="critical")
    assert not {"root", "platform"} & set(found)
