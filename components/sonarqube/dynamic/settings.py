"""Settings and webhooks of a project or of the whole server."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from components.sonarqube.dynamic.api import Client, NotFoundError, SonarError
from components.sonarqube.dynamic.kind import ObjectKind, Properties, is_known

#: In an id, in place of the project: the setting or webhook is of the whole server.
_SERVER = "-"
#: Plugins whose settings SonarQube accepts even if the plugin is not installed, without effect: the plugin's key by the
#: prefix of its settings. For sonar-auth-oidc, the key is in its `pom.xml`.
_OF_PLUGINS = {"sonar.auth.oidc.": "authoidc"}


class SettingsKind(ObjectKind):
    """The values of these keys. Id: `<project>/<keys, separated by commas>`, with `-` for the whole server.

    A value is a text, a list of texts, or a list of texts by field, as the definition of the setting requires.
    `secured` values are write-only: SonarQube shows only whether there is one. Deletion resets every key to its
    inherited value.
    """

    name = "Settings"
    inputs = ("project", "values", "secured")
    replaced_by = ("project",)

    def normalised(self, olds: Properties, news: Properties) -> Properties:
        """Return the inputs with booleans and numbers as texts, as SonarQube has them."""
        values = news.get("values")
        if not isinstance(values, Mapping) or not is_known(values):
            return dict(news)
        return {**news, "values": {key: _texts(value) for key, value in values.items()}}

    def create(self, client: Client, news: Properties) -> tuple[str, Properties]:
        """Set the values."""
        keys = sorted({**news.get("values", {}), **news.get("secured", {})})
        return f"{news.get('project') or _SERVER}/{','.join(keys)}", self.update(client, "", {}, news)

    def read(self, client: Client, id_: str, props: Properties) -> Properties | None:
        """See `ObjectKind`. Keys with an inherited value are left out; None if all are inherited."""
        scope, _, listed = id_.partition("/")
        project = None if scope == _SERVER else scope
        known = {**(props.get("values") or {}), **(props.get("secured") or {})}
        keys = sorted(known) or listed.split(",")
        try:
            found = client.get("/api/settings/values", component=project, keys=",".join(keys))
        except NotFoundError:
            return None
        values = {s["key"]: _value(s) for s in found["settings"] if not s.get("inherited")}
        present = set(found.get("setSecuredSettings", ()))
        secured = {key: text for key, text in (props.get("secured") or {}).items() if key in present}
        if not values and not present:
            return None
        return {
            **({"project": project} if project else {}),
            "values": values,
            **({"secured": secured} if secured else {}),
        }

    def update(self, client: Client, id_: str, olds: Properties, news: Properties) -> Properties:
        """Set the values that differ, and reset keys that are no longer named."""
        project = news.get("project")
        wanted = {**news.get("values", {}), **news.get("secured", {})}
        _check_plugins(client, wanted)
        before = {**(olds.get("values") or {}), **(olds.get("secured") or {})}
        for key, value in wanted.items():
            if before.get(key) != value:
                client.post("/api/settings/set", component=project, key=key, **_form(value))
        if gone := sorted(set(before) - set(wanted)):
            client.post("/api/settings/reset", component=project, keys=",".join(gone))
        return {key: news[key] for key in self.inputs if news.get(key)} | {"values": news.get("values", {})}

    def delete(self, client: Client, id_: str, props: Properties) -> None:
        """Reset every key to its inherited value."""
        keys = sorted({**(props.get("values") or {}), **(props.get("secured") or {})})
        if keys:
            project = None if id_.startswith(f"{_SERVER}/") else id_.partition("/")[0]
            client.post("/api/settings/reset", component=project, keys=",".join(keys))


def _check_plugins(client: Client, keys: Mapping[str, Any]) -> None:
    """Raise SonarError if the plugin that these settings belong to is not installed."""
    needed = {plugin: start for start, plugin in _OF_PLUGINS.items() if any(key.startswith(start) for key in keys)}
    installed = {plugin["key"] for plugin in client.get("/api/plugins/installed")["plugins"]} if needed else set()
    for plugin in sorted(needed.keys() - installed):
        raise SonarError(
            f"SonarQube has no plugin {plugin}, so the settings {needed[plugin]}* would have no effect: "
            "install it and restart SonarQube (docs/up.md, What SonarQube needs)"
        )


def _texts(value: object) -> Any:  # noqa: ANN401 - JSON
    if isinstance(value, list):
        return [_texts(item) for item in value]
    if isinstance(value, Mapping):
        return {key: _texts(item) for key, item in value.items()}
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value)


def _value(setting: Any) -> Any:  # noqa: ANN401 - JSON
    return next(setting[kind] for kind in ("values", "fieldValues", "value") if kind in setting)


def _form(value: Any) -> dict[str, Any]:  # noqa: ANN401 - JSON
    if not isinstance(value, list):
        return {"value": value}
    if any(isinstance(item, Mapping) for item in value):
        return {"fieldValues": [_json(item) for item in value]}
    return {"values": value}


def _json(fields: Mapping[str, str]) -> str:
    return json.dumps(fields, ensure_ascii=False, sort_keys=True)


class WebhookKind(ObjectKind):
    """Id: `<project>/<key>`, with `-` for the whole server.

    The secret is write-only: SonarQube shows only whether there is one.
    """

    name = "Webhook"
    inputs = ("name", "url", "secret", "project")
    replaced_by = ("project",)

    def create(self, client: Client, news: Properties) -> tuple[str, Properties]:
        """See `ObjectKind`."""
        made = client.post("/api/webhooks/create", project=news.get("project"), **self._form(news))["webhook"]
        return f"{news.get('project') or _SERVER}/{made['key']}", self._outputs(news)

    def read(self, client: Client, id_: str, props: Properties) -> Properties | None:
        """See `ObjectKind`."""
        scope, _, key = id_.partition("/")
        project = None if scope == _SERVER else scope
        found = next((hook for hook in self._listed(client, project) if hook["key"] == key), None)
        if found is None:
            return None
        secret = props.get("secret") if found["hasSecret"] else None
        return self._outputs({**found, "secret": secret, "project": project})

    def update(self, client: Client, id_: str, olds: Properties, news: Properties) -> Properties:
        """Update it. A changed secret is sent; an empty text removes the secret."""
        form = self._form(news)
        if olds.get("secret") == news.get("secret"):
            form.pop("secret", None)
        elif not news.get("secret"):
            form["secret"] = ""
        client.post("/api/webhooks/update", webhook=id_.partition("/")[2], **form)
        return self._outputs(news)

    def delete(self, client: Client, id_: str, props: Properties) -> None:
        """See `ObjectKind`."""
        client.post("/api/webhooks/delete", webhook=id_.partition("/")[2])

    def find(self, client: Client, news: Mapping[str, Any]) -> str | None:
        """Find it by name and address, because SonarQube would accept a second one."""
        project = news.get("project")
        for hook in self._listed(client, project):
            if (hook["name"], hook["url"]) == (news["name"], news["url"]):
                return f"{project or _SERVER}/{hook['key']}"
        return None

    def _listed(self, client: Client, project: str | None) -> list[Any]:
        try:
            hooks: list[Any] = client.get("/api/webhooks/list", project=project)["webhooks"]
        except NotFoundError:
            return []
        return hooks

    def _form(self, news: Mapping[str, Any]) -> dict[str, str]:
        return {key: news[key] for key in ("name", "url", "secret") if news.get(key)}

    def _outputs(self, props: Mapping[str, Any]) -> Properties:
        return {key: props[key] for key in self.inputs if props.get(key)}
