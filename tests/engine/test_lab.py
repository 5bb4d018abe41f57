"""The local platform: a second `up`, killed servers, an interrupted `up`, and data that stays over `down`.

The platform is the one that the other tests use, with the fleet on it.
"""

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
from lab.servers.definitions import Definitions
from tests.engine import live
from tests.engine.fleet import Fleet

pytestmark = [pytest.mark.servers, pytest.mark.random_order(disabled=True), pytest.mark.timeout(1200)]

PORT_BASE = 29000


@pytest.fixture(scope="module")
def home(fleet: Fleet) -> Iterator[LabHome]:
    yield fleet.lab.home
    fleet.lab.close()
    platform.up(fleet.lab.home)


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


def test_a_second_up_changes_nothing(home: LabHome) -> None:
    first = pids(home)
    assert up(home) == first


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


RUNNING = {server.name for server in SERVERS if not isinstance(server, Definitions)}
#: The cluster: its API server ends with etcd.
CLUSTER = {"etcd", "kube-apiserver", "kube-controller-manager"}
#: It takes longest to start, so the test of `down` kills it.
SLOW = {"sonarqube"}


@pytest.mark.parametrize("names", [CLUSTER, RUNNING - CLUSTER - SLOW], ids=["the cluster", "the others"])
def test_up_repairs_killed_servers_and_leaves_the_others(home: LabHome, names: set[str]) -> None:
    before = pids(home)
    for name in names:
        os.kill(before[name][0], signal.SIGKILL)
    deadline = time.monotonic() + 10
    while any(process.running(home, name) for name in names):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    assert not platform.status(home).is_up
    after = up(home)
    assert [name for name in names if after[name] == before[name]] == []
    assert {name: after[name] for name in after if name not in names} == {
        name: before[name] for name in before if name not in names
    }


def test_down_ends_every_process_even_of_an_interrupted_up_and_data_stays(fleet: Fleet, home: LabHome) -> None:
    before = live.snapshot(fleet.lab)
    vault(home).sys.create_or_update_acl_policy("kept", 'path "a" { capabilities = ["read"] }')
    fleet.lab.close()
    # `down` also ends the processes that a killed server has started, and the next `up` starts it again.
    first, *children = process.members(home, "sonarqube")
    assert children
    os.kill(first, signal.SIGKILL)
    platform.down(home)
    assert_nothing_left(home)

    command = [sys.executable, "-m", "usine", "lab", "up", "--home", str(home.root)]
    running = subprocess.Popen(command, cwd=CHECKOUT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 60
    while not process.members(home, "keycloak"):
        assert time.monotonic() < deadline
        time.sleep(0.02)
    running.kill()
    running.wait()
    assert process.members(home, "keycloak"), "killed too late for this test"
    # Killed before it recorded what it had started: only the mark in its processes' environment identifies them.
    for record in home.run.glob("*.json"):
        record.unlink()
    platform.down(home)
    assert_nothing_left(home)

    up(home)
    assert "kept" in vault(home).sys.list_acl_policies()["data"]["keys"]
    vault(home).sys.delete_policy("kept")
    assert live.snapshot(fleet.lab) == before
    assert fleet.stack.drift().must().steps == ()


def test_a_server_that_dies_is_reported_with_its_reason_at_once(tmp_path: Path) -> None:
    home = LabHome.open(tmp_path / "lab", PORT_BASE)
    try:
        (home.data / "etcd").mkdir(parents=True)
        (home.data / "etcd" / "member").write_text("not a folder", encoding="utf-8")
        command = [sys.executable, "-m", "usine", "lab", "up", "--home", str(home.root)]
        done = subprocess.run(command, cwd=CHECKOUT, capture_output=True, text=True, check=False, timeout=120)
        assert done.returncode == 1
        assert "etcd: it ended while starting" in done.stderr
        assert "not a directory" in done.stderr
        assert "Traceback" not in done.stderr
    finally:
        platform.reset(home)
    assert_nothing_left(home)
    assert not home.secrets.exists()
