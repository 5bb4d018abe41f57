"""Which objects are credentials that come in generations (`usine:credentials`), and which generation one is of."""

from __future__ import annotations

import re
from collections.abc import Mapping

_GENERATION = r"(?P<generation>[a-z0-9](?:-?[a-z0-9]){0,11})"
#: By Pulumi type token: how such an object is called in the stack, and by its tool.
_KINDS: Mapping[str, tuple[re.Pattern[str], str]] = {
    "gitlab:index/projectDeployToken:ProjectDeployToken": (
        re.compile(rf".*/deploy-token/{_GENERATION}"),
        "argocd-{generation}",
    ),
    "harbor:index/robotAccount:RobotAccount": (
        re.compile(rf".*/robot/(?P<purpose>pull|push)-{_GENERATION}"),
        "{purpose}-{generation}",
    ),
    "pulumi-python:dynamic/sonarqube:TechnicalAccount": (
        re.compile(rf".*/account/{_GENERATION}"),
        "usine {tenant} {generation}",
    ),
    "pulumi-python:dynamic/sonarqube:ProjectAnalysisToken": (
        re.compile(rf".*/(?P<repository>[^/]+)/token/{_GENERATION}"),
        "usine {tenant}:{repository} {generation}",
    ),
}


def generation_of(type_: str, name: str, own_name: object = None) -> str | None:
    """Return the generation of the object of this type and name in the stack; None where it is no such credential.

    `own_name` is what its tool calls it, where that is known: a name of another generation, or of anything else, makes
    it no credential of a generation. A state edited by hand can give one name, not so easily both.
    """
    if type_ not in _KINDS:
        return None
    pattern, told = _KINDS[type_]
    match = pattern.fullmatch(name)
    if match is None:
        return None
    expected = told.format(tenant=name.split("/", 1)[0], **match.groupdict())
    return match["generation"] if own_name in (None, expected) else None
