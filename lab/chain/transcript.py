"""What was tried, by whom, and how it went."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeVar

from lab.errors import LabError

Result = TypeVar("Result")


class Refused(Exception):  # noqa: N818 - an expected answer, not an error
    """A system said no: `system` which one, `reason` in its own words, without any secret."""

    def __init__(self, system: str, reason: str) -> None:
        """Keep one line of the reason."""
        self.system = system
        self.reason = " ".join(reason.split())[:160]
        super().__init__(f"{system}: {self.reason}")


@dataclass(frozen=True, slots=True)
class Step:
    """One thing tried. `expected` and `happened` are "allowed" or "refused"; `detail` is what the system said."""

    who: str
    what: str
    expected: str
    happened: str
    detail: str

    @property
    def right(self) -> bool:
        """Whether it went as it must."""
        return self.expected == self.happened


@dataclass(slots=True)
class Transcript:
    """Every step, in order. `on_step` is told of each as it is done."""

    steps: list[Step] = field(default_factory=list)
    on_step: Callable[[Step], None] = lambda _step: None

    def allowed(self, who: str, what: str, act: Callable[[], Result], detail: str = "") -> Result:
        """Do what must be allowed and return its result. Raises LabError when it is refused: the rest needs it."""
        try:
            result = act()
        except Refused as refusal:
            self._note(Step(who, what, "allowed", "refused", str(refusal)))
            raise LabError(f"{who}: {what}: refused, and must be allowed: {refusal}") from None
        self._note(Step(who, what, "allowed", "allowed", detail))
        return result

    def refused(self, who: str, what: str, act: Callable[[], object]) -> None:
        """Try what must be refused; that it is allowed is noted, and the rest goes on."""
        try:
            act()
        except Refused as refusal:
            self._note(Step(who, what, "refused", "refused", str(refusal)))
            return
        self._note(Step(who, what, "refused", "allowed", "nothing refused it"))

    def _note(self, step: Step) -> None:
        self.steps.append(step)
        self.on_step(step)

    @property
    def wrong(self) -> list[Step]:
        """The steps that did not go as they must."""
        return [step for step in self.steps if not step.right]
