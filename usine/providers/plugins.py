"""Which versions of the providers' plugins the program runs on, and how a plugin is asked for its version."""

from __future__ import annotations

import subprocess
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from semver import Version

#: By provider: the oldest version of its plugin that will do, and what an older one does. It says nothing of it itself.
_OLDEST: Final[Mapping[str, tuple[str, str]]] = {
    "kubernetes": (
        "4.29.0",
        "ignores enable_patch_force and upsert_existing_objects: a field edited by hand would fail every preview",
    ),
}
#: How long a plugin may take to say its version.
PROBE_SECONDS: Final = 20.0


def too_old(name: str, version: str) -> str:
    """Say why the plugin of a provider in this version is refused, and what is allowed; empty when it is allowed.

    A version that is not known is allowed.
    """
    if name not in _OLDEST:
        return ""
    oldest, why = _OLDEST[name]
    if not Version.is_valid(version) or order(version) >= order(oldest):
        return ""
    return f"the {name} plugin {version} {why}; {oldest} or newer is needed"


def has_oldest(name: str) -> bool:
    """Say whether versions of this provider's plugin are refused."""
    return name in _OLDEST


def order(version: str) -> Version:
    """Return what versions are ordered by; one that is not known is older than any."""
    try:
        return Version.parse(version, optional_minor_and_patch=True)
    except ValueError:
        return Version(0, 0, 0, "0")


def probe(path: Path) -> str:
    """Start a plugin and ask its version, without `v`; empty when it does not answer as a plugin does."""
    # Imported here: half a second, and most commands ask no plugin.
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
