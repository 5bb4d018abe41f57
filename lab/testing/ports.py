"""Free ports for servers in tests."""

from __future__ import annotations

import random
import socket

LOOPBACK = "127.0.0.1"
#: Below the range for outgoing connections, where a restarted server could find its port in use. Not in the ranges of
#: the local platforms, which start at 18000 and 26000.
_RANGE = range(10000, 17000)
#: Not the module's default generator: pytest plugins seed it, so two workers would choose the same port.
_CHOICE = random.SystemRandom()


def free_port(*offsets: int) -> int:
    """Return a free port; with offsets, a base for which the ports at all offsets are free."""
    while True:
        base = _CHOICE.choice(_RANGE)
        if all(_is_free(base + offset) for offset in offsets or (0,)):
            return base


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        try:
            probe.bind((LOOPBACK, port))
        except OSError:
            return False
        return True
