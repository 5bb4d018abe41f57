"""What the SDK does with a resource whose input comes from one that failed."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from pulumi.runtime.rpc_manager import RPCManager
from pulumi.runtime.stack import ResourceRegistrationFailed

from stacks.platform.registration import go_on_after_failures


@pytest.fixture
def patched(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(RPCManager, "do_rpc", RPCManager.do_rpc)
    go_on_after_failures()
    go_on_after_failures()  # idempotent


def outcome(name: str, error: Exception | None) -> tuple[Any, Exception | None, Exception | None]:
    """What the caller gets, and what would end the program: at once, or at its end."""

    async def call() -> str:
        if error is not None:
            raise error
        return "registered"

    async def run() -> tuple[Any, Exception | None, Exception | None]:
        manager = RPCManager()  # type: ignore[no-untyped-call]  # the SDK leaves it untyped
        result, seen = await manager.do_rpc(name, call)()
        ends = None
        try:
            await manager.rpcs.pop()
        except Exception as raised:  # noqa: BLE001 - what `wait_for_rpcs` raises again
            ends = raised
        assert manager.unhandled_exception is ends
        return result, seen, ends

    return asyncio.run(run())


FAILED = ResourceRegistrationFailed("resource alpha/vault/mount failed to register")
WRONG = TypeError("unexpected input type")


@pytest.mark.usefixtures("patched")
@pytest.mark.parametrize("name", ["register resource", "register resource outputs"])
def test_what_needs_a_failed_resource_does_not_end_the_program(name: str) -> None:
    assert outcome(name, FAILED) == (None, None, None)
    assert outcome(name, None) == ("registered", None, None)


@pytest.mark.usefixtures("patched")
@pytest.mark.parametrize(("name", "error"), [("register resource", WRONG), ("invoke", FAILED), ("invoke", WRONG)])
def test_what_is_wrong_with_the_program_ends_it(name: str, error: Exception) -> None:
    assert outcome(name, error) == (None, error, error)


def test_the_sdk_by_itself_ends_the_program() -> None:
    """If this fails, the SDK goes on by itself, and `stacks/platform/registration.py` can go."""
    assert outcome("register resource", FAILED) == (None, FAILED, FAILED)
