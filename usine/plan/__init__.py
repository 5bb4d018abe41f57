"""The offline plan: the program itself, run on Pulumi's mocks. No CLI, no credential, no network."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from usine.plan.model import Plan, PlannedResource

if TYPE_CHECKING:
    from usine.plan.run import make_plan

__all__ = ["Plan", "PlannedResource", "make_plan"]


def __getattr__(name: str) -> Any:  # noqa: ANN401 - the module protocol's own shape
    """Load what runs the program when it is asked for: who only reads plans does without the provider SDKs."""
    if name == "make_plan":
        from usine.plan.run import make_plan  # noqa: PLC0415

        return make_plan
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
