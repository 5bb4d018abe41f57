"""Free ports for servers of the tests."""

from __future__ import annotations

import random
import socket

LOOPBACK = "127.0.0.1"
#: Below what the kernel gives to outgoing connections: there a server that is started again may find its port taken.
#: And beside the local platforms, which begin at 18000 and 26000.
_RANGE = range(10000, 17000)
#: Not the module's own generator: plugins of pytest seed it, and two workers would then choose the same port at once.
_CHOICE = random.SystemRandom()


def free_port(*offsets: int) -> int:
    """Return a port that is free; with offsets, a base whose ports at all of them are."""
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
