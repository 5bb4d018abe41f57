"""GitLab: the stand-in `lab.standins.gitlab`, because a closed network has no GitLab; or a real one."""

from __future__ import annotations

import sys

import httpx

from lab.files import write_private
from lab.home import CHECKOUT, LabHome
from lab.process import Command
from lab.servers import external
from lab.servers.base import Context, LabServer, probe
from lab.sockets import LOOPBACK
from lab.standins.serve import Configuration


def address(home: LabHome) -> str:
    """Return the URL of the API and the repositories. It is also the issuer of the jobs' tokens."""
    return f"http://{LOOPBACK}:{home.ports.gitlab}"


class GitLabServer(LabServer):
    """A stand-in with GitLab's API and git over HTTP; its data is in `data/gitlab`.

    The administrator is `root`, with the platform's `gitlab_token` as personal access token. USINE_LAB_GITLAB_URL
    selects a real GitLab instead, and USINE_LAB_GITLAB_TOKEN is then an administrator's token (docs/stand-ins.md).
    """

    name = "gitlab"
    tools = ("git",)
    limit = 60.0

    def ports(self, home: LabHome) -> tuple[int, ...]:
        """The one port for API and git."""
        return (home.ports.gitlab,)

    def where(self, home: LabHome) -> str:
        """URL of the API and the repositories."""
        real = external.address(self.name)
        return f"{address(home)} (is {real})" if real else address(home)

    def command(self, context: Context) -> Command:
        """Write the configuration and return the command. A change of the stand-in's code restarts it too."""
        home = context.home
        folder = home.data / self.name
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        if external.address(self.name):
            return external.command(self.name, home, home.ports.gitlab)
        configuration = Configuration(
            port=home.ports.gitlab,
            url=address(home),
            data=folder / "site",
            token=context.secrets.gitlab_token,
            options={"edition": "community"},
        )
        file = folder / "config.json"
        write_private(file, configuration.text())
        standins = CHECKOUT / "lab" / "standins"
        code = sorted([*standins.glob("*.py"), *(standins / "gitlab").glob("*.py")])
        return Command(
            (sys.executable, "-m", "lab.standins.gitlab", str(file)),
            environment={"PYTHONPATH": str(CHECKOUT), "PYTHONUNBUFFERED": "1"},
            folder=folder,
            watched=(file, *code),
        )

    def healthy(self, home: LabHome) -> bool:
        """Whether it answers."""
        # A real GitLab reports its readiness only to allowed addresses, and its version only to clients with a token.
        if external.address(self.name):
            return probe(home, address(home), "/api/v4/metadata") == httpx.codes.UNAUTHORIZED
        return probe(home, address(home), "/-/readiness") == httpx.codes.OK
