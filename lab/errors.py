"""What the local platform says when it cannot go on."""

from __future__ import annotations


class LabError(Exception):
    """The local platform cannot do what was asked. The message is for the user: it says what to do about it."""
