"""The pipeline's policies as docs/ci.md prints them: tests run with these and no other."""

from __future__ import annotations

import json
import re
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

#: A request that was allowed: what it does (a capability's name) and where.
Request = tuple[str, str]

PAGE = Path(__file__).parents[1] / "docs" / "ci.md"


def policies() -> dict[str, str]:
    """Return the HCL of each policy by its name, which the block's first line says."""
    blocks = re.findall(r"(?s)```hcl\n(# ([a-z-]+): .*?)```", PAGE.read_text(encoding="utf-8"))
    return {name: text for text, name in blocks}


def roles() -> dict[str, dict[str, Any]]:
    """Return the roles of the pipeline's jobs as docs/ci.md prints them."""
    page = PAGE.read_text(encoding="utf-8")
    found = re.findall(r"(?s)bao write auth/jwt/role/(\S+) - <<'JSON'\n(.*?)\nJSON", page)
    assert {name for name, _ in found} == {"usine-pipeline", "usine-look"}
    return {name: json.loads(text) for name, text in found}


def write(vault: Any) -> None:
    """Write them to a server."""
    for name, text in policies().items():
        vault.sys.create_or_update_acl_policy(name, text)


@contextmanager
def variables(vault: Any, policy: str, used: set[Request]) -> Iterator[dict[str, str]]:
    """Give the environment of a run with a token that has this policy; nothing stays on the server.

    What the run asked for and got is added to `used`.
    """
    write(vault)
    made = vault.auth.token.create(policies=[policy], ttl="4h")["auth"]
    with tempfile.TemporaryDirectory() as folder:
        log = Path(folder) / "audit.log"
        vault.sys.enable_audit_device("file", options={"file_path": str(log)}, path="tests")
        try:
            yield {"VAULT_TOKEN": str(made["client_token"])}
        finally:
            vault.sys.disable_audit_device("tests")
            used |= set(_allowed(log.read_text(encoding="utf-8").splitlines(), policy))
            vault.auth.token.revoke_accessor(made["accessor"])
            for name in policies():
                vault.sys.delete_policy(name)


def _allowed(lines: Iterable[str], policy: str) -> Iterator[Request]:
    for line in lines:
        entry = json.loads(line)
        refused = "permission denied" in entry.get("error", "")
        if entry["type"] == "response" and policy in (entry["auth"].get("policies") or ()) and not refused:
            yield entry["request"]["operation"], entry["request"]["path"].rstrip("/")


def superfluous(policy: str, used: set[Request]) -> set[Request]:
    """Return what a policy allows and none of the requests needed, as capability and path of the policy.

    `create` and `update` are one: which of them a path asks for, its plugin decides. `sudo` comes beside another one.
    """
    found = set()
    for path, listed in re.findall(r'path "([^"]+)"\s*\{ capabilities = \[([^]]*)\]', policies()[policy]):
        pattern = re.compile(re.escape(path).replace(r"\+", "[^/]+").replace(r"\*", ".*"))
        here = {_capability(operation) for operation, where in used if pattern.fullmatch(where)}
        found |= {(_capability(one), path) for one in re.findall("[a-z]+", listed) if _capability(one) not in here}
    return {(capability, path) for capability, path in found if capability not in {"sudo", "deny"}}


def _capability(operation: str) -> str:
    return "write" if operation in {"create", "update"} else operation
