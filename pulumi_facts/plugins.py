"""The oldest allowed versions of provider plugins, and a function that asks a plugin for its version."""

from __future__ import annotations

import subprocess
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from semver import Version

#: By provider: the oldest allowed version of its plugin, and what an older one does without an error.
_OLDEST: Final[Mapping[str, tuple[str, str]]] = {
    "kubernetes": (
        "4.29.0",
        "ignores enable_patch_force and upsert_existing_objects: a manually changed field would fail every preview",
    ),
}
#: Seconds to wait for a plugin to answer with its version.
PROBE_SECONDS: Final = 20.0


def too_old(name: str, version: str) -> str:
    """Return why this version of a provider's plugin is refused, and which is allowed; empty if it is allowed.

    An unknown version is allowed.
    """
    if name not in _OLDEST:
        return ""
    oldest, why = _OLDEST[name]
    if not Version.is_valid(version) or order(version) >= order(oldest):
        return ""
    return f"the {name} plugin {version} {why}; {oldest} or newer is needed"


def has_oldest(name: str) -> bool:
    """Return whether some versions of this provider's plugin are refused."""
    return name in _OLDEST


def order(version: str) -> Version:
    """Return the version for comparison; an unknown version is older than all others."""
    try:
        return Version.parse(version, optional_minor_and_patch=True)
    except ValueError:
        return Version(0, 0, 0, "0")


def probe(path: Path) -> str:
    """Start a plugin and return its version, without `v`; empty if it does not answer like a plugin."""
    # Imported here: it takes half a second, and most commands ask no plugin.
    import grpc  # type: ignore[import-untyped]  # noqa: PLC0415 - see above
    from google.protobuf import empty_pb2  # noqa: PLC0415 - see above
    from pulumi.runtime.proto import provider_pb2_grpc  # noqa: PLC0415 - see above

    try:
        # The address of an engine. The plugin sends nothing there for this request.
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
