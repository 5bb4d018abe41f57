"""The pipeline's policies as docs/ci.md prints them: tests run with these and no other."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

PAGE = Path(__file__).parents[1] / "docs" / "ci.md"


def policies() -> dict[str, str]:
    """Return the HCL of each policy by its name, which the block's first line says."""
    blocks = re.findall(r"(?s)```hcl\n(# ([a-z-]+): .*?)```", PAGE.read_text(encoding="utf-8"))
    return {name: text for text, name in blocks}


def write(vault: Any) -> None:
    """Write them to a server."""
    for name, text in policies().items():
        vault.sys.create_or_update_acl_policy(name, text)


@contextmanager
def variables(vault: Any, policy: str) -> Iterator[dict[str, str]]:
    """Give the environment of a run with a token that has this policy; nothing stays on the server."""
    write(vault)
    made = vault.auth.token.create(policies=[policy], ttl="4h")["auth"]
    try:
        yield {"VAULT_TOKEN": str(made["client_token"])}
    finally:
        vault.auth.token.revoke_accessor(made["accessor"])
        for name in policies():
            vault.sys.delete_policy(name)
