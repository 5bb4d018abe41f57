"""The offline plan: the program itself, run on Pulumi's mocks. No CLI, no credential, no network."""

from usine.plan.model import Plan, PlannedResource
from usine.plan.run import make_plan

__all__ = ["Plan", "PlannedResource", "make_plan"]
