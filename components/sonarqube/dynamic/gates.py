"""Quality gates with their conditions."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from components.sonarqube.dynamic.api import Client, NotFoundError, SonarError
from components.sonarqube.dynamic.kind import ObjectKind, Properties, is_known

_Condition = dict[str, str]


class QualityGateKind(ObjectKind):
    """Id: its name; the API has no other id. The conditions are exact: those that SonarQube adds to a new gate are
    removed.

    If the gate is no longer the default, or is deleted as the default, the built-in gate becomes the default.
    """

    name = "QualityGate"
    inputs = ("name", "conditions", "default")
    replaced_by = ("name",)

    def normalised(self, olds: Properties, news: Properties) -> Properties:
        """Return the inputs with sorted conditions and thresholds as texts: `80`, not `80.0`."""
        conditions = news.get("conditions")
        if not isinstance(conditions, list) or not is_known(conditions):
            return dict(news)
        texts = [{**condition, "error": _text(condition["error"])} for condition in conditions]
        return {**news, "conditions": sorted(texts, key=lambda condition: condition["metric"])}

    def create(self, client: Client, news: Properties) -> tuple[str, Properties]:
        """Create the gate and its conditions. If a condition fails, delete the gate again."""
        gate = news["name"]
        if self.find(client, news) is not None:
            raise SonarError(f"SonarQube has a quality gate {gate} already: import it (its id is {gate!r})")
        client.post("/api/qualitygates/create", name=gate)
        try:
            return gate, self._apply(client, news)
        except SonarError:
            self.delete(client, gate, news)
            raise

    def read(self, client: Client, id_: str, props: Properties) -> Properties | None:
        """See `ObjectKind`."""
        gate = self._listed(client, id_)
        if gate is None:
            return None
        conditions = [{key: text for key, text in c.items() if key != "id"} for c in self._conditions(client, id_)]
        return self.normalised({}, {"name": id_, "conditions": conditions, "default": gate["isDefault"]})

    def update(self, client: Client, id_: str, olds: Properties, news: Properties) -> Properties:
        """Update the conditions that differ, and whether the gate is the default."""
        return self._apply(client, news)

    def delete(self, client: Client, id_: str, props: Properties) -> None:
        """Delete it; its projects get the default gate."""
        gate = self._listed(client, id_)
        if gate is not None and gate["isDefault"]:
            self._default_built_in(client)
        client.post("/api/qualitygates/destroy", name=id_)

    def find(self, client: Client, news: Mapping[str, Any]) -> str | None:
        """Find the gate by its name."""
        return str(news["name"]) if self._listed(client, news["name"]) is not None else None

    def _apply(self, client: Client, news: Properties) -> Properties:
        gate = news["name"]
        wanted = {condition["metric"]: condition for condition in news["conditions"]}
        for found in self._conditions(client, gate):
            condition = wanted.pop(found["metric"], None)
            if condition is None:
                client.post("/api/qualitygates/delete_condition", id=found["id"])
            elif (found["op"], found["error"]) != (condition["op"], condition["error"]):
                client.post("/api/qualitygates/update_condition", id=found["id"], **condition)
        for condition in wanted.values():
            client.post("/api/qualitygates/create_condition", gateName=gate, **condition)
        listed = self._listed(client, gate)
        if listed is not None and listed["isDefault"] != news["default"]:
            if news["default"]:
                client.post("/api/qualitygates/set_as_default", name=gate)
            else:
                self._default_built_in(client)
        return {key: news[key] for key in self.inputs}

    def _conditions(self, client: Client, gate: str) -> list[_Condition]:
        found = client.get("/api/qualitygates/show", name=gate).get("conditions", [])
        return [{key: condition[key] for key in ("id", "metric", "op", "error")} for condition in found]

    def _gates(self, client: Client) -> list[Any]:
        gates: list[Any] = client.get("/api/qualitygates/list")["qualitygates"]
        return gates

    def _listed(self, client: Client, gate: str) -> Any:  # noqa: ANN401 - JSON
        return next((found for found in self._gates(client) if found["name"] == gate), None)

    def _default_built_in(self, client: Client) -> None:
        built_in = next((gate["name"] for gate in self._gates(client) if gate["isBuiltIn"]), None)
        if built_in is None:
            raise NotFoundError("SonarQube has no built-in quality gate to be the default instead")
        client.post("/api/qualitygates/set_as_default", name=built_in)


def _text(number: object) -> str:
    """Return a threshold as SonarQube writes it. Pulumi passes all numbers as floats."""
    if isinstance(number, float) and number.is_integer():
        return str(int(number))
    return str(number)
