"""The end of the plugin's process together with the engine, as for other plugins.

Pulumi starts the dynamic provider as `python -m pulumi.dynamic ENGINE`, where ENGINE is the address of the engine. The
process waits until the engine stops it. If the engine ends by SIGKILL, the process would stay for ever, with the
credentials of the run in its environment (issue 11.A16).
"""

from __future__ import annotations

import os
import socket
import sys
import threading
import time
from collections.abc import Sequence
from typing import Final

#: Seconds between two checks.
_PERIOD: Final = 2.0
#: The end of `sys.argv[0]` in that process, and the number of its arguments.
_PROGRAM: Final = os.path.join("pulumi", "dynamic", "__main__.py")
_ARGUMENTS: Final = 2

_started = threading.Lock()


def end_with_engine(arguments: Sequence[str] | None = None) -> None:
    """Start to check for the engine, and end this process when the engine ends. Does nothing in other processes."""
    address = engine_address(sys.argv if arguments is None else arguments)
    if address is not None and _started.acquire(blocking=False):
        threading.Thread(target=_watch, args=(address,), name="engine-watch", daemon=True).start()


def engine_address(arguments: Sequence[str]) -> tuple[str, int] | None:
    """Return the engine's host and port from the arguments of the plugin's process; None for other processes."""
    if len(arguments) != _ARGUMENTS or not arguments[0].endswith(_PROGRAM):
        return None
    host, _, port = arguments[1].rpartition(":")
    return (host, int(port)) if host and port.isdecimal() else None


def is_gone(address: tuple[str, int]) -> bool:
    """Return whether nothing listens at the address. A time-out does not count: the machine may be too busy."""
    try:
        socket.create_connection(address, timeout=_PERIOD).close()
    except ConnectionRefusedError:
        return True
    except OSError:
        return False
    return False


def _watch(address: tuple[str, int]) -> None:
    while not is_gone(address):
        time.sleep(_PERIOD)
    # Without clean-up: other threads must not keep the process alive, and nobody waits for its answers.
    os._exit(1)
