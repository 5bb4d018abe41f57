"""trivy fetches the local vulnerability database from a registry, as in production, and finds what it has."""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from lab import parts, vulnerabilities
from lab.chain.registry import RegistryClient
from lab.parts import tools
from lab.testing.ports import free_port

pytestmark = pytest.mark.servers


@pytest.fixture(scope="module")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The real registry, on a free port and without log-in; its address without scheme."""
    folder = tmp_path_factory.mktemp("registry")
    address = f"127.0.0.1:{free_port()}"
    settings = {
        "version": 0.1,
        "storage": {"filesystem": {"rootdirectory": str(folder / "data")}},
        "http": {"addr": address},
    }
    (folder / "config.yml").write_text(json.dumps(settings))
    program = parts.ensure(["registry"])["registry"] / "registry"
    with subprocess.Popen([program, "serve", folder / "config.yml"], stderr=subprocess.DEVNULL) as server:
        try:
            for _ in range(100):
                try:
                    httpx.get(f"http://{address}/v2/").raise_for_status()
                    break
                except httpx.HTTPError:
                    time.sleep(0.1)
            yield address
        finally:
            server.terminate()


def scan(registry: str, folder: Path) -> list[str]:
    """Scan a folder and return the vulnerabilities."""
    done = subprocess.run(
        ["trivy", "filesystem", "--scanners", "vuln", "--format", "json", "--output", "trivy.json", "."],
        cwd=folder,
        env={
            **tools.environment(folder / "home", ["trivy"]),
            "TRIVY_DB_REPOSITORY": f"{registry}/usine/trivy-db:{vulnerabilities.TAG}",
            "TRIVY_INSECURE": "true",
        },
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    results = json.loads((folder / "trivy.json").read_text()).get("Results", [])
    return [each["VulnerabilityID"] for result in results for each in result.get("Vulnerabilities", [])]


@pytest.mark.parametrize(("version", "found"), [("3.1.2", ["CVE-2025-27516"]), ("3.1.6", [])])
def test_trivy_finds_what_the_database_from_the_registry_has(
    version: str, found: list[str], registry: str, tmp_path: Path
) -> None:
    vulnerabilities.publish(RegistryClient(f"http://{registry}", "usine/trivy-db", "", ""))
    (tmp_path / "requirements.txt").write_text(f"jinja2=={version}\n")
    assert scan(registry, tmp_path) == found
