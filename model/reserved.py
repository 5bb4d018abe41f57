"""Names that tools keep for themselves, so that no tenant and no repository takes them."""

from __future__ import annotations

from typing import Final

from model.settings import Settings

#: Words that a tool routes, creates or reserves; a tenant of that name would break there, or shadow something.
_SLUGS: Final[dict[str, tuple[str, ...]]] = {
    "GitLab": (
        *("admin", "api", "assets", "dashboard", "deploy", "explore", "files", "groups", "health-check", "help"),
        *("import", "invites", "jwt", "login", "oauth", "profile", "projects", "public", "robots", "s", "search"),
        *("sitemap", "slash-command-logo", "snippets", "unsubscribes", "uploads", "users", "v2"),
    ),
    "Vault": ("sys", "identity", "cubbyhole", "auth", "secret", "kubernetes", "oidc", "transit", "pki", "token"),
    "Harbor": ("library",),
    "Keycloak": ("master",),
    "Argo CD": ("default", "argocd"),
    "Kubernetes": ("default", "kube", "openshift", "cattle", "kubernetes"),
    "the platform": ("usine", "system", "root", "foundation", "all", "none"),
}
_PREFIXES: Final[dict[str, str]] = {"kube-": "Kubernetes", "openshift-": "Kubernetes", "cattle-": "Kubernetes"}

_WHO: Final = {slug: who for who, slugs in _SLUGS.items() for slug in slugs}

#: Paths that GitLab routes below a project's own.
_REPOSITORIES: Final = frozenset(
    {"badges", "blame", "blob", "builds", "commits", "create", "edit", "files", "new", "preview", "raw", "refs"}
    | {"tree", "update", "wikis"}
)


def who_reserves_slug(slug: str, settings: Settings) -> str | None:
    """Return who keeps a slug for itself, or None."""
    if slug in settings.reserved:
        return "the platform"
    if slug in {settings.argocd.namespace, settings.keycloak.realm, settings.gitlab.root, settings.gitlab.platform}:
        return "the platform"
    if slug in _WHO:
        return _WHO[slug]
    return next((who for prefix, who in _PREFIXES.items() if slug.startswith(prefix)), None)


def is_reserved_repository(name: str) -> bool:
    """Say whether GitLab keeps a repository's name for itself."""
    return name in _REPOSITORIES
