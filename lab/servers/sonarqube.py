"""A real SonarQube, with its embedded database and search engine in the platform's folder.

Its search engine refuses to run as root. If the platform runs as root (a container, a CI machine), SonarQube runs in a
user namespace in which it is not root and has no capability. Outside the namespace it still owns its files, so no file
changes its owner and no private folder has to be readable for another user.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import httpx
from cryptography import x509
from cryptography.hazmat.primitives.serialization import PrivateFormat, pkcs12

from lab.errors import LabError
from lab.files import write_private
from lab.home import LabHome
from lab.process import Command
from lab.servers.base import Context, LabServer, client
from lab.sockets import LOOPBACK

_ADMINISTRATOR = "admin"
_FIRST_PASSWORD = "admin"  # noqa: S105 - the published one of every new SonarQube, changed at the first start
#: Name of the administrator's token that the platform's clients use.
_TOKEN = "usine-lab"  # noqa: S105 - a name
_NOBODY = ("unshare", "--user", "--map-user=65534", "--map-group=65534", "--")
#: File that lists the parts of which the installation was made.
_ORIGIN = "origin"
#: Java requires a password for the trust store; the file contains no secret.
_TRUST_PASSWORD = "changeit"  # noqa: S105 - the default password of Java's public trust store
#: Most processor time is spent at the start, for which the JVM's quick compiler is enough. So it is for the scanner.
JVM = "-XX:+UseSerialGC -XX:TieredStopAtLevel=1"


def address(home: LabHome) -> str:
    """Return the URL without a path."""
    return f"http://{LOOPBACK}:{home.ports.sonarqube}"


#: Options that SonarQube passes on to Elasticsearch (`EsSettings`). Many machines allow fewer memory maps than it
#: requires, and only root can raise that limit. On a disk that is 90 % full, Elasticsearch allocates no index, and
#: SonarQube ends a minute after its start (CI of 2026-11-29).
_SEARCH = "-Dnode.store.allow_mmap=false -Dcluster.routing.allocation.disk.threshold_enabled=false"


class SonarQubeServer(LabServer):
    """Five Java processes: the first starts the others, which are search (two), web and compute engine."""

    name = "sonarqube"
    parts = ("sonarqube", "sonarqube-oidc")
    limit = 420.0

    def ports(self, home: LabHome) -> tuple[int, ...]:
        """Ports of web, search and database."""
        return (home.ports.sonarqube, home.ports.sonarqube_search, home.ports.sonarqube_database)

    def where(self, home: LabHome) -> str:
        """URL of the log-in page."""
        return address(home)

    def command(self, context: Context) -> Command:
        """Make the folders and return the command. Its settings contain no secret."""
        home = context.home
        folder = home.data / self.name
        program = _install(context.parts["sonarqube"].resolve(), context.parts["sonarqube-oidc"].resolve(), folder)
        paths = {name: folder / name for name in ("data", "logs", "temp", "search-temp")}
        for path in paths.values():
            path.mkdir(mode=0o700, parents=True, exist_ok=True)
        trust = folder / "authorities.p12"
        _write_trust(home.ca, trust)
        settings = {
            "sonar.web.host": LOOPBACK,
            "sonar.web.port": home.ports.sonarqube,
            "sonar.search.host": LOOPBACK,
            "sonar.search.port": home.ports.sonarqube_search,
            "sonar.embeddedDatabase.port": home.ports.sonarqube_database,
            "sonar.path.data": paths["data"],
            "sonar.path.logs": paths["logs"],
            "sonar.path.temp": paths["temp"],
            "sonar.telemetry.enable": "false",
            "sonar.updatecenter.activate": "false",
            "sonar.web.javaOpts": f"-Xmx512m -Xms128m {JVM}",
            "sonar.ce.javaOpts": f"-Xmx384m -Xms64m {JVM}",
            "sonar.search.javaOpts": "-Xmx384m -Xms384m -XX:MaxDirectMemorySize=128m -XX:TieredStopAtLevel=1",
            # Users log in at Keycloak, whose certificate is signed by the platform's authority.
            "sonar.web.javaAdditionalOpts": (
                f"-Djavax.net.ssl.trustStore={trust} -Djavax.net.ssl.trustStorePassword={_TRUST_PASSWORD}"
            ),
            "sonar.search.javaAdditionalOpts": _SEARCH,
        }
        arguments = (
            *_unprivileged(),
            "java",
            "-Xms8m",
            "-Xmx64m",
            "-jar",
            str(program),
            *(f"-D{key}={value}" for key, value in settings.items()),
        )
        environment = {"SONAR_ES_BOOTSTRAP_CHECKS_DISABLE": "true", "ES_TMPDIR": str(paths["search-temp"])}
        return Command(arguments, environment, folder, (folder / _ORIGIN, home.ca))

    def healthy(self, home: LabHome) -> bool:
        """Whether it is up, with its database and its search engine."""
        try:
            with client(home, address(home)) as http:
                answer = http.get("/api/system/status")
                return answer.is_success and answer.json()["status"] == "UP"
        except (LabError, httpx.HTTPError, ValueError, LookupError, TypeError):
            return False

    def set_up(self, context: Context) -> None:
        """Set the platform's password for the administrator and create a token, unless the stored ones work."""
        secrets = context.secrets
        try:
            with client(context.home, address(context.home), timeout=60) as http:
                if secrets.sonarqube_token and _works(http, httpx.BasicAuth(secrets.sonarqube_token, "")):
                    return
                administrator = self._administrator(context, http)
                self._post(http, administrator, "/api/user_tokens/revoke", name=_TOKEN)  # no error if there is none
                made = self._post(http, administrator, "/api/user_tokens/generate", name=_TOKEN, type="USER_TOKEN")
                context.secrets.update(context.home, sonarqube_token=str(made.json()["token"]))
                # Otherwise each log-in of the administrator asks to accept the risk of third-party plugins.
                self._post(http, administrator, "/api/settings/set", key="sonar.plugins.risk.consent", value="ACCEPTED")
        except (httpx.HTTPError, ValueError, LookupError, TypeError) as error:
            raise LabError(f"{self.name}: its administrator cannot be set up: {error}") from None

    def _administrator(self, context: Context, http: httpx.Client) -> httpx.BasicAuth:
        wanted = httpx.BasicAuth(_ADMINISTRATOR, context.secrets.sonarqube_password)
        if _works(http, wanted):
            return wanted
        first = httpx.BasicAuth(_ADMINISTRATOR, _FIRST_PASSWORD)
        if not _works(http, first):
            raise LabError(
                f"{self.name}: refuses its administrator: its data does not match {context.home.secrets}. "
                "Delete both with `usine lab reset`"
            )
        self._post(
            http,
            first,
            "/api/users/change_password",
            login=_ADMINISTRATOR,
            previousPassword=_FIRST_PASSWORD,
            password=context.secrets.sonarqube_password,
        )
        return wanted

    def _post(self, http: httpx.Client, auth: httpx.Auth, path: str, **form: str) -> httpx.Response:
        http.cookies.clear()  # a password change opens a session, which would need a CSRF token
        answer = http.post(path, data=form, auth=auth)
        if not answer.is_success:
            raise LabError(f"{self.name}: POST {path}: HTTP {answer.status_code}")
        return answer


def _works(http: httpx.Client, auth: httpx.Auth) -> bool:
    return bool(http.get("/api/authentication/validate", auth=auth).raise_for_status().json()["valid"])


def _install(part: Path, oidc: Path, folder: Path) -> Path:
    """Make an installation of links that includes the log-in plugin, and return the program that starts SonarQube.

    SonarQube resolves symbolic links to its program to find its plugins, so the program is a hard link or a copy.
    Raises LabError if the part has no program.
    """
    found = sorted((part / "lib").glob("sonar-application-*.jar"))
    if not found:
        raise LabError(f"{part} has no lib/sonar-application-*.jar: remove that folder and run `usine lab up` again")
    home, memory = folder / "home", folder / _ORIGIN
    program, origin = home / "lib" / found[0].name, f"{part}\n{oidc}\n"
    if memory.exists() and memory.read_text(encoding="utf-8") == origin:
        return program
    memory.unlink(missing_ok=True)  # the installation is incomplete until the end of this function
    shutil.rmtree(home, ignore_errors=True)
    for name in ("lib", "extensions/plugins", "extensions/downloads", "conf"):
        (home / name).mkdir(mode=0o700, parents=True)
    for path in (*part.iterdir(), *(part / "lib").iterdir(), part / "extensions" / "jdbc-driver"):
        link = home / path.relative_to(part)
        if path.name not in {"data", "logs", "temp"} and not link.exists():
            link.symlink_to(path)
    program.unlink()
    try:
        os.link(found[0], program)  # 137 MB
    except OSError:
        shutil.copyfile(found[0], program)
    shutil.copyfile(oidc / "sonarqube-oidc.jar", home / "extensions" / "plugins" / "sonarqube-oidc.jar")
    write_private(memory, origin)
    return program


def _write_trust(authority: Path, trust: Path) -> None:
    """Write the platform's authority as a Java trust store, unless it is there."""
    certificate = x509.load_pem_x509_certificate(authority.read_bytes())
    try:
        written = pkcs12.load_pkcs12(trust.read_bytes(), _TRUST_PASSWORD.encode()).additional_certs
    except (OSError, ValueError):
        written = []
    if [entry.certificate for entry in written] == [certificate]:
        return
    encryption = PrivateFormat.PKCS12.encryption_builder().build(_TRUST_PASSWORD.encode())
    entry = pkcs12.PKCS12Certificate(certificate, b"usine")
    write_private(trust, pkcs12.serialize_java_truststore([entry], encryption))


def _unprivileged() -> tuple[str, ...]:
    """Return the command prefix that drops root; empty if this process is not root. Raises LabError if that fails."""
    if os.geteuid() != 0:
        return ()
    try:
        subprocess.run([*_NOBODY, "true"], check=True, capture_output=True, timeout=30)
    except (OSError, subprocess.SubprocessError):
        raise LabError(
            f"{SonarQubeServer.name}: does not run as root, and root cannot create a user namespace on this machine "
            "(`unshare --user true`, as in a container without that right): run the platform as another user"
        ) from None
    return _NOBODY
