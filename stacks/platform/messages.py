"""The debug messages of Pulumi's SDK, which nobody reads in an ordinary run.

The SDK sends each one to the engine and waits for its answer. The engine shows them with `--debug` and drops them
otherwise. They are an eighth of the program's processor time, and no setting of the SDK (3.259) turns them off.
"""

from __future__ import annotations

import os

import pulumi


def drop(*_message: object, **_options: object) -> None:
    """Take what `pulumi.log.debug` takes, and do nothing."""


def drop_the_sdk_s_messages() -> None:
    """Drop them for the rest of this process, unless `USINE_SDK_MESSAGES` is set."""
    if not os.environ.get("USINE_SDK_MESSAGES"):
        pulumi.log.debug = drop
