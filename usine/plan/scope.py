"""A part of the platform to plan: some tenants, and of the foundation's people some."""

from __future__ import annotations

import json
from dataclasses import dataclass

from pydantic import BaseModel, ConfigDict, ValidationError


@dataclass(frozen=True, slots=True)
class Scope:
    """Which tenants to plan, by slug, and which people the foundation knows; None: those of these tenants."""

    tenants: frozenset[str]
    people: frozenset[str] | None = None

    def dumps(self) -> str:
        """Render as JSON, the same bytes for the same scope."""
        people = None if self.people is None else sorted(self.people)
        return json.dumps({"tenants": sorted(self.tenants), "people": people}) + "\n"


class _ScopeDocument(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)

    tenants: list[str]
    people: list[str] | None = None


def load_scope(text: str | bytes) -> Scope:
    """Return the scope of ``{"tenants": [slug], "people": [user name] or null}``. Raises ValueError."""
    try:
        document = _ScopeDocument.model_validate_json(text)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(map(str, first["loc"])) or "the whole"
        raise ValueError(f"not a scope: {where}: {first['msg']}") from None
    people = None if document.people is None else frozenset(document.people)
    return Scope(frozenset(document.tenants), people)
