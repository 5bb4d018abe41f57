"""Keep credentials out of what is shown of a run: providers have been seen to put them into errors and properties."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from model.texts import find_secrets, is_secret_key
from usine.report.model import PropertyChange

#: What stands for a value nobody may see; the engine writes the same.
SECRET = "[secret]"  # noqa: S105 - the mask itself

#: Shorter values stand in too many places that have nothing to do with them.
_SHORTEST = 8
_USERINFO = re.compile(r"(?<=://)[^/?#\s@]*@")
_WORD = re.compile(r"[^\s\"'<>,;)\]}]+")
#: Properties that hold a secret whatever they hold; many others only speak of one (`tokenPolicies`, `secretName`).
_SECRET_PROPERTIES = frozenset({"password", "secret", "token", "clientsecret", "secretkey", "privatekey", "passphrase"})


@dataclass(frozen=True, slots=True)
class Redactor:
    """Masks the environment's own credentials wherever they stand, and whatever has the shape of one."""

    known: tuple[str, ...] = ()

    @staticmethod
    def of(environment: Mapping[str, str]) -> Redactor:
        """Know the credentials of an environment by the names of their variables."""
        values = {
            value
            for name, value in environment.items()
            if is_secret_key(name) and len(value) >= _SHORTEST and not value.startswith(("/", "http://", "https://"))
        }
        return Redactor(tuple(sorted(values, key=len, reverse=True)))

    def text(self, text: str) -> str:
        """Return a text for people without credentials."""
        for value in self.known:
            text = text.replace(value, SECRET)
        for offset, _ in reversed(find_secrets(text)):
            if text.startswith("-----BEGIN", offset):
                text = text[:offset] + SECRET  # a key goes on over several lines, or words
            elif word := _WORD.match(text, offset):
                text = text[:offset] + SECRET + text[word.end() :]
        return _USERINFO.sub(f"{SECRET}@", text)

    def value(self, value: object, key: str = "") -> object:
        """Return JSON values without credentials; `key` is the property they are of."""
        if isinstance(value, Mapping):
            return {name: self.value(item, str(name)) for name, item in value.items()}
        if isinstance(value, list):
            return [self.value(item, key) for item in value]
        if not isinstance(value, str):
            return value
        return SECRET if key.replace("_", "").lower() in _SECRET_PROPERTIES and value else self.text(value)

    def change(self, change: PropertyChange) -> PropertyChange:
        """Return a change without credentials."""
        key = change.path.rsplit(".", 1)[-1]
        return PropertyChange(change.path, self.value(change.before, key), self.value(change.after, key))
