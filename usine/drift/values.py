"""The engine's wire values as JSON values that anyone may see."""

from __future__ import annotations

import re
from collections.abc import Mapping

from pulumi.runtime import rpc

from usine.plan.model import SECRET
from usine.spec.texts import find_secrets, has_userinfo

#: Pulumi's markers of a secret on the wire and in the state.
SIGNATURE = rpc._special_sig_key
SECRET_SIGNATURE = rpc._special_secret_sig

#: Keys whose text is a credential, whatever the provider marked. Narrow: `tokenPolicies` and `tokenTtl` are none.
_CREDENTIAL = re.compile(
    r"(pass(word|phrase|wd)|secret|secret_?id|token|private_?key|api_?key|credentials?|data_?json)\Z", re.I
)
_LONGEST = 4000


def plain(value: object, key: str = "") -> object:
    """Turn a wire value into JSON values: secrets masked, whole numbers as integers, very long texts cut.

    `key` is the key the value stands under. Marked secrets are masked, and so are texts that have the shape of a
    secret or stand under a credential's name: providers have been seen to leave theirs unmarked.
    """
    if isinstance(value, Mapping):
        if value.get(SIGNATURE) == SECRET_SIGNATURE:
            return SECRET
        return {str(name): plain(item, str(name)) for name, item in value.items()}
    if isinstance(value, list):
        return [plain(item, key) for item in value]
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, str) and value:
        if _CREDENTIAL.search(key) or find_secrets(value) or has_userinfo(value):
            return SECRET
        if len(value) > _LONGEST:
            return f"{value[:_LONGEST]}… ({len(value):,} characters)"
    return value


def properties(value: object) -> dict[str, object]:
    """Return an object's properties as plain values; nothing for what is no mapping."""
    found = plain(value)
    return found if isinstance(found, dict) else {}
