"""Keycloak on https, with its embedded database in the platform's folder."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import httpx
from keycloak import KeycloakAdmin

from lab.errors import LabError
from lab.files import write_private
from lab.home import LabHome
from lab.process import Command
from lab.secrets import Secrets
from lab.servers.base import Context, LabServer, client, probe
from lab.sockets import LOOPBACK

_HEAP = "-Xms128m -Xmx768m"
#: Most processor time is spent at the start. The JVM's quick compiler halves it.
_JVM = "-XX:TieredStopAtLevel=1"
_ORIGIN = "origin"


def address(home: LabHome) -> str:
    """Return the URL without a path."""
    return f"https://{LOOPBACK}:{home.ports.keycloak}"


class KeycloakServer(LabServer):
    """Runs from its own installation folder, because Keycloak rewrites a part of it at each start."""

    name = "keycloak"
    parts = ("keycloak",)
    limit = 240.0

    def ports(self, home: LabHome) -> tuple[int, ...]:
        """Ports for the service and for health checks."""
        return (home.ports.keycloak, home.ports.keycloak_management)

    def where(self, home: LabHome) -> str:
        """URL of the log-in page."""
        return address(home)

    def command(self, context: Context) -> Command:
        """Make the folder and return `kc.sh start`. The environment contains the administrator's password."""
        home, pair, secrets = context.home, context.pki.keycloak, context.secrets
        folder = home.data / self.name
        _install(context.parts["keycloak"].resolve(), folder)
        database = folder / "data" / "h2" / "keycloakdb"
        arguments = (
            str(folder / "bin" / "kc.sh"),
            "start",  # start-dev always opens a plain http port as well
            "--db=dev-file",
            "--cache=local",
            f"--http-host={LOOPBACK}",
            "--http-enabled=false",
            f"--https-port={home.ports.keycloak}",
            f"--https-certificate-file={pair.certificate}",
            f"--https-certificate-key-file={pair.key}",
            f"--hostname={address(home)}",
            f"--http-management-port={home.ports.keycloak_management}",
            "--health-enabled=true",
            # With the default URL, H2 listens on a port of its own, on every interface.
            f"--db-url=jdbc:h2:file:{database};NON_KEYWORDS=VALUE;DB_CLOSE_ON_EXIT=FALSE",
        )
        environment = {
            "KC_BOOTSTRAP_ADMIN_USERNAME": secrets.keycloak_user,
            "KC_BOOTSTRAP_ADMIN_PASSWORD": secrets.keycloak_password,
            "JAVA_OPTS_KC_HEAP": _HEAP,
            "JAVA_OPTS_APPEND": _JVM,
        }
        return Command(arguments, environment, folder, (pair.certificate, folder / _ORIGIN))

    def healthy(self, home: LabHome) -> bool:
        """Whether Keycloak and its database are ready."""
        base = f"https://{LOOPBACK}:{home.ports.keycloak_management}"
        return probe(home, base, "/health/ready") == httpx.codes.OK

    def set_up(self, context: Context) -> None:
        """Check that the administrator can log in: a database with other secrets would cause obscure errors later."""
        secrets = context.secrets
        form = {
            "grant_type": "password",
            "client_id": "admin-cli",
            "username": secrets.keycloak_user,
            "password": secrets.keycloak_password,
        }
        with client(context.home, address(context.home), timeout=60) as http:
            try:
                answer = http.post("/realms/master/protocol/openid-connect/token", data=form)
            except httpx.HTTPError as error:
                raise LabError(f"{self.name}: no answer to the administrator's log-in: {error}") from None
        if answer.status_code != httpx.codes.OK:
            raise LabError(
                f"{self.name}: refuses its administrator (HTTP {answer.status_code}): its data does not match "
                f"{context.home.secrets}. Delete both with `usine lab reset`"
            )


def _install(origin: Path, folder: Path) -> None:
    """Copy the files that Keycloak changes, link the rest (150 MB of libraries), and keep the database in `data`."""
    memory = folder / _ORIGIN
    if memory.exists() and memory.read_text(encoding="utf-8") == str(origin):
        return
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    memory.unlink(missing_ok=True)  # the copy is incomplete until the end of this function
    for name in ("bin", "conf", "lib", "providers", "themes"):
        shutil.rmtree(folder / name, ignore_errors=True)
        if name != "lib":
            shutil.copytree(origin / name, folder / name)
    (folder / "lib").mkdir()
    for entry in (origin / "lib").iterdir():
        copy = folder / "lib" / entry.name
        if entry.name == "quarkus":
            shutil.copytree(entry, copy)
        elif entry.is_dir():
            os.symlink(entry, copy, target_is_directory=True)
        else:
            shutil.copy2(entry, copy)
    (folder / "data").mkdir(mode=0o700, exist_ok=True)
    write_private(memory, str(origin))


def admin(home: LabHome) -> KeycloakAdmin:
    """Return an administrator's client, logged in to the realm `master`; `change_current_realm` selects another."""
    secrets = Secrets.load(home)
    return KeycloakAdmin(
        server_url=address(home),
        username=secrets.keycloak_user,
        password=secrets.keycloak_password,
        realm_name="master",
        user_realm_name="master",  # its account is in this realm, even when it works in another
        verify=str(home.ca),
    )
