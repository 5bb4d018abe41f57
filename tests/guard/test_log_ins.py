"""Log-ins to Vault that `usine up` cannot end. Those that it ends are in tests/engine/test_isolation.py."""

from __future__ import annotations

import dataclasses

from lab.testing.ports import free_port
from model.settings import Endpoint, System
from tests import factories
from usine.engine.log_ins import end_log_ins
from usine.report.model import Severity


def test_a_vault_that_does_not_answer_is_a_warning() -> None:
    base = factories.settings()
    endpoints = {**base.endpoints, System.VAULT: Endpoint(f"http://127.0.0.1:{free_port()}")}
    settings = dataclasses.replace(base, endpoints=endpoints)
    (notice,) = end_log_ins(settings, [factories.tenant()], {"VAULT_TOKEN": "s.marker-of-this-test"})
    assert (notice.severity, notice.refuses) == (Severity.WARNING, False)
    assert notice.text == "log-ins to Vault of people who have lost a role could not be ended: ConnectionError"
    assert "marker" not in str(notice)


def test_without_vault_or_keycloak_there_are_no_log_ins_to_end() -> None:
    for system in (System.VAULT, System.KEYCLOAK):
        settings = factories.settings(systems=frozenset(System) - {system})
        assert end_log_ins(settings, [factories.tenant()], {}) == ()
