"""A context of the kubeconfig files that KUBECONFIG names: the address of an API server, and how to log in.

Log-ins: a token, a file with a token, a client certificate, a password, and an exec plugin for short-lived tokens.

No library reads all of these. lightkube 1.0.1 refuses exec plugins of `client.authentication.k8s.io/v1`, gives them no
KUBERNETES_EXEC_INFO, ignores when a token ends, and reads one file only. kr8s 0.20.15 knows no token file and leaves
keys in temporary files. Both, and the official client, quote a failed plugin's output in the exception and start it
with this process's environment.
"""

from __future__ import annotations

import base64
import datetime
import json
import os
import shutil
import ssl
import subprocess
import tempfile
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import requests
import yaml
from requests.utils import DEFAULT_CA_BUNDLE_PATH

from usine.clients.errors import ClientError

_Entry = Mapping[str, Any]
_EXEC_TIMEOUT: Final = 60
_MARGIN: Final = datetime.timedelta(seconds=30)


@dataclass(frozen=True, slots=True)
class ContextAccess:
    """How to reach an API server; `tls` is None for plain HTTP, `server_name` the name that its certificate has."""

    server: str
    tls: ssl.SSLContext | None
    auth: requests.auth.AuthBase | None
    proxy: str | None = None
    server_name: str | None = None


@dataclass(frozen=True, slots=True)
class _ConfigEntry:
    """An entry of a kubeconfig, with the folder that its relative paths start from."""

    entry: _Entry
    folder: Path


def read_context(context: str, environment: Mapping[str, str]) -> ContextAccess:
    """Return how to reach the API server of a context. Raises ClientError when the files do not say it."""
    files = [Path(name).expanduser() for name in environment.get("KUBECONFIG", "").split(os.pathsep) if name]
    configs = [_read(path) for path in files or [Path.home() / ".kube" / "config"] if path.is_file()]
    chosen = _find(configs, "context", context).entry
    cluster = _find(configs, "cluster", str(chosen.get("cluster", "")))
    user = _find(configs, "user", str(chosen.get("user", "")))
    server = str(cluster.entry["server"]).rstrip("/")
    return ContextAccess(
        server,
        _tls(cluster, user, environment) if server.startswith("https://") else None,
        _log_in(user, environment),
        cluster.entry.get("proxy-url"),
        cluster.entry.get("tls-server-name"),
    )


def _read(path: Path) -> _ConfigEntry:
    try:
        text = path.read_text(encoding="utf-8")
        config = yaml.load(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))  # noqa: S506 - the safe one
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        # Without the error's text, which may quote a line with a credential.
        raise ClientError(f"kubeconfig {path} cannot be read: {type(error).__name__}") from None
    if not isinstance(config, dict):
        raise ClientError(f"kubeconfig {path} is not a mapping")
    return _ConfigEntry(config, path.resolve().parent)


def _find(configs: list[_ConfigEntry], kind: str, name: str) -> _ConfigEntry:
    """Return the first entry of this kind and name: as for kubectl, the first file that has it counts."""
    for config in configs:
        for item in config.entry.get(f"{kind}s") or ():
            if item.get("name") == name:
                return _ConfigEntry(item.get(kind) or {}, config.folder)
    raise ClientError(f'no {kind} "{name}" in the kubeconfig')


# TLS --------------------------------------------------------------------------------------------------------------


def _tls(cluster: _ConfigEntry, user: _ConfigEntry, environment: Mapping[str, str]) -> ssl.SSLContext:
    default = environment.get("SSL_CERT_FILE") or DEFAULT_CA_BUNDLE_PATH
    try:
        with (
            _as_file(cluster, "certificate-authority") as authority,
            _as_file(user, "client-certificate") as certificate,
            _as_file(user, "client-key") as key,
        ):
            context = ssl.create_default_context(cafile=authority or default)
            if cluster.entry.get("insecure-skip-tls-verify"):
                context.check_hostname = False
                context.verify_mode = ssl.CERT_NONE
            if certificate and key:
                context.load_cert_chain(certificate, key)
            return context
    except (OSError, ValueError) as error:  # ssl.SSLError is an OSError, binascii.Error a ValueError
        raise ClientError(f"a certificate or key of the kubeconfig cannot be used: {type(error).__name__}") from None


@contextmanager
def _as_file(named: _ConfigEntry, key: str) -> Iterator[str | None]:
    """Give the path of a certificate or key, which stands in the entry itself or in a file.

    The TLS library reads keys from files only. The temporary file, with mode 0600, is removed as soon as it is read.
    """
    data, path = named.entry.get(f"{key}-data"), named.entry.get(key)
    if not data:
        yield str(named.folder / str(path)) if path else None
        return
    with tempfile.NamedTemporaryFile(prefix="usine-") as file:
        file.write(base64.b64decode(str(data)))
        file.flush()
        yield file.name


# Log-in -----------------------------------------------------------------------------------------------------------


def _log_in(user: _ConfigEntry, environment: Mapping[str, str]) -> requests.auth.AuthBase | None:
    entry = user.entry
    if entry.get("exec"):
        return BearerToken(_ExecPlugin(entry["exec"], user.folder, environment))
    if entry.get("tokenFile"):
        return BearerToken(_TokenFile(user.folder / str(entry["tokenFile"])))
    if entry.get("token"):
        return BearerToken(_StaticToken(str(entry["token"])))
    if entry.get("username"):
        return requests.auth.HTTPBasicAuth(str(entry["username"]), str(entry.get("password", "")))
    return None


class _StaticToken:
    """A token in the kubeconfig itself."""

    def __init__(self, token: str) -> None:
        self._token = token

    def token(self) -> str:
        return self._token


class _TokenFile:
    """A token in a file that another program renews."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def token(self) -> str:
        try:
            return self._path.read_text(encoding="ascii").strip()
        except (OSError, UnicodeDecodeError) as error:
            raise ClientError(f"the kubeconfig's token file cannot be read: {type(error).__name__}") from None


class _ExecPlugin:
    """A program that prints tokens: Kubernetes' `client.authentication.k8s.io`."""

    def __init__(self, spec: _Entry, folder: Path, environment: Mapping[str, str]) -> None:
        self._spec = spec
        self._folder = folder
        self._environment = environment
        self._lock = threading.Lock()
        self._known = ""
        self._until: datetime.datetime | None = None

    def token(self) -> str:
        with self._lock:
            ended = self._until is not None and datetime.datetime.now(datetime.UTC) > self._until - _MARGIN
            if not self._known or ended:
                self._run()
            return self._known

    def _run(self) -> None:
        command = str(self._spec["command"])
        # A command with a slash is relative to the kubeconfig, one without is on the PATH.
        path = (
            str(self._folder / command)
            if os.sep in command
            else shutil.which(command, path=self._environment.get("PATH"))
        )
        if path is None:
            raise ClientError(f"the kubeconfig's exec plugin {command} is not on the PATH")
        info = {"apiVersion": self._spec.get("apiVersion"), "kind": "ExecCredential", "spec": {"interactive": False}}
        variables = {item["name"]: item["value"] for item in self._spec.get("env") or ()}
        try:
            done = subprocess.run(
                [path, *map(str, self._spec.get("args") or ())],
                env={**self._environment, **variables, "KUBERNETES_EXEC_INFO": json.dumps(info)},
                stdin=subprocess.DEVNULL,
                capture_output=True,
                check=False,
                timeout=_EXEC_TIMEOUT,
            )
            status = json.loads(done.stdout)["status"] if done.returncode == 0 else {}
            self._known = str(status["token"])
        except (OSError, subprocess.TimeoutExpired, ValueError, LookupError, TypeError) as error:
            text = f"the kubeconfig's exec plugin {command} gave no token: {type(error).__name__}"
            raise ClientError(text) from None
        until = status.get("expirationTimestamp")
        self._until = datetime.datetime.fromisoformat(until) if until else None


class BearerToken(requests.auth.AuthBase):
    """Adds the token of a source to each request."""

    def __init__(self, source: _StaticToken | _TokenFile | _ExecPlugin) -> None:
        """Keep the source; it is asked at each request."""
        self._source = source

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        """Raise ClientError when the source gives no token."""
        request.headers["Authorization"] = f"Bearer {self._source.token()}"
        return request
