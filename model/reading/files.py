"""Reads the files of the folder of tenant files, and reports everything else in it."""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from model.problems import START, Problem
from model.reading.yaml_reader import MAX_BYTES
from model.texts import show

_SUFFIX = ".yaml"
#: Notes for people may stand beside the tenant files.
_NOTES = (".md",)


@dataclass(frozen=True, slots=True)
class TenantFile:
    """One file: `source` is its name in messages, `stem` its name without suffix, `data` its bytes."""

    source: str
    stem: str
    data: bytes


def file_of(slug: str, folder: PurePosixPath) -> PurePosixPath:
    """Return the path of a tenant's file in a folder."""
    return folder / f"{slug}{_SUFFIX}"


def slug_of(path: str | PurePosixPath, folder: PurePosixPath) -> str | None:
    """Return the slug of a tenant's file in a folder; None for any other path.

    These are the names that `tenant_files` reads: whether the slug is a good one is checked there, not here.
    """
    pure = PurePosixPath(path)
    if pure.parent != folder or _is_hidden(pure.name) or not pure.name.endswith(_SUFFIX):
        return None
    return pure.name.removesuffix(_SUFFIX)


def _is_hidden(name: str) -> bool:
    return name.startswith(".")


def tenant_files(folder: Path) -> tuple[list[TenantFile], list[Problem]]:
    """Return every tenant file of a folder, sorted by name, and the problems of the folder.

    Hidden entries (editors' swap files, ``.gitkeep``) and Markdown are ignored. Sub-folders, symbolic links, other
    suffixes, files that are not regular or cannot be read, and files over the size limit are problems.
    """
    try:
        with os.scandir(folder) as entries:
            listed = sorted(entries, key=lambda entry: entry.name)
    except OSError as error:
        return [], [Problem(str(folder), *START, f"the folder of tenant files: {error.strerror}")]
    files: list[TenantFile] = []
    problems: list[Problem] = []
    for entry in listed:
        if _is_hidden(entry.name) or (entry.name.endswith(_NOTES) and entry.is_file(follow_symlinks=False)):
            continue
        source = _printable(str(folder / entry.name))
        message = _oddity(entry)
        if message is None:
            data = _read(entry.path)
            if isinstance(data, bytes):
                files.append(TenantFile(source, entry.name.removesuffix(_SUFFIX), data))
                continue
            message = data
        problems.append(Problem(source, *START, message))
    return files, problems


def _printable(text: str) -> str:
    """Escape characters that are legal in a file name and not in a line of output."""
    return text if text.isprintable() else text.encode("unicode_escape", "backslashreplace").decode("ascii")


def _oddity(entry: os.DirEntry[str]) -> str | None:
    try:
        if entry.is_symlink():
            return "a symbolic link: only regular files are allowed in this folder"
        if entry.is_dir():
            return "a sub-folder: move its tenant files into the folder itself, or remove it"
        if not entry.is_file():
            return "not a regular file"
    except OSError as error:
        return f"cannot be read: {error.strerror}"
    if entry.name.endswith(".yml"):
        return f"the suffix is .yaml: rename the file to {show(entry.name.removesuffix('.yml') + _SUFFIX)}"
    if not entry.name.endswith(_SUFFIX):
        return "only <slug>.yaml files and .md notes are allowed in this folder"
    return None


def _read(path: str) -> bytes | str:
    """Return the bytes of a file, one more than the limit at most, or the reason why it cannot be read."""
    try:
        # Another process may have replaced the entry since it was listed: do not follow a link or wait for a pipe.
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        return f"cannot be read: {error.strerror}"
    try:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            return "not a regular file"
        if status.st_size > MAX_BYTES:
            return f"the file has {status.st_size:,} bytes; at most {MAX_BYTES:,} are allowed"
        with open(descriptor, "rb", closefd=False) as stream:
            return stream.read(MAX_BYTES + 1)
    except OSError as error:
        return f"cannot be read: {error.strerror}"
    finally:
        os.close(descriptor)
