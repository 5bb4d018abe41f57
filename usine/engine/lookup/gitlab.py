"""Finds GitLab's objects: their create refuses what is there, or makes a second one."""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import quote

from usine.clients.base import first_id
from usine.clients.gitlab import GitLabClient
from usine.engine.lookup.base import Find, Inputs, Remove

_ALL_ENVIRONMENTS = "*"


class GitLabFinder:
    """Groups, projects and what is in them."""

    def __init__(self, client: GitLabClient) -> None:
        """Keep the client; nothing is sent yet."""
        self._client = client

    def finders(self) -> Mapping[str, Find]:
        """See `SystemFinder`."""
        return {
            "gitlab:index/group:Group": self._group,
            "gitlab:index/project:Project": self._project,
            "gitlab:index/user:User": self._user,
            "gitlab:index/groupMembership:GroupMembership": self._member,
            "gitlab:index/groupVariable:GroupVariable": lambda i: self._variable("groups", i["group"], i),
            "gitlab:index/projectVariable:ProjectVariable": lambda i: self._variable("projects", i["project"], i),
            "gitlab:index/branchProtection:BranchProtection": lambda i: self._protection("branch", "branches", i),
            "gitlab:index/tagProtection:TagProtection": lambda i: self._protection("tag", "tags", i),
            "gitlab:index/projectEnvironment:ProjectEnvironment": self._environment,
            "gitlab:index/pipelineSchedule:PipelineSchedule": self._schedule,
            "gitlab:index/projectShareGroup:ProjectShareGroup": self._share,
            "gitlab:index/repositoryFile:RepositoryFile": self._file,
            "gitlab:index/projectTag:ProjectTag": self._tag,
            "gitlab:index/projectApprovalRule:ProjectApprovalRule": self._approval_rule,
            "gitlab:index/projectPackageProtectionRule:ProjectPackageProtectionRule": self._package_rule,
            "gitlab:index/projectProtectedEnvironment:ProjectProtectedEnvironment": self._protected_environment,
        }

    def removers(self) -> Mapping[str, Remove]:
        """See `SystemFinder`."""
        return {
            "gitlab:index/groupDeployToken:GroupDeployToken": lambda i: self._revoke(
                f"groups/{i['group']}", "deploy_tokens", i
            ),
            "gitlab:index/projectDeployToken:ProjectDeployToken": lambda i: self._revoke(
                f"projects/{i['project']}", "deploy_tokens", i
            ),
            "gitlab:index/userRunner:UserRunner": self._unregister,
            "gitlab:index/projectAccessToken:ProjectAccessToken": lambda i: self._revoke(
                f"projects/{i['project']}", "access_tokens", i
            ),
        }

    def _exists(self, path: str, **query: str) -> bool:
        return self._client.get(path, **query) is not None

    def _by_path(self, kind: str, parent: object, path: str) -> str | None:
        above = self._client.get(f"groups/{parent}", with_projects="false") if parent else None
        if parent and above is None:
            return None
        full = f"{above['full_path']}/{path}" if above else path
        found = self._client.get(f"{kind}/{quote(full, safe='')}")
        return found and str(found["id"])

    def _group(self, inputs: Inputs) -> str | None:
        return self._by_path("groups", inputs.get("parentId"), inputs["path"])

    def _project(self, inputs: Inputs) -> str | None:
        return self._by_path("projects", inputs.get("namespaceId"), inputs.get("path") or inputs["name"])

    def _user(self, inputs: Inputs) -> str | None:
        users = self._client.listed("users", username=inputs["username"])
        return first_id(users, "username", inputs["username"])

    def _member(self, inputs: Inputs) -> str | None:
        group, user = inputs["groupId"], inputs["userId"]
        return f"{group}:{user}" if self._exists(f"groups/{group}/members/{user}") else None

    def _variable(self, kind: str, owner: object, inputs: Inputs) -> str | None:
        scope = inputs.get("environmentScope") or _ALL_ENVIRONMENTS
        path = f"{kind}/{owner}/variables/{inputs['key']}"
        known = self._exists(path, **{"filter[environment_scope]": scope})
        return f"{owner}:{inputs['key']}:{scope}" if known else None

    def _protection(self, field: str, plural: str, inputs: Inputs) -> str | None:
        project, name = inputs["project"], inputs[field]
        known = self._exists(f"projects/{project}/protected_{plural}/{quote(name, safe='')}")
        return f"{project}:{name}" if known else None

    def _named(self, path: str, key: str, inputs: Inputs, value: str) -> str | None:
        of = f"projects/{inputs['project']}"
        found = first_id(self._client.pages(f"{of}/{path}", of=of), key, value)
        return found and f"{inputs['project']}:{found}"

    def _environment(self, inputs: Inputs) -> str | None:
        return self._named("environments", "name", inputs, inputs["name"])

    def _schedule(self, inputs: Inputs) -> str | None:
        return self._named("pipeline_schedules", "description", inputs, inputs["description"])

    def _share(self, inputs: Inputs) -> str | None:
        project, group = inputs["project"], inputs["groupId"]
        shares = (self._client.get(f"projects/{project}") or {}).get("shared_with_groups", ())
        known = any(str(share["group_id"]) == str(group) for share in shares)
        return f"{project}:{group}" if known else None

    def _file(self, inputs: Inputs) -> str | None:
        project, branch, path = inputs["project"], inputs["branch"], inputs["filePath"]
        known = self._exists(f"projects/{project}/repository/files/{quote(path, safe='')}", ref=branch)
        return f"{project}:{branch}:{path}" if known else None

    def _tag(self, inputs: Inputs) -> str | None:
        project, name = inputs["project"], inputs["name"]
        known = self._exists(f"projects/{project}/repository/tags/{quote(name, safe='')}")
        return f"{project}:{name}" if known else None

    def _approval_rule(self, inputs: Inputs) -> str | None:
        return self._named("approval_rules", "name", inputs, inputs["name"])

    def _protected_environment(self, inputs: Inputs) -> str | None:
        project, name = inputs["project"], inputs["environment"]
        known = self._exists(f"projects/{project}/protected_environments/{quote(name, safe='')}")
        return f"{project}:{name}" if known else None

    def _unregister(self, inputs: Inputs) -> bool:
        """Delete the runners with this description: their tokens were shown once, and nobody has them."""
        of = f"groups/{inputs['groupId']}"
        listed = self._client.pages(f"{of}/runners", of=of, type="group_type")
        found = [runner for runner in listed if runner.get("description") == inputs["description"]]
        for runner in found:
            self._client.delete(f"runners/{runner['id']}")
        return bool(found)

    def _package_rule(self, inputs: Inputs) -> str | None:
        of = f"projects/{inputs['project']}"
        same = ("packageType", "package_type"), ("packageNamePattern", "package_name_pattern")
        for rule in self._client.pages(f"{of}/packages/protection/rules", of=of):
            if all(rule[theirs] == inputs[ours] for ours, theirs in same):
                return f"{inputs['project']}:{rule['id']}"
        return None

    def _revoke(self, of: str, kind: str, inputs: Inputs) -> bool:
        path = f"{of}/{kind}"
        listed = self._client.pages(path, of=of)
        # GitLab keeps revoked tokens in its lists.
        live = [t for t in listed if t["name"] == inputs["name"] and t.get("active", not t.get("revoked"))]
        for token in live:
            self._client.delete(f"{path}/{token['id']}")
        return bool(live)
