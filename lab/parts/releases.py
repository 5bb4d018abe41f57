"""Official releases, downloaded from their publishers. They need no tool and no compiler.

One short probe finds out which of them are reachable (`reachable`). Other parts are made by their recipe.
"""

from __future__ import annotations

import platform
import shutil
import threading
import time
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path

import httpx

from lab.errors import LabError
from lab.parts.archives import untar, unzip, verify
from lab.parts.defaults import DownloadDefaults
from lab.parts.processes import CommandRunner

#: Limit of the probe of all addresses together, in seconds.
PROBE_LIMIT = 2.0
#: Seconds without data after which a download fails.
_STALLED = 20.0
_CHUNK = 1 << 20
#: Publishers' names of a processor, by `platform.machine()`.
_WORDS = {"x86_64": ("amd64", "x64"), "aarch64": ("arm64",)}
#: Used instead of such a name if one file fits every machine.
ANY = "any"


class UnreachableError(LabError):
    """A download failed. The part can still be built."""


@dataclass(frozen=True, slots=True)
class Build:
    """A file of a release for one kind of processor."""

    url: str
    sha256: str
    members: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Download:
    """A file of a release: a zip (unpacked without its only top folder), a tar.gz (some of its files), or plain."""

    #: `{arch}` is the publisher's name of the processor, here and in `members`.
    url: str
    #: One build for each processor with an official release, or one for ANY.
    sha256: tuple[tuple[str, str], ...]
    #: Size in megabytes, for the estimate.
    megabytes: int
    #: For a tar.gz: (member, path in the part). For a plain file: its path in the part, if it differs from its name.
    members: tuple[tuple[str, str], ...] = ()
    path: str = ""
    #: Whether a plain file is executable.
    executable: bool = False

    def here(self) -> Build | None:
        """Return the build for this machine, if there is one."""
        hashes = dict(self.sha256)
        for word in (*_WORDS.get(platform.machine(), ()), ANY):
            if word in hashes:
                members = {member.format(arch=word): path for member, path in self.members}
                return Build(self.url.format(arch=word), hashes[word], members)
        return None


@dataclass(frozen=True, slots=True)
class Release(DownloadDefaults):
    """The recipe of a part that consists of files of an official release."""

    version: str
    downloads: tuple[Download, ...]

    @property
    def tools(self) -> tuple[str, ...]:
        """See `Recipe`."""
        return ()

    @property
    def megabytes(self) -> int:
        """Size of all its files."""
        return sum(download.megabytes for download in self.downloads)

    @property
    def urls(self) -> tuple[str, ...]:
        """URLs of its files for this machine; empty if one of them is missing."""
        found = [download.here() for download in self.downloads]
        return tuple(build.url for build in found if build) if all(found) else ()

    def prepare(self, into: Path, runner: CommandRunner) -> None:
        """Download, check and unpack the files. Raises UnreachableError if a download fails."""
        folder = into / ".download"
        folder.mkdir()
        for download in self.downloads:
            build = download.here()
            if build is None:
                raise LabError(f"{download.url} has nothing for {platform.machine()}")
            file = folder / build.url.rpartition("/")[2]
            _fetch(build.url, file, runner)
            verify(file, build.sha256, build.url, "; it is not used: `usine lab up --build` builds the part instead")
            runner.progress(f"unpacking {file.name}")
            if file.suffix == ".zip":
                unzip(file, into)
            elif file.name.endswith(".tar.gz"):
                untar(file, into, build.members)
            else:
                target = into / (download.path or file.name)
                target.parent.mkdir(parents=True, exist_ok=True)
                file.rename(target)
                target.chmod(0o755 if download.executable else 0o644)
        shutil.rmtree(folder)


def _fetch(url: str, file: Path, runner: CommandRunner) -> None:
    """Download a file, through the environment's proxy if there is one."""
    runner.progress(f"downloading {file.name}")
    try:
        with (
            # Without compression in transit, the received bytes are the ones to count and to hash.
            httpx.stream(
                "GET", url, follow_redirects=True, timeout=_STALLED, headers={"Accept-Encoding": "identity"}
            ) as answer,
            file.open("wb") as target,
        ):
            answer.raise_for_status()
            size = int(answer.headers.get("Content-Length", 0)) / 1e6
            for chunk in answer.iter_bytes(_CHUNK):
                target.write(chunk)
                runner.progress(f"downloading {file.name}: {target.tell() / 1e6:.0f} of {size:.0f} MB")
                runner.children.check()
    except httpx.HTTPStatusError as error:
        raise UnreachableError(f"{url} answers {error.response.status_code}") from None
    except httpx.HTTPError as error:
        raise UnreachableError(f"the download of {url} failed: {error or type(error).__name__}") from None


def reachable(urls: Collection[str], limit: float | None = None) -> frozenset[str]:
    """Return the URLs that answer within `limit` seconds (default: PROBE_LIMIT). All are requested at the same time."""
    found: set[str] = set()
    deadline = time.monotonic() + (PROBE_LIMIT if limit is None else limit)
    try:
        client = httpx.Client(follow_redirects=True, timeout=PROBE_LIMIT)
    except (ImportError, ValueError):  # the environment's proxy is of an unsupported kind
        return frozenset()

    def ask(url: str) -> None:
        try:
            answer = client.head(url)
            # Some networks answer with an HTML page for a site that they block.
            if answer.is_success and "text/html" not in answer.headers.get("Content-Type", ""):
                found.add(url)
        except httpx.HTTPError:
            pass

    # Daemon threads, because the resolution of a name can take longer than the limit.
    askers = [threading.Thread(target=ask, args=(url,), daemon=True) for url in urls]
    for asker in askers:
        asker.start()
    for asker in askers:
        asker.join(max(0.0, deadline - time.monotonic()))
    return frozenset(found.copy())
