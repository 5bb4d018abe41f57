"""The offline plan: the program, run on Pulumi's mocks without CLI, credentials and network."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from usine.plan.model import Plan, PlannedResource

if TYPE_CHECKING:
    from usine.plan.run import make_plan

__all__ = ["Plan", "PlannedResource", "make_plan"]


def __getattr__(name: str) -> Any:  # noqa: ANN401 - the module protocol's own shape
    """Import `make_plan` when it is used: a reader of plans does not need the provider SDKs."""
    if name == "make_plan":
        from usine.plan.run import make_plan  # noqa: PLC0415 - slow to import: the SDKs of all providers

        return make_plan
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
