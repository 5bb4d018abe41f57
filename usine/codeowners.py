"""The CODEOWNERS file: whose approval a change of a file wants. Made from the tenant files; GitLab's syntax."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import PurePath
from typing import Final

from model.settings import Settings
from model.tenant import Role, Tenant

#: The file's place in the repository.
CODEOWNERS: Final = "CODEOWNERS"

_HEAD: Final = """\
# Whose approval a change wants. Made by `usine codeowners` from the tenant files: change those, then run it.
# Of the lines that match a file, the last one counts; any one of its people may approve.

# Everything is the platform's, new tenants and the waivers of rules included, ...
[Usine][1] {platform}
*

# ... but a tenant's file, which its owner and its admins may approve as well.
"""


def render(tenants: Iterable[Tenant], settings: Settings) -> str:
    """Return the text of the file: one line per tenant, sorted by slug. Pure: the same tenants give the same bytes."""
    platform = settings.changes.platform_owners
    folder = PurePath(settings.projects).as_posix()
    lines = [
        f"/{folder}/{tenant.slug}.yaml {' '.join(f'@{person}' for person in _approvers(tenant))} {platform}\n"
        for tenant in sorted(tenants, key=lambda tenant: tenant.slug)
    ]
    return _HEAD.format(platform=platform) + "".join(lines)


def _approvers(tenant: Tenant) -> tuple[str, ...]:
    """Return who may approve for a tenant, each once: the owner, then the admins."""
    return tuple(dict.fromkeys((tenant.owner, *tenant.people_of(Role.ADMIN))))
