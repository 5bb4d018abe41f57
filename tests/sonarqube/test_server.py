"""The local platform's SonarQube never runs as root, listens on loopback only, and has the platform's administrator."""

from __future__ import annotations

import os
import subprocess
import threading
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import pkcs12

from components.sonarqube.dynamic.api import Client, SonarError
from lab import pki, process
from lab.errors import LabError
from lab.home import LabHome
from lab.secrets import Secrets
from lab.servers import sonarqube
from lab.servers.base import Context, client
from lab.servers.sonarqube import SonarQubeServer
from tests.sonarqube.conftest import Sonar


@pytest.fixture
def context(tmp_path: Path) -> Context:
    home = LabHome.open(tmp_path / "home", 40000)
    part, oidc = tmp_path / "part", tmp_path / "oidc"
    for folder in (part / "lib", part / "web", part / "data", part / "extensions" / "jdbc-driver", oidc):
        folder.mkdir(parents=True)
    (part / "lib" / "sonar-application-1.jar").write_text("program")
    (part / "lib" / "other.jar").touch()
    (oidc / "sonarqube-oidc.jar").write_text("plugin")
    Secrets.ensure(home)
    return Context(home, {"sonarqube": part, "sonarqube-oidc": oidc}, pki.ensure(home), threading.Event())


def test_no_secret_is_an_argument(context: Context) -> None:
    arguments = " ".join(SonarQubeServer().command(context).arguments)
    assert context.secrets.sonarqube_password not in arguments
    assert "-Dsonar.telemetry.enable=false" in arguments
    assert "-Dsonar.web.host=127.0.0.1" in arguments


def test_root_becomes_nobody(context: Context, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    assert SonarQubeServer().command(context).arguments[0] == "java"
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setattr(sonarqube, "_NOBODY", ("true", "unshare"))
    assert SonarQubeServer().command(context).arguments[:3] == ("true", "unshare", "java")

    monkeypatch.setattr(sonarqube, "_NOBODY", ("false",))
    with pytest.raises(LabError, match="does not run as root, and root cannot create a user namespace on this machine"):
        SonarQubeServer().command(context)


def test_is_installed_with_links_and_its_plugin(context: Context) -> None:
    first = SonarQubeServer().command(context).fingerprint
    installed = context.home.data / "sonarqube" / "home"
    assert (installed / "web").resolve() == (context.parts["sonarqube"] / "web").resolve()
    assert (installed / "lib" / "other.jar").is_symlink()
    assert (installed / "extensions" / "jdbc-driver").is_symlink()
    assert (installed / "extensions" / "plugins" / "sonarqube-oidc.jar").read_text() == "plugin"
    program = installed / "lib" / "sonar-application-1.jar"
    assert program.resolve() == program  # SonarQube searches its plugins from the real location of this file
    assert program.read_text() == "program"
    assert not (installed / "data").exists()
    marker = installed / "marker"
    marker.touch()
    assert SonarQubeServer().command(context).fingerprint == first
    assert marker.exists()  # created only once
    other = context.parts["sonarqube-oidc"].rename(context.home.root / "another-plugin")
    (other / "sonarqube-oidc.jar").write_text("newer")
    newer = replace(context, parts={**context.parts, "sonarqube-oidc": other})
    assert SonarQubeServer().command(newer).fingerprint != first
    assert not marker.exists()
    assert (installed / "extensions" / "plugins" / "sonarqube-oidc.jar").read_text() == "newer"


def test_trusts_the_platforms_authority(context: Context) -> None:
    trust = context.home.data / "sonarqube" / "authorities.p12"
    for content in (None, trust, b"damaged"):
        if isinstance(content, bytes):
            trust.write_bytes(content)
        before = trust.read_bytes() if trust.exists() else b""
        SonarQubeServer().command(context)
        (entry,) = pkcs12.load_pkcs12(trust.read_bytes(), b"changeit").additional_certs
        assert entry.certificate == x509.load_pem_x509_certificate(context.home.ca.read_bytes())
        assert (trust.read_bytes() == before) == (content == trust)


def test_reports_an_incomplete_part(context: Context) -> None:
    (context.parts["sonarqube"] / "lib" / "sonar-application-1.jar").unlink()
    with pytest.raises(LabError, match=r"has no lib/sonar-application-\*\.jar"):
        SonarQubeServer().command(context)


def test_reports_data_of_other_secrets(context: Context, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sonarqube, "_works", lambda *_: False)
    with pytest.raises(LabError, match="its data does not match"):
        SonarQubeServer().set_up(context)


@pytest.mark.servers
def test_runs_completely_without_root(server: Sonar) -> None:
    pids = process.members(server.home, "sonarqube")
    assert len(pids) == 5  # main process, search engine and its launcher, web, analyses
    for pid in pids:
        status = dict(line.split(":\t", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines())
        assert status["CapEff"].strip("0") == "" or os.geteuid() != 0
        namespace = Path(f"/proc/{pid}/uid_map").read_text().split()
        assert namespace[:2] == ["65534", "0"] or os.geteuid() != 0


@pytest.mark.servers
def test_listens_on_loopback_only(server: Sonar) -> None:
    pids = set(process.members(server.home, "sonarqube"))
    listening = subprocess.run(["ss", "-ltnpH"], capture_output=True, text=True, check=True).stdout.splitlines()
    ours = [line.split()[3] for line in listening if any(f"pid={pid}," in line for pid in pids)]
    assert {address.rpartition(":")[0] for address in ours} <= {"127.0.0.1", "[::ffff:127.0.0.1]", "[::1]"}
    ports = {int(address.rpartition(":")[2]) for address in ours}
    assert set(SonarQubeServer().ports(server.home)) <= ports


@pytest.mark.servers
def test_its_administrator_has_the_platforms_password(server: Sonar) -> None:
    secrets = Secrets.load(server.home)
    assert secrets.sonarqube_token
    assert server.client.get("/api/users/current")["login"] == "admin"
    with pytest.raises(SonarError, match="not accepted"):
        Client(server.url, environment={"SONAR_TOKEN": "squ_wrong"}).get("/api/users/current")
    answers: dict[str, Any] = {}
    for password in ("admin", secrets.sonarqube_password):
        answer = client(server.home, server.url).get("/api/authentication/validate", auth=("admin", password))
        answers[password] = answer.json()["valid"]
    assert list(answers.values()) == [False, True]


@pytest.mark.servers
def test_an_invalid_token_is_replaced(server: Sonar, tmp_path: Path) -> None:
    """Uses its own folder, so that the platform keeps its token."""
    home = LabHome.open(tmp_path, server.home.port_base)
    secrets = Secrets.load(server.home)
    Secrets().update(home, sonarqube_password=secrets.sonarqube_password, sonarqube_token="squ_gone")
    context = Context(home, {}, pki.ensure(home))
    made_before = server.token
    try:
        SonarQubeServer().set_up(context)
        made = Secrets.load(home).sonarqube_token
        assert made not in {"squ_gone", made_before}
        assert Client(server.url, environment={"SONAR_TOKEN": made}).get("/api/users/current")["login"] == "admin"
        SonarQubeServer().set_up(context)
        assert Secrets.load(home).sonarqube_token == made
    finally:
        secrets.update(server.home, sonarqube_token=Secrets.load(home).sonarqube_token)
