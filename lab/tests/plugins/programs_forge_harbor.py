"""A program that creates every supported Harbor resource; `step` changes some of their properties.

As with `programs`, states and plans must be equal with the official plugin and with the stand-in.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pulumi
import pulumiverse_harbor as harbor

from lab.tests.plugins.programs import MARKER


def harbor_program(settings: Mapping[str, str], step: int) -> None:
    """Create a configured system, a project with all supported objects, robots, a label, a registry.

    `settings` are url, username, password. Harbor must have no local user except its administrator.
    """
    provider = harbor.Provider(
        "h", url=settings["url"], username=settings["username"], password=pulumi.Output.secret(settings["password"])
    )
    options = pulumi.ResourceOptions(provider=provider)
    auth = harbor.ConfigAuth(
        "auth", auth_mode="oidc_auth", oidc_name="keycloak", oidc_endpoint="https://127.0.0.1:1/realms/x",
        oidc_client_id="harbor", oidc_client_secret=pulumi.Output.secret(f"{MARKER}-{step}"),
        oidc_scope="openid,profile" + ",email" * step, oidc_groups_claim="groups",
        oidc_user_claim="preferred_username", oidc_admin_group="/platform/admin", oidc_verify_cert=True,
        oidc_auto_onboard=not step, opts=options,
    )  # fmt: skip
    harbor.ConfigSystem(
        "system", project_creation_restriction="adminonly", robot_token_expiration=90 + step, opts=options,
    )  # fmt: skip
    harbor.InterrogationServices(
        "scans", vulnerability_scan_policy=["Daily", "0 0 3 * * *"][step], default_scanner="Trivy", opts=options
    )
    harbor.GarbageCollection("gc", schedule="0 30 1 * * 0", delete_untagged=True, workers=1 + step, opts=options)
    harbor.Registry(
        "hub", name="hub", provider_name="docker-hub", endpoint_url="https://hub.example.com", access_id="me",
        access_secret=pulumi.Output.secret(MARKER), description=f"step {step}", opts=options,
    )  # fmt: skip
    project = harbor.Project(
        "project", name="compared", public=False, storage_quota=5 + step, vulnerability_scanning=True,
        deployment_security=["high", "critical"][step], auto_sbom_generation=bool(step), force_destroy=True,
        opts=options,
    )  # fmt: skip
    harbor.Project("plain", name="plain", opts=options)
    harbor.ProjectMemberGroup(
        "devops", project_id=project.id, group_name="/compared/devops", type="oidc",
        role=["maintainer", "developer"][step], opts=pulumi.ResourceOptions(provider=provider, depends_on=[auth]),
    )  # fmt: skip
    accesses: Any = [{"resource": "repository", "action": action} for action in ("push", "pull")]
    accesses += [{"resource": "artifact", "action": "read"}] * step
    permissions: Any = [{"kind": "project", "namespace": project.name, "accesses": accesses}]
    harbor.RobotAccount(
        "push", name="push", level="project", duration=30 + step, description=f"step {step}", permissions=permissions,
        opts=options,
    )  # fmt: skip
    pulls: Any = [{"resource": "repository", "action": "pull", "effect": "allow"}]
    everywhere: Any = [{"kind": "project", "namespace": "*", "accesses": pulls}]
    harbor.RobotAccount(
        "pull", name="compared-pull", level="system", disable=bool(step), permissions=everywhere,
        secret=pulumi.Output.secret(f"Aa1-{MARKER}-{step}"), opts=options,
    )  # fmt: skip
    rules: Any = [
        {"most_recently_pushed": 10 + step, "repo_matching": "**", "tag_matching": "**"},
        {"n_days_since_last_push": 7, "repo_matching": "**", "tag_matching": "v*", "disabled": bool(step)},
    ]
    harbor.RetentionPolicy(
        "retention", scope=project.id, schedule=["Daily", "0 0 4 * * *"][step], rules=rules, opts=options
    )
    harbor.ImmutableTagRule(
        "immutable", project_id=project.id, repo_matching="**", tag_matching=f"v{step}*", opts=options
    )
    harbor.Label("label", name="reviewed", project_id=project.id, color="#00ff00", description=f"d{step}", opts=options)
    harbor.Label("everywhere", name="everywhere", opts=options)
