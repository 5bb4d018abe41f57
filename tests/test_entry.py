"""The entry of the program: what it changes in its own process."""

from __future__ import annotations

import gc
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pulumi
import pytest

from stacks.platform import entry, messages
from tests import factories
from tests.plans import plan_of

ROOT = Path(__file__).resolve().parents[1]
DEBUG = pulumi.log.debug


@pytest.fixture(autouse=True)
def as_before() -> Iterator[None]:
    yield
    pulumi.log.debug = DEBUG


@pytest.mark.parametrize("kept", [False, True])
def test_the_sdk_s_debug_messages_reach_the_engine_only_if_somebody_asks(
    kept: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent: list[str] = []
    monkeypatch.setattr("pulumi.log.get_engine", object)
    monkeypatch.setattr("pulumi.log._log", lambda _engine, _severity, message, *_: sent.append(message))
    monkeypatch.setenv("USINE_SDK_MESSAGES", "1" if kept else "")
    messages.drop_the_sdk_s_messages()
    pulumi.log.debug("beginning rpc", None)
    pulumi.log.warn("a person has no account")
    assert sent == (["beginning rpc"] if kept else []) + ["a person has no account"]


def test_a_plan_has_no_messages_either_and_leaves_them_as_they_were(monkeypatch: pytest.MonkeyPatch) -> None:
    sent: list[str] = []
    monkeypatch.setattr("pulumi.log.debug", lambda message, *_, **__: sent.append(message))
    before = pulumi.log.debug
    plan_of(factories.tenant("messages"))
    assert sent == []
    assert pulumi.log.debug is before


def test_the_collector_is_off_for_the_imports_and_runs_rarely_after_them() -> None:
    code = (
        "import gc, sys, types; sys.modules['stacks.platform.entry'] = types.SimpleNamespace("
        "main=lambda: print(gc.isenabled())); import runpy; runpy.run_path('stacks/platform')"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"
    before = gc.get_threshold()
    try:
        gc.disable()
        entry.collect_rarely()
        assert (gc.isenabled(), gc.get_threshold()[0]) == (True, 50_000)
    finally:
        gc.enable()
        gc.set_threshold(*before)
        gc.unfreeze()
