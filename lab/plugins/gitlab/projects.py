"""Projects."""

from __future__ import annotations

from typing import Final

from lab.plugins.bridge import Resource
from lab.plugins.gitlab import project_settings as settings
from lab.plugins.gitlab import push_rules
from lab.plugins.gitlab.client import GitLab, segment, wait
from lab.plugins.gitlab.groups import finish_deletion, is_going, no_avatar
from lab.plugins.planning import Data
from lab.plugins.server import PluginError, refused
from lab.plugins.wire import Properties

_IMPORTING: Final = ("scheduled", "started")


def _create_project(data: Data, gitlab: GitLab) -> None:
    no_avatar(data)
    made = _fork(data, gitlab) if data.ok("forkedFromProjectId") else _make(data, gitlab)
    data.id = str(made["id"])
    if made.get("import_status") not in (None, "none"):
        _wait_for_import(data, gitlab)
        made = gitlab.get(f"projects/{data.id}")
    if data.get("archived"):
        gitlab.post(f"projects/{data.id}/archive")
    if data.raw("pushRules"):
        push_rules.write_block(data, gitlab, "projects")
    if not data.get("skipWaitForDefaultBranchProtection") and _expects_protection(gitlab, made):
        _wait_for_protection(data, gitlab, made)
    more = settings.given(data, settings.AFTERWARDS)
    if data.ok("forkedFromProjectId"):
        more |= settings.given(data, settings.CREATED)
        more |= _policy(data)
    if more:
        with refused(f'Could not update project "{data.id}"'):
            gitlab.put(f"projects/{data.id}", more)
    _read_project(data, gitlab)


def _policy(data: Data) -> Properties:
    policy = settings.policy_body(data.raw("containerExpirationPolicy"))
    return {"container_expiration_policy_attributes": policy} if policy else {}


def _make(data: Data, gitlab: GitLab) -> Properties:
    body: Properties = {"name": data.get("name"), **settings.given(data, settings.CREATED), **_policy(data)}
    for name, theirs in (
        ("namespaceId", "namespace_id"),
        ("templateName", "template_name"),
        ("templateProjectId", "template_project_id"),
        ("groupWithProjectTemplatesId", "group_with_project_templates_id"),
        ("useCustomTemplate", "use_custom_template"),
    ):
        if data.ok(name):
            body[theirs] = data.get(name)
    if data.raw("initializeWithReadme") is not None:
        body["initialize_with_readme"] = data.get("initializeWithReadme")
    if data.ok("importUrl"):
        body["import_url"] = settings.import_url(data)
    made: Properties = gitlab.post("projects", body)
    return made


def _fork(data: Data, gitlab: GitLab) -> Properties:
    body = settings.given(data, ("name", "path", "description", "namespaceId", "visibilityLevel", "branches"))
    if data.raw("mrDefaultTargetSelf") is not None:
        body["mr_default_target_self"] = data.get("mrDefaultTargetSelf")
    origin = data.get("forkedFromProjectId")
    with refused(f"Unable to fork project {origin}"):
        made: Properties = gitlab.post(f"projects/{origin}/fork", body)
    return made


def _wait_for_import(data: Data, gitlab: GitLab) -> None:
    found: Properties = {}

    def ended() -> bool:
        found.update(gitlab.get(f"projects/{data.id}/import"))
        return found.get("import_status") not in _IMPORTING

    wait(ended, f'project "{data.get("name")}" import to finish')
    if found.get("import_status") == "failed":
        raise PluginError(f'error while importing project "{data.get("name")}": {found.get("import_error")}')


def _expects_protection(gitlab: GitLab, project: Properties) -> bool:
    """Tell whether GitLab is going to protect the default branch by itself."""
    namespace = project["namespace"]
    if namespace["kind"] == "group":
        group = gitlab.get(f"groups/{namespace['id']}", with_projects=False)
        return bool(group.get("default_branch_protection"))
    if (gitlab.get("user")).get("is_admin"):
        return bool(gitlab.get("application/settings").get("default_branch_protection"))
    return True


def _wait_for_protection(data: Data, gitlab: GitLab, project: Properties) -> None:
    branch = project.get("default_branch")
    if not branch:
        return  # nothing is in it yet

    def protected() -> bool:
        found = gitlab.find(f"projects/{data.id}/repository/branches/{segment(branch)}")
        return found is None or bool(found.get("protected"))

    wait(protected, f"branch {branch} to reach 'protected' status")


def _read_project(data: Data, gitlab: GitLab) -> None:
    project = gitlab.find(f"projects/{segment(data.id)}")
    if project is None or is_going(project):
        data.id = ""
        return
    data.id = str(project["id"])
    data.set("name", project["name"])
    data.set("namespaceId", project["namespace"]["id"])
    data.set("archived", bool(project.get("archived")))
    data.set("importUrl", project.get("import_url"))
    data.set("publicJobs", project.get("public_jobs"))
    data.set("mrDefaultTargetSelf", bool(project.get("mr_default_target_self")))
    data.set("containerExpirationPolicy", settings.policy_outputs(project.get("container_expiration_policy")))
    origin = project.get("forked_from_project")
    if origin or data.raw("forkedFromProjectId") is not None:
        data.set("forkedFromProjectId", (origin or {}).get("id"))
    for name in (*settings.CREATED, *settings.AFTERWARDS, *settings.READ_ONLY):
        if name not in ("publicJobs", "publicBuilds"):
            data.set(name, project.get(settings.theirs(name)))
    push_rules.read_block(data, gitlab, "projects")


def _update_project(data: Data, gitlab: GitLab) -> None:
    no_avatar(data)
    body: Properties = {"name": data.get("name"), **settings.changed(data)}
    if data.changed("containerExpirationPolicy"):
        body |= _policy(data)
    if any(data.changed(name) for name in ("importUrl", "importUrlUsername", "importUrlPassword")):
        body["import_url"] = settings.import_url(data)
    gitlab.put(f"projects/{data.id}", body)
    if data.changed("forkedFromProjectId"):
        _relate(data, gitlab)
    if data.changed("namespaceId"):
        gitlab.put(f"projects/{data.id}/transfer", {"namespace": data.get("namespaceId")})
    if data.changed("archived"):
        doing = "archive" if data.get("archived") else "unarchive"
        with refused(f'project "{data.id}" could not be {doing}d'):
            gitlab.post(f"projects/{data.id}/{doing}")
    if data.changed("pushRules"):
        push_rules.write_block(data, gitlab, "projects")
    _read_project(data, gitlab)


def _relate(data: Data, gitlab: GitLab) -> None:
    """Change of which project this is a fork."""
    origin = data.get("forkedFromProjectId")
    if data.old("forkedFromProjectId") or not origin:
        gitlab.delete(f"projects/{data.id}/fork")
    if origin:
        gitlab.post(f"projects/{data.id}/fork/{origin}")


def _delete_project(data: Data, gitlab: GitLab) -> None:
    where = f"projects/{data.id}"
    if data.get("archiveOnDestroy"):
        gitlab.post(f"{where}/archive")
        return
    gitlab.delete(where)
    for_good = data.get("permanentlyDeleteOnDestroy")
    finish_deletion(gitlab, where, "path_with_namespace", for_good=for_good)


RESOURCES: Final = {
    settings.PROJECT.token: Resource(
        settings.PROJECT,
        _create_project,
        _read_project,
        _update_project,
        _delete_project,
        customise=settings.moved,
    )
}
