"""Harbor: the stand-in `lab.standins.harbor`, because a closed network has no Harbor; or a real one."""

from __future__ import annotations

import sys

import httpx

from lab.errors import LabError
from lab.files import write_private
from lab.home import CHECKOUT, LabHome
from lab.process import Command
from lab.servers import external, registry
from lab.servers.base import Context, LabServer, client, probe
from lab.sockets import LOOPBACK
from lab.standins.serve import Configuration


def address(home: LabHome) -> str:
    """Return the URL of API and registry."""
    return f"http://{LOOPBACK}:{home.ports.harbor}"


class HarborServer(LabServer):
    """A stand-in with Harbor's API; its data is in `data/harbor`.

    USINE_LAB_HARBOR_URL selects a real Harbor instead; USINE_LAB_HARBOR_PASSWORD is then its administrator's password.
    """

    name = "harbor"
    after = ("registry",)

    def ports(self, home: LabHome) -> tuple[int, ...]:
        """The one port for API and registry."""
        return (home.ports.harbor,)

    def where(self, home: LabHome) -> str:
        """URL, and whether it is the stand-in."""
        return f"{address(home)} ({f'is {real}' if (real := external.address(self.name)) else 'stand-in'})"

    def command(self, context: Context) -> Command:
        """Write the private configuration file and return the command. A change of the stand-in's code restarts it."""
        home = context.home
        folder = home.data / self.name
        if external.address(self.name):
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            return external.command(self.name, home, home.ports.harbor)
        configuration = Configuration(
            port=home.ports.harbor,
            url=address(home),
            data=folder,
            token=context.secrets.harbor_password,
            options={"registry": registry.address(home), "ca": str(context.pki.ca)},
        )
        file = folder / "config.json"
        write_private(file, configuration.text())
        standins = CHECKOUT / "lab" / "standins"
        code = sorted([*standins.glob("*.py"), *(standins / "harbor").glob("*.py")])
        arguments = (sys.executable, "-m", "lab.standins.harbor", str(file))
        environment = {"PYTHONPATH": str(CHECKOUT), "PYTHONUNBUFFERED": "1"}
        return Command(arguments, environment, folder, (file, context.pki.ca, *code))

    def healthy(self, home: LabHome) -> bool:
        """Whether it answers."""
        return probe(home, address(home), "/api/v2.0/ping") == httpx.codes.OK

    def set_up(self, context: Context) -> None:
        """Check that the administrator can log in."""
        secrets = context.secrets
        with client(context.home, address(context.home)) as http:
            try:
                answer = http.get("/api/v2.0/users/current", auth=(secrets.harbor_user, secrets.harbor_password))
            except httpx.HTTPError as error:
                raise LabError(f"{self.name}: no answer to the administrator's log-in: {error}") from None
        if answer.status_code != httpx.codes.OK:
            raise LabError(f"{self.name}: refuses its administrator (HTTP {answer.status_code})")
