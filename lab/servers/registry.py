"""The image registry behind the stand-in Harbor, a real one. It accepts only Harbor's tokens."""

from __future__ import annotations

import json

import httpx

from lab.files import write_private
from lab.home import LabHome
from lab.process import Command
from lab.servers.base import Context, LabServer, probe
from lab.sockets import LOOPBACK
from lab.standins.harbor import tokens


def address(home: LabHome) -> str:
    """Return the URL without a path. Clients use Harbor's URL instead."""
    return f"http://{LOOPBACK}:{home.ports.registry}"


class RegistryServer(LabServer):
    """Its images are in `data/registry`; Harbor's key in `data/harbor` signs the tokens."""

    name = "registry"
    parts = ("registry",)

    def ports(self, home: LabHome) -> tuple[int, ...]:
        """Port of the registry API."""
        return (home.ports.registry,)

    def where(self, home: LabHome) -> str:
        """URL. Only Harbor uses it."""
        return f"{address(home)} (behind Harbor)"

    def command(self, context: Context) -> Command:
        """Write the configuration file and return the command."""
        home = context.home
        folder = home.data / self.name
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        harbor = home.data / "harbor"
        harbor.mkdir(mode=0o700, parents=True, exist_ok=True)
        certificate, _key = tokens.ensure_key(harbor)
        configuration = {
            "version": "0.1",
            "log": {"level": "warn", "accesslog": {"disabled": True}},
            "storage": {"filesystem": {"rootdirectory": str(folder / "images")}, "delete": {"enabled": True}},
            "http": {"addr": f"{LOOPBACK}:{home.ports.registry}"},
            "auth": {
                "token": {
                    "realm": f"http://{LOOPBACK}:{home.ports.harbor}/service/token",
                    "service": tokens.SERVICE,
                    "issuer": tokens.REGISTRY_ISSUER,
                    "rootcertbundle": str(certificate),
                }
            },
        }
        file = folder / "config.yml"
        write_private(file, json.dumps(configuration, indent=2) + "\n")  # JSON is also YAML
        environment = {
            "OTEL_TRACES_EXPORTER": "none"
        }  # by default it sends traces to a collector, which the lab does not have
        arguments = (str(context.parts["registry"] / "registry"), "serve", str(file))
        return Command(arguments, environment, folder, (file, certificate))

    def healthy(self, home: LabHome) -> bool:
        """Whether it answers by asking for a token."""
        return probe(home, address(home), "/v2/") == httpx.codes.UNAUTHORIZED
