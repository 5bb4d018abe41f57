"""The image registry behind the stand-in Harbor: the real one. It takes nothing but Harbor's own tokens."""

from __future__ import annotations

import json

import httpx

from lab.files import write_private
from lab.home import LabHome
from lab.process import Command
from lab.servers.base import Context, Server, probe
from lab.sockets import LOOPBACK
from lab.standins.harbor import tokens


def address(home: LabHome) -> str:
    """URL without a path; Harbor's own is the one for clients."""
    return f"http://{LOOPBACK}:{home.ports.registry}"


class Registry(Server):
    """Images in `data/registry`; the key its tokens are signed with is Harbor's, in `data/harbor`."""

    name = "registry"
    parts = ("registry",)

    def ports(self, home: LabHome) -> tuple[int, ...]:
        """The registry's protocol."""
        return (home.ports.registry,)

    def where(self, home: LabHome) -> str:
        """URL, behind Harbor."""
        return f"{address(home)} (behind Harbor)"

    def command(self, context: Context) -> Command:
        """Write the configuration file."""
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
        write_private(file, json.dumps(configuration, indent=2) + "\n")  # JSON is YAML
        environment = {"OTEL_TRACES_EXPORTER": "none"}  # the default sends traces to a collector nobody runs
        arguments = (str(context.parts["registry"] / "registry"), "serve", str(file))
        return Command(arguments, environment, folder, (file, certificate))

    def healthy(self, home: LabHome) -> bool:
        """Answers, and asks for a token."""
        return probe(home, address(home), "/v2/") == httpx.codes.UNAUTHORIZED
