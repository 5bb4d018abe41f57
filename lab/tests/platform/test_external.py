"""A real GitLab or Harbor, to which the platform's own port forwards."""

from __future__ import annotations

from pathlib import Path

import gitlab
import pytest

from lab import pki
from lab.environment import environment
from lab.errors import LabError
from lab.home import LabHome
from lab.secrets import Secrets
from lab.servers import external
from lab.servers.base import Context
from lab.servers.gitlab import GitLabServer
from lab.servers.harbor import HarborServer
from lab.testing.gitlab_server import ROOT_TOKEN, live_gitlab
from lab.testing.ports import free_port


def test_the_platform_uses_the_gitlab_of_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    home = LabHome.open(tmp_path / "home", 24600)
    server = GitLabServer()
    with live_gitlab(tmp_path / "real") as real:
        monkeypatch.setenv("USINE_LAB_GITLAB_URL", real.url)
        monkeypatch.setenv("USINE_LAB_GITLAB_TOKEN", ROOT_TOKEN)
        Secrets.ensure(home)
        try:
            server.up(Context(home, {}, pki.ensure(home)))
            assert server.state(home) == "up"
            assert server.where(home).endswith(f"(is {real.url})")
            variables = environment(home)
            assert variables["GITLAB_TOKEN"] == ROOT_TOKEN
            assert "USINE_LAB_GITLAB_TOKEN" not in variables
            here = gitlab.Gitlab(f"http://127.0.0.1:{home.ports.gitlab}", private_token=ROOT_TOKEN)
            made = here.groups.create({"name": "made-here", "path": "made-here"})
            assert real.root.groups.get(made.id).path == "made-here"
            assert not (home.data / "gitlab" / "site").exists()
        finally:
            server.down(home)
    assert server.state(home) == "down"


def test_a_server_that_does_not_answer_is_not_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    url = f"http://127.0.0.1:{free_port()}"
    monkeypatch.setenv("USINE_LAB_HARBOR_URL", url)
    monkeypatch.setenv("USINE_LAB_HARBOR_PASSWORD", "of-the-real-one")
    home = LabHome.open(tmp_path / "home", 24700)
    assert Secrets.ensure(home).harbor_password == "of-the-real-one"
    server = HarborServer()
    monkeypatch.setattr(server, "limit", 3.0)
    try:
        with pytest.raises(LabError, match=f"{url} does not answer"):
            server.up(Context(home, {}, pki.ensure(home)))
    finally:
        server.down(home)


@pytest.mark.parametrize("url", ["gitlab.example.org", "ftp://x", "http://", "https://x:y", "https://x/gitlab"])
def test_an_invalid_address_is_refused(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("USINE_LAB_GITLAB_URL", url)
    with pytest.raises(LabError, match=r"is not a server's address: http://HOST\[:PORT\]"):
        external.address("gitlab")
