"""Sends generated requests for each operation in a server's API description, deletions last, and records failures."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from typing import Any

import schemathesis
from hypothesis import HealthCheck, Phase, given, settings

#: Sends a request as an administrator.
Send = Callable[[Any], Any]


@dataclass
class Attack:
    """The result: `failed` has a line for each operation that failed; `reached` has operations that once succeeded."""

    send: Send
    examples: int
    #: Paths of objects that all others need: their deletion is tried only for missing objects.
    needed: Collection[str]
    #: Texts in a 5xx that the real server answers, too.
    theirs: str = ""
    failed: list[str] = field(default_factory=list)
    reached: set[str] = field(default_factory=set)
    count: int = 0

    def run(self, schema: Any, besides: Callable[[Any], None] = lambda _operation: None) -> None:
        """Send requests for every operation of a schema; `besides` is called with each and may raise."""
        operations = sorted((one.ok() for one in schema.get_all_operations()), key=lambda one: one.method == "delete")
        self.count = len(operations)
        for operation in operations:
            try:
                self._attempt(operation)
                besides(operation)
            except Exception as error:  # noqa: BLE001 - all failures at the end
                self.failed.append(f"{operation.label}: {type(error).__name__}: {error}")

    def _attempt(self, operation: Any) -> None:
        @settings(
            max_examples=self.examples,
            derandomize=True,
            deadline=None,
            database=None,
            phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        )
        @given(case=operation.as_strategy())
        def attempt(case: schemathesis.Case[Any]) -> None:
            if case.method == "DELETE" and case.path in self.needed:
                case.path_parameters = dict.fromkeys(case.path_parameters, "999999")
            answer = self.send(case)
            if answer.status_code < 300:
                self.reached.add(case.operation.label)
            meant = self.theirs and self.theirs in answer.text
            assert answer.status_code < 500 or meant, f"{case.as_curl_command()}: {answer.text}"

        attempt()
