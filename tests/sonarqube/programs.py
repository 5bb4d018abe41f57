"""Programs for the engine that create one object of every kind. Environment variables change their inputs."""

from __future__ import annotations

import os

import pulumi

from components.sonarqube.dynamic.resources import (
    Condition,
    Group,
    GroupArgs,
    NewCodePeriod,
    NewCodePeriodArgs,
    Project,
    ProjectAnalysisToken,
    ProjectAnalysisTokenArgs,
    ProjectArgs,
    ProjectPermissions,
    ProjectPermissionsArgs,
    QualityGate,
    QualityGateArgs,
    QualityGateAssociation,
    QualityGateAssociationArgs,
    ServerSettings,
    ServerSettingsArgs,
    TechnicalAccount,
    TechnicalAccountArgs,
    Webhook,
    WebhookArgs,
    sonarqube_provider,
)


def tenant(key: str, url: str, secret: str) -> None:
    """All objects of a tenant. `EXPIRES` is the end date of its token, `GENERATION` the name of the token's account.

    A secret setting of the server stands for the place that hands the token out.
    """
    provider = sonarqube_provider("sonarqube", url)
    opts = pulumi.ResourceOptions(provider=provider)
    group = Group("developer", GroupArgs(f"/{key}/developer", "Developers"), opts)
    project = Project("app", ProjectArgs(key, "An application"), opts)
    generation = os.environ["GENERATION"]
    login = f"usine.{key}.{generation}"
    account = TechnicalAccount(f"account/{generation}", TechnicalAccountArgs(login, f"usine {key} {generation}"), opts)
    ProjectPermissions(
        "app",
        ProjectPermissionsArgs(
            project.key,
            {f"/{key}/developer": ["user", "codeviewer"], "sonar-administrators": ["admin", "user"]},
            {login: ["scan"]},
        ),
        pulumi.ResourceOptions(provider=provider, depends_on=[group, account]),
    )
    token = ProjectAnalysisToken(
        "app", ProjectAnalysisTokenArgs(f"usine-{key}", account.login, os.environ["EXPIRES"]), opts
    )
    ServerSettings("delivery", ServerSettingsArgs(secured={f"sonar.{key}.token.secured": token.token}), opts)
    gate = QualityGate("gate", QualityGateArgs(key, [Condition("new_violations", "GT", 0)]), opts)
    QualityGateAssociation("app", QualityGateAssociationArgs(project.key, gate.name), opts)
    Webhook("app", WebhookArgs(key, "https://hooks.example.fr/x", project.key, secret), opts)
    NewCodePeriod("app", NewCodePeriodArgs(project.key, "NUMBER_OF_DAYS", 30), opts)
    ServerSettings("app", ServerSettingsArgs({"sonar.exclusions": ["**/gen/**"]}, project=project.key), opts)
    ServerSettings("server", ServerSettingsArgs({f"sonar.{key}.url": url}, {f"sonar.{key}.secured": secret}), opts)
    pulumi.export("token", token.token)
    pulumi.export("token_name", token.token_name)


def adopted(key: str, url: str) -> None:
    """Create a project that exists already."""
    opts = pulumi.ResourceOptions(provider=sonarqube_provider("sonarqube", url), protect=True)
    Project("adopted", ProjectArgs(key, key), opts)


PROGRAM = """\
import os, sys
sys.path.insert(0, os.path.abspath(os.path.join("..", "..")))
from tests.sonarqube import programs
getattr(programs, os.environ["PROGRAM"])(*os.environ["ARGUMENTS"].split())
"""
