"""Kubeconfigs as people have them: several files, tokens, files of tokens, exec plugins, certificates in the file."""

from __future__ import annotations

import base64
import datetime
import json
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.drift.inventory.api_server import serving
from tests.drift.inventory.looking import MARKER
from usine.drift.inventory.base import Reader
from usine.engine.lookup.base import LookError
from usine.engine.lookup.kubeconfig import connect


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
        server, rest = connect("here", environment)
        assert server == api.url
        reader = Reader("it", rest)
        reader.get("version")
        reader.get("version")
        return [headers.get("Authorization", "") for _, _, _, headers in api.asked]


URL = "http://127.0.0.1:1"


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
def test_an_exec_plugin_that_gives_nothing_is_said_without_its_words(tmp_path: Path, broken: str) -> None:
    user = _plugin(tmp_path, {"certificate": MARKER}, code=1 if broken == "fails" else 0)
    if broken == "missing":
        user["exec"]["command"] = "no-such-plugin"
    with pytest.raises(LookError) as told:
        sent(write(tmp_path / "config", URL, user), URL)
    assert "exec plugin" in str(told.value)
    assert MARKER not in str(told.value)


def test_certificates_in_the_file_never_touch_the_disk(tmp_path: Path) -> None:
    encoded = {key: base64.b64encode(key.encode()).decode() for key in ("ca", "certificate", "key")}
    user = {"client-certificate-data": encoded["certificate"], "client-key-data": encoded["key"]}
    environment = write(
        tmp_path / "config", "https://127.0.0.1:1", user, **{"certificate-authority-data": encoded["ca"]}
    )
    _, rest = connect("here", environment)
    assert isinstance(rest.session.cert, tuple)
    certificate, key = rest.session.cert
    assert [Path(path).read_bytes() for path in (certificate, key)] == [b"certificate", b"key"]
    assert not Path(key).resolve().exists() or sys.platform != "linux"
    paths = write(tmp_path / "config", "https://127.0.0.1:1", {"client-certificate": "c.pem", "client-key": "/k.pem"})
    assert connect("here", paths)[1].session.cert == (str(tmp_path / "c.pem"), "/k.pem")


def test_several_files_are_one(tmp_path: Path) -> None:
    first, second = tmp_path / "1", tmp_path / "2"
    first.write_text(json.dumps({"users": [{"name": "u", "user": {"token": "first"}}]}))
    environment = write(second, "http://127.0.0.1:2", {"token": "second"})
    environment["KUBECONFIG"] = f"{first}:{tmp_path / 'none'}:{second}"
    server, _ = connect("here", environment)
    assert server == "http://127.0.0.1:2"


@pytest.mark.parametrize("text", ["[1, 2]", "users: [", f"a: *{MARKER}", "\x00"])
def test_what_is_no_kubeconfig_is_said_without_its_words(tmp_path: Path, text: str) -> None:
    path = tmp_path / "config"
    path.write_text(text)
    with pytest.raises(LookError) as told:
        connect("here", {"KUBECONFIG": str(path)})
    assert MARKER not in str(told.value)
    assert told.value.__cause__ is None


def test_an_unknown_context_is_named(tmp_path: Path) -> None:
    environment = write(tmp_path / "config", URL, {})
    with pytest.raises(LookError, match='no context "there" in the kubeconfig'):
        connect("there", environment)
