"""SonarQube permissions: of people by their rights, of the accounts of analyses, of administrators."""

from __future__ import annotations

from collections.abc import Mapping

from model.tenant import Right

READ = ("user", "codeviewer")

#: The permissions in the tenant's projects that each right gives. No member of a tenant administers a project: the
#: tenant file defines its gate and permissions.
PERMISSIONS: Mapping[Right, tuple[str, ...]] = {
    Right.SONARQUBE_VIEW: READ,
    Right.SONARQUBE_ISSUES: ("issueadmin",),
    Right.SONARQUBE_HOTSPOTS: ("securityhotspotadmin",),
}

#: Permissions of the accounts whose tokens pipelines use for analyses. They cannot browse the project.
ANALYSES = ("scan",)

#: SonarQube's built-in group; the account of the platform's token is a member.
ADMINISTRATORS = "sonar-administrators"

EVERYTHING = (*READ, "issueadmin", "securityhotspotadmin", "scan", "admin")

EVERYTHING_GLOBAL = ("admin", "gateadmin", "profileadmin", "provisioning", "scan")
