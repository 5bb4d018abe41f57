"""Exposure: nothing in GitLab, Harbor, SonarQube, Keycloak and Kubernetes is open to the public."""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import urlsplit

from policy.model import Hidden, Policy, Resource, is_missing, is_set, items_of, texts_of

#: The platform's own group has the CI presets, which everyone who runs a pipeline must be able to read.
_PLATFORM_FORGE = "usine:gitlab:GitLabFoundation"
_LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})


def _forge(resource: Resource) -> Iterator[str]:
    if resource.type not in {"gitlab:index/group:Group", "gitlab:index/project:Project"}:
        return
    allowed = ("private", "internal") if _PLATFORM_FORGE in resource.lineage else ("private",)
    visibility = resource.at("visibilityLevel")
    if not isinstance(visibility, Hidden) and visibility not in allowed:
        yield "visibilityLevel is not private"
    if resource.at("pagesAccessLevel") == "public":
        yield "pagesAccessLevel is public"


def _registry(resource: Resource) -> Iterator[str]:
    # Earlier releases of the provider write the flag as a text.
    if resource.type == "harbor:index/project:Project" and resource.at("public") in (True, "true"):
        yield "public is set: anyone can pull from this project"


def _analysis(resource: Resource) -> Iterator[str]:
    if resource.type == "pulumi-python:dynamic/sonarqube:Project":
        visibility = resource.at("visibility")
        if not isinstance(visibility, Hidden) and visibility != "private":
            yield "visibility is not private"
    if resource.type == "pulumi-python:dynamic/sonarqube:Settings":
        forced = resource.at("values", "sonar.forceAuthentication")
        if not isinstance(forced, Hidden) and forced not in (True, "true"):
            yield "sonar.forceAuthentication is not true: SonarQube can be read without a log-in"


def _realm(resource: Resource) -> Iterator[str]:
    if resource.type != "keycloak:index/realm:Realm":
        return
    if resource.at("registrationAllowed") is True:
        yield "registrationAllowed is set: anyone can create an account"
    if resource.at("sslRequired") == "none":
        yield "sslRequired is none: passwords may be sent unencrypted"


def _client(resource: Resource) -> Iterator[str]:
    if resource.type != "keycloak:openid/client:Client":
        return
    redirects = resource.at("validRedirectUris")
    if resource.at("standardFlowEnabled") is True and is_missing(redirects):
        yield "validRedirectUris is empty"
    for index, uri in enumerate(items_of(redirects)):
        if isinstance(uri, str) and (fault := _redirect_fault(uri)):
            yield f"validRedirectUris[{index}] {fault}"
    if "*" in texts_of(resource.at("webOrigins")):
        yield "webOrigins allows every site to read responses"
    if resource.at("implicitFlowEnabled") is True:
        yield "implicitFlowEnabled is set: tokens appear in URLs"
    if resource.at("directAccessGrantsEnabled") is True:
        yield "directAccessGrantsEnabled is set: the tool gets passwords"
    if resource.at("fullScopeAllowed") is not False and not isinstance(resource.at("fullScopeAllowed"), Hidden):
        yield "fullScopeAllowed is not false: tokens contain every role of the user"
    challenge = resource.at("pkceCodeChallengeMethod")
    if resource.at("accessType") == "PUBLIC" and challenge != "S256" and not isinstance(challenge, Hidden):
        yield "pkceCodeChallengeMethod is not S256, and a public client has no secret"


def _redirect_fault(uri: str) -> str:
    try:
        parts = urlsplit(uri)
        host = parts.hostname or ""
        port = parts.port
    except ValueError:
        return "has a wildcard outside the path of a URL" if "*" in uri else "is not a URL"
    local = host in _LOOPBACK
    if parts.scheme not in {"http", "https"} or not host or "*" in parts.netloc or "*" in parts.scheme:
        return "has no exact host"
    if "*" in uri and not local:
        return "has a wildcard"
    if "*" in uri and port is not None:
        return "has a wildcard for a server's port"
    if parts.scheme == "http" and not local:
        return "is not https"
    return ""


def _service(resource: Resource) -> Iterator[str]:
    if resource.kind != "Service":
        return
    if resource.at("spec", "type") in ("LoadBalancer", "NodePort"):
        yield "spec.type bypasses the platform's ingress"
    if is_set(resource.at("spec", "externalIPs")):
        yield "spec.externalIPs bypasses the platform's ingress"


POLICIES = (
    Policy(
        "gitlab-private",
        "GitLab groups and projects are private; those of the platform may be internal",
        "set visibilityLevel to private",
        check=_forge,
    ),
    Policy(
        "harbor-private",
        "Harbor projects are private",
        "set public to false, and give robots or groups the right to pull",
        check=_registry,
    ),
    Policy(
        "sonarqube-private",
        "SonarQube projects are private, and SonarQube requires a log-in",
        "set visibility to private, sonar.forceAuthentication to true",
        check=_analysis,
    ),
    Policy(
        "keycloak-realm-closed",
        "Only the platform creates accounts of the realm, and log-ins are encrypted",
        "set registrationAllowed to false, sslRequired to external or all",
        check=_realm,
    ),
    Policy(
        "oidc-client-exact",
        "A client of the realm uses the standard flow with exact https redirect URIs (on loopback: http, any path), "
        "and PKCE if it has no secret",
        "write the full redirect URI, and leave the other flows off",
        check=_client,
    ),
    Policy(
        "service-internal",
        "Traffic reaches a service only through the platform's ingress",
        "use type ClusterIP and an Ingress",
        check=_service,
    ),
)
