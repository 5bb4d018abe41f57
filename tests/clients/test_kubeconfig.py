"""Kubeconfigs in use: several files, tokens, token files, exec plugins, certificates, proxies."""

from __future__ import annotations

import base64
import datetime
import json
import ssl
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from lab.home import LabHome
from lab.pki import Pki, ensure
from tests.drift.inventory.api_server import Answers, serving
from tests.drift.inventory.scanning import MARKER
from usine.clients import ClientError
from usine.clients.kubernetes import KubernetesClient


def write(path: Path, server: str, user: dict[str, Any], **cluster: Any) -> dict[str, str]:
    path.write_text(
        json.dumps(
            {
                "clusters": [{"name": "c", "cluster": {"server": server, **cluster}}],
                "contexts": [{"name": "here", "context": {"cluster": "c", "user": "u"}}],
                "users": [{"name": "u", "user": user}],
            }
        )
    )
    return {"KUBECONFIG": str(path), "PATH": str(Path(sys.executable).parent)}


def sent(environment: dict[str, str], url: str) -> list[str]:
    """The Authorization header of two questions."""
    with serving({"/version": {}}) as api:
        assert api.url != url
        path = Path(environment["KUBECONFIG"])
        path.write_text(path.read_text().replace(url, api.url))
        client = KubernetesClient("it", "here", environment)
        assert client.server == api.url
        client.get("version")
        client.get("version")
        return [headers.get("Authorization", "") for _, _, _, headers in api.asked]


URL = "http://127.0.0.1:1"
ROOT = Path(__file__).resolve().parents[2]


def test_a_token_a_password_and_a_token_file(tmp_path: Path) -> None:
    path = tmp_path / "config"
    assert sent(write(path, URL, {"token": "abc"}), URL) == ["Bearer abc"] * 2
    basic = "Basic " + base64.b64encode(b"me:word").decode()
    assert sent(write(path, URL, {"username": "me", "password": "word"}), URL) == [basic] * 2
    (tmp_path / "token").write_text("from-a-file\n")  # beside the kubeconfig
    assert sent(write(path, URL, {"tokenFile": "token"}), URL) == ["Bearer from-a-file"] * 2
    assert sent(write(path, URL, {}), URL) == [""] * 2


def _plugin(tmp_path: Path, status: dict[str, Any], code: int = 0) -> dict[str, Any]:
    runs = tmp_path / "runs"
    script = (
        "import json, os, pathlib, sys;"
        "info = json.loads(os.environ['KUBERNETES_EXEC_INFO']); assert info['kind'] == 'ExecCredential';"
        f"p = pathlib.Path({str(runs)!r}); p.write_text((p.read_text() if p.exists() else '') + os.environ['EXTRA']);"
        f"print(json.dumps({{'status': {status!r}}})); print({MARKER!r}, file=sys.stderr); sys.exit({code})"
    )
    spec = {
        "apiVersion": "client.authentication.k8s.io/v1",
        "command": Path(sys.executable).name,
        "args": ["-c", script],
        "env": [{"name": "EXTRA", "value": "x"}],
    }
    return {"exec": spec}


def test_an_exec_plugin_runs_once_and_again_when_its_token_ends(tmp_path: Path) -> None:
    path = tmp_path / "config"
    assert sent(write(path, URL, _plugin(tmp_path, {"token": "made"})), URL) == ["Bearer made"] * 2
    assert (tmp_path / "runs").read_text() == "x"
    ended = (datetime.datetime.now(datetime.UTC) + datetime.timedelta(seconds=5)).isoformat()
    status = {"token": "made", "expirationTimestamp": ended.replace("+00:00", "Z")}
    assert sent(write(path, URL, _plugin(tmp_path, status)), URL) == ["Bearer made"] * 2
    assert (tmp_path / "runs").read_text() == "xxx"


@pytest.mark.parametrize("broken", ["fails", "missing", "no token"])
def test_an_exec_plugin_without_a_token_is_reported_without_its_output(tmp_path: Path, broken: str) -> None:
    user = _plugin(tmp_path, {"certificate": MARKER}, code=1 if broken == "fails" else 0)
    if broken == "missing":
        user["exec"]["command"] = "no-such-plugin"
    with pytest.raises(ClientError) as told:
        sent(write(tmp_path / "config", URL, user), URL)
    assert "exec plugin" in str(told.value)
    assert MARKER not in str(told.value)


@pytest.fixture(scope="module")
def pki(tmp_path_factory: pytest.TempPathFactory) -> Pki:
    return ensure(LabHome(tmp_path_factory.mktemp("pki")))


@contextmanager
def serving_with_certificates(pki: Pki) -> Iterator[Answers]:
    """An API server that accepts only clients with a certificate."""
    tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=str(pki.ca))
    tls.load_cert_chain(pki.kube_apiserver.certificate, pki.kube_apiserver.key)
    tls.verify_mode = ssl.CERT_REQUIRED
    with serving({"/version": {"major": "1"}}, tls) as api:
        yield api


def encoded(path: Path) -> str:
    return base64.b64encode(path.read_bytes()).decode()


def test_certificates_and_keys_are_in_the_kubeconfig_or_in_files(
    tmp_path: Path, pki: Pki, monkeypatch: pytest.MonkeyPatch
) -> None:
    (temporary := tmp_path / "temporary").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(temporary))
    modes: set[int] = set()
    load = ssl.SSLContext.load_cert_chain

    def watch(self: ssl.SSLContext, *arguments: Any) -> None:
        modes.update(path.stat().st_mode & 0o777 for path in temporary.iterdir())
        load(self, *arguments)

    monkeypatch.setattr(ssl.SSLContext, "load_cert_chain", watch)
    in_data = {
        "client-certificate-data": encoded(pki.admin.certificate),
        "client-key-data": encoded(pki.admin.key),
    }
    (tmp_path / "key.pem").write_bytes(pki.admin.key.read_bytes())  # a relative path
    in_files = {"client-certificate": str(pki.admin.certificate), "client-key": "key.pem"}
    with serving_with_certificates(pki) as api:
        for user in (in_data, in_files):
            for ca in ({"certificate-authority-data": encoded(pki.ca)}, {"certificate-authority": str(pki.ca)}):
                environment = write(tmp_path / "config", api.url, user, **ca)
                assert KubernetesClient("it", "here", environment).get("version") == {"major": "1"}
                assert list(temporary.iterdir()) == [], "no key stays on the disk"
    assert modes == {0o600}


def test_certificates_work_without_proc_as_on_macos(tmp_path: Path, pki: Pki) -> None:
    """`without_linux` ends the process when the product reads ``/proc``, as on macOS."""
    user = {"client-certificate-data": encoded(pki.admin.certificate), "client-key-data": encoded(pki.admin.key)}
    program = "import os; from usine.clients.kubernetes import KubernetesClient as Client; "
    program += "print(Client('it', 'here', os.environ).get('version'))"
    with serving_with_certificates(pki) as api:
        environment = write(tmp_path / "config", api.url, user, **{"certificate-authority-data": encoded(pki.ca)})
        done = subprocess.run(
            [sys.executable, ROOT / "tests" / "guard" / "without_linux.py", "-c", program],
            cwd=ROOT,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
    assert (done.returncode, done.stdout, done.stderr) == (0, "{'major': '1'}\n", "")


@pytest.mark.filterwarnings("ignore::urllib3.exceptions.InsecureRequestWarning")
def test_a_server_is_trusted_by_the_authority_and_the_name_of_the_kubeconfig(tmp_path: Path, pki: Pki) -> None:
    user = {"client-certificate": str(pki.admin.certificate), "client-key": str(pki.admin.key)}
    with serving_with_certificates(pki) as api:
        for cluster, trusted in (
            ({}, False),
            ({"certificate-authority": str(pki.ca)}, True),
            ({"insecure-skip-tls-verify": True}, True),
            ({"certificate-authority": str(pki.ca), "tls-server-name": "kubernetes.default"}, True),
            ({"certificate-authority": str(pki.ca), "tls-server-name": "other.example"}, False),
        ):
            client = KubernetesClient("it", "here", write(tmp_path / "config", api.url, user, **cluster))
            if trusted:
                assert client.get("version") == {"major": "1"}
            else:
                with pytest.raises(ClientError, match="it does not answer"):
                    client.get("version")


@pytest.mark.parametrize("key", ["client-certificate-data", "certificate-authority-data"])
def test_an_unusable_certificate_is_reported_without_its_content(tmp_path: Path, key: str) -> None:
    data = {key: base64.b64encode(MARKER.encode()).decode()}
    user = {"client-key-data": base64.b64encode(b"key").decode(), **(data if key.startswith("client") else {})}
    cluster = data if key.startswith("certificate") else {}
    with pytest.raises(ClientError, match="a certificate or key of the kubeconfig cannot be used: SSLError") as told:
        KubernetesClient("it", "here", write(tmp_path / "config", "https://127.0.0.1:1", user, **cluster))
    assert MARKER not in str(told.value)


def test_the_proxy_of_the_kubeconfig_is_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    with serving({}) as proxy:
        environment = write(tmp_path / "config", "http://api.example", {}, **{"proxy-url": proxy.url})
        assert KubernetesClient("it", "here", environment).get("version") is None
        assert proxy.asked[0][3]["Host"] == "api.example"


def test_several_files_are_merged(tmp_path: Path) -> None:
    first, second = tmp_path / "1", tmp_path / "2"
    first.write_text(json.dumps({"users": [{"name": "u", "user": {"token": "first"}}]}))
    environment = write(second, "http://127.0.0.1:2", {"token": "second"})
    environment["KUBECONFIG"] = f"{first}:{tmp_path / 'none'}:{second}"
    assert KubernetesClient("it", "here", environment).server == "http://127.0.0.1:2"


@pytest.mark.parametrize("text", ["[1, 2]", "users: [", f"a: *{MARKER}", "\x00"])
def test_an_unreadable_kubeconfig_is_reported_without_its_content(tmp_path: Path, text: str) -> None:
    path = tmp_path / "config"
    path.write_text(text)
    with pytest.raises(ClientError) as told:
        KubernetesClient("it", "here", {"KUBECONFIG": str(path)})
    assert MARKER not in str(told.value)
    assert told.value.__cause__ is None


def test_an_unknown_context_is_named(tmp_path: Path) -> None:
    environment = write(tmp_path / "config", URL, {})
    with pytest.raises(ClientError, match='no context "there" in the kubeconfig'):
        KubernetesClient("it", "there", environment)
