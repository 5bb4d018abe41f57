"""Finds Harbor's objects: their create refuses what is there."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from usine.clients.base import first_id
from usine.clients.harbor import HarborClient
from usine.engine.lookup.base import Find, Inputs, Remove


class HarborFinder:
    """Projects and what is in them. An id is the object's path in the API."""

    def __init__(self, client: HarborClient) -> None:
        """Keep the client; nothing is sent yet."""
        self._client = client

    def finders(self) -> Mapping[str, Find]:
        """See `SystemFinder`."""
        return {
            "harbor:index/project:Project": self._project,
            "harbor:index/registry:Registry": self._registry,
            "harbor:index/projectMemberGroup:ProjectMemberGroup": self._member,
            "harbor:index/retentionPolicy:RetentionPolicy": self._retention,
            "harbor:index/immutableTagRule:ImmutableTagRule": self._immutable,
        }

    def removers(self) -> Mapping[str, Remove]:
        """See `SystemFinder`."""
        return {"harbor:index/robotAccount:RobotAccount": self._robot}

    def _project(self, inputs: Inputs) -> str | None:
        found = self._client.project_named(inputs["name"])
        return found and f"/projects/{found['project_id']}"

    def _registry(self, inputs: Inputs) -> str | None:
        found = first_id(self._client.pages("registries"), "name", inputs["name"])
        return found and f"/registries/{found}"

    def _pages(self, path: str) -> Iterable[Any]:
        """Yield the items of a list of a project: ``/projects/1/members``."""
        of = path.strip("/").rpartition("/")[0]
        return self._client.pages(path.strip("/"), of=of)

    def _below(self, path: str, matches: Mapping[str, object]) -> str | None:
        for item in self._pages(path):
            if all(item.get(key) == value for key, value in matches.items()):
                return f"{path}/{item['id']}"
        return None

    def _member(self, inputs: Inputs) -> str | None:
        return self._below(
            f"{inputs['projectId']}/members", {"entity_type": "g", "entity_name": inputs.get("groupName")}
        )

    def _retention(self, inputs: Inputs) -> str | None:
        project = self._client.get(str(inputs["scope"]).strip("/")) or {}
        policy = (project.get("metadata") or {}).get("retention_id")
        return policy and f"/retentions/{policy}"

    def _immutable(self, inputs: Inputs) -> str | None:
        path = f"{inputs['projectId']}/immutabletagrules"
        for rule in self._pages(path):
            if any(selector.get("pattern") == inputs.get("tagMatching") for selector in rule.get("tag_selectors", ())):
                return f"{path}/{rule['id']}"
        return None

    def _robot(self, inputs: Inputs) -> bool:
        if inputs["level"] == "system":
            query, full = {"q": "Level=system"}, f"${inputs['name']}"
        else:
            project = self._client.project_named(inputs["permissions"][0]["namespace"])
            if project is None:
                return False
            query = {"q": f"Level=project,ProjectID={project['project_id']}"}
            full = f"{project['name']}+{inputs['name']}"
        robots = [r for r in self._client.pages("robots", **query) if r["name"].endswith(full)]
        for robot in robots:
            self._client.delete(f"robots/{robot['id']}")
        return bool(robots)
