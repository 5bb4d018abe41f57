"""The local platform's own life: twice up, down, data over it, and repair after a server or `up` itself is killed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import hvac  # type: ignore[import-untyped]
import pytest

from lab import platform, process, sockets
from lab.home import CHECKOUT, LabHome
from lab.secrets import Secrets
from lab.servers import SERVERS, openbao
from lab.servers.kubernetes import admin_client

pytestmark = [pytest.mark.servers, pytest.mark.xdist_group("lab")]

PORT_BASE = 29000


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LabHome]:
    home = LabHome.open(tmp_path_factory.mktemp("lab"), PORT_BASE)
    try:
        yield home
    finally:
        platform.down(home)


def pids(home: LabHome) -> dict[str, list[int]]:
    return {server.name: process.members(home, server.name) for server in SERVERS}


def up(home: LabHome) -> dict[str, list[int]]:
    status = platform.up(home)
    assert status.is_up, status
    return pids(home)


def vault(home: LabHome) -> hvac.Client:
    return hvac.Client(url=openbao.address(home), token=Secrets.load(home).vault_token)


def assert_nothing_left(home: LabHome) -> None:
    assert process.names(home) == ()
    assert not any(pids(home).values())
    listening = [port for server in SERVERS for port in server.ports(home) if not sockets.is_free(port)]
    assert listening == []


def test_a_second_up_changes_nothing_and_is_quick(home: LabHome) -> None:
    first = up(home)
    began = time.monotonic()
    assert up(home) == first
    assert time.monotonic() - began < 30


def test_only_loopback_is_listened_on(home: LabHome) -> None:
    mine = {pid for members in pids(home).values() for pid in members}
    seen = 0
    for table, loopback in (("tcp", "0100007F"), ("tcp6", "0000000000000000FFFF00000100007F")):
        for row in Path(f"/proc/net/{table}").read_text(encoding="ascii").splitlines()[1:]:
            columns = row.split()
            address, _, port = columns[1].partition(":")
            holder = sockets.holder(int(port, 16)) if columns[3] == "0A" else None
            if holder and holder[0] in mine:
                seen += 1
                assert address == loopback, f"{holder} listens on {columns[1]}"
    assert seen >= len({port for server in SERVERS for port in server.ports(home)})


def test_data_survives_down_and_up(home: LabHome) -> None:
    vault(home).sys.create_or_update_acl_policy("kept", 'path "a" { capabilities = ["read"] }')
    with admin_client(home) as http:
        body = {"metadata": {"name": "kept"}}
        http.post("/api/v1/namespaces", json=body).raise_for_status()
    platform.down(home)
    assert_nothing_left(home)
    up(home)
    assert "kept" in vault(home).sys.list_acl_policies()["data"]["keys"]
    with admin_client(home) as http:
        assert http.get("/api/v1/namespaces/kept").is_success


@pytest.mark.parametrize("name", [server.name for server in SERVERS if server.name != "argocd"])
def test_up_repairs_a_killed_server(home: LabHome, name: str) -> None:
    before = pids(home)
    os.kill(before[name][0], signal.SIGKILL)
    deadline = time.monotonic() + 10
    while process.running(home, name):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    assert not platform.status(home).is_up
    after = up(home)
    assert after[name] != before[name]
    assert {key: value for key, value in after.items() if key != name} == {
        key: value for key, value in before.items() if key != name
    }


def test_down_leaves_nothing_when_up_was_killed_in_the_middle(home: LabHome) -> None:
    platform.down(home)
    command = [sys.executable, "-m", "usine", "lab", "up", "--home", str(home.root)]
    running = subprocess.Popen(command, cwd=CHECKOUT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 60
    while not process.members(home, "keycloak"):
        assert time.monotonic() < deadline
        time.sleep(0.02)
    running.kill()
    running.wait()
    assert process.members(home, "keycloak"), "killed too late to prove anything"
    # Killed before it could write down what it had started: the mark in the environment is all that is left.
    for record in home.run.glob("*.json"):
        record.unlink()
    platform.down(home)
    assert_nothing_left(home)


def test_a_server_that_dies_says_why_at_once(home: LabHome) -> None:
    platform.reset(home)
    (home.data / "etcd").mkdir(parents=True)
    (home.data / "etcd" / "member").write_text("not a folder", encoding="utf-8")
    began = time.monotonic()
    command = [sys.executable, "-m", "usine", "lab", "up", "--home", str(home.root)]
    done = subprocess.run(command, cwd=CHECKOUT, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 1
    assert "etcd: it ended while starting" in done.stderr
    assert "not a directory" in done.stderr
    assert "Traceback" not in done.stderr
    assert time.monotonic() - began < 60
    platform.reset(home)
    assert_nothing_left(home)
    assert not home.secrets.exists()
