"""Harbor's objects whose create refuses what is there."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from model.settings import Endpoint
from usine.engine.lookup.base import Find, Inputs, Remove, Rest


def connect(endpoint: Endpoint, environment: Mapping[str, str]) -> Rest:
    """Return Harbor's API, with HARBOR_USERNAME and HARBOR_PASSWORD, and SSL_CERT_FILE for a private authority."""
    api = Rest(f"{endpoint.url}/api/v2.0", verify=environment.get("SSL_CERT_FILE", True))
    api.session.auth = (environment.get("HARBOR_USERNAME", ""), environment.get("HARBOR_PASSWORD", ""))
    return api


class Harbor:
    """Projects and what is in them. An id is the object's path in the API."""

    def __init__(self, endpoint: Endpoint, environment: Mapping[str, str]) -> None:
        """See `connect`."""
        self._api = connect(endpoint, environment)

    def finders(self) -> Mapping[str, Find]:
        """See `System`."""
        return {
            "harbor:index/project:Project": self._project,
            "harbor:index/projectMemberGroup:ProjectMemberGroup": self._member,
            "harbor:index/retentionPolicy:RetentionPolicy": self._retention,
            "harbor:index/immutableTagRule:ImmutableTagRule": self._immutable,
        }

    def removers(self) -> Mapping[str, Remove]:
        """See `System`."""
        return {"harbor:index/robotAccount:RobotAccount": self._robot}

    def _named(self, name: str) -> Any:  # noqa: ANN401 - JSON
        return self._api.call("GET", f"projects/{name}", headers={"X-Is-Resource-Name": "true"})

    def _project(self, inputs: Inputs) -> str | None:
        found = self._named(inputs["name"])
        return found and f"/projects/{found['project_id']}"

    def _pages(self, path: str) -> Iterable[Any]:
        """Yield the items of a list of a project: ``/projects/1/members``."""
        of = path.strip("/").rpartition("/")[0]
        return self._api.pages(path.strip("/"), "page_size", of=of)

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
        project = self._api.call("GET", str(inputs["scope"]).strip("/")) or {}
        policy = (project.get("metadata") or {}).get("retention_id")
        return policy and f"/retentions/{policy}"

    def _immutable(self, inputs: Inputs) -> str | None:
        path = f"{inputs['projectId']}/immutabletagrules"
        for rule in self._pages(path):
            if any(selector.get("pattern") == inputs.get("tagMatching") for selector in rule.get("tag_selectors", ())):
                return f"{path}/{rule['id']}"
        return None

    def _robot(self, inputs: Inputs) -> bool:
        project = self._named(inputs["permissions"][0]["namespace"])
        if project is None:
            return False
        query = {"q": f"Level=project,ProjectID={project['project_id']}"}
        full = f"{project['name']}+{inputs['name']}"
        doomed = [r for r in self._api.pages("robots", "page_size", **query) if r["name"].endswith(full)]
        for robot in doomed:
            self._api.call("DELETE", f"robots/{robot['id']}")
        return bool(doomed)
