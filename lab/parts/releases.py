"""Official releases, straight from their publishers: a part that is taken so needs no tool and no compiler.

They are taken where they can be reached, which one short probe tells for all of them (`reachable`). Where they cannot,
the part is made by its other recipe.
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
from lab.parts.processes import Runner

#: Seconds that the probe takes at most, all addresses together.
PROBE_LIMIT = 2.0
#: Seconds without a byte after which a download has failed.
_STALLED = 20.0
_CHUNK = 1 << 20
#: What publishers call a processor, by `platform.machine()`.
_WORDS = {"x86_64": ("amd64", "x64"), "aarch64": ("arm64",)}
#: Stands for such a word where one file fits every machine.
ANY = "any"


class UnreachableError(LabError):
    """A download did not arrive: the part can still be made in another way."""


@dataclass(frozen=True, slots=True)
class Build:
    """A file of a release for one kind of processor."""

    url: str
    sha256: str
    members: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Download:
    """A file of a release: a zip (unpacked without its one top folder), a tar.gz (some of its files), or plain."""

    #: `{arch}` stands for the publisher's word for the processor, also in the names of `members`.
    url: str
    #: (that word, or ANY; SHA-256). A processor that is not here has no official release.
    sha256: tuple[tuple[str, str], ...]
    #: Size, for the estimate.
    megabytes: int
    #: Of a tar.gz: (member, path in the part). Of a plain file: its path in the part, if not its own name.
    members: tuple[tuple[str, str], ...] = ()
    path: str = ""
    #: Whether a plain file is a program.
    executable: bool = False

    def here(self) -> Build | None:
        """What is published for this machine, if anything is."""
        hashes = dict(self.sha256)
        for word in (*_WORDS.get(platform.machine(), ()), ANY):
            if word in hashes:
                members = {member.format(arch=word): path for member, path in self.members}
                return Build(self.url.format(arch=word), hashes[word], members)
        return None


@dataclass(frozen=True, slots=True)
class Release:
    """A part out of the files of an official release. A `Recipe`."""

    version: str
    downloads: tuple[Download, ...]

    @property
    def compiles(self) -> bool:
        """See `Recipe`."""
        return False

    @property
    def tools(self) -> tuple[str, ...]:
        """See `Recipe`."""
        return ()

    @property
    def sources(self) -> Path | None:
        """See `Recipe`."""
        return None

    @property
    def megabytes(self) -> int:
        """Size of all its files."""
        return sum(download.megabytes for download in self.downloads)

    @property
    def urls(self) -> tuple[str, ...]:
        """Addresses of its files for this machine; none where it lacks one of them."""
        found = [download.here() for download in self.downloads]
        return tuple(build.url for build in found if build) if all(found) else ()

    def prepare(self, into: Path, runner: Runner) -> None:
        """Download the files, check them, unpack them. Raises UnreachableError where one does not arrive."""
        folder = into / ".download"
        folder.mkdir()
        for download in self.downloads:
            build = download.here()
            if build is None:
                raise LabError(f"{download.url} has nothing for {platform.machine()}")
            file = folder / build.url.rpartition("/")[2]
            _fetch(build.url, file, runner)
            verify(file, build.sha256, build.url, "; nothing of it is used: `usine lab up --build` does without")
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

    def finish(self, into: Path, runner: Runner) -> None:
        """Nothing is left to do."""


def _fetch(url: str, file: Path, runner: Runner) -> None:
    """Download through the proxy that the environment names, if any."""
    runner.progress(f"downloading {file.name}")
    try:
        with (
            # Not compressed once more on the way: what arrives is what is counted and hashed.
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
        raise UnreachableError(f"{url} did not arrive: {error or type(error).__name__}") from None


def reachable(urls: Collection[str], limit: float | None = None) -> frozenset[str]:
    """Those that answer within `limit` seconds (PROBE_LIMIT), asked all at once."""
    found: set[str] = set()
    deadline = time.monotonic() + (PROBE_LIMIT if limit is None else limit)
    try:
        client = httpx.Client(follow_redirects=True, timeout=PROBE_LIMIT)
    except (ImportError, ValueError):  # the environment names a proxy of a kind that cannot be used
        return frozenset()

    def ask(url: str) -> None:
        try:
            answer = client.head(url)
            # A page is not a file: some networks answer for a site that they keep out of reach.
            if answer.is_success and "text/html" not in answer.headers.get("Content-Type", ""):
                found.add(url)
        except httpx.HTTPError:
            pass

    # Daemons: a name that no server resolves may keep one for longer than the limit.
    askers = [threading.Thread(target=ask, args=(url,), daemon=True) for url in urls]
    for asker in askers:
        asker.start()
    for asker in askers:
        asker.join(max(0.0, deadline - time.monotonic()))
    return frozenset(found.copy())
