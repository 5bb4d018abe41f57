"""Where an official provider plugin may come from: a folder, the user's own Pulumi, a download."""

from __future__ import annotations

import os
import platform
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

#: How long a plugin may take to say its version.
PROBE_SECONDS: Final = 20.0
#: How long one attempt to download may take.
DOWNLOAD_SECONDS: Final = 60.0


@dataclass(frozen=True, slots=True)
class Official:
    """An official plugin found: an executable, or a `.tar.gz` that holds one."""

    name: str
    version: str
    path: Path

    def place(self, target: Path) -> None:
        """Put the executable at `target`, a file that does not exist. Raises OSError when it cannot."""
        target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        if self.path.name.endswith(".tar.gz"):
            _extract(self.path, target)
        else:
            try:
                os.link(self.path.resolve(), target)  # hundreds of megabytes
            except OSError:
                shutil.copyfile(self.path, target)
                target.chmod(0o700)


def find(name: str, version: str, folder: Path | None) -> tuple[Official | None, str]:
    """Look for `pulumi-resource-<name>` of this very version: the engine takes no other.

    Return what was found, or None and why what is there will not do (empty when there is nothing).
    """
    refused = ""
    for path, stated in _candidates(name, folder):
        found = stated or probe(path)
        if found == version:
            return Official(name, version, path), ""
        refused = refused or f"{path} is version {found or 'unknown'}"
    return None, refused


def users_plugins() -> Path:
    """Return the folder of plugins of the user's own Pulumi; it may not exist."""
    return Path(os.environ.get("PULUMI_HOME") or Path.home() / ".pulumi") / "plugins"


def _candidates(name: str, folder: Path | None) -> Iterator[tuple[Path, str]]:
    """Yield candidates and the versions their names state (empty: ask it)."""
    executable = f"pulumi-resource-{name}"
    if folder is not None:
        if (folder / executable).is_file():
            yield folder / executable, ""
        yield from _versioned(name, folder)
        for archive in sorted(folder.glob(f"{executable}-v*.tar.gz")):
            stated = re.fullmatch(rf"{executable}-v(\d[^-]*)-(\w+)-(\w+)\.tar\.gz", archive.name)
            if stated and stated.group(2, 3) == _machine():
                yield archive, stated.group(1)
    yield from _versioned(name, users_plugins())


def _versioned(name: str, folder: Path) -> Iterator[tuple[Path, str]]:
    prefix = f"resource-{name}-v"
    for file in sorted(folder.glob(f"{prefix}*/pulumi-resource-{name}")):
        if file.is_file():
            yield file, file.parent.name.removeprefix(prefix)


def _machine() -> tuple[str, str]:
    machine = platform.machine().lower()
    return sys.platform, {"x86_64": "amd64", "aarch64": "arm64"}.get(machine, machine)


def _extract(archive: Path, target: Path) -> None:
    try:
        with tarfile.open(archive) as content:
            source = content.extractfile(target.name)
            if source is None:
                raise OSError(f"{archive} has no file {target.name}")
            with source, target.open("xb") as file:
                shutil.copyfileobj(source, file)
    except (tarfile.TarError, KeyError, EOFError) as error:
        raise OSError(f"{archive} is not an archive with {target.name}: {error}") from None
    target.chmod(0o700)


def probe(path: Path) -> str:
    """Start a plugin and ask its version, without `v`; empty when it does not answer as a plugin does."""
    # Imported here: half a second, and `status` does not need it.
    import grpc  # type: ignore[import-untyped]  # noqa: PLC0415
    from google.protobuf import empty_pb2  # noqa: PLC0415
    from pulumi.runtime.proto import provider_pb2_grpc  # noqa: PLC0415

    try:
        # The address is where an engine would be: nothing is sent there for this question.
        process = subprocess.Popen(
            [path, "127.0.0.1:1"], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
        )
    except OSError:
        return ""
    limit = threading.Timer(PROBE_SECONDS, process.kill)
    limit.start()
    try:
        assert process.stdout is not None  # noqa: S101 - a pipe was asked for
        port = process.stdout.readline().strip()
        if not port.isdigit():
            return ""
        with grpc.insecure_channel(f"127.0.0.1:{port.decode()}") as channel:
            stub = provider_pb2_grpc.ResourceProviderStub(channel)
            answer = stub.GetPluginInfo(empty_pb2.Empty(), timeout=PROBE_SECONDS, wait_for_ready=True)
        return str(answer.version).removeprefix("v")
    except grpc.RpcError:
        return ""
    finally:
        limit.cancel()
        process.kill()
        process.communicate()


def download(name: str, version: str, environment: Mapping[str, str]) -> str:
    """Have `pulumi` download a plugin into its PULUMI_HOME, once. Return why it failed; empty when it is there."""
    pulumi = shutil.which("pulumi", path=environment.get("PATH"))
    if pulumi is None:
        return "no `pulumi` on the PATH"
    with tempfile.TemporaryFile() as output:
        try:
            code = subprocess.run(
                [pulumi, "plugin", "install", "resource", name, version],
                env=dict(environment),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                timeout=DOWNLOAD_SECONDS,
                check=False,
            ).returncode
        except subprocess.TimeoutExpired:
            return f"no answer within {DOWNLOAD_SECONDS:.0f} s"
        if code == 0:
            return ""
        output.seek(0)
        lines = output.read().decode("utf-8", "replace").strip().splitlines()
    return lines[-1].strip() if lines else f"`pulumi plugin install` ended with exit code {code}"
