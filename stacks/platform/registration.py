"""If a resource fails, only its dependents are skipped: the program registers all other resources.

With `--continue-on-error`, the engine continues with the resources that do not depend on a failed one. But the SDK
(seen in 3.259, `pulumi/runtime/stack.py`) cannot register a resource that uses an output of a failed one, and ends the
whole program then. The tenants whose resources are not registered at that time are missing from the run. It happens if
a resource fails early, for example because its system is down.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from pulumi.runtime.rpc_manager import RPCManager
from pulumi.runtime.stack import ResourceRegistrationFailed

_Rpc = Callable[..., Awaitable[Any]]
#: Calls whose result is not awaited. The resources that use a failed output have already received its error.
_REGISTRATIONS = frozenset({"register resource", "register resource outputs"})


def go_on_after_failures() -> None:
    """Make the SDK skip a resource whose input failed. The engine has reported that failure already. Idempotent."""
    if getattr(RPCManager.do_rpc, "__wrapped__", None) is not None:
        return
    plain = RPCManager.do_rpc

    def do_rpc(self: RPCManager, name: str, rpc_function: _Rpc) -> _Rpc:
        async def tolerant(*args: Any, **kwargs: Any) -> Any:  # noqa: ANN401 - passed on unchanged
            try:
                return await rpc_function(*args, **kwargs)
            except ResourceRegistrationFailed:
                return None

        return plain(self, name, tolerant if name in _REGISTRATIONS else rpc_function)

    do_rpc.__wrapped__ = plain  # type: ignore[attr-defined]  # like functools.wraps
    RPCManager.do_rpc = do_rpc  # type: ignore[method-assign]
