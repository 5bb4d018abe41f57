"""Nothing public: forge, registry, analysis, log-in, and what Kubernetes lets in from outside."""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import urlsplit

from policy.model import Hidden, Policy, Resource, is_missing, is_set, items_of, texts_of

#: The platform's own group holds the CI presets, which whoever runs a pipeline must be able to read.
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
        yield "public is set: anybody can pull from this project"


def _analysis(resource: Resource) -> Iterator[str]:
    if resource.type == "pulumi-python:dynamic/sonarqube:Project":
        visibility = resource.at("visibility")
        if not isinstance(visibility, Hidden) and visibility != "private":
            yield "visibility is not private"
    if resource.type == "pulumi-python:dynamic/sonarqube:Settings":
        forced = resource.at("values", "sonar.forceAuthentication")
        if not isinstance(forced, Hidden) and forced not in (True, "true"):
            yield "sonar.forceAuthentication is not true: nobody needs to log in"


def _realm(resource: Resource) -> Iterator[str]:
    if resource.type != "keycloak:index/realm:Realm":
        return
    if resource.at("registrationAllowed") is True:
        yield "registrationAllowed is set: anybody can make an account"
    if resource.at("sslRequired") == "none":
        yield "sslRequired is none: passwords may travel in clear"


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
        yield "webOrigins lets any site read answers"
    if resource.at("implicitFlowEnabled") is True:
        yield "implicitFlowEnabled is set: tokens pass through addresses"
    if resource.at("directAccessGrantsEnabled") is True:
        yield "directAccessGrantsEnabled is set: the tool sees passwords"
    if resource.at("fullScopeAllowed") is not False and not isinstance(resource.at("fullScopeAllowed"), Hidden):
        yield "fullScopeAllowed is not false: tokens carry every role of the person"
    challenge = resource.at("pkceCodeChallengeMethod")
    if resource.at("accessType") == "PUBLIC" and challenge != "S256" and not isinstance(challenge, Hidden):
        yield "pkceCodeChallengeMethod is not S256, and a public client has nothing else to prove itself by"


def _redirect_fault(uri: str) -> str:
    try:
        parts = urlsplit(uri)
        host = parts.hostname or ""
        port = parts.port
    except ValueError:
        return "has a wildcard outside the path of an address" if "*" in uri else "is no address"
    local = host in _LOOPBACK
    if parts.scheme not in {"http", "https"} or not host or "*" in parts.netloc or "*" in parts.scheme:
        return "names no exact host"
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
        yield "spec.type opens a way in around the platform's ingress"
    if is_set(resource.at("spec", "externalIPs")):
        yield "spec.externalIPs opens a way in around the platform's ingress"


POLICIES = (
    Policy(
        "gitlab-private",
        "Groups and projects of GitLab are private; the platform's own may be internal",
        "set visibilityLevel to private",
        check=_forge,
    ),
    Policy(
        "harbor-private",
        "Projects of Harbor are private",
        "set public to false; give robots or groups the right to pull",
        check=_registry,
    ),
    Policy(
        "sonarqube-private",
        "Analyses are private, and nobody sees SonarQube without logging in",
        "set visibility to private, sonar.forceAuthentication to true",
        check=_analysis,
    ),
    Policy(
        "keycloak-realm-closed",
        "Accounts of the realm are the platform's to make, and log-in is encrypted",
        "set registrationAllowed to false, sslRequired to external or all",
        check=_realm,
    ),
    Policy(
        "oidc-client-exact",
        "A client of the realm gets codes by the standard flow at exact https addresses (on loopback: http, any path), "
        "and proves itself by PKCE where it has no secret",
        "write the full address of the call-back; leave the other flows off",
        check=_client,
    ),
    Policy(
        "service-internal",
        "Traffic reaches a service by the platform's ingress only",
        "use type ClusterIP and an Ingress",
        check=_service,
    ),
)
