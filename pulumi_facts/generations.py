"""Credential generations (`usine:credentials`): which objects belong to one, and to which."""

from __future__ import annotations

import re
from collections.abc import Mapping

_GENERATION = r"(?P<generation>[a-z0-9](?:-?[a-z0-9]){0,11})"
#: By Pulumi type token: the logical names of such an object, each with its name in its system.
_KINDS: Mapping[str, tuple[tuple[re.Pattern[str], str], ...]] = {
    "gitlab:index/groupDeployToken:GroupDeployToken": (
        (re.compile(rf".*/package-reader/(?P<reader>[a-z0-9-]+)/{_GENERATION}"), "packages-{reader}-{generation}"),
    ),
    "gitlab:index/projectDeployToken:ProjectDeployToken": (
        (re.compile(rf".*/deploy-token/{_GENERATION}"), "argocd-{generation}"),
        (re.compile(rf".*/deploy-token/(?P<argocd>[a-z0-9-]+)/{_GENERATION}"), "argocd.{argocd}.{generation}"),
    ),
    "gitlab:index/userRunner:UserRunner": (
        (
            re.compile(rf".*/runner/(?P<purpose>protected|unprotected|operations)-{_GENERATION}"),
            "usine {purpose} {generation}",
        ),
    ),
    "harbor:index/robotAccount:RobotAccount": (
        (re.compile(rf".*/robot/(?P<purpose>pull|push|proxies)-{_GENERATION}"), "{purpose}-{generation}"),
    ),
    "pulumi-python:dynamic/sonarqube:TechnicalAccount": (
        (re.compile(rf".*/account/{_GENERATION}"), "usine {tenant} {generation}"),
    ),
    "pulumi-python:dynamic/sonarqube:ProjectAnalysisToken": (
        (re.compile(rf".*/(?P<repository>[^/]+)/token/{_GENERATION}"), "usine {tenant}:{repository} {generation}"),
    ),
}


def generation_of(type_: str, name: str, own_name: object = None) -> str | None:
    """Return the credential generation of the object with this type and logical name; None if it has none.

    `own_name` is its name in its system, if it is known. If it does not match the logical name, the object has no
    generation: a manual edit of the state may change one name, but not so easily both.
    """
    for pattern, own in _KINDS.get(type_, ()):
        match = pattern.fullmatch(name)
        if match is not None:
            expected = own.format(tenant=name.split("/", 1)[0], **match.groupdict())
            return match["generation"] if own_name in (None, expected) else None
    return None
