"""External Secrets' API: the custom resources that deliver secrets, in the Kubernetes API server.

Its controller does not run: the modules of which it is built are not in the public Go proxy. The API server validates
all objects.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import httpx
import yaml

from lab import kubeconfig
from lab.errors import LabError
from lab.home import LabHome
from lab.servers.base import Context, LabServer, probe
from lab.servers.definitions import DEFINITIONS, apply, established
from lab.servers.kubernetes import admin_client

#: Annotation of a definition: the part that it was applied from, so that it is not sent at every start.
_APPLIED = "lab.usine/external-secrets"


class ExternalSecrets(LabServer):
    """A step after the start of the API server, without a process."""

    name = "external-secrets"
    after = ("kube-apiserver",)
    parts = ("external-secrets",)

    def where(self, home: LabHome) -> str:  # noqa: ARG002 - not an address
        """Where its kinds are served."""
        return "kinds of kube-apiserver"

    def answers(self, home: LabHome) -> bool:
        """Whether the API server is healthy."""
        return probe(home, kubeconfig.server(home), "/readyz", admin=True) == httpx.codes.OK

    def healthy(self, home: LabHome) -> bool:
        """Whether every custom resource is served."""
        try:
            with admin_client(home) as http:
                return all(established(http.get(f"{DEFINITIONS}/{name}")) for name in NAMES)
        except (LabError, httpx.HTTPError):
            return False

    def set_up(self, context: Context) -> None:
        """Apply the definitions unless this version was applied before."""
        part = context.parts["external-secrets"]
        version = part.resolve().name
        try:
            with admin_client(context.home) as http:
                for path in sorted((part / "crds").glob("*.yaml")):
                    name = _name(path)
                    found = http.get(f"{DEFINITIONS}/{name}")
                    known = found.json()["metadata"].get("annotations", {}) if found.is_success else {}
                    if known.get(_APPLIED) != version:
                        definition: Any = yaml.load(path.read_bytes(), Loader=yaml.CSafeLoader)
                        definition["metadata"].setdefault("annotations", {})[_APPLIED] = version
                        apply(http, self.name, name, definition)
        except (OSError, yaml.YAMLError, httpx.HTTPError) as error:
            raise LabError(f"{self.name}: {error}") from None


def _name(path: Path) -> str:
    """Return the name of the definition in a file: ``<group>_<plural>.yaml``."""
    group, _, plural = path.stem.partition("_")
    return f"{plural}.{group}"


#: The kinds that the program writes, and those of which the tests show that nobody may write them for a tenant.
FILES = (
    "external-secrets.io_externalsecrets.yaml",
    "external-secrets.io_pushsecrets.yaml",
    "external-secrets.io_secretstores.yaml",
    "generators.external-secrets.io_webhooks.yaml",
)
NAMES = tuple(_name(Path(file)) for file in FILES)
