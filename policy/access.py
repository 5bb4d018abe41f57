"""Access: Kubernetes RBAC, Argo CD's projects, and the groups that get rights."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from model.naming import DOMAIN, TenantNames
from policy.model import Hidden, Policy, Resource, is_missing, is_set, items_of, leaves, texts_of, value_at

#: Kubernetes' default roles that can change the isolation of a tenant.
_BROAD_ROLES = ("cluster-admin", "admin", "edit")
#: The only cluster role that is bound for a whole cluster: with it, the account of a workload may have its own token
#: reviewed. The name of the cluster is part of it.
_TOKEN_REVIEW = re.compile(r"usine:[a-z0-9-]+:token-review")
_EVERYBODY = ("system:authenticated", "system:unauthenticated", "system:masters", "system:serviceaccounts")
_ESCALATION = frozenset({"escalate", "bind", "impersonate"})
_WRITE = frozenset({"create", "update", "patch", "delete", "deletecollection"})
#: Resources that isolate a tenant: no role of a tenant may write them.
_GUARDS = frozenset(
    {
        "clusterrolebindings",
        "clusterroles",
        # Endpoints can bypass network policies (CVE-2021-25740).
        "endpoints",
        "endpointslices",
        "limitranges",
        "namespaces",
        "networkpolicies",
        "resourcequotas",
        "rolebindings",
        "roles",
        "serviceaccounts/token",
        "validatingadmissionpolicies",
        "validatingadmissionpolicybindings",
    }
)
#: The places in the template of an ApplicationSet that may have a variable: none changes whose it is, or where it goes.
_FROM_FOLDER = re.compile(r"metadata\.name|spec\.source\.path|spec\.source\.helm\.releaseName")
_GIT_FOLDERS = frozenset({"repoURL", "revision", "directories", "template"})
_ENVIRONMENT = re.compile(r"[a-z][a-z0-9]{1,10}")
_SONARQUBE_ADMINISTRATORS = "sonar-administrators"


def _binding(resource: Resource) -> Iterator[str]:
    if resource.kind not in {"RoleBinding", "ClusterRoleBinding"}:
        return
    role = resource.at("roleRef", "name")
    if role in _BROAD_ROLES and resource.at("roleRef", "kind") == "ClusterRole":
        yield "roleRef can change what isolates the namespace"
    elif resource.kind == "ClusterRoleBinding" and not isinstance(role, Hidden) and not _reviews_tokens(role):
        yield "roleRef is bound for the whole cluster and is not the role for token reviews"
    namespace = resource.at("metadata", "namespace")
    for index, subject in enumerate(items_of(resource.at("subjects"))):
        kind, name = value_at(subject, "kind"), value_at(subject, "name")
        if kind == "User":
            yield f"subjects[{index}] is a person: people get rights by their groups"
        if kind == "Group" and isinstance(name, str) and name.startswith(_EVERYBODY):
            yield f"subjects[{index}] is a group of Kubernetes itself"
        if kind == "Group" and resource.kind == "ClusterRoleBinding":
            yield f"subjects[{index}] gets a right in every namespace"
        of = value_at(subject, "namespace")
        if kind == "ServiceAccount" and resource.kind == "RoleBinding" and _differ(of, namespace):
            yield f"subjects[{index}] is an account of another namespace"


def _reviews_tokens(role: object) -> bool:
    return isinstance(role, str) and _TOKEN_REVIEW.fullmatch(role) is not None


def _differ(one: object, other: object) -> bool:
    return not isinstance(one, Hidden) and not isinstance(other, Hidden) and one != other


def _role(resource: Resource) -> Iterator[str]:
    if resource.kind not in {"Role", "ClusterRole"}:
        return
    if is_set(resource.at("aggregationRule")):
        yield "aggregationRule adds rules that are not written here"
    for index, rule in enumerate(items_of(resource.at("rules"))):
        verbs = set(texts_of(value_at(rule, "verbs")))
        resources = set(texts_of(value_at(rule, "resources")))
        for key in ("apiGroups", "resources", "verbs", "nonResourceURLs"):
            if any("*" in text for text in texts_of(value_at(rule, key))):
                yield f"rules[{index}].{key} has a wildcard"
        if verbs & _ESCALATION:
            yield f"rules[{index}].verbs allows privilege escalation"
        if verbs & _WRITE and resources & _GUARDS:
            yield f"rules[{index}] can change what isolates the namespace"


def _app_project(resource: Resource) -> Iterator[str]:
    if resource.kind != "AppProject":
        return
    for key, fields in (("destinations", ("namespace", "server", "name")), ("destinationServiceAccounts", None)):
        for index, item in enumerate(items_of(resource.at("spec", key))):
            names = fields or tuple(item if isinstance(item, Mapping) else ())
            for name in names:
                text = value_at(item, name)
                if isinstance(text, str) and _is_pattern(text):
                    yield f"spec.{key}[{index}].{name} is a pattern"
            if key == "destinations" and is_missing(value_at(item, "namespace")):
                yield f"spec.{key}[{index}].namespace is empty, which means every namespace"
    for key in ("sourceRepos", "sourceNamespaces"):
        for index, text in enumerate(texts_of(resource.at("spec", key))):
            if _is_pattern(text):
                yield f"spec.{key}[{index}] is a pattern"
    if is_set(resource.at("spec", "clusterResourceWhitelist")):
        yield "spec.clusterResourceWhitelist allows deployment of cluster-scoped resources"
    if is_missing(resource.at("spec", "namespaceResourceBlacklist")) and is_missing(
        resource.at("spec", "namespaceResourceWhitelist")
    ):
        yield "spec allows deployment of every kind, also of those that isolate the namespace"


def _is_pattern(text: str) -> bool:
    return any(character in text for character in "*?[") or text.startswith("!")


def _application(resource: Resource) -> Iterator[str]:
    if resource.kind == "Application":
        yield from _deployment(resource, ("spec",))


def _application_set(resource: Resource) -> Iterator[str]:
    if resource.kind != "ApplicationSet":
        return
    yield from _deployment(resource, ("spec", "template", "spec"))
    for path, value in leaves(resource.at("spec", "template")):
        # Both languages of templates have double braces.
        if isinstance(value, str) and "{{" in value and not _FROM_FOLDER.fullmatch(path):
            yield f"spec.template.{path} is a template"
    set_name, name = resource.at("metadata", "name"), resource.at("spec", "template", "metadata", "name")
    if isinstance(set_name, str) and not (isinstance(name, Hidden) or str(name).startswith(f"{set_name}.")):
        # Argo CD takes over an application that has the name already.
        yield "spec.template.metadata.name does not begin with the name of the set and a dot"
    if is_set(resource.at("spec", "templatePatch")):
        yield "spec.templatePatch can change everything in the template"
    if not _is(resource.at("spec", "goTemplate"), True) or "missingkey=error" not in _words(
        resource.at("spec", "goTemplateOptions"), "missingkey=error"
    ):
        yield "spec.goTemplate with errors for missing keys is not set: an unknown variable becomes a text"
    if not _is(resource.at("spec", "syncPolicy", "preserveResourcesOnDeletion"), True):
        yield "spec.syncPolicy deletes what a folder deployed when the folder is gone, also in a freeze"
    generators = resource.at("spec", "generators")
    if is_missing(generators):
        yield "spec.generators is empty"
    for index, generator in enumerate(items_of(generators)):
        yield from _generator(f"spec.generators[{index}]", generator)


def _is(value: object, wanted: object) -> bool:
    """Return whether a value is the wanted one, or may be."""
    return isinstance(value, Hidden) or value is wanted


def _words(value: object, wanted: str) -> tuple[str, ...]:
    """Return the texts of a list; the wanted one if it may be among them."""
    return (wanted,) if isinstance(value, Hidden) or Hidden.UNKNOWN in items_of(value) else texts_of(value)


def _generator(path: str, generator: object) -> Iterator[str]:
    """Yield what a generator reads beside the folders of one repository."""
    git = value_at(generator, "git")
    if isinstance(generator, Hidden) or (isinstance(git, Hidden) and isinstance(generator, Mapping)):
        return
    if not isinstance(generator, Mapping) or set(generator) != {"git"}:
        yield f"{path} is no generator of Git folders: others read files, secrets of Argo CD or its clusters"
        return
    if not isinstance(git, Mapping) or not set(git) <= _GIT_FOLDERS or is_missing(git.get("directories")):
        yield f"{path}.git has more than a repository, a revision and folders"
    elif "template" in git and not _is_empty(git["template"]):
        yield f"{path}.git.template is not empty: it replaces the project"
    if any(isinstance(value, str) and "{{" in value for _, value in leaves(git)):
        yield f"{path}.git is a template"


def _is_empty(template: object) -> bool:
    """Return whether a template has no text: Argo CD's controller writes such a one where there is none."""
    return isinstance(template, Mapping) and not any(value for _, value in leaves(template))


def _deployment(resource: Resource, at: tuple[str, ...]) -> Iterator[str]:
    """Yield what is wrong with the project and the destination of applications, whose spec is at this path."""
    path, project = ".".join(at), resource.at(*at, "project")
    namespace = resource.at(*at, "destination", "namespace")
    if project is None or project in ("", "default"):
        yield f"{path}.project is Argo CD's default project, which has no limits"
    elif isinstance(project, str) and (tenant := _tenant_of(resource)) and not _is_of(tenant, project):
        yield f"{path}.project is not a project of the tenant"
    if is_missing(namespace):
        yield f"{path}.destination.namespace is empty"
    elif isinstance(project, str) and isinstance(namespace, str) and namespace != project and _tenant_of(resource):
        yield f"{path}.destination.namespace is not the namespace of the project"


def _is_of(tenant: str, project: str) -> bool:
    """Return whether a project is one of an environment of the tenant: no name of an environment has a dash."""
    slug, _, environment = project.rpartition("-")
    return slug == tenant and _ENVIRONMENT.fullmatch(environment) is not None


def _default_rights(resource: Resource) -> Iterator[str]:
    if resource.kind != "ConfigMap" or resource.at("metadata", "name") != "argocd-rbac-cm":
        return
    default = resource.at("data", "policy.default")
    if is_set(default):
        yield 'data["policy.default"] gives a right to everyone who logs in'


def _own_groups(resource: Resource) -> Iterator[str]:
    tenant = _tenant_of(resource)
    if tenant is None:
        return
    for path, group in _groups(resource):
        # Kubernetes and other systems put a prefix before the path of a Keycloak group.
        if isinstance(group, str) and not ("/" + group.partition("/")[2]).startswith(f"/{tenant}/"):
            yield f"{path} is not a group of the tenant"
    if resource.type == "harbor:index/projectMemberUser:ProjectMemberUser" or (
        resource.type == "pulumi-python:dynamic/sonarqube:ProjectPermissions"
        and not _only_analyses(resource.at("users"), tenant)
    ):
        yield "a person gets a right directly: people get rights by their groups"


def _only_analyses(users: object, tenant: str) -> bool:
    """Return whether all users are the tenant's own analysis accounts and have the permission for scans only."""
    if users is Hidden.UNKNOWN or is_missing(users):
        return True
    prefix = TenantNames(tenant).analysis_account("")
    return isinstance(users, Mapping) and all(
        isinstance(login, str) and login.startswith(prefix) and set(texts_of(rights)) <= {"scan"}
        for login, rights in users.items()
    )


def _tenant_of(resource: Resource) -> str | None:
    label = resource.at("metadata", "labels", f"{DOMAIN}/tenant")
    return resource.tenant or (label if isinstance(label, str) else None)


def _groups(resource: Resource) -> Iterator[tuple[str, object]]:
    """Yield the groups that get rights from a resource, with their place in it."""
    if resource.type == "vault:identity/groupAlias:GroupAlias":
        yield "name", resource.at("name")
    elif resource.type == "harbor:index/projectMemberGroup:ProjectMemberGroup":
        yield "groupName", resource.at("groupName")
    elif resource.type == "pulumi-python:dynamic/sonarqube:ProjectPermissions":
        groups = resource.at("groups")
        for index, group in enumerate(groups if isinstance(groups, Mapping) else ()):
            if group != _SONARQUBE_ADMINISTRATORS:
                yield f"group {index + 1}", group
    elif resource.kind in {"RoleBinding", "ClusterRoleBinding"}:
        for index, subject in enumerate(items_of(resource.at("subjects"))):
            if value_at(subject, "kind") == "Group":
                yield f"subjects[{index}]", value_at(subject, "name")
    elif resource.kind == "AppProject":
        for index, role in enumerate(items_of(resource.at("spec", "roles"))):
            for place, group in enumerate(items_of(value_at(role, "groups"))):
                yield f"spec.roles[{index}].groups[{place}]", group


POLICIES = (
    Policy(
        "role-binding-narrow",
        "Kubernetes roles are bound per namespace, to groups and to service accounts of that namespace. No bound role "
        "can change the isolation of the namespace",
        "bind one of the tenant cluster roles in the namespace",
        check=_binding,
    ),
    Policy(
        "role-narrow",
        "A role lists its permissions without wildcards, and cannot change what isolates a namespace",
        "list API groups, resources and verbs, without quotas, limits, network policies and role bindings",
        check=_role,
    ),
    Policy(
        "app-project-exact",
        "An AppProject lists its repositories, namespaces and accounts, and deploys no cluster-scoped resource",
        "list each repository, server and namespace without patterns",
        check=_app_project,
    ),
    Policy(
        "application-bounded",
        "An application belongs to an AppProject of its tenant and deploys into the namespace of that project",
        "set spec.project and spec.destination.namespace to <slug>-<environment>",
        check=_application,
    ),
    Policy(
        "application-set-bounded",
        "An application set makes applications of one project of its tenant, from the folders of a Git repository. "
        "Only the name, the path and the Helm release come from the folder",
        "write project, destination and repository without variables, and use one git generator with directories",
        check=_application_set,
    ),
    Policy(
        "argocd-no-default-rights",
        "Argo CD gives no right to people by their log-in alone",
        "leave policy.default of argocd-rbac-cm empty",
        check=_default_rights,
    ),
    Policy(
        "tenant-own-groups",
        "In every tool, rights to the objects of a tenant go to groups of that tenant",
        "name a group /<slug>/…; to give a person access, add them as a member in the tenant file",
        check=_own_groups,
    ),
)
