"""SonarQube's part of the foundation: quality gates, global permissions, log-in."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import pulumi

from components.base import Component, OidcClient
from components.sonarqube.dynamic import resources as sonarqube
from components.sonarqube.permissions import ADMINISTRATORS, EVERYTHING_GLOBAL
from model.settings import Settings, System


@dataclass(frozen=True, slots=True)
class SonarQubeFoundationArgs:
    """`client` is Keycloak's OIDC client for SonarQube, None when Keycloak is off: then nobody logs in as a person."""

    settings: Settings
    provider: pulumi.ProviderResource
    client: OidcClient | None


class SonarQubeFoundation(Component):
    """Quality gates, log-in by Keycloak, and no right for anybody but administrators outside a tenant's projects.

    `gates` maps a gate's name to that name once the gate exists.
    """

    system = "sonarqube"
    gates: Mapping[str, pulumi.Output[str]]

    def __init__(self, name: str, args: SonarQubeFoundationArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        """Register gates, permissions and settings."""
        super().__init__(name, opts)
        settings = args.settings
        # The first of the declared gates is the platform's own: for projects that nothing says anything of.
        default = settings.gates[0]
        self.gates = {
            gate: sonarqube.QualityGate(
                f"{name}/gate/{gate}",
                sonarqube.QualityGateArgs(
                    gate,
                    [
                        # Checked by the loader: nothing but these two words.
                        sonarqube.Condition(c.metric, "LT" if c.op == "LT" else "GT", c.error)
                        for c in conditions
                    ],
                    default=gate == default,
                ),
                self.child(args.provider),
            ).name
            for gate, conditions in settings.sonarqube.gates.items()
        }
        sonarqube.GlobalPermissions(
            f"{name}/permissions",
            sonarqube.GlobalPermissionsArgs({ADMINISTRATORS: EVERYTHING_GLOBAL}),
            self.child(args.provider),
        )
        sonarqube.ServerSettings(f"{name}/settings", self._settings(settings, args.client), self.child(args.provider))
        self.register_outputs({"gates": sorted(self.gates)})

    @staticmethod
    def _settings(settings: Settings, client: OidcClient | None) -> sonarqube.ServerSettingsArgs:
        values: dict[str, sonarqube.Value] = {
            "sonar.core.serverBaseURL": settings.endpoints[System.SONARQUBE].url,
            "sonar.forceAuthentication": "true",
        }
        if client is None:
            return sonarqube.ServerSettingsArgs(values)
        issuer = f"{settings.endpoints[System.KEYCLOAK].url}/realms/{settings.keycloak.realm}"
        secured: dict[str, pulumi.Input[str]] = {"sonar.auth.oidc.clientId.secured": client.client_id}
        if client.secret is not None:
            secured["sonar.auth.oidc.clientSecret.secured"] = client.secret
        values |= {
            "sonar.auth.oidc.enabled": "true",
            "sonar.auth.oidc.issuerUri": issuer,
            "sonar.auth.oidc.scopes": "openid profile email groups",
            "sonar.auth.oidc.loginStrategy": "Preferred username",
            "sonar.auth.oidc.allowUsersToSignUp": "true",
            # Groups are Keycloak's at every log-in; until then, `members` of a group takes out who left the role.
            "sonar.auth.oidc.groupsSync": "true",
            "sonar.auth.oidc.groupsSync.claimName": "groups",
        }
        return sonarqube.ServerSettingsArgs(values, secured)
