"""Technical accounts and their tokens on the real server, with the provider calls that the engine makes."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from components.sonarqube.dynamic.api import Client, SonarError
from components.sonarqube.dynamic.provider import TYPE_PREFIX, find, remove_orphan
from tests.sonarqube.conftest import Life, Sonar, settled

pytestmark = pytest.mark.servers


@pytest.fixture
def account(sonar: Sonar, unique: str) -> Iterator[Life]:
    """A technical account, deactivated afterwards."""
    life = Life(sonar, "TechnicalAccount")
    life.create(login=f"usine.{unique}", name=unique)
    yield life
    life.delete()


def test_technical_account(sonar: Sonar, account: Life, project: str) -> None:
    life, type_ = account, f"{TYPE_PREFIX}TechnicalAccount"
    news = {"login": f"usine.{project}", "name": project}
    settled(life, **news)
    assert life.imported() == news == life.state
    assert find(sonar.client, type_, news) == life.id
    assert find(sonar.client, type_, {"login": f"usine.{project[:-1]}"}) is None
    with pytest.raises(SonarError, match="already: import it"):
        Life(sonar, "TechnicalAccount").create(**news)
    life.update(**{**news, "name": "Another"})
    assert life.imported()["name"] == "Another"
    assert life.replaces(**{**news, "login": "usine.other"}) == ["login"]

    # The account has no password, no password logs in, and the holder of its token cannot set one.
    token = Life(sonar, "ProjectAnalysisToken")
    held = token.create(name=project, login=news["login"])["token"]
    (user,) = sonar.client.v2("GET", "/users-management/users", q=news["login"])["users"]
    assert (user["local"], user["externalProvider"], user["email"]) == (False, "sonarqube", None)
    holder = Client(sonar.url, environment={"SONAR_TOKEN": held})
    new = {"login": news["login"], "password": "Aa1!" * 4, "previousPassword": ""}
    for client in (holder, sonar.client):
        with pytest.raises(SonarError, match="HTTP 400"):
            client.post("/api/users/change_password", **new)
    with pytest.raises(SonarError, match="not accepted"):
        holder.post("/api/authentication/login", login=news["login"], password="")

    # Deactivation revokes every token, including those that were created with one of them, and all permissions.
    sonar.client.post("/api/permissions/add_user", projectKey=project, login=news["login"], permission="scan")
    further = holder.post("/api/user_tokens/generate", name="further")["token"]
    life.delete()
    assert not life.refresh()
    assert find(sonar.client, type_, news) is None
    for secret in (held, further):
        with pytest.raises(SonarError, match="not accepted"):
            Client(sonar.url, environment={"SONAR_TOKEN": secret}).get("/api/users/current")
    assert not token.refresh()
    token.delete()

    # The account is reactivated without its former tokens and permissions.
    before = life.id
    life.create(**news)
    assert life.id == before
    assert sonar.client.get("/api/user_tokens/search", login=news["login"])["userTokens"] == []
    holders = sonar.client.get("/api/permissions/users", projectKey=project)["users"]
    assert not [one for one in holders if one["login"] == news["login"] and one["permissions"]]


def test_analysis_token(sonar: Sonar, account: Life, unique: str) -> None:
    life = Life(sonar, "ProjectAnalysisToken")
    login = account.state["login"]
    news = {"name": f"usine-{unique}", "login": login, "expires": "2099-01-31"}
    state = life.create(**news)
    assert state["token"].startswith("squ_")
    assert life.id == f"{login}/{state['token_name']}"
    settled(life, **news)
    without_secret = {key: value for key, value in state.items() if key != "token"}
    assert life.imported() == without_secret

    # An imported token has no secret, so it will be replaced.
    adopted = Life(sonar, "ProjectAnalysisToken")
    adopted.id, adopted.inputs, adopted.state = life.id, life.inputs, without_secret
    assert adopted.replaces(**news) == ["token"]

    # The new token and the old one overlap.
    assert set(life.replaces(**{**news, "expires": "2099-02-28"})) == {"expires", "token_name"}
    other = Life(sonar, "ProjectAnalysisToken")
    other.create(**{**news, "expires": "2099-02-28"})
    assert life.refresh()
    life.delete()
    assert not life.refresh()
    life.delete()
    assert other.refresh()

    # The token that an interrupted run left is useless, and is found by the name in the state.
    type_ = f"{TYPE_PREFIX}ProjectAnalysisToken"
    assert find(sonar.client, type_, other.inputs) is None
    assert not remove_orphan(sonar.client, type_, news)
    assert remove_orphan(sonar.client, type_, other.inputs)
    assert not other.refresh()
    assert not remove_orphan(sonar.client, type_, other.inputs)

    for length in (1, 92, 300):  # no end date
        life.create(name="n" * length, login=login)
        settled(life, name="n" * length, login=login)
    assert remove_orphan(sonar.client, type_, {"login": "usine.nobody", "token_name": "x"}) is False


def test_an_analysis_token_of_the_previous_version_is_replaced(sonar: Sonar, account: Life, project: str) -> None:
    """It belongs to the administrator, for one project. Its state has a project and no account."""
    form = {"name": f"usine-{project}-0a1b2c3d", "type": "PROJECT_ANALYSIS_TOKEN", "projectKey": project}
    sonar.client.post("/api/permissions/add_group", projectKey=project, groupName="sonar-users", permission="scan")
    token = sonar.client.post("/api/user_tokens/generate", **form)["token"]
    life = Life(sonar, "ProjectAnalysisToken")
    life.id = f"admin/{form['name']}"
    life.inputs = {"name": f"usine-{project}", "project": project, "token_name": form["name"]}
    life.state = {**life.inputs, "token": token, "expired": False}
    news = {"name": f"usine-{project}", "login": account.state["login"]}
    assert set(life.replaces(**news)) == {"login", "token_name"}
    assert life.refresh()
    assert set(life.replaces(**news)) == {"login", "token_name"}

    # Reason: its holder can create a token of the administrator. `test_scanner` tries this with the new token.
    made = Client(sonar.url, environment={"SONAR_TOKEN": token}).post("/api/user_tokens/generate", name=project)
    assert Client(sonar.url, environment={"SONAR_TOKEN": made["token"]}).get("/api/system/info")
    sonar.client.post("/api/user_tokens/revoke", login="admin", name=project)

    Life(sonar, "ProjectAnalysisToken").create(**news)
    life.delete()
    assert not life.refresh()
