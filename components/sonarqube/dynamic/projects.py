"""Projects, and the quality gate and the new-code period of a project."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from components.sonarqube.dynamic.api import Client, NotFoundError, SonarError
from components.sonarqube.dynamic.kind import ObjectKind, Properties


class ProjectKind(ObjectKind):
    """Id: its key. `name` is the name at creation: SonarQube has no call that renames a project.

    After that, analyses set the name (`sonar.projectName`), so a different name is not a change.
    """

    name = "Project"
    inputs = ("key", "visibility", "main_branch")
    replaced_by = ("key",)

    def create(self, client: Client, news: Properties) -> tuple[str, Properties]:
        """Create it. It gets the permissions of the default template, which `ProjectPermissions` replaces."""
        key = news["key"]
        if _found(client, key) is not None:
            raise SonarError(f"SonarQube has a project {key} already: import it (its id is {key!r})")
        client.post(
            "/api/projects/create",
            project=key,
            name=news["name"],
            visibility=news["visibility"],
            mainBranch=news["main_branch"],
        )
        return key, {name: news[name] for name in ("key", "name", "visibility", "main_branch")}

    def read(self, client: Client, id_: str, props: Properties) -> Properties | None:
        """See `ObjectKind`."""
        found = _found(client, id_)
        if found is None:
            return None
        return {
            "key": id_,
            "name": props.get("name") or found["name"],
            "visibility": found["visibility"],
            "main_branch": main_branch(client, id_),
        }

    def update(self, client: Client, id_: str, olds: Properties, news: Properties) -> Properties:
        """Change the visibility, and rename the main branch."""
        if olds.get("main_branch") != news["main_branch"]:
            client.post("/api/project_branches/rename", project=id_, name=news["main_branch"])
        if olds.get("visibility") != news["visibility"]:
            client.post("/api/projects/update_visibility", project=id_, visibility=news["visibility"])
        return {name: news[name] for name in ("key", "name", "visibility", "main_branch")}

    def delete(self, client: Client, id_: str, props: Properties) -> None:
        """Delete the project and all its analyses."""
        client.post("/api/projects/delete", project=id_)

    def find(self, client: Client, news: Mapping[str, Any]) -> str | None:
        """Find the project by its key."""
        return str(news["key"]) if _found(client, news["key"]) is not None else None


def _found(client: Client, key: str) -> Any:  # noqa: ANN401 - JSON
    return next((c for c in client.pages("/api/projects/search", "components", projects=key) if c["key"] == key), None)


def main_branch(client: Client, project: str) -> str:
    """Return the name of a project's main branch. Raises NotFoundError if the project does not exist."""
    branches = client.get("/api/project_branches/list", project=project)["branches"]
    return next(str(branch["name"]) for branch in branches if branch["isMain"])


class QualityGateAssociationKind(ObjectKind):
    """Id: the project's key."""

    name = "QualityGateAssociation"
    inputs = ("project", "gate")
    replaced_by = ("project",)

    def create(self, client: Client, news: Properties) -> tuple[str, Properties]:
        """Select the gate for the project."""
        self._select(client, news)
        return news["project"], {"project": news["project"], "gate": news["gate"]}

    def read(self, client: Client, id_: str, props: Properties) -> Properties | None:
        """See `ObjectKind`. Returns the gate in use: the one that is selected for the project, or the default."""
        try:
            gate = client.get("/api/qualitygates/get_by_project", project=id_)["qualityGate"]["name"]
        except NotFoundError:
            return None
        return {"project": id_, "gate": gate}

    def update(self, client: Client, id_: str, olds: Properties, news: Properties) -> Properties:
        """Select another gate."""
        self._select(client, news)
        return {"project": id_, "gate": news["gate"]}

    def delete(self, client: Client, id_: str, props: Properties) -> None:
        """Return the project to the default gate."""
        client.post("/api/qualitygates/deselect", projectKey=id_)

    def _select(self, client: Client, news: Properties) -> None:
        client.post("/api/qualitygates/select", gateName=news["gate"], projectKey=news["project"])


class NewCodePeriodKind(ObjectKind):
    """Id: the project's key.

    The request has no branch. SonarQube then sets the period of the project; a Community Build, which has only one
    branch, sets that of its main branch (`SetAction` of `api/new_code_periods`).
    """

    name = "NewCodePeriod"
    inputs = ("project", "type", "value")
    replaced_by = ("project",)

    def normalised(self, olds: Properties, news: Properties) -> Properties:
        """Return the inputs with numbers as texts, as SonarQube has them."""
        value = news.get("value")
        if isinstance(value, float) and value.is_integer():  # Pulumi passes all numbers as floats
            value = int(value)
        return {**news, **({"value": str(value)} if value is not None else {})}

    def create(self, client: Client, news: Properties) -> tuple[str, Properties]:
        """Set the period."""
        return news["project"], self._set(client, news)

    def read(self, client: Client, id_: str, props: Properties) -> Properties | None:
        """Return the period of the main branch or of the project; None if it is inherited."""
        try:
            own, of_branch = self._shown(client, id_)
        except NotFoundError:
            return None
        found = own if of_branch.get("inherited") else of_branch
        if found.get("inherited"):
            return None
        return {"project": id_, "type": found["type"], **({"value": found["value"]} if "value" in found else {})}

    def update(self, client: Client, id_: str, olds: Properties, news: Properties) -> Properties:
        """Set the period."""
        return self._set(client, news)

    def delete(self, client: Client, id_: str, props: Properties) -> None:
        """Return the project to the global period."""
        client.post("/api/new_code_periods/unset", project=id_)

    def _set(self, client: Client, news: Properties) -> Properties:
        project = news["project"]
        client.post("/api/new_code_periods/set", project=project, type=news["type"], value=news.get("value"))
        own, of_branch = self._shown(client, project)
        if not own.get("inherited") and not of_branch.get("inherited"):
            # The branch's period is from a Community Build or was set manually. It would override the project's.
            client.post("/api/new_code_periods/unset", project=project, branch=main_branch(client, project))
        return {key: news[key] for key in self.inputs if news.get(key) is not None}

    def _shown(self, client: Client, project: str) -> tuple[Any, Any]:
        """Return the periods of the project and of its main branch."""
        own = client.get("/api/new_code_periods/show", project=project)
        return own, client.get("/api/new_code_periods/show", project=project, branch=main_branch(client, project))
