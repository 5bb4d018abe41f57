"""SonarQube servers that the local platform cannot run: another edition, and one without the log-in plugin."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from components.sonarqube.dynamic.api import Client, SonarError
from components.sonarqube.dynamic.projects import NewCodePeriodKind
from components.sonarqube.dynamic.settings import SettingsKind

Form = str | Sequence[str] | None


class _WithBranches(Client):
    """New-code periods in every edition except Community (`SetAction`, `ShowAction` of their API).

    A period without a branch belongs to the project. A branch shows its own period, or the inherited one.
    """

    def __init__(self) -> None:
        super().__init__("http://127.0.0.1:1", environment={})
        self.kept: dict[Form, dict[str, Form]] = {}

    def get(self, path: str, **query: str | None) -> Any:
        if path == "/api/project_branches/list":
            return {"branches": [{"name": "feature", "isMain": False}, {"name": "main", "isMain": True}]}
        branch = query.get("branch")
        if branch in self.kept:
            return {**self.kept[branch], "inherited": False}
        return {**self.kept.get(None, {"type": "PREVIOUS_VERSION"}), "inherited": True}

    def post(self, path: str, **form: Form) -> None:
        branch = form.get("branch")
        if path.endswith("/unset"):
            del self.kept[branch]
        else:
            self.kept[branch] = {key: form[key] for key in ("type", "value") if form[key] is not None}


def test_a_new_code_period_has_no_diff_on_editions_with_branches() -> None:
    client, kind = _WithBranches(), NewCodePeriodKind()
    news: dict[str, Any] = {"project": "a:api", "type": "NUMBER_OF_DAYS", "value": "30"}
    id_, made = kind.create(client, news)
    assert client.kept == {None: {"type": "NUMBER_OF_DAYS", "value": "30"}}
    assert kind.read(client, id_, made) == made == news
    # A period on the main branch, set manually or by an earlier Community Build, has precedence over the project's.
    client.kept["main"] = {"type": "NUMBER_OF_DAYS", "value": "1"}
    found = kind.read(client, id_, made)
    assert found is not None
    assert kind.changed(found, news) == ["value"]
    assert kind.read(client, id_, kind.update(client, id_, found, news)) == news
    assert list(client.kept) == [None]
    kind.delete(client, id_, news)
    assert kind.read(client, id_, news) is None


class _WithoutPlugin(Client):
    """A client without `post`, so that a test fails if something is set."""

    def get(self, path: str, **query: str | None) -> Any:  # noqa: ARG002 - the client's own signature
        assert path == "/api/plugins/installed"
        return {"plugins": [{"key": "java"}]}


@pytest.mark.parametrize("kind", ["values", "secured"])
def test_settings_of_a_plugin_that_is_not_installed_are_refused(kind: str) -> None:
    client = _WithoutPlugin("http://127.0.0.1:1", environment={})
    with pytest.raises(
        SonarError, match=r"^SonarQube has no plugin authoidc, so the settings .* would have no effect: .*docs/up.md"
    ):
        SettingsKind().create(client, {kind: {"sonar.auth.oidc.enabled": "true"}})
