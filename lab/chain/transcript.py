"""The record of all steps, with who tried what, and the outcome."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeVar

from lab.errors import LabError

Result = TypeVar("Result")


class SystemRefusal(Exception):  # noqa: N818 - an expected answer, not an error
    """The system `system` refused; `reason` is its message, without secrets."""

    def __init__(self, system: str, reason: str) -> None:
        """Store the first line of the reason."""
        self.system = system
        self.reason = " ".join(reason.split())[:160]
        super().__init__(f"{system}: {self.reason}")


@dataclass(frozen=True, slots=True)
class ChainStep:
    """One step. `expected` and `happened` are "allowed" or "refused"; `detail` is the system's message."""

    who: str
    what: str
    expected: str
    happened: str
    detail: str

    @property
    def right(self) -> bool:
        """Whether the outcome is as expected."""
        return self.expected == self.happened


@dataclass(slots=True)
class Transcript:
    """All steps, in order. `on_step` is called after each step."""

    steps: list[ChainStep] = field(default_factory=list)
    on_step: Callable[[ChainStep], None] = lambda _step: None

    def allowed(self, who: str, what: str, act: Callable[[], Result], detail: str = "") -> Result:
        """Do a step that must be allowed and return its result. Raises LabError when it is refused."""
        try:
            result = act()
        except SystemRefusal as refusal:
            self._note(ChainStep(who, what, "allowed", "refused", str(refusal)))
            raise LabError(f"{who}: {what}: refused, but must be allowed: {refusal}") from None
        self._note(ChainStep(who, what, "allowed", "allowed", detail))
        return result

    def refused(self, who: str, what: str, act: Callable[[], object]) -> None:
        """Try a step that must be refused. If it is allowed, the transcript records that and the scenario continues."""
        try:
            act()
        except SystemRefusal as refusal:
            self._note(ChainStep(who, what, "refused", "refused", str(refusal)))
            return
        self._note(ChainStep(who, what, "refused", "allowed", "not refused"))

    def _note(self, step: ChainStep) -> None:
        self.steps.append(step)
        self.on_step(step)

    @property
    def wrong(self) -> list[ChainStep]:
        """The steps with an unexpected outcome."""
        return [step for step in self.steps if not step.right]
