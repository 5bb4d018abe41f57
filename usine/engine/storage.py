"""The storage of the state (`PULUMI_BACKEND_URL`), opened with fsspec for the files that Usine keeps beside it.

Drivers of remote storage are optional packages: `s3fs`, `gcsfs`, `adlfs`, of the same version as `fsspec`.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

import fsspec  # type: ignore[import-untyped]

from usine.engine.cli import EngineError

#: URL schemes of Pulumi, with fsspec's protocol and the package of its driver.
_DRIVERS = {"s3": ("s3", "s3fs"), "gs": ("gcs", "gcsfs"), "azblob": ("abfs", "adlfs")}


@contextmanager
def storage_errors(what: str) -> Iterator[None]:
    """Raise EngineError for every error of a storage driver; its message may have a URL with a credential."""
    try:
        yield
    except Exception as error:
        raise EngineError(f"{what}: {type(error).__name__}") from error


class NoStorageError(Exception):
    """No file can be kept beside the state; the message has the reason, in one line."""


@dataclass(frozen=True, slots=True)
class Storage:
    """A folder of a file system.

    `files` is fsspec's file system, `root` the folder that has the state's `.pulumi`. `local`: it is on this machine.
    """

    files: Any  # fsspec has no types
    root: str
    local: bool = False

    def path(self, *parts: str) -> str:
        """Return the full path of a path below the root."""
        return "/".join((self.root.rstrip("/"), *parts))

    def names(self, *folder: str) -> list[str]:
        """Return the names in a folder, sorted; none when the folder does not exist."""
        self.files.invalidate_cache()
        try:
            entries = self.files.ls(self.path(*folder), detail=False)
        except FileNotFoundError:
            return []
        return sorted(str(entry).rstrip("/").rsplit("/", 1)[-1] for entry in entries)

    def find(self, *folder: str, suffix: str) -> list[str]:
        """Return the files below a folder whose names end with `suffix`, as paths relative to it, sorted."""
        self.files.invalidate_cache()
        top = self.path(*folder)
        found = [str(path) for path in self.files.find(top)]
        return sorted(path[path.index(top) + len(top) + 1 :] for path in found if path.endswith(suffix))

    def read(self, *path: str) -> bytes | None:
        """Return the content of a file, or None when it does not exist."""
        try:
            data: bytes = self.files.cat_file(self.path(*path))
        except FileNotFoundError:
            return None
        return data

    def write(self, data: bytes, *path: str, private: bool = False) -> None:
        """Create or replace a file. A concurrent reader gets the old or the new content, never a mixture.

        `private`: on this machine, only the user may read it. The rights on an object are those of its bucket.
        """
        if not self.local:  # object stores replace an object at once
            self.files.pipe_file(self.path(*path), data)
            return
        target = Path(self.path(*path))
        target.parent.mkdir(parents=True, exist_ok=True)
        temporary = target.with_suffix(".tmp")
        temporary.unlink(missing_ok=True)
        temporary.touch(0o600 if private else 0o666)
        temporary.write_bytes(data)
        temporary.replace(target)

    def create(self, data: bytes, *path: str) -> bool:
        """Create a file; return False when it exists. Of several concurrent calls, one returns True."""
        self.files.makedirs(self.path(*path[:-1]), exist_ok=True)
        try:
            with self.files.open(self.path(*path), "xb") as stream:
                stream.write(data)
        except FileExistsError:
            return False
        except OSError:
            # A driver may report a refusal by another error: the content shows whose file it is.
            if (there := self.read(*path)) is None:
                raise
            return there == data
        return True

    def remove(self, *path: str) -> None:
        """Remove a file, if it exists."""
        with suppress(FileNotFoundError):
            self.files.rm_file(self.path(*path))


def state_storage(environment: Mapping[str, str]) -> Storage:
    """Open the storage of the state. Raises NoStorageError when it has no files, or its driver is not installed."""
    url = environment.get("PULUMI_BACKEND_URL", "")
    parts = urlsplit(url)
    if parts.scheme == "file":
        root = os.path.expanduser(unquote(parts.netloc + parts.path))
        return Storage(fsspec.filesystem("file"), os.path.abspath(root), local=True)
    if parts.scheme not in _DRIVERS:
        raise NoStorageError("the state is in a service that keeps locks of its own")
    protocol, package = _DRIVERS[parts.scheme]
    try:
        files = fsspec.filesystem(
            protocol,
            use_listings_cache=False,
            skip_instance_cache=True,
            **_options(parts.scheme, {key: values[-1] for key, values in parse_qs(parts.query).items()}, environment),
        )
    except ImportError:
        raise NoStorageError(
            f"the package {package} is not installed, so no file can be kept beside the state"
        ) from None
    return Storage(files, (parts.netloc + parts.path).rstrip("/"))


def _options(scheme: str, query: Mapping[str, str], environment: Mapping[str, str]) -> dict[str, object]:
    """Return fsspec's options for the query of Pulumi's backend URL; credentials come from the environment."""
    if scheme == "azblob":
        account = query.get("storage_account") or environment.get("AZURE_STORAGE_ACCOUNT")
        return {"account_name": account, "anon": False}
    if scheme != "s3":
        return {}
    client: dict[str, object] = {}
    if region := query.get("region") or environment.get("AWS_REGION"):
        client["region_name"] = region
    if endpoint := query.get("endpoint"):
        plain = query.get("disableSSL") == "true"
        client["endpoint_url"] = endpoint if "://" in endpoint else f"{'http' if plain else 'https'}://{endpoint}"
    options: dict[str, object] = {"client_kwargs": client}
    if profile := query.get("profile") or environment.get("AWS_PROFILE"):
        options["profile"] = profile
    if "true" in {query.get("s3ForcePathStyle"), query.get("use_path_style")}:
        options["config_kwargs"] = {"s3": {"addressing_style": "path"}}
    return options
