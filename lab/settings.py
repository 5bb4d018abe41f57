"""The stack's settings file, for a platform with other ports or another folder than in `Pulumi.lab.yaml`."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Final

from lab.errors import LabError
from lab.files import write_private
from lab.home import CHECKOUT, LabHome
from lab.ports import DEFAULT_BASE

_ENDPOINT: Final = re.compile(r"(?<=\b127\.0\.0\.1:)(\d+)\b")
#: A platform uses the 1000 ports from its base.
_PORTS: Final = 1000
# A whole path only: `.lab/pki` but not `my.lab/pki`.
_FOLDER: Final = re.compile(r"(?<![\w./-])(?:\./)?\.lab/")
_SALT: Final = re.compile(r"^encryptionsalt:[ \t].*(?:\n|\Z)", re.MULTILINE)


def write_settings(home: LabHome, source: Path = CHECKOUT / "Pulumi.lab.yaml") -> None:
    """Write this platform's settings file. Raises LabError; OSError when the source cannot be read."""
    # Atomic, so that two commands at the same time never read a partial file.
    write_private(home.settings, render(source.read_text(encoding="utf-8"), home))


def render(source: str, home: LabHome) -> str:
    """Return the text of `Pulumi.lab.yaml` with this platform's endpoints and paths; comments and order are kept.

    Paths below the checkout stay relative, as the program expects. The `encryptionsalt` line that the engine wrote to
    `home.settings` is kept, because the stack's secrets cannot be read without it. Raises LabError when that file is
    unreadable or the folder's path needs quotes in YAML.
    """
    text = _ENDPOINT.sub(lambda match: str(_moved(int(match.group()), home.port_base)), source)
    folder = _relative(home.root)
    if not re.fullmatch(r"[\w./@+-]+", folder):
        raise LabError(f"{home.root}: choose a folder without spaces and special characters for the local platform")
    text = _FOLDER.sub(lambda _match: f"{folder}/", text)
    # A salt in the source belongs to another platform, which has another passphrase.
    text = _SALT.sub("", text)
    salt = _SALT.search(_written(home))
    return text if salt is None else f"{text.rstrip()}\n{salt.group().rstrip()}\n"


def _moved(port: int, base: int) -> int:
    return port - DEFAULT_BASE + base if DEFAULT_BASE <= port < DEFAULT_BASE + _PORTS else port


def _relative(root: Path) -> str:
    return os.path.relpath(root, CHECKOUT) if root.is_relative_to(CHECKOUT) else str(root)


def _written(home: LabHome) -> str:
    try:
        return home.settings.read_text(encoding="utf-8")
    except FileNotFoundError:
        return ""
    except (OSError, UnicodeDecodeError) as error:
        raise LabError(f"{home.settings} cannot be read: {error}") from None
