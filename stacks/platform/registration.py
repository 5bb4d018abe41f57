"""A resource that fails takes along what needs it, and nothing else.

`--continue-on-error` has the engine go on with what does not need a failed resource. The SDK (seen in 3.259,
`pulumi/runtime/stack.py`) does not always let it: a resource that takes an output of a failed one cannot be registered,
which ends the whole program while other registrations are still to come. Whether it does is a matter of time: a system
that is down fails at once, and the tenants whose resources were not registered yet are not begun.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from pulumi.runtime.rpc_manager import RPCManager
from pulumi.runtime.stack import ResourceRegistrationFailed

_Rpc = Callable[..., Awaitable[Any]]
#: Calls whose answer nobody waits for: an output that failed has been handed on to whatever takes it by then.
_REGISTRATIONS = frozenset({"register resource", "register resource outputs"})


def go_on_after_failures() -> None:
    """Leave a registration whose input failed to the engine, which has reported the failure already. Idempotent."""
    if getattr(RPCManager.do_rpc, "__wrapped__", None) is not None:
        return
    plain = RPCManager.do_rpc

    def do_rpc(self: RPCManager, name: str, rpc_function: _Rpc) -> _Rpc:
        async def tolerant(*args: Any, **kwargs: Any) -> Any:  # noqa: ANN401 - handed on as they are
            try:
                return await rpc_function(*args, **kwargs)
            except ResourceRegistrationFailed:
                return None

        return plain(self, name, tolerant if name in _REGISTRATIONS else rpc_function)

    do_rpc.__wrapped__ = plain  # type: ignore[attr-defined]  # as functools.wraps does
    RPCManager.do_rpc = do_rpc  # type: ignore[method-assign]
