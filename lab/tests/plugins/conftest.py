"""Plugins on servers: OpenBao from its Python package, Keycloak and Kubernetes of the test platform, stand-in GitLab.

With `USINE_TEST_SERVERS=environment`, the variables `KEYCLOAK_*`, `USINE_TEST_CA` and `KUBECONFIG` select existing
servers; otherwise the fixture `lab` starts them. The comparison with official plugins is collected only if
`USINE_OFFICIAL_PLUGINS` is the folder that contains them.
"""

from __future__ import annotations

import os
import uuid
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from lab.plugins.gitlab import provider as gitlab
from lab.plugins.keycloak import provider as keycloak
from lab.plugins.kubernetes import provider as kubernetes
from lab.plugins.server import Host
from lab.plugins.vault import provider as vault
from lab.testing.gitlab_server import ROOT_TOKEN, LiveGitLab, live_gitlab
from lab.tests.plugins import servers
from lab.tests.plugins.rpc import Plugin

if TYPE_CHECKING:
    from lab.testing.platforms import TestLab

collect_ignore = [] if os.environ.get("USINE_OFFICIAL_PLUGINS") else ["test_against_official.py"]


@pytest.fixture(scope="session")
def vault_address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with servers.openbao(tmp_path_factory.mktemp("bao")) as address:
        yield address


if os.environ.get("USINE_TEST_SERVERS") == "environment":

    @pytest.fixture(scope="session")
    def platform() -> Mapping[str, str]:
        """Return the environment variables for clients of Keycloak and Kubernetes."""
        return os.environ

else:

    @pytest.fixture(scope="session")
    def platform(lab: TestLab) -> Mapping[str, str]:
        """Return the environment variables for clients of Keycloak and Kubernetes."""
        home = lab.home
        url = f"https://127.0.0.1:{home.ports.keycloak}"
        return {**lab.environment(), "KEYCLOAK_URL": url, "USINE_TEST_CA": str(home.ca)}


@pytest.fixture(scope="session")
def vault_plugin(vault_address: str) -> Iterator[Plugin]:
    plugin = Plugin(vault.make(Host(None)))
    plugin.configure(address=vault_address, token=servers.TOKEN)
    yield plugin
    plugin.close()


@pytest.fixture(scope="session")
def keycloak_plugin(platform: Mapping[str, str]) -> Iterator[Plugin]:
    plugin = Plugin(keycloak.make(Host(None)))
    plugin.configure(**servers.keycloak_settings(platform))
    yield plugin
    plugin.close()


@pytest.fixture(scope="session")
def kubernetes_plugin(platform: Mapping[str, str]) -> Iterator[Plugin]:
    plugin = Plugin(kubernetes.make(Host(None)))
    plugin.configure(kubeconfig=platform["KUBECONFIG"], kubeClientSettings='{"qps":500,"burst":1000}')
    yield plugin
    plugin.close()


@pytest.fixture(scope="session")
def gitlab_community(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveGitLab]:
    with live_gitlab(tmp_path_factory.mktemp("gitlab"), edition="community", utc_offset=1) as server:
        yield server


@pytest.fixture(scope="session")
def gitlab_premium(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveGitLab]:
    with live_gitlab(tmp_path_factory.mktemp("gitlab"), edition="premium") as server:
        yield server


@pytest.fixture(scope="session")
def gitlab_plugin(gitlab_community: LiveGitLab) -> Iterator[Plugin]:
    plugin = Plugin(gitlab.make(Host(None)))
    plugin.configure(baseUrl=f"{gitlab_community.url}/api/v4/", token=ROOT_TOKEN)
    yield plugin
    plugin.close()


@pytest.fixture(scope="session")
def gitlab_premium_plugin(gitlab_premium: LiveGitLab) -> Iterator[Plugin]:
    plugin = Plugin(gitlab.make(Host(None)))
    plugin.configure(baseUrl=f"{gitlab_premium.url}/api/v4/", token=ROOT_TOKEN)
    yield plugin
    plugin.close()


@pytest.fixture
def unique() -> str:
    """Return a unique name."""
    return f"t{uuid.uuid4().hex[:10]}"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path
