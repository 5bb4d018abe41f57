"""A part of the platform to plan: some tenants, and some people of the foundation."""

from __future__ import annotations

import json
from dataclasses import dataclass

from pydantic import ConfigDict, TypeAdapter, ValidationError, with_config


@with_config(ConfigDict(extra="forbid", strict=True))
@dataclass(frozen=True, slots=True)
class PlanScope:
    """The tenants to plan, by slug, and the people of the foundation; None: the people of these tenants."""

    tenants: frozenset[str]
    people: frozenset[str] | None = None

    def dumps(self) -> str:
        """Render as JSON: the same bytes for the same scope."""
        people = None if self.people is None else sorted(self.people)
        return json.dumps({"tenants": sorted(self.tenants), "people": people}) + "\n"


_SCOPE = TypeAdapter(PlanScope)


def load_scope(text: str | bytes) -> PlanScope:
    """Return the scope of ``{"tenants": [slug], "people": [user name] or null}``. Raises ValueError."""
    try:
        return _SCOPE.validate_json(text)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(map(str, first["loc"])) or "the whole"
        raise ValueError(f"not a scope: {where}: {first['msg']}") from None
