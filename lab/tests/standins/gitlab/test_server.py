"""The server as a process: data after a kill, secrets, faults and rate limits."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import gitlab
import httpx
import pytest
from gitlab.exceptions import GitlabAuthenticationError, GitlabHttpError

from lab import pki
from lab.files import write_private
from lab.home import LabHome
from lab.secrets import Secrets
from lab.servers import SERVERS
from lab.servers.base import Context
from lab.servers.gitlab import GitLabServer
from lab.standins.serve import LOOPBACK, Configuration
from lab.testing.gitlab_server import ROOT_TOKEN, LiveGitLab, live_gitlab
from lab.testing.names import name
from lab.testing.ports import free_port

_CHECKOUT = Path(__file__).resolve().parents[4]


@contextmanager
def process(folder: Path, log: Path) -> Iterator[tuple[str, subprocess.Popen[bytes]]]:
    port = free_port()
    url = f"http://{LOOPBACK}:{port}"
    file = folder / "config.json"
    write_private(file, Configuration(port, url, folder / "data", ROOT_TOKEN, {}).text())
    with log.open("ab") as output:
        command = (sys.executable, "-m", "lab.standins.gitlab", str(file))
        running = subprocess.Popen(command, cwd=_CHECKOUT, stdout=output, stderr=output)
    try:
        deadline = time.monotonic() + 30
        while True:
            try:
                if httpx.get(f"{url}/-/readiness", trust_env=False).status_code == 200:
                    break
            except httpx.TransportError:
                assert running.poll() is None, log.read_text(encoding="utf-8")
                assert time.monotonic() < deadline
                time.sleep(0.05)
        yield url, running
    finally:
        running.kill()
        running.wait()


def test_data_survives_a_kill_and_secrets_are_not_stored_in_clear(tmp_path: Path) -> None:
    log = tmp_path / "log"
    with process(tmp_path, log) as (url, running):
        root = gitlab.Gitlab(url, private_token=ROOT_TOKEN)
        group = root.groups.create({"name": "g", "path": "g"})
        project = root.projects.create({"name": "p", "namespace_id": group.id})
        project.variables.create({"key": "K", "value": "variable-in-clear"})
        project.hooks.create({"url": "https://x.example.com", "token": "hook-in-clear"})
        schedule = project.pipelineschedules.create({"description": "d", "ref": "main", "cron": "0 1 * * *"})
        schedule.variables.create({"key": "S", "value": "schedule-in-clear"})
        token = project.access_tokens.create({"name": "t", "scopes": ["api"]}).token
        deploy = project.deploytokens.create({"name": "d", "scopes": ["read_repository"]}).token
        assert httpx.get(f"{url}/api/v4/user?private_token={token}", trust_env=False).status_code == 200
        running.send_signal(signal.SIGKILL)
        running.wait()
    with process(tmp_path, log) as (url, _):
        root = gitlab.Gitlab(url, private_token=ROOT_TOKEN)
        again = root.projects.get("g/p")
        assert again.id == project.id
        assert again.variables.get("K").value == "variable-in-clear"
        assert gitlab.Gitlab(url, private_token=token).projects.get(project.id).id == project.id
        assert root.projects.create({"name": "q", "namespace_id": group.id}).id > project.id
    secrets = (ROOT_TOKEN, token, deploy, "variable-in-clear", "hook-in-clear", "schedule-in-clear")
    files = [log, *(path for path in (tmp_path / "data").rglob("*") if path.is_file())]
    assert any(path.suffix == ".sqlite" for path in files)
    for path in files:
        content = path.read_bytes()
        assert not [one for one in secrets if one.encode() in content], path
    assert b"GET /api/v4/user" in log.read_bytes(), "requests are logged, without their query"
    assert (tmp_path / "data" / "secret.key").stat().st_mode & 0o077 == 0


def test_a_new_token_of_the_platform_replaces_the_old_one(tmp_path: Path) -> None:
    with live_gitlab(tmp_path) as first:
        first.root.auth()
    from lab.standins.gitlab.app import create_app  # noqa: PLC0415 - as at a restart

    create_app(Configuration(0, "http://x", tmp_path, "another-token", {}))
    with live_gitlab(tmp_path) as third:
        third.root.auth()
        assert [one.name for one in third.root.personal_access_tokens.list(state="active")] == ["platform"]
        with pytest.raises(GitlabAuthenticationError):
            third.client("another-token").http_get("/user")


def test_python_gitlab_waits_for_retry_after(live: LiveGitLab) -> None:
    control = {"X-Lab-Token": ROOT_TOKEN}
    faults = f"{live.url}/-/lab/faults"
    limited = {"path": "/api/v4/groups", "method": "POST", "status": 429, "retry_after": 1, "times": 1}
    assert httpx.post(faults, json=limited, headers=control).status_code == 201
    began = time.monotonic()
    made = live.root.groups.create({"name": "waited", "path": name("w")})
    assert made.id
    assert time.monotonic() - began >= 1
    assert httpx.post(faults, json={"path": "/api/v4/metadata", "status": 503}, headers=control).status_code == 201
    with pytest.raises(GitlabHttpError) as broken:
        live.root.http_get("/metadata")
    assert broken.value.response_code == 503
    assert live.root.http_get("/metadata")
    assert httpx.post(faults, json={}, headers={"X-Lab-Token": "guess"}).status_code == 401


def test_the_configuration_can_limit_requests(tmp_path: Path) -> None:
    with live_gitlab(tmp_path, rate_limit={"requests": 3, "period": 3600}) as server, server.http() as http:
        answers = [http.get("/metadata") for _ in range(5)]
        assert [answer.status_code for answer in answers] == [200, 200, 200, 429, 429]
        assert [answers[0].headers[f"RateLimit-{part}"] for part in ("Limit", "Remaining")] == ["3", "2"]
        assert int(answers[0].headers["RateLimit-Reset"]) > time.time()
        assert int(answers[4].headers["Retry-After"]) > 0
        assert httpx.get(f"{server.url}/-/readiness", trust_env=False).status_code == 200, "health is not counted"


def test_unknown_paths_and_methods(live: LiveGitLab) -> None:
    with live.http() as http:
        assert (http.get("/nope").status_code, http.get("/nope").json()) == (404, {"error": "404 Not Found"})
        assert http.patch("/metadata").json() == {"error": "405 Not Allowed"}
        assert http.get("/projects/%00").status_code == 400
        assert http.get(f"/projects/{10**30}").status_code == 404
        assert http.get("/users/abc").json() == {"error": "id is invalid"}
        half = b'{"name": "\\ud800", "path": "x"}'
        assert http.post("/groups", content=half, headers={"Content-Type": "application/json"}).status_code == 400


def test_the_platform_starts_it(tmp_path: Path) -> None:
    """As with `usine lab up`: it is configured, started and healthy, and restarted only for another token."""
    home = LabHome.open(tmp_path / "home", 24500)
    secrets = Secrets.ensure(home)
    context = Context(home, {}, pki.ensure(home))
    server = GitLabServer()
    try:
        assert server.up(context) == "started"
        assert server.up(context) == "already up"
        assert server.state(home) == "up"
        root = gitlab.Gitlab(server.where(home), private_token=secrets.gitlab_token)
        root.auth()
        assert (home.data / "gitlab" / "config.json").stat().st_mode & 0o077 == 0
    finally:
        server.down(home)
    assert server.state(home) == "down"
    assert any(isinstance(one, GitLabServer) for one in SERVERS)


def test_only_one_of_many_concurrent_requests_gets_a_name(live: LiveGitLab, group: Any) -> None:
    content = {"name": "same", "namespace_id": group.id, "initialize_with_readme": True}
    with live.http() as http, ThreadPoolExecutor(12) as pool:
        answers = list(pool.map(lambda _: http.post("/projects", json=content).status_code, range(12)))
        made = list(
            pool.map(lambda n: http.post("/projects", json={**content, "name": f"p{n}"}).json()["id"], range(12))
        )
    assert sorted(answers) == [201, *[400] * 11]
    assert len(set(made)) == 12
    assert len(group.projects.list(get_all=True)) == 13
