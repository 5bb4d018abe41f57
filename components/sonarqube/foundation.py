"""The foundation in SonarQube: quality gates, global permissions, log-in."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pulumi

from components.base import Component, OidcClient
from components.sonarqube.dynamic import resources as sonarqube
from components.sonarqube.permissions import ADMINISTRATORS, EVERYTHING_GLOBAL
from model.settings import GateCondition


@dataclass(frozen=True, slots=True)
class SonarQubeFoundationArgs:
    """`url` is SonarQube's own address. `gates` are the conditions of each quality gate by its name.

    `default_gate` is the gate of projects for which nobody chose one. `client` is Keycloak's OIDC client for SonarQube;
    None if Keycloak is off and people cannot log in.
    """

    provider: pulumi.ProviderResource
    url: str
    gates: Mapping[str, Sequence[GateCondition]]
    default_gate: str
    client: OidcClient | None


class SonarQubeFoundation(Component):
    """Quality gates, log-in by Keycloak, and global permissions for administrators only.

    `gates` maps a gate's name to that name once the gate exists.
    """

    system = "sonarqube"
    gates: Mapping[str, pulumi.Output[str]]

    def __init__(self, name: str, args: SonarQubeFoundationArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        """Register gates, permissions and settings."""
        super().__init__(name, opts)
        self.gates = {
            gate: sonarqube.QualityGate(
                f"{name}/gate/{gate}",
                sonarqube.QualityGateArgs(
                    gate,
                    [
                        # The reader of the settings accepts only these two operators.
                        sonarqube.Condition(c.metric, "LT" if c.op == "LT" else "GT", c.error)
                        for c in conditions
                    ],
                    default=gate == args.default_gate,
                ),
                self.child(args.provider),
            ).name
            for gate, conditions in args.gates.items()
        }
        sonarqube.GlobalPermissions(
            f"{name}/permissions",
            sonarqube.GlobalPermissionsArgs({ADMINISTRATORS: EVERYTHING_GLOBAL}),
            self.child(args.provider),
        )
        sonarqube.ServerSettings(f"{name}/settings", _server_settings(args.url, args.client), self.child(args.provider))
        self.register_outputs({"gates": sorted(self.gates)})


def _server_settings(url: str, client: OidcClient | None) -> sonarqube.ServerSettingsArgs:
    values: dict[str, sonarqube.Value] = {
        "sonar.core.serverBaseURL": url,
        "sonar.forceAuthentication": "true",
    }
    if client is None:
        return sonarqube.ServerSettingsArgs(values)
    secured: dict[str, pulumi.Input[str]] = {"sonar.auth.oidc.clientId.secured": client.client_id}
    if client.secret is not None:
        secured["sonar.auth.oidc.clientSecret.secured"] = client.secret
    values |= {
        "sonar.auth.oidc.enabled": "true",
        "sonar.auth.oidc.issuerUri": client.issuer.url,
        "sonar.auth.oidc.scopes": "openid profile email groups",
        "sonar.auth.oidc.loginStrategy": "Preferred username",
        "sonar.auth.oidc.allowUsersToSignUp": "true",
        # SonarQube takes over the groups at each log-in. Before that, `members` of a group removes people who left.
        "sonar.auth.oidc.groupsSync": "true",
        "sonar.auth.oidc.groupsSync.claimName": "groups",
    }
    return sonarqube.ServerSettingsArgs(values, secured)
