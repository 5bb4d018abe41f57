"""Real servers for the live tests."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import httpx

from lab.testing.ports import free_port

TOKEN = "test-root-token"


@contextmanager
def openbao(folder: Path) -> Iterator[str]:
    """Run OpenBao with its data in memory; yield its address. Its root token is `TOKEN`."""
    address = f"127.0.0.1:{free_port()}"
    binary = Path(sys.executable).with_name("bao")
    with (folder / "bao.log").open("wb") as log:
        process = subprocess.Popen(
            [
                binary,
                "server",
                "-dev",
                "-dev-no-store-token",
                f"-dev-root-token-id={TOKEN}",
                f"-dev-listen-address={address}",
            ],
            stdout=log,
            stderr=subprocess.STDOUT,
            env={**os.environ, "HOME": str(folder)},
        )
        try:
            deadline = time.monotonic() + 60
            while True:
                try:
                    if httpx.get(f"http://{address}/v1/sys/health").status_code == httpx.codes.OK:
                        break
                except httpx.HTTPError:
                    pass
                assert process.poll() is None, (folder / "bao.log").read_text()
                assert time.monotonic() < deadline, "OpenBao did not become ready"
                time.sleep(0.05)
            yield f"http://{address}"
        finally:
            process.terminate()
            process.wait(timeout=10)


def keycloak_settings(environment: Mapping[str, str]) -> dict[str, str]:
    """Return the plugin's settings for the test platform's Keycloak."""
    settings = {
        "url": environment["KEYCLOAK_URL"],
        "clientId": environment["KEYCLOAK_CLIENT_ID"],
        "username": environment["KEYCLOAK_USER"],
        "password": environment["KEYCLOAK_PASSWORD"],
        "clientTimeout": "60",
    }
    if ca := environment.get("USINE_TEST_CA"):
        settings["rootCaCertificate"] = Path(ca).read_text(encoding="ascii")
    return settings
