"""Special values: a secret, a value that is not known yet, and the absence of a value.

The constants are Pulumi's own (`sdk/go/common/resource/properties.go` and `sdk/go/common/resource/plugin/rpc.go`). The
Python SDK has most of them as private names only; `tests/pulumi_facts` compares the two.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping
from typing import Final

#: The key that marks a mapping as a special value, and the mark of a secret.
SIGNATURE: Final = "4dabf18193072939515e22adb298388d"
SECRET_SIGNATURE: Final = "1b47061264138c4ac30d75fd1eb44270"  # noqa: S105 - a mark, not a secret
#: The mark of a reference to a resource.
RESOURCE_SIGNATURE: Final = "5cf8f73096256a8f31e491e813e4eb8e"
#: The text that stands for an unknown value, by the value's type.
UNKNOWN: Final = "04da6b54-80e4-46f7-96ec-b56ff0331ba9"
UNKNOWNS: Final = frozenset(
    {
        "1c4a061d-8072-4f0a-a4cb-0ff528b18fe7",  # a boolean
        "3eeb2bf0-c639-47a8-9e75-3b44932eb421",  # a number
        UNKNOWN,  # a string
        "6a19a0b0-7e62-4c92-b797-7f8e31da9cc2",  # a list
        "030794c1-ac77-496b-92df-f27374a8bd58",  # an asset
        "e48ece36-62e2-4504-bad9-02848725956a",  # an archive
        "dd056dcd-154b-4c76-9bd3-c8f88648b5ff",  # a mapping
    }
)
#: The input in which a bridged plugin lists the inputs that it filled in itself.
DEFAULTS: Final = "__defaults"
#: The input in which a dynamic resource carries its provider's code (`pulumi.dynamic`).
DYNAMIC_PROVIDER: Final = "__provider"

#: What stands for a secret in everything that people read or that is kept. The engine's event log writes the same.
SECRET: Final = "[secret]"  # noqa: S105 - the mask itself


class Absent(enum.Enum):
    """The value of a property that is not there. Null is a value; this is none."""

    ABSENT = "absent"


ABSENT: Final = Absent.ABSENT


def is_special(value: object) -> bool:
    """Return whether a value on the wire is a marked mapping: a secret, an asset, an archive."""
    return isinstance(value, Mapping) and SIGNATURE in value


def is_secret(value: object) -> bool:
    """Return whether a value on the wire is a secret."""
    return isinstance(value, Mapping) and value.get(SIGNATURE) == SECRET_SIGNATURE


def plain(value: object, *, secret: object = SECRET, unknown: object = None) -> object:
    """Return a value on the wire as JSON values, with `secret` in place of each secret and whole numbers as integers.

    `unknown` takes the place of what is not known yet; None leaves Pulumi's text. Lists of `DEFAULTS` are left out.
    """
    if isinstance(value, Mapping):
        if is_secret(value):
            return secret
        return {
            str(name): plain(item, secret=secret, unknown=unknown) for name, item in value.items() if name != DEFAULTS
        }
    if isinstance(value, list):
        return [plain(item, secret=secret, unknown=unknown) for item in value]
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if unknown is not None and isinstance(value, str) and value in UNKNOWNS:
        return unknown
    return value
