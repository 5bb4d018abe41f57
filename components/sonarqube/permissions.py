"""SonarQube permissions: by right of a person, of the analysing accounts, of the administrators."""

from __future__ import annotations

from collections.abc import Mapping

from model.tenant import Right

READ = ("user", "codeviewer")

#: The permissions in the tenant's projects that a right is. Nobody of a tenant administers one: gate and permissions
#: are the file's.
PERMISSIONS: Mapping[Right, tuple[str, ...]] = {
    Right.SONARQUBE_VIEW: READ,
    Right.SONARQUBE_ISSUES: ("issueadmin",),
    Right.SONARQUBE_HOTSPOTS: ("securityhotspotadmin",),
}

#: What the accounts may do whose tokens pipelines analyse with. Nothing may be seen by it but what an analysis needs.
ANALYSES = ("scan",)

#: SonarQube's own group; the account of the platform's token is in it.
ADMINISTRATORS = "sonar-administrators"

EVERYTHING = (*READ, "issueadmin", "securityhotspotadmin", "scan", "admin")

EVERYTHING_GLOBAL = ("admin", "gateadmin", "profileadmin", "provisioning", "scan")
