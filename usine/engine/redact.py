"""Masks credentials in errors and properties of a run: some providers put them there."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from model.texts import find_secrets, is_secret_key
from pulumi_facts.values import SECRET
from usine.report.model import PropertyChange

#: Shorter values also occur in texts that have nothing to do with a credential.
_SHORTEST = 8
_USERINFO = re.compile(r"(?<=://)[^/?#\s@]*@")
_WORD = re.compile(r"[^\s\"'<>,;)\]}]+")
#: Names of properties whose value is always a secret. Many others only contain such a word: `tokenPolicies`,
#: `secretName`.
_SECRET_PROPERTIES = frozenset({"password", "secret", "token", "clientsecret", "secretkey", "privatekey", "passphrase"})


@dataclass(frozen=True, slots=True)
class Redactor:
    """Masks the credentials of the environment, and every text that has the form of a credential."""

    known: tuple[str, ...] = ()

    @staticmethod
    def of(environment: Mapping[str, str]) -> Redactor:
        """Return a redactor for the credentials of an environment, found by the names of their variables."""
        values = {
            value
            for name, value in environment.items()
            if is_secret_key(name) and len(value) >= _SHORTEST and not value.startswith(("/", "http://", "https://"))
        }
        return Redactor(tuple(sorted(values, key=len, reverse=True)))

    def text(self, text: str) -> str:
        """Return a text with every credential masked."""
        for value in self.known:
            text = text.replace(value, SECRET)
        for offset, _ in reversed(find_secrets(text)):
            if text.startswith("-----BEGIN", offset):
                text = text[:offset] + SECRET  # a private key has several lines
            elif word := _WORD.match(text, offset):
                text = text[:offset] + SECRET + text[word.end() :]
        return _USERINFO.sub(f"{SECRET}@", text)

    def value(self, value: object, key: str = "") -> object:
        """Return JSON values with every credential masked; `key` is the name of the property."""
        if isinstance(value, Mapping):
            return {name: self.value(item, str(name)) for name, item in value.items()}
        if isinstance(value, list):
            return [self.value(item, key) for item in value]
        if not isinstance(value, str):
            return value
        return SECRET if key.replace("_", "").lower() in _SECRET_PROPERTIES and value else self.text(value)

    def change(self, change: PropertyChange) -> PropertyChange:
        """Return a change with every credential masked."""
        key = change.path.rsplit(".", 1)[-1]
        return PropertyChange(change.path, self.value(change.before, key), self.value(change.after, key))
