"""The plugin's process ends with the engine, as other plugins do.

Pulumi starts the dynamic provider as `python -m pulumi.dynamic ENGINE`, ENGINE being the address the engine listens on.
That process only waits to be told to stop. An engine that was killed with SIGKILL tells nobody: the process would stay
for ever, with the credentials of the run in its environment (issue 11.A16).
"""

from __future__ import annotations

import os
import socket
import sys
import threading
import time
from collections.abc import Sequence
from typing import Final

#: Seconds between two looks.
_PERIOD: Final = 2.0
#: What `sys.argv[0]` ends with in that process, and how many arguments it has.
_PROGRAM: Final = os.path.join("pulumi", "dynamic", "__main__.py")
_ARGUMENTS: Final = 2

_started = threading.Lock()


def end_with_engine(arguments: Sequence[str] | None = None) -> None:
    """Look for the engine from now on, and end this process when it is gone. Does nothing in any other process."""
    address = engine_address(sys.argv if arguments is None else arguments)
    if address is not None and _started.acquire(blocking=False):
        threading.Thread(target=_watch, args=(address,), name="engine-watch", daemon=True).start()


def engine_address(arguments: Sequence[str]) -> tuple[str, int] | None:
    """Return the engine's host and port from the arguments of the plugin's process; None for those of another one."""
    if len(arguments) != _ARGUMENTS or not arguments[0].endswith(_PROGRAM):
        return None
    host, _, port = arguments[1].rpartition(":")
    return (host, int(port)) if host and port.isdecimal() else None


def is_gone(address: tuple[str, int]) -> bool:
    """Say whether nothing listens there any more. A machine that is too busy to answer says nothing of the kind."""
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
    # No thread of the plugin may keep it alive; what it would answer, nobody waits for.
    os._exit(1)
