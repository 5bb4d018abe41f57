"""The CODEOWNERS file: whose approval a change of a file wants. Made from the tenant files; GitLab's syntax."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import PurePath
from typing import Final

from usine.spec.model import Project, Role
from usine.spec.settings import Settings

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


def render(projects: Iterable[Project], settings: Settings) -> str:
    """Return the text of the file: one line per tenant, sorted by slug. Pure: the same tenants give the same bytes."""
    platform = settings.changes.platform_owners
    folder = PurePath(settings.projects).as_posix()
    lines = [
        f"/{folder}/{project.slug}.yaml {' '.join(f'@{person}' for person in _approvers(project))} {platform}\n"
        for project in sorted(projects, key=lambda project: project.slug)
    ]
    return _HEAD.format(platform=platform) + "".join(lines)


def _approvers(project: Project) -> tuple[str, ...]:
    """Return who may approve for a tenant, each once: the owner, then the admins."""
    return tuple(dict.fromkeys((project.owner, *project.people_of(Role.ADMIN))))
