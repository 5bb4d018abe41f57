"""Checks and unpacks downloaded archives. A file with a wrong hash is never used."""

from __future__ import annotations

import hashlib
import shutil
import tarfile
import zipfile
from collections.abc import Mapping
from pathlib import Path

from lab.errors import LabError


def verify(file: Path, sha256: str, what: str, hint: str = "") -> None:
    """Raise LabError unless the file has the pinned hash; `what` names it, `hint` ends the message."""
    with file.open("rb") as content:
        found = hashlib.file_digest(content, "sha256").hexdigest()
    if found != sha256:
        raise LabError(f"{what} has changed: SHA-256 is {found}, not {sha256}{hint}")


def unzip(archive: Path, into: Path) -> None:
    """Unpack a zip without its only top folder, and keep the permissions, which `zipfile` ignores.

    Raises LabError, also for a path outside `into`.
    """
    try:
        with zipfile.ZipFile(archive) as content:
            for entry in content.infolist():
                parts = Path(entry.filename).parts[1:]
                if not parts:
                    continue
                if ".." in parts:
                    raise LabError(f"{archive.name}: {entry.filename} is outside the folder")
                target = into.joinpath(*parts)
                if entry.is_dir():
                    target.mkdir(parents=True, exist_ok=True)
                    continue
                target.parent.mkdir(parents=True, exist_ok=True)
                with content.open(entry) as source, target.open("wb") as copy:
                    shutil.copyfileobj(source, copy)
                if mode := (entry.external_attr >> 16) & 0o777:
                    target.chmod(mode)
    except (zipfile.BadZipFile, OSError) as error:
        raise LabError(f"{archive.name} cannot be unpacked: {error}") from None


def untar(archive: Path, into: Path, only: Mapping[str, str] | None = None) -> None:
    """Unpack the plain files of a tar, executable ones as such; `only` selects members and gives them other names.

    Raises LabError, also for a path outside `into` and for a missing member.
    """
    missing = set(only or ())
    try:
        with tarfile.open(archive) as content:
            for member in content:
                source = content.extractfile(member) if member.isfile() else None
                if source is None or (only is not None and member.name not in only):
                    continue
                missing.discard(member.name)
                target = into / (only[member.name] if only is not None else member.name)
                if not target.resolve().is_relative_to(into.resolve()):
                    raise LabError(f"{archive.name}: {member.name} is outside the folder")
                target.parent.mkdir(parents=True, exist_ok=True)
                with source, target.open("wb") as copy:
                    shutil.copyfileobj(source, copy)
                target.chmod(0o755 if member.mode & 0o100 else 0o644)
    except (tarfile.TarError, EOFError, OSError) as error:
        raise LabError(f"{archive.name} cannot be unpacked: {error}") from None
    if missing:
        raise LabError(f"{archive.name} has no {', '.join(sorted(missing))}")
