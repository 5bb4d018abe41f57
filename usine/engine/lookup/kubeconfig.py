"""Reaching a cluster as the Kubernetes provider does: by a context of the files that KUBECONFIG names.

Known ways to be somebody: a token, a file with one, a client certificate, a password, and an exec plugin (which is how
short-lived credentials come in).
"""

from __future__ import annotations

import base64
import datetime
import json
import os
import shutil
import subprocess
import sys
import tempfile
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import requests
import yaml

from usine.engine.lookup.base import LookError, Rest

_Entry = Mapping[str, Any]
_EXEC_TIMEOUT: Final = 60
_MARGIN: Final = datetime.timedelta(seconds=30)


@dataclass(frozen=True, slots=True)
class _Named:
    """An entry of a kubeconfig, with the folder its relative paths start from."""

    entry: _Entry
    folder: Path


def connect(context: str, environment: Mapping[str, str]) -> tuple[str, Rest]:
    """Return the address of the API server of a context, and its API. Raises LookError when the files do not say it."""
    files = [Path(name).expanduser() for name in environment.get("KUBECONFIG", "").split(os.pathsep) if name]
    configs = [_read(path) for path in files or [Path.home() / ".kube" / "config"] if path.is_file()]
    chosen = _find(configs, "context", context).entry
    cluster = _find(configs, "cluster", str(chosen.get("cluster", "")))
    user = _find(configs, "user", str(chosen.get("user", "")))
    server = str(cluster.entry["server"]).rstrip("/")
    verify: str | bool = not cluster.entry.get("insecure-skip-tls-verify", False)
    rest = Rest(server, verify=verify and (_file(cluster, "certificate-authority") or True))
    certificate, key = _file(user, "client-certificate"), _file(user, "client-key")
    if certificate and key:
        rest.session.cert = (certificate, key)
    rest.session.auth = _authentication(user, environment)
    return server, rest


def _read(path: Path) -> _Named:
    try:
        text = path.read_text(encoding="utf-8")
        config = yaml.load(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))  # noqa: S506 - the safe one
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        # Not its words: they may quote a line, with a credential.
        raise LookError(f"kubeconfig {path} cannot be read: {type(error).__name__}") from None
    if not isinstance(config, dict):
        raise LookError(f"kubeconfig {path} holds no kubeconfig")
    return _Named(config, path.resolve().parent)


def _find(configs: list[_Named], kind: str, name: str) -> _Named:
    """Return the first entry of this kind and name: where files say it twice, the first one counts."""
    for config in configs:
        for item in config.entry.get(f"{kind}s") or ():
            if item.get("name") == name:
                return _Named(item.get(kind) or {}, config.folder)
    raise LookError(f'no {kind} "{name}" in the kubeconfig')


def _file(named: _Named, key: str) -> str | None:
    """Return the path of a certificate or key that stands in the entry, or in a file beside it."""
    data, path = named.entry.get(f"{key}-data"), named.entry.get(key)
    if data:
        return _in_memory(base64.b64decode(str(data)))
    return str(named.folder / str(path)) if path else None


def _in_memory(content: bytes) -> str:
    """Return a path that holds `content` while this process lives: the TLS library reads keys from paths only."""
    if sys.platform == "linux":
        descriptor = os.memfd_create("usine")
        os.write(descriptor, content)
        return f"/proc/self/fd/{descriptor}"
    file = tempfile.NamedTemporaryFile(delete_on_close=False)  # noqa: SIM115 - kept open, removed with the process
    file.write(content)
    file.flush()
    _KEPT.append(file)
    return file.name


_KEPT: Final[list[object]] = []


def _authentication(user: _Named, environment: Mapping[str, str]) -> requests.auth.AuthBase | None:
    entry = user.entry
    if entry.get("exec"):
        return _Bearer(_Plugin(entry["exec"], user.folder, environment))
    if entry.get("tokenFile"):
        return _Bearer(_TokenFile(user.folder / str(entry["tokenFile"])))
    if entry.get("token"):
        return _Bearer(_Token(str(entry["token"])))
    if entry.get("username"):
        return requests.auth.HTTPBasicAuth(str(entry["username"]), str(entry.get("password", "")))
    return None


class _Token:
    """A token as it stands there."""

    def __init__(self, token: str) -> None:
        self._token = token

    def token(self) -> str:
        return self._token


class _TokenFile:
    """A token that somebody else renews in a file."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def token(self) -> str:
        try:
            return self._path.read_text(encoding="ascii").strip()
        except (OSError, UnicodeDecodeError) as error:
            raise LookError(f"the kubeconfig's token file cannot be read: {type(error).__name__}") from None


class _Plugin:
    """A program that makes tokens: Kubernetes' `client.authentication.k8s.io`."""

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
        # With a slash it is relative to the kubeconfig, without one it is looked for on the PATH.
        path = (
            str(self._folder / command)
            if os.sep in command
            else shutil.which(command, path=self._environment.get("PATH"))
        )
        if path is None:
            raise LookError(f"the kubeconfig's exec plugin {command} is not on the PATH")
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
            raise LookError(f"the kubeconfig's exec plugin {command} gave no token: {type(error).__name__}") from None
        until = status.get("expirationTimestamp")
        self._until = datetime.datetime.fromisoformat(until) if until else None


class _Bearer(requests.auth.AuthBase):
    def __init__(self, source: _Token | _TokenFile | _Plugin) -> None:
        self._source = source

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        request.headers["Authorization"] = f"Bearer {self._source.token()}"
        return request
