"""Folder, ports, secrets, certificates and kubeconfig of a platform."""

# ruff: noqa: ARG002 - the servers here use few of their arguments
from __future__ import annotations

import base64
import datetime
import os
import socket
import ssl
import threading
from pathlib import Path

import pytest
import yaml
from cryptography import x509

from lab import kubeconfig, pki, platform, process, sockets
from lab.errors import LabError
from lab.home import LabHome
from lab.ports import Ports
from lab.reporter import Silent
from lab.secrets import Secrets
from lab.servers import SERVERS, Context, LabServer
from lab.sockets import LOOPBACK


@pytest.fixture
def home(tmp_path: Path) -> LabHome:
    return LabHome.open(tmp_path / "lab")


def mode(path: Path) -> int:
    return path.stat().st_mode & 0o777


def listener() -> socket.socket:
    held = socket.socket()
    held.bind((LOOPBACK, 0))
    held.listen()
    return held


# Folder and ports -----------------------------------------------------------------------------------------------------


def test_the_folder_is_private_and_stores_its_ports(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root = tmp_path / "a" / "lab"
    assert LabHome.open(root, 20000).ports == Ports(20000)
    assert mode(root) == 0o700
    monkeypatch.setenv("USINE_LAB_PORT_BASE", "30000")
    assert LabHome.open(root).port_base == 20000
    assert LabHome.open(root, 21000).port_base == 21000
    assert LabHome.open(tmp_path / "b").port_base == 30000
    monkeypatch.setenv("USINE_LAB_HOME", str(tmp_path / "c"))
    assert LabHome.open().root == tmp_path / "c"


@pytest.mark.parametrize("base", ["x", "-1", "80", "65000", "1e4"])
def test_an_invalid_port_base_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, base: str) -> None:
    monkeypatch.setenv("USINE_LAB_PORT_BASE", base)
    with pytest.raises(LabError, match="is not a whole number between 1024 and 64000"):
        LabHome.open(tmp_path / "lab")


def test_ports_do_not_change_while_servers_run(home: LabHome) -> None:
    process.start(home, "one", process.Command(("/bin/sleep", "60")))
    try:
        with pytest.raises(LabError, match="stop them"):
            LabHome.open(home.root, 21000)
    finally:
        process.stop(home, "one")
    assert LabHome.open(home.root, 21000).port_base == 21000


def test_no_two_servers_share_a_port(home: LabHome) -> None:
    ports = [port for server in SERVERS for port in server.ports(home)]
    assert len(set(ports)) == len(ports)
    assert all(home.port_base <= port < home.port_base + 1000 for port in ports)


def test_a_busy_port_is_reported_with_its_process() -> None:
    with listener() as held:
        port = held.getsockname()[1]
        assert not sockets.is_free(port)
        with pytest.raises(LabError, match=rf"etcd: port {port} is in use by process {os.getpid()} \("):
            sockets.require_free("etcd", [port])
    assert sockets.is_free(port)


class OnPorts(LabServer):
    """A server whose command must never run."""

    name = "on-ports"

    def __init__(self, *ports: int) -> None:
        self._ports = ports

    def ports(self, home: LabHome) -> tuple[int, ...]:
        return self._ports

    def where(self, home: LabHome) -> str:
        return "nowhere"

    def healthy(self, home: LabHome) -> bool:
        raise AssertionError("it started although its ports are busy")


def test_all_busy_ports_are_reported_before_anything_starts(home: LabHome) -> None:
    with listener() as one, listener() as two:
        ports = [held.getsockname()[1] for held in (one, two)]
        with pytest.raises(LabError) as caught:
            platform.start(home, {}, Silent(), [OnPorts(port) for port in ports])
    assert all(f"port {port} is in use" in str(caught.value) for port in ports)
    assert process.names(home) == ()


# Servers that fail ----------------------------------------------------------------------------------------------------


class ShellServer(LabServer):
    """A shell command as a server that never becomes healthy."""

    limit = 30.0

    def __init__(self, name: str, script: str) -> None:
        self.name = name  # type: ignore[misc]  # one class for several
        self.script = script

    def where(self, home: LabHome) -> str:
        return "nowhere"

    def command(self, context: Context) -> process.Command:
        return process.Command(("/bin/sh", "-c", self.script))

    def healthy(self, home: LabHome) -> bool:
        return False


def test_a_server_that_ends_is_reported_with_its_log_and_cancels_the_others(home: LabHome) -> None:
    failed: list[BaseException] = []

    def start() -> None:
        try:
            servers = [ShellServer("slow", "sleep 60"), ShellServer("dies", "echo the disk is full; exit 1")]
            platform.start(home, {}, Silent(), servers)
        except LabError as error:
            failed.append(error)

    thread = threading.Thread(target=start)
    thread.start()
    thread.join(timeout=15)  # half of the slow server's limit
    try:
        assert not thread.is_alive()
        assert "dies: it ended while starting" in str(failed[0])
        assert "the disk is full" in str(failed[0])
        assert "slow" not in str(failed[0])
    finally:
        platform.down(home)
    assert process.names(home) == ()


def test_only_one_command_changes_a_platform_at_a_time(home: LabHome) -> None:
    with platform._platform_lock(home), pytest.raises(LabError, match=rf"process {os.getpid()}\) is changing"):
        platform.down(home)
    platform.down(home)


def test_reset_keeps_only_downloaded_plugins(home: LabHome) -> None:
    Secrets.ensure(home)
    pki.ensure(home)
    for folder in (home.state, home.data, home.pulumi_home / "plugins", home.pulumi_home / "workspaces"):
        folder.mkdir(parents=True)
        (folder / "file").touch()
    platform.reset(home)
    left = {path.name for path in home.root.iterdir()}
    assert left == {"port-base", "lock", "pulumi"}
    assert {path.name for path in home.pulumi_home.iterdir()} == {"plugins"}


# Secrets --------------------------------------------------------------------------------------------------------------


def test_secrets_are_new_for_each_platform_private_and_kept(home: LabHome, tmp_path: Path) -> None:
    made = Secrets.ensure(home)
    assert mode(home.secrets) == 0o600
    assert Secrets.ensure(home) == made == Secrets.load(home)
    assert Secrets.ensure(LabHome.open(tmp_path / "other")).keycloak_password != made.keycloak_password
    changed = made.update(home, vault_token="t")
    assert (changed.vault_token, changed.keycloak_password) == ("t", made.keycloak_password)
    assert made.keycloak_password not in repr(made)


def test_readable_secrets_become_private(home: LabHome) -> None:
    Secrets.ensure(home)
    home.secrets.chmod(0o644)
    Secrets.ensure(home)
    assert mode(home.secrets) == 0o600


@pytest.mark.parametrize("text", ["", "{", "[]", '{"vault_token": 3}'])
def test_damaged_secrets_are_reported_without_their_text(home: LabHome, text: str) -> None:
    home.secrets.write_text(text, encoding="utf-8")
    with pytest.raises(LabError, match="usine lab reset"):
        Secrets.load(home)


# Certificates and kubeconfig ------------------------------------------------------------------------------------------


def test_every_file_of_the_authority_is_private(home: LabHome) -> None:
    pki.ensure(home)
    assert mode(home.pki) == 0o700
    assert {mode(path) for path in home.pki.iterdir()} == {0o600}


def test_certificates_are_kept_and_renewed_before_they_expire(home: LabHome, monkeypatch: pytest.MonkeyPatch) -> None:
    pair = pki.ensure(home).keycloak
    authority, before = home.ca.read_bytes(), pair.certificate.read_bytes()
    assert pki.ensure(home).keycloak.certificate.read_bytes() == before
    later = datetime.datetime.now(datetime.UTC) + datetime.timedelta(days=340)
    monkeypatch.setattr(pki, "_now", lambda: later)
    pki.ensure(home)
    assert pair.certificate.read_bytes() != before
    assert home.ca.read_bytes() == authority


def test_a_lost_authority_is_replaced_with_all_its_certificates(home: LabHome) -> None:
    pair = pki.ensure(home).kube_apiserver
    (home.pki / "ca.key").unlink()
    pki.ensure(home)
    certificate = x509.load_pem_x509_certificate(pair.certificate.read_bytes())
    certificate.verify_directly_issued_by(x509.load_pem_x509_certificate(home.ca.read_bytes()))


def test_damaged_certificates_are_reported(home: LabHome) -> None:
    pki.ensure(home)
    home.ca.write_text("nonsense", encoding="utf-8")
    with pytest.raises(LabError, match="usine lab reset"):
        pki.ensure(home)


@pytest.mark.parametrize("name", ["localhost", "127.0.0.1"])
def test_a_strict_client_trusts_a_server(home: LabHome, name: str) -> None:
    made = pki.ensure(home)
    serving = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    serving.load_cert_chain(made.etcd.certificate, made.etcd.key)
    serving.load_verify_locations(made.ca)
    serving.verify_mode = ssl.CERT_REQUIRED
    trusting = ssl.create_default_context(cafile=made.ca)
    trusting.verify_flags |= ssl.VERIFY_X509_STRICT
    trusting.load_cert_chain(made.admin.certificate, made.admin.key)
    inner, outer = socket.socketpair()
    subjects: list[object] = []

    def serve() -> None:
        with serving.wrap_socket(inner, server_side=True) as connection:
            subjects.append(connection.getpeercert()["subject"])  # type: ignore[index]  # the client showed one

    thread = threading.Thread(target=serve)
    thread.start()
    with trusting.wrap_socket(outer, server_hostname=name) as connection:
        connection.recv(1)
    thread.join(timeout=10)
    assert subjects == [((("organizationName", "system:masters"),), (("commonName", "admin"),))]


def test_kubeconfig_has_both_clusters_and_is_private(home: LabHome) -> None:
    made = pki.ensure(home)
    kubeconfig.write(home.kubeconfig, home, "admin", made.admin)
    content = yaml.safe_load(home.kubeconfig.read_text(encoding="utf-8"))
    assert mode(home.kubeconfig) == 0o600
    assert [entry["name"] for entry in content["contexts"]] == ["nonprod-1", "prod-1"]
    assert {entry["name"]: entry["cluster"]["server"] for entry in content["clusters"]} == {
        "nonprod-1": "https://127.0.0.1:18644",
        "prod-1": "https://127.0.0.1:18644",
    }
    user = content["users"][0]["user"]
    assert base64.b64decode(user["client-certificate-data"]) == made.admin.certificate.read_bytes()
    assert base64.b64decode(user["client-key-data"]) == made.admin.key.read_bytes()
    assert base64.b64decode(content["clusters"][0]["cluster"]["certificate-authority-data"]) == home.ca.read_bytes()
