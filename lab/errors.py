"""The error of the local platform."""

from __future__ import annotations


class LabError(Exception):
    """The local platform cannot do what the user asked. The message tells the user what to do about it."""
